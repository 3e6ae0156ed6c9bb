//! Corpus A again: the compile child under its limits, and the cache of what it made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::{Limits, Outcome};
use sandbox::{Config, PrepareError};
use tempfile::TempDir;

use super::{SHORT, generated};
use crate::support::{House, guest, sandbox_in};

/// A compiler that leaves a mark in `folder/marks` each time that it is started.
fn counting(folder: &Path) -> PathBuf {
    let (script, marks) = (folder.join("compiler"), folder.join("marks"));
    let text =
        format!("#!/bin/sh\necho started >> '{}'\nexec '{}' \"$@\"\n", marks.display(), env!("CARGO_BIN_EXE_codenode"));
    fs::write(&marks, "").unwrap();
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    script
}

/// How often the counting compiler was started.
fn compilations(folder: &Path) -> usize {
    fs::read_to_string(folder.join("marks")).unwrap().lines().count()
}

fn house_in(folder: &TempDir) -> House {
    House::with(|config| {
        config.cache_dir = folder.path().join("cache");
        config.compiler = folder.path().join("compiler");
    })
}

fn answers(house: &House) {
    let run = house.try_out("answers", &Limits::DEFAULT);
    assert!(matches!(&run.outcome, Outcome::Reply(reply) if reply.as_str() == guest::OK), "{run:?}");
}

#[test]
fn fifty_that_want_the_same_artifact_at_once_wait_for_one_compilation() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    let artifact = guest::named("answers");
    house.runtime.block_on(async {
        let mut waiting = Vec::new();
        for _ in 0..50 {
            let (sandbox, artifact) = (house.sandbox.clone(), artifact.clone());
            waiting.push(tokio::spawn(async move { sandbox.prepare(&artifact).await.map(drop) }));
        }
        for one in waiting {
            one.await.unwrap().unwrap();
        }
    });
    assert_eq!(compilations(folder.path()), 1);
    let restarted = house_in(&folder);
    answers(&restarted);
    assert_eq!(compilations(folder.path()), 1, "the cache outlives the sandbox");
}

/// What happens to which of the two files.
type Damage = (&'static str, fn(&Path));

#[test]
fn whatever_in_the_cache_is_not_what_was_written_is_compiled_anew() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    answers(&house);
    let only = |extension: &str| crate::support::cached(folder.path(), extension).pop().unwrap();
    let damages: [Damage; 7] = [
        ("cwasm", flip_a_bit),
        ("cwasm", |file| fs::write(file, b"").unwrap()),
        ("cwasm", |file| fs::remove_file(file).unwrap()),
        ("cwasm", |file| fs::set_permissions(file, fs::Permissions::from_mode(0o660)).unwrap()),
        ("json", |file| fs::write(file, b"{\"inspection\":").unwrap()),
        ("json", |file| fs::remove_file(file).unwrap()),
        ("json", |file| fs::write(file, fs::read_to_string(file).unwrap().replacen('a', "b", 1)).unwrap()),
    ];
    for (at, (extension, damage)) in damages.into_iter().enumerate() {
        damage(&only(extension));
        answers(&house);
        assert_eq!(compilations(folder.path()), at + 2, "after damage {at}");
        answers(&house_in(&folder));
        assert_eq!(compilations(folder.path()), at + 2, "mended after damage {at}");
    }
}

fn flip_a_bit(file: &Path) {
    let mut code = fs::read(file).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    fs::write(file, code).unwrap();
}

#[test]
fn a_cache_that_others_can_write_is_refused() {
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    for mode in [0o770, 0o777, 0o702] {
        fs::set_permissions(&cache, fs::Permissions::from_mode(mode)).unwrap();
        let error = sandbox_in(folder.path(), |_| {}).err().unwrap().to_string();
        let error = error.replace(cache.to_str().unwrap(), "cache");
        assert_eq!(error, "cache can be written by others: give it to this user alone (chmod 700)");
    }
}

#[test]
fn the_machine_code_of_another_engine_is_left_alone() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    let id = sandbox::inspect(&guest::named("answers")).artifact;
    let foreign = folder.path().join("cache/0123456789abcdef");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join(format!("{id}.cwasm")), b"\x7fELF from elsewhere").unwrap();
    answers(&house);
    assert_eq!(compilations(folder.path()), 1);
    assert_eq!(fs::read(foreign.join(format!("{id}.cwasm"))).unwrap(), b"\x7fELF from elsewhere");
}

#[test]
fn what_was_refused_is_refused_again_without_a_compilation() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    let (by_inspection, by_compiler) = (generated::functions(100_000), generated::branches(1_000_000));
    for _ in 0..3 {
        assert!(matches!(house.try_prepare(&by_inspection), Err(PrepareError::Refused(_))));
    }
    assert_eq!(compilations(folder.path()), 0);
    for _ in 0..3 {
        assert!(matches!(house.try_prepare(&by_compiler), Err(PrepareError::Refused(_))));
    }
    assert_eq!(compilations(folder.path()), 1);
}

#[test]
fn the_compile_child_dies_of_its_own_limits_and_each_has_its_refusal() {
    let heavy = generated::calls(500_000);
    let refusal = |change: fn(&mut Config)| {
        let house = House::with(change);
        let began = Instant::now();
        let refused = house.try_prepare(&heavy).err().map_or_else(|| "compiled".to_owned(), |error| error.to_string());
        assert!(began.elapsed() < Duration::from_secs(20), "{refused} took {:?}", began.elapsed());
        assert!(house.cached("draft").is_empty() && house.cached("cwasm").is_empty(), "{refused} left its draft");
        answers(&House::open());
        refused
    };
    let memory = refusal(|config| config.compile_limits.memory_bytes = 256 << 20);
    insta::assert_snapshot!(memory, @"the artifact takes more than 256.0 MiB of memory to compile");
    let cpu = refusal(|config| config.compile_limits.cpu_time = Duration::from_secs(1));
    insta::assert_snapshot!(cpu, @"the artifact takes more than 1s of CPU time to compile");
    let wall = refusal(|config| config.compile_limits.wall_time = Duration::from_millis(500));
    insta::assert_snapshot!(wall, @"the artifact takes longer to compile than 500ms");
}

#[test]
fn a_compiler_that_is_not_there_or_fails_is_the_hosts_fault() {
    for program in ["/nonexistent/codenode", "/bin/false", "/bin/cat"] {
        let house = House::with(|config| config.compiler = program.into());
        let error = house.try_prepare(&guest::named("answers")).err();
        assert!(matches!(error, Some(PrepareError::Host(_) | PrepareError::Refused(_))), "{program}: {error:?}");
        assert!(house.cached("draft").is_empty());
    }
}

#[test]
fn an_upload_that_is_given_up_leaves_no_child_and_no_draft() {
    let house = House::open();
    let artifact = generated::calls(20_000);
    for offset in 0..20 {
        let patience = Duration::from_millis(5 * offset);
        let given_up = house
            .runtime
            .block_on(async { tokio::time::timeout(patience, house.sandbox.prepare(&artifact)).await.is_err() });
        assert!(house.cached("draft").is_empty(), "a draft after {patience:?}");
        if !given_up {
            break;
        }
    }
    let run = house.run(&house.prepare(&artifact), &SHORT);
    assert!(matches!(run.outcome, Outcome::BotBreak(_)), "{run:?}");
}
