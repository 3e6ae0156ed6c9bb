//! The part of [`Scanner`] that reads request lines and fields.

use memchr::{memchr2, memchr3};

use super::{Rule, Scanner, State, Step};

const CHUNKED: &[u8] = b"chunked";
/// One more than the longest name that matters, so that a longer one is told apart.
const NAME_BYTES: usize = b"transfer-encoding".len() + 1;

/// The request line.
impl Scanner {
    pub(super) fn method(&mut self, rest: &[u8]) -> Step {
        let run = self.name.take(rest);
        match rest.get(run) {
            None => Ok(run),
            Some(b' ') if self.name.len > 0 && !self.name.is(b"connect") => {
                self.state = State::TargetStart;
                Ok(run + 1)
            }
            Some(_) => Err((run, Rule::RequestLine)),
        }
    }

    pub(super) fn target(&mut self, rest: &[u8]) -> Step {
        let Some(at) = memchr3(b' ', b'\r', b'\n', rest) else { return Ok(rest.len()) };
        if rest.get(at) != Some(&b' ') {
            return Err((at, Rule::RequestLine));
        }
        self.begin_token(State::Version);
        Ok(at + 1)
    }

    pub(super) fn version(&mut self, rest: &[u8], first: u8) -> Step {
        const PREFIX: &[u8] = b"HTTP/1.";
        if self.seen == 0 && rest.starts_with(PREFIX) {
            self.seen = PREFIX.len();
            return Ok(PREFIX.len());
        }
        let fits = match PREFIX.get(self.seen) {
            Some(wanted) => first == *wanted,
            None if self.seen == PREFIX.len() => {
                self.head.minor = first.wrapping_sub(b'0');
                self.head.minor <= 1
            }
            None if first == b'\r' => return self.enter(State::LineLf),
            None => false,
        };
        if !fits {
            return Err((0, Rule::RequestLine));
        }
        self.seen += 1;
        Ok(1)
    }
}

/// Fields, of a head or of a trailer.
impl Scanner {
    pub(super) fn line_start(&mut self, rest: &[u8], first: u8) -> Step {
        match first {
            b'\r' => self.enter(State::FieldsLf),
            b'\n' => Err((0, Rule::LineEnd)),
            b' ' | b'\t' => Err((0, Rule::Folded)),
            _ => {
                self.begin_token(State::FieldName);
                self.field_name(rest)
            }
        }
    }

    pub(super) fn field_name(&mut self, rest: &[u8]) -> Step {
        let run = self.name.take(rest);
        match rest.get(run) {
            None => Ok(run),
            Some(b':') if self.name.len > 0 => {
                self.state = self.classify().map_err(|rule| (run, rule))?;
                self.seen = 0;
                Ok(run + 1)
            }
            Some(_) => Err((run, Rule::FieldName)),
        }
    }

    fn classify(&mut self) -> Result<State, Rule> {
        let (host, length, coding) =
            (self.name.is(b"host"), self.name.is(b"content-length"), self.name.is(b"transfer-encoding"));
        if self.trailers && (host || length || coding) {
            return Err(Rule::Trailer);
        }
        let head = &mut self.head;
        if host {
            if std::mem::replace(&mut head.host, true) { Err(Rule::Host) } else { Ok(State::Value) }
        } else if length {
            if head.chunked {
                return Err(Rule::LengthAndCoding);
            }
            if head.length.replace(0).is_some() { Err(Rule::Length) } else { Ok(State::LengthValue) }
        } else if coding {
            if head.length.is_some() {
                return Err(Rule::LengthAndCoding);
            }
            let again = std::mem::replace(&mut head.chunked, true);
            if again || head.minor == 0 { Err(Rule::Coding) } else { Ok(State::CodingValue) }
        } else {
            Ok(State::Value)
        }
    }

    pub(super) fn value(&mut self, rest: &[u8]) -> Step {
        let Some(at) = memchr2(b'\r', b'\n', rest) else { return Ok(rest.len()) };
        if rest.get(at) != Some(&b'\r') {
            return Err((at, Rule::LineEnd));
        }
        self.state = State::LineLf;
        Ok(at + 1)
    }

    pub(super) fn length_value(&mut self, byte: u8) -> Step {
        match byte {
            b' ' | b'\t' => self.ended = self.seen > 0,
            b'0'..=b'9' if !self.ended => {
                let longer = self.head.length.and_then(|n| n.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
                self.head.length = Some(longer.ok_or((0, Rule::Length))?);
                self.seen = 1;
            }
            b'\r' if self.seen > 0 => return self.enter(State::LineLf),
            _ => return Err((0, Rule::Length)),
        }
        Ok(1)
    }

    pub(super) fn coding_value(&mut self, byte: u8) -> Step {
        match byte {
            b' ' | b'\t' if self.seen == 0 => {}
            b' ' | b'\t' if self.seen == CHUNKED.len() => self.ended = true,
            b'\r' if self.seen == CHUNKED.len() => return self.enter(State::LineLf),
            _ if !self.ended && CHUNKED.get(self.seen) == Some(&byte) => self.seen += 1,
            _ => return Err((0, Rule::Coding)),
        }
        Ok(1)
    }

    pub(super) fn end_fields(&mut self) -> Step {
        if std::mem::take(&mut self.trailers) {
            return self.enter(State::Start);
        }
        let head = std::mem::take(&mut self.head);
        if head.minor == 1 && !head.host {
            return Err((0, Rule::Host));
        }
        self.heads = self.heads.wrapping_add(1);
        self.begin_token(State::ChunkSize);
        match head.length {
            None if head.chunked => {}
            None | Some(0) => self.state = State::Start,
            Some(length) => self.state = State::Body(length),
        }
        Ok(1)
    }
}

/// The method or the field name being read, lower case not assumed; longer ones are only counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Name {
    bytes: [u8; NAME_BYTES],
    len: usize,
}

impl Name {
    /// Takes the token that `rest` begins with, and says how long it is.
    fn take(&mut self, rest: &[u8]) -> usize {
        let run = rest.iter().position(|byte| !is_token(*byte)).unwrap_or(rest.len());
        let kept = run.min(NAME_BYTES.saturating_sub(self.len));
        if let (Some(room), Some(bytes)) = (self.bytes.get_mut(self.len..self.len + kept), rest.get(..kept)) {
            room.copy_from_slice(bytes);
        }
        self.len = self.len.saturating_add(run);
        run
    }

    fn is(&self, name: &[u8]) -> bool {
        self.len == name.len() && self.bytes.get(..self.len).is_some_and(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Which bytes a token may hold: RFC 9110, section 5.6.2.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut left: &[u8] = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    while let [byte, rest @ ..] = left {
        #[expect(clippy::indexing_slicing, reason = "computed by the compiler, for which a panic is an error")]
        {
            table[*byte as usize] = true;
        }
        left = rest;
    }
    table
};

fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)) == Some(&true)
}
