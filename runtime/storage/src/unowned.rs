//! Bytes that no tenant may have: what is being uploaded, what an interrupted upload has left, and what was deleted.
//!
//! They are noted before they can come to be, so nothing needs to search the object store, and nothing is removed from it that this database
//! has not known: a host that is started with a wrong database removes nothing.

use jiff::Timestamp;
use model::{ArtifactId, TenantId};

use crate::change::{Change, failed};
use crate::column::parsed;
use crate::{Result, Storage};

/// Looked at in one go.
const AT_ONCE: i64 = 500;

impl Storage {
    /// Removes the bytes of artifacts that no tenant has had since before a time. Returns how many artifacts' bytes that were.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable); what was removed until then stays removed.
    pub async fn remove_unowned(&self, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        loop {
            let query = sqlx::query("SELECT sha256 FROM unowned WHERE since < $1 ORDER BY since LIMIT $2");
            let query = query.bind(before.as_millisecond()).bind(AT_ONCE);
            let rows = self.database.read("list what nobody has", query.fetch_all(&self.database.pool)).await?;
            if rows.is_empty() {
                return Ok(removed);
            }
            for row in &rows {
                removed += u64::from(self.remove_one(&parsed(row, "sha256")?, before).await?);
            }
        }
    }

    /// Who uploads the same bytes now waits at their note until this is over, and then puts them there again.
    async fn remove_one(&self, id: &ArtifactId, before: Timestamp) -> Result<bool> {
        let doing = "remove the bytes of an artifact that nobody has";
        self.database
            .change(doing, async {
                let mut transaction = self.database.begin().await?;
                let query = sqlx::query("DELETE FROM unowned WHERE sha256 = $1 AND since < $2");
                let query = query.bind(id.to_string()).bind(before.as_millisecond());
                let noted = query.execute(&mut *transaction).await.map_err(failed(doing))?;
                let query = sqlx::query("SELECT sha256 FROM artifacts WHERE sha256 = $1 LIMIT 1").bind(id.to_string());
                let owned = query.fetch_optional(&mut *transaction).await.map_err(failed(doing))?.is_some();
                let goes = noted.rows_affected() == 1 && !owned;
                if goes {
                    self.objects.delete(id).await?;
                }
                transaction.commit().await.map_err(failed(doing))?;
                Ok(goes)
            })
            .await
    }

    /// Notes bytes that are about to be put there.
    pub(crate) async fn note_unowned(&self, id: &ArtifactId) -> Result<()> {
        let query = sqlx::query(
            "INSERT INTO unowned (sha256, since) VALUES ($1, $2) ON CONFLICT (sha256) DO UPDATE SET since = excluded.since",
        );
        let query = query.bind(id.to_string()).bind(Timestamp::now().as_millisecond());
        let note = async {
            let _turn = self.database.turn().await;
            query.execute(&self.database.pool).await
        };
        self.database.read("note an upload", note).await.map(drop)
    }
}

impl Change {
    /// Notes what a tenant is about to lose: one artifact, or all.
    pub(crate) async fn note_unowned(&mut self, tenant: &TenantId, id: Option<&ArtifactId>) -> Result<()> {
        let query = sqlx::query(
            "INSERT INTO unowned (sha256, since) SELECT sha256, $1 FROM artifacts WHERE tenant = $2 AND (sha256 = $3 OR $3 = '') \
             ON CONFLICT (sha256) DO UPDATE SET since = excluded.since",
        );
        let query = query
            .bind(self.millis())
            .bind(tenant.as_str().to_owned())
            .bind(id.map_or_else(String::new, ToString::to_string));
        query.execute(self.connection()).await.map(drop).map_err(failed("note what is deleted"))
    }

    /// Somebody has it now.
    pub(crate) async fn forget_unowned(&mut self, id: &ArtifactId) -> Result<()> {
        let query = sqlx::query("DELETE FROM unowned WHERE sha256 = $1").bind(id.to_string());
        query.execute(self.connection()).await.map(drop).map_err(failed("keep an artifact"))
    }
}
