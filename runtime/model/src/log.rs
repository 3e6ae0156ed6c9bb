use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much a log line matters; the names are `wasi:logging`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The finest grain.
    Trace,
    /// For whoever debugs the handler.
    Debug,
    /// The course of a good run. Standard output of a code node.
    Info,
    /// Something looks wrong, the run goes on. Standard error.
    Warn,
    /// Something failed.
    Error,
    /// The handler cannot go on; a panic message.
    Critical,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// One line that the guest logged: one line always, control characters escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// Since the run began.
    pub at_micros: u64,
    /// How much it matters.
    pub level: Level,
    /// What the guest wrote, without the line break.
    pub text: String,
}

/// What a run logged, up to its limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Log {
    /// In the order in which they were written.
    pub lines: Vec<Line>,
    /// Bytes of log text past the limit, not kept.
    pub dropped_bytes: u64,
}

impl Log {
    /// Appends `text` as one line: control characters and bidirectional overrides become visible escapes,
    /// so that a guest can forge neither a line nor a terminal sequence.
    pub fn push(&mut self, at: Duration, level: Level, text: &str) {
        let at_micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        self.lines.push(Line { at_micros, level, text: printable(text) });
    }
}

fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Control characters but the tab, line separators, and the characters that reorder text.
fn is_deceptive(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_forge_another_or_drive_a_terminal() {
        let mut log = Log::default();
        log.push(Duration::ZERO, Level::Info, "a\n{\"level\":\"error\"}\u{1b}[2J\u{202e}नमस्ते\t😊");
        assert_eq!(log.lines[0].text, "a\\n{\"level\":\"error\"}\\u{1b}[2J\\u{202e}नमस्ते\t😊");
    }
}
