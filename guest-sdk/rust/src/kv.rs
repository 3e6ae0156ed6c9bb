//! What a node keeps between its runs: values by their keys, in a bucket of its own ([`node`]) and in one that it shares with the other nodes of
//! its tenant ([`tenant`]). Each is granted per revision: `kv:node`, `kv:tenant`, or only to look things up, `kv:tenant read`. The module is there
//! with the feature `kv`: `codenode = { features = ["kv"], … }`.
//!
//! What a run sets and deletes it sees itself at once. Others see it once the run has replied; a run that breaks leaves nothing of it.
//! [`Bucket::increment`] and [`Bucket::update`] are done at once, for good.
//! ```
//! use std::time::Duration;
//!
//! use codenode::{Error, Event, Reply, kv};
//!
//! const DAY: Duration = Duration::from_secs(24 * 3_600);
//!
//! fn handle(event: Event) -> Result<Reply, Error> {
//!     let visits = kv::node()?.keep_for(DAY).increment(&format!("visits/{}", event.user.user_name), 1)?;
//!     Ok(Reply::text(if visits == 1 { "Welcome!" } else { "Welcome back!" }))
//! }
//!
//! # fn main() {
//! // In a unit test, natively:
//! use codenode::testing;
//! let kv = testing::kv();
//! let visit = || testing::run(handle, testing::event("HELLO"));
//! assert_eq!(visit().texts(), ["Welcome!"]);
//! assert_eq!(visit().texts(), ["Welcome back!"]);
//! kv.advance(DAY);
//! assert_eq!(visit().texts(), ["Welcome!"]);
//! # }
//! ```

use std::fmt::{self, Display};
use std::rc::Rc;
use std::time::Duration;
use std::vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use backend::{Opened, Seen};

/// How a key says for how long its entry is kept: for the host, never for an author.
const TTL: &str = "?ttl=";

const MAX_KEY_BYTES: usize = 512;
const MAX_VALUE_BYTES: usize = 256 << 10;
const MAX_SECONDS: u64 = 366 * 24 * 3_600;

/// How often [`Bucket::update`] tries.
const UPDATE_TRIES: usize = 10;

/// Entries that are kept: values by their keys. Clones are the same bucket.
///
/// A key has 1 to 512 bytes, without NUL and without `?ttl=`; a value up to 256 KiB.
#[derive(Clone, Debug)]
pub struct Bucket {
    name: &'static str,
    opened: Rc<Opened>,
    keep_for: Option<Duration>,
}

/// Why nothing was read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is not granted to the node's revision.
    Refused(String),
    /// There can be no such key, no such value, or no such time to keep it.
    Invalid(String),
    /// The host could not do it: the store does not answer, the tenant keeps all that it may, the run read and wrote all that it may, or a value
    /// that should be incremented is no number.
    Failed(String),
    /// Others changed the entry each time before [`Bucket::update`] could.
    Contended(String),
    /// The value is not what it was read as.
    Unreadable(String),
}

/// Opens the node's own bucket, which no other node sees. It outlives the node's revisions.
///
/// # Errors
/// [`Error::Refused`] without the grant `kv:node`.
pub fn node() -> Result<Bucket, Error> {
    Bucket::open("node")
}

/// Opens the bucket that all nodes of the tenant share, if they are granted it.
///
/// # Errors
/// [`Error::Refused`] without the grant `kv:tenant` or `kv:tenant read`.
pub fn tenant() -> Result<Bucket, Error> {
    Bucket::open("tenant")
}

impl Bucket {
    pub(crate) fn open(name: &'static str) -> Result<Self, Error> {
        let opened = Opened::open(name).map_err(|refusal| refusal.at(format_args!("kv:{name}")))?;
        Ok(Self { name, opened: Rc::new(opened), keep_for: None })
    }

    /// The same bucket, for entries that are gone after so long: 1 second to 366 days, rounded up to whole seconds. Whatever is written without
    /// this is kept until it is deleted.
    /// ```
    /// # use std::time::Duration;
    /// # use codenode::kv;
    /// # let clock = codenode::testing::kv();
    /// let codes = kv::node()?.keep_for(Duration::from_secs(300));
    /// codes.set("otp/1", "271828")?;
    /// assert_eq!(codes.text("otp/1")?.as_deref(), Some("271828"));
    /// # clock.advance(Duration::from_secs(300));
    /// // Five minutes later:
    /// assert_eq!(codes.text("otp/1")?, None);
    /// # Ok::<(), kv::Error>(())
    /// ```
    #[must_use]
    pub fn keep_for(&self, time: Duration) -> Self {
        Self { keep_for: Some(time), ..self.clone() }
    }

