//! The messages of a tenant, which people edit and its handlers read: one by one, with all that they were, and as a file of all.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::{Language, MessageKey, MessageName, MessageText, MessageVersion, TenantId};
use serde::{Deserialize, Serialize};
use storage::{Imported, MessageFilter, MessageImport, MessageWrite};
use tokio::sync::SemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::input::{self, Body, Path, Query, Seen};
use super::output::{self, Done, Tagged};
use super::problem::Problem;
use super::tenants::must_be_known;
use crate::listen::{BodyError, read_body};
use crate::message_file::{MAX_MESSAGE_FILE_BYTES, MessageFormat};
use crate::state::State;

const DEFAULT_LIMIT: u32 = 50;
/// Together they are 4 MiB at the most.
const MAX_LIMIT: u32 = 200;
/// For the whole of a file to arrive.
const UPLOAD_TIME: Duration = Duration::from_secs(60);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// What their names begin with; a name is the key, or the key, `/` and the language.
    prefix: Option<String>,
    /// Only those in this language.
    language: Option<Language>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Messages {
    /// In the order of their names' bytes.
    messages: Vec<MessageText>,
    /// The cursor of the next page; `null` on the last.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct In {
    /// Absent: the text for every language that has none of its own.
    language: Option<Language>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessageText)]
pub(super) struct Wanted {
    /// 1 byte to 16 KiB.
    #[schema(min_length = 1, max_length = 16_384)]
    text: String,
    /// What it is for, up to 1 KiB; absent: as it was.
    #[schema(max_length = 1_024)]
    description: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Versions {
    /// Absent: the text for every language that has none of its own.
    language: Option<Language>,
    /// Where the page before ended: its `next`.
    cursor: Option<u64>,
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MessageHistory)]
pub(super) struct History {
    /// The newest first; the newest 100 are kept.
    versions: Vec<MessageVersion>,
    /// The cursor of the next page; `null` on the last.
    next: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageRestoration)]
pub(super) struct Restoration {
    /// The version whose text it shall have again.
    version: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    /// Absent: JSON.
    #[serde(default)]
    #[param(inline)]
    format: MessageFormat,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    /// Whether every message goes that is not in the file.
    replace: Option<bool>,
    /// Whether nothing is done, and only told what would be.
    dry_run: Option<bool>,
}

/// What an import came to, in messages.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedMessages)]
pub(super) struct Told {
    /// Those that were not there.
    made: u64,
    /// Those that said something else.
    changed: u64,
    /// Those that were so already.
    unchanged: u64,
    /// Those that went.
    deleted: u64,
}

/// `GET …/messages`
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
    Query(Listing { prefix, language, cursor, limit }): Query<Listing>,
) -> Result<Json<Messages>, Problem> {
    let limit = bounded(limit)?;
    must_be_known(&state, &tenant).await?;
    let prefix = prefix.unwrap_or_default();
    let filter = MessageFilter { prefix: &prefix, language: language.as_ref(), after: cursor.as_deref() };
    let messages = state.stored.storage.messages(&tenant, filter, limit).await?;
    let is_full = messages.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = messages.last().filter(|_| is_full).map(|last| last.name().to_string());
    Ok(Json(Messages { messages, next }))
}

/// `GET …/messages/{key}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, key)): Path<(TenantId, MessageKey)>,
    Query(In { language }): Query<In>,
) -> Result<Tagged<MessageText>, Problem> {
    must_be_known(&state, &tenant).await?;
    Ok(Tagged(state.stored.storage.message(&tenant, &MessageName { key, language }).await?))
}

/// `PUT …/messages/{key}`
pub(super) async fn set(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, key)): Path<(TenantId, MessageKey)>,
    Query(In { language }): Query<In>,
    Seen(seen): Seen,
    Body(Wanted { text, description }): Body<Wanted>,
) -> Result<Tagged<MessageText>, Problem> {
    must_be_known(&state, &tenant).await?;
    let write = MessageWrite { name: MessageName { key, language }, text, description };
    let message = state.stored.storage.set_message(&tenant, &write, seen, &caller.actor).await;
    message.map(Tagged).map_err(|error| Problem::of_precondition(error, seen.is_some()))
}

