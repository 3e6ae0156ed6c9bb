//! Key-value: what a run reads and writes of its buckets, and how much of it.
//!
//! A run sees its own writes at once; everybody else sees them once it has replied, all together. What is atomic is done at once, for good.

mod key;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use model::{Bucket, Limits, NewValue};
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::WasiView as _;

use super::wasi::keyvalue::{atomics, batch, store};
use crate::failure::Stop;
use crate::host::Host;
use crate::key_value::{Entry, KeyValue, KeyValueError, MAX_LISTED, MAX_VALUE_BYTES, Write};
use atomics::CasError;
use key::other;
use store::{Error, KeyResponse};

/// Entries that are asked for at once; together they are 4 MiB at the most.
const READ_AT_ONCE: usize = 16;

/// What a run keeps in mind of its buckets.
#[derive(Default)]
pub(crate) struct Buckets {
    /// What it wrote and nobody else can see yet.
    pending: BTreeMap<Bucket, BTreeMap<String, Pending>>,
    used: Used,
}

struct Pending {
    value: Option<Vec<u8>>,
    lifetime: Option<Duration>,
}

/// What a run read and wrote.
#[derive(Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
}

/// A bucket that a guest has opened.
#[expect(unreachable_pub, reason = "the bindings export it again")]
#[derive(Clone)]
pub struct Opened {
    bucket: Bucket,
    may_write: bool,
    store: Arc<dyn KeyValue>,
}

/// An entry as a guest has seen it, to be replaced if it is still so.
#[expect(unreachable_pub, reason = "the bindings export it again")]
pub struct Seen {
    opened: Opened,
    key: String,
    lifetime: Option<Duration>,
    entry: Option<Entry>,
}

/// A call of the guest's: the bucket that it is about, and the run's state.
struct Call<'a> {
    opened: Opened,
    buckets: &'a mut Buckets,
    limits: &'a Limits,
}

/// What a guest is told, or why its run ends.
type Told<T, E = Error> = wasmtime::Result<Result<T, E>>;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?;
    atomics::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?;
    batch::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)
}

impl Buckets {
    pub(crate) const fn used(&self) -> Used {
        self.used
    }

    /// Counts entries that are read and written for the run and not by its guest.
    pub(crate) const fn count(&mut self, entries: usize, bytes: usize) {
        self.used.calls = self.used.calls.saturating_add(entries as u64);
        self.used.bytes = self.used.bytes.saturating_add(bytes as u64);
    }

    /// What is to be kept now that the run has replied.
    pub(crate) fn take(&mut self) -> Vec<Write> {
        let pending = std::mem::take(&mut self.pending);
        let of_bucket = |(bucket, writes): (Bucket, BTreeMap<String, Pending>)| {
            writes.into_iter().map(move |(key, pending)| pending.write(bucket, key))
        };
        pending.into_iter().flat_map(of_bucket).collect()
    }
}

impl Pending {
    fn write(self, bucket: Bucket, key: String) -> Write {
        let value = self.value.map_or(NewValue::Nothing, NewValue::Bytes);
        Write { bucket, key, value, lifetime: self.lifetime }
    }
}

impl Host {
    /// A call about so many keys.
    fn key_value_call(&mut self, opened: &Resource<Opened>, keys: usize) -> wasmtime::Result<Call<'_>> {
        let opened = self.ctx().table.get(opened)?.clone();
        self.call_of(opened, keys)
    }

    fn call_of(&mut self, opened: Opened, keys: usize) -> wasmtime::Result<Call<'_>> {
        let (buckets, limits) = self.buckets();
        buckets.used.calls = buckets.used.calls.saturating_add(keys as u64);
        if buckets.used.calls > limits.kv_calls {
            return Err(Stop::TooManyKeyValueCalls.into());
        }
        Ok(Call { opened, buckets, limits })
    }
}

