//! The messages of tenants: texts that people edit, with all that they were before, and that handlers read.
//!
//! It does not ask whether a tenant exists, for those of the configuration file are not in the database: whoever calls does. What changes takes its
//! turn with all other changes, so nothing is counted twice and no version is given twice.

mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use model::{Actor, Language, MessageName, MessageText, MessageVersion, TenantId};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::column::{damaged, number, optional_text, parsed, text, time};
use crate::error::storable;
use crate::key_values::{beyond, bytes};
use crate::retention::Rows;
use crate::{Result, Storage, StorageError};

/// The largest text of a message.
pub const MAX_TEXT_BYTES: usize = 16 << 10;
/// The longest description of a message.
pub const MAX_DESCRIPTION_BYTES: usize = 1 << 10;
/// The most messages that a tenant has.
pub const MAX_MESSAGES: u32 = 10_000;
/// The most that their texts and descriptions have together.
pub const MAX_MESSAGES_BYTES: u64 = 16 << 20;
/// As many versions of a message are kept, the newest ones.
pub const MAX_VERSIONS: u32 = 100;
/// As much is kept of what the messages of a tenant were before.
const HISTORY_BYTES: u64 = 64 << 20;

const DELETED: Rows = Rows { table: "messages", key: "tenant, name", age: "deleted_at" };
const HISTORY: Rows = Rows { table: "message_versions", key: "tenant, name, version", age: "changed_at" };

const COLUMNS: &str = "name, version, changed_at, changed_by, action, description, text";

/// What a message shall say from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageWrite {
    /// Which.
    pub name: MessageName,
    /// 1 byte to [`MAX_TEXT_BYTES`], none of which is zero.
    pub text: String,
    /// Up to [`MAX_DESCRIPTION_BYTES`]; `None`: as it was.
    pub description: Option<String>,
}

/// Many messages at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageImport {
    /// What they shall say; none of them twice.
    pub texts: Vec<MessageWrite>,
    /// Whether every other message of the tenant's goes.
    pub deletes_others: bool,
    /// Whether nothing is done, and only told what would be.
    pub is_trial: bool,
}

/// What an import came to, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Those that were not there.
    pub made: u64,
    /// Those that said something else.
    pub changed: u64,
    /// Those that were so already.
    pub unchanged: u64,
    /// Those that went.
    pub deleted: u64,
}

/// Which of a tenant's messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageFilter<'a> {
    /// What their names begin with.
    pub prefix: &'a str,
    /// The language that they are in; `None`: any, or none.
    pub language: Option<&'a Language>,
    /// Only names behind this one, in the order of their bytes.
    pub after: Option<&'a str>,
}

