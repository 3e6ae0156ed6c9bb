//! The secrets that a node's events are signed with: two at most, sealed, never given back.

use jiff::Timestamp;
use model::{Actor, NodeId, TenantId, WebhookSecret};
use sqlx::any::AnyRow;

use crate::change::{Change, failed};
use crate::column::{optional_time, text, time, to_millis};
use crate::database::Rows;
use crate::error::storable;
use crate::nodes::entry;
use crate::{By, Result, Storage, StorageError};

const SECRET_BYTES: usize = 4096;
/// The one in use, and while they are rotated the other one.
const MAX_SECRETS: usize = 2;
const ID_BYTES: usize = 4;

impl Storage {
    /// Gives a node a secret. If it has one already, that one is refused from `retire_others_at` on.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where the node has two, or has one and nobody says when it retires.
    pub async fn add_secret(
        &self,
        tenant: &TenantId,
        node: &NodeId,
        secret: &str,
        retire_others_at: Option<Timestamp>,
        by: impl Into<By<'_, WebhookSecret>>,
    ) -> Result<WebhookSecret> {
        let (doing, by) = ("set a secret", by.into());
        storable("the secret", secret, SECRET_BYTES)?;
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).map_err(|error| StorageError::unavailable("draw random bytes", error))?;
        let id = hex::encode(id);
        let sealed = self.keyring.seal(secret, &place(tenant, node, &id))?;
        self.database.change(doing, async {
            let mut change = self.begin(by.actor).await?;
            change.node(tenant, node).await?;
            change.drop_retired(tenant, node).await?;
            let others = change.secrets(tenant, node).await?.len();
            if others >= MAX_SECRETS {
                return Err(StorageError::Conflict(format!(
                    "the node {node} has two secrets already: remove one, or wait until the older one retires"
                )));
            }
            if others > 0 {
                let at = retire_others_at.ok_or_else(|| {
                    StorageError::Conflict(format!(
                        "the node {node} has a secret already: say when the older one retires, so that senders can change over"
                    ))
                })?;
                change.retire(tenant, node, at).await?;
            }
            change.insert_secret(tenant, node, &id, sealed).await?;
            let secret =
                WebhookSecret { id: id.clone(), created_at: change.at, created_by: by.actor.clone(), retires_at: None };
            change.keep_answer(&self.keyring, &by, &secret).await?;
            change.commit(entry(tenant, node, "secret.add", format!("{node} secret {id}"))).await?;
            Ok(secret)
        })
        .await
    }

    /// A node's secrets, the oldest first, without what is secret.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn secrets(&self, tenant: &TenantId, node: &NodeId) -> Result<Vec<WebhookSecret>> {
        let query = secrets_of(tenant, node);
        let rows = self.database.read("list the secrets", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(secret).collect()
    }

    /// Removes a secret: what is signed with it is refused from now on.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn delete_secret(&self, tenant: &TenantId, node: &NodeId, id: &str, by: &Actor) -> Result<()> {
        let doing = "remove a secret";
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let query = sqlx::query("DELETE FROM webhook_secrets WHERE tenant = $1 AND node = $2 AND id = $3")
                    .bind(tenant.as_str().to_owned())
                    .bind(node.as_str().to_owned())
                    .bind(id.to_owned());
                let done = query.execute(change.connection()).await.map_err(failed(doing))?;
                if done.rows_affected() == 0 {
                    return Err(StorageError::NotFound(format!("secret {id} of the node {node}")));
                }
                change.commit(entry(tenant, node, "secret.delete", format!("{node} secret {id}"))).await
            })
            .await
    }

    /// Seals every secret anew that is sealed with another master key than the first, those of connections and of configurations too, and says how many there were; and
    /// every answer that is kept.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] where a key that opens one of them is not configured; then nothing has changed.
    pub async fn reseal(&self, by: &Actor) -> Result<usize> {
        let doing = "seal the secrets anew";
        let mut change = self.begin(by).await?;
        let query = sqlx::query("SELECT tenant, node, id, sealed FROM webhook_secrets");
        let rows: Rows = query.fetch_all(change.connection()).await.map_err(failed(doing))?;
        let mut resealed = 0;
        for row in &rows {
            let sealed = text(row, "sealed")?;
            if !self.keyring.is_outdated(&sealed) {
                continue;
            }
            let (tenant, node, id) = (text(row, "tenant")?, text(row, "node")?, text(row, "id")?);
            let place = format!("{tenant}/{node}/{id}");
            let sealed = self.keyring.seal(&self.keyring.open(&sealed, &place)?, &place)?;
            sqlx::query("UPDATE webhook_secrets SET sealed = $1 WHERE tenant = $2 AND node = $3 AND id = $4")
                .bind(sealed)
                .bind(tenant)
                .bind(node)
                .bind(id)
                .execute(change.connection())
                .await
                .map_err(failed(doing))?;
            resealed += 1;
        }
        resealed += change.reseal_connections(&self.keyring).await?;
        resealed += change.reseal_config(&self.keyring).await?;
        change.reseal_answers(&self.keyring).await?;
        let subject = format!("{resealed} secrets with the key {}", self.keyring.current());
        change.commit(crate::change::Entry { tenant: None, node: None, action: "keys.rotate", subject }).await?;
        Ok(resealed)
    }
}

