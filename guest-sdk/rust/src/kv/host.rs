//! Entries through `wasi:keyvalue`.

use super::Refusal;

use bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use bindings::wasi::keyvalue::{batch, store};

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        inline: "
            package codenode:kv;

            world imports {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
                import wasi:keyvalue/batch@0.2.0-draft2;
            }
        ",
        path: "../wit/deps/keyvalue",
        world: "codenode:kv/imports",
        generate_all,
    });
}

/// A bucket, open.
#[derive(Debug)]
pub(super) struct Opened(store::Bucket);

/// An entry as it was seen, to be replaced if it is still so.
pub(super) struct Seen(Cas);

impl Opened {
    pub(super) fn open(bucket: &'static str) -> Result<Self, Refusal> {
        Ok(Self(store::open(bucket)?))
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.0.get(key)?)
    }

    pub(super) fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
        let found = batch::get_many(&self.0, keys)?;
        Ok(found.into_iter().map(|entry| entry.map(|(_, value)| value)).collect())
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool, Refusal> {
        Ok(self.0.exists(key)?)
    }

    pub(super) fn list(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Refusal> {
        let page = self.0.list_keys(cursor)?;
        Ok((page.keys, page.cursor))
    }

    pub(super) fn set(&self, key: &str, seconds: Option<u64>, value: &[u8]) -> Result<(), Refusal> {
        Ok(self.0.set(&written(key, seconds), value)?)
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), Refusal> {
        Ok(self.0.delete(key)?)
    }

    pub(super) fn increment(&self, key: &str, seconds: Option<u64>, delta: i64) -> Result<i64, Refusal> {
        Ok(atomics::increment(&self.0, &written(key, seconds), delta)?)
    }

    pub(super) fn see(&self, key: &str, seconds: Option<u64>) -> Result<Seen, Refusal> {
        Ok(Seen(Cas::new(&self.0, &written(key, seconds))?))
    }
}

impl Seen {
    pub(super) fn value(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.0.current()?)
    }

    /// `Some`, as it is now, where it is no more as it was seen.
    pub(super) fn swap(self, value: &[u8]) -> Result<Option<Self>, Refusal> {
        match atomics::swap(self.0, value) {
            Ok(()) => Ok(None),
            Err(CasError::CasFailed(now)) => Ok(Some(Self(now))),
            Err(CasError::StoreError(error)) => Err(error.into()),
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::Other("the host has no such bucket".to_owned()),
            store::Error::AccessDenied => Self::NotGranted("it is not granted to this node"),
            store::Error::Other(why) => Self::Other(why),
        }
    }
}

/// How the host is told for how long an entry is kept.
fn written(key: &str, seconds: Option<u64>) -> String {
    seconds.map_or_else(|| key.to_owned(), |seconds| format!("{key}{}{seconds}", super::TTL))
}
