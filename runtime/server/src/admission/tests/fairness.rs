//! Random arrivals, ends and departures at the real gate. A future is polled only after its waker was called, so that a wake-up that is
//! lost shows as an event that waits beside a free permit.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::*;

/// A house with its tenants, the events that wait and the runs under way; who they are is the number of their tenant.
struct House {
    gate: Arc<Gate>,
    permits: usize,
    shares: Vec<Share>,
    waiting: Vec<Event>,
    running: Vec<(usize, Permit)>,
    /// Whose turn it was, since the beginning.
    served: Vec<usize>,
    _clock: tokio::runtime::Runtime,
}

struct Event {
    tenant: usize,
    admission: Pin<Box<dyn Future<Output = Result<Permit, Full>>>>,
    woken: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Arrive {
        tenant: usize,
    },
    /// One of the runs under way, by its place among them.
    End {
        run: prop::sample::Index,
    },
    /// One of those that wait is dropped.
    Leave {
        event: prop::sample::Index,
    },
}

impl House {
    fn new(permits: u32, queue: u32, weights: &[u32]) -> Self {
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let share = |weight: &u32| Share::new(Quota { runs: 10_000, weight: *weight, ..Quota::DEFAULT });
        Self {
            gate: Arc::new(Gate::new(permits, queue, Duration::from_secs(10))),
            permits: usize::try_from(permits).unwrap(),
            shares: weights.iter().map(share).collect(),
            waiting: Vec::new(),
            running: Vec::new(),
            served: Vec::new(),
            _clock: clock,
        }
    }

    fn arrive(&mut self, tenant: usize) {
        let (gate, share) = (Arc::clone(&self.gate), self.shares[tenant].clone());
        let admission = Box::pin(async move { gate.admit(&share).await });
        self.waiting.push(Event { tenant, admission, woken: Arc::new(Flag(AtomicBool::new(true))) });
        self.settle();
    }

    fn end(&mut self, run: usize) {
        drop(self.running.remove(run));
        self.settle();
    }

    fn leave(&mut self, event: usize) {
        drop(self.waiting.remove(event));
        self.settle();
    }

    /// Polls whoever was woken, until all is quiet, and then looks whether the house is in order.
    fn settle(&mut self) {
        let entered = self._clock.enter();
        while let Some(place) = self.waiting.iter().position(|event| event.woken.0.swap(false, Ordering::SeqCst)) {
            let event = &mut self.waiting[place];
            let waker = Waker::from(Arc::clone(&event.woken));
            if let Poll::Ready(admitted) = event.admission.as_mut().poll(&mut Context::from_waker(&waker)) {
                let tenant = self.waiting.remove(place).tenant;
                if let Ok(permit) = admitted {
                    self.served.push(tenant);
                    self.running.push((tenant, permit));
                }
            }
        }
        drop(entered);
        assert!(self.running.len() <= self.permits, "more run than there are permits");
        assert!(self.waiting.is_empty() || self.running.len() == self.permits, "events wait beside a free permit");
        assert_eq!(standing(&self.gate), (self.permits - self.running.len(), self.waiting.len()));
        for (tenant, share) in self.shares.iter().enumerate() {
            let waiting = self.waiting.iter().filter(|event| event.tenant == tenant).count();
            let running = self.running.iter().filter(|(whose, _)| *whose == tenant).count();
            assert_eq!(usize::try_from(share.taken()).unwrap(), waiting + running);
        }
    }

