//! What ran: the newest run records, and one of them whole.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use jiff::Timestamp;
use model::{ArtifactId, Blame, Cause, Limits, Log, NodeId, Outcome, RunId, TenantId, Usage};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::input::{Path, Query};
use super::problem::Problem;
use crate::recorder::{ChatAfterwards, Filter, Record};
use crate::state::State;

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
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The body of `GET /v1/runs`: newest first, without replies and logs.
#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    runs: Vec<Summary>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RunSummary)]
struct Summary {
    id: RunId,
    tenant: TenantId,
    node: NodeId,
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
    #[schema(value_type = String)]
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
}

/// `GET /v1/runs?tenant=&node=&cause=&limit=`: of the caller's tenant, or of all for an operator.
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
    let records = state.recorder.newest(&filter, limit);
    Ok(Json(Runs { runs: records.iter().map(|record| Summary::of(record)).collect() }))
}

/// `GET /v1/runs/{id}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Whole>, Problem> {
    let id: RunId = id.parse().map_err(|_| Problem::not_found("that is no run id"))?;
    let record = state.recorder.find(id).filter(|record| caller.tenant.is_none_or(|own| own == record.tenant));
    let record = record.ok_or_else(|| Problem::not_found("no record of this run is kept (any more)"))?;
    let run = record.run.clone();
    Ok(Json(Whole { summary: Summary::of(&record), limits: record.limits, outcome: run.outcome, log: run.log }))
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Problem> {
        Ok(Filter {
            tenant: parsed("tenant", self.tenant.as_deref())?,
            node: parsed("node", self.node.as_deref())?,
            cause: parsed("cause", self.cause.as_deref())?,
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
