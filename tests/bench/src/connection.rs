//! One keep-alive connection that never blocks.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

/// More than any head that the contestants send.
const MAX_HEADERS: usize = 32;
const READ_BYTES: usize = 64 << 10;

/// A connection with at most one request under way.
pub(crate) struct Connection {
    stream: TcpStream,
    /// How much of the request has gone.
    sent: usize,
    received: Vec<u8>,
    chunk: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether the server goes on listening on this connection.
    pub(crate) keeps_alive: bool,
}

/// How the end of an answer is known.
enum End {
    At(usize),
    Chunked { body_at: usize },
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(Self { stream, sent: 0, received: Vec::new(), chunk: vec![0; READ_BYTES] })
    }

    pub(crate) const fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Begins a request; the answer before it must have come.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.sent = 0;
        self.received.clear();
        self.push(request)
    }

    /// Sends and reads what can be sent and read now; gives back the answer once it is whole.
    pub(crate) fn advance(&mut self, request: &[u8]) -> io::Result<Option<Answer>> {
        self.push(request)?;
        loop {
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.received.extend_from_slice(self.chunk.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(answer) = self.answer()? {
                return Ok(Some(answer));
            }
        }
    }

    /// Whether the last answer holds this text.
    pub(crate) fn holds(&self, text: &[u8]) -> bool {
        memchr::memmem::find(&self.received, text).is_some()
    }

    fn push(&mut self, request: &[u8]) -> io::Result<()> {
        while let Some(rest) = request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn answer(&self) -> io::Result<Option<Answer>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&self.received).map_err(io::Error::other)?;
        let httparse::Status::Complete(body_at) = parsed else { return Ok(None) };
        let header = |name: &str| {
            let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        let end = match header("content-length").map(str::parse::<usize>) {
            Some(Ok(length)) => End::At(body_at + length),
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => End::Chunked { body_at },
        };
        let is_whole = match end {
            End::At(end) => self.received.len() >= end,
            End::Chunked { body_at } => self.received.get(body_at..).is_some_and(|body| body.ends_with(b"0\r\n\r\n")),
        };
        let keeps_alive = !header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(is_whole.then(|| Answer { status: head.code.unwrap_or_default(), keeps_alive }))
    }
}
