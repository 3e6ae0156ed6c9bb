//! OAuth 2.0 against a real authorization server, oidc-provider, with an API behind it that takes its tokens alone.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::caller::{plan, results};
use super::super::http;
use super::super::server::guest;
use super::{connect, server};

const SECRET: &str = "very-secret-secret";

/// The authorization server; it ends with the test.
struct Authorization {
    child: Child,
    address: SocketAddr,
}

impl Authorization {
    /// Its tokens are good for so many seconds.
    fn start(seconds: u32) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = here.join("../../target/toolchains/oidc-provider/node_modules/oidc-provider/lib/index.js");
        assert!(library.is_file(), "{} is missing: run `cargo xtask test`, which installs it", library.display());
        let mut child = Command::new("node")
            .arg(here.join("../../tests/it/black_box/connections/authorization.mjs"))
            .arg(library.canonicalize().unwrap())
            .arg(seconds.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is missing: run `cargo xtask test`, which installs it");
        let address = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("http://")?.parse().ok())
            .expect("the authorization server says where it is");
        Self { child, address }
    }

    /// The connection of the client `id`.
    fn connection(&self, id: &str, more: &str) -> String {
        let at = self.address;
        format!(
            "--origin http://{at} --oauth2 http://{at}/token --client-id {id} --scope leads:write {more} --test-path /api"
        )
    }

    fn asked(&self, path: &str) -> String {
        http::exchange(self.address, &http::get(path, &[])).unwrap().body
    }

    fn issued(&self) -> u32 {
        self.asked("/issued").parse().unwrap()
    }
}

impl Drop for Authorization {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn many_runs_share_one_token_that_none_of_them_sees_in_the_record() {
    let authorization = Authorization::start(3600);
    let (server, _shell) = server(&authorization.connection("bot", ""), SECRET);
    let event = plan("each", &json!([{ "url": format!("http://{}/api", authorization.address) }]));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let answer = server.send("CALLER", &event);
                let said = results(&answer)[0]["body"].to_string();
                assert!(said.contains("hello bot, you came with") && said.contains("leads:write"), "{said}");
                let record = server.record(&answer).to_string();
                assert!(record.contains("you came with [redacted] for"), "{record}");
            });
        }
    });
    assert_eq!(authorization.issued(), 1);
}

#[test]
fn a_token_that_was_refused_is_replaced_once() {
    let authorization = Authorization::start(3600);
    let (server, _shell) = server(&authorization.connection("bot-in-body", "--client-in-body"), SECRET);
    let status = |path: &str| {
        let event = plan("each", &json!([{ "url": format!("http://{}{path}", authorization.address) }]));
        results(&server.send("CALLER", &event))[0]["status"].clone()
    };
    assert_eq!((status("/api"), status("/api"), authorization.issued()), (json!(200), json!(200), 1));
    // One that is brand-new is believed.
    thread::sleep(Duration::from_millis(1100));
    authorization.asked("/revoke");
    assert_eq!((status("/api"), authorization.issued()), (json!(200), 2), "a 401 fetches another one, and asks again");
    // What takes no token at all is told as it is, and does not make it rain tokens.
    let began = Instant::now();
    let refused: Vec<_> = (0..8).map(|_| status("/api/none")).collect();
    assert!(refused.iter().all(|status| *status == 401), "{refused:?}");
    let a_second = began.elapsed().as_secs() + 1;
    assert!(u64::from(authorization.issued()) <= 2 + a_second, "{} in {a_second} s", authorization.issued());
}

#[test]
fn a_token_is_fetched_anew_before_it_expires() {
    let authorization = Authorization::start(4);
    let (server, _shell) = server(&authorization.connection("bot", ""), SECRET);
    let event = plan("each", &json!([{ "url": format!("http://{}/api", authorization.address) }]));
    let asked = || results(&server.send("CALLER", &event))[0]["status"].clone();
    assert_eq!((asked(), authorization.issued()), (json!(200), 1));
    thread::sleep(Duration::from_millis(3400));
    assert_eq!((asked(), authorization.issued()), (json!(200), 2));
}

#[test]
fn a_token_that_cannot_be_had_is_the_services_failure_and_says_why() {
    let authorization = Authorization::start(60);
    let crm = authorization.connection("bot", "");
    let (server, shell) = server(&crm, "a-wrong-secret-of-the-bot");
    let event = plan("pass_on", &json!([{ "url": format!("http://{}/api", authorization.address) }]));
    let broken = server.send("CALLER", &event);
    assert_eq!((broken.status, broken.cause()), (502, Some("upstream_failed")), "{}", broken.body);
    let record = server.record(&broken);
    let failed = record["http_calls"][0]["failed"].to_string();
    assert!(failed.contains("/token gave no token: it says invalid_client"), "{record}");
    let tested = shell.type_in("connection test crm", b"").exits(1).out();
    assert!(tested.contains("invalid_client"), "{tested}");
    connect(&shell, &crm, SECRET);
    let tested = shell.does("connection test crm");
    assert!(tested.contains("crm works: 200"), "{tested}");
}

#[test]
fn the_example_takes_a_lead_down_with_a_token_that_it_never_sees() {
    let authorization = Authorization::start(60);
    let (server, shell) = server(&authorization.connection("bot", ""), SECRET);
    shell.does(&format!("deploy {} --node CALLER --grant connection:crm", guest("crm-lead").display()));
    let mut event: Value = serde_json::from_str(include_str!("../../../../examples/crm-lead/event.json")).unwrap();
    event["env_variables"]["CRM_URL"] = json!(format!("http://{}", authorization.address));
    let taken = server.send("CALLER", event.to_string().as_bytes());
    assert!(taken.body.contains("your number is L-bot"), "{}", taken.body);
    assert_eq!(server.record(&taken)["http_calls"][0]["status"], 201);
}
