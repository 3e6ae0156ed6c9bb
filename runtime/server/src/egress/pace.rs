//! What the connections of one tenant may compute, so that a service which floods them costs nobody else: hyper answers pings and takes notice of
//! settings for as long as they come, and no run is charged for it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::ready;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use hyper::rt::Executor;
use tokio::time::{Sleep, sleep_until};

/// In the long run they have one part in so many of the host's cores. A request of a handler's takes a few microseconds of it.
const PARTS: u32 = 4;

/// Of that, what was not used is kept for so long: the time that a burst may take as if nothing held it back.
const KEPT: Duration = Duration::from_secs(1);

/// Where one tenant's connections compute.
#[derive(Clone)]
pub(super) struct Pace(Arc<Budget>);

struct Budget {
    cores: u32,
    /// When all that was computed is paid for.
    paid: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self::on(available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)))
    }

    fn on(cores: u32) -> Self {
        Self(Arc::new(Budget { cores, paid: Mutex::new(Instant::now()) }))
    }

    /// Charges what was computed until now, and tells until when to rest.
    fn charge(&self, computed: Duration, now: Instant) -> Option<Instant> {
        let mut paid = self.0.paid.lock().unwrap_or_else(PoisonError::into_inner);
        *paid = (*paid).max(now) + computed * PARTS / self.0.cores;
        let debt = paid.duration_since(now).saturating_sub(KEPT);
        (!debt.is_zero()).then(|| now + debt)
    }

    /// Carries a connection on to its end, which rests between two polls where the tenant's connections compute for too long.
    async fn carry<C: Future>(self, connection: C) {
        let mut connection = pin!(connection);
        let mut rest: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|context| {
            if let Some(rest) = &mut rest {
                ready!(rest.as_mut().poll(context));
            }
            let began = Instant::now();
            let polled = connection.as_mut().poll(context);
            let now = Instant::now();
            rest = self.charge(now - began, now).map(|until| Box::pin(sleep_until(until.into())));
            if polled.is_pending()
                && let Some(rest) = &mut rest
                && rest.as_mut().poll(context).is_ready()
            {
                context.waker().wake_by_ref();
            }
            polled.map(drop)
        })
        .await;
    }
}

impl<C: Future + Send + 'static> Executor<C> for Pace {
    fn execute(&self, connection: C) {
        tokio::spawn(self.clone().carry(connection));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Poll;

    use super::*;

    const POLL: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn what_never_stops_to_compute_gets_its_part_and_what_was_kept() {
        let (pace, polls) = (Pace::on(1), Arc::new(AtomicU32::new(0)));
        let busy = |polls: Arc<AtomicU32>| {
            poll_fn(move |context| {
                let began = Instant::now();
                while began.elapsed() < POLL {
                    std::hint::spin_loop();
                }
                polls.fetch_add(1, Ordering::Relaxed);
                context.waker().wake_by_ref();
                Poll::<()>::Pending
            })
        };
        let began = Instant::now();
        pace.execute(busy(Arc::clone(&polls)));
        pace.execute(busy(Arc::clone(&polls)));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (computed, due) = (POLL * polls.load(Ordering::Relaxed), (began.elapsed() + KEPT) / PARTS);
        assert!(computed <= due + 3 * POLL, "{computed:?} computed, {due:?} due");
        assert!(computed >= due / 3, "{computed:?} computed, {due:?} due");
    }

    #[test]
    fn who_computes_little_never_rests() {
        let pace = Pace::on(4);
        let began = Instant::now();
        for at in 0..10_000 {
            let now = began + Duration::from_millis(at);
            assert_eq!(pace.charge(Duration::from_micros(900), now), None, "{at}");
        }
    }
}