impl Call<'_> {
    /// The values of these keys as this run sees them.
    async fn get(&mut self, keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let keys = keys.into_iter().map(key::plain).collect::<Result<Vec<_>, _>>()?;
        let mut values = Vec::with_capacity(keys.len());
        // A few at a time: how large they are is known only once they are here.
        for keys in keys.chunks(READ_AT_ONCE) {
            let asked: Vec<String> = keys.iter().filter(|key| self.pending(key).is_none()).cloned().collect();
            let found =
                if asked.is_empty() { Vec::new() } else { self.opened.store.get(self.opened.bucket, asked).await? };
            let mut found = found.into_iter();
            let read = values.len();
            values.extend(keys.iter().map(|key| match self.pending(key) {
                Some(pending) => pending.value.clone(),
                None => found.next().flatten().map(|entry| entry.value),
            }));
            self.weigh(values.iter().skip(read).flatten().map(Vec::len).sum())?;
        }
        Ok(values)
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.must_write()?;
        let (key, lifetime) = key::written(key)?;
        self.must_fit(&key, &value).await?;
        self.note(key, Pending { value: Some(value), lifetime });
        Ok(())
    }

    fn delete(&mut self, key: String) -> Result<(), Error> {
        self.must_write()?;
        self.note(key::plain(key)?, Pending { value: None, lifetime: None });
        Ok(())
    }

    /// A page of keys, in the order of their bytes. A cursor is the last key of the page before.
    async fn list(&mut self, after: Option<String>) -> Result<KeyResponse, Error> {
        let after = after.map(key::plain).transpose()?;
        let listed = self.opened.store.list(self.opened.bucket, after.clone()).await?;
        // Of what this run wrote, the part that belongs between this page's ends.
        let cursor = listed.last().filter(|_| listed.len() >= MAX_LISTED as usize).cloned();
        let begin = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let end = cursor.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let mut keys: BTreeSet<String> = listed.into_iter().collect();
        let own = self.buckets.pending.get(&self.opened.bucket).into_iter();
        for (key, pending) in own.flat_map(|writes| writes.range::<str, _>((begin, end))) {
            if pending.value.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        self.weigh(keys.iter().map(String::len).sum())?;
        Ok(KeyResponse { keys: keys.into_iter().collect(), cursor })
    }

    async fn increment(&mut self, key: String, delta: i64) -> Result<i64, Error> {
        self.must_write()?;
        let (key, lifetime) = key::written(key)?;
        self.must_fit(&key, &[]).await?;
        self.settle(&key).await?;
        Ok(self.opened.store.increment(self.opened.bucket, key, delta, lifetime).await?)
    }

    async fn see(&mut self, key: String) -> Result<Seen, Error> {
        let (key, lifetime) = key::written(key)?;
        self.settle(&key).await?;
        let entry = self.opened.store.get(self.opened.bucket, vec![key.clone()]).await?.pop().flatten();
        self.weigh(entry.as_ref().map_or(0, |entry| entry.value.len()))?;
        Ok(Seen { opened: self.opened.clone(), key, lifetime, entry })
    }

    /// Whether the entry was as it had been seen, and is replaced.
    async fn swap(&mut self, seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        self.must_write()?;
        self.must_fit(&seen.key, &value).await?;
        self.settle(&seen.key).await?;
        let Seen { key, lifetime, entry, .. } = seen;
        let seen = entry.as_ref().map(|entry| entry.version);
        Ok(self.opened.store.swap(self.opened.bucket, key.clone(), seen, value, *lifetime).await?)
    }

    /// What is done at once cannot wait for what this run wrote to the same key before: that is kept now.
    async fn settle(&mut self, key: &str) -> Result<(), Error> {
        let writes = self.buckets.pending.get_mut(&self.opened.bucket);
        let Some((key, pending)) = writes.and_then(|writes| writes.remove_entry(key)) else { return Ok(()) };
        Ok(self.opened.store.write(vec![pending.write(self.opened.bucket, key)]).await?)
    }

    fn pending(&self, key: &str) -> Option<&Pending> {
        self.buckets.pending.get(&self.opened.bucket)?.get(key)
    }

    fn note(&mut self, key: String, pending: Pending) {
        self.buckets.pending.entry(self.opened.bucket).or_default().insert(key, pending);
    }

    const fn must_write(&self) -> Result<(), Error> {
        if self.opened.may_write { Ok(()) } else { Err(Error::AccessDenied) }
    }

    async fn must_fit(&mut self, key: &str, value: &[u8]) -> Result<(), Error> {
        if value.len() > MAX_VALUE_BYTES {
            let (value, most) = (ByteSize(value.len() as u64), ByteSize(MAX_VALUE_BYTES as u64));
            return Err(other(format!("a value has {value}: the most is {most}")));
        }
        let bytes = key.len() + value.len();
        self.weigh(bytes)?;
        Ok(self.opened.store.reserve(self.opened.bucket, key.to_owned(), bytes as u64).await?)
    }

    /// Counts bytes, of which a run may read and write only so many.
    fn weigh(&mut self, bytes: usize) -> Result<(), Error> {
        let used = &mut self.buckets.used.bytes;
        *used = used.saturating_add(bytes as u64);
        let most = self.limits.kv_data_bytes;
        if *used <= most {
            Ok(())
        } else {
            Err(other(format!("the run reads and writes more than {}", ByteSize(most))))
        }
    }
}

