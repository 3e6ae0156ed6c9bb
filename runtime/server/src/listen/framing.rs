//! The framing of HTTP/1 requests as the strictest reader of RFC 9112 sees it: where each head, body and trailer ends.
//!
//! It judges only what two parsers could read differently, and leaves the rest (which bytes a name may hold, how many
//! fields, how long a head) to hyper. It keeps no copy of what passes: a few words of state, whatever the input.

use memchr::memchr2;

use head::Name;
pub(super) use rule::{Part, Rule, Violation};

mod head;
mod rule;

/// Room for a chunk's extension. Nobody sends them but signers of large uploads, with less than 100 bytes.
const EXTENSION_BYTES: usize = 256;
/// The digits of a chunk's size; 16 fill a `u64`.
const SIZE_DIGITS: u8 = 16;

/// Follows one connection, read by read.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    head: Head,
    /// Whether the field lines being read are trailers.
    trailers: bool,
    /// How many heads have ended, so that the time of each can be taken.
    heads: u64,
    name: Name,
    /// How much of the present token (version, coding, chunk size, extension) has come.
    seen: usize,
    /// Whether white space has ended the present value.
    ended: bool,
    chunk_bytes: u64,
}

/// What the present head has said so far.
#[derive(Debug, Default)]
struct Head {
    minor: u8,
    host: bool,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between two messages.
    Start,
    /// After the CR of the one empty line that may precede a request.
    StartLf,
    Method,
    TargetStart,
    Target,
    Version,
    /// After the CR of a request line or a field line.
    LineLf,
    LineStart,
    FieldName,
    Value,
    LengthValue,
    CodingValue,
    /// After the CR of the empty line that ends the fields.
    FieldsLf,
    Body(u64),
    ChunkSize,
    ChunkExtension,
    ChunkSizeLf,
    ChunkData(u64),
    ChunkCr,
    ChunkLf,
}

type Step = Result<usize, (usize, Rule)>;

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Start,
            head: Head::default(),
            trailers: false,
            heads: 0,
            name: Name::default(),
            seen: 0,
            ended: false,
            chunk_bytes: 0,
        }
    }

    /// Whether the last byte seen ended a message, or nothing has come yet.
    pub(super) fn between_messages(&self) -> bool {
        self.state == State::Start
    }

    /// The number of the head that has begun and not ended, if any.
    pub(super) fn open_head(&self) -> Option<u64> {
        (!self.between_messages() && self.part() == Part::Head).then_some(self.heads)
    }

    /// Follows the next bytes of the connection. After a violation the scanner is of no more use.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            let offset = bytes.len() - rest.len();
            match self.step(rest, first) {
                Ok(used) => rest = rest.get(used..).unwrap_or_default(),
                Err((at, rule)) => return Err(Violation { at: offset + at, part: self.part(), rule }),
            }
        }
        Ok(())
    }

    fn part(&self) -> Part {
        match self.state {
            State::Start | State::StartLf | State::Method | State::TargetStart | State::Target | State::Version => {
                Part::Head
            }
            State::LineLf
            | State::LineStart
            | State::FieldName
            | State::Value
            | State::LengthValue
            | State::CodingValue
            | State::FieldsLf => {
                if self.trailers {
                    Part::Body
                } else {
                    Part::Head
                }
            }
            State::Body(_)
            | State::ChunkSize
            | State::ChunkExtension
            | State::ChunkSizeLf
            | State::ChunkData(_)
            | State::ChunkCr
            | State::ChunkLf => Part::Body,
        }
    }

    /// Consumes at least one byte of `rest`, which begins with `first`.
    fn step(&mut self, rest: &[u8], first: u8) -> Step {
        match self.state {
            State::Start if first == b'\r' => self.enter(State::StartLf),
            State::Start => {
                self.begin_token(State::Method);
                self.method(rest)
            }
            State::StartLf => {
                let step = self.expect(first, b'\n', State::Method, Rule::LineEnd);
                self.begin_token(self.state);
                step
            }
            State::Method => self.method(rest),
            State::TargetStart => self.expect(first, b'/', State::Target, Rule::RequestLine),
            State::Target => self.target(rest),
            State::Version => self.version(rest, first),
            State::LineLf => self.expect(first, b'\n', State::LineStart, Rule::LineEnd),
            State::LineStart => self.line_start(rest, first),
            State::FieldName => self.field_name(rest),
            State::Value => self.value(rest),
            State::LengthValue => self.length_value(first),
            State::CodingValue => self.coding_value(first),
            State::FieldsLf if first == b'\n' => self.end_fields(),
            State::FieldsLf => Err((0, Rule::LineEnd)),
            State::Body(left) => Ok(self.skip(rest, left, State::Body, State::Start)),
            State::ChunkSize => self.chunk_size(first),
            State::ChunkExtension => self.chunk_extension(rest),
            State::ChunkSizeLf if first == b'\n' => self.end_chunk_size(),
            State::ChunkSizeLf => Err((0, Rule::LineEnd)),
            State::ChunkData(left) => Ok(self.skip(rest, left, State::ChunkData, State::ChunkCr)),
            State::ChunkCr => self.expect(first, b'\r', State::ChunkLf, Rule::LineEnd),
            State::ChunkLf => {
                let step = self.expect(first, b'\n', State::ChunkSize, Rule::LineEnd);
                self.begin_token(self.state);
                step
            }
        }
    }

    fn enter(&mut self, state: State) -> Step {
        self.state = state;
        Ok(1)
    }

    fn begin_token(&mut self, state: State) {
        self.state = state;
        self.name = Name::default();
        self.seen = 0;
        self.ended = false;
        self.chunk_bytes = 0;
    }

    fn expect(&mut self, byte: u8, wanted: u8, then: State, otherwise: Rule) -> Step {
        if byte == wanted { self.enter(then) } else { Err((0, otherwise)) }
    }

    fn skip(&mut self, rest: &[u8], left: u64, within: fn(u64) -> State, after: State) -> usize {
        let here = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        if here < left {
            self.state = within(left - here);
            return rest.len();
        }
        self.state = after;
        usize::try_from(left).unwrap_or(rest.len())
    }
}

/// Chunked bodies.
impl Scanner {
    fn chunk_size(&mut self, byte: u8) -> Step {
        match (byte, char::from(byte).to_digit(16)) {
            (_, Some(digit)) if self.seen < usize::from(SIZE_DIGITS) => {
                self.chunk_bytes = (self.chunk_bytes << 4) | u64::from(digit);
                self.seen += 1;
                Ok(1)
            }
            (b'\r', None) if self.seen > 0 => self.enter(State::ChunkSizeLf),
            (b';', None) if self.seen > 0 => {
                self.seen = 0;
                self.enter(State::ChunkExtension)
            }
            _ => Err((0, Rule::ChunkSize)),
        }
    }

    fn chunk_extension(&mut self, rest: &[u8]) -> Step {
        let run = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        if self.seen + run > EXTENSION_BYTES {
            return Err((EXTENSION_BYTES - self.seen, Rule::ChunkSize));
        }
        self.seen += run;
        match rest.get(run) {
            None => Ok(run),
            Some(b'\r') => {
                self.state = State::ChunkSizeLf;
                Ok(run + 1)
            }
            Some(_) => Err((run, Rule::LineEnd)),
        }
    }

    fn end_chunk_size(&mut self) -> Step {
        if self.chunk_bytes > 0 {
            return self.enter(State::ChunkData(self.chunk_bytes));
        }
        self.trailers = true;
        self.enter(State::LineStart)
    }
}

#[cfg(test)]
mod tests;
