//! An event that may be delivered again: it runs once, and every delivery of it gets the same answer.
//!
//! Such a run has a task of its own from the beginning, so that its answer is kept though its caller leaves: that is when it is delivered again.

use std::sync::Arc;
use std::time::Duration;

use model::{Blame, Event};
use sha2::{Digest, Sha256};
use storage::{Claimed, DeliveryKey};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::afterwards::Finished;
use super::answer::{self, Answer};
use super::receive::{Arrival, Inner};
use super::signature::Verified;
use crate::deliveries::{Delivery, First, Place};
use crate::directory::Live;

/// As long may a delivery wait for the answer to an earlier one. The platform waits 30 s.
const WAIT: Duration = Duration::from_secs(28);
/// Between two looks at a delivery that runs on another host.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Which delivery this is; `None` where nothing tells. The sender's own id goes before the body.
pub(super) fn delivery(live: &Live, verified: Verified<'_>, body: &[u8], keep_time: Duration) -> Option<Delivery> {
    let (digest, keep_time) = match (verified, live.repeat_window) {
        (Verified::Signed { id: Some(id), .. }, _) => (digest(b"id", id.as_bytes()), keep_time),
        (Verified::Signed { id: None, .. } | Verified::Unsigned, Some(window)) => (digest(b"body", body), window),
        (Verified::Signed { id: None, .. } | Verified::Unsigned, None) => return None,
    };
    let key = DeliveryKey { tenant: live.tenant.clone(), node: live.node.clone(), digest };
    Some(Delivery { key, keep_time })
}

/// No id is the digest of a body.
fn digest(kind: &[u8], text: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(text).finalize().into()
}

impl Inner {
    /// Runs the event unless it was or is run already; answers the same in all cases.
    pub(super) async fn run_once(self: &Arc<Self>, delivery: Delivery, arrival: Arrival, event: Event) -> Answer {
        let first = match self.state.deliveries.join(delivery) {
            Place::First(first) => first,
            Place::Later(later) => {
                return match later.answer(WAIT).await {
                    Some(kept) => self.repeated(kept),
                    None => answer::busy(self.state.gate.retry_after()),
                };
            }
        };
        let (sender, receiver) = oneshot::channel();
        let inner = Arc::clone(self);
        self.runs.spawn(async move {
            let (answer, finished) = inner.run_first(first, arrival, event).await;
            let caller_left = sender.send(answer).is_err();
            if let Some(finished) = finished {
                inner.afterwards.take(Finished { caller_left, ..finished });
            }
        });
        // The task always sends; only a runtime that is going down drops it, and then nobody reads this.
        receiver.await.unwrap_or_else(|_| answer::internal())
    }

    /// Claims the event, runs it, and keeps the answer; what is finished then is `None` where no run began.
    async fn run_first(
        self: &Arc<Self>,
        mut first: First,
        arrival: Arrival,
        event: Event,
    ) -> (Answer, Option<Finished>) {
        let (id, deadline) = (arrival.id, Instant::now() + WAIT);
        loop {
            let (code, permit) = match self.admit(&arrival).await {
                Ok(admitted) => admitted,
                Err(why) => return (self.turn_away(arrival, why), None),
            };
            match first.claim(id).await {
                Claimed::Ours => {
                    let (answer, finished) = Arc::clone(self).execute(code, permit, arrival, event).await;
                    let (answer, kept) = answer::keep(id, answer).await;
                    // What was our fault may succeed the next time.
                    if kept.cause.is_some_and(|cause| cause.blame() == Blame::Host) {
                        first.release(id).await;
                    } else {
                        first.answer(kept).await;
                    }
                    return (answer, Some(finished));
                }
                Claimed::Answered(kept) => {
                    first.tell(kept.clone());
                    return (self.repeated(kept), None);
                }
                Claimed::Taken if Instant::now() >= deadline => {
                    return (answer::busy(self.state.gate.retry_after()), None);
                }
                Claimed::Taken => {
                    drop(permit);
                    sleep(LOOK_INTERVAL).await;
                }
            }
        }
    }

    fn repeated(&self, kept: storage::DeliveryAnswer) -> Answer {
        self.state.deliveries.count_repeated();
        answer::repeated(kept)
    }
}
