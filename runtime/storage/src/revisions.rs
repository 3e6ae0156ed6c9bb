//! Revisions, which never change, and the one pointer that says which of them is live.

use model::{Actor, ArtifactId, Node, NodeId, OnBreak, Revision, RevisionNumber, Settings, TenantId};
use sqlx::any::AnyRow;

use crate::change::{Change, Entry, failed};
use crate::column::{damaged, number, optional_number, parsed, text, time};
use crate::error::storable;
use crate::nodes::{entry, revision_number};
use crate::tenants::unchanged;
use crate::{By, Result, Storage, StorageError};

const NOTE_BYTES: usize = 2000;
const SAID_BYTES: usize = 2000;
const COLUMNS: &str = "number, artifact, settings, note, created_at, created_by";

/// A revision to be made.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// What runs; the tenant has uploaded it.
    pub artifact: ArtifactId,
    /// What it runs under.
    pub settings: Settings,
    /// Why.
    pub note: String,
}

impl Storage {
    /// Makes a node's next revision. It runs once it is promoted.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] for the node or the artifact, [`StorageError::Invalid`] for settings out of range.
    pub async fn create_revision(
        &self,
        tenant: &TenantId,
        node: &NodeId,
        new: &NewRevision,
        by: impl Into<By<'_, Revision>>,
    ) -> Result<Revision> {
        let (doing, by) = ("make a revision", by.into());
        storable("the note", &new.note, NOTE_BYTES)?;
        let settings = settings_text(&new.settings)?;
        self.database.change(doing, async {
            let mut change = self.begin(by.actor).await?;
            change.node(tenant, node).await?;
            change.must_have_artifact(tenant, &new.artifact).await?;
            let number = change.next_revision(tenant, node).await?;
            sqlx::query(
                "INSERT INTO revisions (tenant, node, number, artifact, settings, note, created, created_at, created_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(tenant.as_str().to_owned())
            .bind(node.as_str().to_owned())
            .bind(revision_number(number))
            .bind(new.artifact.to_string())
            .bind(settings)
            .bind(new.note.clone())
            .bind(change.sequence)
            .bind(change.millis())
            .bind(by.actor.as_str().to_owned())
            .execute(change.connection())
            .await
            .map_err(failed(doing))?;
            let revision = Revision {
                number,
                artifact: new.artifact,
                settings: new.settings.clone(),
                note: new.note.clone(),
                created_at: change.at,
                created_by: by.actor.clone(),
            };
            change.keep_answer(&self.keyring, &by, &revision).await?;
            change.commit(entry(tenant, node, "revision.create", format!("{node} revision {number}"))).await?;
            Ok(revision)
        })
        .await
    }

    /// A node's revisions, the newest first: those before `before`, at most `limit`.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn revisions(
        &self,
        tenant: &TenantId,
        node: &NodeId,
        before: Option<RevisionNumber>,
        limit: u32,
    ) -> Result<Vec<Revision>> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM revisions WHERE tenant = $1 AND node = $2 AND number < $3 ORDER BY number DESC LIMIT $4"
        ));
        let query = sqlx::query(sql)
            .bind(tenant.as_str().to_owned())
            .bind(node.as_str().to_owned())
            .bind(before.map_or(i64::MAX, revision_number))
            .bind(i64::from(limit));
        let rows = self.database.read("list the revisions", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(revision).collect()
    }

    /// One revision.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn revision(&self, tenant: &TenantId, node: &NodeId, number: RevisionNumber) -> Result<Revision> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM revisions WHERE tenant = $1 AND node = $2 AND number = $3"
        ));
        let query = sqlx::query(sql)
            .bind(tenant.as_str().to_owned())
            .bind(node.as_str().to_owned())
            .bind(revision_number(number));
        let row = self.database.read("find a revision", query.fetch_optional(&self.database.pool)).await?;
        revision(&row.ok_or_else(|| no_revision(node, number))?)
    }

    /// Makes a revision the live one; what was live is where a roll-back leads. Promoting what is live changes nothing.
    ///
    /// # Errors
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] where the node's version is not the one that the caller has seen.
    pub async fn promote(
        &self,
        tenant: &TenantId,
        node: &NodeId,
        number: RevisionNumber,
        version: Option<u64>,
        by: &Actor,
    ) -> Result<Node> {
        self.database
            .change("promote a revision", async {
                let mut change = self.begin(by).await?;
                let before = change.node(tenant, node).await?;
                unchanged(&format!("node {node}"), before.version, version)?;
                if before.live == Some(number) {
                    return Ok(before);
                }
                change.must_exist(tenant, node, number).await?;
                let promoted = change.point(&before, number).await?;
                change.commit(moved(&before, number, "revision.promote")).await?;
                Ok(promoted)
            })
            .await
    }

    /// Makes the revision live that was live before the present one. Done twice, it leads back.
    ///
    /// # Errors
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] where nothing was live before, or the version is another.
    pub async fn roll_back(
        &self,
        tenant: &TenantId,
        node: &NodeId,
        version: Option<u64>,
        by: impl Into<By<'_, Node>>,
    ) -> Result<Node> {
        let by = by.into();
        self.database
            .change("roll back", async {
                let mut change = self.begin(by.actor).await?;
                let before = change.node(tenant, node).await?;
                unchanged(&format!("node {node}"), before.version, version)?;
                let Some(previous) = before.previous else {
                    return Err(StorageError::Conflict(format!(
                        "the node {node} was never served by another revision: promote one by its number"
                    )));
                };
                let rolled_back = change.point(&before, previous).await?;
                change.keep_answer(&self.keyring, &by, &rolled_back).await?;
                change.commit(moved(&before, previous, "revision.roll_back")).await?;
                Ok(rolled_back)
            })
            .await
    }

    /// Removes a revision, so that its artifact can be removed.
    ///
    /// # Errors
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] for the revision that is live, the one where a roll-back leads, and the newest,
    /// whose number must not come again.
    pub async fn delete_revision(
        &self,
        tenant: &TenantId,
        node: &NodeId,
        number: RevisionNumber,
        by: &Actor,
    ) -> Result<()> {
        let doing = "remove a revision";
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let owner = change.node(tenant, node).await?;
                change.must_exist(tenant, node, number).await?;
                let newest = change.newest_revision(tenant, node).await?;
                let needed = [
                    (owner.live == Some(number), "is live: promote another one first"),
                    (owner.previous == Some(number), "is where a roll-back leads: promote another one first"),
                    (newest == u32::from(number), "is the newest: make another one first"),
                ];
                if let Some((_, why)) = needed.iter().find(|(applies, _)| *applies) {
                    return Err(StorageError::Conflict(format!("the revision {number} of the node {node} {why}")));
                }
                let query = sqlx::query("DELETE FROM revisions WHERE tenant = $1 AND node = $2 AND number = $3")
                    .bind(tenant.as_str().to_owned())
                    .bind(node.as_str().to_owned())
                    .bind(revision_number(number));
                query.execute(change.connection()).await.map_err(failed(doing))?;
                change.commit(entry(tenant, node, "revision.delete", format!("{node} revision {number}"))).await
            })
            .await
    }
}

