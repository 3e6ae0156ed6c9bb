//! A walk over an event's JSON, once from start to end, that copies only what is kept.
//!
//! The syntax has been checked before, by the host or by [`Event::parse`](crate::Event::parse): what is wrong in spite of it is an error or a
//! wrong value, never more.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::word::{all, zero_bytes};
use crate::{Error, value};

/// The event's text, which all of its parts share.
pub(crate) type Source = Arc<String>;

pub(crate) struct Cursor<'a> {
    source: &'a Source,
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self { source, text: source, at: 0 }
    }

    /// Gives each key of the object to `entry`, which moves the cursor behind its value. `null` is an object without entries.
    pub(crate) fn object(
        &mut self,
        mut entry: impl FnMut(Cow<'a, str>, &mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.peek() {
            b'{' => self.at += 1,
            b'n' => {
                self.skip();
                return Ok(());
            }
            _ => return Err(self.expected("an object")),
        }
        loop {
            match self.peek() {
                b'"' => {
                    let key = self.string()?;
                    if self.peek() != b':' {
                        return Err(self.expected("a value"));
                    }
                    self.at += 1;
                    entry(key, self)?;
                }
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.expected("a key")),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Lets `item` move the cursor behind each item of the list. A lone value counts as a list of one, and `null` as an empty list.
    pub(crate) fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        match self.peek() {
            b'[' => self.at += 1,
            b'n' => {
                self.skip();
                return Ok(());
            }
            _ => return item(self),
        }
        loop {
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                0 => return Err(self.expected("the end of a list")),
                _ => item(self)?,
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Text where a string is usual: a number or a boolean gives its JSON text; `null`, lists and objects give none.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        match self.peek() {
            b'"' => self.string().map(Some),
            b'{' | b'[' | b'n' => {
                self.skip();
                Ok(None)
            }
            _ => Ok(Some(Cow::Borrowed(self.json()))),
        }
    }

    /// A whole number, or what spells one.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let json = self.json();
        json.parse().map_or_else(|_| value::integer(&value_of(json)), value::exact)
    }

    pub(crate) fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            b'"' => Ok(Value::String(self.string()?.into_owned())),
            _ => Ok(value_of(self.json())),
        }
    }

    /// Whether the value is `null`.
    pub(crate) fn is_null(&mut self) -> bool {
        self.peek() == b'n'
    }

    /// Where the value stands, to be read later.
    pub(crate) fn span(&mut self) -> Span {
        self.peek();
        let start = self.at;
        self.skip();
        Span { source: Arc::clone(self.source), range: start..self.at }
    }

    fn json(&mut self) -> &'a str {
        self.peek();
        let start = self.at;
        self.skip();
        self.slice(start..self.at)
    }

    /// The string that begins here. Only one with an escape is copied.
    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        let start = self.at;
        if self.skip_string() {
            let text = serde_json::from_str(self.slice(start..self.at));
            return text.map(Cow::Owned).map_err(|_| Error::new(format_args!("a broken string at byte {start}")));
        }
        Ok(Cow::Borrowed(self.slice(start + 1..self.at.saturating_sub(1))))
    }

    /// Moves behind the value that begins here, however deep it is.
    pub(crate) fn skip(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                b'"' => {
                    self.skip_string();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b',' | b':' => {
                    self.at += 1;
                    continue;
                }
                0 => return,
                _ => self.skip_word(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Moves behind the string that begins here; whether it holds an escape. Eight bytes are looked at together, as long as there are eight.
    fn skip_string(&mut self) -> bool {
        let text = self.text.as_bytes();
        let (mut at, mut escaped) = (self.at + 1, false);
        loop {
            if let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk()) {
                let word = u64::from_le_bytes(*eight);
                let found = zero_bytes(word ^ QUOTES) | zero_bytes(word ^ BACKSLASHES);
                if found == 0 {
                    at += 8;
                    continue;
                }
                at += found.trailing_zeros() as usize / 8;
            }
            match text.get(at) {
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(b'"') | None => break,
                Some(_) => at += 1,
            }
        }
        self.at = text.len().min(at + 1);
        escaped
    }

    /// Moves behind a number, `true`, `false` or `null`.
    fn skip_word(&mut self) {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().position(is_end).unwrap_or(rest.len());
    }

    /// The next byte that is no white space, and moves there; 0 at the end.
    fn peek(&mut self) -> u8 {
        loop {
            match self.bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return *byte,
                None => return 0,
            }
        }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    fn expected(&self, what: &str) -> Error {
        Error::new(format_args!("the event cannot be read: expected {what} at byte {}", self.at))
    }
}

/// A value of the event, by its place in the text.
#[derive(Clone)]
pub(crate) struct Span {
    source: Source,
    range: Range<usize>,
}

impl Span {
    pub(crate) fn read(&self) -> Value {
        value_of(self.source.get(self.range.clone()).unwrap_or_default())
    }
}

const QUOTES: u64 = all(b'"');
const BACKSLASHES: u64 = all(b'\\');

/// What a `Value` cannot hold (`1e999`, half of a surrogate pair) is its JSON text.
fn value_of(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}

#[cfg(test)]
mod tests {
    use proptest::collection::{hash_map, vec};
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::Event;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let members = hash_map(any::<String>(), inner.clone(), 0..6);
            prop_oneof![
                vec(inner, 0..6).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_is_found_where_serde_finds_it(members in hash_map("x[^z]*", json(), 0..6), pretty in any::<bool>()) {
            let object = Value::Object(members.into_iter().collect());
            let text = if pretty { format!("{object:#}") } else { object.to_string() };
            let event = Event::parse(&text).unwrap();
            let expected: Map<String, Value> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(event.extra.len(), expected.len());
            for (name, value) in &expected {
                prop_assert_eq!(event.extra.get(name), Some(value));
            }
        }

        #[test]
        fn what_was_never_checked_is_an_error_or_a_wrong_value(text in r#"[{}\[\]",:\\a1 n\u{e9}]{0,40}"#) {
            let _ = Event::read(text);
        }
    }

    #[test]
    fn what_a_value_cannot_hold_is_its_text() {
        let event = Event::parse(r#"{"a":1e999,"b":["\ud800"]}"#).unwrap();
        assert_eq!(event.extra.get("a"), Some(&json!("1e999")));
        assert_eq!(event.extra.get("b"), Some(&json!(r#"["\ud800"]"#)));
    }
}
