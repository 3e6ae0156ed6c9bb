//! What handlers keep between their runs: each node's buckets, and how much of them its tenant may fill. Messages are read as a bucket, too.
//!
//! Storage knows no quota: to count what a tenant has looks at all of it. So each host counts once in a while, adds what is written through it, and
//! counts anew before it refuses anything. What other hosts write within that while may come on top.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytesize::ByteSize;
use jiff::Timestamp;
use model::{Bucket, MessageName, MessageText, NodeId, Quota, TenantId};
use sandbox::key_value::{Doing, Entry, KeyValue, KeyValueError, MAX_LISTED, Version, Write};
use storage::{Bucket as Place, EntryWrite, MessageFilter, Storage, StorageError, Weight};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tracing::warn;

/// For how long a count is believed as long as there is room.
const COUNT_TIME: Duration = Duration::from_secs(60);
/// The same where there is none.
const FULL_TIME: Duration = Duration::from_secs(1);

/// Between two lines of the log about the same tenant.
const WARN_TIME: Duration = Duration::from_secs(10);

/// The buckets of one host's nodes.
pub(crate) struct KeyValues {
    storage: Storage,
    tenants: Mutex<HashMap<TenantId, Weak<Allowance>>>,
}

/// What one tenant may keep.
struct Allowance {
    quota: ArcSwap<Quota>,
    counted: AsyncMutex<Option<Counted>>,
    /// When the log was last told that its entries cannot be reached.
    warned: Mutex<Option<Instant>>,
}

/// What it has, as far as this host knows.
struct Counted {
    at: Instant,
    weight: Weight,
    /// Whether nothing was added that may have been there before.
    is_exact: bool,
}

/// The buckets that one node's guests can open.
pub(crate) struct Buckets {
    storage: Storage,
    tenant: TenantId,
    /// The name of the node's own; the shared one's where no node is meant.
    own: String,
    allowance: Arc<Allowance>,
}

impl KeyValues {
    pub(crate) fn new(storage: &Storage) -> Self {
        Self { storage: storage.clone(), tenants: Mutex::default() }
    }

    pub(crate) fn buckets(&self, tenant: &TenantId, node: Option<&NodeId>, quota: &Quota) -> Buckets {
        Buckets {
            storage: self.storage.clone(),
            tenant: tenant.clone(),
            own: node.map_or_else(|| Place::SHARED.to_owned(), Place::of_node),
            allowance: self.allowance(tenant, quota),
        }
    }

    /// Takes over what tenants may keep from now on.
    pub(crate) fn take_quotas(&self, quota_of: impl Fn(&TenantId) -> Quota) {
        for (tenant, allowance) in self.tenants().iter() {
            if let Some(allowance) = allowance.upgrade() {
                allowance.quota.store(Arc::new(quota_of(tenant)));
            }
        }
    }

    fn allowance(&self, tenant: &TenantId, quota: &Quota) -> Arc<Allowance> {
        let mut tenants = self.tenants();
        if let Some(allowance) = tenants.get(tenant).and_then(Weak::upgrade) {
            return allowance;
        }
        let quota = ArcSwap::from_pointee(*quota);
        let allowance = Arc::new(Allowance { quota, counted: AsyncMutex::default(), warned: Mutex::default() });
        tenants.retain(|_, allowance| allowance.strong_count() > 0);
        tenants.insert(tenant.clone(), Arc::downgrade(&allowance));
        allowance
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Weak<Allowance>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    /// Where the entries of a bucket are.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] for messages, which are no entries.
    pub(crate) fn place(&self, bucket: Bucket) -> Result<Place<'_>, StorageError> {
        let name = match bucket {
            Bucket::Node => &self.own,
            Bucket::Tenant => Place::SHARED,
            Bucket::Conversation => Place::CONVERSATION,
            Bucket::User => Place::USER,
            Bucket::Messages => {
                return Err(StorageError::Invalid("messages are changed with `codenode message`, not here".to_owned()));
            }
        };
        Ok(Place { tenant: &self.tenant, name })
    }

