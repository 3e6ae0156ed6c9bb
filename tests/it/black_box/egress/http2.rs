//! Services that speak HTTP/2 and mean harm, frame by frame: the run is over in its time and says why, and nobody else pays for it.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::caller::{plan, results};
use super::super::frames::{
    ACK, CANCEL, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, padding,
};
use super::super::http::Answer;
use super::super::server::{Server, event, node, node_of};
use super::super::service::{Authority, Service, name_server};
use super::rude::{
    Says, begun, data, early_hints, fields_that_unfold, flood, goaway, head_in_parts, ok, once, service_with, trickle,
};
use super::{OPEN, recorded};

/// The name of every service here; they differ by their ports.
const NAME: &str = "rude.test";

/// What the handler's own request waits for.
const PATIENCE_MILLIS: u64 = 400;
/// What its run has.
const WALL_TIME: Duration = Duration::from_secs(2);
/// How much later its answer may be here; the server shares two cores with other tests.
const LATENESS: Duration = Duration::from_secs(3);
/// How much more memory the server may hold while it is flooded than before.
const MEMORY_SLACK_BYTES: u64 = 48 << 20;
/// How fast somebody else is answered meanwhile.
const NEIGHBOUR_WAITS: Duration = Duration::from_millis(100);

/// A server whose one node may call these services, and a neighbour of another tenant.
struct Street {
    server: Server,
    _certificates: TempDir,
}

