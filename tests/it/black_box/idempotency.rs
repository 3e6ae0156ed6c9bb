//! What is asked for again with the same `idempotency-key` is not done again: not after the server was killed, not on another host, and not
//! by a command whose connection was lost.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use super::http::{self, Answer};
use super::server::{CODENODE, Server, TOKEN};

/// A POST with a key; all of its answer.
pub(super) fn post(server: &Server, key: &str, path: &str, body: &Value) -> Answer {
    let token = server.authorization();
    let headers = [("authorization", &*token), ("content-type", "application/json"), ("idempotency-key", key)];
    http::exchange(server.management, &http::post(path, &headers, body.to_string().as_bytes())).expect("an answer")
}

#[test]
fn a_key_that_was_made_before_the_server_was_killed_is_shown_once_more() {
    let server = Server::start("");
    let wanted = json!({ "role": "operator" });
    let first = post(&server, "one", "/v1/keys", &wanted);
    assert_eq!(first.status, 201, "{}", first.body);
    let key = first.json()["key"].as_str().unwrap().to_owned();
    let folder = server.kill();
    for entry in std::fs::read_dir(folder.path().join(".codenode")).unwrap() {
        let file = entry.unwrap().path();
        let holds = file.is_file() && String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains(&key);
        assert!(!holds, "{} holds a key that is not sealed", file.display());
    }
    let server = Server::start_again_in(folder);
    let again = post(&server, "one", "/v1/keys", &wanted);
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("x-codenode-repeated"), Some("true"));
    assert_eq!(post(&server, "one", "/v1/keys", &json!({ "role": "operator", "label": "x" })).status, 422);
    assert_eq!(server.manage("/v1/keys").json()["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_command_whose_connection_was_lost_asks_again_and_makes_one_thing() {
    let server = Server::start("");
    let lossy = lossy(server.management);
    let done = Command::new(CODENODE)
        .args(["key", "create", "--role", "operator", "--json"])
        .env_clear()
        .env("HOME", server.folder.path())
        .env("CODENODE_SERVER", format!("http://{lossy}"))
        .env("CODENODE_KEY", TOKEN)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let listed = server.manage("/v1/keys").json();
    let made: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["keys"][0]["id"], made["id"]);
}

/// Passes requests on, one a connection, and loses the first answer.
fn lossy(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, caller) in listener.incoming().enumerate() {
            let mut caller = caller.unwrap();
            let mut onward = TcpStream::connect(server).unwrap();
            let (mut from, mut to) = (caller.try_clone().unwrap(), onward.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
            });
            let mut some = [0; 1 << 16];
            let length = onward.read(&mut some).unwrap();
            if number > 0 {
                caller.write_all(&some[..length]).unwrap();
                let _ = std::io::copy(&mut onward, &mut caller);
            }
            let _ = (caller.shutdown(Shutdown::Both), onward.shutdown(Shutdown::Both));
        }
    });
    address
}
