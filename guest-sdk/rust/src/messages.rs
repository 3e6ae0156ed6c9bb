//! What a node says, in the words of people who do not program: texts by their keys, in many languages, which they edit while the node serves. A
//! revision reads them if it is granted `kv:messages`. The module is there with the feature `kv`: `codenode = { features = ["kv"], … }`.
//!
//! A key may have a text for each language, and one for every language that has none of its own. For `hi-IN` that is the text for `hi-IN`, else the
//! one for `hi`, else the one without a language; the host is asked once for all three.
//! ```
//! use codenode::{Error, Event, Reply, messages};
//!
//! fn handle(event: Event) -> Result<Reply, Error> {
//!     let text = messages::text("order.on_its_way", event.user.language_code.as_deref())?;
//!     let order = event.entities.text("order_id").unwrap_or("?");
//!     Ok(Reply::text(messages::fill(&text, &[("order", order)])))
//! }
//!
//! # fn main() {
//! // In a unit test, natively:
//! use codenode::testing;
//! let _messages = testing::messages([
//!     ("order.on_its_way", "Order {order} is on its way."),
//!     ("order.on_its_way/hi", "ऑर्डर {order} रास्ते में है।"),
//! ]);
//! let asking = |language| testing::event("ORDER").entity("order_id", "71").language(language);
//! assert_eq!(testing::run(handle, asking("hi-IN")).texts(), ["ऑर्डर 71 रास्ते में है।"]);
//! assert_eq!(testing::run(handle, asking("en")).texts(), ["Order 71 is on its way."]);
//! # }
//! ```

use std::fmt;

use crate::kv::{self, Bucket};

/// As the host knows them.
pub(crate) const BUCKET: &str = "messages";

/// The longest tag of a language, in bytes.
const MAX_LANGUAGE_BYTES: usize = 35;

/// The texts for one language, opened once for all that a run says.
#[derive(Clone, Debug)]
pub struct Messages {
    bucket: Bucket,
    /// The ends of names, the best one first; the last one is empty.
    endings: Vec<String>,
}

/// Why there is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Nobody has written it.
    Missing(String),
    /// It could not be read: it is not granted, or the store does not answer.
    Unread(kv::Error),
}

/// The text of a message for a language, such as `event.user.language_code.as_deref()`; for `None` the one without a language.
///
/// # Errors
/// See [`Error`].
pub fn text<'a>(key: &str, language: impl Into<Option<&'a str>>) -> Result<String, Error> {
    open(language)?.text(key)
}

/// Opens the messages of the tenant for a language. What is no language's tag counts as none; `hi_IN` is taken for `hi-IN`.
///
/// # Errors
/// [`Error::Unread`] without the grant `kv:messages`.
pub fn open<'a>(language: impl Into<Option<&'a str>>) -> Result<Messages, Error> {
    let bucket = Bucket::open(BUCKET).map_err(Error::Unread)?;
    Ok(Messages { bucket, endings: endings(language.into()) })
}

impl Messages {
    /// The text of a message.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn text(&self, key: &str) -> Result<String, Error> {
        let names = self.endings.iter().map(|ending| format!("{key}{ending}"));
        let found = self.bucket.get_many(names).map_err(Error::Unread)?;
        let Some(text) = found.into_iter().flatten().next() else { return Err(self.missing(key)) };
        let unreadable = |error| Error::Unread(kv::Error::Unreadable(format!("kv:{BUCKET} {key}: {error}")));
        String::from_utf8(text).map_err(unreadable)
    }

    fn missing(&self, key: &str) -> Error {
        let best = self.endings.first().and_then(|ending| ending.strip_prefix('/'));
        let language = best.map_or_else(String::new, |language| format!(" in {language}, nor one without a language"));
        Error::Missing(format!("there is no message {key}{language}: add it with `codenode message set {key} TEXT`"))
    }
}

/// Puts values in their places: `{order}` becomes what `order` stands for. A place of another name stays as it is, and nothing is sought in values.
/// ```
/// # use codenode::messages::fill;
/// assert_eq!(fill("{order}: {state} {when}", &[("order", "{state}"), ("state", "packed")]), "{state}: packed {when}");
/// ```
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, place)) = rest.split_once('{') {
        filled.push_str(before);
        let named = place.split_once('}').and_then(|(name, after)| {
            let value = values.iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| (*value, after))
        });
        match named {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = place;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// `/hi-IN`, `/hi` and nothing: as RFC 4647 (3.4) looks languages up.
fn endings(language: Option<&str>) -> Vec<String> {
    let language = language.unwrap_or_default().replace('_', "-");
    let is_tag = language.len() <= MAX_LANGUAGE_BYTES
        && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let mut endings = Vec::new();
    let mut tag = if is_tag { language.as_str() } else { "" };
    while !tag.is_empty() {
        endings.push(format!("/{tag}"));
        tag = tag.rsplit_once('-').map_or("", |(shorter, _)| shorter);
        // What a part of one letter announces is gone.
        while let Some((shorter, last)) = tag.rsplit_once('-')
            && last.len() <= 1
        {
            tag = shorter;
        }
    }
    endings.push(String::new());
    endings
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(why) => f.write_str(why),
            Self::Unread(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_language_is_looked_up_from_the_most_to_the_least_exact() {
        let of = |language| endings(Some(language));
        assert_eq!(of("zh-Hant-TW"), ["/zh-Hant-TW", "/zh-Hant", "/zh", ""]);
        assert_eq!(of("en_IN"), ["/en-IN", "/en", ""]);
        assert_eq!(of("en-x-shop"), ["/en-x-shop", "/en", ""]);
        for none in ["", "hi/in", "hi?ttl=5", "é", &"a".repeat(36)] {
            assert_eq!(of(none), [""], "{none}");
        }
        assert_eq!(endings(None), [""]);
    }

    #[test]
    fn the_nearest_text_is_taken() {
        let _messages = testing::messages([("a", "any"), ("a/hi", "hi"), ("a/pt-BR", "pt"), ("b/hi", "only hi")]);
        let hindi = open("HI-in").unwrap();
        assert_eq!((hindi.text("a").unwrap().as_str(), hindi.text("b").unwrap().as_str()), ("hi", "only hi"));
        assert_eq!(text("a", "pt-br").unwrap(), "pt");
        assert_eq!(text("a", "pt").unwrap(), "any");
        assert_eq!(text("a", None).unwrap(), "any");
    }

    #[test]
    fn what_is_missing_says_how_it_is_added() {
        let messages = testing::messages([("a/de", "x")]);
        let error = text("a", "hi-IN").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no message a in hi-IN, nor one without a language: add it with `codenode message set a TEXT`"
        );
        assert_eq!(
            text("b", None).unwrap_err().to_string(),
            "there is no message b: add it with `codenode message set b TEXT`"
        );
        drop(messages);
        assert!(matches!(text("a", "de"), Err(Error::Unread(kv::Error::Refused(_)))));
        let _kv = testing::kv();
        assert!(matches!(text("a", "de"), Err(Error::Unread(kv::Error::Refused(_)))), "granted each by itself");
    }

    #[test]
    fn values_stand_where_their_names_are() {
        for (text, filled) in [
            ("", ""),
            ("no place", "no place"),
            ("{a}{b}", "1{a}"),
            ("{{a}}", "{1}"),
            ("{a", "{a"),
            ("a}", "a}"),
            ("{c} {a}", "{c} 1"),
            ("{ü {a}", "{ü 1"),
        ] {
            assert_eq!(fill(text, &[("a", "1"), ("b", "{a}")]), filled, "{text}");
        }
    }
}