impl Street {
    fn with<'a>(authority: &Authority, services: impl IntoIterator<Item = &'a Service>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = folder.path().join("ca.pem");
        std::fs::write(&certificates, &authority.pem).unwrap();
        let names = name_server(|_| vec![Ipv4Addr::LOCALHOST]);
        let grants: Vec<String> = services.into_iter().map(|service| format!("http:{}", origin(service))).collect();
        let keys = format!("grants = {grants:?}\nlimits = {{ wall_time = \"{}s\" }}", WALL_TIME.as_secs());
        let nodes = node("caller", "caller", &keys) + &node_of("other", "product-price", "");
        let egress = format!(
            "[egress]\nname_servers = [\"{names}\"]\ncertificates = {:?}\nidle_time = \"1s\"\n",
            certificates.display().to_string()
        );
        let server = Server::start(&format!("{nodes}{OPEN}{egress}"));
        Self { server, _certificates: folder }
    }

    /// What the handler gets of a request, while the neighbour is served.
    fn call(&self, request: &Value) -> Answer {
        let (event, began) = (plan("each", &json!([request])), Instant::now());
        thread::scope(|scope| {
            let call = scope.spawn(|| self.server.send("caller", &event));
            let mut waited = self.neighbour_waits();
            while !call.is_finished() {
                waited = waited.min(self.neighbour_waits());
            }
            assert!(waited < NEIGHBOUR_WAITS, "the neighbour waited {waited:?} during {request}");
            assert!(began.elapsed() < WALL_TIME + LATENESS, "{:?} for {request}", began.elapsed());
            call.join().unwrap()
        })
    }

    fn neighbour_waits(&self) -> Duration {
        let asked = Instant::now();
        let answer = self.server.send_to("other", "product-price", &event("product_name", "speaker"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        asked.elapsed()
    }
}

fn origin(service: &Service) -> String {
    format!("https://{NAME}:{}", service.address.port())
}

const FAILED: &str = "failed";
const TIMED_OUT: &str = "timed_out";
const SILENT: &str = "no response within 400ms";
const CALM: &str = "excessive load";

/// What a service does, what the guest is told of it, and what the record says besides.
const HOSTILE: [(&str, Says, &str, &str); 30] = [
    ("resets", || flood(&[], &frame(RST_STREAM, 0, 1, &CANCEL)), FAILED, "no longer needed"),
    ("resets of an answer", || flood(&[ok()], &frame(RST_STREAM, 0, 1, &CANCEL)), FAILED, "no longer needed"),
    ("a head without end", || flood(&[begun()], &frame(CONTINUATION, 0, 1, &padding(&[b'x'; 100]))), FAILED, CALM),
    ("a head without end or fields", || flood(&[begun()], &frame(CONTINUATION, 0, 1, &[])), FAILED, CALM),
    ("ten thousand headers", || head_in_parts(10_000, &padding(b"x")), FAILED, CALM),
    ("ten thousand in few parts", || head_in_parts(7, &padding(b"x").repeat(1_500)), FAILED, CALM),
    ("a megabyte of headers", || head_in_parts(70, &padding(&[b'x'; 100]).repeat(150)), FAILED, CALM),
    (
        "a head that unfolds",
        || once(&[frame(HEADERS, END_HEADERS, 1, &[vec![0x88], fields_that_unfold()].concat())]),
        FAILED,
        CALM,
    ),
    (
        "a head a little too large",
        || once(&[frame(HEADERS, END_HEADERS, 1, &[vec![0x88], padding(b"xx").repeat(1_000)].concat())]),
        FAILED,
        "protocol",
    ),
    (
        "trailers that unfold",
        || once(&[ok(), frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields_that_unfold())]),
        FAILED,
        CALM,
    ),
    ("empty data", || flood(&[ok()], &data(0, &[])), FAILED, CALM),
    ("data past its window", || flood(&[ok()], &data(0, &[b'x'; 16_000])), FAILED, "flow-control"),
    ("a frame larger than agreed", || once(&[ok(), data(0, &[b'x'; 20_000])]), FAILED, "invalid size"),
    ("settings", || flood(&[], &frame(SETTINGS, 0, 0, &[])), TIMED_OUT, SILENT),
    ("pings", || flood(&[], &frame(PING, 0, 0, &[0; 8])), TIMED_OUT, SILENT),
    ("answers to no ping", || flood(&[], &frame(PING, ACK, 0, &[0; 8])), TIMED_OUT, SILENT),
    ("priorities", || flood(&[], &frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 0])), TIMED_OUT, SILENT),
    ("frames of no known kind", || flood(&[], &frame(0x77, 0, 1, &[b'x'; 100])), TIMED_OUT, SILENT),
    ("interim answers", || flood(&[], &early_hints()), TIMED_OUT, SILENT),
    ("windows", || flood(&[], &frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])), TIMED_OUT, SILENT),
    ("windows of the stream", || flood(&[], &frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])), TIMED_OUT, SILENT),
    (
        "a window of more than there is",
        || once(&[frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])]),
        FAILED,
        "flow-control",
    ),
    (
        "a push",
        || flood(&[], &frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82, 0x87, 0x84])),
        FAILED,
        "protocol",
    ),
    ("goodbyes", || flood(&[ok()], &goaway(1, 0)), TIMED_OUT, "nothing more came for 400ms"),
    (
        "goodbye before the end",
        || once(&[ok(), data(0, b"half"), goaway(1, 0)]),
        TIMED_OUT,
        "nothing more came for 400ms",
    ),
    ("goodbye to an answer", || once(&[ok(), data(0, b"half"), goaway(0, 11)]), FAILED, CALM),
    (
        "a head in small parts",
        || trickle(&[begun()], &frame(CONTINUATION, 0, 1, &[]), Duration::from_millis(150)),
        TIMED_OUT,
        SILENT,
    ),
    ("pings now and then", || trickle(&[], &frame(PING, 0, 0, &[0; 8]), Duration::from_millis(50)), TIMED_OUT, SILENT),
    (
        "data in small parts",
        || trickle(&[ok()], &data(0, b"x"), Duration::from_millis(50)),
        TIMED_OUT,
        "the response was not over",
    ),
    ("silence", || once(&[]), TIMED_OUT, SILENT),
];

