//! What is told of an event: a span of its own, and below it one for the wait and one for the run.
//!
//! Attributes of HTTP have the names of OpenTelemetry's conventions, ours begin with `codenode.`.

use std::time::{Duration, SystemTime};

use model::{Outcome, Run, RunId};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

use super::Trace;
use crate::directory::Live;

const ROUTE: &str = "/hooks/{tenant}/{node}";
const NAME: &str = "POST /hooks/{tenant}/{node}";

/// How many [`of`] makes.
pub(super) const fn count(waited: Option<Duration>) -> usize {
    if waited.is_some() { 3 } else { 1 }
}

/// An event that never began to run has only a span of its own.
pub(super) fn of(trace: &Trace, id: RunId, live: &Live, run: &Run, waited: Option<Duration>) -> Vec<SpanData> {
    let mut spans = vec![event(trace, id, live, run)];
    let (Some(waited), Some(admitted_at), Some((answered_at, _))) = (waited, trace.admitted_at, trace.answered) else {
        return spans;
    };
    let wait = (admitted_at.checked_sub(waited).unwrap_or(admitted_at), admitted_at);
    spans.push(below(trace, "wait for a permit", wait, Vec::new(), Status::Unset));
    let began_at = answered_at.checked_sub(run.usage.wall_time).map_or(admitted_at, |began| began.max(admitted_at));
    let mut attributes = vec![
        KeyValue::new("codenode.run", id.to_string()),
        KeyValue::new("codenode.outcome", outcome(run)),
        KeyValue::new("codenode.cpu_micros", micros(run.usage.cpu_time)),
    ];
    let status = match &run.outcome {
        Outcome::Reply(_) => Status::Unset,
        Outcome::BotBreak(broken) => {
            attributes.push(KeyValue::new("codenode.blame", broken.cause.blame().name()));
            Status::error(broken.cause.name())
        }
    };
    spans.push(below(trace, "run", (began_at, answered_at), attributes, status));
    spans
}

fn event(trace: &Trace, id: RunId, live: &Live, run: &Run) -> SpanData {
    let mut attributes = vec![
        KeyValue::new("http.request.method", "POST"),
        KeyValue::new("http.route", ROUTE),
        KeyValue::new("url.path", format!("/hooks/{}/{}", live.tenant, live.node)),
        KeyValue::new("codenode.tenant", live.tenant.to_string()),
        KeyValue::new("codenode.node", live.node.to_string()),
        KeyValue::new("codenode.run", id.to_string()),
        KeyValue::new("codenode.outcome", outcome(run)),
    ];
    if let Some(revision) = live.revision() {
        attributes.push(KeyValue::new("codenode.revision", i64::from(u32::from(revision))));
    }
    let (answered_at, mut status) = (trace.answered.map_or_else(SystemTime::now, |(at, _)| at), Status::Unset);
    if let Some((_, answer)) = trace.answered {
        attributes.push(KeyValue::new("http.response.status_code", i64::from(answer.as_u16())));
        if answer.is_server_error() {
            attributes.push(KeyValue::new("error.type", outcome(run)));
            status = Status::error(outcome(run));
        }
    }
    SpanData {
        span_kind: SpanKind::Server,
        parent_span_is_remote: trace.parent != SpanId::INVALID,
        ..span(trace.context.clone(), trace.parent, NAME, (trace.received_at, answered_at), attributes, status)
    }
}

fn below(
    trace: &Trace,
    name: &'static str,
    times: (SystemTime, SystemTime),
    attributes: Vec<KeyValue>,
    status: Status,
) -> SpanData {
    let event = &trace.context;
    let id = RandomIdGenerator::default().new_span_id();
    let state = event.trace_state().clone();
    let context = SpanContext::new(event.trace_id(), id, event.trace_flags(), false, state);
    span(context, event.span_id(), name, times, attributes, status)
}

fn span(
    context: SpanContext,
    parent: SpanId,
    name: &'static str,
    (start_time, end_time): (SystemTime, SystemTime),
    attributes: Vec<KeyValue>,
    status: Status,
) -> SpanData {
    SpanData {
        span_context: context,
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time,
        end_time: end_time.max(start_time),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: InstrumentationScope::builder("codenode").build(),
    }
}

/// As in the metrics.
const fn outcome(run: &Run) -> &'static str {
    match &run.outcome {
        Outcome::Reply(_) => "reply",
        Outcome::BotBreak(broken) => broken.cause.name(),
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
