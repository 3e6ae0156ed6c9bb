use serde::Serialize;

use crate::json::{self, JsonError};
use crate::{NodeId, RunId};

/// A verified event: the platform's JSON, byte for byte as it was sent and signed.
///
/// Unknown keys, number spellings and key order are the guest's to see, so the text is checked and never rebuilt.
/// Entities are polymorphic and stay raw; the guest SDKs give them types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Event {
    text: String,
    #[serde(skip)]
    headers: Vec<(String, String)>,
    #[serde(skip)]
    run: Option<(RunId, NodeId)>,
}

/// Why a body is not an event. The text is for the caller and never quotes the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The body has no bytes, or white space only.
    #[error("the event is empty: send a JSON object")]
    Empty,
    /// The body is not UTF-8 from this byte on.
    #[error("the event is not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// The body is not one JSON text that we take.
    #[error("the event is not valid JSON: {0}")]
    NotJson(String),
    /// The body is JSON, but not an object.
    #[error("the event must be a JSON object")]
    NotAnObject,
}

impl Event {
    /// Checks a raw body: UTF-8, one JSON object, nested at most 128 deep, no `\u0000` in a string.
    ///
    /// # Errors
    /// [`EventError`] names the first rule that the body breaks.
    pub fn parse(body: Vec<u8>) -> Result<Self, EventError> {
        let text = String::from_utf8(body).map_err(|error| EventError::NotUtf8(error.utf8_error().valid_up_to()))?;
        let Some(first) = text.bytes().find(|byte| !byte.is_ascii_whitespace()) else {
            return Err(EventError::Empty);
        };
        json::check(&text).map_err(|error: JsonError| EventError::NotJson(error.to_string()))?;
        if first == b'{' { Ok(Self { text, headers: Vec::new(), run: None }) } else { Err(EventError::NotAnObject) }
    }

    /// The JSON text, as it was sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same with headers of the request that it came in, for handlers that take requests.
    #[must_use]
    pub fn with_headers(self, headers: Vec<(String, String)>) -> Self {
        Self { headers, ..self }
    }

    /// The same as the event of a run of a node, for handlers that are told of which.
    #[must_use]
    pub fn of_run(self, run: RunId, node: NodeId) -> Self {
        Self { run: Some((run, node)), ..self }
    }

    /// The run that it is of, and of which node, where that was said.
    pub const fn run(&self) -> Option<&(RunId, NodeId)> {
        self.run.as_ref()
    }

    /// The headers that it came with; none unless its handler takes requests.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Event, EventError> {
        Event::parse(text.as_bytes().to_vec())
    }

    #[test]
    fn an_event_is_kept_byte_for_byte() {
        let text = " {\"b\":1.50,\"a\":123456789012345678901234567890,\"a\":2,\"x\":\"\\u092b 😊\"}\n";
        assert_eq!(parse(text).unwrap().as_str(), text);
    }

    #[test]
    fn each_way_not_to_be_an_event_has_its_name() {
        assert_eq!(parse(""), Err(EventError::Empty));
        assert_eq!(parse(" \n"), Err(EventError::Empty));
        assert_eq!(parse("[]"), Err(EventError::NotAnObject));
        assert_eq!(parse("\"{}\""), Err(EventError::NotAnObject));
        assert_eq!(Event::parse(b"{\"a\":\"\xff\"}".to_vec()), Err(EventError::NotUtf8(6)));
        assert!(matches!(parse("{\"a\":"), Err(EventError::NotJson(_))));
        assert!(matches!(parse("{\"a\":\"\\u0000\"}"), Err(EventError::NotJson(_))));
    }
}
