use jiff::Timestamp;
use model::{Actor, AuditEntry, TenantId};
use sqlx::any::AnyRow;

use crate::column::{number, optional_parsed, text, time};
use crate::retention::Rows;
use crate::{Result, Storage};

const AUDIT: Rows = Rows { table: "audit", key: "sequence", age: "at" };

impl Storage {
    /// The audit log, the newest first: of all tenants or of one, entries before `before`, at most `limit`.
    /// A tenant's begins with the tenant: one of the same name that was removed before is not its business.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable).
    pub async fn audit(&self, tenant: Option<&TenantId>, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>> {
        let query = sqlx::query(
            "SELECT sequence, at, actor, tenant, action, subject FROM audit \
             WHERE (tenant = $1 OR $1 = '') AND sequence < $2 \
                 AND sequence >= (SELECT COALESCE(MAX(created), 0) FROM tenants WHERE id = $1) ORDER BY sequence DESC LIMIT $3",
        )
        .bind(tenant.map_or_else(String::new, |tenant| tenant.as_str().to_owned()))
        .bind(before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX)))
        .bind(i64::from(limit));
        let rows = self.database.read("read the audit log", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(entry).collect()
    }

    /// Removes what was written before a time.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable); what was removed until then stays removed.
    pub async fn forget_audit(&self, before: Timestamp) -> Result<()> {
        self.remove_older(&AUDIT, before.as_millisecond()).await
    }
}

fn entry(row: &AnyRow) -> Result<AuditEntry> {
    Ok(AuditEntry {
        sequence: number(row, "sequence")?,
        at: time(row, "at")?,
        by: Actor::recorded(text(row, "actor")?),
        tenant: optional_parsed(row, "tenant")?,
        action: text(row, "action")?,
        subject: text(row, "subject")?,
    })
}
