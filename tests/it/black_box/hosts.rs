//! Two hosts on one PostgreSQL and one bucket: what is deployed on one is served by both, without a lost event; and without the database
//! what is live goes on.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process, test_kill_process};
use serde_json::json;
use sqlx::Executor as _;

use super::deliveries::{STANDARD_SECRET, deliver};
use super::http::{self, Answer};
use super::idempotency;
use super::server::{CODENODE, SECRET, Server, TOKEN, event, guest};
use crate::hostile::generated;

const MASTER_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What the two hosts share.
pub(super) struct Shared {
    pub(super) database: String,
    bucket: String,
    endpoint: String,
}

impl Shared {
    /// A database and a bucket of their own.
    pub(super) fn fresh() -> Self {
        Self::on(&service("CODENODE_TEST_POSTGRES"))
    }

    /// The same, the database on this PostgreSQL.
    pub(super) fn on(postgres: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hosts-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let endpoint = service("CODENODE_TEST_S3");
        let address: SocketAddr = endpoint.trim_start_matches("http://").parse().unwrap();
        let made = http::exchange(
            address,
            format!("PUT /{name} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n").as_bytes(),
        );
        assert_eq!(made.unwrap().status, 200);
        Self { database: fresh_database(postgres, &name), bucket: format!("s3://{name}/codenode"), endpoint }
    }

    /// A host that reaches the database at this URL.
    fn host(&self, database: &str) -> Server {
        self.host_at(database, "")
    }

    /// One with these sections.
    pub(super) fn host_at(&self, database: &str, sections: &str) -> Server {
        let mut command = Command::new(CODENODE);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1");
        let storage = format!(
            "[storage]\ndatabase = {database:?}\nartifacts = {:?}\ns3_endpoint = {:?}\nmaster_keys = [{MASTER_KEY:?}]\n",
            self.bucket, self.endpoint
        );
        Server::start_by(command, "", &(storage + sections))
    }
}

pub(super) fn service(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run `cargo xtask test`, or `cargo xtask services` and set the variables that it prints")
    })
}

fn fresh_database(server: &str, name: &str) -> String {
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = sqlx::AnyPool::connect(server).await.unwrap();
        pool.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""))).await.unwrap();
        pool.close().await;
    });
    let (server, _) = server.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// What [`deploy`] makes.
pub(super) const NODE: &str = "/v1/tenants/acme/nodes/N";

/// The node `acme/N`, with a revision of each guest; the first is live.
pub(super) fn deploy(host: &Server, guests: &[&str]) {
    host.change("POST", "/v1/tenants", &json!({ "id": "acme" }));
    host.change("POST", "/v1/tenants/acme/nodes", &json!({ "id": "N" }));
    host.change("POST", &format!("{NODE}/secrets"), &json!({ "secret": SECRET }));
    for name in guests {
        let artifact = std::fs::read(guest(name)).unwrap();
        let uploaded = host.ask("POST", "/v1/tenants/acme/artifacts", &artifact);
        assert_eq!(uploaded.status, 201, "{}", uploaded.body);
        let wanted = json!({ "artifact": uploaded.json()["artifact"], "note": name });
        host.change("POST", &format!("{NODE}/revisions"), &wanted);
    }
    host.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 1 }));
}

/// Has the node take Standard Webhooks, too.
pub(super) fn take_standard_webhooks(host: &Server) {
    host.change("POST", &format!("{NODE}/secrets"), &json!({ "secret": STANDARD_SECRET, "retire_older_in": "24h" }));
    host.change("PUT", &format!("{NODE}/door"), &json!({ "schemes": ["sha256", "standard"] }));
}

fn ask(host: &Server) -> Answer {
    host.send("N", &event("product_name", "speaker"))
}

fn says(answer: &Answer) -> Option<u32> {
    match answer.status {
        200 if answer.body.contains("The price of the speaker") => Some(1),
        200 if answer.body.contains("Which order do you mean?") => Some(2),
        _ => None,
    }
}

/// Waits until the host answers with this revision, and tells how long it took.
fn wait_for_revision(host: &Server, revision: u32) -> Duration {
    let started = Instant::now();
    host.wait_for("the revision", || (says(&ask(host)) == Some(revision)).then_some(()));
    started.elapsed()
}

