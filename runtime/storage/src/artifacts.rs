use bytes::Bytes;
use jiff::Timestamp;
use model::{Actor, ArtifactId, Quota, TenantId};
use sqlx::any::AnyRow;
use tracing::warn;

use crate::change::{Change, Entry, failed};
use crate::column::{count, number, parsed, text, time};
use crate::{Result, Storage, StorageError};

const COLUMNS: &str = "sha256, bytes, inspection, created_at, created_by";

/// Uploaded bytes, by their name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The SHA-256 of the bytes.
    pub id: ArtifactId,
    /// How many there are.
    pub bytes: u64,
    /// What the sandbox found in them, as JSON text.
    pub inspection: String,
    /// When this tenant first uploaded them.
    pub created_at: Timestamp,
    /// Who did.
    pub created_by: Actor,
}

/// Bytes that were uploaded and inspected.
#[derive(Clone, Debug)]
pub struct NewArtifact {
    /// The SHA-256 of the bytes.
    pub id: ArtifactId,
    /// All of them.
    pub bytes: Bytes,
    /// What the sandbox found in them, as JSON text.
    pub inspection: String,
}

impl Storage {
    /// Keeps an artifact for a tenant. Uploading the same bytes again changes nothing, and says so with `false`; where the bytes are
    /// damaged, it mends them.
    ///
    /// The bytes are kept before their row is: what is interrupted in between is seen by nobody.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] for the tenant, [`StorageError::Invalid`] where the bytes have another name,
    /// [`StorageError::OverQuota`] where the tenant has as many artifacts, or as many bytes of them, as `quota` allows.
    pub async fn add_artifact(
        &self,
        tenant: &TenantId,
        new: &NewArtifact,
        quota: &Quota,
        by: &Actor,
    ) -> Result<(Artifact, bool)> {
        let doing = "keep an artifact";
        self.tenant(tenant).await?;
        match self.artifact(tenant, &new.id).await {
            Ok(known) => {
                self.mend(new).await?;
                return Ok((known, false));
            }
            Err(StorageError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        self.note_unowned(&new.id).await?;
        self.objects.put(&new.id, new.bytes.clone()).await?;
        let is_new = self
            .database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                change.tenant(tenant).await?;
                change.must_have_room(tenant, new.bytes.len(), quota).await?;
                let inserted = sqlx::query(
                    "INSERT INTO artifacts (tenant, sha256, bytes, inspection, created, created_at, created_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                )
                .bind(tenant.as_str().to_owned())
                .bind(new.id.to_string())
                .bind(count(new.bytes.len()))
                .bind(new.inspection.clone())
                .bind(change.sequence)
                .bind(change.millis())
                .bind(by.as_str().to_owned())
                .execute(change.connection())
                .await
                .map_err(failed(doing))?;
                if inserted.rows_affected() == 0 {
                    return Ok(false);
                }
                change.forget_unowned(&new.id).await?;
                let subject = new.id.to_string();
                change.commit(Entry { tenant: Some(tenant), node: None, action: "artifact.upload", subject }).await?;
                Ok(true)
            })
            .await?;
        Ok((self.artifact(tenant, &new.id).await?, is_new))
    }

    /// A tenant's artifact, without its bytes.
    ///
    /// # Errors
    /// [`StorageError::NotFound`]: also where only another tenant has it.
    pub async fn artifact(&self, tenant: &TenantId, id: &ArtifactId) -> Result<Artifact> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM artifacts WHERE tenant = $1 AND sha256 = $2"));
        let query = sqlx::query(sql).bind(tenant.as_str().to_owned()).bind(id.to_string());
        let row = self.database.read("find an artifact", query.fetch_optional(&self.database.pool)).await?;
        artifact(&row.ok_or_else(|| no_artifact(id))?)
    }