impl Storage {
    /// The messages of these names, in their order.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn message_texts(&self, tenant: &TenantId, names: &[MessageName]) -> Result<Vec<Option<MessageText>>> {
        let once: BTreeSet<&MessageName> = names.iter().collect();
        let Some(last) = once.last() else { return Ok(Vec::new()) };
        // Rounded up, so that a connection has few statements to remember.
        let asked = once.len().next_power_of_two();
        let places: Vec<String> = (0..asked).map(|index| format!("${}", index + 2)).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM messages WHERE tenant = $1 AND text IS NOT NULL AND name IN ({})",
            places.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.as_str().to_owned());
        for name in once.iter().chain(std::iter::repeat(last)).take(asked) {
            query = query.bind(name.to_string().into_bytes());
        }
        let rows = self.database.read("look messages up", query.fetch_all(&self.database.pool)).await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let state = state(row)?;
            found.insert(state.name.clone(), state.live());
        }
        Ok(names.iter().map(|name| found.get(name).cloned().flatten()).collect())
    }

    /// The names of messages, in the order of their bytes, at most so many.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] for a filter that could not be stored.
    pub async fn message_names(
        &self,
        tenant: &TenantId,
        filter: MessageFilter<'_>,
        limit: u32,
    ) -> Result<Vec<MessageName>> {
        self.filtered(tenant, "name", filter, limit).await?.iter().map(name).collect()
    }

    /// Messages, in the order of their names' bytes, at most so many.
    ///
    /// # Errors
    /// As [`Storage::message_names`].
    pub async fn messages(&self, tenant: &TenantId, filter: MessageFilter<'_>, limit: u32) -> Result<Vec<MessageText>> {
        let rows = self.filtered(tenant, COLUMNS, filter, limit).await?;
        rows.iter().filter_map(|row| state(row).map(State::live).transpose()).collect()
    }

    /// One message.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn message(&self, tenant: &TenantId, name: &MessageName) -> Result<MessageText> {
        let mut found = self.message_texts(tenant, std::slice::from_ref(name)).await?;
        found.pop().flatten().ok_or_else(|| no_message(name))
    }

    /// What a message is and was, the newest first: versions before `before`, at most `limit`. A deleted one's is there for a while.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] where there never was such a message, or no more is known of it.
    pub async fn message_history(
        &self,
        tenant: &TenantId,
        name: &MessageName,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<MessageVersion>> {
        let query = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM (
                 SELECT {COLUMNS} FROM messages WHERE tenant = $1 AND name = $2
                 UNION ALL SELECT {COLUMNS} FROM message_versions WHERE tenant = $1 AND name = $2
             ) AS versions WHERE version < $3 ORDER BY version DESC LIMIT $4"
        )));
        let query = query
            .bind(tenant.as_str().to_owned())
            .bind(name.to_string().into_bytes())
            .bind(before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX)))
            .bind(i64::from(limit));
        let rows = self.database.read("read a message's history", query.fetch_all(&self.database.pool)).await?;
        if rows.is_empty() && before.is_none() {
            return Err(no_message(name));
        }
        rows.iter().map(version).collect()
    }

    /// Removes what is left of messages that were deleted before a time, and of each tenant's history what is too much.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`]; what was removed until then stays removed.
    pub async fn forget_messages(&self, deleted_before: Timestamp) -> Result<()> {
        self.remove_older(&DELETED, deleted_before.as_millisecond()).await?;
        self.remove_beyond(&HISTORY, HISTORY_BYTES).await
    }

    async fn filtered(
        &self,
        tenant: &TenantId,
        columns: &str,
        filter: MessageFilter<'_>,
        limit: u32,
    ) -> Result<Vec<AnyRow>> {
        let MessageFilter { prefix, language, after } = filter;
        for text in after.into_iter().chain([prefix]) {
            storable("a message's name", text, MAX_TEXT_BYTES)?;
        }
        // The next name after one is the same with a zero byte at its end.
        let after = after.map(|after| [after.as_bytes(), &[0]].concat());
        let query = sqlx::query(AssertSqlSafe(format!(
            "SELECT {columns} FROM messages
             WHERE tenant = $1 AND name >= $2 AND name < $3 AND (language = $4 OR $4 = '') AND text IS NOT NULL
             ORDER BY name LIMIT $5"
        )));
        let query = query
            .bind(tenant.as_str().to_owned())
            .bind(after.unwrap_or_default().max(prefix.as_bytes().to_vec()))
            .bind(beyond(prefix))
            .bind(language.map_or_else(String::new, ToString::to_string))
            .bind(i64::from(limit));
        self.database.read("list messages", query.fetch_all(&self.database.pool)).await
    }
}

/// A message as it is, or as it was when it was deleted.
struct State {
    name: MessageName,
    version: u64,
    changed_at: Timestamp,
    changed_by: Actor,
    /// `None`: it is deleted.
    text: Option<String>,
    description: String,
}

impl State {
    /// The message, unless it is deleted.
    fn live(self) -> Option<MessageText> {
        let Self { name: MessageName { key, language }, version, changed_at, changed_by, text, description } = self;
        let text = text?;
        Some(MessageText { key, language, text, description, version, changed_at, changed_by })
    }

    fn says(&self, text: &str, description: &str) -> bool {
        self.text.as_deref() == Some(text) && self.description == description
    }
}

/// All that a tenant has, by their names.
type States = BTreeMap<MessageName, State>;

fn no_message(name: &MessageName) -> StorageError {
    StorageError::NotFound(format!("message {name}"))
}

fn name(row: &AnyRow) -> Result<MessageName> {
    let name = String::from_utf8(bytes(row, "name")?).map_err(|error| damaged("name", &error))?;
    name.parse().map_err(|error| damaged("name", &error))
}

fn state(row: &AnyRow) -> Result<State> {
    Ok(State {
        name: name(row)?,
        version: number(row, "version")?,
        changed_at: time(row, "changed_at")?,
        changed_by: Actor::recorded(text(row, "changed_by")?),
        text: optional_text(row, "text")?,
        description: text(row, "description")?,
    })
}

fn version(row: &AnyRow) -> Result<MessageVersion> {
    let State { version, changed_at, changed_by, text, description, .. } = state(row)?;
    let action = parsed(row, "action")?;
    Ok(MessageVersion { version, at: changed_at, by: changed_by, action, text, description })
}