#[test]
fn what_one_host_promotes_both_serve_and_no_event_is_lost() {
    let shared = Shared::fresh();
    let (here, there) = (shared.host(&shared.database), shared.host(&shared.database));
    deploy(&here, &["product-price", "order-status"]);
    assert_eq!(says(&ask(&here)), Some(1), "the host that was asked serves it when it has answered");
    wait_for_revision(&there, 1);

    let (over, wrong, asked) = (AtomicBool::new(false), Mutex::new(Vec::new()), AtomicU32::new(0));
    thread::scope(|scope| {
        for host in [&here, &there, &here, &there] {
            let (over, wrong, asked) = (&over, &wrong, &asked);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let answer = ask(host);
                    asked.fetch_add(1, Ordering::Relaxed);
                    if says(&answer).is_none() {
                        wrong.lock().unwrap().push(answer);
                    }
                }
            });
        }
        for round in 0..6 {
            let (asked_host, other) = if round % 2 == 0 { (&here, &there) } else { (&there, &here) };
            let (path, body, now) = match round % 3 {
                0 => ("promote", json!({ "revision": 2 }), 2),
                1 => ("roll-back", json!({}), 1),
                _ => ("promote", json!({ "revision": 1 }), 1),
            };
            asked_host.change("POST", &format!("{NODE}/{path}"), &body);
            assert_eq!(says(&ask(asked_host)), Some(now));
            let heard = wait_for_revision(other, now);
            assert!(heard < Duration::from_secs(10), "the other host took {heard:?}");
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(wrong.lock().unwrap().is_empty(), "{:?}", wrong.lock().unwrap().first());
    assert!(asked.load(Ordering::Relaxed) > 100, "only {asked:?} events");
}

#[test]
fn what_both_hosts_are_delivered_runs_once() {
    let shared = Shared::fresh();
    let (here, there) = (shared.host(&shared.database), shared.host(&shared.database));
    deploy(&here, &["naughty"]);
    take_standard_webhooks(&here);
    there.wait_for("the other host to hear", || {
        (deliver(&there, "N", "msg_0", &event("a", "b")).status == 200).then_some(())
    });
    let event = event("misbehave", "loop");
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| deliver(&here, "N", "msg_1", &event));
        let other = scope.spawn(|| deliver(&there, "N", "msg_1", &event));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!((one.status, one.header("x-codenode-run")), (504, other.header("x-codenode-run")));
    assert_eq!((one.body.as_str(), one.cause()), (other.body.as_str(), other.cause()));
    let repeated = [&one, &other].map(|answer| answer.header("x-codenode-repeated").is_some());
    assert!(repeated[0] != repeated[1], "one of the two ran");
    let recorded = |host: &Server| host.manage("/v1/runs?cause=out_of_cpu").json()["runs"].as_array().unwrap().len();
    // Who is asked for records writes its own first.
    here.wait_for("the run's record", || (recorded(&there).max(recorded(&here)) > 0).then_some(()));
    assert_eq!(recorded(&here), 1);
}

#[test]
fn what_an_operator_lets_a_tenant_use_holds_on_both_hosts() {
    let shared = Shared::fresh();
    let (here, there) = (shared.host(&shared.database), shared.host(&shared.database));
    deploy(&here, &["product-price"]);
    wait_for_revision(&there, 1);
    let of_two = |host: &Server| [ask(host), ask(host)].map(|answer| answer.status);
    let quota = json!({ "runs_per_second": 1, "runs_per_burst": 1, "nodes": 1 });
    let tenant = here.change("PUT", "/v1/tenants/acme/quota", &quota);
    assert_eq!((&tenant["quota"], &tenant["version"]), (&quota, &json!(2)));
    assert_eq!(of_two(&here), [200, 429], "at once where it was said");
    there.wait_for("the other host to hear", || of_two(&there).contains(&429).then_some(()));
    let refused = there.ask("POST", "/v1/tenants/acme/nodes", json!({ "id": "M" }).to_string().as_bytes());
    assert_eq!((refused.status, &refused.json()["type"]), (403, &json!("urn:codenode:problem:over-quota")));

    there.change("PUT", "/v1/tenants/acme/quota", &json!({}));
    assert_eq!(of_two(&there), [200, 200]);
    here.wait_for("the other host to hear", || (of_two(&here) == [200, 200]).then_some(()));
    here.change("POST", "/v1/tenants/acme/nodes", &json!({ "id": "M" }));
}

#[test]
fn without_the_database_what_is_live_goes_on_and_changes_are_refused() {
    let shared = Shared::fresh();
    let cable = Cable::to(&shared.database);
    let host = shared.host(&cable.url);
    deploy(&host, &["product-price", "order-status"]);
    let ready = || http::exchange(host.management, &http::get("/readyz", &[])).unwrap();
    assert_eq!(ready().status, 200);

    cable.cut();
    host.wait_for("readiness to tell", || (ready().status == 503).then_some(()));
    for _ in 0..20 {
        assert_eq!(says(&ask(&host)), Some(1));
    }
    let takes_events = http::exchange(host.management, &http::get("/readyz/front-door", &[])).unwrap();
    assert_eq!((takes_events.status, &takes_events.json()["status"]), (200, &json!("ready")));
    let promote = json!({ "revision": 2 }).to_string();
    let refused = host.ask("POST", &format!("{NODE}/promote"), promote.as_bytes());
    assert_eq!((refused.status, &refused.json()["type"]), (503, &json!("urn:codenode:problem:storage-unavailable")));
    assert_eq!(says(&ask(&host)), Some(1));
    let mut status = Command::new(CODENODE);
    status.args(["status", "--server", &format!("http://{}", host.management)]).env("CODENODE_KEY", TOKEN);
    let status = status.output().unwrap();
    let said = String::from_utf8_lossy(&status.stdout);
    assert_eq!(status.status.code(), Some(1), "a script sees it too: {said}");
    assert!(said.contains("storage-unavailable") && said.contains("acme/N  live"), "{said}");

    cable.mend();
    let mended = Instant::now();
    host.wait_for("readiness to return", || (ready().status == 200).then_some(()));
    host.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 2 }));
    assert_eq!(says(&ask(&host)), Some(2));
    assert!(mended.elapsed() < Duration::from_secs(20), "it took {:?} to recover", mended.elapsed());
}

