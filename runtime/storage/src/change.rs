//! One change: a transaction, its tick of the clock, and its line in the audit log.
//!
//! The clock's row is taken first, so changes happen one after another, on all hosts together: their numbers rise in the order in which they
//! become visible, and no two of them can wait for each other.

use jiff::Timestamp;
use model::{Actor, NodeId, TenantId};
use sqlx::{Any, AnyConnection, Row as _, Transaction};

use crate::column::to_millis;
use crate::database::CHANNEL;
use crate::{Result, Storage, StorageError};

/// A change that is being made. Dropped before it is committed, it never happened.
pub(crate) struct Change {
    transaction: Transaction<'static, Any>,
    notification: Option<&'static str>,
    /// As [`Database::row_lock`](crate::database::Database::row_lock).
    pub(crate) row_lock: &'static str,
    /// Its number.
    pub(crate) sequence: i64,
    /// When it happens.
    pub(crate) at: Timestamp,
    /// Who makes it.
    pub(crate) by: Actor,
}

/// What a change is about.
pub(crate) struct Entry<'a> {
    pub(crate) tenant: Option<&'a TenantId>,
    pub(crate) node: Option<&'a NodeId>,
    pub(crate) action: &'static str,
    /// Never a secret.
    pub(crate) subject: String,
}

impl Storage {
    pub(crate) async fn begin(&self, by: &Actor) -> Result<Change> {
        let mut transaction = self.database.begin().await?;
        let tick = sqlx::query("UPDATE clock SET sequence = sequence + 1 WHERE id = 1 RETURNING sequence");
        let row = tick.fetch_one(&mut *transaction).await.map_err(failed("begin a change"))?;
        let sequence = row.try_get("sequence").map_err(failed("begin a change"))?;
        Ok(Change {
            transaction,
            notification: self.database.notification(),
            row_lock: self.database.row_lock(),
            sequence,
            at: to_millis(Timestamp::now()),
            by: by.clone(),
        })
    }
}

impl Change {
    /// What statements run on.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Its time, as it is stored.
    pub(crate) fn millis(&self) -> i64 {
        self.at.as_millisecond()
    }

    /// Writes the audit log's line, and commits. When it returns, the change is on the disk.
    pub(crate) async fn commit(mut self, entry: Entry<'_>) -> Result<()> {
        let line = sqlx::query(
            "INSERT INTO audit (sequence, at, actor, tenant, node, action, subject) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(self.sequence)
        .bind(self.millis())
        .bind(self.by.as_str().to_owned())
        .bind(entry.tenant.map(|tenant| tenant.as_str().to_owned()))
        .bind(entry.node.map(|node| node.as_str().to_owned()))
        .bind(entry.action)
        .bind(entry.subject);
        line.execute(&mut *self.transaction).await.map_err(failed("write the audit log"))?;
        if let Some(notification) = self.notification {
            let tell = sqlx::query(notification).bind(CHANNEL).bind(self.sequence.to_string());
            tell.execute(&mut *self.transaction).await.map_err(failed("tell other hosts"))?;
        }
        self.transaction.commit().await.map_err(failed("commit a change"))
    }
}

/// An error of the database's, where nothing finer is known.
pub(crate) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StorageError {
    move |error| StorageError::unavailable(doing, error)
}

/// The same, where a second row of the same name is the caller's mistake.
pub(crate) fn failed_or_exists(doing: &'static str, what: String) -> impl FnOnce(sqlx::Error) -> StorageError {
    move |error| {
        if error.as_database_error().is_some_and(|refusal| refusal.is_unique_violation()) {
            StorageError::Exists(what)
        } else {
            StorageError::unavailable(doing, error)
        }
    }
}
