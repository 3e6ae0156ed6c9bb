//! Requests with a key: made once, whoever asks, however often, and wherever.

use jiff::{SignedDuration, Timestamp};
use model::{Actor, ApiKey, Role};
use sqlx::Executor as _;
use storage::{By, IdempotencyClaim, IdempotencyStanding, NewKey, ShownKey, Storage, StorageError};
use zeroize::Zeroizing;

use crate::place::{Ground, Kind, by, on_both, tenant};

/// Of the request `request` with the key `key`, so many seconds ago.
fn claim_of(key: u8, request: u8, seconds: i64) -> IdempotencyClaim {
    let at = Timestamp::now() - SignedDuration::from_secs(seconds);
    IdempotencyClaim::new(&by(), [key; 32], [request; 32], at)
}

fn claim(key: u8) -> IdempotencyClaim {
    claim_of(key, 1, 0)
}

fn answered(text: &str) -> IdempotencyStanding {
    IdempotencyStanding::Answered(Zeroizing::new(text.to_owned()))
}

fn text(key: &(ApiKey, ShownKey)) -> Zeroizing<String> {
    Zeroizing::new(format!("{} {}", key.0.id, key.1.reveal()))
}

/// Makes an operator's key under a claim, and tells its text.
async fn make(storage: &Storage, claim: &IdempotencyClaim) -> storage::Result<String> {
    let new = NewKey { tenant: None, role: Role::Operator, label: String::new(), expires_at: None };
    storage.create_key(&new, By::once(claim, text)).await.map(|key| text(&key).to_string())
}

async fn keys(storage: &Storage) -> usize {
    storage.keys(None).await.unwrap().len()
}

