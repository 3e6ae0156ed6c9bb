//! What a granted URL leads to: addresses that must not be reached, names, certificates.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::super::caller::{plan, results};
use super::super::server::{Server, node};
use super::super::service::{Authority, Service, name_server, response};
use super::{OPEN, call, grant, server};

#[test]
fn no_spelling_of_an_address_of_this_machine_or_its_network_is_connected_to() {
    // On every address of this machine, of either kind.
    let canary = Service::canary("[::]:0");
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.0.254",
        "0.0.0.0",
        "0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127。0。0。1",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.1",
        "240.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fc00::1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[5f00::1]",
        "[100::1]",
        "[3fff::1]",
    ];
    let port = canary.address.port();
    let urls: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{port}/")).collect();
    // Everything is granted: only the addresses stand in the way.
    let grants: Vec<String> = urls.iter().map(|url| format!("http:{url}")).collect();
    let server = server(&grants, "", "");
    let requests: Vec<Value> = urls.iter().map(|url| json!({ "url": url })).collect();
    for (url, result) in urls.iter().zip(call(&server, &json!(requests))) {
        // `http` takes no such host for one, which is as good.
        assert!(result["error"] == "refused" || url.contains('。'), "{url}: {result}");
        assert!(result["error"].is_string(), "{url}: {result}");
    }
    assert_eq!(canary.connections(), 0);
}

#[test]
fn a_name_is_as_good_as_the_worst_of_its_addresses() {
    let service = Service::http(|_| response(200, "", b"inside"));
    let asked = Arc::new(AtomicUsize::new(0));
    let names = {
        let asked = Arc::clone(&asked);
        name_server(move |name| match name {
            "inside.test" => vec![Ipv4Addr::LOCALHOST],
            "both.test" => vec![Ipv4Addr::new(9, 9, 9, 9), Ipv4Addr::LOCALHOST],
            // Public for whoever checks, private for whoever asks again to connect.
            "rebinding.test" if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => {
                vec![Ipv4Addr::new(192, 0, 2, 1)]
            }
            "rebinding.test" => vec![Ipv4Addr::LOCALHOST],
            _ => Vec::new(),
        })
    };
    let port = service.address.port();
    let urls = ["inside", "both", "rebinding", "rebinding", "nobody"].map(|name| format!("http://{name}.test:{port}/"));
    let grants = urls.clone().map(|url| format!("http:{url}"));
    let egress = format!("[egress]\nname_servers = [\"{names}\"]\n");
    let requests = json!(urls.clone().map(|url| json!({ "url": url })));
    let closed = server(&grants, "", &egress);
    let kinds: Vec<Value> = call(&closed, &requests).iter().map(|result| result["error"].clone()).collect();
    assert_eq!(kinds, ["refused", "refused", "refused", "refused", "failed"]);
    assert_eq!(service.connections(), 0);

    let open = server(&grants, "", &format!("{OPEN}{egress}"));
    assert_eq!(call(&open, &json!([{ "url": urls[0] }]))[0]["body"], "inside");
}

#[test]
fn a_network_that_is_closed_again_is_closed_at_once() {
    let service = Service::http(|_| response(200, "", b"ok"));
    let node = node("caller", "caller", &format!("grants = [{:?}]", grant(&service)));
    let server = Server::start(&(node.clone() + OPEN));
    let request = json!([{ "url": service.url("/") }]);
    assert_eq!(call(&server, &request)[0]["body"], "ok");
    server.rewrite_config(&node);
    let refused =
        server.wait_for("a refusal", || Some(call(&server, &request)).filter(|it| it[0]["error"] != json!(null)));
    assert_eq!(refused[0]["error"], "refused", "the connection that is open still is not used again");
    assert_eq!(service.connections(), 1);
    server.rewrite_config(&(node + OPEN));
    server.wait_for("an answer", || Some(call(&server, &request)).filter(|it| it[0]["body"] == "ok"));
    assert_eq!(service.connections(), 2);
}

#[test]
fn a_good_certificate_is_asked_for_and_http_2_is_spoken_where_it_is_offered() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let names = name_server(|name| if name.ends_with(".test") { vec![Ipv4Addr::LOCALHOST] } else { Vec::new() });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let services = [
        ("new.test", authority.service("new.test", &[b"h2", b"http/1.1"])),
        ("old.test", authority.service("old.test", &[b"http/1.1"])),
        ("wrong.test", authority.service("other.test", &[b"h2"])),
        ("strange.test", stranger.service("strange.test", &[b"h2"])),
    ];
    let urls: Vec<String> =
        services.iter().map(|(name, service)| format!("https://{name}:{}/", service.address.port())).collect();
    let grants: Vec<String> = urls.iter().map(|url| format!("http:{url}")).collect();
    let ca = folder.path().join("ca.pem").display().to_string();
    let server = server(&grants, "", &format!("{OPEN}[egress]\nname_servers = [\"{names}\"]\ncertificates = {ca:?}\n"));
    let requests: Vec<Value> =
        urls.iter().map(|url| json!({ "method": "POST", "url": url, "body_bytes": 30_000 })).collect();
    let answer = server.send("caller", &plan("each", &json!(requests)));
    let results = results(&answer);
    assert_eq!(results[0]["body"], "HTTP/2.0, 30000 bytes");
    assert_eq!(results[1]["body"], "HTTP/1.1, 30000 bytes");
    for result in &results[2..] {
        assert!(result["text"].as_str().unwrap().contains("certificate is not good"), "{result}");
    }
    let record = server.record(&answer);
    assert!(record["http_calls"][2]["failed"].as_str().unwrap().contains("TLS with wrong.test failed"), "{record}");
}