    async fn entries(&self, bucket: Bucket, keys: &[String]) -> Result<Vec<Option<storage::Entry>>, StorageError> {
        self.storage.entries(self.place(bucket)?, keys, Timestamp::now()).await
    }

    /// The texts of messages. What is no message's name is the name of none.
    async fn texts(&self, names: &[String]) -> Result<Vec<Option<Entry>>, StorageError> {
        let names: Vec<Option<MessageName>> = names.iter().map(|name| name.parse().ok()).collect();
        let asked: Vec<MessageName> = names.iter().flatten().cloned().collect();
        let mut found = self.storage.message_texts(&self.tenant, &asked).await?.into_iter();
        let entry = |MessageText { text, version, .. }| Entry {
            value: text.into_bytes(),
            version: Version(version.cast_signed()),
        };
        Ok(names.into_iter().map(|name| name.and_then(|_| found.next().flatten()).map(entry)).collect())
    }

    async fn names(&self, bucket: Bucket, after: Option<&str>) -> Result<Vec<String>, StorageError> {
        match bucket {
            Bucket::Node | Bucket::Tenant | Bucket::Conversation | Bucket::User => {
                self.storage.entry_keys(self.place(bucket)?, "", after, MAX_LISTED, Timestamp::now()).await
            }
            Bucket::Messages => {
                let filter = MessageFilter { after, ..MessageFilter::default() };
                let names = self.storage.message_names(&self.tenant, filter, MAX_LISTED).await?;
                Ok(names.iter().map(MessageName::to_string).collect())
            }
        }
    }

    async fn count(&self) -> Result<Counted, StorageError> {
        let weight = self.storage.weigh_entries(&self.tenant).await?;
        Ok(Counted { at: Instant::now(), weight, is_exact: true })
    }

    /// Takes room for an entry that takes so many bytes with its key.
    ///
    /// # Errors
    /// [`StorageError::OverQuota`] where there is none.
    pub(crate) async fn take_room(&self, bucket: Bucket, key: &str, bytes: u64) -> Result<(), StorageError> {
        let quota = self.allowance.quota.load();
        let has_room = |weight: &Weight, more: Weight| {
            weight.keys + more.keys <= u64::from(quota.kv_keys) && weight.bytes + more.bytes <= quota.kv_bytes
        };
        let mut counted = self.allowance.counted.lock().await;
        let known = match counted.take().filter(|counted| counted.at.elapsed() < COUNT_TIME) {
            Some(known) => known,
            None => self.count().await?,
        };
        let known = counted.insert(known);
        // As if there was no such entry yet, so that nobody has to look.
        let mut more = Weight { keys: 1, bytes };
        if has_room(&known.weight, more) {
            known.is_exact = false;
        } else {
            if let Some(entry) = self.entries(bucket, &[key.to_owned()]).await?.pop().flatten() {
                more = Weight { keys: 0, bytes: bytes.saturating_sub((key.len() + entry.value.len()) as u64) };
            }
            if !has_room(&known.weight, more) && (!known.is_exact || known.at.elapsed() > FULL_TIME) {
                *known = self.count().await?;
            }
            if !has_room(&known.weight, more) {
                return Err(StorageError::OverQuota(format!(
                    "the tenant keeps {} entries of {} together, and its quota is {} of {}: delete some, or have the quota raised",
                    known.weight.keys,
                    ByteSize(known.weight.bytes),
                    quota.kv_keys,
                    ByteSize(quota.kv_bytes)
                )));
            }
        }
        known.weight = Weight { keys: known.weight.keys + more.keys, bytes: known.weight.bytes + more.bytes };
        Ok(())
    }
}

