//! What ran: run records, and what they add up to.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use model::{
    ArtifactId, Blame, Cause, ChatAfterwards, HttpCall, Limits, Log, NodeId, Outcome, Record, RevisionNumber, Run,
    RunId, TenantId, TenantUsage, Usage, Used,
};
use serde::{Deserialize, Serialize};
use storage::RunFilter;
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::input::{Path, Query};
use super::problem::Problem;
use crate::state::State;

const DAY: Duration = Duration::from_secs(86_400);
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// The query of `GET /v1/runs`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[param(value_type = Option<TenantId>)]
    tenant: Option<String>,
    #[param(value_type = Option<NodeId>)]
    node: Option<String>,
    #[param(value_type = Option<Cause>)]
    cause: Option<String>,
    #[param(value_type = Option<RevisionNumber>)]
    revision: Option<String>,
    /// Begun at this time or later.
    since: Option<Timestamp>,
    /// Begun before this time.
    until: Option<Timestamp>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of an earlier answer.
    #[param(value_type = Option<RunId>)]
    cursor: Option<String>,
}

/// The body of `GET /v1/runs`: newest first, without replies and logs.
#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    runs: Vec<Summary>,
    /// The cursor of the next page, which may be empty and have another behind it; `null` on the last.
    next: Option<RunId>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RunSummary)]
struct Summary {
    id: RunId,
    tenant: TenantId,
    node: NodeId,
    /// `null` for a node of the configuration file.
    revision: Option<RevisionNumber>,
    artifact: Option<ArtifactId>,
    started_at: Timestamp,
    /// `reply` or `bot_break`.
    result: &'static str,
    /// Only of a bot break, like the two that follow.
    cause: Option<Cause>,
    blame: Option<Blame>,
    detail: Option<String>,
    usage: Usage,
    caller_left: bool,
    chat_afterwards: ChatAfterwards,
}

/// The body of `GET /v1/runs/{id}`.
#[derive(Serialize, ToSchema)]
#[schema(as = RunRecord)]
pub(super) struct Whole {
    #[serde(flatten)]
    summary: Summary,
    limits: Limits,
    outcome: Outcome,
    log: Log,
    http_calls: Vec<HttpCall>,
}

/// `GET /v1/runs`: of the caller's tenant, or of all for an operator.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Runs>, Problem> {
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(Problem::invalid(format!("`limit` is {limit}: it must be from 1 to {MAX_LIMIT}")));
    }
    let mut filter = wanted.filter()?;
    if let Some(own) = caller.tenant {
        if filter.tenant.is_some_and(|asked| asked != own) {
            return Err(Problem::not_found("there is no such tenant"));
        }
        filter.tenant = Some(own);
    }
    let before = parsed("cursor", wanted.cursor.as_deref())?;
    state.recorder.settle(&state.stored.storage).await?;
    let found = state.stored.storage.runs(&filter, before, limit).await?;
    Ok(Json(Runs { runs: found.records.iter().map(Summary::of).collect(), next: found.next }))
}

/// `GET /v1/runs/{id}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Whole>, Problem> {
    let id: RunId = id.parse().map_err(|_| Problem::not_found("that is no run id"))?;
    state.recorder.settle(&state.stored.storage).await?;
    let record = state.stored.storage.run(id, caller.tenant.as_ref()).await?;
    let summary = Summary::of(&record);
    let Run { outcome, log, http_calls, .. } = record.run;
    Ok(Json(Whole { summary, limits: record.limits, outcome, log, http_calls }))
}

/// The query of `GET /v1/tenants/{tenant}/usage`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The body of `GET /v1/tenants/{tenant}/usage`.
#[derive(Serialize, ToSchema)]
pub(super) struct UsageOfTenant {
    tenant: TenantId,
    /// The beginning of the first hour that counts.
    since: Timestamp,
    /// The end of the last one.
    until: Timestamp,
    total: Used,
    #[serde(flatten)]
    usage: TenantUsage,
}

/// `GET /v1/tenants/{tenant}/usage?since=&until=`: of the last 24 hours where nothing else is asked for, in whole hours.
pub(super) async fn usage(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
    Query(span): Query<Span>,
) -> Result<Json<UsageOfTenant>, Problem> {
    let until = whole_hour(span.until.unwrap_or_else(Timestamp::now), RoundMode::Ceil)?;
    let since = span.since.unwrap_or_else(|| until.checked_sub(DAY).unwrap_or(Timestamp::MIN));
    let since = whole_hour(since, RoundMode::Floor)?;
    if since >= until {
        return Err(Problem::invalid("`since` must be before `until`"));
    }
    state.recorder.settle(&state.stored.storage).await?;
    let usage = state.stored.storage.usage(&tenant, since, until).await?;
    let mut total = Used::default();
    usage.nodes.values().for_each(|used| total += *used);
    Ok(Json(UsageOfTenant { tenant, since, until, total, usage }))
}

/// The beginning of the hour that `time` is in, or its end.
fn whole_hour(time: Timestamp, mode: RoundMode) -> Result<Timestamp, Problem> {
    let rounded = time.round(TimestampRound::new().smallest(Unit::Hour).mode(mode));
    rounded.map_err(|_| Problem::invalid("`since` and `until` must be times of this age"))
}

impl Wanted {
    fn filter(&self) -> Result<RunFilter, Problem> {
        Ok(RunFilter {
            tenant: parsed("tenant", self.tenant.as_deref())?,
            node: parsed("node", self.node.as_deref())?,
            cause: parsed("cause", self.cause.as_deref())?,
            revision: parsed("revision", self.revision.as_deref())?,
            since: self.since,
            until: self.until,
        })
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|why| Problem::invalid(format!("`{name}`: {why}")))
}

impl Summary {
    fn of(record: &Record) -> Self {
        let broken = match &record.run.outcome {
            Outcome::Reply(_) => None,
            Outcome::BotBreak(broken) => Some(broken),
        };
        Self {
            id: record.id,
            tenant: record.tenant.clone(),
            node: record.node.clone(),
            revision: record.revision,
            artifact: record.artifact,
            started_at: record.started_at,
            result: if broken.is_some() { "bot_break" } else { "reply" },
            cause: record.cause(),
            blame: record.cause().map(Cause::blame),
            detail: broken.map(|broken| broken.detail.clone()),
            usage: record.run.usage,
            caller_left: record.caller_left,
            chat_afterwards: record.chat_afterwards,
        }
    }
}
