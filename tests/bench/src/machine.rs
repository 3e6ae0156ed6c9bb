//! Where it was measured: figures from another machine are another bench.

use std::fs;

use serde::Serialize;

/// What the figures hang on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// As the kernel names it.
    pub cpu: String,
    /// Cores that we may use.
    pub cores: usize,
    /// In GiB.
    pub memory_gib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// Whether anything can be swapped out.
    pub swap: bool,
    /// Load average when the bench began: other people's work.
    pub load: String,
}

impl Machine {
    /// The one that we are on.
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_else(|| "unknown".into())
        };
        let memory = value(&read("/proc/meminfo"), "MemTotal");
        let kibibytes: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Self {
            cpu: value(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: kibibytes >> 20,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            swap: read("/proc/swaps").lines().count() > 1,
            load: read("/proc/loadavg").split(' ').next().unwrap_or("unknown").to_owned(),
        }
    }
}
