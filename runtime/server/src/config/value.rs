//! A value of the configuration before anybody knows what it should be.

use std::fmt;
use std::path::{Path, PathBuf};

/// A value as it was found, in the file or in the environment, and where.
pub(super) struct Found<'d> {
    pub(super) raw: Raw<'d>,
    pub(super) place: String,
    pub(super) line: usize,
    pub(super) key: String,
    /// Relative paths in the file start from the file, in the environment from the working directory.
    pub(super) base: PathBuf,
}

/// What it is.
pub(super) enum Raw<'d> {
    Text(&'d str),
    Variable(&'d str),
    Integer(i64),
    Fraction(f64),
    Boolean(bool),
    Other(&'static str),
}

impl Found<'_> {
    pub(super) fn text(&self) -> Option<&str> {
        self.raw.text()
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }
}

impl Raw<'_> {
    pub(super) const fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Variable(text) => Some(text),
            Self::Integer(_) | Self::Fraction(_) | Self::Boolean(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Variable(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Fraction(number) => number.fmt(f),
            Self::Boolean(flag) => flag.fmt(f),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}
