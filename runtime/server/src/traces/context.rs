//! The trace that an event belongs to, by the rules of W3C Trace Context.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// An event's own span while it is under way.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(super) context: SpanContext,
    /// The sender's span; invalid where the trace begins here.
    pub(super) parent: SpanId,
    /// When its head had come.
    pub(super) received_at: SystemTime,
    /// When it got its permit.
    pub(super) admitted_at: Option<SystemTime>,
    /// When there was an answer, and of what status.
    pub(super) answered: Option<(SystemTime, StatusCode)>,
}

impl Trace {
    /// What comes with a sender's span is sampled if that is; of what comes without, so many of each.
    pub(super) fn begin(received_at: SystemTime, headers: &HeaderMap, sample_ratio: f64) -> Self {
        let sender = sender(headers);
        let (trace, parent, flags, state) = match &sender {
            Some(span) => (span.trace_id(), span.span_id(), span.trace_flags(), span.trace_state().clone()),
            None => {
                let trace = RandomIdGenerator::default().new_trace_id();
                let flags = if is_chosen(trace, sample_ratio) { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
                (trace, SpanId::INVALID, flags, TraceState::NONE)
            }
        };
        let span = RandomIdGenerator::default().new_span_id();
        let context = SpanContext::new(trace, span, flags, false, state);
        Self { context, parent, received_at, admitted_at: None, answered: None }
    }

    pub(crate) fn admitted(&mut self) {
        self.admitted_at = Some(SystemTime::now());
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.answered = Some((SystemTime::now(), status));
    }

    pub(crate) fn id(&self) -> TraceId {
        self.context.trace_id()
    }

    pub(super) fn is_sampled(&self) -> bool {
        self.context.is_sampled()
    }
}

/// The sender's span, if it says one, once and rightly.
fn sender(headers: &HeaderMap) -> Option<SpanContext> {
    let states: Vec<&str> = headers.get_all(TRACESTATE).iter().filter_map(|state| state.to_str().ok()).collect();
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
    let parent = parent.to_str().ok().filter(|parent| is_well_formed(parent))?;
    let said = Said { parent, state: states.join(",") };
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &said);
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// To the letter, for the propagator takes a field that is too short. Later versions may add fields.
fn is_well_formed(parent: &str) -> bool {
    let Some((known, added)) = parent.split_at_checked(55) else { return false };
    let is_hex = |field: &str| field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_right = known.split('-').map(|field| if is_hex(field) { field.len() } else { 0 }).eq([2, 32, 16, 2]);
    is_right && !known.starts_with("ff") && (added.is_empty() || (added.starts_with('-') && !known.starts_with("00")))
}

/// The two headers: the first stands once, the second may be in parts.
struct Said<'h> {
    parent: &'h str,
    state: String,
}

impl Extractor for Said<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(self.parent),
            TRACESTATE => Some(&self.state).filter(|state| !state.is_empty()).map(String::as_str),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

/// By the end of the id, which is random: so all who see a trace decide alike.
fn is_chosen(trace: TraceId, sample_ratio: f64) -> bool {
    let [.., a, b, c, d] = trace.to_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0) < sample_ratio
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn begin(headers: &[(&'static str, &str)], ratio: f64) -> Trace {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        Trace::begin(SystemTime::UNIX_EPOCH, &map, ratio)
    }

    #[test]
    fn an_event_goes_on_with_its_senders_trace() {
        let trace = begin(&[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")], 0.0);
        assert_eq!(trace.id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.parent.to_string(), "b7ad6b7169203331");
        assert_ne!(trace.context.span_id(), trace.parent);
        assert_eq!(trace.context.trace_state().header(), "a=1,b=2");
        assert!(trace.is_sampled(), "whatever the ratio");
        let unsampled = PARENT.replace("-01", "-00");
        assert!(!begin(&[("traceparent", &unsampled)], 1.0).is_sampled(), "nor here");
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace() {
        let zero = PARENT.replace("b7ad6b7169203331", "0000000000000000");
        let upper = PARENT.to_uppercase();
        for wrong in ["", "00", "00-1-2-01", &PARENT[..54], &zero, &upper, &PARENT.replace("00-0", "ff-0")] {
            let trace = begin(&[("traceparent", wrong), ("tracestate", "a=1")], 1.0);
            assert_eq!(trace.parent, SpanId::INVALID, "{wrong}");
            assert!(trace.context.is_valid() && trace.is_sampled(), "{wrong}");
            assert_eq!(trace.context.trace_state().header(), "", "{wrong}");
        }
        assert_eq!(begin(&[("traceparent", PARENT), ("traceparent", PARENT)], 1.0).parent, SpanId::INVALID, "twice");
    }

    #[test]
    fn of_traces_that_begin_here_so_many_are_sampled() {
        let sampled = |ratio| (0..4000).filter(|_| begin(&[], ratio).is_sampled()).count();
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 4000));
        assert!((200..800).contains(&sampled(0.125)));
    }
}