on_both! {
    async fn what_is_asked_for_again_is_answered_and_not_made_again(ground) {
        let (here, there) = (ground.open().await, ground.open().await);
        let first = claim(1);
        assert_eq!(here.claim_idempotency(&first).await.unwrap(), IdempotencyStanding::Ours);
        assert_eq!(there.claim_idempotency(&claim(1)).await.unwrap(), IdempotencyStanding::Taken);
        assert_eq!(there.claim_idempotency(&claim_of(1, 2, 0)).await.unwrap(), IdempotencyStanding::OfAnother);
        let made = make(&here, &first).await.unwrap();
        here.release_idempotency(&first).await.unwrap();
        drop(here);
        for storage in [&there, &ground.open().await] {
            assert_eq!(storage.claim_idempotency(&claim(1)).await.unwrap(), answered(&made));
            assert_eq!(storage.claim_idempotency(&claim_of(1, 2, 0)).await.unwrap(), IdempotencyStanding::OfAnother);
        }
        let other = IdempotencyClaim::new(&Actor::key("0011"), [1; 32], [1; 32], Timestamp::now());
        assert_eq!(there.claim_idempotency(&other).await.unwrap(), IdempotencyStanding::Ours, "another's keys are others");
        assert_eq!(keys(&there).await, 1);
    }

    async fn of_fifty_who_ask_at_once_one_makes_it(ground) {
        let (here, there) = (ground.open().await, ground.open().await);
        let tasks = (0..50).map(|number| {
            let storage = if number % 2 == 0 { here.clone() } else { there.clone() };
            tokio::spawn(async move {
                let claim = claim(1);
                match storage.claim_idempotency(&claim).await.unwrap() {
                    IdempotencyStanding::Ours => Some(make(&storage, &claim).await.unwrap()),
                    IdempotencyStanding::Answered(answer) => Some(answer.to_string()),
                    IdempotencyStanding::Taken => None,
                    IdempotencyStanding::OfAnother => panic!("it is the same request"),
                }
            })
        });
        let mut told = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            told.extend(task.await.unwrap());
        }
        told.dedup();
        assert_eq!((told.len(), keys(&here).await), (1, 1), "{told:?}");
    }

    async fn a_change_whose_claim_was_taken_over_is_not_made(ground) {
        let storage = ground.open().await;
        let lost = claim_of(1, 1, 61);
        assert_eq!(storage.claim_idempotency(&lost).await.unwrap(), IdempotencyStanding::Ours);
        let heir = claim(1);
        assert_eq!(storage.claim_idempotency(&heir).await.unwrap(), IdempotencyStanding::Ours, "a claim runs out in a minute");
        assert!(matches!(make(&storage, &lost).await, Err(StorageError::Conflict(_))));
        assert_eq!(keys(&storage).await, 0);
        storage.answer_idempotency(&lost, "too late").await.unwrap();
        storage.release_idempotency(&lost).await.unwrap();
        let made = make(&storage, &heir).await.unwrap();
        assert_eq!(storage.claim_idempotency(&claim(1)).await.unwrap(), answered(&made));
        assert!(matches!(make(&storage, &heir).await, Err(StorageError::Conflict(_))), "nor is one that was answered");
        assert_eq!(keys(&storage).await, 1);
    }

    async fn a_change_that_fails_leaves_its_claim_and_no_answer(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        storage.create_tenant(&acme, &by()).await.unwrap();
        let claim = claim(1);
        storage.claim_idempotency(&claim).await.unwrap();
        let made = storage.create_tenant(&acme, By::once(&claim, |_| Zeroizing::new("made".to_owned()))).await;
        assert!(matches!(made, Err(StorageError::Exists(_))));
        let again = claim_of(1, 1, 0);
        assert_eq!(storage.claim_idempotency(&again).await.unwrap(), IdempotencyStanding::Taken);
        storage.answer_idempotency(&claim, "exists").await.unwrap();
        assert_eq!(storage.claim_idempotency(&again).await.unwrap(), answered("exists"));

        let failed = claim_of(2, 1, 0);
        storage.claim_idempotency(&failed).await.unwrap();
        storage.release_idempotency(&failed).await.unwrap();
        assert_eq!(storage.claim_idempotency(&claim_of(2, 2, 0)).await.unwrap(), IdempotencyStanding::Ours);
    }

    async fn an_answer_is_kept_for_a_day(ground) {
        let storage = ground.open().await;
        let hour = 3600;
        for (key, age) in [(1, 25 * hour), (2, 23 * hour)] {
            let claim = claim_of(key, 1, age);
            storage.claim_idempotency(&claim).await.unwrap();
            storage.answer_idempotency(&claim, "kept").await.unwrap();
        }
        assert_eq!(storage.claim_idempotency(&claim(1)).await.unwrap(), IdempotencyStanding::Ours, "swept or not");
        storage.forget_idempotency(Timestamp::now()).await.unwrap();
        assert_eq!(storage.claim_idempotency(&claim(2)).await.unwrap(), answered("kept"));
        storage.forget_idempotency(Timestamp::now() + SignedDuration::from_hours(2)).await.unwrap();
        assert_eq!(storage.claim_idempotency(&claim(2)).await.unwrap(), IdempotencyStanding::Ours);
    }

    async fn an_answer_is_sealed_for_its_key_and_actor_and_sealed_anew(ground) {
        let storage = ground.open_with(&["a"]).await.unwrap();
        for key in [1, 2] {
            let claim = claim(key);
            storage.claim_idempotency(&claim).await.unwrap();
            storage.answer_idempotency(&claim, "it's a secret").await.unwrap();
        }
        storage.close().await;
        let storage = ground.open_with(&["b", "a"]).await.unwrap();
        storage.reseal(&by()).await.unwrap();
        storage.close().await;
        let storage = ground.open_with(&["b"]).await.unwrap();
        assert_eq!(storage.claim_idempotency(&claim(1)).await.unwrap(), answered("it's a secret"));

        let database = ground.connect().await;
        let row = sqlx::query("SELECT sealed FROM idempotency_keys").fetch_one(&database).await.unwrap();
        assert!(!sqlx::Row::get::<String, _>(&row, "sealed").contains("secret"));
        let first = format!("(SELECT sealed FROM idempotency_keys WHERE digest = '{}')", "01".repeat(32));
        database.execute(sqlx::AssertSqlSafe(format!("UPDATE idempotency_keys SET sealed = {first}"))).await.unwrap();
        assert!(matches!(storage.claim_idempotency(&claim(2)).await, Err(StorageError::Damaged(_))), "it was moved");
    }

    async fn nobody_keeps_more_than_ten_thousand_answers(ground) {
        let storage = ground.open().await;
        let database = ground.connect().await;
        let tomorrow = (Timestamp::now() + SignedDuration::from_hours(24)).as_millisecond();
        let many = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
             INSERT INTO idempotency_keys (actor, digest, fingerprint, claim, claimed_until, expires_at)
             SELECT 'operator', 'key ' || i, '', '', {tomorrow}, {tomorrow} FROM n"
        );
        database.execute(sqlx::AssertSqlSafe(many)).await.unwrap();
        let last = claim(1);
        assert_eq!(storage.claim_idempotency(&last).await.unwrap(), IdempotencyStanding::Ours);
        assert!(matches!(storage.claim_idempotency(&claim(2)).await, Err(StorageError::OverQuota(_))));
        assert!(matches!(storage.claim_idempotency(&claim(2)).await, Err(StorageError::OverQuota(_))), "it was not claimed");
        make(&storage, &last).await.unwrap();
        let other = IdempotencyClaim::new(&Actor::key("0011"), [2; 32], [1; 32], Timestamp::now());
        assert_eq!(storage.claim_idempotency(&other).await.unwrap(), IdempotencyStanding::Ours);
    }
}
