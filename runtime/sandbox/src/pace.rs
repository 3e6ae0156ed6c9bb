//! How long a run may go on: its CPU time, and its turns in the slow lane.
//!
//! A run gets its first slice at once. From its first tick on it gives its turn back at every tick and queues, first come first
//! served, for one of few permits, so that runs which never end share what the short ones leave.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The first slice, in ticks: nearly every handler ends within it and never meets the slow lane.
pub(crate) const FIRST_SLICE_TICKS: u64 = 2;

/// How often everybody else who is ready on its core goes before a long run has its next slice. With one time, eight endless loops left
/// their neighbours 0.45 of their throughput.
const ROUNDS_BEFORE_A_TURN: u32 = 3;

/// Not longer, though: where everybody is busy, a long run still has about a third of the lane.
const WAIT_BEFORE_A_TURN: Duration = Duration::from_millis(2);

/// What passes between two ticks, or from a poll's beginning to its end, counts for no more: so long a machine that stood still is nobody's fault. It was
/// seen once in 4,000 runs, beside eight builds: a second.
const LONGEST_SLICE: Duration = Duration::from_millis(50);

/// The permits that long runs share.
#[derive(Clone)]
pub(crate) struct SlowLane(Arc<Semaphore>);

impl SlowLane {
    /// A lane for this many long runs at a time.
    pub(crate) fn new(permits: usize) -> Self {
        Self(Arc::new(Semaphore::new(permits)))
    }

    /// Permits that nobody holds.
    pub(crate) fn free(&self) -> usize {
        self.0.available_permits()
    }
}

/// One run's stopwatch and its place in the slow lane.
pub(crate) struct Pace {
    started: Instant,
    /// CPU time of the slices that are over, in nanoseconds.
    spent: AtomicU64,
    /// When the present slice began, in nanoseconds since `started`: with its poll, or at the last tick.
    slice_began: AtomicU64,
    lane: SlowLane,
    turn: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Pace {
    pub(crate) fn start(lane: SlowLane) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            spent: AtomicU64::new(0),
            slice_began: AtomicU64::new(0),
            lane,
            turn: Mutex::new(None),
        })
    }

    /// Wall time since the run began.
    pub(crate) fn wall_time(&self) -> Duration {
        self.started.elapsed()
    }

    /// The sum of the slices that are over.
    pub(crate) fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// A tick has come: the sum of all slices so far. Only to be asked from within a poll.
    pub(crate) fn tick(&self) -> Duration {
        self.count_slice();
        self.resume();
        self.cpu_time()
    }

    /// A poll of the run begins.
    pub(crate) fn resume(&self) {
        self.slice_began.store(self.now(), Ordering::Relaxed);
    }

    /// A poll of the run is over. Between polls it holds no turn: whoever computes needs it more. Nor does a run that has ended, whose stopwatch may be
    /// kept by a request that its service never takes.
    pub(crate) fn pause(&self) {
        self.count_slice();
        self.give_turn_back();
    }

    /// Queues for the next turn, and lets others go first once it has come.
    pub(crate) async fn next_turn(self: Arc<Self>) {
        // The lane is never closed; were it, the run would go on without a turn.
        let turn = Arc::clone(&self.lane.0).acquire_owned().await.ok();
        let came = Instant::now();
        for _ in 0..ROUNDS_BEFORE_A_TURN {
            tokio::task::yield_now().await;
            if came.elapsed() >= WAIT_BEFORE_A_TURN {
                break;
            }
        }
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    pub(crate) fn give_turn_back(&self) {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn count_slice(&self) {
        let slice = self.now().saturating_sub(self.slice_began.load(Ordering::Relaxed));
        self.spent.fetch_add(slice.min(nanos(LONGEST_SLICE)), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        nanos(self.started.elapsed())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_go_round_and_come_back_from_a_run_that_is_dropped_in_the_queue() {
        let lane = SlowLane::new(1);
        let (first, second) = (Pace::start(lane.clone()), Pace::start(lane.clone()));
        Arc::clone(&first).next_turn().await;
        assert_eq!(lane.free(), 0);
        let mut queued = Box::pin(Arc::clone(&second).next_turn());
        for _ in 0..3 {
            assert!(futures_poll(queued.as_mut()).await.is_pending());
        }
        first.give_turn_back();
        drop(queued);
        assert_eq!(lane.free(), 1);
    }

    #[tokio::test]
    async fn a_run_that_is_over_holds_no_turn_though_its_stopwatch_is_kept() {
        let lane = SlowLane::new(1);
        let pace = Pace::start(lane.clone());
        pace.resume();
        Arc::clone(&pace).next_turn().await;
        assert_eq!(lane.free(), 0);
        pace.pause();
        assert_eq!(lane.free(), 1);
    }

    #[test]
    fn waiting_is_not_computing() {
        let pace = Pace::start(SlowLane::new(1));
        pace.resume();
        pace.pause();
        std::thread::sleep(Duration::from_millis(20));
        pace.resume();
        pace.pause();
        assert!(pace.wall_time() >= Duration::from_millis(20));
        assert!(pace.cpu_time() < Duration::from_millis(10), "{:?}", pace.cpu_time());
    }

    #[test]
    fn a_run_is_not_to_blame_for_a_machine_that_stood_still() {
        let pace = Pace::start(SlowLane::new(1));
        pace.resume();
        std::thread::sleep(4 * LONGEST_SLICE);
        assert_eq!(pace.tick(), LONGEST_SLICE);
        std::thread::sleep(LONGEST_SLICE / 5);
        pace.pause();
        let computed = pace.cpu_time();
        assert!(computed >= LONGEST_SLICE + LONGEST_SLICE / 5 && computed <= 2 * LONGEST_SLICE, "{computed:?}");
    }

    async fn futures_poll(mut future: std::pin::Pin<&mut impl Future<Output = ()>>) -> std::task::Poll<()> {
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await
    }
}
