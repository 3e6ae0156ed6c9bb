//! The limits of a listener and of each connection.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;

/// What a listener allows. The defaults suit both listeners.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// From the first byte of a request to the end of its head; for the first request, from the connection on.
    pub(crate) header_timeout: Duration,
    /// From the head to the end of the body: for [`super::read_body`], which the service calls.
    pub(crate) body_timeout: Duration,
    /// How long a connection may stand with nothing to do. It ends between one and one and a quarter of this.
    pub(crate) idle_timeout: Duration,
    /// For the TLS handshake.
    pub(crate) handshake_timeout: Duration,
    /// For a client that is still sending what was refused, so that it hears why.
    pub(crate) linger: Linger,
    /// How long requests under way may go on after a shutdown has begun.
    pub(crate) drain_time: Duration,
    /// Connections of the listener, over all its sockets. One more is accepted and closed at once, so that the caller
    /// learns it now and can go elsewhere, instead of waiting in a queue that nobody sees.
    pub(crate) max_connections: usize,
    /// The size of a request's head; at least 8 KiB. More is answered with 431.
    pub(crate) max_head_bytes: usize,
    /// Fields in a request's head. More are answered with 431.
    pub(crate) max_headers: usize,
    pub(crate) http2: Http2,
}

/// How long, and for how many bytes, a client is listened to after the last answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

/// What an HTTP/2 connection may do besides.
#[derive(Clone, Debug)]
pub(crate) struct Http2 {
    /// Requests at once.
    pub(crate) max_concurrent_streams: u32,
    /// The size of a request's head, decompressed.
    pub(crate) max_header_list_bytes: u32,
    /// Streams that the client reset before we looked at them; one more closes the connection ("rapid reset").
    pub(crate) max_pending_resets: usize,
    /// Streams that we reset because of the client's mistakes; one more closes the connection.
    pub(crate) max_own_resets: usize,
    /// How often to ask whether the client is still there.
    pub(crate) ping_interval: Duration,
    /// How long it may take to say so.
    pub(crate) ping_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(10),
            linger: Linger { time: Duration::from_secs(1), bytes: 4 << 20 },
            drain_time: Duration::from_secs(30),
            max_connections: 10_000,
            max_head_bytes: 64 << 10,
            max_headers: 64,
            http2: Http2::default(),
        }
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 64,
            max_header_list_bytes: 16 << 10,
            max_pending_resets: 20,
            max_own_resets: 64,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// The smallest buffer that hyper takes; it panics below.
const MIN_HEAD_BYTES: usize = 8 << 10;

impl Settings {
    /// Hyper with these limits. The header timeout is not hyper's, which also counts the time between two requests:
    /// [`super::wire`] keeps it.
    pub(super) fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(self.max_head_bytes.max(MIN_HEAD_BYTES))
            .max_headers(self.max_headers);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.http2.max_concurrent_streams)
            .max_header_list_size(self.http2.max_header_list_bytes)
            .max_pending_accept_reset_streams(self.http2.max_pending_resets)
            .max_local_error_reset_streams(self.http2.max_own_resets)
            .keep_alive_interval(self.http2.ping_interval)
            .keep_alive_timeout(self.http2.ping_timeout);
        builder
    }
}
