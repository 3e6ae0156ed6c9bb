use serde_json::value::RawValue;

use crate::Limits;
use crate::members::{Key, Members};

/// What a bot remembers from one event to the next: fields that events come with and replies change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Details {
    /// Of one conversation.
    Conversation,
    /// Of one user, in all conversations.
    User,
}

impl Details {
    /// The key in events and replies.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Conversation => "conversation_details",
            Self::User => "user_details",
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