impl Change {
    async fn secrets(&mut self, tenant: &TenantId, node: &NodeId) -> Result<Rows> {
        secrets_of(tenant, node).fetch_all(self.connection()).await.map_err(failed("list the secrets"))
    }

    async fn drop_retired(&mut self, tenant: &TenantId, node: &NodeId) -> Result<()> {
        let now = self.millis();
        sqlx::query("DELETE FROM webhook_secrets WHERE tenant = $1 AND node = $2 AND retires_at <= $3")
            .bind(tenant.as_str().to_owned())
            .bind(node.as_str().to_owned())
            .bind(now)
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed("remove retired secrets"))
    }

    async fn retire(&mut self, tenant: &TenantId, node: &NodeId, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE webhook_secrets SET retires_at = $1 WHERE tenant = $2 AND node = $3")
            .bind(to_millis(at).as_millisecond())
            .bind(tenant.as_str().to_owned())
            .bind(node.as_str().to_owned())
            .execute(self.connection())
            .await
            .map(drop)
            .map_err(failed("retire a secret"))
    }

    async fn insert_secret(&mut self, tenant: &TenantId, node: &NodeId, id: &str, sealed: String) -> Result<()> {
        let (sequence, millis, by) = (self.sequence, self.millis(), self.by.as_str().to_owned());
        sqlx::query(
            "INSERT INTO webhook_secrets (tenant, node, id, sealed, created, created_at, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(tenant.as_str().to_owned())
        .bind(node.as_str().to_owned())
        .bind(id.to_owned())
        .bind(sealed)
        .bind(sequence)
        .bind(millis)
        .bind(by)
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(failed("set a secret"))
    }
}

/// What a secret is sealed for.
pub(crate) fn place(tenant: &TenantId, node: &NodeId, id: &str) -> String {
    format!("{tenant}/{node}/{id}")
}

fn secrets_of(tenant: &TenantId, node: &NodeId) -> sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments> {
    sqlx::query(
        "SELECT id, created_at, created_by, retires_at FROM webhook_secrets WHERE tenant = $1 AND node = $2 ORDER BY created",
    )
    .bind(tenant.as_str().to_owned())
    .bind(node.as_str().to_owned())
}

fn secret(row: &AnyRow) -> Result<WebhookSecret> {
    Ok(WebhookSecret {
        id: text(row, "id")?,
        created_at: time(row, "created_at")?,
        created_by: Actor::recorded(text(row, "created_by")?),
        retires_at: optional_time(row, "retires_at")?,
    })
}
