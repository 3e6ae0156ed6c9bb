use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http2::{post, speak, text};
use super::*;

/// A certificate and its key, in files.
struct Files {
    dir: TempDir,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem"), dir }
    }

    /// Writes a fresh pair, and returns its certificate.
    fn issue(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&self.cert, cert.pem()).unwrap();
        std::fs::write(&self.key, signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }

    fn load(&self) -> Tls {
        Tls::load(&self.cert, &self.key).unwrap()
    }
}

async fn connect(host: &Host, trusted: &CertificateDer<'static>, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, host.connect().await).await
}

#[tokio::test]
async fn both_protocols_are_served_and_the_wire_is_watched_below_neither_less() {
    let files = Files::new();
    let cert = files.issue();
    let host = Host::start_with(Settings::default(), Some(files.load()));

    let stream = connect(&host, &cert, b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, _ended) = speak(stream).await;
    assert_eq!(text(post(&mut sender, "/", "hi").await).await, "got:hi.");

    let mut stream = connect(&host, &cert, b"http/1.1").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\nHost: x\n\n").await.unwrap();
    let mut answers = String::new();
    timeout(SOON, stream.read_to_string(&mut answers)).await.unwrap().unwrap();
    assert_eq!(statuses(&answers), ["200", "400"]);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_given_up() {
    let files = Files::new();
    files.issue();
    let host = Host::start_with(Settings { handshake_timeout: SHORT, ..Settings::default() }, Some(files.load()));
    assert_eq!(rest(&mut host.connect().await).await, "");
    let mut stream = host.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut alert = Vec::new();
    timeout(SOON, stream.read_to_end(&mut alert)).await.unwrap().unwrap();
    assert!(!alert.starts_with(b"HTTP"));
}

#[tokio::test]
async fn a_new_certificate_is_shown_after_a_reload_and_a_bad_one_never() {
    let files = Files::new();
    let old = files.issue();
    let tls = files.load();
    let host = Host::start_with(Settings::default(), Some(tls.clone()));
    let mut standing = connect(&host, &old, b"http/1.1").await.unwrap();

    let new = files.issue();
    assert!(connect(&host, &old, b"http/1.1").await.is_ok(), "nothing changes before the reload");
    tls.reload().unwrap();
    assert!(connect(&host, &new, b"http/1.1").await.is_ok());
    assert!(connect(&host, &old, b"http/1.1").await.is_err());

    standing.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(standing.read(&mut [0; 100]).await.unwrap() > 0, "connections that stand stay");

    std::fs::write(&files.cert, "not a certificate").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("cert.pem") && error.contains("no certificate"), "{error}");
    assert!(connect(&host, &new, b"http/1.1").await.is_ok(), "the one that was good stays in use");
}

#[test]
fn an_error_names_the_file_and_says_what_to_do() {
    let files = Files::new();
    files.issue();
    let (cert, key) = (std::fs::read(&files.cert).unwrap(), std::fs::read(&files.key).unwrap());
    let load = || match Tls::load(&files.cert, &files.key) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(load(), "");

    std::fs::remove_file(&files.key).unwrap();
    assert!(load().contains("key.pem: cannot be read"), "{}", load());
    std::fs::write(&files.key, &cert).unwrap();
    assert!(load().contains("key.pem: holds no private key"), "{}", load());
    std::fs::write(&files.key, "-----BEGIN PRIVATE KEY-----\n***\n-----END PRIVATE KEY-----\n").unwrap();
    assert!(load().contains("key.pem: not PEM"), "{}", load());
    std::fs::write(&files.key, &key).unwrap();
    std::fs::write(&files.cert, &key).unwrap();
    assert!(load().contains("cert.pem: holds no certificate"), "{}", load());

    let other = Files::new();
    other.issue();
    std::fs::copy(&other.cert, &files.cert).unwrap();
    assert!(load().contains("not usable together"), "{}", load());
    assert!(other.dir.path().exists());
}
