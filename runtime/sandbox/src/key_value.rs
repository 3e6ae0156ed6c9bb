//! The key-value store, as the sandbox needs it. It says whose buckets a guest may open; whoever embeds it keeps what is in them.

use std::pin::Pin;
use std::time::Duration;

use model::{Bucket, NewValue};

/// The longest key.
pub const MAX_KEY_BYTES: usize = 512;
/// The largest value.
pub const MAX_VALUE_BYTES: usize = 256 << 10;
/// The longest that an entry can be told to live.
pub const MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3_600);
/// The most keys that are listed at once.
pub const MAX_LISTED: u32 = 100;

/// The buckets of one node. Whose they are is the embedder's to know: no guest can name a tenant or a node.
///
/// Keys are as long as they may be, hold no NUL, and values are as large as they may be.
pub trait KeyValue: Send + Sync {
    /// The entries of these keys, in their order; `None` where there is none.
    fn get(&self, bucket: Bucket, keys: Vec<String>) -> Doing<'_, Vec<Option<Entry>>>;

    /// At most [`MAX_LISTED`] keys in the order of their bytes, those behind `after`.
    fn list(&self, bucket: Bucket, after: Option<String>) -> Doing<'_, Vec<String>>;

    /// Asks whether there is room for an entry that takes so many bytes with its key.
    fn reserve(&self, bucket: Bucket, key: String, bytes: u64) -> Doing<'_, ()>;

    /// Makes all of these changes, or none.
    fn write(&self, writes: Vec<Write>) -> Doing<'_, ()>;

    /// Adds to a number, and says what it is now. One that was not there is made, and lives as long as is said; any other keeps its time.
    fn increment(&self, bucket: Bucket, key: String, delta: i64, lifetime: Option<Duration>) -> Doing<'_, i64>;

    /// Sets an entry if it is still as it was `seen`; `None`: if there is still none. Says whether it did.
    fn swap(
        &self,
        bucket: Bucket,
        key: String,
        seen: Option<Version>,
        value: Vec<u8>,
        lifetime: Option<Duration>,
    ) -> Doing<'_, bool>;
}

/// Something that is being done.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyValueError>> + Send + 'a>>;

/// What is kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Any bytes.
    pub value: Vec<u8>,
    /// What tells it from what it was before and will be.
    pub version: Version,
}

/// One state of an entry; another one is never equal to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub i64);

/// A change to one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where it is.
    pub bucket: Bucket,
    /// Its key.
    pub key: String,
    /// Its value from now on.
    pub value: NewValue,
    /// For how long it is kept from now on; `None`: until it is changed.
    pub lifetime: Option<Duration>,
}

/// Why it was not done: one line, which the guest is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// The store does not do it now.
    #[error("{0}")]
    Unavailable(String),
    /// The tenant keeps as much as it may.
    #[error("{0}")]
    OverQuota(String),
    /// It is not to be done so, whenever it is tried.
    #[error("{0}")]
    Invalid(String),
}
