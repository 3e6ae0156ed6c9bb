//! The rules of [`super::Scanner`], and what it says when one is broken.

use std::fmt;

/// What in a request two parsers could read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::listen) enum Rule {
    /// A line ends in LF without CR, or a CR stands elsewhere than before an LF.
    LineEnd,
    /// The request line is not `METHOD /path HTTP/1.0` or `1.1`, with single spaces; CONNECT is none of ours.
    RequestLine,
    /// A field is continued on a line that begins with white space.
    Folded,
    /// A field line has no name, or something other than a colon after it.
    FieldName,
    /// More than one Content-Length, or one that is not a plain number.
    Length,
    /// Transfer-Encoding twice, on HTTP/1.0, or other than `chunked`.
    Coding,
    /// Content-Length and Transfer-Encoding in one head.
    LengthAndCoding,
    /// No Host on HTTP/1.1, or more than one.
    Host,
    /// The line before a chunk is not a size in hex, or its extension is over [`super::EXTENSION_BYTES`].
    ChunkSize,
    /// Trailers that name the host or frame a message.
    Trailer,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineEnd => "a line end other than CR LF",
            Self::RequestLine => "a request line other than `METHOD /path HTTP/1.1`",
            Self::Folded => "a folded field",
            Self::FieldName => "a field without a clean name and colon",
            Self::Length => "a Content-Length that is doubled or not a number",
            Self::Coding => "a Transfer-Encoding other than one `chunked`",
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            Self::Host => "no Host, or more than one",
            Self::ChunkSize => "a chunk size other than hex digits, or a long chunk extension",
            Self::Trailer => "a trailer that belongs into a head",
        })
    }
}

/// Which part of a message broke a rule: what hyper can still be told differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::listen) enum Part {
    /// Hyper has not handed the request over yet, and can refuse it.
    Head,
    /// The service has the request: only its body can fail.
    Body,
}

/// A broken rule, and the offset of the first byte that breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::listen) struct Violation {
    pub(in crate::listen) at: usize,
    pub(in crate::listen) part: Part,
    pub(in crate::listen) rule: Rule,
}
