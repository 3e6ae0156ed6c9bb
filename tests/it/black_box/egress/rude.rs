//! Services over TLS that speak HTTP/2 by hand, frame by frame.

use std::io;
use std::iter::repeat;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy, sink, split};
use tokio_rustls::TlsAcceptor;

use super::super::frames::{CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PREFACE, SETTINGS, frame, literal};
use super::super::service::Service;

/// What a service says once it has heard a request, and how long it waits before each piece. Then it is silent.
pub(super) struct Script {
    pieces: Box<dyn Iterator<Item = Vec<u8>>>,
    pause: Duration,
}

/// Made anew for each connection.
pub(super) type Says = fn() -> Script;

/// Everything at once.
pub(super) fn once(pieces: &[Vec<u8>]) -> Script {
    Script { pieces: Box::new([pieces.concat()].into_iter()), pause: Duration::ZERO }
}

/// `first`, and then `again` for ever.
pub(super) fn flood(first: &[Vec<u8>], again: &[u8]) -> Script {
    let again = again.repeat(100);
    Script { pieces: Box::new([first.concat()].into_iter().chain(repeat(again))), pause: Duration::ZERO }
}

/// The same, very slowly.
pub(super) fn trickle(first: &[Vec<u8>], again: &[u8], pause: Duration) -> Script {
    Script { pieces: Box::new([first.concat()].into_iter().chain(repeat(again.to_vec()))), pause }
}

/// A head in parts of this payload, of which the last ends it.
pub(super) fn head_in_parts(count: usize, payload: &[u8]) -> Script {
    let parts = (1..=count).map(|at| if at == count { END_HEADERS } else { 0 });
    let parts: Vec<Vec<u8>> = parts.map(|flags| frame(CONTINUATION, flags, 1, payload)).collect();
    Script { pieces: Box::new([begun()].into_iter().chain(parts)), pause: Duration::ZERO }
}

/// `:status: 200`.
pub(super) fn ok() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &[0x88])
}

/// A head that says so, and goes on.
pub(super) fn begun() -> Vec<u8> {
    frame(HEADERS, 0, 1, &[0x88])
}

/// `:status: 103`.
pub(super) fn early_hints() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &literal(&[0x08], b"103"))
}

pub(super) fn data(flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(DATA, flags, 1, payload)
}

/// The connection ends after this stream, for this reason.
pub(super) fn goaway(last: u8, code: u8) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, code])
}

/// One field and how often it is looked up again: little on the wire, much once it is read.
pub(super) fn fields_that_unfold() -> Vec<u8> {
    [literal(&[0x40, 1, b'x'], &[b'x'; 120]), vec![0xbe; 16_000]].concat()
}

/// A service with settings of its own.
pub(super) fn service_with(config: &Arc<ServerConfig>, settings: &'static [u8], script: Says) -> Service {
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    Service::on("127.0.0.1:0", move |stream| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Whoever is flooded may hang up at any moment.
        let _: io::Result<()> = runtime.block_on(async {
            stream.set_nonblocking(true)?;
            let stream = acceptor.accept(tokio::net::TcpStream::from_std(stream)?).await?;
            let (mut ear, mut mouth) = split(stream);
            mouth.write_all(&frame(SETTINGS, 0, 0, settings)).await?;
            mouth.flush().await?;
            hear_request(&mut ear).await?;
            let talk = async {
                let Script { pieces, pause } = script();
                for piece in pieces {
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                    mouth.write_all(&piece).await?;
                    mouth.flush().await?;
                }
                std::future::pending().await
            };
            let mut nowhere = sink();
            tokio::select! {
                ended = talk => ended,
                heard = copy(&mut ear, &mut nowhere) => heard.map(drop),
            }
        });
    })
}

/// Reads up to the head of the first request.
async fn hear_request(ear: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    ear.read_exact(&mut [0; PREFACE.len()]).await?;
    loop {
        let mut head = [0; 9];
        ear.read_exact(&mut head).await?;
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        ear.read_exact(&mut payload).await?;
        if head[3] == HEADERS {
            return Ok(());
        }
    }
}
