//! What people set for a node: values of its own or of all its tenant's nodes, and those that a revision brings along. Granted per revision: `config`
//! for what is no secret, and `secret:KEY` for each secret. The module is there with the feature `config`: `codenode = { features = ["config"], … }`.
//!
//! The host is asked each time, so a change is seen by the next question. What is not granted is not there.
//! ```
//! use codenode::{Error, Event, Reply, config};
//!
//! fn handle(_: Event) -> Result<Reply, Error> {
//!     let most: u32 = config::read("orders.shown")?.unwrap_or(5);
//!     let shop = config::text("shop.name")?;
//!     Ok(Reply::text(format!("The last {most} orders at {shop}:")))
//! }
//!
//! # fn main() {
//! // In a unit test, natively:
//! use codenode::testing;
//! let _config = testing::config([("shop.name", "Corner"), ("orders.shown", "3")]);
//! assert_eq!(testing::run(handle, testing::event("ORDERS")).texts(), ["The last 3 orders at Corner:"]);
//! # }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is not set, or not granted to the node's revision.
    Missing(String),
    /// It is not what it was read as.
    Unreadable(String),
    /// The host could not say.
    Failed(String),
}

/// The value of a key, if one is set and granted: a text as it is, and a number, a boolean, a list or an object as JSON.
///
/// # Errors
/// [`Error::Failed`].
pub fn get(key: &str) -> Result<Option<String>, Error> {
    backend::get(key).map_err(Error::Failed)
}

/// The value of a key that must be there, as text.
///
/// # Errors
/// [`Error::Missing`] says how it is set and granted; [`Error::Failed`].
pub fn text(key: &str) -> Result<String, Error> {
    get(key)?.ok_or_else(|| {
        Error::Missing(format!(
            "{key} is not set, or not granted: `codenode config set {key} VALUE`, and grant `config`; for a secret `--secret`, and `secret:{key}`"
        ))
    })
}

/// The value of a key, if there is one, read as JSON: a number, a boolean, a list, or a type of yours.
///
/// # Errors
/// [`Error::Unreadable`] if it is something else; [`Error::Failed`].
pub fn read<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    let unreadable = |error| Error::Unreadable(format!("the value of {key} is not as expected: {error}"));
    get(key)?.map(|text| serde_json::from_str(&text).map_err(unreadable)).transpose()
}

/// All values that are set, by their keys, but for secrets. None without the grant `config`.
///
/// # Errors
/// [`Error::Failed`].
pub fn all() -> Result<BTreeMap<String, String>, Error> {
    backend::all().map(|all| all.into_iter().collect()).map_err(Error::Failed)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(why) | Self::Unreadable(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        inline: "
            package codenode:config;

            world imports {
                import wasi:config/store@0.2.0-rc.1;
            }
        ",
        path: "../wit/deps/config",
        world: "codenode:config/imports",
        generate_all,
    });
}

#[cfg(target_arch = "wasm32")]
mod backend {
    use super::bindings::wasi::config::store::{self, Error};

    pub(super) fn get(key: &str) -> Result<Option<String>, String> {
        store::get(key).map_err(why)
    }

    pub(super) fn all() -> Result<Vec<(String, String)>, String> {
        store::get_all().map_err(why)
    }

    fn why(error: Error) -> String {
        match error {
            Error::Upstream(why) | Error::Io(why) => why,
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod backend {
    use crate::testing;

    pub(super) fn get(key: &str) -> Result<Option<String>, String> {
        Ok(testing::value(key))
    }

    pub(super) fn all() -> Result<Vec<(String, String)>, String> {
        Ok(testing::values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_value_is_read_as_what_it_is() {
        let values = testing::config([("text", "a \"b\""), ("list", "[1,2]"), ("flag", "false")]);
        let _secrets = testing::secrets([("signing_key", "s3cret of theirs")]);
        assert_eq!(text("text").unwrap(), "a \"b\"");
        assert_eq!(read("list").unwrap(), Some(vec![1, 2]));
        assert_eq!(read("flag").unwrap(), Some(false));
        assert_eq!(read::<u8>("none").unwrap(), None);
        assert_eq!(text("signing_key").unwrap(), "s3cret of theirs");
        assert_eq!(all().unwrap().into_keys().collect::<Vec<_>>(), ["flag", "list", "text"], "no secret by accident");
        let unreadable = read::<u8>("text").unwrap_err();
        assert!(unreadable.to_string().starts_with("the value of text is not as expected"), "{unreadable}");
        drop(values);
        assert_eq!(get("text").unwrap(), None);
    }

    #[test]
    fn what_is_missing_says_how_it_is_set_and_granted() {
        let missing = text("crm.url").unwrap_err().to_string();
        assert!(
            missing.contains("`codenode config set crm.url VALUE`") && missing.contains("secret:crm.url"),
            "{missing}"
        );
    }
}
