//! `[sandbox]`: how runs share this host, and what compiling may take.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::document::Section;

/// Each reserves address space, of which a process has 128 TiB: there is none for 3,000.
const MOST_RUNS: u32 = 2_000;
const COMPILING: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The host's capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// Where compiled artifacts are kept.
    pub cache_directory: PathBuf,
    /// Where the runners of sources are; `None`: beside the program.
    pub runners: Option<PathBuf>,
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
            runners: None,
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
            runners: section.path("runners"),
            runs: section.count_in("runs", 1..=MOST_RUNS, default.runs),
            queue: section.count_in("queue", 0..=100_000, default.queue),
            queue_wait: section.duration_in("queue_wait", Duration::ZERO..=Duration::from_secs(10), default.queue_wait),
            loaded: section.count_in("loaded", 1..=::sandbox::MAX_LOADED, default.loaded),
            loaded_bytes: section.size_in("loaded_size", MIB..=1024 * 1024 * MIB, default.loaded_bytes),
            stack_bytes: section.size_in("stack", 64 * KIB..=16 * MIB, default.stack_bytes),
            tick: section.duration_in("tick", Duration::from_millis(1)..=Duration::from_millis(10), default.tick),
            compile_memory_bytes: section.size_in(
                "compile_memory",
                64 * MIB..=64 * 1024 * MIB,
                default.compile_memory_bytes,
            ),
            compile_cpu_time: section.duration_in("compile_cpu_time", COMPILING, default.compile_cpu_time),
            compile_wall_time: section.duration_in("compile_wall_time", COMPILING, default.compile_wall_time),
        };
        section.finish();
        runs
    }
}
