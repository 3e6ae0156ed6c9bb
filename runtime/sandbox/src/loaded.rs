//! What is loaded: a bounded set, of which the least recently used goes first and comes back when it is asked for.
//!
//! Policy only: it knows neither WebAssembly nor files. Whoever holds what had to go keeps it until done with it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, watch};

use crate::prepared::LoadError;

/// A load that failed is not tried again for so long: events for broken code must not keep the disk and the log busy.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How much may be loaded. What was loaded last stays, whatever its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) count: usize,
    pub(crate) bytes: u64,
}

/// The bounded set.
pub(crate) struct Shelf<T> {
    budget: Budget,
    /// Loads so far. It is the clock of [`Slot::last_used`]: it stands still while nothing is loaded, so that runs only read it.
    loads: AtomicU64,
    held: Arc<AtomicUsize>,
    /// In the order of loading.
    places: Mutex<Vec<Place<T>>>,
    /// Loads at once, so that a storm of them leaves the disk and the cores to others.
    turns: Semaphore,
}

/// A taken place. A slot that nobody has any more makes room by itself.
struct Place<T> {
    slot: Weak<Slot<T>>,
    bytes: u64,
}

/// Where one thing is, if it is loaded.
pub(crate) struct Slot<T> {
    loaded: ArcSwapOption<Loaded<T>>,
    last_used: AtomicU64,
    has_failed: AtomicBool,
    /// The load that is under way, or the last one if it failed.
    attempt: Mutex<Option<Attempt<T>>>,
}

struct Attempt<T> {
    began: Instant,
    outcome: watch::Receiver<Outcome<T>>,
}

/// `None` while the load is under way.
type Outcome<T> = Option<Result<Arc<Loaded<T>>, Arc<LoadError>>>;

/// Something that is loaded; it counts until its last user has gone.
pub(crate) struct Loaded<T> {
    value: T,
    held: Arc<AtomicUsize>,
}

impl<T: Send + Sync + 'static> Shelf<T> {
    /// A shelf for so much; `turns` loads at once.
    pub(crate) fn new(budget: Budget, turns: usize) -> Arc<Self> {
        Arc::new(Self {
            budget,
            loads: AtomicU64::new(0),
            held: Arc::default(),
            places: Mutex::default(),
            turns: Semaphore::new(turns),
        })
    }

    /// Loads so far.
    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// What is loaded now, together with what had to go but is still in use.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// What is in `slot`, now its latest use. No lock; the hot path.
    pub(crate) fn get(&self, slot: &Slot<T>) -> Option<Arc<Loaded<T>>> {
        let loaded = slot.loaded.load_full()?;
        let now = self.loads.load(Ordering::Relaxed);
        // Between two loads only the first use writes: the others share the line.
        if slot.last_used.load(Ordering::Relaxed) != now {
            slot.last_used.store(now, Ordering::Relaxed);
        }
        Some(loaded)
    }

    /// Puts a value and its size into its slot, and makes room for it.
    pub(crate) fn put(&self, slot: &Arc<Slot<T>>, value: T, bytes: u64) -> Arc<Loaded<T>> {
        self.held.fetch_add(1, Ordering::Relaxed);
        let loaded = Arc::new(Loaded { value, held: Arc::clone(&self.held) });
        let mut places = locked(&self.places);
        places.retain(|place| place.slot.strong_count() > 0 && place.slot.as_ptr() != Arc::as_ptr(slot));
        places.push(Place { slot: Arc::downgrade(slot), bytes });
        slot.last_used.store(self.loads.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let before = slot.loaded.swap(Some(Arc::clone(&loaded)));
        let gone = self.make_room(&mut places);
        drop(places);
        // What goes may take a while to go, which nobody need wait for.
        drop((before, gone));
        loaded
    }

    /// What is in `slot`, or what `load` puts there, with its size. All who ask at once share one load and its outcome; it goes on if
    /// they leave.
    ///
    /// # Errors
    /// Why the load failed, for a second after it did.
    pub(crate) async fn get_or_load(
        self: &Arc<Self>,
        slot: &Arc<Slot<T>>,
        load: impl FnOnce() -> Result<(T, u64), LoadError> + Send + 'static,
    ) -> Result<Arc<Loaded<T>>, Arc<LoadError>> {
        let mut outcome = {
            let mut attempt = locked(&slot.attempt);
            if let Some(loaded) = self.get(slot) {
                return Ok(loaded);
            }
            match &*attempt {
                Some(attempt) if attempt.counts() => attempt.outcome.clone(),
                Some(_) | None => {
                    let (sender, outcome) = watch::channel(None);
                    tokio::spawn(Arc::clone(self).fetch(Arc::clone(slot), load, sender));
                    *attempt = Some(Attempt { began: Instant::now(), outcome: outcome.clone() });
                    outcome
                }
            }
        };
        let ended = outcome.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        ended.unwrap_or_else(|| Err(Arc::new(LoadError::BrokenOff)))
    }

    /// One load, on a thread that may wait for the disk.
    async fn fetch(
        self: Arc<Self>,
        slot: Arc<Slot<T>>,
        load: impl FnOnce() -> Result<(T, u64), LoadError> + Send + 'static,
        outcome: watch::Sender<Outcome<T>>,
    ) {
        // Nothing closes the semaphore; were it closed, there would only be no bound.
        let turn = self.turns.acquire().await;
        let (shelf, place) = (Arc::clone(&self), Arc::clone(&slot));
        let load = move || load().map(|(value, bytes)| shelf.put(&place, value, bytes));
        let ended = tokio::task::spawn_blocking(load).await.unwrap_or(Err(LoadError::BrokenOff));
        drop(turn);
        slot.has_failed.store(ended.is_err(), Ordering::Relaxed);
        if ended.is_ok() {
            // An attempt that is remembered would hold what it loaded.
            locked(&slot.attempt).take();
        }
        outcome.send_replace(Some(ended.map_err(Arc::new)));
    }

    /// Takes the least recently used out of their slots until the rest fits.
    fn make_room(&self, places: &mut Vec<Place<T>>) -> Vec<Arc<Loaded<T>>> {
        let mut bytes: u64 = places.iter().map(|place| place.bytes).sum();
        let mut gone = Vec::new();
        while places.len() > 1 && (places.len() > self.budget.count || bytes > self.budget.bytes) {
            // Of several that were used since the same load, the one that was loaded first; never the one that came last.
            let oldest = places.iter().enumerate().min_by_key(|(_, place)| place.last_used());
            let place = places.remove(oldest.map_or(0, |(at, _)| at));
            bytes -= place.bytes;
            gone.extend(place.slot.upgrade().and_then(|slot| slot.loaded.swap(None)));
        }
        gone
    }
}

