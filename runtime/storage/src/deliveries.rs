//! Deliveries that must not run twice: claimed before their run, answered after it, the same on every host.

use bytes::Bytes;
use jiff::Timestamp;
use model::{Cause, NodeId, RunId, TenantId};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::change::failed;
use crate::column::{count, damaged, optional_number, optional_parsed, parsed};
use crate::retention::Rows;
use crate::{Result, Storage};

const DELIVERIES: Rows = Rows { table: "deliveries", key: "tenant, node, digest", age: "expires_at" };

/// What tells one delivery from another: repeated, it has the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryKey {
    /// Whose.
    pub tenant: TenantId,
    /// To which node.
    pub node: NodeId,
    /// A digest of the sender's id of it, or of its body.
    pub digest: [u8; 32],
}

/// Somebody is about to run a delivery.
#[derive(Clone, Debug)]
pub struct DeliveryClaim {
    /// Which.
    pub key: DeliveryKey,
    /// The run that would begin for it.
    pub run: RunId,
    /// When somebody else may take it over, for its run must be over by then.
    pub claimed_until: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// What becomes of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The claim stands.
    Ours,
    /// It was answered before.
    Answered(DeliveryAnswer),
    /// Another run is under way for it.
    Taken,
}

/// What a delivery was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAnswer {
    /// The run that it came from.
    pub run: RunId,
    /// The HTTP status.
    pub status: u16,
    /// The cause, where the run was a bot break.
    pub cause: Option<Cause>,
    /// The body.
    pub body: Bytes,
}

/// What is to be done for one delivery.
#[derive(Clone, Debug)]
pub enum DeliveryStep {
    /// Before its run.
    Claim(DeliveryClaim),
    /// After its run; the claim too, for it may never have reached storage.
    Answer(DeliveryClaim, DeliveryAnswer),
    /// Where no run came of it: the next one may try.
    Release(DeliveryKey, RunId),
}

impl DeliveryStep {
    fn key(&self) -> &DeliveryKey {
        match self {
            Self::Claim(claim) | Self::Answer(claim, _) => &claim.key,
            Self::Release(key, _) => key,
        }
    }
}

impl Storage {
    /// Takes many steps at once, all of them or none. For each one it is told how it stands with its delivery: what was to be answered or released stands
    /// as [`Claimed::Ours`], whoever had claimed it in the meantime.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable).
    pub async fn step_deliveries(&self, steps: &[DeliveryStep]) -> Result<Vec<Claimed>> {
        let doing = "keep deliveries from running twice";
        // Rows are locked in the same order by all hosts, so none waits for another in a circle.
        let mut order: Vec<usize> = (0..steps.len()).collect();
        order.sort_by_key(|index| steps.get(*index).map(DeliveryStep::key));
        self.database
            .change(doing, async {
                let mut transaction = self.database.begin().await?;
                let now = Timestamp::now().as_millisecond();
                let mut told = vec![Claimed::Ours; steps.len()];
                for index in order {
                    if let (Some(step), Some(told)) = (steps.get(index), told.get_mut(index)) {
                        *told = take_step(&mut transaction, step, now).await?;
                    }
                }
                transaction.commit().await.map_err(failed(doing))?;
                Ok(told)
            })
            .await
    }

    /// Removes deliveries that have expired, and the oldest answers of each tenant that has more than `tenant_bytes` of them.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable); what was removed until then stays removed.
    pub async fn forget_deliveries(&self, tenant_bytes: u64) -> Result<()> {
        self.remove_older(&DELIVERIES, Timestamp::now().as_millisecond()).await?;
        self.remove_beyond(&DELIVERIES, tenant_bytes).await
    }
}

async fn take_step(transaction: &mut Transaction<'_, Any>, step: &DeliveryStep, now: i64) -> Result<Claimed> {
    match step {
        DeliveryStep::Claim(claim) => take(transaction, claim, now).await,
        DeliveryStep::Answer(claim, answer) => {
            let query = sqlx::query(
                "INSERT INTO deliveries (tenant, node, digest, run, claimed_until, expires_at, status, cause, body, bytes)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 ON CONFLICT (tenant, node, digest) DO UPDATE SET
                     status = excluded.status, cause = excluded.cause, body = excluded.body, bytes = excluded.bytes
                 WHERE deliveries.run = excluded.run",
            );
            let query = of_claim(query, claim)
                .bind(i64::from(answer.status))
                .bind(answer.cause.map(Cause::name))
                .bind(answer.body.to_vec())
                .bind(count(answer.body.len()));
            query.execute(&mut **transaction).await.map_err(failed("answer a delivery"))?;
            Ok(Claimed::Ours)
        }
        DeliveryStep::Release(key, run) => {
            let query = sqlx::query(
                "DELETE FROM deliveries WHERE tenant = $1 AND node = $2 AND digest = $3 AND run = $4 AND status IS NULL",
            );
            let query = of_delivery(query, key).bind(run.to_string());
            query.execute(&mut **transaction).await.map_err(failed("release a delivery"))?;
            Ok(Claimed::Ours)
        }
    }
}

async fn take(transaction: &mut Transaction<'_, Any>, claim: &DeliveryClaim, now: i64) -> Result<Claimed> {
    let query = sqlx::query(
        "INSERT INTO deliveries (tenant, node, digest, run, claimed_until, expires_at, bytes) VALUES ($1, $2, $3, $4, $5, $6, 0)
         ON CONFLICT (tenant, node, digest) DO UPDATE SET
             run = excluded.run, claimed_until = excluded.claimed_until, expires_at = excluded.expires_at,
             status = NULL, cause = NULL, body = NULL, bytes = 0
         WHERE deliveries.expires_at <= $7
             OR (deliveries.status IS NULL AND (deliveries.claimed_until <= $7 OR deliveries.run = excluded.run))",
    );
    let done =
        of_claim(query, claim).bind(now).execute(&mut **transaction).await.map_err(failed("claim a delivery"))?;
    if done.rows_affected() == 1 {
        return Ok(Claimed::Ours);
    }
    let query =
        sqlx::query("SELECT run, status, cause, body FROM deliveries WHERE tenant = $1 AND node = $2 AND digest = $3");
    let row = of_delivery(query, &claim.key).fetch_optional(&mut **transaction).await;
    // Gone in this very moment: whoever had claimed it has released it, and the caller tries again.
    row.map_err(failed("look for a delivery"))?.map_or(Ok(Claimed::Taken), |row| standing(&row))
}

fn standing(row: &AnyRow) -> Result<Claimed> {
    let Some(status) = optional_number(row, "status")? else { return Ok(Claimed::Taken) };
    let body: Vec<u8> = row.try_get("body").map_err(|error| damaged("body", &error))?;
    Ok(Claimed::Answered(DeliveryAnswer {
        run: parsed(row, "run")?,
        status,
        cause: optional_parsed(row, "cause")?,
        body: body.into(),
    }))
}

type Query<'q> = sqlx::query::Query<'q, Any, sqlx::any::AnyArguments>;

/// Binds what every statement here begins with.
fn of_delivery<'q>(query: Query<'q>, key: &DeliveryKey) -> Query<'q> {
    query.bind(key.tenant.as_str().to_owned()).bind(key.node.as_str().to_owned()).bind(hex::encode(key.digest))
}

fn of_claim<'q>(query: Query<'q>, claim: &DeliveryClaim) -> Query<'q> {
    of_delivery(query, &claim.key)
        .bind(claim.run.to_string())
        .bind(claim.claimed_until.as_millisecond())
        .bind(claim.expires_at.as_millisecond())
}
