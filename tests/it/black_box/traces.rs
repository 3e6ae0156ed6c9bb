//! Traces of events, as a collector gets them: OTLP over HTTP, decoded with OpenTelemetry's own types.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use model::Scheme;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use rustix::process::Signal;

use super::http::Answer;
use super::server::{SECRET, Server, event, node, signed};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Whoever takes spans.
struct Collector {
    address: SocketAddr,
    got: Arc<Mutex<Got>>,
}

#[derive(Default)]
struct Got {
    heads: Vec<String>,
    messages: Vec<ExportTraceServiceRequest>,
    /// Each message as it came.
    bytes: Vec<u8>,
}

impl Collector {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, got) = (listener.local_addr().unwrap(), Arc::<Mutex<Got>>::default());
        let into = Arc::clone(&got);
        thread::spawn(move || {
            for caller in listener.incoming() {
                let mut caller = BufReader::new(caller.unwrap());
                let mut head = String::new();
                while caller.read_line(&mut head).unwrap() > 2 {}
                let head = head.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                let mut body = vec![0; length.parse().unwrap()];
                caller.read_exact(&mut body).unwrap();
                let message = ExportTraceServiceRequest::decode(&*body).unwrap();
                let mut got = into.lock().unwrap();
                got.heads.push(head);
                got.messages.push(message);
                got.bytes.extend(body);
                drop(got);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                caller.get_mut().write_all(answer).unwrap();
            }
        });
        Self { address, got }
    }

    fn spans(&self) -> Vec<Span> {
        let got = self.got.lock().unwrap();
        let resources = got.messages.iter().flat_map(|message| &message.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    /// The spans of a run, once they have come; the event's own first.
    fn spans_of(&self, server: &Server, answer: &Answer) -> Vec<Span> {
        let run = answer.header("x-codenode-run").unwrap();
        let event = server.wait_for("the event's span", || {
            self.spans().into_iter().find(|span| span.kind() == SpanKind::Server && text(span, "codenode.run") == run)
        });
        let below = self.spans().into_iter().filter(|span| span.parent_span_id == event.span_id).collect();
        [vec![event], below].concat()
    }
}

fn value(span: &Span, key: &str) -> Option<Value> {
    let of = |attribute: &&KeyValue| attribute.key == key;
    span.attributes.iter().find(of).and_then(|attribute| attribute.value.clone()?.value)
}

fn text(span: &Span, key: &str) -> String {
    match value(span, key) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key} is {other:?} in {span:?}"),
    }
}

fn number(span: &Span, key: &str) -> i64 {
    match value(span, key) {
        Some(Value::IntValue(number)) => number,
        other => panic!("{key} is {other:?} in {span:?}"),
    }
}

/// A server with two nodes, whose events are traced to this address.
fn traced(address: SocketAddr, more: &str) -> Server {
    let traces = format!("[traces]\nendpoint = \"http://{address}\"\n{more}\n");
    Server::start(&format!("{}{}{traces}", node("N", "product-price", ""), node("BAD", "naughty", "")))
}

fn send(server: &Server, node: &str, headers: &[(&str, &str)], event: &[u8]) -> Answer {
    let signed = signed(Scheme::Sha256, event);
    let signed = signed.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    server.post(node, &headers.iter().copied().chain(signed).collect::<Vec<_>>(), event)
}