impl store::Host for Host {
    async fn open(&mut self, identifier: String) -> Told<Resource<Opened>> {
        let Ok(bucket) = identifier.parse::<Bucket>() else { return Ok(Err(Error::NoSuchStore)) };
        self.count_call();
        let granted = self.grants().granted().and_then(|granted| {
            let of_bucket = granted.key_value.iter().find(|grant| grant.bucket == bucket)?;
            Some(Opened { bucket, may_write: of_bucket.may_write, store: Arc::clone(&granted.store) })
        });
        match granted {
            Some(opened) => Ok(Ok(self.ctx().table.push(opened)?)),
            None => Ok(Err(Error::AccessDenied)),
        }
    }
}

impl store::HostBucket for Host {
    async fn get(&mut self, bucket: Resource<Opened>, key: String) -> Told<Option<Vec<u8>>> {
        Ok(self.key_value_call(&bucket, 1)?.get(vec![key]).await.map(|values| values.into_iter().next().flatten()))
    }

    async fn set(&mut self, bucket: Resource<Opened>, key: String, value: Vec<u8>) -> Told<()> {
        Ok(self.key_value_call(&bucket, 1)?.set(key, value).await)
    }

    async fn delete(&mut self, bucket: Resource<Opened>, key: String) -> Told<()> {
        Ok(self.key_value_call(&bucket, 1)?.delete(key))
    }

    async fn exists(&mut self, bucket: Resource<Opened>, key: String) -> Told<bool> {
        Ok(self.key_value_call(&bucket, 1)?.get(vec![key]).await.map(|values| values.iter().any(Option::is_some)))
    }

    async fn list_keys(&mut self, bucket: Resource<Opened>, cursor: Option<String>) -> Told<KeyResponse> {
        Ok(self.key_value_call(&bucket, 1)?.list(cursor).await)
    }

    async fn drop(&mut self, bucket: Resource<Opened>) -> wasmtime::Result<()> {
        self.ctx().table.delete(bucket)?;
        Ok(())
    }
}

impl batch::Host for Host {
    async fn get_many(&mut self, bucket: Resource<Opened>, keys: Vec<String>) -> Told<Vec<Option<(String, Vec<u8>)>>> {
        let values = self.key_value_call(&bucket, keys.len())?.get(keys.clone()).await;
        let named = |values: Vec<Option<Vec<u8>>>| keys.into_iter().zip(values).map(|(key, value)| Some((key, value?)));
        Ok(values.map(|values| named(values).collect()))
    }

    async fn set_many(&mut self, bucket: Resource<Opened>, entries: Vec<(String, Vec<u8>)>) -> Told<()> {
        let mut call = self.key_value_call(&bucket, entries.len())?;
        for (key, value) in entries {
            if let Err(error) = call.set(key, value).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    async fn delete_many(&mut self, bucket: Resource<Opened>, keys: Vec<String>) -> Told<()> {
        let mut call = self.key_value_call(&bucket, keys.len())?;
        Ok(keys.into_iter().try_for_each(|key| call.delete(key)))
    }
}

impl atomics::Host for Host {
    async fn increment(&mut self, bucket: Resource<Opened>, key: String, delta: i64) -> Told<i64> {
        Ok(self.key_value_call(&bucket, 1)?.increment(key, delta).await)
    }

    async fn swap(&mut self, seen: Resource<Seen>, value: Vec<u8>) -> Told<(), CasError> {
        let seen = self.ctx().table.delete(seen)?;
        let mut call = self.call_of(seen.opened.clone(), 1)?;
        let now = match call.swap(&seen, value).await {
            Ok(true) => return Ok(Ok(())),
            Ok(false) => call.see(seen.key).await,
            Err(error) => Err(error),
        };
        match now {
            Ok(now) => {
                let now = Seen { lifetime: seen.lifetime, ..now };
                Ok(Err(CasError::CasFailed(self.ctx().table.push(now)?)))
            }
            Err(error) => Ok(Err(CasError::StoreError(error))),
        }
    }
}

impl atomics::HostCas for Host {
    async fn new(&mut self, bucket: Resource<Opened>, key: String) -> Told<Resource<Seen>> {
        match self.key_value_call(&bucket, 1)?.see(key).await {
            Ok(seen) => Ok(Ok(self.ctx().table.push(seen)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn current(&mut self, seen: Resource<Seen>) -> Told<Option<Vec<u8>>> {
        let seen = self.ctx().table.get(&seen)?;
        Ok(Ok(seen.entry.as_ref().map(|entry| entry.value.clone())))
    }

    async fn drop(&mut self, seen: Resource<Seen>) -> wasmtime::Result<()> {
        self.ctx().table.delete(seen)?;
        Ok(())
    }
}

impl From<KeyValueError> for Error {
    fn from(error: KeyValueError) -> Self {
        other(error.to_string())
    }
}
