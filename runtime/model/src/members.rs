//! A JSON object's members in their order, each value as it was written.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object; a name may stand twice.
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

/// A key, borrowed from the text wherever it holds no escape.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Key<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl<'a> Members<'a> {
    /// Those of an object's text.
    ///
    /// # Errors
    /// It is no object, or one of its names is no Unicode.
    pub(crate) fn of(object: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(object)
    }

    /// The value under one of these names; the last one, where there are more.
    pub(crate) fn last(&self, names: &[&str]) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(name, _)| names.contains(&name.as_ref())).map(|(_, value)| *value)
    }
}

/// Appends `"name":value`, with a comma where something stands before it in its object.
pub(crate) fn push_member(json: &mut String, name: &str, value: &str) {
    if !json.trim_ascii_end().ends_with('{') {
        json.push(',');
    }
    push_string(json, name);
    json.push(':');
    json.push_str(value);
}

/// Appends a string.
pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}
