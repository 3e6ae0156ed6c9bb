//! The accept loop and the life of one connection.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, debug, debug_span, warn};

use super::activity::{Activity, Counted};
use super::socket::{Seat, Seats};
use super::wire::Wire;
use super::{Settings, Socket, Tls};

/// Serves HTTP/1.1 and HTTP/2 on `socket` until `shutdown`, and returns when the last connection is closed: at most
/// `settings.drain_time` later.
///
/// It runs on the runtime it is polled on, and so do the connections: one worker, one runtime, one socket.
///
/// # Errors
/// The socket cannot be given to the runtime. What goes wrong later costs a connection, never the loop.
pub(crate) async fn serve<S, B>(
    socket: Socket,
    settings: Settings,
    tls: Option<Tls>,
    service: S,
    shutdown: CancellationToken,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Buf + Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let Socket { listener, seats } = socket;
    let listener = TcpListener::from_std(listener)?;
    let host = Arc::new(Host { builder: settings.builder(), settings, tls, service, shutdown });
    let connections = TaskTracker::new();
    let mut doorman = Doorman { listener, seats, max_connections: host.settings.max_connections, trouble: None };
    while let Some((stream, peer, seat)) = host.shutdown.run_until_cancelled(doorman.next()).await {
        let host = Arc::clone(&host);
        connections.spawn(async move {
            host.welcome(stream).instrument(debug_span!("connection", %peer)).await;
            drop(seat);
        });
    }
    drop(doorman);
    connections.close();
    connections.wait().await;
    Ok(())
}

/// Lets connections in, one after the other.
struct Doorman {
    listener: TcpListener,
    seats: Seats,
    max_connections: usize,
    /// When the log was last told of trouble.
    trouble: Option<Instant>,
}

const TROUBLE_LOG_INTERVAL: Duration = Duration::from_secs(30);
const MIN_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_secs(1);

impl Doorman {
    /// The next connection that there is room for.
    async fn next(&mut self) -> (TcpStream, SocketAddr, Seat) {
        let mut pause = MIN_PAUSE;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => match self.seats.take(self.max_connections) {
                    Some(seat) => return (stream, peer, seat),
                    None => self.complain("all connections are taken: closed a new one", None),
                },
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    // Descriptors or memory are short, and accept fails at once as long as they are.
                    self.complain("cannot accept connections", Some(&error));
                    sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    fn complain(&mut self, what: &str, error: Option<&io::Error>) {
        if self.trouble.is_none_or(|last| last.elapsed() > TROUBLE_LOG_INTERVAL) {
            self.trouble = Some(Instant::now());
            warn!(error = error.map(tracing::field::display), max_connections = self.max_connections, "{what}");
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// What every connection of a socket shares.
struct Host<S> {
    builder: auto::Builder<TokioExecutor>,
    settings: Settings,
    tls: Option<Tls>,
    service: S,
    shutdown: CancellationToken,
}

impl<S, B> Host<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Buf + Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    async fn welcome(&self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot send small packets at once");
        }
        let Some(tls) = &self.tls else { return self.converse(stream).await };
        let handshake = timeout(self.settings.handshake_timeout, TlsAcceptor::from(tls.current()).accept(stream));
        match self.shutdown.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => self.converse(stream).await,
            Some(Ok(Err(error))) => debug!(%error, "a TLS handshake failed"),
            Some(Err(_)) => debug!("a TLS handshake took too long"),
            None => {}
        }
    }

    async fn converse<I>(&self, stream: I)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let activity = Arc::new(Activity::default());
        let service = Counted { service: self.service.clone(), activity: Arc::clone(&activity) };
        let wire = TokioIo::new(Wire::new(stream, self.settings.header_timeout, self.settings.linger));
        let mut connection = std::pin::pin!(self.builder.serve_connection(wire, service));
        let asked_to_leave = async {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => {}
                () = activity.rest(self.settings.idle_timeout) => {}
            }
        };
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => Some(ended),
            () = asked_to_leave => {
                connection.as_mut().graceful_shutdown();
                self.last_words(connection, &activity).await
            }
        };
        if let Some(Err(error)) = ended {
            debug!(%error, "a connection ended early");
        }
    }

    /// Lets what is under way come to its end, within the time to drain, and as long as there is life in it.
    async fn last_words<C: Future>(&self, connection: C, activity: &Activity) -> Option<C::Output> {
        let drained = async {
            self.shutdown.cancelled().await;
            sleep(self.settings.drain_time).await;
        };
        tokio::select! {
            biased;
            output = connection => Some(output),
            () = activity.rest(self.settings.idle_timeout) => None,
            () = drained => None,
        }
    }
}
