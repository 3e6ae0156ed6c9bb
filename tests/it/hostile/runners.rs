//! What runs sources: missing, replaced, and failing in every way in which it can make a program.

use std::fs;

use model::{ArtifactId, Limits, Outcome, Run};
use sandbox::source::Language;
use sandbox::{Grants, PrepareError, inspect};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{House, event, guest, runtime, sandbox_in};

const RUNNER: &str = "runs_any_source";

/// What the runner does to make a program of a source.
const MAKES: &str = "(call $answer (i32.const 0) (local.get $source) (local.get $bytes))";

/// A folder with this as what runs Python.
fn runners(runner: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("python.wasm"), runner).unwrap();
    folder
}

fn source() -> Vec<u8> {
    Language::Python.artifact(b"anything")
}

fn name() -> ArtifactId {
    inspect(&source()).artifact.parse().unwrap()
}

fn reply(run: &Run) -> &str {
    match &run.outcome {
        Outcome::Reply(reply) => reply.as_str(),
        Outcome::BotBreak(broken) => panic!("{broken:?}"),
    }
}

/// What comes of a source whose runner does this.
fn made(change: &str) -> Result<(), PrepareError> {
    let runners = runners(&guest::changed(RUNNER, &[(MAKES, change)]));
    let house = House::with(|config| config.runners = Some(runners.path().to_owned()));
    house.try_prepare(&source()).map(drop)
}

fn refusal(change: &str) -> String {
    match made(change) {
        Err(PrepareError::Refused(problems)) => problems.join("; "),
        Err(error) => panic!("{error}"),
        Ok(()) => panic!("it was made"),
    }
}

#[test]
fn what_another_runner_made_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (guest::named(RUNNER), guest::changed(RUNNER, &[("[\\\"a\\\"]", "[\\\"b\\\"]")]));
    let (runtime, limits) = (runtime(), Limits::DEFAULT);
    let says = |runner: &[u8], was_made: bool| {
        let runners = runners(runner);
        let sandbox = sandbox_in(folder.path(), |config| config.runners = Some(runners.path().to_owned())).unwrap();
        let known = runtime.block_on(sandbox.prepare_compiled(name())).unwrap();
        assert_eq!(known.is_some(), was_made);
        let prepared = runtime.block_on(sandbox.prepare(&source())).unwrap();
        let never = CancellationToken::new();
        let run = runtime.block_on(sandbox.run(&prepared, &event("{}"), &limits, Grants::default(), &never));
        reply(&run).to_owned()
    };
    assert!(says(&one, false).contains("[\"a\"]"));
    assert!(says(&one, true).contains("[\"a\"]"));
    assert!(says(&other, false).contains("[\"b\"]"));
    assert!(says(&other, true).contains("[\"b\"]"));
}

#[test]
fn a_source_waits_for_what_runs_it_and_is_not_refused_for_good() {
    let folder = TempDir::new().unwrap();
    let house = House::with(|config| config.runners = Some(folder.path().to_owned()));
    for _ in 0..2 {
        let Err(PrepareError::NoRunner(Language::Python, why)) = house.try_prepare(&source()) else {
            panic!("it has a runner")
        };
        assert!(why.contains("no python.wasm in ") && why.contains("`cargo xtask runners` builds it"), "{why}");
    }
    fs::write(folder.path().join("python.wasm"), guest::named(RUNNER)).unwrap();
    let prepared = house.prepare(&source());
    assert!(reply(&house.run(&prepared, &Limits::DEFAULT)).contains("[\"a\"]"));
    let javascript = house.try_prepare(&Language::JavaScript.artifact(b"anything"));
    assert!(matches!(javascript, Err(PrepareError::NoRunner(Language::JavaScript, _))));
}

#[test]
fn a_program_that_cannot_be_made_says_why() {
    for (change, why) in [
        (
            "(call $answer (i32.const 1) (i32.const 32) (i32.const 26))",
            "cannot be compiled: \nmain.py:1:1: it is nothing",
        ),
        ("unreachable", "cannot be compiled: wasm `unreachable` instruction executed"),
        ("(loop $more (br $more)) unreachable", "cannot be compiled: it computed for longer than 10"),
        ("(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable", "memory"),
        (
            "(call $answer (i32.const 0) (i32.const 0) (i32.const 2097153))",
            "becomes a program of 2097153 bytes; the limit is 2097152",
        ),
    ] {
        let refused = refusal(change);
        assert!(refused.contains(why), "{change}: {refused}");
    }
    assert!(made("(call $answer (i32.const 0) (i32.const 0) (i32.const 2097152))").is_ok());
}
