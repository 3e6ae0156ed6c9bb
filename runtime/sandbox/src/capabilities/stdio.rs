//! The guest's standard output and error: log lines, or a command's reply.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::log::{Journal, Stream};
use crate::failure::Stop;

/// What a guest may write in one go; wasmtime's own streams offer about as much.
const WRITE_BYTES: usize = 64 << 10;

/// Where a guest's output goes.
#[derive(Clone)]
pub(crate) enum Output {
    /// Into the run's log, line by line.
    Log(Journal, Stream),
    /// Into the reply.
    Reply(ReplyBuffer),
}

impl Output {
    fn put(&self, bytes: &[u8]) -> Result<(), Stop> {
        match self {
            Self::Log(journal, stream) => journal.stream(*stream, bytes),
            Self::Reply(reply) => reply.put(bytes)?,
        }
        Ok(())
    }
}

/// A command's reply as it grows, up to the run's limit.
#[derive(Clone)]
pub(crate) struct ReplyBuffer {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

impl ReplyBuffer {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { bytes: Arc::default(), limit: usize::try_from(limit_bytes).unwrap_or(usize::MAX) }
    }

    /// What was written so far; the buffer is empty afterwards.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, more: &[u8]) -> Result<(), Stop> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() + more.len() > self.limit {
            return Err(Stop::ReplyTooLarge);
        }
        bytes.extend_from_slice(more);
        Ok(())
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.put(&bytes).map_err(|stop| StreamError::Trap(stop.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.put(bytes).map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
