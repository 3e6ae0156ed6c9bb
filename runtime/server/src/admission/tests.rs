use std::sync::Arc;

use model::Quota;

use super::*;

mod fairness;

const WAIT: Duration = Duration::from_millis(200);

fn share(runs: u32) -> Share {
    Share::new(Quota { runs, ..Quota::DEFAULT })
}

/// How many permits are free, and how many events wait.
fn standing(gate: &Gate) -> (usize, usize) {
    (gate.free(), gate.waiting())
}

#[tokio::test]
async fn one_tenants_quota_is_no_other_tenants() {
    let gate = Gate::new(10, 10, WAIT);
    let (one, other) = (share(2), share(2));
    let held = [gate.admit(&one).await.unwrap(), gate.admit(&one).await.unwrap()];
    assert_eq!(gate.admit(&one).await.unwrap_err(), Full::Runs);
    assert!(gate.admit(&other).await.is_ok());
    drop(held);
    assert!(gate.admit(&one).await.is_ok());
    assert_eq!((one.taken(), other.taken(), standing(&gate)), (0, 0, (10, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_so_at_once_and_a_long_wait_ends() {
    let gate = Arc::new(Gate::new(1, 1, WAIT));
    let share = share(100);
    let held = gate.admit(&share).await.unwrap();
    let waiting = tokio::spawn({
        let (gate, share) = (Arc::clone(&gate), share.clone());
        async move { gate.admit(&share).await.map(drop) }
    });
    tokio::task::yield_now().await;
    let asked = tokio::time::Instant::now();
    assert_eq!(gate.admit(&share).await.unwrap_err(), Full::Queue);
    assert_eq!(asked.elapsed(), Duration::ZERO);
    assert_eq!(waiting.await.unwrap(), Err(Full::Waited));
    drop(held);
    assert!(gate.admit(&share).await.is_ok());
    assert_eq!((share.taken(), standing(&gate)), (0, (1, 0)));
}

#[tokio::test]
async fn whoever_waits_is_next() {
    let gate = Arc::new(Gate::new(1, 1, Duration::from_secs(60)));
    let share = share(100);
    let held = gate.admit(&share).await.unwrap();
    let waiting = tokio::spawn({
        let (gate, share) = (Arc::clone(&gate), share.clone());
        async move { gate.admit(&share).await.map(drop) }
    });
    tokio::task::yield_now().await;
    drop(held);
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!((share.taken(), standing(&gate)), (0, (1, 0)));
}

#[tokio::test]
async fn leaving_the_queue_gives_everything_back() {
    let gate = Gate::new(1, 1, Duration::from_secs(60));
    let share = share(100);
    let held = gate.admit(&share).await.unwrap();
    let gave_up = tokio::time::timeout(Duration::from_millis(5), gate.admit(&share)).await;
    assert!(gave_up.is_err());
    drop(held);
    assert_eq!((share.taken(), standing(&gate)), (0, (1, 0)));
}

#[tokio::test]
async fn whoever_is_pushed_out_of_the_queue_hears_of_it_at_once() {
    let gate = Arc::new(Gate::new(1, 2, Duration::from_secs(60)));
    let (flood, quiet) = (share(100), share(100));
    let held = gate.admit(&flood).await.unwrap();
    let wait = |share: &Share| {
        let (gate, share) = (Arc::clone(&gate), share.clone());
        tokio::spawn(async move { gate.admit(&share).await.map(drop) })
    };
    let (first, second) = (wait(&flood), wait(&flood));
    tokio::task::yield_now().await;
    let newcomer = wait(&quiet);
    assert_eq!(second.await.unwrap(), Err(Full::Queue));
    drop(held);
    assert_eq!((first.await.unwrap(), newcomer.await.unwrap()), (Ok(()), Ok(())));
    assert_eq!(standing(&gate), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_finds_no_room_costs_no_run_of_the_rate() {
    let gate = Gate::new(1, 0, WAIT);
    let share = Share::new(Quota { runs_per_second: Some(2), ..Quota::DEFAULT });
    let held = gate.admit(&share).await.unwrap();
    assert_eq!(gate.admit(&share).await.unwrap_err(), Full::Queue);
    drop(held);
    assert!(gate.admit(&share).await.is_ok());
    assert_eq!(gate.admit(&share).await.unwrap_err(), Full::Rate(Duration::from_millis(500)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_permit_is_lost_between_threads() {
    let gate = Arc::new(Gate::new(3, 1_000, Duration::from_secs(60)));
    let shares = [share(1_000), share(1_000), share(1_000)];
    let tasks = (0..300_u64).map(|number| {
        let (gate, share) = (Arc::clone(&gate), shares[usize::try_from(number % 3).unwrap()].clone());
        tokio::spawn(async move {
            for round in 0..100 {
                let patience = Duration::from_micros((number * 7 + round * 13) % 50);
                if let Ok(permit) = tokio::time::timeout(patience, gate.admit(&share)).await {
                    tokio::task::yield_now().await;
                    drop(permit.unwrap());
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(standing(&gate), (3, 0));
    assert_eq!(shares.map(|share| share.taken()), [0, 0, 0]);
}

#[test]
fn what_is_told_of_a_wait_is_never_too_short() {
    assert_eq!(
        Full::Rate(Duration::from_nanos(1)).to_string(),
        "the tenant has begun as many runs as its quota allows; the next may begin in 1ms"
    );
    assert_eq!(Full::Rate(Duration::from_millis(1_500)).cause(), Cause::OverQuota);
}
