use model::{Actor, Tenant, TenantId};
use sqlx::any::AnyRow;

use crate::change::{Change, Entry, failed, failed_or_exists};
use crate::column::{parsed, time};
use crate::database::within;
use crate::{Result, Storage, StorageError};

impl Storage {
    /// Makes a tenant, without keys or nodes.
    ///
    /// # Errors
    /// [`StorageError::Exists`].
    pub async fn create_tenant(&self, id: &TenantId, by: &Actor) -> Result<Tenant> {
        let doing = "make a tenant";
        within(doing, async {
            let mut change = self.begin(by).await?;
            sqlx::query("INSERT INTO tenants (id, created, created_at) VALUES ($1, $2, $3)")
                .bind(id.as_str().to_owned())
                .bind(change.sequence)
                .bind(change.millis())
                .execute(change.connection())
                .await
                .map_err(failed_or_exists(doing, format!("the tenant {id}")))?;
            let tenant = Tenant { id: id.clone(), created_at: change.at };
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
        let query = sqlx::query("SELECT id, created_at FROM tenants ORDER BY created");
        let rows = self.database.read("list the tenants", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(tenant).collect()
    }

    /// One tenant.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn tenant(&self, id: &TenantId) -> Result<Tenant> {
        let query = sqlx::query("SELECT id, created_at FROM tenants WHERE id = $1").bind(id.as_str().to_owned());
        let row = self.database.read("find a tenant", query.fetch_optional(&self.database.pool)).await?;
        tenant(&row.ok_or_else(|| no_tenant(id))?)
    }

    /// Removes a tenant with its keys, nodes, revisions, secrets and run records. Runs under way go on to their end.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn delete_tenant(&self, id: &TenantId, by: &Actor) -> Result<()> {
        let doing = "remove a tenant";
        within(doing, async {
            let mut change = self.begin(by).await?;
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
    /// Asked within the change, for nobody can remove the tenant before it is over.
    pub(crate) async fn must_have_tenant(&mut self, id: &TenantId) -> Result<()> {
        let query = sqlx::query("SELECT id FROM tenants WHERE id = $1").bind(id.as_str().to_owned());
        let row = query.fetch_optional(self.connection()).await.map_err(failed("find a tenant"))?;
        row.map(drop).ok_or_else(|| no_tenant(id))
    }
}

fn no_tenant(id: &TenantId) -> StorageError {
    StorageError::NotFound(format!("tenant {id}"))
}

fn tenant(row: &AnyRow) -> Result<Tenant> {
    Ok(Tenant { id: parsed(row, "id")?, created_at: time(row, "created_at")? })
}
