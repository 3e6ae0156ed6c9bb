//! `[traces]`: where traces of events go.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::uri::{InvalidUri, Uri};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::document::Section;
use super::secret;

/// Where a collector takes spans, when its URL says no path.
const PATH: &str = "/v1/traces";

/// The way to the collector.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// Nothing is traced without.
    pub endpoint: Option<Endpoint>,
    /// Of the events whose sender says nothing; from 0 to 1.
    pub sample_ratio: f64,
    /// What the collector wants to see, such as `authorization`.
    pub headers: HeaderMap,
}

/// The URL at which a collector takes spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// Why a text is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It is no URL.
    #[error(transparent)]
    Uri(#[from] InvalidUri),
    /// It is another one.
    #[error("it is not http:// or https://")]
    Scheme,
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: None, sample_ratio: 1.0, headers: HeaderMap::new() }
    }
}

impl Traces {
    pub(super) fn read(mut section: Section<'_>, files: &mut Vec<PathBuf>) -> Self {
        let default = Self::default();
        let expected = "the URL of a collector, such as \"http://127.0.0.1:4318/v1/traces\"";
        let endpoint = section.parsed("endpoint", expected);
        let sample_ratio = section.ratio("sample_ratio", default.sample_ratio);
        let found = section.found("headers");
        let headers = found.as_ref().and_then(|found| {
            let headers = headers(&secret::read(&section, found, files)?);
            if headers.is_none() {
                section.wrong(found, "holds a line that is no header: write one `name: value` a line");
            }
            headers
        });
        section.finish();
        Self { endpoint, sample_ratio, headers: headers.unwrap_or_default() }
    }
}

/// One a line; what they say may be secret.
fn headers(text: &str) -> Option<HeaderMap> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let mut value: HeaderValue = value.trim().parse().ok()?;
        value.set_sensitive(true);
        Some((name.trim().parse::<HeaderName>().ok()?, value))
    };
    lines.map(header).collect()
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let uri: Uri = text.parse()?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(EndpointError::Scheme);
        }
        if uri.path() == "/" {
            return Ok(Self(format!("{}{PATH}", text.trim_end_matches('/')).parse()?));
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