impl Buckets {
    /// What the guest hears; what the database says is for the operator alone.
    fn told(&self, error: &StorageError) -> KeyValueError {
        match error {
            StorageError::Unavailable { .. } | StorageError::Full { .. } | StorageError::Damaged(_) => {
                self.warn(error);
                KeyValueError::Unavailable("the store does not answer now".to_owned())
            }
            StorageError::OverQuota(_) => KeyValueError::OverQuota(error.to_string()),
            StorageError::NotFound(_)
            | StorageError::Exists(_)
            | StorageError::Conflict(_)
            | StorageError::Invalid(_) => KeyValueError::Invalid(error.to_string()),
        }
    }

    /// Handlers may ask as often as they like, so each tenant's are heard of once in a while.
    fn warn(&self, error: &StorageError) {
        let mut warned = self.allowance.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() > WARN_TIME) {
            *warned = Some(Instant::now());
            warn!(tenant = %self.tenant, %error, "what handlers keep cannot be reached");
        }
    }
}

impl KeyValue for Buckets {
    fn get(&self, bucket: Bucket, keys: Vec<String>) -> Doing<'_, Vec<Option<Entry>>> {
        Box::pin(async move {
            let known = |entry: storage::Entry| Entry { value: entry.value, version: Version(entry.version) };
            let found = match bucket {
                Bucket::Node | Bucket::Tenant | Bucket::Conversation | Bucket::User => {
                    let entries = self.entries(bucket, &keys).await;
                    entries.map(|entries| entries.into_iter().map(|entry| entry.map(known)).collect())
                }
                Bucket::Messages => self.texts(&keys).await,
            };
            found.map_err(|error| self.told(&error))
        })
    }

    fn list(&self, bucket: Bucket, after: Option<String>) -> Doing<'_, Vec<String>> {
        Box::pin(async move { self.names(bucket, after.as_deref()).await.map_err(|error| self.told(&error)) })
    }

    fn reserve(&self, bucket: Bucket, key: String, bytes: u64) -> Doing<'_, ()> {
        Box::pin(async move { self.take_room(bucket, &key, bytes).await.map_err(|error| self.told(&error)) })
    }

    fn write(&self, writes: Vec<Write>) -> Doing<'_, ()> {
        Box::pin(async move {
            let now = Timestamp::now();
            let entry = |Write { bucket, key, value, lifetime }| {
                let bucket = self.place(bucket)?.name.to_owned();
                Ok(EntryWrite { bucket, key, value, expires_at: after(now, lifetime) })
            };
            let writes =
                writes.into_iter().map(entry).collect::<Result<Vec<_>, _>>().map_err(|error| self.told(&error))?;
            self.storage.write_entries(&self.tenant, &writes, now).await.map_err(|error| self.told(&error))
        })
    }

    fn increment(&self, bucket: Bucket, key: String, delta: i64, lifetime: Option<Duration>) -> Doing<'_, i64> {
        Box::pin(async move {
            let (place, now) = (self.place(bucket).map_err(|error| self.told(&error))?, Timestamp::now());
            self.storage
                .increment(place, &key, delta, after(now, lifetime), now)
                .await
                .map_err(|error| self.told(&error))
        })
    }

    fn swap(
        &self,
        bucket: Bucket,
        key: String,
        seen: Option<Version>,
        value: Vec<u8>,
        lifetime: Option<Duration>,
    ) -> Doing<'_, bool> {
        Box::pin(async move {
            let place = self.place(bucket).map_err(|error| self.told(&error))?;
            let (now, seen) = (Timestamp::now(), seen.map(|Version(version)| version));
            self.storage
                .swap_entry(place, &key, seen, &value, after(now, lifetime), now)
                .await
                .map_err(|error| self.told(&error))
        })
    }
}

fn after(now: Timestamp, lifetime: Option<Duration>) -> Option<Timestamp> {
    lifetime.map(|lifetime| now.checked_add(lifetime).unwrap_or(Timestamp::MAX))
}