    /// The value of a key, if there is one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.check(key)?;
        self.told(key, self.opened.get(key))
    }

    /// The values of these keys, in their order. For the host it is one call, for the limit `kv_calls` one for each key.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn get_many(&self, keys: impl IntoIterator<Item = impl Into<String>>) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        keys.iter().try_for_each(|key| self.check(key))?;
        self.told(format_args!("{} keys", keys.len()), self.opened.get_many(&keys))
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is not UTF-8; see [`Error`].
    pub fn text(&self, key: &str) -> Result<Option<String>, Error> {
        let text = |value| String::from_utf8(value).map_err(|error| self.unreadable(key, "text", &error));
        self.get(key)?.map(text).transpose()
    }

    /// The value as JSON; so what [`Bucket::increment`] counts is read as a number.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is no JSON, or none of this shape; see [`Error`].
    pub fn json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.get(key)?.map(|value| self.read_json(key, &value)).transpose()
    }

    /// Whether there is an entry.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        self.check(key)?;
        self.told(key, self.opened.exists(key))
    }

    /// All keys, in the order of their bytes. The host is asked for a page of up to 100 when the one before is used up, and each page counts as one
    /// of the run's `kv_calls`: take no more than you need.
    /// ```
    /// # use codenode::kv;
    /// # let _kv = codenode::testing::kv();
    /// let bucket = kv::node()?;
    /// bucket.set("order/71", "packed")?;
    /// bucket.set("order/72", "shipped")?;
    /// let first: Vec<String> = bucket.keys().take(50).collect::<Result<_, _>>()?;
    /// assert_eq!(first, ["order/71", "order/72"]);
    /// # Ok::<(), kv::Error>(())
    /// ```
    pub fn keys(&self) -> impl Iterator<Item = Result<String, Error>> + use<> {
        Keys { bucket: self.clone(), page: Vec::new().into_iter(), next: Some(None) }
    }

    /// Keeps a value under a key, in the place of the one before.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        let (seconds, value) = (self.check_write(key)?, value.as_ref());
        self.check_value(key, value)?;
        self.told(key, self.opened.set(key, seconds, value))
    }

    /// Keeps this as JSON.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it cannot be JSON; see [`Error`].
    pub fn set_json(&self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        self.set(key, self.write_json(key, value)?)
    }

    /// Deletes an entry, if there is one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.check(key)?;
        self.told(key, self.opened.delete(key))
    }

    /// Adds to a number, at once and for good, and gives the sum. What is not there counts as 0. The time of [`Bucket::keep_for`] is only for an
    /// entry that this makes: one that is there keeps its own.
    ///
    /// # Errors
    /// [`Error::Failed`] if the value is no whole number, or the sum does not fit into 64 bits; see [`Error`].
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        let seconds = self.check_write(key)?;
        self.told(key, self.opened.increment(key, seconds, delta))
    }

    /// Replaces a value by what `change` makes of it, at once and for good, and only if nobody else has changed it meanwhile: else `change` is asked
    /// again, ten times at most. It gets `None` where there is no entry, and gives `None` to leave everything as it is. What it gave last is given
    /// back.
    /// ```
    /// # use codenode::kv;
    /// # let _kv = codenode::testing::kv();
    /// // Whoever comes first has the seat.
    /// let seat = |guest: &str| {
    ///     let taken = kv::node()?.update("seat/7", |guest_before| guest_before.is_none().then(|| guest.into()))?;
    ///     Ok::<_, kv::Error>(taken.is_some())
    /// };
    /// assert!(seat("Asha")?);
    /// assert!(!seat("Bela")?);
    /// # Ok::<(), kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Contended`] if it was changed each time; see [`Error`].
    pub fn update(
        &self,
        key: &str,
        mut change: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let swapped = self.swap(key, |value| Ok(change(value).map(|value| (value, ()))))?;
        Ok(swapped.map(|(value, ())| value))
    }

    /// [`Bucket::update`] for a value that is kept as JSON.
    ///
    /// # Errors
    /// [`Error::Contended`], and those of [`Bucket::json`] and [`Bucket::set_json`].
    pub fn update_json<T: DeserializeOwned + Serialize>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let swapped = self.swap(key, |value| {
            let value = value.map(|value| self.read_json(key, value)).transpose()?;
            change(value).map(|value| Ok((self.write_json(key, &value)?, value))).transpose()
        })?;
        Ok(swapped.map(|(_, value)| value))
    }

    /// Writes the bytes that `change` gives, and gives them back with what came with them.
    fn swap<T>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<&[u8]>) -> Result<Option<(Vec<u8>, T)>, Error>,
    ) -> Result<Option<(Vec<u8>, T)>, Error> {
        let seconds = self.check_write(key)?;
        let mut seen: Seen = self.told(key, self.opened.see(key, seconds))?;
        for _ in 0..UPDATE_TRIES {
            let before = self.told(key, seen.value())?;
            let Some((value, more)) = change(before.as_deref())? else { return Ok(None) };
            self.check_value(key, &value)?;
            match self.told(key, seen.swap(&value))? {
                None => return Ok(Some((value, more))),
                Some(now) => seen = now,
            }
        }
        Err(Error::Contended(self.at(key, format_args!("others have changed it {UPDATE_TRIES} times meanwhile"))))
    }

    fn check(&self, key: &str) -> Result<(), Error> {
        let why = if key.is_empty() {
            "a key has at least one byte"
        } else if key.len() > MAX_KEY_BYTES {
            "a key has at most 512 bytes"
        } else if key.contains('\0') {
            "a key has no NUL"
        } else if key.contains(TTL) {
            "a key has no `?ttl=`; use `keep_for`"
        } else {
            return Ok(());
        };
        let shown: String = key.chars().take(64).flat_map(char::escape_debug).collect();
        Err(Error::Invalid(self.at(&shown, why)))
    }

    /// For how many seconds the entry is kept.
    fn check_write(&self, key: &str) -> Result<Option<u64>, Error> {
        self.check(key)?;
        let Some(time) = self.keep_for else { return Ok(None) };
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        if (1..=MAX_SECONDS).contains(&seconds) {
            Ok(Some(seconds))
        } else {
            Err(Error::Invalid(
                self.at(key, format_args!("an entry is kept for 1 second to 366 days, not for {time:?}")),
            ))
        }
    }

    fn check_value(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        if value.len() <= MAX_VALUE_BYTES {
            return Ok(());
        }
        Err(Error::Invalid(
            self.at(key, format_args!("a value has at most 256 KiB, and this one {} bytes", value.len())),
        ))
    }

    fn read_json<T: DeserializeOwned>(&self, key: &str, value: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(value).map_err(|error| self.unreadable(key, "JSON", &error))
    }

    fn write_json(&self, key: &str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
        let invalid = |error| Error::Invalid(self.at(key, format_args!("its value cannot be JSON: {error}")));
        serde_json::to_vec(value).map_err(invalid)
    }

    fn unreadable(&self, key: &str, form: &str, error: &impl Display) -> Error {
        Error::Unreadable(self.at(key, format_args!("its value cannot be read as {form}: {error}")))
    }

    fn told<T>(&self, key: impl Display, result: Result<T, Refusal>) -> Result<T, Error> {
        result.map_err(|refusal| refusal.at(format_args!("kv:{} {key}", self.name)))
    }

    fn at(&self, key: &str, why: impl Display) -> String {
        format!("kv:{} {key}: {why}", self.name)
    }
}