/// `DELETE …/messages/{key}`
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, key)): Path<(TenantId, MessageKey)>,
    Query(In { language }): Query<In>,
    Seen(seen): Seen,
) -> Result<Done, Problem> {
    must_be_known(&state, &tenant).await?;
    let name = MessageName { key, language };
    let deleted = state.stored.storage.delete_message(&tenant, &name, seen, &caller.actor).await;
    deleted.map(|()| Done).map_err(|error| Problem::of_precondition(error, seen.is_some()))
}

/// `GET …/messages/{key}/history`: also of one that was deleted, for 30 days.
pub(super) async fn history(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, key)): Path<(TenantId, MessageKey)>,
    Query(Versions { language, cursor, limit }): Query<Versions>,
) -> Result<Json<History>, Problem> {
    let limit = bounded(limit)?;
    must_be_known(&state, &tenant).await?;
    let name = MessageName { key, language };
    let versions = state.stored.storage.message_history(&tenant, &name, cursor, limit).await?;
    let is_full = versions.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = versions.last().filter(|_| is_full).map(|last| last.version);
    Ok(Json(History { versions, next }))
}

/// `POST …/messages/{key}/restore`: also one that was deleted.
pub(super) async fn restore(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, key)): Path<(TenantId, MessageKey)>,
    Query(In { language }): Query<In>,
    Seen(seen): Seen,
    Body(Restoration { version }): Body<Restoration>,
) -> Result<Tagged<MessageText>, Problem> {
    must_be_known(&state, &tenant).await?;
    let name = MessageName { key, language };
    let message = state.stored.storage.restore_message(&tenant, &name, version, seen, &caller.actor).await;
    message.map(Tagged).map_err(|error| Problem::of_precondition(error, seen.is_some()))
}

/// `GET …/message-file`
pub(super) async fn export(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
    Query(Export { format }): Query<Export>,
) -> Result<output::MessageFile, Problem> {
    must_be_known(&state, &tenant).await?;
    let _turn = turn(&state)?;
    let messages = state.stored.storage.messages(&tenant, MessageFilter::default(), u32::MAX).await?;
    let written = tokio::task::spawn_blocking(move || format.write(messages)).await.map_err(Problem::internal)?;
    Ok(output::MessageFile { format, bytes: written.map_err(Problem::internal)?.into() })
}

/// `PUT …/message-file`: all of it or nothing.
pub(super) async fn import(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(tenant): Path<TenantId>,
    Query(Import { replace, dry_run }): Query<Import>,
    input::MessageFile { format, body }: input::MessageFile,
) -> Result<Json<Told>, Problem> {
    must_be_known(&state, &tenant).await?;
    let _turn = turn(&state)?;
    let file = read_body(body, MAX_MESSAGE_FILE_BYTES, UPLOAD_TIME).await.map_err(|error| match error {
        BodyError::TooLarge => {
            Problem::too_large(format!("a file of messages may have {} MiB at most", MAX_MESSAGE_FILE_BYTES >> 20))
        }
        BodyError::TimedOut => Problem::too_slow("the file did not arrive in time"),
        BodyError::Broken => Problem::invalid("the body ended early or was framed wrongly"),
    })?;
    let texts = tokio::task::spawn_blocking(move || format.read(&file)).await.map_err(Problem::internal)?;
    let texts = texts.map_err(|error| Problem::invalid(error.to_string()))?;
    let (deletes_others, is_trial) = (replace.unwrap_or(false), dry_run.unwrap_or(false));
    let import = MessageImport { texts, deletes_others, is_trial };
    let done = state.stored.storage.import_messages(&tenant, &import, &caller.actor).await?;
    let Imported { made, changed, unchanged, deleted } = done;
    Ok(Json(Told { made, changed, unchanged, deleted }))
}

/// Whole files take memory, so there are few at a time.
fn turn(state: &State) -> Result<SemaphorePermit<'_>, Problem> {
    let busy = |_| Problem::busy("too many files are on their way: try again in a moment");
    state.uploads.try_acquire().map_err(busy)
}

fn bounded(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        limit => Err(Problem::invalid(format!("`limit` is {limit}: it must be from 1 to {MAX_LIMIT}"))),
    }
}
