use model::quota::Overrides;
use model::{Actor, Quota, QuotaError, Tenant, TenantId};
use sqlx::any::AnyRow;

use crate::change::{Change, Entry, failed, failed_or_exists};
use crate::column::{damaged, number, parsed, text, time};
use crate::{By, Result, Storage, StorageError};

pub(crate) const COLUMNS: &str = "id, quota, version, created_at";

impl Storage {
    /// Makes a tenant, without keys or nodes.
    ///
    /// # Errors
    /// [`StorageError::Exists`].
    pub async fn create_tenant(&self, id: &TenantId, by: impl Into<By<'_, Tenant>>) -> Result<Tenant> {
        let (doing, by) = ("make a tenant", by.into());
        self.database
            .change(doing, async {
                let mut change = self.begin(by.actor).await?;
                sqlx::query("INSERT INTO tenants (id, created, created_at) VALUES ($1, $2, $3)")
                    .bind(id.as_str().to_owned())
                    .bind(change.sequence)
                    .bind(change.millis())
                    .execute(change.connection())
                    .await
                    .map_err(failed_or_exists(doing, format!("the tenant {id}")))?;
                let tenant = change.tenant(id).await?;
                change.keep_answer(&self.keyring, &by, &tenant).await?;
                change
                    .commit(Entry { tenant: Some(id), node: None, action: "tenant.create", subject: id.to_string() })
                    .await?;
                Ok(tenant)
            })
            .await
    }

    /// All tenants, the oldest first.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        let query = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tenants ORDER BY created")));
        let rows = self.database.read("list the tenants", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(tenant).collect()
    }

    /// One tenant.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn tenant(&self, id: &TenantId) -> Result<Tenant> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tenants WHERE id = $1"));
        let query = sqlx::query(sql).bind(id.as_str().to_owned());
        let row = self.database.read("find a tenant", query.fetch_optional(&self.database.pool)).await?;
        tenant(&row.ok_or_else(|| no_tenant(id))?)
    }

    /// Changes what a tenant may use; `version` is the tenant's version that the caller has seen, where it cares.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where the tenant has changed since, [`StorageError::NotFound`], [`StorageError::Invalid`] with every value
    /// that is out of range.
    pub async fn set_quota(
        &self,
        id: &TenantId,
        quota: &Overrides,
        version: Option<u64>,
        by: &Actor,
    ) -> Result<Tenant> {
        let doing = "change a tenant";
        let quota_text = quota_text(quota)?;
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let tenant = change.tenant(id).await?;
                unchanged(&format!("tenant {id}"), tenant.version, version)?;
                sqlx::query("UPDATE tenants SET quota = $1, version = version + 1 WHERE id = $2")
                    .bind(quota_text)
                    .bind(id.as_str().to_owned())
                    .execute(change.connection())
                    .await
                    .map_err(failed(doing))?;
                change
                    .commit(Entry { tenant: Some(id), node: None, action: "tenant.quota", subject: id.to_string() })
                    .await?;
                Ok(Tenant { quota: quota.clone(), version: tenant.version + 1, ..tenant })
            })
            .await
    }

    /// Removes a tenant with its keys, nodes, revisions, secrets, run records, messages and what its nodes keep. Runs under way go on to their end.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn delete_tenant(&self, id: &TenantId, by: &Actor) -> Result<()> {
        let doing = "remove a tenant";
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                change.note_unowned(id, None).await?;
                // Revisions refer to artifacts too, and one statement could meet the artifacts first.
                for statement in [
                    "DELETE FROM nodes WHERE tenant = $1",
                    "DELETE FROM run_pages WHERE tenant = $1",
                    "DELETE FROM usage WHERE tenant = $1",
                    "DELETE FROM deliveries WHERE tenant = $1",
                ] {
                    let query = sqlx::query(statement).bind(id.as_str().to_owned());
                    query.execute(change.connection()).await.map_err(failed(doing))?;
                }
                change.delete_entries(id, None).await?;
                change.delete_messages(id).await?;
                let tenant = sqlx::query("DELETE FROM tenants WHERE id = $1").bind(id.as_str().to_owned());
                let done = tenant.execute(change.connection()).await.map_err(failed(doing))?;
                if done.rows_affected() == 0 {
                    return Err(no_tenant(id));
                }
                change
                    .commit(Entry { tenant: Some(id), node: None, action: "tenant.delete", subject: id.to_string() })
                    .await
            })
            .await
    }
}

impl Change {
    /// The tenant as it is within this change; nobody can remove it before that is over.
    pub(crate) async fn tenant(&mut self, id: &TenantId) -> Result<Tenant> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tenants WHERE id = $1"));
        let query = sqlx::query(sql).bind(id.as_str().to_owned());
        let row = query.fetch_optional(self.connection()).await.map_err(failed("find a tenant"))?;
        tenant(&row.ok_or_else(|| no_tenant(id))?)
    }
}

fn no_tenant(id: &TenantId) -> StorageError {
    StorageError::NotFound(format!("tenant {id}"))
}

/// Refuses to go on where somebody else was faster.
pub(crate) fn unchanged(what: &str, present: u64, seen: Option<u64>) -> Result<()> {
    match seen {
        Some(seen) if seen != present => Err(StorageError::Conflict(format!(
            "the {what} has changed: you have seen version {seen}, it is at {present}; read it again and decide anew"
        ))),
        Some(_) | None => Ok(()),
    }
}

fn quota_text(quota: &Overrides) -> Result<String> {
    if let Err(errors) = Quota::DEFAULT.with(quota) {
        let lines: Vec<String> = errors.iter().map(QuotaError::to_string).collect();
        return Err(StorageError::Invalid(lines.join("; ")));
    }
    serde_json::to_string(quota).map_err(|error| StorageError::Invalid(error.to_string()))
}

pub(crate) fn tenant(row: &AnyRow) -> Result<Tenant> {
    Ok(Tenant {
        id: parsed(row, "id")?,
        quota: serde_json::from_str(&text(row, "quota")?).map_err(|error| damaged("quota", &error))?,
        version: number(row, "version")?,
        created_at: time(row, "created_at")?,
    })
}
