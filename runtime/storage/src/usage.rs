//! What each tenant used, hour by hour: counted with its run records, and kept for longer than they are.

use jiff::Timestamp;
use model::{NodeId, TenantId, TenantUsage, Used};
use sqlx::{Any, Transaction};

use crate::column::{count, number, parsed};
use crate::{Result, Storage};

impl Storage {
    /// What a tenant used in the hours that began from `since` to before `until`, and what it has stored now.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable).
    pub async fn usage(&self, tenant: &TenantId, since: Timestamp, until: Timestamp) -> Result<TenantUsage> {
        let doing = "add up a tenant's usage";
        let query = sqlx::query(
            "SELECT node, CAST(SUM(runs) AS BIGINT) AS runs, CAST(SUM(bot_breaks) AS BIGINT) AS bot_breaks,
                 CAST(SUM(wall_micros) AS BIGINT) AS wall_micros, CAST(SUM(cpu_micros) AS BIGINT) AS cpu_micros,
                 CAST(SUM(event_bytes) AS BIGINT) AS event_bytes, CAST(SUM(reply_bytes) AS BIGINT) AS reply_bytes,
                 CAST(SUM(log_bytes) AS BIGINT) AS log_bytes
             FROM usage WHERE tenant = $1 AND hour >= $2 AND hour < $3 GROUP BY node",
        );
        let query = query.bind(tenant.as_str().to_owned()).bind(since.as_millisecond()).bind(until.as_millisecond());
        let rows = self.database.read(doing, query.fetch_all(&self.database.pool)).await?;
        let mut usage = TenantUsage::default();
        for row in &rows {
            let used = Used {
                runs: number(row, "runs")?,
                bot_breaks: number(row, "bot_breaks")?,
                wall_micros: number(row, "wall_micros")?,
                cpu_micros: number(row, "cpu_micros")?,
                event_bytes: number(row, "event_bytes")?,
                reply_bytes: number(row, "reply_bytes")?,
                log_bytes: number(row, "log_bytes")?,
            };
            usage.nodes.insert(parsed(row, "node")?, used);
        }
        let query = sqlx::query(
            "SELECT COUNT(*) AS artifacts, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM artifacts WHERE tenant = $1",
        );
        let query = query.bind(tenant.as_str().to_owned());
        let row = self.database.read(doing, query.fetch_one(&self.database.pool)).await?;
        usage.artifacts = number(&row, "artifacts")?;
        usage.artifact_bytes = number(&row, "bytes")?;
        let entries = self.weigh_entries(tenant).await?;
        (usage.kv_keys, usage.kv_bytes) = (entries.keys, entries.bytes);
        Ok(usage)
    }
}

/// Adds to what a node used in the hour that begins at these milliseconds.
pub(crate) async fn add_usage(
    transaction: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    node: &NodeId,
    hour: i64,
    used: &Used,
) -> sqlx::Result<()> {
    let query = sqlx::query(
        "INSERT INTO usage (tenant, node, hour, runs, bot_breaks, wall_micros, cpu_micros, event_bytes, reply_bytes, log_bytes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant, node, hour) DO UPDATE SET
             runs = usage.runs + excluded.runs,
             bot_breaks = usage.bot_breaks + excluded.bot_breaks,
             wall_micros = usage.wall_micros + excluded.wall_micros,
             cpu_micros = usage.cpu_micros + excluded.cpu_micros,
             event_bytes = usage.event_bytes + excluded.event_bytes,
             reply_bytes = usage.reply_bytes + excluded.reply_bytes,
             log_bytes = usage.log_bytes + excluded.log_bytes",
    )
    .bind(tenant.as_str().to_owned())
    .bind(node.as_str().to_owned())
    .bind(hour)
    .bind(count(used.runs))
    .bind(count(used.bot_breaks))
    .bind(count(used.wall_micros))
    .bind(count(used.cpu_micros))
    .bind(count(used.event_bytes))
    .bind(count(used.reply_bytes))
    .bind(count(used.log_bytes));
    query.execute(&mut **transaction).await.map(drop)
}
