use bytes::Bytes;
use jiff::Timestamp;
use model::{Actor, ArtifactId, TenantId};
use sqlx::any::AnyRow;
use tracing::warn;

use crate::change::{Entry, failed};
use crate::column::{count, number, parsed, text, time};
use crate::database::within;
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
    /// [`StorageError::NotFound`] for the tenant, [`StorageError::Invalid`] where the bytes have another name.
    pub async fn add_artifact(&self, tenant: &TenantId, new: &NewArtifact, by: &Actor) -> Result<(Artifact, bool)> {
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
        self.objects.put(&new.id, new.bytes.clone()).await?;
        let is_new = within(doing, async {
            let mut change = self.begin(by).await?;
            change.must_have_tenant(tenant).await?;
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
        artifact(&row.ok_or_else(|| StorageError::NotFound(format!("artifact {id}: upload it first")))?)
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

fn artifact(row: &AnyRow) -> Result<Artifact> {
    Ok(Artifact {
        id: parsed(row, "sha256")?,
        bytes: number(row, "bytes")?,
        inspection: text(row, "inspection")?,
        created_at: time(row, "created_at")?,
        created_by: Actor::recorded(text(row, "created_by")?),
    })
}