#[test]
fn a_host_that_shuts_down_waits_for_no_compilation_of_what_another_promoted() {
    let shared = Shared::fresh();
    let (here, there) = (shared.host(&shared.database), shared.host(&shared.database));
    deploy(&here, &["product-price"]);
    wait_for_revision(&there, 1);
    let uploaded = here.ask("POST", "/v1/tenants/acme/artifacts", &generated::functions(10_000));
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    here.change("POST", &format!("{NODE}/revisions"), &json!({ "artifact": uploaded.json()["artifact"] }));
    here.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 2 }));
    let compiler = there.wait_for("the compile child", || there.children().pop());
    // It would be at it for as long as it is allowed to.
    kill_process(compiler, Signal::STOP).unwrap();
    assert_eq!(says(&ask(&there)), Some(1), "what is live serves until the next one is compiled");

    let asked = Instant::now();
    there.signal(Signal::TERM);
    assert!(there.wait().success());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let gone = test_kill_process(compiler);
    assert!(gone.is_err(), "the compile child outlives its host");
}

#[test]
fn a_host_that_was_cut_off_hears_what_it_missed_and_tells_what_it_answered() {
    let shared = Shared::fresh();
    let cable = Cable::to(&shared.database);
    let (here, there) = (shared.host(&shared.database), shared.host(&cable.url));
    deploy(&here, &["product-price", "order-status"]);
    take_standard_webhooks(&here);
    let speaker = event("product_name", "speaker");
    there
        .wait_for("the cut-off host to hear", || (deliver(&there, "N", "msg_0", &speaker).status == 200).then_some(()));

    cable.cut();
    let alone = deliver(&there, "N", "msg_1", &speaker);
    assert_eq!((says(&alone), alone.header("x-codenode-repeated")), (Some(1), None));
    here.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 2 }));
    assert_eq!(says(&ask(&there)), Some(1), "it cannot know");

    cable.mend();
    let caught_up = wait_for_revision(&there, 2);
    assert!(caught_up < Duration::from_secs(20), "it took {caught_up:?} to catch up");
    there.wait_for_log("deliveries are kept again");
    let again = deliver(&here, "N", "msg_1", &speaker);
    assert_eq!(again.header("x-codenode-repeated"), Some("true"), "it ran where it was cut off");
    assert_eq!((&again.body, again.header("x-codenode-run")), (&alone.body, alone.header("x-codenode-run")));
}

/// The wire to a database, which can be cut.
pub(super) struct Cable {
    pub(super) url: String,
    is_cut: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    pub(super) fn to(database: &str) -> Self {
        let (scheme_and_user, rest) = database.rsplit_once('@').unwrap();
        let (address, name) = rest.split_once('/').unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme_and_user}@{}/{name}", listener.local_addr().unwrap());
        let (is_cut, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (cut, kept) = (Arc::clone(&is_cut), Arc::clone(&ends));
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                // Whoever connects while it is cut hears nothing but the end.
                if cut.load(Ordering::Relaxed) {
                    continue;
                }
                let far = TcpStream::connect(address).unwrap();
                kept.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || carry(near, far));
                thread::spawn(move || carry(far_too, near_too));
            }
        });
        Self { url, is_cut, ends }
    }

    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn what_one_host_was_asked_for_the_other_one_does_not_make_again() {
    let shared = Shared::fresh();
    let (here, there) = (shared.host(&shared.database), shared.host(&shared.database));
    let wanted = json!({ "role": "operator" });
    let first = idempotency::post(&here, "one", "/v1/keys", &wanted);
    let again = idempotency::post(&there, "one", "/v1/keys", &wanted);
    assert_eq!((first.status, again.status, &again.body), (201, 201, &first.body));
    let made: Vec<u16> = thread::scope(|scope| {
        let asked = [&here, &there].into_iter().cycle().take(50);
        let asked: Vec<_> =
            asked.map(|host| scope.spawn(|| idempotency::post(host, "two", "/v1/keys", &wanted).status)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(made.contains(&201) && made.iter().all(|status| [201, 409].contains(status)), "{made:?}");
    assert_eq!(here.manage("/v1/keys").json()["keys"].as_array().unwrap().len(), 2);
}
