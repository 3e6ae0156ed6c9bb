//! Entries through `wasi:keyvalue`.

use super::Refusal;
use crate::grant;

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
pub(super) struct Opened {
    bucket: store::Bucket,
    name: &'static str,
}

/// An entry as it was seen, to be replaced if it is still so.
pub(super) struct Seen {
    cas: Cas,
    /// Of its bucket.
    name: &'static str,
}

impl Opened {
    pub(super) fn open(name: &'static str) -> Result<Self, Refusal> {
        Ok(Self { bucket: store::open(name).map_err(of(name))?, name })
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        self.bucket.get(key).map_err(of(self.name))
    }

    pub(super) fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
        let found = batch::get_many(&self.bucket, keys).map_err(of(self.name))?;
        Ok(found.into_iter().map(|entry| entry.map(|(_, value)| value)).collect())
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool, Refusal> {
        self.bucket.exists(key).map_err(of(self.name))
    }

    pub(super) fn list(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Refusal> {
        let page = self.bucket.list_keys(cursor).map_err(of(self.name))?;
        Ok((page.keys, page.cursor))
    }

    pub(super) fn set(&self, key: &str, seconds: Option<u64>, value: &[u8]) -> Result<(), Refusal> {
        self.bucket.set(&written(key, seconds), value).map_err(of(self.name))
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), Refusal> {
        self.bucket.delete(key).map_err(of(self.name))
    }

    pub(super) fn increment(&self, key: &str, seconds: Option<u64>, delta: i64) -> Result<i64, Refusal> {
        atomics::increment(&self.bucket, &written(key, seconds), delta).map_err(of(self.name))
    }

    pub(super) fn see(&self, key: &str, seconds: Option<u64>) -> Result<Seen, Refusal> {
        let cas = Cas::new(&self.bucket, &written(key, seconds)).map_err(of(self.name))?;
        Ok(Seen { cas, name: self.name })
    }
}

impl Seen {
    pub(super) fn value(&self) -> Result<Option<Vec<u8>>, Refusal> {
        self.cas.current().map_err(of(self.name))
    }

    /// `Some`, as it is now, where it is no more as it was seen.
    pub(super) fn swap(self, value: &[u8]) -> Result<Option<Self>, Refusal> {
        match atomics::swap(self.cas, value) {
            Ok(()) => Ok(None),
            Err(CasError::CasFailed(cas)) => Ok(Some(Self { cas, name: self.name })),
            Err(CasError::StoreError(error)) => Err(of(self.name)(error)),
        }
    }
}

/// Why the host did not do it in this bucket. One that is granted may be granted only for looking things up.
fn of(name: &'static str) -> impl Fn(store::Error) -> Refusal {
    move |error| match error {
        store::Error::NoSuchStore => Refusal::Other("the host has no such bucket".to_owned()),
        store::Error::AccessDenied => Refusal::NotGranted(grant::missing(format_args!("kv:{name}"))),
        store::Error::Other(why) => Refusal::Other(why),
    }
}

/// How the host is told for how long an entry is kept.
fn written(key: &str, seconds: Option<u64>) -> String {
    seconds.map_or_else(|| key.to_owned(), |seconds| format!("{key}{}{seconds}", super::TTL))
}
