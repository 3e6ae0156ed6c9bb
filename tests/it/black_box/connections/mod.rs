//! Credentials that no handler sees: what leaves with them and what does not, who may change them, and that nobody can read them.

mod authorization;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::caller::{plan, results};
use super::hosts::{NODE, Shared, deploy};
use super::http::Answer;
use super::server::{SECRET, Server, guest};
use super::service::{Received, Service, response};
use super::shell::Shell;
use ::server::signature::{Scheme, Secret, sign};

const KEY: &str = "k3y+of/the=CRM";

/// What lets a test's handler reach the services of this machine.
const OPEN: &str = "[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n";

/// A server whose node `CALLER` may use the connection `crm`, and somebody who may do everything there.
pub(super) fn server(set: &str, secret: &str) -> (Server, Shell) {
    let server = Server::start(OPEN);
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    shell.does("node create CALLER");
    shell.type_in("secret set CALLER", SECRET.as_bytes()).exits(0);
    connect(&shell, set, secret);
    shell.does(&deploy_line("--grant connection:crm"));
    (server, shell)
}

fn deploy_line(more: &str) -> String {
    format!("deploy {} --node CALLER {more}", guest("caller").display())
}

fn connect(shell: &Shell, set: &str, secret: &str) {
    shell.type_in(&format!("connection set crm {set}"), secret.as_bytes()).exits(0);
}

/// A service that remembers what it was asked, and answers with it.
fn echo() -> (Service, Arc<Mutex<Vec<Received>>>) {
    let seen: Arc<Mutex<Vec<Received>>> = Arc::default();
    let remembered = Arc::clone(&seen);
    let service = Service::http(move |request| {
        remembered.lock().unwrap().push(Received { head: request.head.clone(), body: request.body.clone() });
        response(200, "", request.head.as_bytes())
    });
    (service, seen)
}

/// What arrives of a POST when the connection is set so, after the guest has tried to come with something of its own.
fn arrives(set: &str, secret: &str) -> (Received, Server, Answer) {
    let (service, seen) = echo();
    let (server, _shell) = server(&format!("--origin http://{} {set}", service.address), secret);
    let request = json!([{
        "method": "POST", "url": service.url("/leads?api%5Fkey=guess&a=1%202&api_key=guess"), "body": "{\"a\":1}",
        "headers": [["x-api-key", "guess"], ["x-api-key", "again"], ["x-hub-signature-256", "sha256=00"]],
    }]);
    let answer = server.send("CALLER", &plan("each", &request));
    assert_eq!(results(&answer)[0]["status"], 200, "{}", answer.body);
    let received = seen.lock().unwrap().pop().unwrap();
    (received, server, answer)
}

#[test]
fn a_key_in_a_header_takes_the_place_of_what_the_guest_wrote() {
    let (received, server, answer) = arrives("--header X-Api-Key --prefix Key:", KEY);
    assert_eq!(received.header("x-api-key"), Some(format!("Key:{KEY}").as_str()));
    assert!(!received.head.contains("guess\r\n"), "{}", received.head);
    assert!(answer.body.contains(KEY), "the platform gets the reply as it is");
    let record = server.record(&answer).to_string();
    assert!(record.contains("Key:[redacted]") && !record.contains(KEY), "{record}");
}

#[test]
fn a_key_in_the_query_takes_the_place_of_what_the_guest_wrote() {
    let (received, server, answer) = arrives("--query api_key", KEY);
    let line = received.head.lines().next().unwrap();
    assert_eq!(line, "POST /leads?a=1%202&api%5Fkey=k3y%2Bof%2Fthe%3DCRM HTTP/1.1");
    let record = server.record(&answer).to_string();
    assert!(record.contains("[redacted]") && !record.contains("k3y"), "{record}");
}

