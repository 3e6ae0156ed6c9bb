use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::{Builder, Uuid};

use crate::text::written_as_text;

/// The longest tenant or node id, in bytes.
const MAX_ID_BYTES: usize = 63;

/// The text is no id: ids match `^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid id: use 1 to 63 letters, digits, `_` or `-`, the first a letter or a digit", .0.escape_debug())]
pub struct IdError(String);

fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= MAX_ID_BYTES
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
        #[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_id(text) { Ok(Self(text.into())) } else { Err(IdError(text.chars().take(MAX_ID_BYTES + 1).collect())) }
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        written_as_text!($name);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The owner of nodes: the unit of isolation, quota and billing.
    TenantId
}

text_id! {
    /// A node's system name, unique within its tenant.
    NodeId
}

text_id! {
    /// A connection's name, unique within its tenant.
    ConnectionName
}

/// One run's id: a UUID version 7, so that ids sort by the time of their run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct RunId(Uuid);

impl RunId {
    /// A fresh id, from the clock and the random number generator of this host.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// The first id that a run of this millisecond, or of a later one, could have.
    pub fn first_at(time: Timestamp) -> Self {
        let millis = u64::try_from(time.as_millisecond()).unwrap_or(0);
        Self(Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// When the run began, to the millisecond.
    pub fn time(&self) -> Timestamp {
        let (seconds, nanos) = self.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
        let time = i64::try_from(seconds).ok().zip(i32::try_from(nanos).ok());
        time.and_then(|(seconds, nanos)| Timestamp::new(seconds, nanos).ok()).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_letters_digits_underscore_and_dash() {
        for good in ["a", "ORDER_STATUS", "order-status", "7", &"x".repeat(63)] {
            assert!(good.parse::<NodeId>().is_ok(), "{good}");
        }
        for bad in ["", "..", "a/b", "a\0b", "a\r\nX:1", "-a", "_a", "é", "a b", &"x".repeat(64)] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_run_id_tells_when_its_run_began() {
        let time: Timestamp = "2026-11-21T10:00:00.123Z".parse().unwrap();
        let first = RunId::first_at(time);
        assert_eq!(first.time(), time);
        let (before, after) = (RunId::fresh(), RunId::fresh());
        assert!(first < before && before < after && before.time() <= after.time());
        assert!(RunId::first_at(before.time()) <= before);
        assert_eq!(RunId::first_at(Timestamp::UNIX_EPOCH).time(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn an_id_error_shows_control_characters_escaped_and_bounded() {
        let error = "a\r\nX: 1".parse::<TenantId>().unwrap_err().to_string();
        assert!(error.starts_with("`a\\r\\nX: 1` is not a valid id"), "{error}");
        assert!("y".repeat(10_000).parse::<TenantId>().unwrap_err().to_string().len() < 300);
    }
}
