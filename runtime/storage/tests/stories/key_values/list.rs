//! Storage beside a list in memory: whatever tenants do in their buckets, both say the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::*;
const TENANTS: [&str; 2] = ["acme", "other"];
const BUCKETS: [&str; 2] = [Bucket::SHARED, "node/ONE"];
const KEYS: [&str; 9] = ["", "a", "a%", "a%b", "a_b", "aXb", "é", "z", "\u{10ffff}"];

/// A tenant and one of its buckets.
type Where = (&'static str, &'static str);

/// A bucket, a key, what is kept there from now on, and for how long.
type Written = (&'static str, &'static str, Option<Vec<u8>>, Option<i64>);

/// Somebody does something.
#[derive(Clone, Debug)]
enum Step {
    Write(&'static str, Vec<Written>),
    Add(Where, &'static str, i64, Option<i64>),
    /// As something is that is, or is not, there.
    Swap(Where, &'static str, Seen, Vec<u8>, Option<i64>),
    List(Where, &'static str, Option<&'static str>, u32),
    Read(Where, Vec<&'static str>),
    Wait(i64),
    Forget,
}

#[derive(Clone, Copy, Debug)]
enum Seen {
    Present,
    Absent,
    Older,
}

/// All rows, those that have expired too: when each one expires, and its value.
type Rows = BTreeMap<(&'static str, &'static str, &'static str), (Option<i64>, Vec<u8>)>;

/// What storage promises, as a list in memory.
#[derive(Default)]
struct Model {
    now: i64,
    rows: Rows,
}

impl Model {
    fn value(&self, (tenant, bucket): Where, key: &'static str) -> Option<&(Option<i64>, Vec<u8>)> {
        self.rows.get(&(tenant, bucket, key)).filter(|(expires_at, _)| expires_at.is_none_or(|end| end > self.now))
    }

    fn keys(&self, place: Where) -> impl Iterator<Item = &'static str> {
        let mut keys = KEYS.to_vec();
        keys.sort_unstable();
        keys.into_iter().filter(move |key| self.value(place, key).is_some())
    }

    fn weight(&self, of: &str) -> Weight {
        let mut weight = Weight::default();
        for ((tenant, _, key), (_, value)) in &self.rows {
            if *tenant == of {
                weight.keys += 1;
                weight.bytes += u64::try_from(key.len() + value.len()).unwrap();
            }
        }
        weight
    }

    /// The sum, if there is one.
    fn add(&mut self, place: Where, key: &'static str, delta: i64, ttl: Option<i64>) -> Option<i64> {
        let (expires_at, sum) = match self.value(place, key) {
            None => (ttl.map(|ttl| self.now + ttl), delta),
            Some((expires_at, value)) => {
                let text = str::from_utf8(value).ok()?;
                let number: i64 = text.parse().ok().filter(|number: &i64| number.to_string() == text)?;
                (*expires_at, number.checked_add(delta)?)
            }
        };
        self.rows.insert((place.0, place.1, key), (expires_at, sum.to_string().into_bytes()));
        Some(sum)
    }
}

/// Takes a step with storage and with the model, which are told the same.
async fn take(storage: &Storage, model: &mut Model, step: &Step) {
    let now = at(model.now);
    match step {
        Step::Write(of, writes) => {
            let mut all = Vec::new();
            for (bucket, key, value, ttl) in writes {
                let expires_at = ttl.map(|ttl| model.now + ttl);
                match value {
                    Some(value) => model.rows.insert((of, bucket, key), (expires_at, value.clone())),
                    None => model.rows.remove(&(*of, *bucket, *key)),
                };
                let (bucket, key) = ((*bucket).to_owned(), (*key).to_owned());
                let value = value.clone().map_or(NewValue::Nothing, NewValue::Bytes);
                all.push(EntryWrite { bucket, key, value, expires_at: expires_at.map(at) });
            }
            storage.write_entries(&tenant(of), &all, now).await.unwrap();
        }
        Step::Add(place, key, delta, ttl) => {
            let expires_at = ttl.map(|ttl| at(model.now + ttl));
            let of = tenant(place.0);
            let added = storage.increment(Bucket { tenant: &of, name: place.1 }, key, *delta, expires_at, now).await;
            let sum = match added {
                Ok(sum) => Some(sum),
                Err(StorageError::Conflict(_)) => None,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(sum, model.add(*place, key, *delta, *ttl));
        }
        Step::Swap(place, key, seen, value, ttl) => {
            let of = tenant(place.0);
            let bucket = Bucket { tenant: &of, name: place.1 };
            let present = entry(storage, bucket, key, now).await.map(|entry| entry.version);
            let (seen, swaps) = match seen {
                Seen::Present => (present, true),
                Seen::Absent => (None, present.is_none()),
                Seen::Older => (Some(present.map_or(0, |version| version.wrapping_add(1))), false),
            };
            let expires_at = ttl.map(|ttl| model.now + ttl);
            let swapped = storage.swap_entry(bucket, key, seen, value, expires_at.map(at), now).await.unwrap();
            assert_eq!(swapped, swaps);
            if swaps {
                model.rows.insert((place.0, place.1, key), (expires_at, value.clone()));
            }
        }
        Step::List(place, prefix, after, limit) => {
            let of = tenant(place.0);
            let listed = storage.entry_keys(Bucket { tenant: &of, name: place.1 }, prefix, *after, *limit, now).await;
            let after = |key: &&str| after.is_none_or(|after| *key > after);
            let expected = model.keys(*place).filter(|key| key.starts_with(prefix)).filter(after);
            assert_eq!(listed.unwrap(), expected.take(usize::try_from(*limit).unwrap()).collect::<Vec<_>>());
        }
        Step::Read(place, keys) => compare(storage, model, *place, keys).await,
        Step::Wait(millis) => model.now += millis,
        Step::Forget => {
            storage.forget_entries(now).await.unwrap();
            let now = model.now;
            model.rows.retain(|_, (expires_at, _)| expires_at.is_none_or(|end| end >= now));
        }
    }
    for of in TENANTS {
        assert_eq!(storage.weigh_entries(&tenant(of)).await.unwrap(), model.weight(of));
    }
}

async fn compare(storage: &Storage, model: &Model, place: Where, keys: &[&'static str]) {
    let (of, asked) = (tenant(place.0), keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
    let read = storage.entries(Bucket { tenant: &of, name: place.1 }, &asked, at(model.now)).await.unwrap();
    let seen = read.into_iter().map(|entry| entry.map(|entry| (entry.expires_at, entry.value))).collect::<Vec<_>>();
    let expected = keys.iter().map(|key| model.value(place, key).cloned().map(|(end, value)| (end.map(at), value)));
    assert_eq!(seen, expected.collect::<Vec<_>>(), "{place:?}");
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (select(TENANTS.to_vec()), select(BUCKETS.to_vec()));
    let key = || select(KEYS.to_vec());
    let ttl = || select(vec![None, None, Some(0), Some(1), Some(5), Some(20)]);
    let value = || {
        let texts = ["", "0", "1", "-7", "007", "x", "9223372036854775807", "-9223372036854775808"];
        let texts = select(texts.map(|text| text.as_bytes().to_vec()).to_vec());
        prop_oneof![4 => texts, 1 => prop::collection::vec(any::<u8>(), 0..40)]
    };
    let write = (select(BUCKETS.to_vec()), key(), prop::option::weighted(0.8, value()), ttl());
    let delta = select(vec![1, 1, -3, 0, i64::MAX, i64::MIN]);
    let seen = prop_oneof![3 => Just(Seen::Present), 2 => Just(Seen::Absent), 1 => Just(Seen::Older)];
    prop_oneof![
        6 => (select(TENANTS.to_vec()), prop::collection::vec(write, 0..6)).prop_map(|(of, all)| Step::Write(of, all)),
        6 => (place(), key(), delta, ttl()).prop_map(|(place, key, delta, ttl)| Step::Add(place, key, delta, ttl)),
        6 => (place(), key(), seen, value(), ttl())
            .prop_map(|(place, key, seen, value, ttl)| Step::Swap(place, key, seen, value, ttl)),
        3 => (place(), select(vec!["", "a", "a%", "a_", "é", "nothing"]), prop::option::of(key()), 1..12_u32)
            .prop_map(|(place, prefix, after, limit)| Step::List(place, prefix, after, limit)),
        3 => (place(), prop::collection::vec(key(), 0..12)).prop_map(|(place, keys)| Step::Read(place, keys)),
        3 => (0..10_i64).prop_map(Step::Wait),
        1 => Just(Step::Forget),
    ]
}

/// Whatever tenants do in their buckets, each of them reads what it wrote and nothing else.
fn all_is_as_it_would_be_in_a_list(kind: Kind, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let done = runner.run(&prop::collection::vec(step(), 1..80), |steps| {
        runtime.block_on(async {
            let ground = Ground::fresh(kind).await;
            let storage = ground.open().await;
            let mut model = Model::default();
            for step in &steps {
                take(&storage, &mut model, step).await;
            }
            for place in TENANTS.into_iter().flat_map(|of| BUCKETS.map(|bucket| (of, bucket))) {
                compare(&storage, &model, place, &KEYS).await;
            }
            storage.close().await;
        });
        Ok(())
    });
    done.unwrap();
}

#[test]
fn all_is_as_it_would_be_in_a_list_on_sqlite() {
    all_is_as_it_would_be_in_a_list(Kind::Sqlite, 32);
}

#[test]
fn all_is_as_it_would_be_in_a_list_on_postgresql() {
    all_is_as_it_would_be_in_a_list(Kind::Postgres, 8);
}
