//! A token bucket without a lock: what may be used over time.
//!
//! It is told by the one moment at which it would be full again if nothing more were taken. All amounts are the time that refilling
//! them takes, so that the bucket knows nothing of what it holds. The clock is the caller's: any that never goes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// It begins full. It may hold less than nothing, where what was used is known only afterwards.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// In nanoseconds.
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes `cost` out of a bucket for `capacity`, or says how long it will be until so much is in it.
    pub(super) fn take(&self, cost: Duration, capacity: Duration, now: Duration) -> Result<(), Duration> {
        let [cost, capacity, now] = [cost, capacity, now].map(nanos);
        let empties = |full_at: u64| full_at.max(now).saturating_add(cost);
        let enough = |full_at: u64| Some(empties(full_at)).filter(|next| next - now <= capacity);
        let taken = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough);
        taken.map(drop).map_err(|full_at| Duration::from_nanos(empties(full_at) - now - capacity))
    }

    /// How long it will be until anything is in it; zero if something is.
    pub(super) fn wait(&self, capacity: Duration, now: Duration) -> Duration {
        let drained_at = nanos(now).saturating_add(nanos(capacity));
        let full_at = self.full_at.load(Ordering::Relaxed);
        if full_at < drained_at { Duration::ZERO } else { Duration::from_nanos(full_at - drained_at + 1) }
    }

    /// Takes `cost` whether it is there or not.
    pub(super) fn charge(&self, cost: Duration, now: Duration) {
        let [cost, now] = [cost, now].map(nanos);
        let charged = |full_at: u64| Some(full_at.max(now).saturating_add(cost));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged);
    }

    /// Puts back what was taken and not used.
    pub(super) fn put_back(&self, cost: Duration) {
        let refunded = |full_at: u64| Some(full_at.saturating_sub(nanos(cost)));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refunded);
    }

    /// Fills it.
    pub(super) fn fill(&self) {
        self.full_at.store(0, Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Duration = Duration::from_millis(100);
    const CAPACITY: Duration = Duration::from_millis(300);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_one_at_a_time() {
        let bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.take(COST, CAPACITY, at(1_000)), Ok(()));
        }
        assert_eq!(bucket.take(COST, CAPACITY, at(1_000)), Err(at(100)));
        assert_eq!(bucket.take(COST, CAPACITY, at(1_099)), Err(at(1)));
        assert_eq!(bucket.take(COST, CAPACITY, at(1_100)), Ok(()));
        assert_eq!(bucket.take(COST, CAPACITY, at(1_100)), Err(at(100)));
    }

    #[test]
    fn a_quiet_time_saves_up_one_burst_and_no_more() {
        let bucket = Bucket::default();
        let taken = (0..10).filter(|_| bucket.take(COST, CAPACITY, at(60_000)).is_ok()).count();
        assert_eq!(taken, 3);
        let taken = (0..10).filter(|_| bucket.take(COST, CAPACITY, at(120_000)).is_ok()).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn what_is_put_back_can_be_taken_again() {
        let bucket = Bucket::default();
        (0..3).for_each(|_| bucket.take(COST, CAPACITY, at(0)).unwrap());
        bucket.put_back(COST);
        assert_eq!(bucket.take(COST, CAPACITY, at(0)), Ok(()));
        assert_eq!(bucket.take(COST, CAPACITY, at(0)), Err(at(100)));
    }

    #[test]
    fn a_debt_is_waited_off() {
        let bucket = Bucket::default();
        assert_eq!(bucket.wait(CAPACITY, at(0)), Duration::ZERO);
        bucket.charge(at(500), at(0));
        let wait = bucket.wait(CAPACITY, at(0));
        assert_eq!(wait, at(200) + Duration::from_nanos(1));
        assert_eq!(bucket.wait(CAPACITY, wait), Duration::ZERO);
        assert_ne!(bucket.wait(CAPACITY, wait - Duration::from_nanos(1)), Duration::ZERO);
    }

    proptest::proptest! {
        /// In any stretch of time, never more than the burst and what refills in it; and whoever waits as long as told gets it.
        #[test]
        fn no_pattern_of_arrivals_gets_more_than_the_rate_and_the_burst(gaps in proptest::collection::vec(0_u64..400, 1..200)) {
            let bucket = Bucket::default();
            let mut now = 0;
            let mut taken: Vec<u64> = Vec::new();
            for gap in gaps {
                now += gap;
                match bucket.take(COST, CAPACITY, at(now)) {
                    Ok(()) => taken.push(now),
                    Err(wait) => {
                        now += u64::try_from(wait.as_millis()).unwrap();
                        proptest::prop_assert!(bucket.take(COST, CAPACITY, at(now)).is_ok());
                        taken.push(now);
                    }
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    proptest::prop_assert!(u64::try_from(last - first).unwrap() < 3 + (to - from) / 100 + 1);
                }
            }
        }
    }
}