#[test]
fn a_token_and_a_password_are_authorizations() {
    let (received, ..) = arrives("--bearer", KEY);
    assert_eq!(received.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let (received, server, answer) = arrives("--basic", "the-bot:pass word");
    assert_eq!(received.header("authorization"), Some("Basic dGhlLWJvdDpwYXNzIHdvcmQ="));
    let record = server.record(&answer).to_string();
    assert!(!record.contains("dGhlLWJvdDpwYXNz"), "{record}");
}

#[test]
fn a_body_is_signed_as_events_are() {
    let (received, ..) = arrives("--signed sha256", "a key that signs");
    // printf '{"a":1}' | openssl dgst -sha256 -hmac 'a key that signs'
    let right = "babc914f367b6a6b510cd5918aee4599ede9933bf8f1c5a5c27fedc0459b97e0";
    assert_eq!(received.header("x-hub-signature-256"), Some(format!("sha256={right}").as_str()));
    assert_eq!(received.body, b"{\"a\":1}");

    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (received, ..) = arrives("--signed standard", secret);
    let header = |name| received.header(name).unwrap();
    let sent_at = UNIX_EPOCH + Duration::from_secs(header("webhook-timestamp").parse().unwrap());
    assert!(sent_at.elapsed().unwrap() < Duration::from_secs(60));
    let secret = Secret::new(secret).unwrap();
    let again = sign(Scheme::Standard, &secret, &received.body, header("webhook-id"), sent_at).unwrap();
    assert!(again.iter().all(|(name, value)| header(name.as_str()) == value), "{}", received.head);
}

#[test]
fn a_credential_goes_to_its_own_origin_and_to_no_other() {
    let ((crm, at_crm), (other, at_other)) = (echo(), echo());
    let (server, shell) = server(&format!("--origin http://{} --bearer", crm.address), KEY);
    let to_other = format!("http:http://{}", other.address);
    shell.does(&deploy_line(&format!("--grant connection:crm --grant {to_other}")));
    let requests = json!([{ "url": crm.url("/a") }, { "url": other.url("/b") }, { "url": other.url("/@") }]);
    assert!(results(&server.send("CALLER", &plan("all", &requests))).iter().all(|result| result["status"] == 200));
    assert!(at_crm.lock().unwrap()[0].head.contains(KEY));
    assert!(at_other.lock().unwrap().iter().all(|received| !received.head.contains(KEY)));

    // Without the connection's grant its origin is as any other.
    shell.does(&deploy_line(&format!("--grant {to_other}")));
    let refused = &results(&server.send("CALLER", &plan("each", &json!([{ "url": crm.url("/a") }]))))[0];
    assert_eq!(refused["error"], "refused", "{refused}");
    assert_eq!(at_crm.lock().unwrap().len(), 1);
}

#[test]
fn what_a_service_betrays_is_neither_in_the_log_nor_in_the_error_nor_in_a_test_run() {
    let (service, _) = echo();
    let (server, shell) = server(&format!("--origin http://{} --bearer", service.address), KEY);
    let event = plan("betray", &json!([{ "url": service.url("/") }]));
    let broken = server.send("CALLER", &event);
    assert_eq!((broken.status, broken.cause()), (502, Some("exception")), "{}", broken.body);
    let record = server.record(&broken);
    let (log, detail) = (record["log"].to_string(), record["detail"].to_string());
    assert!(log.contains("Bearer [redacted]") && detail.contains("Bearer [redacted]"), "{record}");
    let tried = shell.type_in("try CALLER --json --event -", &event).exits(1);
    let replied = shell.type_in("try CALLER --json --event -", &plan("each", &json!([{ "url": service.url("/") }])));
    let read = shell.does("logs CALLER");
    for shown in [record.to_string(), tried.out(), replied.exits(0).out(), read] {
        assert!(shown.contains("Bearer [redacted]") && !shown.contains(KEY), "{shown}");
    }
}

#[test]
fn a_secret_that_is_replaced_or_deleted_during_a_run_is_not_in_its_record() {
    let (service, held) = Service::held(|request| response(200, "", request.head.as_bytes()));
    let origin = format!("--origin http://{} --bearer", service.address);
    let (server, shell) = server(&origin, KEY);
    let event = plan("each", &json!([{ "url": service.url("/") }]));
    let record_after = |change: &dyn Fn()| {
        let answer = thread::scope(|scope| {
            let run = scope.spawn(|| server.send("CALLER", &event));
            held.during(change);
            run.join().unwrap()
        });
        assert_eq!(results(&answer)[0]["status"], 200);
        server.record(&answer).to_string()
    };
    let replaced = record_after(&|| connect(&shell, &origin, "another key"));
    assert!(replaced.contains("Bearer [redacted]") && !replaced.contains(KEY), "{replaced}");
    let deleted = record_after(&|| drop(shell.does("connection delete crm --yes")));
    assert!(deleted.contains("Bearer [redacted]") && !deleted.contains("another key"), "{deleted}");
}

#[test]
fn a_change_holds_for_the_next_request() {
    let (service, seen) = echo();
    let origin = format!("--origin http://{} --bearer", service.address);
    let (server, shell) = server(&origin, KEY);
    let ask = || results(&server.send("CALLER", &plan("each", &json!([{ "url": service.url("/") }]))))[0].clone();
    let comes_with = |secret: &str| {
        assert_eq!(ask()["status"], 200);
        assert!(seen.lock().unwrap().pop().unwrap().head.contains(secret), "{secret}");
    };
    comes_with(KEY);
    connect(&shell, &origin, "another key");
    comes_with("another key");
    shell.does("connection disable crm");
    assert_eq!(ask()["error"], "refused");
    shell.does("connection enable crm");
    comes_with("another key");
    shell.does(&format!("connection set crm {origin} --test-path /v1/me --keep-secret"));
    comes_with("another key");
    shell.does("connection delete crm --yes");
    assert_eq!(ask()["error"], "refused");
    connect(&shell, &origin, KEY);
    comes_with(KEY);
    let again = server.kill_and_start_again();
    assert_eq!(results(&again.send("CALLER", &plan("each", &json!([{ "url": service.url("/") }]))))[0]["status"], 200);
}

#[test]
fn nobody_reads_a_secret_back_or_has_it_sent_elsewhere() {
    let ((service, _), (evil, at_evil)) = (echo(), echo());
    let (server, shell) = server(&format!("--origin http://{} --bearer", service.address), KEY);
    let path = "/v1/tenants/acme/connections/crm";
    for shown in
        [server.manage(path), server.manage("/v1/tenants/acme/connections"), server.manage("/v1/tenants/acme/audit")]
    {
        assert!(shown.status == 200 && !shown.body.contains(KEY), "{}", shown.body);
    }
    let elsewhere = format!("connection set crm --origin http://{} --bearer --keep-secret", evil.address);
    shell.type_in(&elsewhere, b"").says_why("would use its secret elsewhere, or in another way: give its secret too");
    let otherwise = format!("connection set crm --origin http://{} --query q --keep-secret", service.address);
    shell.type_in(&otherwise, b"").says_why("give its secret too");
    let slipped = json!({ "settings": { "origin": format!("http://{}", service.address), "credential": { "kind": "bearer" },
        "test_path": format!("@{}/", evil.address) } });
    let refused = server.ask("PUT", path, slipped.to_string().as_bytes());
    assert!(refused.status == 400 && refused.body.contains("is no path of"), "{}", refused.body);
    assert!(at_evil.lock().unwrap().is_empty());
    assert!(!server.log_lines("").iter().any(|line| line.to_string().contains(KEY)));
}

#[test]
fn what_cannot_be_used_says_what_to_do() {
    let server = Server::start("");
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    let crm = "connection set crm --origin https://crm.example";
    for (line, secret, why) in [
        ("connection set crm --origin https://crm.example/v1 --bearer", KEY, "and nothing else"),
        ("connection set crm --origin https://*.example.com --bearer", KEY, "without a `*`"),
        (crm, KEY, "--bearer"),
        (&format!("{crm} --bearer"), "short", "must have 8 at the least"),
        (&format!("{crm} --bearer"), "two\nlines of it", "a line break or another control character"),
        (&format!("{crm} --basic"), "without-a-colon", "USER:PASSWORD"),
        (&format!("{crm} --header Host"), KEY, "says how a request is framed or routed"),
        (&format!("{crm} --header a:b"), KEY, "is no header's name"),
        (&format!("{crm} --signed standard"), KEY, "whsec_"),
        (&format!("{crm} --oauth2 https://id.example/token"), KEY, "--client-id"),
        (&format!("{crm} --oauth2 ftp://id.example --client-id x"), KEY, "begins with https://"),
        (&format!("{crm} --bearer --test-path v1"), KEY, "is no path of"),
        (&format!("{crm} --bearer --keep-secret"), "", "is new: give its secret too"),
        ("connection test crm", "", "there is no connection crm"),
        ("connection delete crm --yes", "", "there is no connection crm"),
    ] {
        shell.type_in(line, secret.as_bytes()).says_why(why);
    }
    shell.does("node create CALLER");
    shell.type_in(&deploy_line("--grant connection:crm"), b"").says_why("there is none of that name: set it first");
}

#[test]
fn a_connection_is_its_tenants_alone_and_goes_where_its_tenant_may() {
    let (service, seen) = echo();
    let server = Server::start("[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n");
    let crm = format!("--origin http://{} --bearer", service.address);
    let asked_by = |tenant: &'static str| {
        let shell = Shell::of(&server).with("CODENODE_TENANT", tenant);
        shell.does(&format!("tenant create {tenant}"));
        shell.does("node create CALLER");
        shell.type_in("secret set CALLER", SECRET.as_bytes()).exits(0);
        connect(&shell, &crm, &format!("the key of {tenant}"));
        shell.does(&deploy_line("--grant connection:crm"));
        let answer = server.send_to(tenant, "CALLER", &plan("each", &json!([{ "url": service.url("/") }])));
        (results(&answer)[0].clone(), server.record(&answer)["http_calls"][0].clone(), shell)
    };
    assert_eq!(asked_by("acme").0["status"], 200);
    assert!(seen.lock().unwrap().pop().unwrap().head.contains("the key of acme"));
    // Nobody has opened this machine to the other one.
    let (result, call, shell) = asked_by("other");
    assert_eq!(result["error"], "refused");
    assert!(call["refused"].to_string().contains("127.0.0.1"), "{call}");
    let tested = shell.type_in("connection test crm", b"").exits(1);
    assert!(tested.out().contains("does not work"), "{}", tested.out());
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn a_test_says_whether_the_service_takes_the_credential() {
    let service = Service::http(|request| match request.header("authorization") {
        Some("Bearer the right key") => response(204, "", b""),
        Some(key) => response(401, "", key.as_bytes()),
        None => response(500, "", b""),
    });
    let origin = format!("--origin http://{} --bearer --test-path /v1/me", service.address);
    let (_server, shell) = server(&origin, "the right key");
    let works = shell.does("connection test crm");
    assert!(works.contains("crm works: 204"), "{works}");
    connect(&shell, &origin, "the wrong key");
    let refused = shell.type_in("connection test crm --json", b"").exits(1).json();
    assert_eq!((&refused["works"], &refused["status"]), (&json!(false), &json!(401)));
    assert!(refused["problem"].to_string().contains("the service refuses the credential (401)"), "{refused}");
    assert!(!refused.to_string().contains("the wrong key"), "{refused}");
    let listed = shell.does("connection list");
    assert!(listed.contains("crm") && listed.contains("bearer") && !listed.contains("key"), "{listed}");
}

#[test]
fn what_is_set_on_one_host_holds_on_every_host() {
    let (service, seen) = echo();
    let shared = Shared::fresh();
    let (one, two) = (shared.host_at(&shared.database, OPEN), shared.host_at(&shared.database, OPEN));
    deploy(&one, &["caller"]);
    let origin = format!("http://{}", service.address);
    let connect = |host: &Server, secret: &str| {
        let wanted = json!({ "settings": { "origin": origin, "credential": { "kind": "bearer" } }, "secret": secret });
        host.change("PUT", "/v1/tenants/acme/connections/crm", &wanted);
    };
    connect(&one, KEY);
    let artifact = one.manage(&format!("{NODE}/revisions/1")).json()["artifact"].clone();
    let granted = json!({ "artifact": artifact, "settings": { "grants": ["connection:crm"] } });
    one.change("POST", &format!("{NODE}/revisions"), &granted);
    one.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 2, "grants": ["connection:crm"] }));
    let arrives_with = |host: &Server, secret: &str| {
        host.wait_for("the connection", || {
            let answer = host.send("N", &plan("each", &json!([{ "url": service.url("/") }])));
            let came = (answer.status == 200).then(|| seen.lock().unwrap().pop()).flatten();
            came.filter(|received| received.head.contains(secret)).map(drop)
        });
    };
    arrives_with(&one, KEY);
    arrives_with(&two, KEY);
    connect(&two, "another key");
    arrives_with(&two, "another key");
    arrives_with(&one, "another key");
}

#[test]
fn a_run_without_a_server_uses_connections_from_a_file() {
    let (service, seen) = echo();
    let shell = Shell::new();
    let file = shell.home.path().join("connections.toml");
    let event = plan("each", &json!([{ "url": service.url("/") }]));
    let run = format!(
        "run {} --event - --json --grant connection:crm --private-network 127.0.0.0/8",
        guest("caller").display()
    );
    shell.type_in(&run, &event).says_why("takes --connections FILE");
    let run = format!("{run} --connections {}", file.display());
    shell.type_in(&run, &event).says_why("cannot read");
    let settings =
        format!("settings = {{ origin = \"http://{}\", credential = {{ kind = \"bearer\" }} }}", service.address);
    std::fs::write(&file, format!("[crm]\n{settings}\nsecret = \"short\"\n")).unwrap();
    shell.type_in(&run, &event).says_why("must have 8 at the least");
    std::fs::write(&file, format!("[crm]\n{settings}\nsecret = {KEY:?}\n")).unwrap();
    let out = shell.type_in(&run, &event).exits(0).out();
    assert!(seen.lock().unwrap()[0].head.contains(KEY));
    assert!(out.contains("Bearer [redacted]") && !out.contains(KEY), "{out}");
}
