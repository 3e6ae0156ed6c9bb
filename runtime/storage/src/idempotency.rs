//! Requests that must not be carried out twice: claimed before, and answered in the very transaction of the change that they make.
//!
//! A change whose claim somebody else has taken over is not made. So nothing is made twice, whenever a host dies, and however long it was away.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use model::Actor;
use sqlx::Any;
use sqlx::any::AnyArguments;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::change::{Change, failed};
use crate::column::{number, optional_text, text};
use crate::database::Rows as Found;
use crate::retention::Rows;
use crate::seal::Keyring;
use crate::{Result, Storage, StorageError};

/// After which a request that was never answered, because its host died, may be carried out by another. No change takes as long.
const CLAIM_TIME: SignedDuration = SignedDuration::from_secs(60);
/// For which an answer is kept.
const KEEP_TIME: SignedDuration = SignedDuration::from_hours(24);
/// For each actor. Two that come at the very same moment may be one more.
const MAX_KEYS: u32 = 10_000;

const KEYS: Rows = Rows { table: "idempotency_keys", key: "actor, digest", age: "expires_at" };

/// A request that is about to be carried out, and of which nothing may come twice.
#[derive(Clone, Debug)]
pub struct IdempotencyClaim {
    actor: Actor,
    digest: String,
    fingerprint: String,
    /// What tells this attempt from others.
    id: Uuid,
    at: Timestamp,
}

/// What becomes of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum IdempotencyStanding {
    /// The claim stands: the request is to be carried out.
    Ours,
    /// The request was answered with this.
    Answered(Zeroizing<String>),
    /// The request is under way.
    Taken,
    /// The key is another request's.
    OfAnother,
}

/// Who makes a change; and where it must not be made twice, what is to be kept with it.
pub struct By<'a, T> {
    pub(crate) actor: &'a Actor,
    once: Option<(&'a IdempotencyClaim, Answer<'a, T>)>,
}

type Answer<'a, T> = Box<dyn Fn(&T) -> Zeroizing<String> + Send + Sync + 'a>;

impl IdempotencyClaim {
    /// Of an actor's request, known by digests of the key that it was given and of all that tells it from others.
    pub fn new(actor: &Actor, key: [u8; 32], fingerprint: [u8; 32], at: Timestamp) -> Self {
        let (digest, fingerprint) = (hex::encode(key), hex::encode(fingerprint));
        Self { actor: actor.clone(), digest, fingerprint, id: Uuid::now_v7(), at }
    }
}

impl<'a, T> By<'a, T> {
    /// By whoever has claimed the request, which is answered with what becomes of the value that is made.
    pub fn once(claim: &'a IdempotencyClaim, answer: impl Fn(&T) -> Zeroizing<String> + Send + Sync + 'a) -> Self {
        Self { actor: &claim.actor, once: Some((claim, Box::new(answer))) }
    }
}

impl<'a, T> From<&'a Actor> for By<'a, T> {
    fn from(actor: &'a Actor) -> Self {
        Self { actor, once: None }
    }
}

impl<T> fmt::Debug for By<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "By({})", self.actor)
    }
}

impl Storage {
    /// Claims a request before it is carried out.
    ///
    /// # Errors
    /// [`StorageError::OverQuota`] where the actor has as many keys as there may be.
    pub async fn claim_idempotency(&self, claim: &IdempotencyClaim) -> Result<IdempotencyStanding> {
        let doing = "claim a request";
        let taken = self
            .database
            .change(doing, async {
                let mut transaction = self.database.begin().await?;
                let query = sqlx::query(
                    "INSERT INTO idempotency_keys (actor, digest, fingerprint, claim, claimed_until, expires_at) \
                     VALUES ($1, $2, $3, $4, $5, $6) \
                     ON CONFLICT (actor, digest) DO UPDATE SET \
                         fingerprint = excluded.fingerprint, claim = excluded.claim, \
                         claimed_until = excluded.claimed_until, expires_at = excluded.expires_at, sealed = NULL \
                     WHERE idempotency_keys.expires_at <= $7 \
                         OR (idempotency_keys.sealed IS NULL AND idempotency_keys.claimed_until <= $7)",
                );
                let query = of_key(query, claim)
                    .bind(claim.fingerprint.clone())
                    .bind(claim.id.to_string())
                    .bind(after(claim.at, CLAIM_TIME))
                    .bind(after(claim.at, KEEP_TIME))
                    .bind(claim.at.as_millisecond());
                let done = query.execute(&mut *transaction).await.map_err(failed(doing))?;
                if done.rows_affected() == 1 {
                    let count = sqlx::query(
                        "SELECT COUNT(*) AS keys FROM idempotency_keys WHERE actor = $1 AND expires_at > $2",
                    );
                    let count = count.bind(claim.actor.as_str().to_owned()).bind(claim.at.as_millisecond());
                    let row = count.fetch_one(&mut *transaction).await.map_err(failed(doing))?;
                    must_be_few(number(&row, "keys")?)?;
                    transaction.commit().await.map_err(failed(doing))?;
                    return Ok(None);
                }
                let query =
                    sqlx::query("SELECT fingerprint, sealed FROM idempotency_keys WHERE actor = $1 AND digest = $2");
                let rows = of_key(query, claim).fetch_all(&mut *transaction).await.map_err(failed(doing))?;
                // The row stays locked until this has reached the database, and what is locked is not swept.
                transaction.rollback().await.map_err(failed(doing))?;
                Ok(Some(rows))
            })
            .await?;
        taken.map_or(Ok(IdempotencyStanding::Ours), |rows| self.standing(&rows, claim))
    }

