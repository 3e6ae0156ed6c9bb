//! `[log]`: what is logged, and how.

use tracing_subscriber::EnvFilter;

use super::document::Section;

/// The process's own log; what guests write is in the run records instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A level, or a filter such as `info,server::reload=debug`.
    pub level: String,
    /// How a line looks.
    pub format: Format,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Auto }
    }
}

impl Log {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let formats = [("auto", Format::Auto), ("text", Format::Text), ("json", Format::Json)];
        let format = section.choice("format", &formats, default.format);
        let level = match section.found("level") {
            None => default.level,
            Some(found) => match found.text().filter(|text| EnvFilter::try_new(text).is_ok()) {
                Some(level) => level.to_owned(),
                None => {
                    let levels = "must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\", or a filter such as \"info,server=debug\"";
                    section.wrong(&found, levels);
                    default.level
                }
            },
        };
        section.finish();
        Self { level, format }
    }
}
