//! Steps that are named as they begin and timed as they end.

use std::time::{Duration, Instant};

use anyhow::Context as _;

/// What was done so far, and how long each part of it took.
#[derive(Default)]
pub(crate) struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    /// Does one step. An error names it.
    pub(crate) fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        println!("\n==> {name}");
        let started = Instant::now();
        let done = work();
        self.0.push((name, started.elapsed()));
        done.with_context(|| format!("the step `{name}` failed"))
    }
}

/// However the steps ended, it is told how long they took.
impl Drop for Steps {
    fn drop(&mut self) {
        let total: Duration = self.0.iter().map(|(_, time)| *time).sum();
        println!("\n==> time");
        for (name, time) in self.0.iter().chain([&("in all", total)]) {
            println!("  {:>8.1} s  {name}", time.as_secs_f64());
        }
    }
}
