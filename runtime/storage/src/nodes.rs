use model::{Actor, Door, Node, NodeId, Quota, TenantId};
use sqlx::any::AnyRow;

use crate::change::{Change, Entry, failed, failed_or_exists};
use crate::column::{count, damaged, number, optional_number, parsed, text, time};
use crate::tenants::unchanged;
use crate::{Bucket, By, Result, Storage, StorageError};

const COLUMNS: &str = "tenant, id, door, live, previous, version, created_at";

impl Storage {
    /// Makes a node, without revisions or secrets: it takes no events yet.
    ///
    /// # Errors
    /// [`StorageError::Exists`], [`StorageError::NotFound`] for the tenant, [`StorageError::Invalid`] for the door,
    /// [`StorageError::OverQuota`] where the tenant has as many as `quota` allows.
    pub async fn create_node(
        &self,
        tenant: &TenantId,
        id: &NodeId,
        door: &Door,
        quota: &Quota,
        by: impl Into<By<'_, Node>>,
    ) -> Result<Node> {
        let (doing, by) = ("make a node", by.into());
        let door_text = door_text(door)?;
        self.database
            .change(doing, async {
                let mut change = self.begin(by.actor).await?;
                change.tenant(tenant).await?;
                sqlx::query(
                    "INSERT INTO nodes (tenant, id, door, version, created, created_at) VALUES ($1, $2, $3, 1, $4, $5)",
                )
                .bind(tenant.as_str().to_owned())
                .bind(id.as_str().to_owned())
                .bind(door_text)
                .bind(change.sequence)
                .bind(change.millis())
                .execute(change.connection())
                .await
                .map_err(failed_or_exists(doing, format!("the node {id}")))?;
                change.must_be_within(tenant, quota).await?;
                let node = change.node(tenant, id).await?;
                change.keep_answer(&self.keyring, &by, &node).await?;
                change.commit(entry(tenant, id, "node.create", id.to_string())).await?;
                Ok(node)
            })
            .await
    }

    /// A tenant's nodes, the oldest first.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn nodes(&self, tenant: &TenantId) -> Result<Vec<Node>> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM nodes WHERE tenant = $1 ORDER BY created"));
        let query = sqlx::query(sql).bind(tenant.as_str().to_owned());
        let rows = self.database.read("list the nodes", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(node).collect()
    }

    /// One node.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn node(&self, tenant: &TenantId, id: &NodeId) -> Result<Node> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM nodes WHERE tenant = $1 AND id = $2"));
        let query = sqlx::query(sql).bind(tenant.as_str().to_owned()).bind(id.as_str().to_owned());
        let row = self.database.read("find a node", query.fetch_optional(&self.database.pool)).await?;
        node(&row.ok_or_else(|| no_node(id))?)
    }

    /// Changes which events a node takes; `version` is the node's version that the caller has seen, where it cares.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where the node has changed since, [`StorageError::NotFound`], [`StorageError::Invalid`].
    pub async fn set_door(
        &self,
        tenant: &TenantId,
        id: &NodeId,
        door: &Door,
        version: Option<u64>,
        by: &Actor,
    ) -> Result<Node> {
        let doing = "change a node";
        let door_text = door_text(door)?;
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let node = change.node(tenant, id).await?;
                unchanged(&format!("node {id}"), node.version, version)?;
                sqlx::query("UPDATE nodes SET door = $1, version = version + 1 WHERE tenant = $2 AND id = $3")
                    .bind(door_text)
                    .bind(tenant.as_str().to_owned())
                    .bind(id.as_str().to_owned())
                    .execute(change.connection())
                    .await
                    .map_err(failed(doing))?;
                change.commit(entry(tenant, id, "node.door", id.to_string())).await?;
                Ok(Node { door: door.clone(), version: node.version + 1, ..node })
            })
            .await
    }

    /// Removes a node with its revisions, its secrets, its configuration and what it alone keeps. Runs under way go on to their end.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn delete_node(&self, tenant: &TenantId, id: &NodeId, by: &Actor) -> Result<()> {
        let doing = "remove a node";
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let query = sqlx::query("DELETE FROM nodes WHERE tenant = $1 AND id = $2");
                let query = query.bind(tenant.as_str().to_owned()).bind(id.as_str().to_owned());
                let done = query.execute(change.connection()).await.map_err(failed(doing))?;
                if done.rows_affected() == 0 {
                    return Err(no_node(id));
                }
                change.delete_entries(tenant, Some(&Bucket::of_node(id))).await?;
                change.delete_config_of(tenant, id).await?;
                change.commit(entry(tenant, id, "node.delete", id.to_string())).await
            })
            .await
    }
}

impl Change {
    /// Counts the new one in.
    async fn must_be_within(&mut self, tenant: &TenantId, quota: &Quota) -> Result<()> {
        let query = sqlx::query("SELECT COUNT(*) AS nodes FROM nodes WHERE tenant = $1");
        let query = query.bind(tenant.as_str().to_owned());
        let row = query.fetch_one(self.connection()).await.map_err(failed("count the nodes"))?;
        if number::<u64>(&row, "nodes")? <= u64::from(quota.nodes) {
            return Ok(());
        }
        Err(StorageError::OverQuota(format!(
            "the tenant {tenant} has {} nodes, as many as its quota `nodes` allows: delete one, or have an operator raise it",
            quota.nodes
        )))
    }

    /// The node as it is within this change.
    pub(crate) async fn node(&mut self, tenant: &TenantId, id: &NodeId) -> Result<Node> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM nodes WHERE tenant = $1 AND id = $2"));
        let query = sqlx::query(sql).bind(tenant.as_str().to_owned()).bind(id.as_str().to_owned());
        let row = query.fetch_optional(self.connection()).await.map_err(failed("find a node"))?;
        node(&row.ok_or_else(|| no_node(id))?)
    }
}

pub(crate) fn no_node(id: &NodeId) -> StorageError {
    StorageError::NotFound(format!("node {id}"))
}

pub(crate) const fn entry<'a>(
    tenant: &'a TenantId,
    node: &'a NodeId,
    action: &'static str,
    subject: String,
) -> Entry<'a> {
    Entry { tenant: Some(tenant), node: Some(node), action, subject }
}

fn door_text(door: &Door) -> Result<String> {
    if door.schemes.is_empty() {
        return Err(StorageError::Invalid(
            "`schemes` is empty, so no signature could be right: name sha1, sha256 or standard".to_owned(),
        ));
    }
    if door.repeat_window.is_some_and(|window| !Door::REPEAT_WINDOWS.contains(&window)) {
        return Err(StorageError::Invalid("`repeat_window` must be from 1s to 7days".to_owned()));
    }
    serde_json::to_string(door).map_err(|error| StorageError::Invalid(error.to_string()))
}

pub(crate) fn node(row: &AnyRow) -> Result<Node> {
    let revision = |name| -> Result<_> {
        let number: Option<u32> = optional_number(row, name)?;
        number.map(TryInto::try_into).transpose().map_err(|error| damaged(name, &error))
    };
    Ok(Node {
        tenant: parsed(row, "tenant")?,
        id: parsed(row, "id")?,
        door: serde_json::from_str(&text(row, "door")?).map_err(|error| damaged("door", &error))?,
        live: revision("live")?,
        previous: revision("previous")?,
        version: number(row, "version")?,
        created_at: time(row, "created_at")?,
    })
}

/// A revision's number, as the databases take it.
pub(crate) fn revision_number(number: model::RevisionNumber) -> i64 {
    count(u32::from(number))
}
