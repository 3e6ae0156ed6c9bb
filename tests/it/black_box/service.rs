//! The services that handlers call: real ones, on this machine, that count who comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// A service that does with a connection what it was told.
pub(super) struct Service {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// The way into the answers of a [`Service::held`].
pub(super) struct Held {
    asked: Arc<Barrier>,
    answered: Arc<Barrier>,
}

/// A request as it came in.
pub(super) struct Received {
    /// The request line and the headers, as they were sent.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Service {
    /// One thread for each connection.
    pub(super) fn on(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (count, serve) = (Arc::clone(&connections), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Self { address, connections }
    }

    /// Whoever connects is heard and never answered.
    pub(super) fn canary(address: &str) -> Self {
        Self::on(address, |mut stream| drop(stream.read_to_end(&mut Vec::new())))
    }

    /// HTTP/1.1, any number of requests on a connection; `answer` gives the whole response.
    pub(super) fn http(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", move |stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut stream = stream;
            while let Some(request) = receive(&mut reader) {
                if stream.write_all(&answer(&request)).is_err() {
                    return;
                }
            }
        })
    }

    /// Like [`Service::http`], but each answer waits until something is done about its request.
    pub(super) fn held(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> (Self, Held) {
        let held = Held { asked: Arc::new(Barrier::new(2)), answered: Arc::new(Barrier::new(2)) };
        let (asked, answered) = (Arc::clone(&held.asked), Arc::clone(&held.answered));
        let service = Self::http(move |request| {
            asked.wait();
            answered.wait();
            answer(request)
        });
        (service, held)
    }

    /// Hears one request, and answers as it likes.
    pub(super) fn rude(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            if receive(&mut reader).is_some() {
                answer(&mut stream);
            }
        })
    }

    /// Answers with these bytes, and closes.
    pub(super) fn saying(bytes: &'static [u8]) -> Self {
        Self::rude(move |stream| drop(stream.write_all(bytes)))
    }

    /// Connections so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Held {
    /// Does something after the next request has come and before it is answered.
    pub(super) fn during(&self, what: impl FnOnce()) {
        self.asked.wait();
        what();
        self.answered.wait();
    }
}

fn receive(reader: &mut impl BufRead) -> Option<Received> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut received = Received { head, body: Vec::new() };
    let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
    received.body.resize(length, 0);
    reader.read_exact(&mut received.body).ok()?;
    Some(received)
}

/// A whole response.
pub(super) fn response(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Some\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// An authority that only the tests trust.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// What a server shows whose certificate is for `name`.
    pub(super) fn tls(&self, name: &str, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap().der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// A service over TLS that says by which version of HTTP it was asked.
    pub(super) fn service(&self, name: &str, protocols: &[&[u8]]) -> Service {
        let acceptor = TlsAcceptor::from(self.tls(name, protocols));
        Service::on("127.0.0.1:0", move |stream| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                stream.set_nonblocking(true).unwrap();
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let answer = service_fn(|request: hyper::Request<Incoming>| async move {
                    let version = format!("{:?}", request.version());
                    let body = request.into_body().collect().await?.to_bytes();
                    let text = format!("{version}, {} bytes", body.len());
                    Ok::<_, hyper::Error>(hyper::Response::new(Full::<bytes::Bytes>::new(text.into_bytes().into())))
                });
                let http = auto::Builder::new(TokioExecutor::new());
                let served = http.serve_connection(TokioIo::new(stream), answer);
                // The client goes when it likes.
                let _: Result<(), Box<dyn std::error::Error + Send + Sync>> = served.await;
            });
        })
    }
}

/// A name server that has one kind of answer to each name.
pub(super) fn name_server(addresses: impl Fn(&str) -> Vec<Ipv4Addr> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if let Some(answer) = answered(&packet[..length], &addresses) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    here
}

/// RFC 1035: the question again, with an A record for each address; other types have none.
fn answered(query: &[u8], addresses: impl Fn(&str) -> Vec<Ipv4Addr>) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let (mut at, mut labels) = (HEADER, Vec::new());
    while *query.get(at)? > 0 {
        let length = usize::from(query[at]);
        labels.push(std::str::from_utf8(query.get(at + 1..at + 1 + length)?).ok()?.to_lowercase());
        at += 1 + length;
    }
    let question = query.get(HEADER..at + 5)?;
    let is_for_a = question[question.len() - 4..question.len() - 2] == [0, 1];
    let found = if is_for_a { addresses(&labels.join(".")) } else { Vec::new() };
    let count = u8::try_from(found.len()).ok()?;
    let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for address in found {
        // The name of the question, class IN, no time to live: each call asks again.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