#[test]
fn a_service_that_floods_trickles_or_lies_is_an_error_of_its_own_and_costs_nobody_else() {
    let authority = Authority::new();
    let config = authority.tls(NAME, &[b"h2"]);
    let services = HOSTILE.map(|(_, script, ..)| service_with(&config, &[], script));
    let street = Street::with(&authority, &services);
    let server = &street.server;
    (0..20).for_each(|_| assert!(street.neighbour_waits() < LATENESS));
    let (descriptors, resident_bytes) = (server.descriptors(), server.resident_bytes());
    for ((name, _, error, why), service) in HOSTILE.iter().zip(&services) {
        let answer = street.call(&json!({ "url": origin(service), "timeout_ms": PATIENCE_MILLIS }));
        let call = recorded(server, &answer);
        assert_eq!(results(&answer)[0]["error"], *error, "{name}: {} {call}", answer.body);
        assert!(call["failed"].as_str().is_some_and(|text| text.contains(why)), "{name}: {call}");
    }
    // None of them goes on for longer than a connection is kept that nobody uses.
    server.wait_for_descriptors(descriptors);
    let peak = server.peak_resident_bytes();
    assert!(peak < resident_bytes + MEMORY_SLACK_BYTES, "{peak} bytes at the most, {resident_bytes} before");
}

#[test]
fn a_service_that_does_not_take_a_request_holds_no_run_up() {
    // RFC 9113, section 6.5.2: no byte of a stream may be sent, and no stream may be opened.
    const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];
    const NO_STREAM: &[u8] = &[0, 3, 0, 0, 0, 0];
    let authority = Authority::new();
    let config = authority.tls(NAME, &[b"h2"]);
    let (silent, begins): (Says, Says) = (|| once(&[]), || once(&[ok(), data(0, b"half")]));
    let cases = [
        ("no window", service_with(&config, NO_WINDOW, silent), "no response within 400ms"),
        ("no stream", service_with(&config, NO_STREAM, silent), "no response within 400ms"),
        ("half a window", service_with(&config, &[], silent), "no response within 400ms"),
        ("an answer that begins early", service_with(&config, &[], begins), "nothing more came for 400ms"),
    ];
    let whole = service_with(&config, &[], || once(&[ok(), data(END_STREAM, b"enough")]));
    let street = Street::with(&authority, cases.iter().map(|(_, service, _)| service).chain([&whole]));
    let post = |service: &Service| {
        street.call(&json!({
            "method": "POST", "url": origin(service), "body_bytes": 100_000, "timeout_ms": PATIENCE_MILLIS,
        }))
    };
    let descriptors = street.server.descriptors();
    for (name, service, why) in &cases {
        let answer = post(service);
        let call = recorded(&street.server, &answer);
        assert_eq!(results(&answer)[0]["error"], "timed_out", "{name}: {} {call}", answer.body);
        assert!(call["failed"].as_str().is_some_and(|text| text.contains(why)), "{name}: {call}");
        assert!(call["request_bytes"].as_u64().unwrap() < 100_000, "{name}: {call}");
    }
    let answer = post(&whole);
    let result = &results(&answer)[0];
    assert_eq!((&result["status"], &result["body"]), (&json!(200), &json!("enough")), "{result}");
    street.server.wait_for_descriptors(descriptors);
}

#[test]
fn a_connection_on_which_nothing_comes_any_more_is_not_taken_for_ever() {
    let authority = Authority::new();
    let service = service_with(&authority.tls(NAME, &[b"h2"]), &[], || once(&[]));
    let street = Street::with(&authority, [&service]);
    let request = json!({ "url": origin(&service), "timeout_ms": PATIENCE_MILLIS });
    let began = Instant::now();
    while service.connections() < 2 {
        let result = &results(&street.server.send("caller", &plan("each", &json!([request]))))[0];
        assert!(result["error"] == "timed_out" || result["error"] == "failed", "{result}");
        assert!(began.elapsed() < Duration::from_secs(30), "the dead connection is used again and again");
    }
}
