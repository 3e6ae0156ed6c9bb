//! `[sandbox]`: how runs share this host, and what compiling may take.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use super::document::Section;

/// Each reserves address space, of which a process has 128 TiB: there is none for 3,000.
const MOST_RUNS: u32 = 2_000;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The host's capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// Where compiled artifacts are kept.
    pub cache_directory: PathBuf,
    /// Runs at once.
    pub runs: u32,
    /// Events that may wait for a run.
    pub queue: u32,
    /// How long an event may wait for a run.
    pub queue_wait: Duration,
    /// Artifacts whose code is loaded at once.
    pub loaded: u32,
    /// The compiled code that they may come to together.
    pub loaded_bytes: u64,
    /// The guest's stack.
    pub stack_bytes: u64,
    /// The grain of time limits and of turns.
    pub tick: Duration,
    /// Memory of the compiler's process.
    pub compile_memory_bytes: u64,
    /// CPU time of the compiler's process.
    pub compile_cpu_time: Duration,
    /// How long one compilation may take.
    pub compile_wall_time: Duration,
}

impl Default for Runs {
    fn default() -> Self {
        let compile = ::sandbox::compile::Limits::default();
        Self {
            cache_directory: PathBuf::from("./.codenode/compiled"),
            runs: 256,
            queue: 1024,
            queue_wait: Duration::from_secs(1),
            loaded: ::sandbox::DEFAULT_LOADED,
            loaded_bytes: ::sandbox::DEFAULT_LOADED_BYTES,
            stack_bytes: ::sandbox::DEFAULT_STACK_BYTES as u64,
            tick: ::sandbox::DEFAULT_TICK,
            compile_memory_bytes: compile.memory_bytes,
            compile_cpu_time: compile.cpu_time,
            compile_wall_time: compile.wall_time,
        }
    }
}

impl Runs {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let runs = Self {
            cache_directory: section.path("cache_directory").unwrap_or(default.cache_directory),
            runs: section.count("runs", default.runs),
            queue: section.count("queue", default.queue),
            queue_wait: section.duration("queue_wait", default.queue_wait),
            loaded: section.count("loaded", default.loaded),
            loaded_bytes: section.size("loaded_size", default.loaded_bytes),
            stack_bytes: section.size("stack", default.stack_bytes),
            tick: section.duration("tick", default.tick),
            compile_memory_bytes: section.size("compile_memory", default.compile_memory_bytes),
            compile_cpu_time: section.duration("compile_cpu_time", default.compile_cpu_time),
            compile_wall_time: section.duration("compile_wall_time", default.compile_wall_time),
        };
        let count = |count: u32| count.to_string();
        check(&section, "runs", &runs.runs, 1..=MOST_RUNS, count);
        check(&section, "queue", &runs.queue, 0..=100_000, count);
        check(&section, "loaded", &runs.loaded, 1..=::sandbox::MAX_LOADED, count);
        let size = |bytes: u64| ByteSize(bytes).to_string();
        check(&section, "stack", &runs.stack_bytes, 64 * KIB..=16 * MIB, size);
        check(&section, "loaded_size", &runs.loaded_bytes, MIB..=1024 * 1024 * MIB, size);
        check(&section, "compile_memory", &runs.compile_memory_bytes, 64 * MIB..=64 * 1024 * MIB, size);
        let time = |time: Duration| humantime::format_duration(time).to_string();
        check(&section, "queue_wait", &runs.queue_wait, Duration::ZERO..=Duration::from_secs(10), time);
        check(&section, "tick", &runs.tick, Duration::from_millis(1)..=Duration::from_millis(10), time);
        let compiling = Duration::from_secs(1)..=Duration::from_secs(3600);
        check(&section, "compile_cpu_time", &runs.compile_cpu_time, compiling.clone(), time);
        check(&section, "compile_wall_time", &runs.compile_wall_time, compiling, time);
        section.finish();
        runs
    }
}

fn check<V: PartialOrd + Copy>(
    section: &Section<'_>,
    key: &str,
    value: &V,
    range: RangeInclusive<V>,
    shown: impl Fn(V) -> String,
) {
    if !range.contains(value) {
        let (value, least, most) = (shown(*value), shown(*range.start()), shown(*range.end()));
        section.wrong_key(key, format!("is {value}: it must be from {least} to {most}"));
    }
}
