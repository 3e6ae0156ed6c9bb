use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Details;
use crate::json::{self, JsonError};
use crate::members::{Key, Members, push_member};
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

/// Who chats, and in which of the user's conversations, as far as an event says. Both are texts or whole numbers, and a number is the same as its
/// digits: `7` and `"7"` are one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chat {
    /// `user.user_id`; not in the platform's form of 2018.
    pub user_id: Option<String>,
    /// `conversation_no`; not in the platform's form of 2018.
    pub conversation_no: Option<String>,
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

    /// Whose event it is.
    pub fn chat(&self) -> Chat {
        // What cannot be read has a name that is no Unicode.
        let Ok(top) = Members::of(&self.text) else { return Chat::default() };
        // The platform's Run panel calls it `user_data`.
        let user = top.last(&["user", "user_data"]).and_then(|user| Members::of(user.get()).ok());
        Chat {
            user_id: user.and_then(|user| user.last(&["user_id"])).and_then(id),
            conversation_no: top.last(&["conversation_no"]).and_then(id),
        }
    }

    /// This event with details that were kept of it, a JSON object; a field that it has itself stays as it is, and so does every other byte. `None`
    /// where it has them all, or something in their place that is no object.
    ///
    /// # Errors
    /// If `kept` is no object.
    pub fn with_details(&self, of: Details, kept: &str) -> Result<Option<Self>, serde_json::Error> {
        let kept = Members::of(kept)?;
        let text = &self.text;
        // What cannot be read has a name that is no Unicode, and goes on as it is.
        let Ok(top) = Members::of(text) else { return Ok(None) };
        let own = top.last(&[of.field()]).map(RawValue::get);
        let known = match own {
            None | Some("null") => Members(Vec::new()),
            Some(object) => match Members::of(object) {
                Ok(known) => known,
                Err(_) => return Ok(None),
            },
        };
        let names: HashSet<&str> = known.0.iter().map(|(name, _)| name.as_ref()).collect();
        let missing: Vec<_> = kept.0.iter().filter(|(name, _)| !names.contains(name.as_ref())).collect();
        if missing.is_empty() {
            return Ok(None);
        }
        let mut object = own.and_then(|own| own.strip_suffix('}')).unwrap_or("{").to_owned();
        missing.iter().for_each(|(name, value)| push_member(&mut object, name, value.get()));
        object.push('}');
        let begin = own.map_or_else(|| end_of(text), |own| own.as_ptr().addr() - text.as_ptr().addr());
        let (before, after) = text.split_at(begin);
        let mut json = String::with_capacity(text.len() + object.len() + of.field().len() + r#","":"#.len());
        json.push_str(before);
        match own {
            Some(_) => json.push_str(&object),
            None => push_member(&mut json, of.field(), &object),
        }
        json.push_str(after.get(own.map_or(0, str::len)..).unwrap_or_default());
        Ok(Some(Self { text: json, headers: self.headers.clone(), run: self.run.clone() }))
    }
}

/// Where an object's last bracket is.
fn end_of(object: &str) -> usize {
    object.trim_ascii_end().len().saturating_sub(1)
}

/// A text that is not empty, or a whole number.
fn id(value: &RawValue) -> Option<String> {
    let value = value.get();
    if value.starts_with('"') {
        return serde_json::from_str::<Key<'_>>(value).ok().map(|Key(id)| id.into_owned()).filter(|id| !id.is_empty());
    }
    let digits = value.strip_prefix('-').unwrap_or(value);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.to_owned())
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
    #[test]
    fn an_event_says_who_chats() {
        for (text, user_id, conversation_no) in [
            (r#"{"user":{"user_id":"u-1"},"conversation_no":1}"#, Some("u-1"), Some("1")),
            (r#"{"user_data":{"user_id":7},"conversation_no":"1"}"#, Some("7"), Some("1")),
            (r#"{"user":{"user_id":-12345678901234567890123}}"#, Some("-12345678901234567890123"), None),
            (r#"{"user":{"user_id":"\u092f \" /"},"conversation_no":""}"#, Some("य \" /"), None),
            (r#"{"user":{"user_id":"a","user_id":"b"}}"#, Some("b"), None),
            (r#"{"user":{"user_id":""},"conversation_no":1.0}"#, None, None),
            (r#"{"user":{"user_id":1e3},"conversation_no":[1]}"#, None, None),
            (r#"{"user":{"user_id":null},"conversation_no":true}"#, None, None),
            (r#"{"user":{"user_name":"u1"}}"#, None, None),
            (r#"{"user":"u-1"}"#, None, None),
            (r#"{"\ud800":1,"user":{"user_id":"u-1"}}"#, None, None),
        ] {
            let chat = parse(text).unwrap().chat();
            assert_eq!(
                (chat.user_id.as_deref(), chat.conversation_no.as_deref()),
                (user_id, conversation_no),
                "{text}"
            );
        }
    }

    #[test]
    fn what_was_kept_is_added_and_all_else_stays_as_it_was() {
        let kept = r#"{"a":1e400,"b":"\ud83d"}"#;
        for (text, told) in [
            ("{}", Some(r#"{"user_details":{"a":1e400,"b":"\ud83d"}}"#)),
            (" { \"x\":1.0 }\n", Some(" { \"x\":1.0 ,\"user_details\":{\"a\":1e400,\"b\":\"\\ud83d\"}}\n")),
            (
                r#"{"user_details": null, "x":{"user_details":{}}}"#,
                Some(r#"{"user_details": {"a":1e400,"b":"\ud83d"}, "x":{"user_details":{}}}"#),
            ),
            (r#"{"user_details":{ },"x":2}"#, Some(r#"{"user_details":{ "a":1e400,"b":"\ud83d"},"x":2}"#)),
            (
                r#"{"user_details":{"c":3 , "a":null },"x":2}"#,
                Some(r#"{"user_details":{"c":3 , "a":null ,"b":"\ud83d"},"x":2}"#),
            ),
            (
                r#"{"user_details":{"a":1},"user_details":{"b":2}}"#,
                Some(r#"{"user_details":{"a":1},"user_details":{"b":2,"a":1e400}}"#),
            ),
            (r#"{"user_details":{"b":1,"\u0061":2}}"#, None),
            (r#"{"user_details":[]}"#, None),
            (r#"{"user_details":"{}"}"#, None),
            (r#"{"user_details":{"\ud800":1}}"#, None),
            (r#"{"\ud800":1}"#, None),
        ] {
            let event = parse(text).unwrap().with_details(Details::User, kept).unwrap();
            assert_eq!(event.as_ref().map(Event::as_str), told, "{text}");
        }
        assert_eq!(parse("{}").unwrap().with_details(Details::User, "{}").unwrap(), None);
        assert!(parse("{}").unwrap().with_details(Details::User, "[]").is_err());
    }
}
