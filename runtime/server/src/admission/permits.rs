//! The host's permits, and those who wait for one.
//!
//! While nobody waits, taking a permit and giving it back is one atomic operation each. Once somebody does, a permit that comes back is
//! handed on to whose turn it is, and nobody can take it away from them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::queue::{Queue, Ticket};
use super::{Full, Share};

/// The host's permits. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Permits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The permits that nobody has; or [`QUEUED`], which only whoever holds the queue's lock sets and removes. It is set exactly while the
    /// queue is not empty, so that no permit comes back unseen by those who wait.
    free: AtomicUsize,
    queue: Mutex<Queue<oneshot::Sender<HostPermit>>>,
}

/// All permits are taken, and somebody waits for one.
const QUEUED: usize = usize::MAX;

/// One of them. Dropped, it is the next one's.
#[derive(Debug)]
pub(super) struct HostPermit {
    permits: Permits,
    /// How long it was waited for in the queue.
    pub(super) waited: Duration,
}

/// A place in the queue; dropped, it is given up.
struct Waiting<'a> {
    permits: &'a Permits,
    ticket: Ticket,
    turn: oneshot::Receiver<HostPermit>,
}

impl Permits {
    pub(super) fn new(runs: u32, queue: u32) -> Self {
        let count = |count: u32| usize::try_from(count).unwrap_or(QUEUED - 1).min(QUEUED - 1);
        let inner = Inner { free: AtomicUsize::new(count(runs)), queue: Mutex::new(Queue::new(count(queue))) };
        Self(Arc::new(inner))
    }

    /// A permit: at once, or when it is the event's turn, or not at all.
    pub(super) async fn get(&self, share: &Share, queue_wait: Duration) -> Result<HostPermit, Full> {
        let mut waiting = loop {
            if let Some(permit) = self.take() {
                return Ok(permit);
            }
            if let Some(waiting) = self.join(share) {
                break waiting?;
            }
        };
        let joined = Instant::now();
        match tokio::time::timeout(queue_wait, &mut waiting.turn).await {
            Ok(Ok(mut permit)) => {
                permit.waited = joined.elapsed();
                Ok(permit)
            }
            Ok(Err(_pushed_out)) => Err(Full::Queue),
            Err(_elapsed) => Err(Full::Waited),
        }
    }

    /// Permits that nobody has.
    pub(super) fn free(&self) -> usize {
        Some(self.0.free.load(Ordering::Relaxed)).filter(|free| *free != QUEUED).unwrap_or(0)
    }

    /// Events that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue().len()
    }

    /// A permit, if one is free and nobody waits for it.
    fn take(&self) -> Option<HostPermit> {
        let one_less = |free: usize| if free == QUEUED { None } else { free.checked_sub(1) };
        self.0.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).ok()?;
        Some(self.permit())
    }

    /// A permit, for one that was free or has come back.
    fn permit(&self) -> HostPermit {
        HostPermit { permits: self.clone(), waited: Duration::ZERO }
    }

    /// A place in the queue, if there is one; `None` if a permit has become free meanwhile.
    fn join(&self, share: &Share) -> Option<Result<Waiting<'_>, Full>> {
        let (sender, turn) = oneshot::channel();
        let mut queue = self.queue();
        let (Ok(_) | Err(QUEUED)) = self.0.free.compare_exchange(0, QUEUED, Ordering::AcqRel, Ordering::Acquire) else {
            return None;
        };
        let joined = queue.join(share.number(), share.weight(), sender);
        self.settle(&queue);
        drop(queue);
        // Whoever was pushed out hears of it when the other end of its channel is dropped, now.
        let waiting = joined.map(|joined| Waiting { permits: self, ticket: joined.ticket, turn });
        Some(waiting.ok_or(Full::Queue))
    }

    /// Makes a permit free, unless somebody waits for one.
    fn put_back(&self) -> bool {
        let one_more = |free: usize| (free != QUEUED).then(|| free + 1);
        self.0.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
    }

    /// Whose turn it is; `None` if all have left meanwhile.
    fn next(&self) -> Option<oneshot::Sender<HostPermit>> {
        let mut queue = self.queue();
        let next = queue.next();
        self.settle(&queue);
        next
    }

    /// Lets permits be taken and put back without a look into the queue, once it is empty.
    fn settle(&self, queue: &Queue<oneshot::Sender<HostPermit>>) {
        if queue.is_empty() {
            let _ = self.0.free.compare_exchange(QUEUED, 0, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Nothing in the queue panics; and were it to, the next one would find it whole.
    fn queue(&self) -> MutexGuard<'_, Queue<oneshot::Sender<HostPermit>>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HostPermit {
    fn drop(&mut self) {
        while !self.permits.put_back() {
            if let Some(next) = self.permits.next() {
                // If it has just left, it drops the permit, which goes to the next one then.
                let _ = next.send(self.permits.permit());
                return;
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queue = self.permits.queue();
        queue.leave(self.ticket);
        self.permits.settle(&queue);
    }
}
