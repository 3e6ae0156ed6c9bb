//! A run that is given up, at any moment of its life, leaves nothing.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use model::{Cause, Limits, Outcome, Run};
use sandbox::{Grants, Prepared};
use tokio_util::sync::CancellationToken;

use crate::support::{House, Oracle, alone, event, guest};

/// Where in a run's life it is given up: 200 moments in its first ten milliseconds, closer together at the start.
fn offsets() -> impl Iterator<Item = Duration> {
    (0..200_u64).map(|step| Duration::from_micros(step * step / 4))
}

const LIVES: [&str; 5] =
    ["sleeps_ten_minutes", "loops", "loops_at_the_start", "starts_with_eight_memories", "polls_timers_for_ever"];

/// Runs `guest`, and cancels its token after `offset`.
fn cancelled_after(offset: Duration, house: &House, guest: &Prepared) -> Run {
    let limits = Limits { memory_bytes: 128 << 20, ..Limits::DEFAULT };
    let token = CancellationToken::new();
    let canceller = token.clone();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::park_timeout(offset);
            canceller.cancel();
        });
        house.runtime.block_on(house.sandbox.run(guest, &event("{}"), &limits, &Grants::default(), &token))
    })
}

#[test]
fn a_run_that_is_cancelled_is_unavailable_and_leaves_a_record_and_nothing_else() {
    alone(|| {
        let house = House::open();
        let oracle = Oracle::look_around(&house);
        for name in LIVES {
            let guest: Arc<Prepared> = house.prepare(&guest::named(name));
            for offset in offsets() {
                let run = cancelled_after(offset, &house, &guest);
                match &run.outcome {
                    Outcome::Reply(_) => assert_eq!(name, "starts_with_eight_memories", "{offset:?}"),
                    Outcome::BotBreak(broken) if broken.cause == Cause::TooManyCalls => {
                        assert_eq!(name, "polls_timers_for_ever");
                    }
                    Outcome::BotBreak(broken) => {
                        assert_eq!(broken.cause, Cause::Unavailable, "{name} after {offset:?}: {broken:?}");
                        assert_eq!(run.usage.event_bytes, 2);
                        assert!(!run.usage.wall_time.is_zero());
                    }
                }
                assert_eq!(house.sandbox.running(), 0, "{name} after {offset:?}");
            }
            drop(guest);
            oracle.check(name);
        }
    });
}

#[test]
fn a_run_whose_future_is_dropped_leaves_nothing() {
    alone(|| {
        let house = House::open();
        let oracle = Oracle::look_around(&house);
        for name in LIVES {
            let guest = house.prepare(&guest::named(name));
            for (step, offset) in offsets().enumerate() {
                let (event, never) = (event("{}"), CancellationToken::new());
                house.runtime.block_on(async {
                    let none = Grants::default();
                    let run = house.sandbox.run(&guest, &event, &Limits::DEFAULT, &none, &never);
                    // Half of them at a moment, half of them after so many polls.
                    if step % 2 == 0 {
                        drop_after(offset, run).await;
                    } else {
                        drop_after_polls(step / 2 % 25, run).await;
                    }
                });
                assert_eq!(house.sandbox.running(), 0, "{name} after {offset:?}");
            }
            drop(guest);
            oracle.check(name);
        }
    });
}

async fn drop_after(offset: Duration, run: impl Future<Output = Run>) {
    let _ended_by_itself = tokio::time::timeout(offset, run).await.is_ok();
}

async fn drop_after_polls(polls: usize, run: impl Future<Output = Run>) {
    let mut run = std::pin::pin!(run);
    for _ in 0..polls {
        let ended = std::future::poll_fn(|context| std::task::Poll::Ready(run.as_mut().poll(context).is_ready())).await;
        if ended {
            return;
        }
        tokio::task::yield_now().await;
    }
}