    /// A tenant's artifacts, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn artifacts(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Artifact>> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM artifacts WHERE tenant = $1 ORDER BY created DESC LIMIT $2"
        ));
        let query = sqlx::query(sql).bind(tenant.as_str().to_owned()).bind(i64::from(limit));
        let rows = self.database.read("list the artifacts", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(artifact).collect()
    }

    /// Removes an artifact from a tenant. Its bytes stay until [`Storage::remove_unowned`].
    ///
    /// # Errors
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] where revisions run it, naming some.
    pub async fn delete_artifact(&self, tenant: &TenantId, id: &ArtifactId, by: &Actor) -> Result<()> {
        let doing = "remove an artifact";
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                change.must_have_artifact(tenant, id).await?;
                change.must_be_unused(tenant, id).await?;
                change.note_unowned(tenant, Some(id)).await?;
                let query = sqlx::query("DELETE FROM artifacts WHERE tenant = $1 AND sha256 = $2");
                let query = query.bind(tenant.as_str().to_owned()).bind(id.to_string());
                query.execute(change.connection()).await.map_err(failed(doing))?;
                let subject = id.to_string();
                change.commit(Entry { tenant: Some(tenant), node: None, action: "artifact.delete", subject }).await
            })
            .await
    }

    /// The bytes of an artifact. They are the same for all tenants; whether one may have them is asked of [`Storage::artifact`].
    ///
    /// # Errors
    /// [`StorageError::Damaged`] where they are gone or changed.
    pub async fn artifact_bytes(&self, id: &ArtifactId) -> Result<Bytes> {
        self.objects.get(id).await
    }

    /// Puts the bytes back where they are gone or changed.
    async fn mend(&self, new: &NewArtifact) -> Result<()> {
        match self.objects.get(&new.id).await {
            Ok(_) => Ok(()),
            Err(StorageError::Damaged(damage)) => {
                self.objects.put(&new.id, new.bytes.clone()).await?;
                warn!(damage, "uploaded again: the artifact is whole");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Change {
    /// Asked within the change, for nobody can remove the artifact before it is over.
    pub(crate) async fn must_have_artifact(&mut self, tenant: &TenantId, id: &ArtifactId) -> Result<()> {
        let query = sqlx::query("SELECT sha256 FROM artifacts WHERE tenant = $1 AND sha256 = $2");
        let query = query.bind(tenant.as_str().to_owned()).bind(id.to_string());
        let row = query.fetch_optional(self.connection()).await.map_err(failed("find an artifact"))?;
        row.map(drop).ok_or_else(|| no_artifact(id))
    }

    async fn must_be_unused(&mut self, tenant: &TenantId, id: &ArtifactId) -> Result<()> {
        let query = sqlx::query(
            "SELECT node, number FROM revisions WHERE tenant = $1 AND artifact = $2 ORDER BY created DESC LIMIT 3",
        );
        let query = query.bind(tenant.as_str().to_owned()).bind(id.to_string());
        let rows = query.fetch_all(self.connection()).await.map_err(failed("find an artifact's revisions"))?;
        let users = rows.iter().map(|row| Ok(format!("{} of {}", number::<u32>(row, "number")?, text(row, "node")?)));
        let users: Vec<String> = users.collect::<Result<_>>()?;
        if users.is_empty() {
            return Ok(());
        }
        Err(StorageError::Conflict(format!(
            "the artifact {id} is run by the revisions {}: delete those first",
            users.join(", ")
        )))
    }

    async fn must_have_room(&mut self, tenant: &TenantId, bytes: usize, quota: &Quota) -> Result<()> {
        let query = sqlx::query(
            "SELECT COUNT(*) AS artifacts, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM artifacts WHERE tenant = $1",
        );
        let query = query.bind(tenant.as_str().to_owned());
        let row = query.fetch_one(self.connection()).await.map_err(failed("weigh the artifacts"))?;
        let (artifacts, stored): (u64, u64) = (number(&row, "artifacts")?, number(&row, "bytes")?);
        let full = if artifacts >= u64::from(quota.artifacts) {
            format!("has {artifacts} artifacts, as many as its quota `artifacts` allows")
        } else if stored.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)) > quota.artifact_bytes {
            format!(
                "has {stored} bytes of artifacts, and with {bytes} more it had more than its quota `artifact_size` allows, {}",
                quota.artifact_bytes
            )
        } else {
            return Ok(());
        };
        Err(StorageError::OverQuota(format!(
            "the tenant {tenant} {full}: delete artifacts that no revision runs, or have an operator raise it"
        )))
    }
}

fn no_artifact(id: &ArtifactId) -> StorageError {
    StorageError::NotFound(format!("artifact {id}: upload it first"))
}

fn artifact(row: &AnyRow) -> Result<Artifact> {
    Ok(Artifact {
        id: parsed(row, "sha256")?,
        bytes: number(row, "bytes")?,
        inspection: text(row, "inspection")?,
        created_at: time(row, "created_at")?,
        created_by: Actor::recorded(text(row, "created_by")?),
    })
}
