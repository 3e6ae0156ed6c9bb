//! The guest's clocks: those of its run, and too coarse to time the host's caches with.

use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

use crate::inputs::{Input, MonotonicClock, WallClock};

/// What both clocks are rounded down to.
const RESOLUTION: Duration = Duration::from_millis(1);

/// The time of day.
pub(crate) struct CoarseWallClock(pub(crate) Input<dyn WallClock>);

impl HostWallClock for CoarseWallClock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        coarse(self.0.now())
    }
}

/// The time since it was started, and a little more: runtimes such as Go's take a clock that says 0 for a broken one.
pub(crate) struct CoarseMonotonicClock {
    clock: Input<dyn MonotonicClock>,
    started: Duration,
}

impl CoarseMonotonicClock {
    pub(crate) fn start(clock: Input<dyn MonotonicClock>) -> Self {
        let started = clock.now();
        Self { clock, started }
    }
}

impl HostMonotonicClock for CoarseMonotonicClock {
    fn resolution(&self) -> u64 {
        nanos(RESOLUTION)
    }

    fn now(&self) -> u64 {
        nanos(RESOLUTION + coarse(self.clock.now().saturating_sub(self.started)))
    }
}

fn coarse(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
