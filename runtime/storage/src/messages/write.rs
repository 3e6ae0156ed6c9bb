//! Changing messages: each change is one transaction with its line in the audit log, which tells no text.

use std::collections::BTreeSet;

use bytesize::ByteSize;
use model::{Actor, MessageAction, MessageName, MessageText, TenantId};
use sqlx::AssertSqlSafe;

use super::{
    COLUMNS, Imported, MAX_DESCRIPTION_BYTES, MAX_MESSAGES, MAX_MESSAGES_BYTES, MAX_TEXT_BYTES, MAX_VERSIONS,
    MessageImport, MessageWrite, State, States, no_message, state,
};
use crate::change::{Change, Entry, failed};
use crate::column::{count, number};
use crate::error::storable;
use crate::tenants::unchanged;
use crate::{Result, Storage, StorageError};

/// Messages that one statement writes.
const WRITTEN_AT_ONCE: usize = 512;
/// The columns of a message that differ from one to the next.
const COLUMNS_EACH: usize = 7;
const DOING: &str = "change a message";

/// A message's next version.
struct Next {
    name: MessageName,
    version: u64,
    /// `None` deletes it.
    text: Option<String>,
    description: String,
}

impl Storage {
    /// Writes a message. `seen` is the version that the caller has seen, where it cares; 0 is that of a message that never was. A message that is so
    /// already stays as it is.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where it has changed since, [`StorageError::OverQuota`], [`StorageError::Invalid`].
    pub async fn set_message(
        &self,
        tenant: &TenantId,
        write: &MessageWrite,
        seen: Option<u64>,
        by: &Actor,
    ) -> Result<MessageText> {
        write.check()?;
        let MessageWrite { name, text, description } = write;
        self.database
            .change(DOING, async {
                let mut change = self.begin(by).await?;
                let before = change.message(tenant, name, seen).await?;
                let known = before.as_ref().map(|before| before.description.clone());
                let description = description.clone().or(known).unwrap_or_default();
                let next = next(name, before.as_ref(), Some(text.clone()), description);
                change.put_message(tenant, before, next, MessageAction::Set, "").await
            })
            .await
    }

    /// Deletes a message. What it was is known for a while, and can be restored.
    ///
    /// # Errors
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] where it is not of the version that was seen.
    pub async fn delete_message(
        &self,
        tenant: &TenantId,
        name: &MessageName,
        seen: Option<u64>,
        by: &Actor,
    ) -> Result<()> {
        self.database
            .change(DOING, async {
                let mut change = self.begin(by).await?;
                let before = change.message(tenant, name, seen).await?.filter(|before| before.text.is_some());
                let before = before.ok_or_else(|| no_message(name))?;
                let next = next(name, Some(&before), None, before.description.clone());
                let subject = format!("{name} version {}", next.version);
                change.write_messages(tenant, &[next], MessageAction::Delete).await?;
                change.commit(Entry { tenant: Some(tenant), node: None, action: "message.delete", subject }).await
            })
            .await
    }

    /// Gives a message the text and the description that it had in a version, also if it is deleted. That makes a new version, unless it is so already.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] for the version; [`StorageError::Invalid`] where that is a deletion; those of [`Storage::set_message`].
    pub async fn restore_message(
        &self,
        tenant: &TenantId,
        name: &MessageName,
        version: u64,
        seen: Option<u64>,
        by: &Actor,
    ) -> Result<MessageText> {
        let newer = version.checked_add(1);
        let earlier =
            self.message_history(tenant, name, newer, 1).await?.into_iter().find(|one| one.version == version);
        let Some(earlier) = earlier else {
            let what = format!("version {version} of the message {name}: its history tells which there are");
            return Err(StorageError::NotFound(what));
        };
        let Some(text) = earlier.text else {
            return Err(StorageError::Invalid(format!(
                "version {version} of the message {name} is its deletion: take a version that has a text"
            )));
        };
        self.database
            .change(DOING, async {
                let mut change = self.begin(by).await?;
                let before = change.message(tenant, name, seen).await?;
                let next = next(name, before.as_ref(), Some(text), earlier.description);
                change
                    .put_message(tenant, before, next, MessageAction::Restore, &format!(" as version {version}"))
                    .await
            })
            .await
    }

    /// Writes many messages: all of them or none. Those that are so already stay as they are.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] names the message that cannot be, or comes twice; [`StorageError::OverQuota`].
    pub async fn import_messages(&self, tenant: &TenantId, import: &MessageImport, by: &Actor) -> Result<Imported> {
        must_be_texts(&import.texts)?;
        self.database
            .change("import messages", async {
                let mut change = self.begin(by).await?;
                let present = change.messages(tenant).await?;
                let (nexts, imported) = import.nexts(&present);
                if nexts.is_empty() {
                    return Ok(imported);
                }
                change.write_messages(tenant, &nexts, MessageAction::Import).await?;
                // What is dropped before it is committed never happened.
                if !import.is_trial {
                    let Imported { made, changed, deleted, .. } = imported;
                    let subject = format!("{made} made, {changed} changed, {deleted} deleted");
                    let entry = Entry { tenant: Some(tenant), node: None, action: "message.import", subject };
                    change.commit(entry).await?;
                }
                Ok(imported)
            })
            .await
    }
}

