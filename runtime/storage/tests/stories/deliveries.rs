//! Deliveries: claimed by one, answered once, forgotten in time.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use model::{Cause, RunId};
use storage::{Claimed, DeliveryAnswer, DeliveryClaim, DeliveryKey, DeliveryStep, Storage};

use crate::place::{Ground, Kind, by, node, on_both, tenant};

fn key(number: u8) -> DeliveryKey {
    DeliveryKey { tenant: tenant("acme"), node: node("ORDERS"), digest: [number; 32] }
}

/// A claim that holds for a minute, of a delivery that is known for an hour.
fn claim(number: u8) -> DeliveryClaim {
    let after = |seconds| Timestamp::now() + SignedDuration::from_secs(seconds);
    DeliveryClaim { key: key(number), run: RunId::fresh(), claimed_until: after(60), expires_at: after(3600) }
}

fn answer(of: &DeliveryClaim, bytes: usize) -> DeliveryAnswer {
    DeliveryAnswer { run: of.run, status: 502, cause: Some(Cause::Trap), body: Bytes::from(vec![0; bytes]) }
}

async fn step(storage: &Storage, step: DeliveryStep) -> Claimed {
    storage.step_deliveries(&[step]).await.unwrap().remove(0)
}

on_both! {
    async fn one_claims_and_the_others_get_its_answer(ground) {
        let (here, there) = (ground.open().await, ground.open().await);
        let (mine, theirs) = (claim(1), claim(1));
        assert_eq!(step(&here, DeliveryStep::Claim(mine.clone())).await, Claimed::Ours);
        assert_eq!(step(&here, DeliveryStep::Claim(mine.clone())).await, Claimed::Ours, "the answer to the first was lost");
        assert_eq!(step(&there, DeliveryStep::Claim(theirs.clone())).await, Claimed::Taken);
        step(&there, DeliveryStep::Answer(theirs.clone(), answer(&theirs, 7))).await;
        assert_eq!(step(&there, DeliveryStep::Claim(theirs.clone())).await, Claimed::Taken, "only whoever claimed it answers");
        step(&here, DeliveryStep::Answer(mine.clone(), answer(&mine, 5))).await;
        drop(here);
        let after_a_restart = ground.open().await;
        for storage in [&there, &after_a_restart] {
            let answered = Claimed::Answered(answer(&mine, 5));
            assert_eq!(step(storage, DeliveryStep::Claim(theirs.clone())).await, answered);
        }
        assert_eq!(step(&there, DeliveryStep::Claim(claim(2))).await, Claimed::Ours, "another delivery is another");
        let elsewhere = DeliveryKey { node: node("ELSE"), ..key(1) };
        assert_eq!(step(&there, DeliveryStep::Claim(DeliveryClaim { key: elsewhere, ..claim(1) })).await, Claimed::Ours);
    }

    async fn of_many_who_claim_at_once_one_does(ground) {
        let storage = ground.open().await;
        let claims: Vec<DeliveryClaim> = (0..40).map(|number| claim(number % 2)).collect();
        let tasks = claims.chunks(8).map(|chunk| {
            let (storage, steps) = (storage.clone(), chunk.iter().cloned().map(DeliveryStep::Claim).collect::<Vec<_>>());
            tokio::spawn(async move { storage.step_deliveries(&steps).await.unwrap() })
        });
        let mut ours = 0;
        for task in tasks.collect::<Vec<_>>() {
            ours += task.await.unwrap().iter().filter(|claimed| **claimed == Claimed::Ours).count();
        }
        assert_eq!(ours, 2);
    }

    async fn a_claim_that_is_released_or_runs_out_is_free(ground) {
        let storage = ground.open().await;
        let first = claim(1);
        step(&storage, DeliveryStep::Claim(first.clone())).await;
        step(&storage, DeliveryStep::Release(key(1), RunId::fresh())).await;
        assert_eq!(step(&storage, DeliveryStep::Claim(claim(1))).await, Claimed::Taken, "only whoever claimed it releases");
        step(&storage, DeliveryStep::Release(key(1), first.run)).await;
        let dead = DeliveryClaim { claimed_until: Timestamp::now() - SignedDuration::from_secs(1), ..claim(1) };
        assert_eq!(step(&storage, DeliveryStep::Claim(dead.clone())).await, Claimed::Ours);
        let heir = claim(1);
        assert_eq!(step(&storage, DeliveryStep::Claim(heir.clone())).await, Claimed::Ours, "whoever had it is dead");
        step(&storage, DeliveryStep::Answer(dead.clone(), answer(&dead, 3))).await;
        assert_eq!(step(&storage, DeliveryStep::Claim(claim(1))).await, Claimed::Taken, "and answers no more");
    }

    async fn an_answer_without_a_claim_is_kept_too(ground) {
        let storage = ground.open().await;
        let unclaimed = claim(1);
        step(&storage, DeliveryStep::Answer(unclaimed.clone(), answer(&unclaimed, 5))).await;
        assert_eq!(step(&storage, DeliveryStep::Claim(claim(1))).await, Claimed::Answered(answer(&unclaimed, 5)));
    }

    async fn what_has_expired_is_forgotten_and_so_is_what_is_too_much(ground) {
        let storage = ground.open().await;
        let expired = DeliveryClaim { expires_at: Timestamp::now() - SignedDuration::from_secs(1), ..claim(1) };
        step(&storage, DeliveryStep::Answer(expired.clone(), answer(&expired, 5))).await;
        assert_eq!(step(&storage, DeliveryStep::Claim(claim(1))).await, Claimed::Ours, "swept or not");
        for number in 2..12 {
            let kept = claim(number);
            let expires_at = kept.expires_at + SignedDuration::from_millis(number.into());
            let kept = DeliveryClaim { expires_at, ..kept };
            step(&storage, DeliveryStep::Answer(kept.clone(), answer(&kept, 1000))).await;
        }
        storage.forget_deliveries(3500).await.unwrap();
        let stands = async |number| step(&storage, DeliveryStep::Claim(claim(number))).await;
        assert_eq!(stands(1).await, Claimed::Taken, "what runs is not forgotten");
        for old in 2..9 {
            assert_eq!(stands(old).await, Claimed::Ours, "answer {old} is one of the oldest");
        }
        for new in 9..12 {
            assert!(matches!(stands(new).await, Claimed::Answered(_)), "answer {new} is one of the newest");
        }
    }

    async fn a_tenant_takes_its_deliveries_along(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        storage.create_tenant(&acme, &by()).await.unwrap();
        step(&storage, DeliveryStep::Claim(claim(1))).await;
        storage.delete_tenant(&acme, &by()).await.unwrap();
        assert_eq!(step(&storage, DeliveryStep::Claim(claim(1))).await, Claimed::Ours);
    }
}
