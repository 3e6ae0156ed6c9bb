use http_body_util::BodyExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::*;

/// Speaks HTTP/2 on `io`. The second part ends when the connection does.
pub(super) async fn speak<I>(io: I) -> (SendRequest<Full<Bytes>>, JoinHandle<()>)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    let ended = tokio::spawn(async move {
        // How it ends is up to the test.
        let _ = connection.await;
    });
    (sender, ended)
}

pub(super) async fn post(sender: &mut SendRequest<Full<Bytes>>, path: &str, body: &'static str) -> Response<Incoming> {
    let request = Request::post(format!("http://x{path}")).body(Full::from(body)).unwrap();
    timeout(SOON, sender.send_request(request)).await.unwrap().unwrap()
}

pub(super) async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn prior_knowledge_is_served() {
    let host = Host::start(Settings::default());
    let (mut sender, _ended) = speak(host.connect().await).await;
    for _ in 0..3 {
        let response = post(&mut sender, "/", "hi\nthere\0").await;
        assert_eq!((response.status(), response.version()), (StatusCode::OK, http::Version::HTTP_2));
        assert_eq!(text(response).await, "got:hi\nthere\0.");
    }
    assert_eq!(text(post(&mut sender, "/large", "").await).await.len(), 4 << 20);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let host = Host::start(Settings { idle_timeout: SHORT, ..Settings::default() });
    let (mut sender, ended) = speak(host.connect().await).await;
    text(post(&mut sender, "/slow", "").await).await;
    let began = Instant::now();
    timeout(SOON, ended).await.unwrap().unwrap();
    assert!(began.elapsed() >= SHORT / 2);

    let mut stream = host.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut settings = Vec::new();
    timeout(SOON, stream.read_to_end(&mut settings)).await.expect("nothing but a preface keeps a connection").unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_loses_the_connection() {
    let host = Host::start(Settings { idle_timeout: SHORT, ..Settings::default() });
    let (mut sender, ended) = speak(host.connect().await).await;
    let unread = post(&mut sender, "/large", "").await;
    timeout(SOON, ended).await.unwrap().unwrap();
    drop(unread);
}

#[tokio::test]
async fn a_shutdown_lets_streams_end() {
    let host = Host::start(Settings::default());
    let (mut sender, ended) = speak(host.connect().await).await;
    let slow = tokio::spawn(async move { text(post(&mut sender, "/slow", "").await).await });
    host.begun().await;
    host.shutdown.cancel();
    assert_eq!(slow.await.unwrap(), "slow");
    timeout(SOON, ended).await.unwrap().unwrap();
    timeout(SOON, host.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused_and_one_far_over_it_closes_the_connection() {
    let host = Host::start(Settings::default());
    let (mut sender, ended) = speak(host.connect().await).await;
    let mut get = async |kib: usize| {
        let request = Request::get("http://x/").header("x-long", "x".repeat(kib << 10));
        timeout(SOON, sender.send_request(request.body(Full::default()).unwrap())).await.unwrap()
    };
    for (kib, status) in [(15, 200), (17, 431), (15, 200), (40, 431), (15, 200)] {
        assert_eq!(get(kib).await.unwrap().status(), status, "{kib} KiB");
    }
    assert!(get(100).await.is_err());
    timeout(SOON, ended).await.unwrap().unwrap();
}