impl MessageWrite {
    /// Sees that it can be stored.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] names the message and what is wrong with it.
    pub fn check(&self) -> Result<()> {
        let Self { name, text, description } = self;
        if text.is_empty() {
            let why = format!("the text of the message {name} is empty: delete the message instead");
            return Err(StorageError::Invalid(why));
        }
        storable(&format!("the text of the message {name}"), text, MAX_TEXT_BYTES)?;
        let description = description.as_deref().unwrap_or_default();
        storable(&format!("the description of the message {name}"), description, MAX_DESCRIPTION_BYTES)
    }
}

impl MessageImport {
    /// What it changes, and what that comes to.
    fn nexts(&self, present: &States) -> (Vec<Next>, Imported) {
        let (mut nexts, mut imported) = (Vec::new(), Imported::default());
        for MessageWrite { name, text, description } in &self.texts {
            let before = present.get(name);
            let known = before.map(|before| before.description.as_str());
            let description = description.as_deref().or(known).unwrap_or_default();
            match before {
                Some(before) if before.says(text, description) => {
                    imported.unchanged += 1;
                    continue;
                }
                Some(State { text: Some(_), .. }) => imported.changed += 1,
                Some(_) | None => imported.made += 1,
            }
            nexts.push(next(name, before, Some(text.clone()), description.to_owned()));
        }
        if self.deletes_others {
            let named: BTreeSet<&MessageName> = self.texts.iter().map(|write| &write.name).collect();
            let others = present.values().filter(|other| other.text.is_some() && !named.contains(&other.name));
            let gone = others.map(|other| next(&other.name, Some(other), None, other.description.clone()));
            let kept = nexts.len();
            nexts.extend(gone);
            imported.deleted = (nexts.len() - kept) as u64;
        }
        (nexts, imported)
    }
}

impl Change {
    /// What there is of a message, if it is of the version that was seen.
    async fn message(&mut self, tenant: &TenantId, name: &MessageName, seen: Option<u64>) -> Result<Option<State>> {
        // Nobody clears away now what is left of it.
        let sql = format!("SELECT {COLUMNS} FROM messages WHERE tenant = $1 AND name = $2 {}", self.row_lock);
        let query =
            sqlx::query(AssertSqlSafe(sql)).bind(tenant.as_str().to_owned()).bind(name.to_string().into_bytes());
        let row = query.fetch_optional(self.connection()).await.map_err(failed(DOING))?;
        let found = row.as_ref().map(state).transpose()?;
        unchanged(&format!("message {name}"), found.as_ref().map_or(0, |found| found.version), seen)?;
        Ok(found)
    }