    /// Keeps the answer to a request that changed nothing.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn answer_idempotency(&self, claim: &IdempotencyClaim, answer: &str) -> Result<()> {
        let doing = "keep the answer to a request";
        let query = answered(&self.keyring, claim, answer)?;
        self.write_idempotency(doing, query).await
    }

    /// Gives a claim back, where the request came to nothing and may be tried again; what was answered stays.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn release_idempotency(&self, claim: &IdempotencyClaim) -> Result<()> {
        let query = sqlx::query(
            "DELETE FROM idempotency_keys WHERE actor = $1 AND digest = $2 AND claim = $3 AND sealed IS NULL",
        );
        let query = of_key(query, claim).bind(claim.id.to_string());
        self.write_idempotency("release a request", query).await
    }

    async fn write_idempotency(&self, doing: &'static str, query: Query<'_>) -> Result<()> {
        let write = async { query.execute(&self.database.pool).await.map(drop).map_err(failed(doing)) };
        self.database.change(doing, write).await
    }

    /// Removes answers that have been kept for as long as they are.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`]; what was removed until then stays removed.
    pub async fn forget_idempotency(&self, now: Timestamp) -> Result<()> {
        self.remove_older(&KEYS, now.as_millisecond()).await
    }

    fn standing(&self, rows: &Found, claim: &IdempotencyClaim) -> Result<IdempotencyStanding> {
        // Gone in this very moment: whoever had claimed it has released it, and the caller tries again.
        let Some(row) = rows.first() else { return Ok(IdempotencyStanding::Taken) };
        if text(row, "fingerprint")? != claim.fingerprint {
            return Ok(IdempotencyStanding::OfAnother);
        }
        let Some(sealed) = optional_text(row, "sealed")? else { return Ok(IdempotencyStanding::Taken) };
        let answer = self.keyring.open(&sealed, &place(claim.actor.as_str(), &claim.digest))?;
        Ok(IdempotencyStanding::Answered(answer))
    }
}

impl Change {
    /// Keeps what the request is answered with that makes this change, if it must not be made twice.
    pub(crate) async fn keep_answer<T>(&mut self, keyring: &Keyring, by: &By<'_, T>, made: &T) -> Result<()> {
        let Some((claim, answer)) = &by.once else { return Ok(()) };
        let query = answered(keyring, claim, &answer(made))?;
        let done = query.execute(self.connection()).await.map_err(failed("keep the answer to a request"))?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        Err(StorageError::Conflict(
            "the request took so long that another one with the same idempotency key was let through: nothing has changed, ask again"
                .to_owned(),
        ))
    }

    /// Seals every answer anew that is sealed with another key than the first.
    pub(crate) async fn reseal_answers(&mut self, keyring: &Keyring) -> Result<()> {
        let doing = "seal the answers anew";
        let query = sqlx::query(
            "SELECT actor, digest, sealed FROM idempotency_keys WHERE sealed IS NOT NULL AND expires_at > $1",
        );
        let query = query.bind(self.millis());
        let rows: Found = query.fetch_all(self.connection()).await.map_err(failed(doing))?;
        for row in &rows {
            let sealed = text(row, "sealed")?;
            if !keyring.is_outdated(&sealed) {
                continue;
            }
            let (actor, digest) = (text(row, "actor")?, text(row, "digest")?);
            let place = place(&actor, &digest);
            let resealed = keyring.seal(&keyring.open(&sealed, &place)?, &place)?;
            let query = sqlx::query("UPDATE idempotency_keys SET sealed = $1 WHERE actor = $2 AND digest = $3");
            let query = query.bind(resealed).bind(actor).bind(digest);
            query.execute(self.connection()).await.map_err(failed(doing))?;
        }
        Ok(())
    }
}

type Query<'q> = sqlx::query::Query<'q, Any, AnyArguments>;

/// Binds what every statement here begins with.
fn of_key<'q>(query: Query<'q>, claim: &IdempotencyClaim) -> Query<'q> {
    query.bind(claim.actor.as_str().to_owned()).bind(claim.digest.clone())
}

/// The answer to a claim that still stands.
fn answered(keyring: &Keyring, claim: &IdempotencyClaim, answer: &str) -> Result<Query<'static>> {
    let sealed = keyring.seal(answer, &place(claim.actor.as_str(), &claim.digest))?;
    let query = sqlx::query(
        "UPDATE idempotency_keys SET sealed = $4 WHERE actor = $1 AND digest = $2 AND claim = $3 AND sealed IS NULL",
    );
    Ok(of_key(query, claim).bind(claim.id.to_string()).bind(sealed))
}

/// What an answer is sealed for. No tenant's id holds a colon, so no secret of a node's was ever sealed for the same.
fn place(actor: &str, digest: &str) -> String {
    format!("idempotency:{actor}/{digest}")
}

fn after(moment: Timestamp, time: SignedDuration) -> i64 {
    moment.saturating_add(time).unwrap_or(moment).as_millisecond()
}

fn must_be_few(keys: u64) -> Result<()> {
    if keys <= u64::from(MAX_KEYS) {
        return Ok(());
    }
    Err(StorageError::OverQuota(format!(
        "{MAX_KEYS} idempotency keys of yours are kept, as many as there may be: send none, or wait until some have been kept for a day"
    )))
}
