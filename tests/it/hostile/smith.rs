//! What nobody thought of: generated modules and components, and valid artifacts with a few bytes changed.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary as _, Unstructured};
use model::{Cause, Limits, Outcome};
use sandbox::{PrepareError, inspect};
use wasm_smith::{Component, Config, MemoryOffsetChoices, Module};

use super::generated::component_around;
use crate::support::{House, Wild, alone, guest};

/// How long, unless `CODENODE_SMITH_SECONDS` says longer.
const LEAST_SECONDS: u64 = 60;

/// Artifacts that are only inspected, for each one that is compiled and run.
const ONLY_INSPECTED: usize = 20;

const LIMITS: Limits = Limits {
    wall_time: Duration::from_millis(100),
    cpu_time: Duration::from_millis(20),
    memory_bytes: 16 << 20,
    ..Limits::DEFAULT
};

/// What came of them, by name.
type Tally = BTreeMap<String, u64>;

#[test]
fn nothing_generated_is_more_than_refused_or_broken() {
    alone(|| {
        let asked = env::var("CODENODE_SMITH_SECONDS").ok().and_then(|text| text.parse().ok());
        let deadline = Instant::now() + Duration::from_secs(asked.unwrap_or(0).max(LEAST_SECONDS));
        let mut house = House::open();
        let valid =
            ["answers", "sleeps_ten_minutes", "grows_two_memories", "command_replies_and_exits"].map(guest::named);
        let mut tally = Tally::new();
        let mut seed = 0;
        while Instant::now() < deadline {
            seed += 1;
            // Compiled artifacts stay on disk as long as their house stands.
            if seed % 500 == 0 {
                house = House::open();
            }
            let mut wild = Wild::seeded(seed);
            let artifact = match seed % 3 {
                0 => command(&mut wild),
                1 => code_node(&mut wild),
                _ => Some(mutated(&mut wild, &valid)),
            };
            for _ in 0..ONLY_INSPECTED {
                count_inspected(&mut tally, &anything(&mut wild, &valid));
            }
            if let Some(artifact) = artifact {
                live(&house, &mut tally, seed, &artifact);
            }
        }
        println!("{seed} seeds: {tally:#?}");
        for must in ["inspected: fine", "inspected: refused", "run: trap", "run: out_of_cpu"] {
            assert!(tally.get(must).is_some_and(|count| *count > 0), "no `{must}` in {seed} seeds: {tally:#?}");
        }
    });
}

/// The whole way of one artifact; every end must be one that an author can act on.
fn live(house: &House, tally: &mut Tally, seed: u64, artifact: &[u8]) {
    let prepared = match house.try_prepare(artifact) {
        Ok(prepared) => prepared,
        Err(PrepareError::Refused(problems)) => {
            assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.is_empty()), "seed {seed}");
            return *tally.entry("prepared: refused".into()).or_default() += 1;
        }
        Err(error @ (PrepareError::Busy | PrepareError::NoRunner(..) | PrepareError::Host(_))) => {
            panic!("seed {seed}: {error:?}")
        }
    };
    let run = house.run(&prepared, &LIMITS);
    let end = match &run.outcome {
        Outcome::Reply(_) => "reply",
        Outcome::BotBreak(broken) => {
            assert!(
                !matches!(broken.cause, Cause::Internal | Cause::Overloaded | Cause::Unavailable),
                "seed {seed}: {run:?}"
            );
            assert!(!broken.detail.is_empty() && broken.detail.lines().count() == 1, "seed {seed}: {run:?}");
            broken.cause.name()
        }
    };
    assert!(run.usage.memory_bytes <= LIMITS.memory_bytes && house.sandbox.running() == 0, "seed {seed}: {run:?}");
    *tally.entry(format!("run: {end}")).or_default() += 1;
}

fn count_inspected(tally: &mut Tally, artifact: &[u8]) {
    let verdict = if inspect(artifact).problems.is_empty() { "inspected: fine" } else { "inspected: refused" };
    *tally.entry(verdict.into()).or_default() += 1;
}

/// A module, a component, one of ours, or the ruins of one.
fn anything(wild: &mut Wild, valid: &[Vec<u8>]) -> Vec<u8> {
    let generated = match wild.below(5) {
        0 => module(wild, |_| {}),
        1 => component(wild),
        2 => command(wild),
        3 => code_node(wild),
        _ => None,
    };
    let artifact = generated.unwrap_or_else(|| mutated(wild, valid));
    if wild.below(2) == 0 { mutated(wild, &[artifact]) } else { artifact }
}

/// A valid artifact with some bytes overwritten, inserted, doubled or cut off.
fn mutated(wild: &mut Wild, valid: &[Vec<u8>]) -> Vec<u8> {
    let mut artifact = valid[wild.below(valid.len())].clone();
    for _ in 0..=wild.below(4) {
        let at = wild.below(artifact.len().max(1));
        let end = artifact.len().min(at + wild.below(64));
        match wild.below(5) {
            0 => drop(artifact.splice(at.min(end)..end, wild.bytes(end - at.min(end)))),
            1 => artifact.truncate(at.max(8)),
            2 => drop(artifact.splice(at..at, artifact[at.min(end)..end].to_vec())),
            _ => artifact.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << wild.below(8)),
        }
    }
    artifact
}

fn command(wild: &mut Wild) -> Option<Vec<u8>> {
    let exports = guest::binary(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    let imports = guest::binary(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#,
    );
    module(wild, |config| {
        config.exports = Some(exports);
        config.available_imports = Some(imports);
        as_offered(config);
    })
}

fn code_node(wild: &mut Wild) -> Option<Vec<u8>> {
    let exports = guest::binary(
        r#"(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "handle") (param i32 i32) (result i32) unreachable))"#,
    );
    let core = module(wild, |config| {
        config.exports = Some(exports);
        config.max_imports = 0;
        as_offered(config);
    });
    core.map(|core| component_around(&core))
}

/// Without the proposals that the gate refuses, so that most get as far as the compiler.
fn as_offered(config: &mut Config) {
    config.gc_enabled = false;
    config.exceptions_enabled = false;
    config.memory64_enabled = false;
    config.relaxed_simd_enabled = false;
    config.threads_enabled = false;
    config.shared_everything_threads_enabled = false;
    config.custom_page_sizes_enabled = false;
    config.custom_descriptors_enabled = false;
    config.wide_arithmetic_enabled = false;
    config.reference_types_enabled = false;
    // The memory that is exported comes on top.
    config.min_memories = 0;
    config.max_memories = 0;
    config.max_tables = 4;
    config.max_memory32_bytes = 64 << 20;
    config.max_table_elements = 10_000;
    config.max_instructions = 400;
    // Addresses that mostly exist: code that traps at its first load tells little.
    config.memory_offset_choices = MemoryOffsetChoices(90, 9, 1);
}

fn module(wild: &mut Wild, change: impl FnOnce(&mut Config)) -> Option<Vec<u8>> {
    let bytes = wild.bytes(8 << 10);
    let mut bytes = Unstructured::new(&bytes);
    let mut config = Config::arbitrary(&mut bytes).ok()?;
    change(&mut config);
    Some(Module::new(config, &mut bytes).ok()?.to_bytes())
}

fn component(wild: &mut Wild) -> Option<Vec<u8>> {
    let bytes = wild.bytes(8 << 10);
    let mut bytes = Unstructured::new(&bytes);
    let config = Config::arbitrary(&mut bytes).ok()?;
    Some(Component::new(config, &mut bytes).ok()?.to_bytes())
}