#[test]
fn an_event_is_a_part_of_its_senders_trace() {
    let collector = Collector::open();
    let server = traced(collector.address, "sample_ratio = 0.0\nheaders = \"x-scope: hidden\"");
    let sent = event("product_name", "a-payload-nobody-traces");
    let answer = send(&server, "N", &[("traceparent", PARENT), ("tracestate", "vendor=1")], &sent);
    assert_eq!(answer.status, 200);
    let [event, wait, run] = <[Span; 3]>::try_from(collector.spans_of(&server, &answer)).unwrap();
    for span in [&event, &wait, &run] {
        assert_eq!((hex(&span.trace_id), &*span.trace_state), (TRACE.to_owned(), "vendor=1"));
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        assert!(event.start_time_unix_nano <= span.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= event.end_time_unix_nano);
    }
    assert_eq!(
        (&*event.name, hex(&event.parent_span_id)),
        ("POST /hooks/{tenant}/{node}", "b7ad6b7169203331".to_owned())
    );
    assert_eq!((&*wait.name, &*run.name), ("wait for a permit", "run"));
    assert!(wait.end_time_unix_nano <= run.start_time_unix_nano);
    for (key, expected) in [
        ("http.request.method", "POST"),
        ("http.route", "/hooks/{tenant}/{node}"),
        ("url.path", "/hooks/acme/N"),
        ("codenode.tenant", "acme"),
        ("codenode.node", "N"),
        ("codenode.outcome", "reply"),
    ] {
        assert_eq!(text(&event, key), expected, "{key}");
    }
    assert_eq!(number(&event, "http.response.status_code"), 200);
    assert_eq!(text(&run, "codenode.run"), answer.header("x-codenode-run").unwrap());
    let used = server.record(&answer)["usage"].clone();
    assert!(number(&run, "codenode.cpu_micros") > 0, "{used}");

    let got = collector.got.lock().unwrap();
    assert!(
        got.heads[0].starts_with("post /v1/traces ") && got.heads[0].contains("x-scope: hidden"),
        "{}",
        got.heads[0]
    );
    assert!(got.heads[0].contains("content-type: application/x-protobuf"), "{}", got.heads[0]);
    let all = String::from_utf8_lossy(&got.bytes);
    for secret in ["a-payload-nobody-traces", SECRET, "hidden"] {
        assert!(!all.contains(secret), "{secret} was told");
    }
    drop(got);
    send(&server, "N", &[], &sent);
    let unsampled = PARENT.replace("-01", "-00");
    send(&server, "N", &[("traceparent", &unsampled)], &sent);
    let last = send(&server, "N", &[("traceparent", PARENT)], &sent);
    assert_eq!(collector.spans_of(&server, &last).len(), 3);
    assert_eq!(collector.spans().len(), 6, "of what nobody asked for, none at this ratio");
}

#[test]
fn a_bot_break_is_told_by_its_cause_and_a_malformed_parent_begins_a_trace() {
    let collector = Collector::open();
    let server = traced(collector.address, "");
    let answer = send(&server, "BAD", &[("traceparent", "00-nonsense-01")], &event("misbehave", "panic"));
    let cause = answer.cause().unwrap().to_owned();
    let [event, _, run] = <[Span; 3]>::try_from(collector.spans_of(&server, &answer)).unwrap();
    assert!(event.parent_span_id.is_empty() && event.trace_id.iter().any(|byte| *byte != 0), "{event:?}");
    assert_ne!(hex(&event.trace_id), TRACE);
    for span in [&event, &run] {
        assert_eq!(text(span, "codenode.outcome"), cause);
        assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Error);
    }
    assert_eq!(number(&event, "http.response.status_code"), i64::from(answer.status));
    assert_eq!(text(&event, "error.type"), cause);
    assert!(!text(&run, "codenode.blame").is_empty());
    let logged = server.wait_for_log("bot break");
    assert_eq!(logged["trace"], hex(&event.trace_id));
    assert_eq!(logged["run"], text(&run, "codenode.run"));
}

#[test]
fn the_last_spans_are_sent_before_a_server_stops() {
    let collector = Collector::open();
    let server = traced(collector.address, "");
    let answer = send(&server, "N", &[], &event("product_name", "speaker"));
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    let run = answer.header("x-codenode-run").unwrap();
    assert!(collector.spans().iter().any(|span| span.kind() == SpanKind::Server && text(span, "codenode.run") == run));
}

#[test]
fn a_collector_that_is_away_costs_a_warning_and_its_spans() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = traced(closed, "");
    for _ in 0..20 {
        assert_eq!(send(&server, "N", &[("traceparent", PARENT)], &event("product_name", "speaker")).status, 200);
    }
    server
        .wait_for("the spans to be dropped", || (server.metric("codenode_dropped_spans_total") >= 60.0).then_some(()));
    assert_eq!(server.log_lines("the collector does not take spans").len(), 1);
    server.signal(Signal::TERM);
    assert!(server.wait().success());
}

#[test]
fn a_collector_that_says_nothing_does_not_keep_a_server_from_stopping() {
    // Whose backlog takes connections, which nobody reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = traced(silent.local_addr().unwrap(), "");
    assert_eq!(send(&server, "N", &[], &event("product_name", "speaker")).status, 200);
    let began = std::time::Instant::now();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
