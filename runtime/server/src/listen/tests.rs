use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{BodyError, Listener, Settings, Tls, read_body, serve};

mod http1;
mod http2;
mod secure;

const BODY_BYTES: usize = 1000;
const SHORT: Duration = Duration::from_millis(200);
const SLOW: Duration = Duration::from_millis(400);
/// By when everything must have happened, on a busy machine too.
const SOON: Duration = Duration::from_secs(5);

/// A listener on a port of its own, whose service shows what it got.
struct Host {
    addr: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
    /// Told when a request that takes its time has reached the service.
    begun: Arc<Notify>,
}

impl Host {
    fn start(settings: Settings) -> Self {
        Self::start_with(settings, None)
    }

    fn start_with(settings: Settings, tls: Option<Tls>) -> Self {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let (addr, shutdown) = (listener.local_addr(), CancellationToken::new());
        let socket = listener.into_sockets().pop().unwrap();
        let body_timeout = settings.body_timeout;
        let begun = Arc::new(Notify::new());
        let told = Arc::clone(&begun);
        let service = service_fn(move |request| answer(request, body_timeout, Arc::clone(&told)));
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { serve(socket, settings, tls, service, stop).await.unwrap() });
        Self { addr, shutdown, served, begun }
    }

    /// Waits until a request for `/slow` or `/never` is under way.
    async fn begun(&self) {
        timeout(SOON, self.begun.notified()).await.expect("the request does not reach the service");
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// All that comes back when `input` is sent and no more.
    async fn exchange(&self, input: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(input.as_ref()).await.unwrap();
        rest(&mut stream).await
    }
}

/// What comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    timeout(SOON, stream.read_to_end(&mut all)).await.expect("the connection stays open").unwrap();
    String::from_utf8(all).unwrap()
}

/// What has come when `end` has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        let byte = timeout(SOON, stream.read_u8()).await.expect("nothing comes");
        all.push(byte.unwrap_or_else(|error| panic!("{error} after {}", all.escape_ascii())));
    }
    String::from_utf8(all).unwrap()
}

fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

async fn answer(
    request: Request<Incoming>,
    body_timeout: Duration,
    begun: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = |status, text: Bytes| {
        let mut response = Response::new(Full::new(text));
        *response.status_mut() = status;
        Ok(response)
    };
    match request.uri().path() {
        "/skip" => text(StatusCode::UNAUTHORIZED, Bytes::from_static(b"skipped")),
        "/large" => text(StatusCode::OK, Bytes::from(vec![b'x'; 4 << 20])),
        "/slow" => {
            begun.notify_one();
            sleep(SLOW).await;
            text(StatusCode::OK, Bytes::from_static(b"slow"))
        }
        "/never" => {
            begun.notify_one();
            pending().await
        }
        _ => match read_body(request.into_body(), BODY_BYTES, body_timeout).await {
            Ok(body) => text(StatusCode::OK, [b"got:", &body[..], b"."].concat().into()),
            Err(BodyError::TooLarge) => text(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
            Err(BodyError::TimedOut) => text(StatusCode::REQUEST_TIMEOUT, Bytes::new()),
            Err(BodyError::Broken) => text(StatusCode::BAD_REQUEST, Bytes::from_static(b"broken")),
        },
    }
}

#[tokio::test]
async fn a_listener_gives_each_worker_a_socket_on_one_port_that_nobody_else_gets() {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 3).unwrap();
    let addr = listener.local_addr();
    assert!(Listener::bind(addr, 1).is_err());
    assert!(Listener::bind(addr, 3).is_err());
    let shutdown = CancellationToken::new();
    let sockets = listener.into_sockets();
    assert_eq!(sockets.len(), 3);
    let settings = Settings { max_connections: 2, ..Settings::default() };
    for socket in sockets {
        let service = service_fn(|request| answer(request, SHORT, Arc::default()));
        tokio::spawn(serve(socket, settings.clone(), None, service, shutdown.clone()));
    }
    let mut refused = 0;
    let mut open = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        match timeout(SOON, stream.read(&mut [0; 1000])).await.unwrap() {
            Ok(1..) => open.push(stream),
            Ok(0) | Err(_) => refused += 1,
        }
    }
    assert_eq!((open.len(), refused), (2, 4), "the connections are counted over all sockets");
    shutdown.cancel();
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once_and_its_place_is_free_again_later() {
    let host = Host::start(Settings { max_connections: 1, ..Settings::default() });
    let mut first = host.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    until(&mut first, "got:.").await;
    assert_eq!(rest(&mut host.connect().await).await, "");
    drop(first);
    let began = Instant::now();
    loop {
        let mut again = host.connect().await;
        if again.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok()
            && again.read(&mut [0; 1000]).await.is_ok_and(|read| read > 0)
        {
            return;
        }
        assert!(began.elapsed() < SOON);
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_shutdown_lets_requests_end_and_closes_what_is_idle() {
    let host = Host::start(Settings::default());
    let (mut busy, mut idle, mut silent) = (host.connect().await, host.connect().await, host.connect().await);
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    until(&mut idle, "got:.").await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    host.begun().await;
    host.shutdown.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    let last = rest(&mut busy).await;
    assert!(last.starts_with("HTTP/1.1 200 OK\r\n") && last.ends_with("slow"), "{last}");
    assert!(last.contains("connection: close\r\n"), "{last}");
    timeout(SOON, host.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(host.addr).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_shutdown_waits_no_longer_than_the_time_to_drain() {
    let host = Host::start(Settings { drain_time: SHORT, ..Settings::default() });
    let mut busy = host.connect().await;
    busy.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    host.begun().await;
    host.shutdown.cancel();
    assert_eq!(rest(&mut busy).await, "");
    timeout(SOON, host.served).await.unwrap().unwrap();
}
