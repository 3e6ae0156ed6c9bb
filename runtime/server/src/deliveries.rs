//! Deliveries that are repeated: the first one runs, all others get its answer, on this host, on another one, after a restart.
//!
//! Each is claimed in storage before its run and answered there before its answer goes out. Many claims and answers share one transaction, so
//! that they cost no more than a few of them. While storage does not answer, events run all the same, and only this host knows of them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use model::RunId;
use storage::{Claimed, DeliveryAnswer, DeliveryClaim, DeliveryKey, DeliveryStep, Storage};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex as AsyncMutex, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config;
use crate::state::State;

/// For storage to say how it stands with a delivery, and to keep an answer. The caller waits for both.
const STORAGE_TIME: Duration = Duration::from_secs(1);
/// After storage did not answer, nobody waits for it for so long.
const AWAY_TIME: Duration = Duration::from_secs(2);
/// When another host may take a delivery over: the longest wait and the longest run are over by then.
const CLAIM_TIME: Duration = Duration::from_secs(60);
/// Steps that may wait for the next transaction, and those that one takes.
const STEPS: usize = 1024;
const STEPS_AT_ONCE: usize = 256;
/// Between two searches for deliveries that have expired.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// All deliveries that have a key.
pub(crate) struct Deliveries {
    policy: config::Deliveries,
    /// Those that run on this host now.
    under_way: Mutex<HashMap<DeliveryKey, watch::Receiver<Option<DeliveryAnswer>>>>,
    steps: Sender<Step>,
    inbox: AsyncMutex<Receiver<Step>>,
    away_until: Mutex<Option<Instant>>,
    repeated: AtomicU64,
    unguarded: AtomicU64,
    unkept: AtomicU64,
}

/// A delivery, and how long it is known.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) key: DeliveryKey,
    pub(crate) keep_time: Duration,
}

/// Who comes first.
pub(crate) enum Place {
    First(First),
    /// The same delivery is under way here already.
    Later(Later),
}

/// The right to run a delivery on this host. Dropped without an answer, it lets the next one try.
pub(crate) struct First {
    deliveries: Arc<Deliveries>,
    delivery: Delivery,
    claim: Option<DeliveryClaim>,
    answered: watch::Sender<Option<DeliveryAnswer>>,
}

/// A wait for the first one's answer.
pub(crate) struct Later(watch::Receiver<Option<DeliveryAnswer>>);

struct Step {
    step: DeliveryStep,
    told: oneshot::Sender<Claimed>,
}

impl Deliveries {
    pub(crate) fn new(policy: config::Deliveries) -> Arc<Self> {
        let (steps, inbox) = mpsc::channel(STEPS);
        Arc::new(Self {
            policy,
            under_way: Mutex::default(),
            steps,
            inbox: AsyncMutex::new(inbox),
            away_until: Mutex::default(),
            repeated: AtomicU64::new(0),
            unguarded: AtomicU64::new(0),
            unkept: AtomicU64::new(0),
        })
    }

    /// How long a delivery with an id of the sender's is known.
    pub(crate) const fn keep_time(&self) -> Duration {
        self.policy.keep_time
    }

    /// Takes the first place for a delivery, or one behind it.
    pub(crate) fn join(self: &Arc<Self>, delivery: Delivery) -> Place {
        let mut under_way = self.under_way();
        if let Some(first) = under_way.get(&delivery.key) {
            return Place::Later(Later(first.clone()));
        }
        let (answered, receiver) = watch::channel(None);
        under_way.insert(delivery.key.clone(), receiver);
        Place::First(First { deliveries: Arc::clone(self), delivery, claim: None, answered })
    }

    /// Deliveries so far that got the answer of an earlier one.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// Deliveries so far that ran although storage did not say whether they had run before.
    pub(crate) fn unguarded(&self) -> u64 {
        self.unguarded.load(Ordering::Relaxed)
    }

    /// One more got the answer of an earlier one.
    pub(crate) fn count_repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers so far that storage does not have: whoever repeats one of them runs it again.
    pub(crate) fn unkept(&self) -> u64 {
        self.unkept.load(Ordering::Relaxed)
    }

    /// What storage says; `None` where it does not in time. While it is away nobody waits, and what ran is kept as soon as it is back.
    async fn step(&self, step: DeliveryStep) -> Option<Claimed> {
        let is_away = self.away_until().is_some_and(|until| until > Instant::now());
        if is_away && matches!(step, DeliveryStep::Claim(_)) {
            return None;
        }
        let deadline = Instant::now() + if is_away { Duration::ZERO } else { STORAGE_TIME };
        let (told, answer) = oneshot::channel();
        match timeout_at(deadline, self.steps.reserve()).await {
            Ok(Ok(room)) => room.send(Step { step, told }),
            Ok(Err(_)) | Err(_) => self.lose(&step),
        }
        let answer = timeout_at(deadline, answer).await.ok().and_then(Result::ok);
        if answer.is_none() && !is_away {
            *self.away_until() = Some(Instant::now() + AWAY_TIME);
        }
        answer
    }

