//! Who may run now: permits for the host and for each tenant, and a bounded queue before them.
//!
//! A full house answers at once. A permit comes back when it is dropped, on every path.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The host's permits, shared by all workers.
#[derive(Debug)]
pub(crate) struct Gate {
    runs: Arc<Semaphore>,
    queue: Semaphore,
    queue_wait: Duration,
}

/// One tenant's share. It counts those that wait too, so that no tenant can fill the queue for the others.
#[derive(Debug)]
pub(crate) struct Share {
    most: AtomicU32,
    taken: AtomicU32,
}

/// The right to one run; dropped, it is the next one's.
#[derive(Debug)]
pub(crate) struct Permit {
    _run: OwnedSemaphorePermit,
    _place: Place,
}

/// Why an event is turned away; the text is for the run record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("the tenant has as many runs under way as it may")]
    Tenant,
    #[error("all runs of this host are taken, and its queue is full")]
    Queue,
    #[error("no run became free while the event waited in the queue")]
    Waited,
}

impl Gate {
    pub(crate) fn new(runs: u32, queue: u32, queue_wait: Duration) -> Self {
        let permits = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { runs: Arc::new(Semaphore::new(permits(runs))), queue: Semaphore::new(permits(queue)), queue_wait }
    }

    /// A permit: at once, or after a bounded wait in the bounded queue, or not at all.
    pub(crate) async fn admit(&self, share: &Arc<Share>) -> Result<Permit, Full> {
        let place = Place::take(share).ok_or(Full::Tenant)?;
        let run = match Arc::clone(&self.runs).try_acquire_owned() {
            Ok(run) => run,
            Err(_) => self.wait().await?,
        };
        Ok(Permit { _run: run, _place: place })
    }

    /// When it is worth coming back, for `Retry-After`.
    pub(crate) fn retry_after(&self) -> Duration {
        self.queue_wait.max(Duration::from_secs(1))
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Full> {
        let _queued = self.queue.try_acquire().map_err(|_| Full::Queue)?;
        let run = tokio::time::timeout(self.queue_wait, Arc::clone(&self.runs).acquire_owned()).await;
        // Nothing closes the semaphore; were it closed, nobody could run.
        run.map_err(|_| Full::Waited)?.map_err(|_| Full::Queue)
    }
}

impl Share {
    pub(crate) const fn new(most: u32) -> Self {
        Self { most: AtomicU32::new(most), taken: AtomicU32::new(0) }
    }

    /// Changes the share; runs that are under way stay.
    pub(crate) fn set_most(&self, most: u32) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Runs under way and waiting.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// One of a tenant's share.
#[derive(Debug)]
struct Place(Arc<Share>);

impl Place {
    fn take(share: &Arc<Share>) -> Option<Self> {
        let most = share.most.load(Ordering::Relaxed);
        let free = |taken: u32| (taken < most).then(|| taken + 1);
        share.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        Some(Self(Arc::clone(share)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_tenant_has_its_share_and_no_more() {
        let gate = Gate::new(10, 10, WAIT);
        let (one, other) = (Arc::new(Share::new(2)), Arc::new(Share::new(2)));
        let held = [gate.admit(&one).await.unwrap(), gate.admit(&one).await.unwrap()];
        assert_eq!(gate.admit(&one).await.unwrap_err(), Full::Tenant);
        assert!(gate.admit(&other).await.is_ok());
        drop(held);
        assert!(gate.admit(&one).await.is_ok());
        assert_eq!((one.taken(), other.taken()), (0, 0));
    }

    #[tokio::test]
    async fn a_share_that_shrinks_lets_what_is_under_way_finish() {
        let gate = Gate::new(10, 10, WAIT);
        let share = Arc::new(Share::new(2));
        let held = gate.admit(&share).await.unwrap();
        share.set_most(1);
        assert_eq!(gate.admit(&share).await.unwrap_err(), Full::Tenant);
        drop(held);
        assert!(gate.admit(&share).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_says_so_at_once_and_a_long_wait_ends() {
        let gate = Arc::new(Gate::new(1, 1, WAIT));
        let share = Arc::new(Share::new(100));
        let held = gate.admit(&share).await.unwrap();
        let waiting = tokio::spawn({
            let (gate, share) = (Arc::clone(&gate), Arc::clone(&share));
            async move { gate.admit(&share).await.map(drop) }
        });
        tokio::task::yield_now().await;
        let asked = tokio::time::Instant::now();
        assert_eq!(gate.admit(&share).await.unwrap_err(), Full::Queue);
        assert_eq!(asked.elapsed(), Duration::ZERO);
        assert_eq!(waiting.await.unwrap(), Err(Full::Waited));
        drop(held);
        assert!(gate.admit(&share).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_is_next() {
        let gate = Arc::new(Gate::new(1, 1, Duration::from_secs(60)));
        let share = Arc::new(Share::new(100));
        let held = gate.admit(&share).await.unwrap();
        let waiting = tokio::spawn({
            let (gate, share) = (Arc::clone(&gate), Arc::clone(&share));
            async move { gate.admit(&share).await.map(drop) }
        });
        tokio::task::yield_now().await;
        drop(held);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(share.taken(), 0);
    }

    #[tokio::test]
    async fn leaving_the_queue_gives_everything_back() {
        let gate = Gate::new(1, 1, Duration::from_secs(60));
        let share = Arc::new(Share::new(100));
        let held = gate.admit(&share).await.unwrap();
        let gave_up = tokio::time::timeout(Duration::from_millis(5), gate.admit(&share)).await;
        assert!(gave_up.is_err());
        drop(held);
        assert_eq!(share.taken(), 0);
        assert_eq!((gate.queue.available_permits(), gate.runs.available_permits()), (1, 1));
    }
}
