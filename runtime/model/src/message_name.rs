use std::fmt;
use std::str::FromStr;

use utoipa::ToSchema;

use crate::text::written_as_text;

/// The longest key of a message, in bytes.
const MAX_KEY_BYTES: usize = 128;
/// The longest tag of a language, in bytes.
const MAX_LANGUAGE_BYTES: usize = 35;
/// The longest part of a tag, in bytes.
const MAX_SUBTAG_BYTES: usize = 8;
/// What stands between a message's key and its language.
const SEPARATOR: char = '/';

/// What a message is called: its key, and the language that its text is in. Written `order.not_found/hi`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageName {
    /// What the message says, whatever the language.
    pub key: MessageKey,
    /// `None`: the text is for every language that has none of its own.
    pub language: Option<Language>,
}

/// What handlers know a message by, such as `order.not_found`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", examples("order.not_found"))]
pub struct MessageKey(String);

/// A language, by a tag that has the form of BCP 47's: `hi`, `pt-BR`, `zh-Hant-TW`. Whether there is such a language nobody asks. However it is
/// written, it is kept as RFC 5646 (2.1.1) recommends: scripts in title case, regions in capitals, all else in small letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length = 35, examples("pt-BR"))]
pub struct Language(String);

/// The text is no name of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageNameError {
    /// Its key is none.
    #[error(
        "`{}` is no key of a message: use 1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or a digit, as in order.not_found",
        .0.escape_debug()
    )]
    Key(String),
    /// Its language is none.
    #[error("`{}` is no language: write it as in hi, pt-BR or zh-Hant-TW, with 35 letters, digits and `-` at the most", .0.escape_debug())]
    Language(String),
}

impl MessageKey {
    /// The key as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Language {
    /// The tag in its one spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageKey {
    type Err = MessageNameError;

    fn from_str(text: &str) -> Result<Self, MessageNameError> {
        let is_key = text.len() <= MAX_KEY_BYTES
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if is_key { Ok(Self(text.to_owned())) } else { Err(MessageNameError::Key(shown(text, MAX_KEY_BYTES))) }
    }
}

impl FromStr for Language {
    type Err = MessageNameError;

    fn from_str(text: &str) -> Result<Self, MessageNameError> {
        let is_subtag = |part: &str| {
            (1..=MAX_SUBTAG_BYTES).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let primary = text.split('-').next().unwrap_or_default();
        let is_tag = text.len() <= MAX_LANGUAGE_BYTES
            && primary.len() >= 2
            && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
            && text.split('-').all(is_subtag);
        if is_tag {
            Ok(Self(in_one_case(text)))
        } else {
            Err(MessageNameError::Language(shown(text, MAX_LANGUAGE_BYTES)))
        }
    }
}

impl FromStr for MessageName {
    type Err = MessageNameError;

    fn from_str(text: &str) -> Result<Self, MessageNameError> {
        match text.split_once(SEPARATOR) {
            None => Ok(Self { key: text.parse()?, language: None }),
            Some((key, language)) => Ok(Self { key: key.parse()?, language: Some(language.parse()?) }),
        }
    }
}

/// A part of two letters is a region and one of four a script, but for the first part, and for those behind a part of one letter.
fn in_one_case(tag: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in tag.split('-') {
        let mut part = part.to_ascii_lowercase();
        let is_plain = parts.last().is_some_and(|before| before.len() > 1);
        match part.len() {
            2 if is_plain => part.make_ascii_uppercase(),
            4 if is_plain => part.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase),
            _ => {}
        }
        parts.push(part);
    }
    parts.join("-")
}

/// As much of what somebody wrote as tells what is wrong with it.
fn shown(text: &str, most: usize) -> String {
    text.chars().take(most + 1).collect()
}

written_as_text!(MessageKey);
written_as_text!(Language);

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.language {
            None => write!(f, "{}", self.key),
            Some(language) => write!(f, "{}{SEPARATOR}{language}", self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MessageName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_a_key_and_perhaps_a_language() {
        assert_eq!((name("a").key.as_str(), name("a").language), ("a", None));
        let long = format!("{}/{}", "k".repeat(128), "de-x-12345678-12345678-12345678-123");
        for text in ["order.not_found", "7-a_B.c/hi", &long] {
            assert_eq!(name(text).to_string(), text);
        }
    }

    #[test]
    fn a_language_has_one_spelling() {
        for (text, spelled) in [
            ("HI", "hi"),
            ("pt-br", "pt-BR"),
            ("PT-BR", "pt-BR"),
            ("zh-hANT-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("sl-ROZAJ-biske-1994", "sl-rozaj-biske-1994"),
            ("en-CA-X-CA-Test", "en-CA-x-ca-Test"),
        ] {
            assert_eq!(text.parse::<Language>().unwrap().as_str(), spelled);
            assert_eq!(spelled.parse::<Language>().unwrap().as_str(), spelled);
        }
        assert_eq!(name("a/HI-in"), name("a/hi-IN"));
    }

    #[test]
    fn what_is_no_name_says_how_one_is_written() {
        for text in ["", "/hi", ".a", "-a", "a b", "a\0", "é", "a\r\nb", &"k".repeat(129)] {
            let error = text.parse::<MessageName>().unwrap_err();
            assert!(
                matches!(&error, MessageNameError::Key(_)) && error.to_string().contains("order.not_found"),
                "{error}"
            );
        }
        for text in [
            "a/",
            "a/h",
            "a/hi/in",
            "a/hi_IN",
            "a/hi-",
            "a/-hi",
            "a/hi--in",
            "a/1hi",
            "a/ü",
            "a/abcdefghi",
            "a/hi-123456789",
        ] {
            let error = text.parse::<MessageName>().unwrap_err();
            assert!(
                matches!(&error, MessageNameError::Language(_)) && error.to_string().contains("pt-BR"),
                "{text}: {error}"
            );
        }
        let long = format!("a/de{}", "-1234567".repeat(5));
        assert!(long.parse::<MessageName>().unwrap_err().to_string().len() < 300);
    }
}
