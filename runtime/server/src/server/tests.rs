//! The server in one piece, with nodes whose artifacts are bad: what every door says, and how a change is taken over.

use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::signature::{Scheme, Secret, sign};

const TOKEN: &str = "0123456789abcdef";
const CONFIG: &str = r#"
    [front_door]
    listen = "127.0.0.1:0"
    workers = 2
    body_timeout = "500ms"
    [management]
    listen = "127.0.0.1:0"
    token = "0123456789abcdef"
    [storage]
    directory = "state"
    [sandbox]
    cache_directory = "compiled"
    runs = 4
    [tenants.acme.nodes.FAILS]
    artifact = "no.wasm"
    secrets = ["it's a secret"]
    human_assistance = true
    [tenants.acme.nodes.SAYS]
    artifact = "absent.wasm"
    allow_unsigned = true
    on_break = "say"
    bot_break_text = "Sorry!"
"#;

struct Running {
    folder: TempDir,
    front_door: SocketAddr,
    management: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("no.wasm"), "bad: this is no WebAssembly").unwrap();
        let file = folder.path().join("codenode.toml");
        std::fs::write(&file, CONFIG).unwrap();
        let config = Config::load(Some(&file), &Environment::default()).unwrap();
        let options =
            Options { config_file: Some(file), environment: Environment::default(), compiler: "no-compiler".into() };
        let server = Server::start(config, options).await.unwrap();
        let (front_door, management) = (server.front_door(), server.management());
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.run_until(async {
            let _ = stopped.await;
        }));
        Self { folder, front_door, management, stop, ended }
    }

    async fn event(&self, path: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        talk(self.front_door, &format!("{head}{body}")).await
    }

    async fn look(&self, path: &str) -> String {
        let text =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
        talk(self.management, &text).await
    }

    /// Looks until what is shown holds `text`.
    async fn await_sight(&self, path: &str, text: &str) {
        for _ in 0..200 {
            if self.look(path).await.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{text} never showed: {}", self.look(path).await);
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

async fn talk(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn signed(body: &str) -> String {
    let secret = Secret::new("it's a secret").unwrap();
    let headers = sign(Scheme::Sha256, &secret, body.as_bytes(), "", std::time::SystemTime::now()).unwrap();
    let line =
        |(name, value): &(http::HeaderName, http::HeaderValue)| format!("{name}: {}\r\n", value.to_str().unwrap());
    headers.iter().map(line).chain([JSON.to_owned()]).collect()
}

const JSON: &str = "content-type: application/json\r\n";

/// Status and body: all that a caller could tell two answers apart by, but for the date.
fn essence(answer: &str) -> (&str, &str) {
    (answer.lines().next().unwrap(), answer.split("\r\n\r\n").nth(1).unwrap())
}

#[tokio::test]
async fn a_node_without_code_verifies_then_breaks_as_unavailable_and_is_recorded() {
    let server = Running::start().await;
    let answer = server.event("/hooks/acme/FAILS", &signed("{}"), "{}").await;
    assert_eq!(essence(&answer), ("HTTP/1.1 503 Service Unavailable", r#"{"error":"bot break: unavailable"}"#));
    assert!(answer.contains("x-codenode-break: unavailable\r\n") && answer.contains("retry-after: 1\r\n"), "{answer}");
    let id = answer.split("x-codenode-run: ").nth(1).unwrap().split("\r\n").next().unwrap();
    server.await_sight(&format!("/v1/runs/{id}"), r#""chat_afterwards":"pending_agent""#).await;

    let answer = server.event("/hooks/acme/SAYS", JSON, "{}").await;
    assert_eq!(essence(&answer), ("HTTP/1.1 200 OK", r#"{"response":["Sorry!"],"status":false}"#));
    assert!(answer.contains("x-codenode-break: unavailable\r\n"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn nobody_learns_which_nodes_exist() {
    let server = Running::start().await;
    let expected = server.event("/hooks/acme/FAILS", JSON, "{}").await;
    assert!(expected.starts_with("HTTP/1.1 401"), "{expected}");
    for path in ["/hooks/acme/FAILS", "/hooks/acme/ABSENT", "/hooks/nobody/FAILS"] {
        for (headers, body) in
            [(JSON.to_owned(), "{}"), (signed("{ }"), "{}"), (signed(""), "not json"), (signed("x"), "")]
        {
            let answer = server.event(path, &headers, body).await;
            assert_eq!(essence(&answer), essence(&expected), "{path}");
        }
        let large = "x".repeat((256 << 10) + 1);
        assert!(server.event(path, JSON, &large).await.starts_with("HTTP/1.1 413"), "{path}");
        assert!(server.event(path, "", "{}").await.starts_with("HTTP/1.1 415"), "{path}");
        let probe =
            talk(server.front_door, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(essence(&probe), ("HTTP/1.1 200 OK", r#"{"status":"ok"}"#));
        let put =
            talk(server.front_door, &format!("PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        assert!(put.starts_with("HTTP/1.1 405") && put.contains("allow: GET, POST\r\n"), "{put}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_signed_message_is_said() {
    let server = Running::start().await;
    let path = "/hooks/acme/FAILS";
    let not_json = server.event(path, &signed("{"), "{").await;
    assert!(not_json.starts_with("HTTP/1.1 400") && not_json.contains("not valid JSON"), "{not_json}");
    assert!(server.event(path, &signed(""), "").await.contains("the event is empty"));
    let twice = format!("{}x-hub-signature-256: sha256=00\r\n", signed("{}"));
    assert!(server.event(path, &twice, "{}").await.starts_with("HTTP/1.1 400"));
    assert!(server.event("/hooks/acme/%2e%2e", &signed("{}"), "{}").await.starts_with("HTTP/1.1 404"));
    let slow = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n{}\r\n{{", signed("{}"));
    assert!(talk(server.front_door, &slow).await.starts_with("HTTP/1.1 408"));
    server.stop().await;
}

#[tokio::test]
async fn a_changed_file_is_taken_over_and_a_bad_one_is_not() {
    let server = Running::start().await;
    let file = server.folder.path().join("codenode.toml");
    std::fs::write(&file, CONFIG.replace("FAILS", "RENAMED").replace(TOKEN, "fedcba9876543210")).unwrap();
    let old_token_refused = async {
        while !server.look("/v1/nodes").await.starts_with("HTTP/1.1 401") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), old_token_refused).await.expect("the token was not replaced");
    assert!(server.event("/hooks/acme/RENAMED", &signed("{}"), "{}").await.starts_with("HTTP/1.1 503"));
    assert!(server.event("/hooks/acme/FAILS", &signed("{}"), "{}").await.starts_with("HTTP/1.1 401"));

    replace(&file, CONFIG);
    server.await_sight("/v1/nodes", "FAILS").await;

    replace(&file, &format!("{CONFIG}\n[nonsense]\n"));
    server.await_sight("/v1/nodes", r#"`nonsense` is unknown"#).await;
    assert!(server.look("/v1/nodes").await.contains(r#""taken_over":false"#));
    assert!(server.event("/hooks/acme/FAILS", &signed("{}"), "{}").await.starts_with("HTTP/1.1 503"));
    server.stop().await;
}

/// As most editors save.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("tmp");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

#[tokio::test]
async fn a_taken_address_is_named_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("[front_door]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    let config = Config::parse(Path::new("codenode.toml"), &text, &Environment::default()).unwrap();
    let options = Options { config_file: None, environment: Environment::default(), compiler: "no-compiler".into() };
    let error = Server::start(config, options).await.err().unwrap().to_string();
    assert!(error.contains("cannot listen on 127.0.0.1:") && error.contains("set front_door.listen"), "{error}");
}