/// The keys of a bucket, page by page.
struct Keys {
    bucket: Bucket,
    page: vec::IntoIter<String>,
    /// Where the next page begins; `None` behind the last one.
    next: Option<Option<String>>,
}

impl Iterator for Keys {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.page.next() {
                return Some(Ok(key));
            }
            let cursor = self.next.take()?;
            match self.bucket.told("its keys", self.bucket.opened.list(cursor.as_deref())) {
                Ok((page, cursor)) => {
                    self.page = page.into_iter();
                    self.next = cursor.map(Some);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why)
            | Self::Invalid(why)
            | Self::Failed(why)
            | Self::Contended(why)
            | Self::Unreadable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

/// Why the host did not do it.
#[derive(Debug)]
pub(crate) enum Refusal {
    NotGranted(String),
    Other(String),
}

impl Refusal {
    fn at(self, place: impl Display) -> Error {
        match self {
            Self::NotGranted(why) => Error::Refused(format!("{place}: {why}")),
            Self::Other(why) => Error::Failed(format!("{place}: {why}")),
        }
    }
}

#[cfg(target_arch = "wasm32")]
#[path = "kv/host.rs"]
mod backend;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use backend::bindings;

/// Natively a test keeps them.
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::kept as backend;

#[cfg(test)]
mod tests;
