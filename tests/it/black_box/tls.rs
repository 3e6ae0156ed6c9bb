//! HTTPS on the front door, and a certificate that is replaced while it serves.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use super::http::get;
use super::server::{Server, node};

/// Writes a fresh certificate for `localhost` and its key where the server looks for them.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("chain.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

/// The answer to a probe over TLS, if the server shows a certificate that `trusted` vouches for.
fn probe(server: &Server, trusted: &CertificateDer<'static>) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let client = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(server.front_door).unwrap());
    stream.write_all(&get("/hooks/acme/n", &[("connection", "close")])).ok()?;
    let mut answer = String::new();
    // A server that closes without the TLS farewell has answered all the same.
    let _ = stream.read_to_string(&mut answer);
    Some(answer).filter(|answer| !answer.is_empty())
}

#[test]
fn a_new_certificate_is_shown_without_a_restart_and_a_bad_one_is_not() {
    let folder = TempDir::new().unwrap();
    let first = certify(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let tls = format!("tls = {{ certificate = {:?}, key = {:?} }}", file("chain.pem"), file("key.pem"));
    let server = Server::start_with(&tls, &node("n", "product-price", ""));
    assert!(probe(&server, &first).unwrap().starts_with("HTTP/1.1 200 OK"));

    let second = certify(folder.path());
    server.wait_for("the new certificate", || probe(&server, &second));
    assert!(probe(&server, &first).is_none(), "the old certificate is gone");

    fs::write(folder.path().join("chain.pem"), "not a certificate").unwrap();
    let problem = server.wait_for_log("not everything serves as configured")["problem"].to_string();
    assert!(problem.contains("chain.pem"), "{problem}");
    assert!(probe(&server, &second).unwrap().starts_with("HTTP/1.1 200 OK"));
}