    /// What there is of all of a tenant's messages.
    async fn messages(&mut self, tenant: &TenantId) -> Result<States> {
        let sql = format!("SELECT {COLUMNS} FROM messages WHERE tenant = $1 ORDER BY name {}", self.row_lock);
        let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.as_str().to_owned());
        let rows = query.fetch_all(self.connection()).await.map_err(failed(DOING))?;
        rows.iter().map(|row| state(row).map(|state| (state.name.clone(), state))).collect()
    }

    /// Writes one that has a text, and commits; nothing of it where it is so already.
    async fn put_message(
        mut self,
        tenant: &TenantId,
        before: Option<State>,
        next: Next,
        action: MessageAction,
        how: &str,
    ) -> Result<MessageText> {
        let Next { name, version, text, description } = &next;
        let says = text.clone().unwrap_or_default();
        if let Some(same) = before.filter(|before| before.says(&says, description)).and_then(State::live) {
            return Ok(same);
        }
        let message = MessageText {
            key: name.key.clone(),
            language: name.language.clone(),
            text: says,
            description: description.clone(),
            version: *version,
            changed_at: self.at,
            changed_by: self.by.clone(),
        };
        let subject = format!("{name} version {version}{how}");
        let action_name = if action == MessageAction::Restore { "message.restore" } else { "message.set" };
        self.write_messages(tenant, &[next], action).await?;
        self.commit(Entry { tenant: Some(tenant), node: None, action: action_name, subject }).await?;
        Ok(message)
    }

    /// Writes messages, keeps what they were before, and sees that there are not too many.
    async fn write_messages(&mut self, tenant: &TenantId, nexts: &[Next], action: MessageAction) -> Result<()> {
        for some in batches(nexts) {
            self.keep_former(tenant, some).await?;
            self.write_some(tenant, some, action).await?;
        }
        let long: Vec<&Next> = nexts.iter().filter(|next| next.version > u64::from(MAX_VERSIONS)).collect();
        for some in batches(&long) {
            self.drop_oldest(tenant, some).await?;
        }
        if nexts.iter().any(|next| next.text.is_none()) {
            self.drop_longest_deleted(tenant).await?;
        }
        self.must_be_few_enough(tenant).await
    }

    async fn keep_former(&mut self, tenant: &TenantId, nexts: &[Next]) -> Result<()> {
        const KEPT: &str = "tenant, name, version, changed_at, changed_by, action, bytes, description, text";
        let sql = format!(
            "INSERT INTO message_versions ({KEPT}) SELECT {KEPT} FROM messages WHERE tenant = $1 AND name IN ({})",
            places(2, nexts.len())
        );
        self.about(sql, tenant, nexts).await
    }

    async fn write_some(&mut self, tenant: &TenantId, nexts: &[Next], action: MessageAction) -> Result<()> {
        let rows =
            (0..nexts.len()).map(|row| format!("($1, $2, $3, $4, {})", places(5 + row * COLUMNS_EACH, COLUMNS_EACH)));
        let sql = format!(
            "INSERT INTO messages (
                 tenant, changed_at, changed_by, action, name, language, version, deleted_at, bytes, description, text
             ) VALUES {}
             ON CONFLICT (tenant, name) DO UPDATE SET
                 changed_at = excluded.changed_at, changed_by = excluded.changed_by, action = excluded.action,
                 version = excluded.version, deleted_at = excluded.deleted_at, bytes = excluded.bytes,
                 description = excluded.description, text = excluded.text",
            rows.collect::<Vec<_>>().join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.as_str().to_owned())
            .bind(self.millis())
            .bind(self.by.as_str().to_owned())
            .bind(action.name());
        for Next { name, version, text, description } in nexts {
            query = query
                .bind(name.to_string().into_bytes())
                .bind(name.language.as_ref().map_or_else(String::new, ToString::to_string))
                .bind(count(*version))
                .bind(text.is_none().then(|| self.millis()))
                .bind(text.as_ref().map_or(0, |text| count(text.len() + description.len())))
                .bind(description.clone())
                .bind(text.clone());
        }
        query.execute(self.connection()).await.map(drop).map_err(failed(DOING))
    }

    /// Of each message no more versions stay than may, the present one included.
    async fn drop_oldest(&mut self, tenant: &TenantId, nexts: &[&Next]) -> Result<()> {
        let sql = format!(
            "DELETE FROM message_versions WHERE tenant = $1 AND name IN ({}) AND version <= (
                 SELECT m.version FROM messages m WHERE m.tenant = message_versions.tenant AND m.name = message_versions.name
             ) - {MAX_VERSIONS}",
            places(2, nexts.len())
        );
        self.about(sql, tenant, nexts.iter().copied()).await
    }

    /// As many deleted messages stay as there may be messages.
    async fn drop_longest_deleted(&mut self, tenant: &TenantId) -> Result<()> {
        let sql = format!(
            "DELETE FROM messages WHERE tenant = $1 AND name IN (
                 SELECT name FROM messages WHERE tenant = $1 AND deleted_at IS NOT NULL
                 ORDER BY deleted_at DESC, name LIMIT {MAX_MESSAGES} OFFSET {MAX_MESSAGES}
             )"
        );
        self.about(sql, tenant, []).await
    }

    async fn must_be_few_enough(&mut self, tenant: &TenantId) -> Result<()> {
        let query = sqlx::query(
            "SELECT COUNT(*) AS messages, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM messages
             WHERE tenant = $1 AND deleted_at IS NULL",
        );
        let query = query.bind(tenant.as_str().to_owned());
        let row = query.fetch_one(self.connection()).await.map_err(failed("weigh messages"))?;
        let (messages, bytes): (u64, u64) = (number(&row, "messages")?, number(&row, "bytes")?);
        if messages > u64::from(MAX_MESSAGES) || bytes > MAX_MESSAGES_BYTES {
            let (bytes, most) = (ByteSize(bytes), ByteSize(MAX_MESSAGES_BYTES));
            return Err(StorageError::OverQuota(format!(
                "the tenant would have {messages} messages of {bytes} together, and may have {MAX_MESSAGES} of {most}: delete some, or shorten them"
            )));
        }
        Ok(())
    }

    /// Does something whose arguments are the tenant and the names of these messages.
    async fn about<'a>(
        &mut self,
        sql: String,
        tenant: &TenantId,
        nexts: impl IntoIterator<Item = &'a Next>,
    ) -> Result<()> {
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.as_str().to_owned());
        for next in nexts {
            query = query.bind(next.name.to_string().into_bytes());
        }
        query.execute(self.connection()).await.map(drop).map_err(failed(DOING))
    }

    /// Removes all of a tenant's messages, with what they were.
    pub(crate) async fn delete_messages(&mut self, tenant: &TenantId) -> Result<()> {
        self.about("DELETE FROM messages WHERE tenant = $1".to_owned(), tenant, []).await
    }
}

fn next(name: &MessageName, before: Option<&State>, text: Option<String>, description: String) -> Next {
    let version = before.map_or(0, |before| before.version).saturating_add(1);
    Next { name: name.clone(), version, text, description }
}

/// All of a list in parts whose lengths are powers of two, so that a connection has few statements to remember.
fn batches<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let (some, more) = rest.split_at(WRITTEN_AT_ONCE.min(1 << rest.len().checked_ilog2()?));
        rest = more;
        Some(some)
    })
}

/// `$5, $6, $7`
fn places(first: usize, places: usize) -> String {
    (first..first + places).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

fn must_be_texts(writes: &[MessageWrite]) -> Result<()> {
    let mut names = BTreeSet::new();
    for write in writes {
        write.check()?;
        if !names.insert(&write.name) {
            return Err(StorageError::Invalid(format!("the message {} comes twice: say it once", write.name)));
        }
    }
    Ok(())
}
