//! Run records. They come in pages: one row holds many records of one node, so that a run's record costs a small part of the run.

mod form;
mod page;
mod search;

use jiff::Timestamp;
use model::{Record, RunId, TenantId};
use sqlx::{Any, Transaction};

use crate::change::failed;
use crate::column::count;
use crate::retention::Rows;
use crate::{Result, Storage, StorageError};

pub use page::RunPages;
pub use search::{FoundRuns, RunFilter};

use crate::usage::add_usage;
use page::{MOST_SPAN, Page};

/// As long is it told what a tenant used.
const USAGE_DAYS: i64 = 400;
const RUN_PAGES: Rows = Rows { table: "run_pages", key: "tenant, node, last", age: "last" };
const USAGE: Rows = Rows { table: "usage", key: "tenant, node, hour", age: "hour" };

impl Storage {
    /// Keeps these records, and adds them to what their nodes used: all of them or none. May be tried again after an error, whatever became of it.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn write_runs(&self, pages: &RunPages) -> Result<()> {
        let doing = "write run records";
        self.database
            .change(doing, async {
                let mut transaction = self.database.begin().await?;
                for page in pages.iter() {
                    if write_page(&mut transaction, page).await.map_err(failed(doing))? {
                        add_usage(&mut transaction, &page.tenant, &page.node, page.hour(), &page.used)
                            .await
                            .map_err(failed(doing))?;
                    }
                }
                transaction.commit().await.map_err(failed(doing))
            })
            .await
    }

    /// One record, of this tenant or of any.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn run(&self, id: RunId, tenant: Option<&TenantId>) -> Result<Record> {
        let until = id.time().checked_add(MOST_SPAN).unwrap_or(Timestamp::MAX);
        let (condition, tenant) = match tenant {
            Some(tenant) => ("tenant = $3 AND", tenant.as_str().to_owned()),
            None => ("$3 = '' AND", String::new()),
        };
        let sql = format!(
            "SELECT tenant, node, body FROM run_pages WHERE {condition} last >= $1 AND last < $2 AND first <= $1"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = query.bind(id.to_string()).bind(RunId::first_at(until).to_string()).bind(tenant);
        let rows = self.database.read("find a run record", query.fetch_all(&self.database.pool)).await?;
        for row in rows {
            if let Some(record) = page::decode(&row)?.into_iter().find(|record| record.id == id) {
                return Ok(record);
            }
        }
        Err(StorageError::NotFound(format!("record of a run {id}, or it is not kept any more")))
    }

    /// Removes the records of runs before `oldest`, and the oldest of each tenant that has more than `tenant_bytes`.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`]; what was removed until then stays removed.
    pub async fn forget_runs(&self, oldest: Timestamp, tenant_bytes: u64) -> Result<()> {
        self.remove_older(&RUN_PAGES, RunId::first_at(oldest).to_string()).await?;
        let long_ago = oldest.min(Timestamp::now()).as_millisecond() - USAGE_DAYS * 86_400_000;
        self.remove_older(&USAGE, long_ago).await?;
        self.remove_beyond(&RUN_PAGES, tenant_bytes).await
    }
}

/// Whether it is there now and was not before.
async fn write_page(transaction: &mut Transaction<'_, Any>, page: &Page) -> sqlx::Result<bool> {
    let query = sqlx::query(
        "INSERT INTO run_pages (tenant, node, first, last, causes, bytes, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant, node, last) DO NOTHING",
    )
    .bind(page.tenant.as_str().to_owned())
    .bind(page.node.as_str().to_owned())
    .bind(page.first.to_string())
    .bind(page.last.to_string())
    .bind(page.causes.clone())
    .bind(count(page.body.len()))
    .bind(page.body.clone());
    Ok(query.execute(&mut **transaction).await?.rows_affected() == 1)
}
