//! What a handler goes on to write of a request that has failed: it is taken and thrown away, so that the handler hears of the failure from its response.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::super::server::{SECRET, Server, event_of};
use super::super::service::{Service, response};
use super::super::source_nodes::sandbox;
use super::{OPEN, grant};

/// Sends as many bytes as its event says, to where it says.
const SENDER: &str = r#"export async function handle({ entities: { url, bytes } }) {
  const sent = await fetch(url[0].entity_value, { method: "POST", body: "x".repeat(Number(bytes[0].entity_value)) });
  return { response: [String(sent.status)] };
}
"#;

/// How often each is tried: the engine of JavaScript broke in one of eight.
const TRIES: usize = 60;

/// Where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn javascript_hears_of_every_failure_however_early_it_comes() {
    let hung_up = Service::on("127.0.0.1:0", drop);
    // What lies unread when it is closed resets it.
    let reset = Service::on("127.0.0.1:0", |mut stream| drop(stream.read(&mut [0; 8])));
    let early = Service::on("127.0.0.1:0", |mut stream| {
        let _ = stream.read(&mut [0; 8]);
        let _ = stream.write_all(&response(503, "connection: close\r\n", b""));
    });
    let (taking, other) = (Service::canary("127.0.0.1:0"), Service::canary("127.0.0.1:0"));
    let nobody = nobody();
    let grants = [grant(&hung_up), grant(&reset), grant(&early), grant(&taking), format!("http:http://{nobody}")];
    let node = format!(
        "[tenants.acme.nodes.sender]\nartifact = \"main.js\"\nsecrets = [{SECRET:?}]\ngrants = {grants:?}\n\
         limits = {{ http_request = \"1 MiB\" }}\n"
    );
    let server = Server::start(&sandbox());
    fs::write(server.folder.path().join("main.js"), SENDER).unwrap();
    server.rewrite_config(&(sandbox() + &node + OPEN));
    server.wait_for("the source", || {
        let answer = server.send("sender", &event_of(&[("url", "none"), ("bytes", "1")]));
        (answer.cause() == Some("exception")).then_some(())
    });
    for (url, bytes, causes) in [
        (hung_up.url("/"), 20, &["upstream_failed"][..]),
        (hung_up.url("/"), 500 << 10, &["upstream_failed"]),
        (reset.url("/"), 20, &["upstream_failed"]),
        (reset.url("/"), 500 << 10, &["upstream_failed"]),
        (format!("http://{nobody}/"), 20, &["upstream_failed"]),
        (format!("http://{nobody}/"), 500 << 10, &["upstream_failed"]),
        // Whether the answer or the reset comes first is the network's.
        (early.url("/"), 500 << 10, &["upstream_failed", "reply"]),
        (taking.url("/"), 3 << 20, &["upstream_failed"]),
        (other.url("/"), 500 << 10, &["exception"]),
    ] {
        let event = event_of(&[("url", &url), ("bytes", &bytes.to_string())]);
        for _ in 0..TRIES {
            let answer = server.send("sender", &event);
            let cause = answer.cause().unwrap_or("reply");
            assert!(causes.contains(&cause), "{url} {bytes}: {cause} {}", server.record(&answer));
        }
    }
    assert_eq!(other.connections(), 0);
}
