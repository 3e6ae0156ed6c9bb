use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::members::{Key, Members, push_member};
use crate::{Bucket, Limits};

/// The most that is kept of one user, and of one conversation: the JSON object of its details.
pub const MAX_STATE_BYTES: usize = 64 << 10;

/// What a bot remembers from one event to the next: fields that events come with and replies change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Details {
    /// Of one conversation.
    Conversation,
    /// Of one user, in all conversations.
    User,
}

/// Fields cannot be put over others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// One of the two texts is no JSON object.
    #[error("it is no JSON object: {0}")]
    NotAnObject(String),
    /// What comes out is larger than [`MAX_STATE_BYTES`].
    #[error("it would be {}, and the most is {}: set fields to null that are not needed any more", ByteSize(*.0), ByteSize(MAX_STATE_BYTES as u64))]
    TooLarge(u64),
}

impl Details {
    /// As grants and commands name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::User => "user",
        }
    }

    /// The key in events and replies.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Conversation => "conversation_details",
            Self::User => "user_details",
        }
    }

    /// Where it is kept for platforms that do not keep it.
    pub const fn bucket(self) -> Bucket {
        match self {
            Self::Conversation => Bucket::Conversation,
            Self::User => Bucket::User,
        }
    }

    /// Holds a reply's details against what the platform takes: the characters of each value and, of users, its type. A null is no value.
    ///
    /// # Errors
    /// One line for the author.
    pub(crate) fn check(self, details: &RawValue, limits: &Limits) -> Result<(), String> {
        if details.get() == "null" {
            return Ok(());
        }
        let field = self.field();
        let (limit, most) = match self {
            Self::Conversation => ("conversation_value_chars", limits.conversation_value_chars),
            Self::User => ("user_value_chars", limits.user_value_chars),
        };
        let members = Members::of(details.get()).map_err(|error| format!("`{field}` cannot be read: {error}"))?;
        for (name, value) in members.0.iter().filter(|(_, value)| value.get() != "null") {
            let is_of_user = matches!(self, Self::User);
            if is_of_user && let Some(kind) = kind_unknown_to_users(value.get()) {
                let name = shown(name);
                return Err(format!(
                    "`{field}.{name}` is {kind}, and details of users are strings or numbers: write it as a string"
                ));
            }
            if let Some(chars) = chars_beyond(value.get(), most) {
                let name = shown(name);
                return Err(format!(
                    "`{field}.{name}` has {chars} characters, and the most is {most}: shorten it, or raise the node's limit `{limit}`"
                ));
            }
        }
        Ok(())
    }
}

/// The JSON object `kept` with the fields of `fields` put over its own; one that is null there is forgotten. Values are as they were written. `None`
/// where no field is left.
///
/// # Errors
/// [`MergeError`] says what is wrong.
pub fn merged(kept: &str, fields: &str) -> Result<Option<String>, MergeError> {
    let members = |text| Members::of(text).map_err(|error| MergeError::NotAnObject(error.to_string()));
    let (kept, fields) = (members(kept)?, members(fields)?);
    let all = || kept.0.iter().chain(&fields.0);
    let mut last: HashMap<&str, &RawValue> = all().map(|(name, value)| (name.as_ref(), *value)).collect();
    let mut json = String::from("{");
    for (name, _) in all() {
        // The last value of a name goes where the name stands first.
        if let Some(value) = last.remove(name.as_ref()).filter(|value| value.get() != "null") {
            push_member(&mut json, name, value.get());
        }
    }
    json.push('}');
    match json.len() {
        2 => Ok(None),
        bytes if bytes > MAX_STATE_BYTES => Err(MergeError::TooLarge(bytes as u64)),
        _ => Ok(Some(json)),
    }
}

/// What a value is that details of users cannot be.
fn kind_unknown_to_users(value: &str) -> Option<&'static str> {
    match value.bytes().next() {
        Some(b'{') => Some("an object"),
        Some(b'[') => Some("a list"),
        Some(b't' | b'f') => Some("true or false"),
        _ => None,
    }
}

/// The characters of a value, if there are more than so many: of a string those that it stands for, else (and where half a surrogate stands in it)
/// those of the JSON.
fn chars_beyond(value: &str, most: u64) -> Option<u64> {
    let is_string = value.starts_with('"');
    // No character has less than a byte, also where it is escaped.
    let bytes = if is_string { value.len() - 2 } else { value.len() };
    if bytes as u64 <= most {
        return None;
    }
    let read = if is_string { serde_json::from_str::<Key<'_>>(value).ok() } else { None };
    let chars = read.map_or_else(|| value.chars().count(), |Key(text)| text.chars().count()) as u64;
    (chars > most).then_some(chars)
}

fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

impl FromStr for Details {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "conversation" => Ok(Self::Conversation),
            "user" => Ok(Self::User),
            _ => Err(format!("there are no details of `{name}`: use conversation or user")),
        }
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(kept: &str, fields: &str) -> Option<String> {
        merged(kept, fields).unwrap()
    }

    #[test]
    fn fields_are_put_over_those_that_are_kept() {
        for (kept, fields, all) in [
            (r#"{}"#, r#" { "a" : 1.50 } "#, Some(r#"{"a":1.50}"#)),
            (r#"{"a":1,"b":2}"#, r#"{"c":3,"a":{"x":null}}"#, Some(r#"{"a":{"x":null},"b":2,"c":3}"#)),
            (r#"{"a":1,"b":2}"#, r#"{"a":null,"never":null}"#, Some(r#"{"b":2}"#)),
            (r#"{"a":1}"#, r#"{"a":null}"#, None),
            (r#"{"a":1}"#, r#"{"a":2,"a":3}"#, Some(r#"{"a":3}"#)),
            (r#"{"a":1}"#, r#"{"a":null,"\u0061":"\ud83d"}"#, Some(r#"{"a":"\ud83d"}"#)),
            (r#"{}"#, r#"{"q\"\u00fc":"ü"}"#, Some(r#"{"q\"ü":"ü"}"#)),
            (r#"{}"#, r#"{}"#, None),
        ] {
            assert_eq!(merge(kept, fields).as_deref(), all, "{kept} {fields}");
        }
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let value = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()));
        assert_eq!(merge("{}", &value(MAX_STATE_BYTES)).unwrap().len(), MAX_STATE_BYTES);
        let refused = merged("{}", &value(MAX_STATE_BYTES + 1)).unwrap_err();
        assert!(refused.to_string().contains("the most is 64.0 KiB"), "{refused}");
        assert_eq!(merge(&value(MAX_STATE_BYTES), r#"{"a":1}"#).as_deref(), Some(r#"{"a":1}"#));
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for (kept, fields) in [("", "{}"), ("[]", "{}"), ("{}", "null"), ("{", "{}")] {
            assert!(matches!(merged(kept, fields), Err(MergeError::NotAnObject(_))), "{kept} {fields}");
        }
    }

    #[test]
    fn many_fields_are_merged_in_no_time() {
        let many = |from: usize| {
            let fields: Vec<String> = (from..from + 200_000).map(|at| format!(r#""{at}":null"#)).collect();
            format!("{{{}}}", fields.join(","))
        };
        let started = std::time::Instant::now();
        assert_eq!(merge(&many(0), &many(100_000)), None);
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    }
}
