//! Writing entries: as they shall be, or field by field into the JSON objects that there are.

use std::borrow::Cow;

use jiff::Timestamp;
use model::{Actor, MergeError, NewValue, NodeId, TenantId, merged};
use sqlx::AnyConnection;

use super::{Bucket, EntryWrite, Query, at_key, entry, fresh_version, number_in, storable_place};
use crate::change::{Entry as AuditLine, failed};
use crate::column::{count, damaged};
use crate::{Result, Storage, StorageError};

/// Binds as [`written`] does.
pub(super) const WRITE: &str = "INSERT INTO key_values (tenant, bucket, key, version, number, bytes, expires_at, value)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, bucket, key) DO UPDATE SET
         version = excluded.version, number = excluded.number, bytes = excluded.bytes,
         expires_at = excluded.expires_at, value = excluded.value";

/// Locks a row, which is made where there is none, and reads it. Binds as [`written`] does what a new one is.
const LOCK: &str = "INSERT INTO key_values (tenant, bucket, key, version, number, bytes, expires_at, value)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, bucket, key) DO UPDATE SET version = key_values.version
     RETURNING version, number, expires_at, value";

/// A JSON object without fields.
const NO_FIELDS: &str = "{}";

const DOING: &str = "keep what a handler keeps";

impl Storage {
    /// Writes and removes entries: all of them or none. Where a key comes twice, the last one counts, but fields are put over fields.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] for a key that cannot be stored, and for fields that would make an object of more than
    /// [`MAX_STATE_BYTES`](model::MAX_STATE_BYTES); [`StorageError::Damaged`] for fields where there is no object;
    /// [`StorageError::Unavailable`].
    pub async fn write_entries(&self, tenant: &TenantId, writes: &[EntryWrite], now: Timestamp) -> Result<()> {
        for one in writes {
            storable_place(&one.bucket, [one.key.as_str()])?;
        }
        // Rows are locked in the same order by all hosts, so none waits for another in a circle.
        let mut sorted: Vec<&EntryWrite> = writes.iter().collect();
        sorted.sort_by_key(|one| (&one.bucket, &one.key));
        self.database
            .change(DOING, async {
                match sorted.as_slice() {
                    [] => Ok(()),
                    // One statement is a transaction already, in one round trip instead of three.
                    [one] if !matches!(one.value, NewValue::Fields(_)) => {
                        let mut connection = self.database.pool.acquire().await.map_err(failed(DOING))?;
                        apply(&mut connection, tenant, one, now).await
                    }
                    some => {
                        let mut transaction = self.database.begin().await?;
                        for one in some {
                            apply(&mut transaction, tenant, one, now).await?;
                        }
                        transaction.commit().await.map_err(failed(DOING))
                    }
                }
            })
            .await
    }

    /// Writes or removes an entry by hand, with a line in the audit log, which does not tell its value.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] for the removal of what is not there; otherwise as [`Storage::write_entries`].
    pub async fn write_entry_by_hand(
        &self,
        tenant: &TenantId,
        node: Option<&NodeId>,
        one: &EntryWrite,
        by: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        let doing = "change what a handler keeps";
        storable_place(&one.bucket, [one.key.as_str()])?;
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let subject = format!("{} entry {}", one.bucket, one.key.escape_debug());
                let action = match &one.value {
                    NewValue::Bytes(_) | NewValue::Fields(_) => {
                        apply(change.connection(), tenant, one, now).await?;
                        "entry.set"
                    }
                    NewValue::Nothing => {
                        let removal = remove_present(tenant, one, now);
                        let done = removal.execute(change.connection()).await.map_err(failed(doing))?;
                        if done.rows_affected() == 0 {
                            return Err(StorageError::NotFound(subject));
                        }
                        "entry.delete"
                    }
                };
                change.commit(AuditLine { tenant: Some(tenant), node, action, subject }).await
            })
            .await
    }
}

/// Binds a row, from its key to its value.
pub(super) fn written<'q>(
    query: Query<'q>,
    bucket: Bucket<'_>,
    key: &str,
    value: &[u8],
    expires_at: Option<Timestamp>,
) -> Result<Query<'q>> {
    let number = number_in(value);
    Ok(at_key(query, bucket, key)
        .bind(fresh_version()?)
        .bind(number)
        .bind(count(key.len() + value.len()))
        .bind(expires_at.map(Timestamp::as_millisecond))
        .bind(if number.is_some() { Vec::new() } else { value.to_vec() }))
}

async fn apply(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    EntryWrite { bucket, key, value, expires_at }: &EntryWrite,
    now: Timestamp,
) -> Result<()> {
    let bucket = Bucket { tenant, name: bucket };
    let left = match value {
        NewValue::Bytes(value) => Some(Cow::Borrowed(value.as_slice())),
        NewValue::Fields(fields) => {
            let lock = written(sqlx::query(LOCK), bucket, key, NO_FIELDS.as_bytes(), *expires_at)?;
            let row = lock.fetch_one(&mut *connection).await.map_err(failed(DOING))?;
            let present = entry(&row)?;
            let is_over = present.expires_at.is_some_and(|end| end <= now);
            with_fields(if is_over { NO_FIELDS.as_bytes() } else { &present.value }, fields)?.map(Cow::Owned)
        }
        NewValue::Nothing => None,
    };
    let query = match &left {
        Some(value) => written(sqlx::query(WRITE), bucket, key, value, *expires_at)?,
        None => {
            at_key(sqlx::query("DELETE FROM key_values WHERE tenant = $1 AND bucket = $2 AND key = $3"), bucket, key)
        }
    };
    query.execute(connection).await.map(drop).map_err(failed(DOING))
}

/// An object with fields put over its own, if one is left.
fn with_fields(kept: &[u8], fields: &str) -> Result<Option<Vec<u8>>> {
    let kept = str::from_utf8(kept).map_err(|error| damaged("value", &error))?;
    let left = merged(kept, fields).map_err(|error| match error {
        MergeError::NotAnObject(_) => damaged("value", &error),
        MergeError::TooLarge(_) => StorageError::Invalid(error.to_string()),
    })?;
    Ok(left.map(String::into_bytes))
}

/// Finds no row where the entry has expired.
fn remove_present(tenant: &TenantId, removal: &EntryWrite, now: Timestamp) -> Query<'static> {
    let query = sqlx::query(
        "DELETE FROM key_values WHERE tenant = $1 AND bucket = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > $4)",
    );
    at_key(query, Bucket { tenant, name: &removal.bucket }, &removal.key).bind(now.as_millisecond())
}