impl Change {
    /// 0 where there is none.
    async fn newest_revision(&mut self, tenant: &TenantId, node: &NodeId) -> Result<u32> {
        let query = sqlx::query("SELECT MAX(number) AS newest FROM revisions WHERE tenant = $1 AND node = $2")
            .bind(tenant.as_str().to_owned())
            .bind(node.as_str().to_owned());
        let row = query.fetch_one(self.connection()).await.map_err(failed("number a revision"))?;
        Ok(optional_number(&row, "newest")?.unwrap_or(0))
    }

    async fn next_revision(&mut self, tenant: &TenantId, node: &NodeId) -> Result<RevisionNumber> {
        let next = self.newest_revision(tenant, node).await?.saturating_add(1);
        next.try_into().map_err(|error| damaged("number", &error))
    }

    async fn must_exist(&mut self, tenant: &TenantId, node: &NodeId, number: RevisionNumber) -> Result<()> {
        let query = sqlx::query("SELECT number FROM revisions WHERE tenant = $1 AND node = $2 AND number = $3")
            .bind(tenant.as_str().to_owned())
            .bind(node.as_str().to_owned())
            .bind(revision_number(number));
        let row = query.fetch_optional(self.connection()).await.map_err(failed("find a revision"))?;
        row.map(drop).ok_or_else(|| no_revision(node, number))
    }

    /// Moves the live pointer.
    async fn point(&mut self, node: &Node, to: RevisionNumber) -> Result<Node> {
        sqlx::query("UPDATE nodes SET live = $1, previous = $2, version = version + 1 WHERE tenant = $3 AND id = $4")
            .bind(revision_number(to))
            .bind(node.live.map(revision_number))
            .bind(node.tenant.as_str().to_owned())
            .bind(node.id.as_str().to_owned())
            .execute(self.connection())
            .await
            .map_err(failed("move the live pointer"))?;
        Ok(Node { live: Some(to), previous: node.live, version: node.version + 1, ..node.clone() })
    }
}

/// What is written down of a live pointer that was moved.
fn moved<'a>(node: &'a Node, to: RevisionNumber, action: &'static str) -> Entry<'a> {
    let from = node.live.map_or_else(|| "nothing".to_owned(), |live| format!("revision {live}"));
    entry(&node.tenant, &node.id, action, format!("{} from {from} to revision {to}", node.id))
}

fn no_revision(node: &NodeId, number: RevisionNumber) -> StorageError {
    StorageError::NotFound(format!("revision {number} of the node {node}"))
}

fn settings_text(settings: &Settings) -> Result<String> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(StorageError::Invalid(problems.join("; ")));
    }
    if let OnBreak::Say(text) = &settings.on_break {
        storable("the text of `on_break`", text, SAID_BYTES)?;
    }
    serde_json::to_string(settings).map_err(|error| StorageError::Invalid(error.to_string()))
}

pub(crate) fn revision(row: &AnyRow) -> Result<Revision> {
    let number: u32 = number(row, "number")?;
    Ok(Revision {
        number: number.try_into().map_err(|error| damaged("number", &error))?,
        artifact: parsed(row, "artifact")?,
        settings: serde_json::from_str(&text(row, "settings")?).map_err(|error| damaged("settings", &error))?,
        note: text(row, "note")?,
        created_at: time(row, "created_at")?,
        created_by: Actor::recorded(text(row, "created_by")?),
    })
}
