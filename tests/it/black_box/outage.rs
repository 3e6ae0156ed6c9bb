//! A PostgreSQL that is gone for half a minute: events are answered, changes are refused, and nothing that ran is forgotten.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::cluster::Cluster;
use super::deliveries::deliver;
use super::hosts::{NODE, Shared, deploy, take_standard_webhooks};
use super::http::{self, Answer};
use super::server::{Server, event};

const OUTAGE: Duration = Duration::from_secs(30);
/// From when PostgreSQL takes connections again: three times what is promised, for the machine has other tests to run.
const RECOVERY: Duration = Duration::from_secs(15);
/// Of whoever sends an event; platforms have half as much again.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two events of one sender.
const PAUSE: Duration = Duration::from_millis(40);

/// What the senders were told.
#[derive(Default)]
struct Told {
    /// The run of each answer.
    runs: Mutex<Vec<String>>,
    /// Answers that were none, or came late.
    wrong: Mutex<Vec<(Duration, Answer)>>,
    is_over: AtomicBool,
}

impl Told {
    /// Sends events until it is over, one after another.
    fn send(&self, ask: impl Fn(usize) -> Answer) {
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let asked = Instant::now();
            let answer = ask(number);
            let took = asked.elapsed();
            self.runs.lock().unwrap().extend(answer.header("x-codenode-run").map(str::to_owned));
            if answer.status != 200 || took > PATIENCE {
                self.wrong.lock().unwrap().push((took, answer));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Ends the senders, whatever else fails.
struct End<'a>(&'a Told);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

fn open(host: &Server, path: &str) -> Answer {
    http::exchange(host.management, &http::get(path, &[])).unwrap()
}

fn is_ready(host: &Server) -> bool {
    open(host, "/readyz").status == 200
}

/// Tries changes, all at once: each is refused in time and says so.
fn refuses_changes(host: &Server) {
    let secret = json!({ "secret": "a secret that nobody hears of" });
    let changes = [
        (format!("{NODE}/promote"), json!({ "revision": 2 })),
        (format!("{NODE}/secrets"), secret),
        ("/v1/tenants".to_owned(), json!({ "id": "globex" })),
        ("/v1/keys".to_owned(), json!({ "role": "operator" })),
    ];
    thread::scope(|scope| {
        for (path, body) in &changes {
            scope.spawn(move || {
                let asked = Instant::now();
                let refused = host.ask("POST", path, body.to_string().as_bytes());
                let problem = refused.json();
                assert_eq!(
                    (refused.status, &problem["type"]),
                    (503, &json!("urn:codenode:problem:storage-unavailable"))
                );
                assert_eq!(refused.header("content-type"), Some("application/problem+json"));
                assert!(refused.header("retry-after").is_some(), "{:?}", refused.headers);
                assert!(problem["detail"].as_str().unwrap().contains("nothing has changed"), "{problem}");
                assert!(asked.elapsed() < PATIENCE, "{path}: refused after {:?}", asked.elapsed());
            });
        }
    });
}

#[test]
fn a_database_that_is_gone_for_half_a_minute_costs_no_event_and_no_record() {
    let cluster = Cluster::start();
    let shared = Shared::on(&cluster.url());
    let host = shared.host_at(&shared.database, "");
    deploy(&host, &["product-price", "order-status"]);
    take_standard_webhooks(&host);
    assert!(is_ready(&host));
    let speaker = event("product_name", "speaker");

    let told = Told::default();
    let recovery = thread::scope(|scope| {
        let _end = End(&told);
        scope.spawn(|| told.send(|_| host.send("N", &speaker)));
        // These ask the database whether they ran before.
        scope.spawn(|| told.send(|number| deliver(&host, "N", &format!("msg_{number}"), &speaker)));
        thread::sleep(Duration::from_secs(2));
        cluster.crash();
        let crashed = Instant::now();
        host.wait_for("readiness to tell", || (!is_ready(&host)).then_some(()));
        while crashed.elapsed() < OUTAGE {
            let ready = open(&host, "/readyz");
            assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("storage-unavailable")));
            assert_eq!((open(&host, "/healthz").status, open(&host, "/readyz/front-door").status), (200, 200));
            refuses_changes(&host);
        }
        cluster.start_again();
        let recovery = recover(&host);
        thread::sleep(Duration::from_secs(2));
        recovery
    });
    let wrong = told.wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of them, such as {:?}", wrong.len(), wrong.first());
    println!("ready after {:?}, changed after {:?}", recovery[0], recovery[1]);
    assert!(recovery.iter().all(|took| *took < RECOVERY), "ready and changed after {recovery:?}");
    nothing_is_forgotten(&host, &told.runs.into_inner().unwrap());
}

/// How long it takes until the host is ready, and until it takes a change.
fn recover(host: &Server) -> [Duration; 2] {
    let began = Instant::now();
    let wait_until = |what: &str, is_so: &(dyn Fn() -> bool + Sync)| {
        host.wait_for(what, || is_so().then_some(()));
        began.elapsed()
    };
    let promote = json!({ "revision": 2 }).to_string();
    let promotes = || host.ask("POST", &format!("{NODE}/promote"), promote.as_bytes()).status == 200;
    thread::scope(|scope| {
        let ready = scope.spawn(|| wait_until("readiness to return", &|| is_ready(host)));
        let changed = scope.spawn(|| wait_until("a change", &promotes));
        [ready.join().unwrap(), changed.join().unwrap()]
    })
}

/// Every run has its record, and was counted once.
fn nothing_is_forgotten(host: &Server, runs: &[String]) {
    assert!(runs.len() > 100, "only {} events", runs.len());
    let kept = host.wait_for("the records", || records(host));
    let lost = runs.iter().filter(|run| !kept.contains(*run)).count();
    assert_eq!(lost, 0, "of {} runs so many have no record", runs.len());
    let usage = host.manage("/v1/tenants/acme/usage").json();
    assert_eq!(usage["nodes"]["N"]["runs"], json!(runs.len()), "{usage}");
    for counter in ["codenode_records_dropped_total", "codenode_unkept_deliveries_total"] {
        assert!(host.metric(counter).abs() < 0.5, "{counter}");
    }
}

/// The runs that have one; `None` while they cannot be written or read.
fn records(host: &Server) -> Option<HashSet<String>> {
    let (mut kept, mut page) = (HashSet::new(), String::new());
    loop {
        let listed =
            Some(host.manage(&format!("/v1/runs?limit=1000{page}"))).filter(|listed| listed.status == 200)?.json();
        kept.extend(listed["runs"].as_array()?.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        let Some(next) = listed["next"].as_str() else { return Some(kept) };
        page = format!("&cursor={next}");
    }
}
