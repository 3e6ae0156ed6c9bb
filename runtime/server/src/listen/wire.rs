//! The guard below hyper: it watches the bytes of an HTTP/1 connection before hyper sees them.
//!
//! Hyper reads forgivingly (equal lengths twice, a bare LF, a chunked body that also has a length), and by the time a
//! service gets the request all that is gone. A proxy in front of us may have read the same bytes otherwise, and a
//! second request hides in the difference. So a request that two parsers could read differently is refused here:
//! - In a head, the offending byte becomes NUL, and the head ends there: hyper answers what came before, then 400, and
//!   closes. Nothing of what follows gets through.
//! - In a body, whose request the service already has, reading fails instead.
//!
//! It also times heads, from their first byte on, since only here is it known when one has begun; and it closes a
//! connection gently whose input was not read to the end, so that the answer is not lost with a reset.
//! HTTP/2 has one framing only: its preface, as the very first bytes, ends the watch.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tracing::debug;

use super::framing::{Part, Scanner, Violation};
use super::settings::Linger;

/// What a client that speaks HTTP/2 says first: RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What follows the byte that hyper must refuse: it looks at a head that came in pieces only once it sees the end.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A connection whose HTTP/1 bytes are checked as they are read.
pub(super) struct Wire<I> {
    io: I,
    mode: Mode,
    scanner: Scanner,
    head_timeout: Duration,
    linger: Linger,
    timer: Option<Pin<Box<Sleep>>>,
    /// The head that `timer` runs for.
    timed: Option<u64>,
    closing: Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// So many bytes have come, all of them as in [`PREFACE`].
    Preface(usize),
    Http1,
    Http2,
    /// Hyper has been given a byte that it must refuse, and so many bytes of [`HEAD_END`].
    Refused(usize),
    /// The body being read is not to be trusted.
    Broken,
}

#[derive(Clone, Copy, Debug)]
enum Closing {
    No,
    /// Our side is shut; so many bytes have been thrown away since.
    Lingering(usize),
}

impl<I> Wire<I> {
    /// Watches `io`; a head must be complete `head_timeout` after its first byte, the first one after this call.
    pub(super) fn new(io: I, head_timeout: Duration, linger: Linger) -> Self {
        let (mode, scanner) = (Mode::Preface(0), Scanner::new());
        Self { io, mode, scanner, head_timeout, linger, timer: None, timed: None, closing: Closing::No }
    }

    fn inspect(&mut self, fresh: &[u8]) -> Result<(), Violation> {
        match self.mode {
            Mode::Http1 => self.scanner.scan(fresh),
            Mode::Preface(seen) => self.inspect_first(seen, fresh),
            Mode::Http2 | Mode::Refused(_) | Mode::Broken => Ok(()),
        }
    }

    fn inspect_first(&mut self, seen: usize, fresh: &[u8]) -> Result<(), Violation> {
        let (before, expected) = PREFACE.split_at_checked(seen).unwrap_or((PREFACE, &[]));
        let same = expected.iter().zip(fresh).take_while(|(wanted, byte)| wanted == byte).count();
        if same == expected.len() {
            self.mode = Mode::Http2;
        } else if same == fresh.len() {
            self.mode = Mode::Preface(seen + same);
        } else {
            self.mode = Mode::Http1;
            self.scanner.scan(before).map_err(|violation| Violation { at: 0, ..violation })?;
            self.scanner.scan(fresh)?;
        }
        Ok(())
    }

    /// The number of the head that is being waited for, if one has begun.
    fn open_head(&self) -> Option<u64> {
        match self.mode {
            Mode::Preface(_) => Some(0),
            Mode::Http1 => self.scanner.open_head(),
            Mode::Http2 | Mode::Refused(_) | Mode::Broken => None,
        }
    }

    /// Whether the client may be in the middle of sending something.
    fn has_unread_input(&self) -> bool {
        match self.mode {
            Mode::Preface(_) | Mode::Http2 => false,
            Mode::Http1 => !self.scanner.between_messages(),
            Mode::Refused(_) | Mode::Broken => true,
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, after: Duration, restart: bool) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        if restart {
            timer.as_mut().reset(Instant::now() + after);
        }
        timer.as_mut().poll(cx)
    }

    fn poll_head_timeout(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(head) = self.open_head() else { return Poll::Pending };
        let restart = self.timed.replace(head) != Some(head);
        ready!(self.poll_timer(cx, self.head_timeout, restart));
        if self.mode != Mode::Preface(0) && buf.remaining() > 0 {
            debug!("a request head took too long");
            self.mode = Mode::Refused(0);
            buf.put_slice(&[0]);
        }
        Poll::Ready(Ok(()))
    }

    fn end_head(&mut self, told: usize, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rest = HEAD_END.get(told..).unwrap_or_default();
        if rest.is_empty() {
            // Nothing will wake the reader, and nothing need: it has all that it will get, and closes the connection.
            return Poll::Pending;
        }
        let now = rest.get(..buf.remaining()).unwrap_or(rest);
        buf.put_slice(now);
        self.mode = Mode::Refused(told + now.len());
        Poll::Ready(Ok(()))
    }

    /// Withholds what is not to be trusted of the bytes that `buf` got since it held `before`.
    fn refuse(&mut self, buf: &mut ReadBuf<'_>, before: usize, violation: Violation) -> Poll<io::Result<()>> {
        debug!(rule = %violation.rule, "refused a request that two parsers could read differently");
        let at = before + violation.at;
        match violation.part {
            Part::Head => {
                self.mode = Mode::Refused(0);
                if let Some(byte) = buf.filled_mut().get_mut(at) {
                    *byte = 0;
                }
                buf.set_filled(at + 1);
            }
            Part::Body => {
                self.mode = Mode::Broken;
                buf.set_filled(at);
                if violation.at == 0 {
                    return Poll::Ready(Err(broken()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Wire<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.mode {
            Mode::Refused(told) => return this.end_head(told, buf),
            Mode::Broken => return Poll::Ready(Err(broken())),
            Mode::Preface(_) | Mode::Http1 | Mode::Http2 => {}
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.io).poll_read(cx, buf) else {
            return this.poll_head_timeout(cx, buf);
        };
        read?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        match this.inspect(fresh) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(violation) => this.refuse(buf, before, violation),
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Closing a socket that holds unread bytes resets the connection, and the client may lose the answer that it has
    /// not read yet. So what the client still sends is thrown away for a moment.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (mut thrown, began) = match this.closing {
            Closing::Lingering(thrown) => (thrown, false),
            Closing::No => {
                ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
                (0, true)
            }
        };
        if !this.has_unread_input() {
            return Poll::Ready(Ok(()));
        }
        this.closing = Closing::Lingering(thrown);
        if this.poll_timer(cx, this.linger.time, began).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 8 << 10];
        while thrown < this.linger.bytes {
            let mut buf = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut this.io).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                break;
            }
            thrown += buf.filled().len();
            this.closing = Closing::Lingering(thrown);
        }
        Poll::Ready(Ok(()))
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the body is framed so that two parsers could read it differently")
}

#[cfg(test)]
mod tests;
