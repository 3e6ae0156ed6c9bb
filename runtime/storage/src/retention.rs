//! What is too old goes, and of each tenant what is too much: the oldest first, so many at a time that nobody waits long for a lock.

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use crate::column::{count, number, text};
use crate::{Result, Storage};

/// Rows that one statement removes.
const REMOVED_AT_ONCE: i64 = 500;

/// A table of a tenant's rows, each of which says its `bytes`.
pub(crate) struct Rows {
    pub(crate) table: &'static str,
    /// The columns that tell a row from another.
    pub(crate) key: &'static str,
    /// The column that sorts them by age.
    pub(crate) age: &'static str,
}

impl Storage {
    /// Removes rows whose age is before `bound`, but for those that somebody is writing in this very moment: who waited for them could be too late
    /// to see that they are young again, or wait in a circle.
    pub(crate) async fn remove_older<'q, B>(&self, rows: &Rows, bound: B) -> Result<()>
    where
        B: sqlx::Encode<'q, Any> + sqlx::Type<Any> + Clone + Send + 'q,
    {
        let Rows { table, key, age } = rows;
        let lock = self.database.row_lock_unless_locked();
        self.remove_all(
            format!(
                "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {age} < $1 LIMIT $2 {lock})"
            ),
            |query| query.bind(bound.clone()),
        )
        .await
    }

    /// Removes the oldest rows of each tenant that has more than `tenant_bytes`; those without bytes stay.
    pub(crate) async fn remove_beyond(&self, rows: &Rows, tenant_bytes: u64) -> Result<()> {
        let Rows { table, key, age } = rows;
        let sql = format!("SELECT tenant, CAST(SUM(bytes) AS BIGINT) AS bytes FROM {table} GROUP BY tenant");
        let weighed = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.database.pool);
        for row in self.database.read("weigh what tenants keep", weighed).await? {
            if number::<u64>(&row, "bytes")? <= tenant_bytes {
                continue;
            }
            let tenant = text(&row, "tenant")?;
            self.remove_all(
                format!(
                    "DELETE FROM {table} WHERE ({key}) IN (
                         SELECT {key} FROM (
                             SELECT {key}, bytes, SUM(bytes) OVER (ORDER BY {age} DESC, {key}) AS with_newer
                             FROM {table} WHERE tenant = $1
                         ) AS weighed WHERE bytes > 0 AND with_newer > $2 LIMIT $3
                     )"
                ),
                |query| query.bind(tenant.clone()).bind(count(tenant_bytes)),
            )
            .await?;
        }
        Ok(())
    }

    /// Repeats a statement, whose last argument is how many rows it may remove, until it finds no more.
    async fn remove_all<'q>(
        &self,
        sql: String,
        bind: impl Fn(Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments>,
    ) -> Result<()> {
        loop {
            let query = bind(sqlx::query(AssertSqlSafe(sql.clone()))).bind(REMOVED_AT_ONCE);
            let removal = async {
                let _turn = self.database.turn().await;
                query.execute(&self.database.pool).await
            };
            let removed = self.database.read("remove what is too old", removal).await?;
            if removed.rows_affected() < REMOVED_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
