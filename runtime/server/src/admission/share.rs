//! A tenant's quota, and what it has used of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use model::Quota;
use tokio::time::Instant;

use super::Full;
use super::bucket::Bucket;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// One tenant's share. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    quota: Quota,
    account: Arc<Account>,
}

/// What a tenant has used. It outlives a change of the quota.
#[derive(Debug)]
struct Account {
    taken: AtomicU32,
    runs: Bucket,
    cpu: Bucket,
    /// Where the clock of the buckets begins.
    opened: Instant,
}

/// One of a tenant's runs at once, from the event's arrival on.
#[derive(Debug)]
pub(super) struct Place {
    account: Arc<Account>,
    /// What the event took from the bucket of runs, while no run has begun.
    token: Duration,
}

impl Share {
    /// The share of a tenant that has used nothing yet.
    pub(crate) fn new(quota: Quota) -> Self {
        let account = Account {
            taken: AtomicU32::new(0),
            runs: Bucket::default(),
            cpu: Bucket::default(),
            opened: Instant::now(),
        };
        Self { quota, account: Arc::new(account) }
    }

    /// The same tenant's share by another quota. Runs that are under way stay; a rate that has changed begins with a full bucket.
    pub(crate) fn with(&self, quota: Quota) -> Self {
        if rate(&quota) != rate(&self.quota) {
            self.account.runs.fill();
        }
        if quota.cpu_per_hour != self.quota.cpu_per_hour {
            self.account.cpu.fill();
        }
        Self { quota, account: Arc::clone(&self.account) }
    }

    /// What it is a share of.
    pub(crate) const fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Runs under way and waiting.
    pub(crate) fn taken(&self) -> u32 {
        self.account.taken.load(Ordering::Relaxed)
    }

    /// Counts the CPU time of a run that is over.
    ///
    /// The rule of `cpu_per_hour`: a bucket holds an hour's CPU time and refills evenly. A run may begin while anything is in it, and what it
    /// used is taken out when it is over, be it more than was there. So in any hour a tenant may use what was saved up and what came
    /// in, twice its quota at most, and what the runs that were under way at the end took beyond.
    pub(crate) fn charge(&self, cpu_time: Duration) {
        if let Some(per_hour) = self.quota.cpu_per_hour {
            // How long it takes until so much has come in again.
            let nanos = cpu_time.as_nanos().saturating_mul(HOUR.as_nanos()) / per_hour.as_nanos().max(1);
            let refill = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            self.account.cpu.charge(refill, self.account.now());
        }
    }

    /// A place, where the quota has one.
    pub(super) fn take(&self) -> Result<Place, Full> {
        let mut place = Place::take(&self.account, self.quota.runs).ok_or(Full::Runs)?;
        if self.quota.cpu_per_hour.is_some() {
            let wait = self.account.cpu.wait(HOUR, self.account.now());
            if !wait.is_zero() {
                return Err(Full::CpuTime(wait));
            }
        }
        if let Some((token, burst)) = rate(&self.quota) {
            self.account.runs.take(token, burst, self.account.now()).map_err(Full::Rate)?;
            place.token = token;
        }
        Ok(place)
    }

    pub(super) const fn weight(&self) -> u32 {
        self.quota.weight
    }

    /// What tells this tenant from all others whose events are under way.
    pub(super) fn number(&self) -> usize {
        Arc::as_ptr(&self.account).addr()
    }
}

/// How long the bucket of runs takes to refill by one run, and as a whole.
fn rate(quota: &Quota) -> Option<(Duration, Duration)> {
    let per_second = quota.runs_per_second?;
    let token = SECOND / per_second.max(1);
    Some((token, token * quota.runs_per_burst.unwrap_or(per_second)))
}

impl Account {
    fn now(&self) -> Duration {
        self.opened.elapsed()
    }
}

impl Place {
    fn take(account: &Arc<Account>, most: u32) -> Option<Self> {
        let free = |taken: u32| (taken < most).then(|| taken + 1);
        account.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        Some(Self { account: Arc::clone(account), token: Duration::ZERO })
    }

    /// A run begins. Until now the event could still leave, and have counted as none.
    pub(super) const fn begin(&mut self) {
        self.token = Duration::ZERO;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.token.is_zero() {
            self.account.runs.put_back(self.token);
        }
        self.account.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Quota = Quota::DEFAULT;

    /// Takes a place, and begins and ends a run.
    fn run(share: &Share) -> Result<(), Full> {
        share.take().map(|mut place| place.begin())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_tenant_has_its_runs_at_once_and_no_more() {
        let share = Share::new(Quota { runs: 2, ..FREE });
        let held = [share.take().unwrap(), share.take().unwrap()];
        assert_eq!(share.take().unwrap_err(), Full::Runs);
        drop(held);
        assert!(share.take().is_ok());
        assert_eq!(share.taken(), 0);
    }

    #[test]
    fn a_quota_that_shrinks_lets_what_is_under_way_finish() {
        let share = Share::new(Quota { runs: 2, ..FREE });
        let held = share.take().unwrap();
        let smaller = share.with(Quota { runs: 1, ..FREE });
        assert_eq!(smaller.take().unwrap_err(), Full::Runs);
        drop(held);
        assert!(smaller.take().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_says_exactly_when_the_next_run_may_begin() {
        let share = Share::new(Quota { runs_per_second: Some(10), runs_per_burst: Some(2), ..FREE });
        assert_eq!([run(&share), run(&share)], [Ok(()), Ok(())]);
        let wait = Duration::from_millis(100);
        assert_eq!(run(&share), Err(Full::Rate(wait)));
        tokio::time::advance(wait).await;
        assert_eq!([run(&share), run(&share)], [Ok(()), Err(Full::Rate(wait))]);
        assert_eq!(share.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_leaves_before_its_run_begins_counts_as_none() {
        let share = Share::new(Quota { runs_per_second: Some(1), ..FREE });
        drop(share.take().unwrap());
        assert_eq!([run(&share), run(&share)], [Ok(()), Err(Full::Rate(seconds(1)))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_a_seconds_runs_unless_it_is_said() {
        let share = Share::new(Quota { runs_per_second: Some(50), ..FREE });
        assert_eq!((0..100).filter(|_| run(&share).is_ok()).count(), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn cpu_time_comes_back_evenly_over_the_hour() {
        let share = Share::new(Quota { cpu_per_hour: Some(seconds(60)), ..FREE });
        assert_eq!(run(&share), Ok(()));
        share.charge(seconds(59));
        assert_eq!(run(&share), Ok(()));
        // 120 seconds more than there were take two hours to come in.
        share.charge(seconds(121));
        let Err(Full::CpuTime(wait)) = run(&share) else { panic!("it has used more than its quota") };
        assert_eq!(wait.as_secs(), 2 * 3_600);
        tokio::time::advance(wait).await;
        assert_eq!(run(&share), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_rate_begins_full_and_the_same_one_goes_on() {
        let quota = Quota { runs_per_second: Some(1), cpu_per_hour: Some(seconds(1)), ..FREE };
        let share = Share::new(quota);
        assert_eq!(run(&share), Ok(()));
        share.charge(seconds(2));
        let same = share.with(quota);
        assert!(matches!(run(&same), Err(Full::CpuTime(_))));
        let more_cpu = same.with(Quota { cpu_per_hour: Some(seconds(10)), ..quota });
        assert!(matches!(run(&more_cpu), Err(Full::Rate(_))));
        assert_eq!(run(&more_cpu.with(Quota { runs_per_second: Some(2), ..quota })), Ok(()));
    }
}
