//! Who may run now: the tenants' quotas, permits for the host, and a bounded queue before them that is fair between tenants.
//!
//! A full house answers at once. Whatever was taken comes back when it is dropped, on every path.

mod bucket;
mod permits;
mod queue;
mod share;

use std::time::Duration;

use model::Cause;

pub(crate) use share::Share;

use permits::{HostPermit, Permits};
use share::Place;

/// When it is worth coming back where nobody can know: a run may end at any moment.
const SOON: Duration = Duration::from_secs(1);

/// The way to a run, for all events of this host.
#[derive(Debug)]
pub(crate) struct Gate {
    permits: Permits,
    queue_wait: Duration,
}

/// The right to one run; dropped, it is the next one's.
#[derive(Debug)]
pub(crate) struct Permit {
    host: HostPermit,
    _place: Place,
}

/// Why an event is turned away; the text is for the run record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("the tenant has as many runs under way as its quota allows")]
    Runs,
    #[error("the tenant has begun as many runs as its quota allows; the next may begin in {}", shown(*.0))]
    Rate(Duration),
    #[error("the tenant's runs have used the CPU time that its quota allows; there is more in {}", shown(*.0))]
    CpuTime(Duration),
    #[error("all runs of this host are taken, and its queue is full")]
    Queue,
    #[error("no run became free while the event waited in the queue")]
    Waited,
}

impl Gate {
    /// A host with so many permits and places in the queue.
    pub(crate) fn new(runs: u32, queue: u32, queue_wait: Duration) -> Self {
        Self { permits: Permits::new(runs, queue), queue_wait }
    }

    /// A permit: at once, or after a bounded wait in the bounded queue, or not at all.
    pub(crate) async fn admit(&self, share: &Share) -> Result<Permit, Full> {
        let mut place = share.take()?;
        let host = self.permits.get(share, self.queue_wait).await?;
        place.begin();
        Ok(Permit { host, _place: place })
    }

    /// Runs that could begin at once.
    pub(crate) fn free(&self) -> usize {
        self.permits.free()
    }

    /// Events that wait in the queue.
    pub(crate) fn waiting(&self) -> usize {
        self.permits.waiting()
    }

    /// When it is worth coming back to a host that could not run an event, for `Retry-After`.
    pub(crate) fn retry_after(&self) -> Duration {
        self.queue_wait.max(SOON)
    }
}

impl Permit {
    /// How long its event stood in the queue.
    pub(crate) const fn waited(&self) -> Duration {
        self.host.waited
    }
}

impl Full {
    /// Whose quota or capacity it was; never the author's fault.
    pub(crate) const fn cause(self) -> Cause {
        match self {
            Self::Runs | Self::Rate(_) | Self::CpuTime(_) => Cause::OverQuota,
            Self::Queue | Self::Waited => Cause::Overloaded,
        }
    }

    /// When it is worth coming back, for `Retry-After`.
    pub(crate) fn retry_after(self, gate: &Gate) -> Duration {
        match self {
            Self::Rate(wait) | Self::CpuTime(wait) => wait,
            Self::Runs => SOON,
            Self::Queue | Self::Waited => gate.retry_after(),
        }
    }
}

/// To the millisecond, and never sooner than it is.
fn shown(wait: Duration) -> humantime::FormattedDuration {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    humantime::format_duration(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
