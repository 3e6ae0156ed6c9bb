use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::kv::Refusal;

/// As many keys as the host lists at once.
const MAX_LISTED: usize = 100;

thread_local! {
    static STORE: RefCell<Option<Store>> = const { RefCell::new(None) };
}

/// Keeps entries for this thread until it is dropped.
#[must_use = "it keeps them until it is dropped"]
pub struct Keeping(());

/// Grants this thread both buckets of [`kv`](crate::kv), empty, until what it gives back is dropped. What a handler sets or deletes under
/// [`run`](super::run) is kept if it replies; what is written outside of one is kept at once.
///
/// Time stands still, but for [`Keeping::advance`].
pub fn kv() -> Keeping {
    STORE.set(Some(Store::default()));
    Keeping(())
}

impl Keeping {
    /// Lets time pass, so that entries expire.
    pub fn advance(&self, time: Duration) {
        // While this lives there is a store.
        let _ = with_store(|store| store.now = store.now.saturating_add(time));
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        STORE.set(None);
    }
}

/// A run of a handler: what it writes waits for its reply, and is forgotten when this is dropped.
pub(super) struct Writing(());

impl Writing {
    pub(super) fn start() -> Self {
        let _ = with_store(|store| store.pending = Some(BTreeMap::new()));
        Self(())
    }

    pub(super) fn keep(self) {
        let _ = with_store(|store| {
            let pending = store.pending.take().unwrap_or_default();
            pending.into_iter().for_each(|(place, entry)| store.keep(place, entry));
        });
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = with_store(|store| store.pending = None);
    }
}

/// What the host keeps, in a test.
#[derive(Default)]
struct Store {
    now: Duration,
    kept: BTreeMap<Place, Entry>,
    /// What the handler that runs has written.
    pending: Option<BTreeMap<Place, Option<Entry>>>,
    /// Of what was kept last.
    version: u64,
}