    fn lose(&self, step: &DeliveryStep) {
        if let DeliveryStep::Answer(..) = step {
            self.unkept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Nothing in here can be left half done, so a panic elsewhere does not spoil it.
    fn under_way(&self) -> MutexGuard<'_, HashMap<DeliveryKey, watch::Receiver<Option<DeliveryAnswer>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl First {
    /// Claims the delivery for `run`. Where storage does not answer the run may begin all the same: a chat that waits is worse than one that is told twice.
    pub(crate) async fn claim(&mut self, run: RunId) -> Claimed {
        let now = Timestamp::now();
        let after = |time: Duration| now.checked_add(time).unwrap_or(Timestamp::MAX);
        let claim = DeliveryClaim {
            key: self.delivery.key.clone(),
            run,
            claimed_until: after(CLAIM_TIME),
            expires_at: after(self.delivery.keep_time),
        };
        self.claim = Some(claim.clone());
        self.deliveries.step(DeliveryStep::Claim(claim)).await.unwrap_or_else(|| {
            self.deliveries.unguarded.fetch_add(1, Ordering::Relaxed);
            Claimed::Ours
        })
    }

    /// Keeps the answer, and then tells it to all who wait for it.
    pub(crate) async fn answer(mut self, answer: DeliveryAnswer) {
        if let Some(claim) = self.claim.take() {
            // Where storage does not answer in time, it is tried again behind the caller's back.
            let _ = self.deliveries.step(DeliveryStep::Answer(claim, answer.clone())).await;
        }
        self.tell(answer);
    }

    /// Tells an answer that is kept already.
    pub(crate) fn tell(self, answer: DeliveryAnswer) {
        self.answered.send_replace(Some(answer));
    }

    /// Nothing ran: the next one may try.
    pub(crate) async fn release(self, run: RunId) {
        let _ = self.deliveries.step(DeliveryStep::Release(self.delivery.key.clone(), run)).await;
    }
}

impl Drop for First {
    fn drop(&mut self) {
        self.deliveries.under_way().remove(&self.delivery.key);
    }
}

impl Later {
    /// The answer, or `None` where none came, or not in time.
    pub(crate) async fn answer(mut self, wait: Duration) -> Option<DeliveryAnswer> {
        let answered = timeout(wait, self.0.wait_for(Option::is_some)).await;
        answered.ok()?.ok()?.clone()
    }
}

/// Takes steps until `stop`, and then those that wait; forgets what has expired.
pub(crate) async fn keep(state: Arc<State>, stop: CancellationToken) {
    let (deliveries, storage) = (&state.deliveries, &state.stored.storage);
    let mut inbox = deliveries.inbox.lock().await;
    let mut keeper = Keeper { deliveries, storage, late: VecDeque::new(), is_failing: false };
    let mut next_look = Instant::now();
    let mut batch = Vec::with_capacity(STEPS_AT_ONCE);
    loop {
        let next_try = if keeper.late.is_empty() { next_look } else { next_look.min(Instant::now() + AWAY_TIME) };
        tokio::select! {
            biased;
            _ = inbox.recv_many(&mut batch, STEPS_AT_ONCE) => keeper.take(&mut batch).await,
            () = sleep_until(next_try) => keeper.take(&mut batch).await,
            () = stop.cancelled() => break,
        }
        if next_look <= Instant::now() {
            next_look = Instant::now() + FORGET_INTERVAL;
            if let Err(error) = storage.forget_deliveries(deliveries.policy.keep_bytes).await {
                warn!(%error, "deliveries that have expired could not be removed");
            }
        }
    }
    keeper.take(&mut batch).await;
}

/// Who writes.
struct Keeper<'s> {
    deliveries: &'s Deliveries,
    storage: &'s Storage,
    /// What could not be kept yet; the oldest are lost where there are too many.
    late: VecDeque<DeliveryStep>,
    is_failing: bool,
}

impl Keeper<'_> {
    /// Takes these steps, and what is late, in one transaction; empties the batch.
    async fn take(&mut self, batch: &mut Vec<Step>) {
        let late = self.late.len();
        let steps: Vec<DeliveryStep> = self.late.iter().chain(batch.iter().map(|step| &step.step)).cloned().collect();
        if steps.is_empty() {
            return;
        }
        match self.storage.step_deliveries(&steps).await {
            Ok(told) => {
                if std::mem::take(&mut self.is_failing) {
                    info!("deliveries are kept again");
                }
                self.late.clear();
                for (step, told) in batch.drain(..).zip(told.into_iter().skip(late)) {
                    // Who does not wait any more has gone on without.
                    let _ = step.told.send(told);
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    warn!(%error, "deliveries cannot be kept: one that is repeated may run again");
                }
                // What was to be claimed has been given up; what was answered must not run again on another host.
                let answers =
                    batch.drain(..).map(|step| step.step).filter(|step| !matches!(step, DeliveryStep::Claim(_)));
                self.late.extend(answers);
                let too_many = self.late.len().saturating_sub(STEPS);
                self.late.drain(..too_many).for_each(|step| self.deliveries.lose(&step));
            }
        }
    }
}