    fn waits(&self, tenant: usize) -> usize {
        self.waiting.iter().filter(|event| event.tenant == tenant).count()
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Arrive { tenant } => self.arrive(*tenant % self.shares.len()),
            Step::End { run } if !self.running.is_empty() => self.end(run.index(self.running.len())),
            Step::Leave { event } if !self.waiting.is_empty() => self.leave(event.index(self.waiting.len())),
            Step::End { .. } | Step::Leave { .. } => {}
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_usize..4).prop_map(|tenant| Step::Arrive { tenant }),
        2 => any::<prop::sample::Index>().prop_map(|run| Step::End { run }),
        1 => any::<prop::sample::Index>().prop_map(|event| Step::Leave { event }),
    ];
    prop::collection::vec(step, 1..300)
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(1_u32..=20, 4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_is_lost_and_no_permit_is_idle(permits in 1_u32..6, queue in 0_u32..40, weights in weights(), steps in steps()) {
        let mut house = House::new(permits, queue, &weights);
        steps.iter().for_each(|step| house.take(step));
        while !house.waiting.is_empty() {
            house.leave(0);
        }
        while !house.running.is_empty() {
            house.end(0);
        }
        prop_assert_eq!(standing(&house.gate), (house.permits, 0));
    }

    /// However long the queue is, those who come anew to it are served before any other tenant has had more turns than its weight
    /// gives it beside one of theirs, and one that had begun.
    #[test]
    fn nobody_waits_for_anothers_backlog(permits in 1_u32..6, weights in weights(), steps in steps()) {
        let mut house = House::new(permits, 10_000, &weights);
        (0..50).for_each(|_| house.arrive(0));
        let mut since: [Option<usize>; 4] = [None; 4];
        for step in &steps {
            house.take(step);
            for tenant in 0..4 {
                let turns = |since: usize| house.served.iter().skip(since).filter(|whose| **whose == tenant).count();
                since[tenant] = match since[tenant] {
                    _ if house.waits(tenant) == 0 => None,
                    Some(since) if turns(since) == 0 => Some(since),
                    _ => Some(house.served.len()),
                };
                for (other, weight) in weights.iter().enumerate().filter(|(other, _)| *other != tenant) {
                    let before = house.served.iter().skip(since[tenant].unwrap_or(usize::MAX));
                    let before = before.filter(|whose| **whose == other).count();
                    let fair = usize::try_from(weight.div_ceil(weights[tenant])).unwrap() + 1;
                    prop_assert!(before <= fair, "{before} turns of {other} before one of {tenant}: {:?}", house.served);
                }
            }
        }
    }

    #[test]
    fn a_flood_of_a_thousand_delays_a_newcomer_by_one_turn(permits in 1_u32..20, served in 0_usize..900) {
        let mut house = House::new(permits, 2_000, &[1, 1]);
        (0..1_000 + permits).for_each(|_| house.arrive(0));
        (0..served).for_each(|_| house.end(0));
        house.arrive(1);
        let before = house.served.len();
        while house.waits(1) == 1 {
            house.end(0);
        }
        prop_assert!(house.served.len() - before <= 2, "{} turns", house.served.len() - before);
    }

    /// |served(i)/weight(i) - served(j)/weight(j)| <= 1/weight(i) + 1/weight(j), which is the theorem of start-time fair queueing.
    #[test]
    fn shares_of_a_long_backlog_follow_the_weights(permits in 1_u32..6, weights in weights(), ends in 1_usize..200) {
        let mut house = House::new(permits, 10_000, &weights);
        (0..permits).for_each(|_| house.arrive(0));
        let backlog = house.served.len();
        (0..4 * 200).for_each(|number| house.arrive(number % 4));
        (0..ends).for_each(|_| house.end(0));
        let turns = |tenant: usize| {
            let turns = house.served.iter().skip(backlog).filter(|whose| **whose == tenant).count();
            f64::from(u32::try_from(turns).unwrap()) / f64::from(weights[tenant])
        };
        for (one, other) in (0..4).flat_map(|one| (0..one).map(move |other| (one, other))) {
            let bound = 1.0 / f64::from(weights[one]) + 1.0 / f64::from(weights[other]);
            prop_assert!((turns(one) - turns(other)).abs() <= bound + 0.01, "{:?} with the weights {weights:?}", house.served);
        }
    }

    #[test]
    fn nobody_can_fill_the_queue_for_others(queue in 2_u32..40, steps in steps()) {
        let mut house = House::new(1, queue, &[1, 1]);
        house.arrive(0);
        for step in &steps {
            if matches!(step, Step::Arrive { .. }) { house.arrive(0) } else { house.take(step) }
        }
        while house.waiting.len() < usize::try_from(queue).unwrap() {
            house.arrive(0);
        }
        let half = usize::try_from(queue / 2).unwrap();
        (0..half).for_each(|_| house.arrive(1));
        prop_assert_eq!(house.waits(1), half);
        prop_assert_eq!(house.waiting.len(), usize::try_from(queue).unwrap());
    }
}