/// A bucket and a key.
type Place = (&'static str, String);

#[derive(Clone)]
struct Entry {
    value: Vec<u8>,
    expires_at: Option<Duration>,
    version: u64,
}

impl Store {
    /// What everybody sees.
    fn kept(&self, place: &Place) -> Option<&Entry> {
        self.kept.get(place).filter(|entry| entry.is_kept(self.now))
    }

    /// What the handler sees.
    fn seen(&self, place: &Place) -> Option<&Entry> {
        match self.pending.as_ref().and_then(|pending| pending.get(place)) {
            Some(pending) => pending.as_ref(),
            None => self.kept(place),
        }
    }

    fn write(&mut self, place: Place, entry: Option<Entry>) {
        match &mut self.pending {
            Some(pending) => drop(pending.insert(place, entry)),
            None => self.keep(place, entry),
        }
    }

    fn keep(&mut self, place: Place, entry: Option<Entry>) {
        self.version += 1;
        match entry {
            Some(entry) => drop(self.kept.insert(place, Entry { version: self.version, ..entry })),
            None => drop(self.kept.remove(&place)),
        }
    }

    /// What is done at once takes with it what the handler wrote to the same key before.
    fn settle(&mut self, place: &Place) {
        if let Some(entry) = self.pending.as_mut().and_then(|pending| pending.remove(place)) {
            self.keep(place.clone(), entry);
        }
    }

    fn entry(&self, value: Vec<u8>, seconds: Option<u64>) -> Entry {
        Entry { value, expires_at: seconds.map(|seconds| self.now + Duration::from_secs(seconds)), version: 0 }
    }

    fn increment(&mut self, place: Place, seconds: Option<u64>, delta: i64) -> Result<i64, Refusal> {
        self.settle(&place);
        let Some(before) = self.kept(&place) else {
            let entry = self.entry(delta.to_string().into_bytes(), seconds);
            self.keep(place, Some(entry));
            return Ok(delta);
        };
        let number = number(&before.value).ok_or_else(|| other("its value is no whole number"))?;
        let sum = number.checked_add(delta).ok_or_else(|| other("the sum does not fit into 64 bits"))?;
        let entry = Entry { value: sum.to_string().into_bytes(), ..before.clone() };
        self.keep(place, Some(entry));
        Ok(sum)
    }

    fn list(&self, bucket: &'static str, after: Option<&str>) -> (Vec<String>, Option<String>) {
        let begin = (bucket, after.unwrap_or_default().to_owned());
        let begin = if after.is_some() { Bound::Excluded(begin) } else { Bound::Included(begin) };
        let mut keys: BTreeMap<&Place, bool> = BTreeMap::new();
        let kept = self.kept.range((begin.clone(), Bound::Unbounded));
        keys.extend(kept.map(|(place, entry)| (place, entry.is_kept(self.now))));
        let pending = self.pending.iter().flat_map(|pending| pending.range((begin.clone(), Bound::Unbounded)));
        keys.extend(pending.map(|(place, entry)| (place, entry.is_some())));
        let there = keys.into_iter().filter(|(place, is_there)| place.0 == bucket && *is_there);
        let page: Vec<String> = there.take(MAX_LISTED).map(|((_, key), _)| key.clone()).collect();
        let cursor = page.last().filter(|_| page.len() == MAX_LISTED).cloned();
        (page, cursor)
    }
}

impl Entry {
    fn is_kept(&self, now: Duration) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// What [`kv`](crate::kv) asks where there is no host.
pub(crate) mod kept {
    use super::super::messages;
    use super::{Place, Refusal, Store, not_granted, with_store};
    use crate::messages::BUCKET;

    const NO_MESSAGES: &str =
        "nothing is granted in a unit test; say what messages say with `codenode::testing::messages`";

    /// A bucket, open.
    #[derive(Debug)]
    pub(crate) struct Opened(&'static str);

    /// An entry as it was seen, to be replaced if it is still so.
    pub(crate) struct Seen {
        place: Place,
        seconds: Option<u64>,
        value: Option<Vec<u8>>,
        version: Option<u64>,
    }

    impl Opened {
        pub(crate) fn open(bucket: &'static str) -> Result<Self, Refusal> {
            if bucket == BUCKET {
                return if messages::are_granted() { Ok(Self(bucket)) } else { Err(not_granted(NO_MESSAGES)) };
            }
            with_store(|_| Self(bucket))
        }

        pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
            if self.0 == BUCKET {
                return Ok(messages::text(key));
            }
            with_store(|store| store.seen(&self.place(key)).map(|entry| entry.value.clone()))
        }

        pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
            keys.iter().map(|key| self.get(key)).collect()
        }

        pub(crate) fn exists(&self, key: &str) -> Result<bool, Refusal> {
            with_store(|store| store.seen(&self.place(key)).is_some())
        }

        pub(crate) fn list(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Refusal> {
            with_store(|store| store.list(self.0, cursor))
        }

        pub(crate) fn set(&self, key: &str, seconds: Option<u64>, value: &[u8]) -> Result<(), Refusal> {
            with_store(|store| store.write(self.place(key), Some(store.entry(value.to_vec(), seconds))))
        }

        pub(crate) fn delete(&self, key: &str) -> Result<(), Refusal> {
            with_store(|store| store.write(self.place(key), None))
        }

        pub(crate) fn increment(&self, key: &str, seconds: Option<u64>, delta: i64) -> Result<i64, Refusal> {
            with_store(|store| store.increment(self.place(key), seconds, delta))?
        }

        pub(crate) fn see(&self, key: &str, seconds: Option<u64>) -> Result<Seen, Refusal> {
            with_store(|store| Seen::new(store, self.place(key), seconds))
        }

        fn place(&self, key: &str) -> Place {
            (self.0, key.to_owned())
        }
    }

    impl Seen {
        fn new(store: &mut Store, place: Place, seconds: Option<u64>) -> Self {
            store.settle(&place);
            let (value, version) = store.kept(&place).map(|entry| (entry.value.clone(), entry.version)).unzip();
            Self { place, seconds, value, version }
        }

        pub(crate) fn value(&self) -> Result<Option<Vec<u8>>, Refusal> {
            Ok(self.value.clone())
        }

        pub(crate) fn swap(self, value: &[u8]) -> Result<Option<Self>, Refusal> {
            with_store(|store| {
                let Self { place, seconds, version, .. } = self;
                let now = Self::new(store, place, seconds);
                if now.version != version {
                    return Some(now);
                }
                let entry = store.entry(value.to_vec(), seconds);
                store.keep(now.place, Some(entry));
                None
            })
        }
    }
}

fn with_store<T>(work: impl FnOnce(&mut Store) -> T) -> Result<T, Refusal> {
    const NONE: &str = "nothing is granted in a unit test; keep entries with `codenode::testing::kv`";
    STORE.with_borrow_mut(|store| store.as_mut().map(work)).ok_or_else(|| not_granted(NONE))
}

/// The number that a value is the text of; not `007`, for what was written is what is read.
fn number(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

fn not_granted(why: &str) -> Refusal {
    Refusal::NotGranted(why.to_owned())
}

fn other(why: &str) -> Refusal {
    Refusal::Other(why.to_owned())
}