impl<T> Place<T> {
    fn last_used(&self) -> u64 {
        self.slot.upgrade().map_or(0, |slot| slot.last_used.load(Ordering::Relaxed))
    }
}

impl<T> Slot<T> {
    /// Whether something is in it now.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load().is_some()
    }

    /// Whether the last load failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            loaded: ArcSwapOption::empty(),
            last_used: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            attempt: Mutex::new(None),
        }
    }
}

impl<T> Attempt<T> {
    /// Whether it is under way, or failed just now. One whose runtime went down under it is neither.
    fn counts(&self) -> bool {
        let has_ended = self.outcome.borrow().is_some();
        if has_ended { self.began.elapsed() < RETRY_AFTER } else { self.outcome.has_changed().is_ok() }
    }
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for Loaded<T> {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }
}

fn locked<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Slots = Vec<Arc<Slot<usize>>>;

    fn shelf(count: usize, bytes: u64) -> Arc<Shelf<usize>> {
        Shelf::new(Budget { count, bytes }, 2)
    }

    /// A shelf of three with four slots, all put there in turn, each one byte large.
    fn three_of_four() -> (Arc<Shelf<usize>>, Slots) {
        let (shelf, slots) = (shelf(3, 100), slots(4));
        slots.iter().enumerate().for_each(|(at, slot)| drop(shelf.put(slot, at, 1)));
        (shelf, slots)
    }

    fn slots(count: usize) -> Slots {
        std::iter::repeat_with(Arc::default).take(count).collect()
    }

    fn loaded(slots: &Slots) -> Vec<usize> {
        slots.iter().filter_map(|slot| slot.loaded.load().as_ref().map(|loaded| **loaded.deref())).collect()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (shelf, slots) = three_of_four();
        assert_eq!(loaded(&slots), [1, 2, 3]);
        assert!(shelf.get(&slots[0]).is_none());
        assert!(shelf.get(&slots[1]).is_some_and(|value| **value == 1));
        drop(shelf.put(&slots[0], 0, 1));
        assert_eq!(loaded(&slots), [0, 1, 3], "2 was not used since it was loaded");
        assert_eq!((shelf.held(), shelf.loads()), (3, 5));
    }

    #[test]
    fn of_those_that_were_used_since_the_last_load_the_one_that_was_loaded_first_goes() {
        let (shelf, slots) = three_of_four();
        for at in [3, 2, 1] {
            assert!(shelf.get(&slots[at]).is_some());
        }
        drop(shelf.put(&slots[0], 0, 1));
        assert_eq!(loaded(&slots), [0, 2, 3]);
    }

    #[test]
    fn bytes_are_bounded_too_but_the_last_one_stays() {
        let (shelf, slots) = (shelf(10, 100), slots(4));
        for (at, bytes) in [40, 40, 30].into_iter().enumerate() {
            drop(shelf.put(&slots[at], at, bytes));
        }
        assert_eq!(loaded(&slots), [1, 2]);
        drop(shelf.put(&slots[3], 3, 1_000));
        assert_eq!(loaded(&slots), [3]);
        drop(shelf.put(&slots[0], 0, 1));
        assert_eq!(loaded(&slots), [0]);
    }

    #[test]
    fn what_had_to_go_counts_until_its_user_has_done_with_it() {
        let (shelf, slots) = (shelf(1, 100), slots(2));
        let used = shelf.put(&slots[0], 0, 1);
        drop(shelf.put(&slots[1], 1, 1));
        assert_eq!((**used, loaded(&slots), shelf.held()), (0, vec![1], 2));
        drop(used);
        assert_eq!(shelf.held(), 1);
    }

    #[test]
    fn a_slot_that_is_gone_makes_room_and_one_that_is_put_twice_takes_one_place() {
        let (shelf, mut slots) = three_of_four();
        slots.pop();
        assert_eq!(shelf.held(), 2);
        drop(shelf.put(&slots[2], 22, 1));
        drop(shelf.put(&slots[0], 0, 1));
        assert_eq!((loaded(&slots), shelf.held()), (vec![0, 1, 22], 3));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn all_who_ask_at_once_share_one_load_and_go_on_though_the_first_has_left() {
        let (shelf, slot) = (shelf(1, 100), Arc::default());
        let load = || {
            std::thread::sleep(Duration::from_millis(100));
            Ok((7, 1))
        };
        let first = tokio::time::timeout(Duration::from_millis(10), shelf.get_or_load(&slot, load)).await;
        assert!(first.is_err(), "the first left before it was loaded");
        let waiting: Vec<_> = (0..64)
            .map(|_| {
                let (shelf, slot) = (Arc::clone(&shelf), Arc::clone(&slot));
                tokio::spawn(async move { shelf.get_or_load(&slot, load).await.map(|loaded| **loaded) })
            })
            .collect();
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap(), 7);
        }
        assert_eq!((shelf.loads(), shelf.held()), (1, 1));
    }

    #[tokio::test]
    async fn a_failure_is_shared_remembered_for_a_second_and_forgotten_by_a_success() {
        let (shelf, slot) = (shelf(1, 100), Arc::default());
        assert!(shelf.get_or_load(&slot, || Err(LoadError::BrokenOff)).await.is_err());
        assert!(slot.has_failed());
        assert!(shelf.get_or_load(&slot, || Ok((1, 1))).await.is_err(), "it was tried again at once");
        tokio::time::sleep(RETRY_AFTER).await;
        assert!(shelf.get_or_load(&slot, || Ok((2, 1))).await.is_ok_and(|loaded| **loaded == 2));
        assert!(!slot.has_failed() && slot.is_loaded());
        assert!(locked(&slot.attempt).is_none(), "an attempt must not hold what it loaded");
    }

    #[test]
    fn a_load_whose_runtime_went_down_is_begun_again_by_the_next() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (shelf, slot) = (shelf(1, 100), Arc::default());
        let turns = shelf.turns.try_acquire_many(2).unwrap();
        let broken_off = runtime().block_on(async {
            tokio::time::timeout(Duration::from_millis(1), shelf.get_or_load(&slot, || Ok((1, 1)))).await.is_err()
        });
        drop(turns);
        assert!(broken_off);
        assert!(runtime().block_on(shelf.get_or_load(&slot, || Ok((2, 1)))).is_ok_and(|loaded| **loaded == 2));
    }

    #[tokio::test]
    async fn a_load_that_panics_is_a_failure() {
        let (shelf, slot) = (shelf(1, 100), Arc::default());
        let failed = shelf.get_or_load(&slot, || panic!("in a test")).await.err().unwrap();
        assert!(matches!(*failed, LoadError::BrokenOff));
    }
}
