//! What handlers keep: found again as it was written, by whoever wrote it, until it expires; and changed by many at once without a loss.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::{Door, Quota, TenantId};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use sqlx::Executor as _;
use storage::{Bucket, Entry, EntryWrite, Place, Storage, StorageError, Weight};
use tokio::task::JoinSet;

use crate::place::{Ground, Kind, by, node, on_both, tenant};

/// So many milliseconds after ten o'clock.
fn at(millis: i64) -> Timestamp {
    "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(millis)
}

fn now() -> Timestamp {
    at(0)
}

/// Two hosts, where there may be two.
async fn hosts(ground: &Ground) -> (Storage, Storage) {
    let here = ground.open().await;
    let there = match &ground.place {
        Place::Sqlite(_) => here.clone(),
        Place::Postgres(_) => ground.open().await,
    };
    (here, there)
}

const fn shared(tenant: &TenantId) -> Bucket<'_> {
    Bucket { tenant, name: Bucket::SHARED }
}

fn written(bucket: Bucket<'_>, key: &str, value: impl Into<Vec<u8>>) -> EntryWrite {
    EntryWrite { bucket: bucket.name.to_owned(), key: key.to_owned(), value: Some(value.into()), expires_at: None }
}

fn removed(bucket: Bucket<'_>, key: &str) -> EntryWrite {
    EntryWrite { bucket: bucket.name.to_owned(), key: key.to_owned(), value: None, expires_at: None }
}

async fn write(storage: &Storage, bucket: Bucket<'_>, key: &str, value: &str) {
    storage.write_entries(bucket.tenant, &[written(bucket, key, value)]).await.unwrap();
}

async fn entry(storage: &Storage, bucket: Bucket<'_>, key: &str, now: Timestamp) -> Option<Entry> {
    storage.entries(bucket, &[key.to_owned()], now).await.unwrap().remove(0)
}

async fn read(storage: &Storage, bucket: Bucket<'_>, key: &str, now: Timestamp) -> Option<String> {
    entry(storage, bucket, key, now).await.map(|entry| String::from_utf8(entry.value).unwrap())
}

async fn keys(storage: &Storage, bucket: Bucket<'_>, prefix: &str, now: Timestamp) -> Vec<String> {
    storage.entry_keys(bucket, prefix, None, 1000, now).await.unwrap()
}

on_both! {
    async fn what_is_written_is_read_after_a_restart(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        let mut all: Vec<u8> = (0..=255).collect();
        all.resize(256 << 10, 7);
        let values: [&[u8]; 9] =
            [b"", b"0", b"-5", b"9223372036854775807", b"-9223372036854775808", b"007", b"-0", b"\0", &all];
        let names: Vec<String> = (0..values.len()).map(|index| format!("k{index}")).collect();
        let writes: Vec<EntryWrite> = names.iter().zip(values).map(|(key, value)| written(bucket, key, value)).collect();
        storage.write_entries(&acme, &writes).await.unwrap();
        storage.close().await;
        let storage = ground.open().await;
        let mut asked = names.clone();
        asked.insert(4, "absent".to_owned());
        asked.push("k1".to_owned());
        let entries = storage.entries(bucket, &asked, now()).await.unwrap();
        let mut expected: Vec<Option<Vec<u8>>> = values.iter().map(|value| Some(value.to_vec())).collect();
        expected.insert(4, None);
        expected.push(Some(b"0".to_vec()));
        assert_eq!(entries.iter().map(|entry| entry.as_ref().map(|entry| entry.value.clone())).collect::<Vec<_>>(), expected);
        assert_eq!(entries[1], *entries.last().unwrap(), "asked for twice");
        assert!(storage.entries(bucket, &[], now()).await.unwrap().is_empty());

        let many: Vec<String> = (0..500).map(|index| format!("k{index}")).collect();
        let found = storage.entries(bucket, &many, now()).await.unwrap();
        assert_eq!((found.len(), found.iter().flatten().count()), (500, values.len()));
    }

    async fn buckets_and_tenants_never_see_each_other(ground) {
        let storage = ground.open().await;
        let (acme, other, own) = (tenant("acme"), tenant("other"), Bucket::of_node(&node("ONE")));
        let places = [shared(&acme), Bucket { tenant: &acme, name: &own }, shared(&other), Bucket { tenant: &other, name: &own }];
        for (index, place) in places.into_iter().enumerate() {
            assert_eq!(read(&storage, place, "key", now()).await, None);
            assert!(storage.swap_entry(place, "key", None, index.to_string().as_bytes(), None, now()).await.unwrap());
        }
        write(&storage, places[3], "another", "").await;
        assert_eq!(storage.increment(places[1], "key", 10, None, now()).await.unwrap(), 11);
        storage.write_entries(&acme, &[removed(places[0], "key")]).await.unwrap();
        for (place, value) in places.into_iter().zip([None, Some("11"), Some("2"), Some("3")]) {
            assert_eq!(read(&storage, place, "key", now()).await.as_deref(), value);
            assert_eq!(read(&storage, place, "another", now()).await.is_some(), place == places[3]);
        }
        assert_eq!(keys(&storage, places[0], "", now()).await, Vec::<String>::new());
        assert_eq!(keys(&storage, places[3], "", now()).await, ["another", "key"]);
    }

    async fn keys_come_in_the_order_of_their_bytes_page_by_page(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        let longest = "ж".repeat(256);
        let mut all = vec![
            "", "\u{1}", "%", "%a", "A", "B", "_", "_a", "a", "a%", "a%b", "a-b", "a_", "a_b", "aXb", "ab", "a\u{7f}", "a\u{80}", "aé",
            "b", "e", "é", "ß", "zz", "中文", "\u{ffff}", "\u{10000}", "\u{10ffff}", "\u{10ffff}a", "\\", "a\\", "'", &longest,
        ];
        let writes: Vec<EntryWrite> = all.iter().map(|key| written(bucket, key, "1")).collect();
        storage.write_entries(&acme, &writes).await.unwrap();
        all.sort_unstable();
        for prefix in ["", "a", "a%", "a_", "%", "_", "é", "\u{10ffff}", "A", "\\", "nothing", &longest] {
            let expected: Vec<&str> = all.iter().copied().filter(|key| key.starts_with(prefix)).collect();
            assert_eq!(keys(&storage, bucket, prefix, now()).await, expected, "{prefix:?}");
            for limit in [1, 2, 5] {
                let (mut paged, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
                loop {
                    let page = storage.entry_keys(bucket, prefix, after.as_deref(), limit, now()).await.unwrap();
                    assert!(page.len() <= usize::try_from(limit).unwrap());
                    after = page.last().cloned();
                    paged.extend(page);
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(paged, expected, "{prefix:?}, {limit} at a time");
            }
        }
        let after = async |prefix, after| storage.entry_keys(bucket, prefix, Some(after), 2, now()).await.unwrap();
        assert_eq!(after("a", "").await, ["a", "a%"], "what comes before all of them");
        assert_eq!(after("a%", "a%a").await, ["a%b"], "a key that is not there any more");
        assert!(after("a", "b").await.is_empty(), "what comes after all of them");
        assert!(storage.entry_keys(bucket, "", None, 0, now()).await.unwrap().is_empty());
    }

    async fn what_has_expired_is_absent_for_everybody(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        let expiring = |key: &str| EntryWrite { expires_at: Some(at(1000)), ..written(bucket, key, "5") };
        let names = ["gone", "kept", "added", "fresh", "swapped", "stale"];
        storage.write_entries(&acme, &names.map(expiring)).await.unwrap();
        write(&storage, bucket, "kept", "5").await;
        let seen = entry(&storage, bucket, "stale", at(999)).await.unwrap();
        assert_eq!((seen.value.as_slice(), seen.expires_at), (b"5".as_slice(), Some(at(1000))));
        assert_eq!(keys(&storage, bucket, "", at(999)).await.len(), names.len());
        assert_eq!(entry(&storage, bucket, "stale", at(1000)).await, None);
        assert_eq!(keys(&storage, bucket, "", at(1000)).await, ["kept"]);
        assert!(!storage.swap_entry(bucket, "stale", None, b"6", None, at(999)).await.unwrap(), "it is there still");
        assert!(!storage.swap_entry(bucket, "stale", Some(seen.version), b"6", None, at(1000)).await.unwrap());
        assert!(storage.swap_entry(bucket, "swapped", None, b"6", Some(at(3000)), at(1000)).await.unwrap());

        let add = async |key, expires_at, now| storage.increment(bucket, key, 2, expires_at, now).await.unwrap();
        assert_eq!(add("added", Some(at(9000)), at(999)).await, 7);
        assert_eq!(entry(&storage, bucket, "added", at(999)).await.unwrap().expires_at, Some(at(1000)), "it keeps its own");
        assert_eq!(add("added", Some(at(2000)), at(1000)).await, 2, "it begins anew");
        assert_eq!(add("added", None, at(1500)).await, 4);
        assert_eq!(entry(&storage, bucket, "added", at(1500)).await.unwrap().expires_at, Some(at(2000)));
        assert_eq!(add("fresh", None, at(1000)).await, 2);
        assert_eq!(add("new", Some(at(2000)), at(1000)).await, 2);
        assert_eq!(keys(&storage, bucket, "", at(1999)).await, ["added", "fresh", "kept", "new", "swapped"]);
        assert_eq!(keys(&storage, bucket, "", at(2000)).await, ["fresh", "kept", "swapped"]);
        let swapped = entry(&storage, bucket, "swapped", at(2000)).await.unwrap();
        assert!(storage.swap_entry(bucket, "swapped", Some(swapped.version), b"x", None, at(2000)).await.unwrap());
        assert_eq!(entry(&storage, bucket, "swapped", at(9000)).await.unwrap().expires_at, None);
    }

    async fn what_has_expired_is_forgotten_and_weighs_until_then(ground) {
        let storage = ground.open().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight::default());
        let own = Bucket::of_node(&node("ONE"));
        let own = Bucket { tenant: &acme, name: &own };
        let expiring = |millis, write| EntryWrite { expires_at: Some(at(millis)), ..write };
        let mut writes: Vec<EntryWrite> =
            (0..600).map(|index| expiring(1000, written(own, &format!("{index:03}"), "12345"))).collect();
        writes.extend([expiring(2000, written(own, "later", "x")), written(shared(&acme), "kéy", "-10")]);
        storage.write_entries(&acme, &writes).await.unwrap();
        write(&storage, shared(&other), "key", "9").await;
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight { keys: 602, bytes: 600 * 8 + 6 + 7 });
        storage.forget_entries(at(1000)).await.unwrap();
        assert_eq!(storage.weigh_entries(&acme).await.unwrap().keys, 602, "they expire in this very moment");
        assert_eq!(storage.increment(own, "000", 7, None, at(1001)).await.unwrap(), 7);
        storage.forget_entries(at(1001)).await.unwrap();
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight { keys: 3, bytes: 4 + 6 + 7 });
        assert_eq!(keys(&storage, own, "", at(1001)).await, ["000", "later"]);
        assert_eq!(storage.weigh_entries(&other).await.unwrap(), Weight { keys: 1, bytes: 4 });
        assert_eq!(storage.increment(shared(&other), "key", 1, None, now()).await.unwrap(), 10);
        assert_eq!(storage.weigh_entries(&other).await.unwrap(), Weight { keys: 1, bytes: 5 }, "a number weighs as its text");
        assert_eq!(storage.increment(shared(&other), "key", -11, None, now()).await.unwrap(), -1);
        assert_eq!(storage.weigh_entries(&other).await.unwrap(), Weight { keys: 1, bytes: 5 });
    }

    async fn what_is_written_anew_while_it_is_being_forgotten_stays(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        let expiring = |key: &str| EntryWrite { expires_at: Some(at(1000)), ..written(bucket, key, "5") };
        storage.write_entries(&acme, &["gone", "renewed"].map(expiring)).await.unwrap();
        let database = ground.connect().await;
        let mut elsewhere = database.begin().await.unwrap();
        let renew = sqlx::query("UPDATE key_values SET expires_at = NULL WHERE key = $1").bind(b"renewed".to_vec());
        assert_eq!(renew.execute(&mut *elsewhere).await.unwrap().rows_affected(), 1);
        let forgetting = tokio::spawn(async move { storage.forget_entries(at(2000)).await.map(|()| storage) });
        tokio::time::sleep(Duration::from_millis(100)).await;
        elsewhere.commit().await.unwrap();
        let storage = forgetting.await.unwrap().unwrap();
        assert_eq!(keys(&storage, bucket, "", now()).await, ["renewed"]);
    }

    async fn what_many_add_at_once_is_in_the_sum(ground) {
        let (here, there) = hosts(ground).await;
        let mut tasks = JoinSet::new();
        for task in 0..64 {
            let storage = if task % 2 == 0 { here.clone() } else { there.clone() };
            tasks.spawn(async move {
                let acme = tenant("acme");
                let mut sums = Vec::new();
                for _ in 0..100 {
                    sums.push(storage.increment(shared(&acme), "sum", 3, None, now()).await.unwrap());
                }
                assert!(sums.is_sorted());
                sums
            });
        }
        let mut sums = tasks.join_all().await.concat();
        sums.sort_unstable();
        assert!(sums.into_iter().eq((1..=6400).map(|number| number * 3)), "each is told its own");
        assert_eq!(read(&there, shared(&tenant("acme")), "sum", now()).await.as_deref(), Some("19200"));
    }

    async fn of_fifty_who_swap_at_once_one_does(ground) {
        let (here, there) = hosts(ground).await;
        let acme = tenant("acme");
        let mut seen = None;
        for round in 0..4 {
            let mut tasks = JoinSet::new();
            for task in 0..50 {
                let storage = if task % 2 == 0 { here.clone() } else { there.clone() };
                tasks.spawn(async move {
                    let (acme, value) = (tenant("acme"), format!("{round} {task}"));
                    let swapped = storage.swap_entry(shared(&acme), "key", seen, value.as_bytes(), None, now());
                    swapped.await.unwrap().then_some(value)
                });
            }
            let winners: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
            assert_eq!(winners.len(), 1, "{winners:?}");
            let entry = entry(&here, shared(&acme), "key", now()).await.unwrap();
            assert_eq!(entry.value, winners[0].as_bytes());
            seen = Some(entry.version);
        }
    }

    async fn what_was_seen_counts_and_not_what_looks_like_it(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        let version = async || entry(&storage, bucket, "key", now()).await.unwrap().version;
        let swap = async |seen| storage.swap_entry(bucket, "key", seen, b"1", None, now()).await.unwrap();
        assert!(!swap(Some(0)).await, "there was none");
        write(&storage, bucket, "key", "1").await;
        let first = version().await;
        write(&storage, bucket, "key", "2").await;
        write(&storage, bucket, "key", "1").await;
        assert!(!swap(Some(first)).await && !swap(None).await);
        let second = version().await;
        storage.increment(bucket, "key", 0, None, now()).await.unwrap();
        assert!(!swap(Some(second)).await, "adding nothing is writing, too");
        let third = version().await;
        storage.write_entries(&acme, &[removed(bucket, "key")]).await.unwrap();
        assert!(!swap(Some(third)).await);
        assert!(swap(None).await);
        assert!(!swap(Some(third)).await);
        assert!(swap(Some(version().await)).await);
    }

    async fn what_is_no_number_is_not_added_to_nor_what_would_be_too_much(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        for value in ["", "007", "+5", "-0", "5.0", " 5", "9223372036854775808", "five"] {
            write(&storage, bucket, "text", value).await;
            let refused = storage.increment(bucket, "text", 1, None, now()).await;
            assert!(matches!(&refused, Err(StorageError::Conflict(why)) if why.contains("no whole number")), "{refused:?}");
            assert_eq!(read(&storage, bucket, "text", now()).await.as_deref(), Some(value));
        }
        let add = async |delta| storage.increment(bucket, "sum", delta, None, now()).await;
        for (start, delta) in [(i64::MAX, 1), (i64::MAX, i64::MAX), (1, i64::MAX), (i64::MIN, -1), (i64::MIN, i64::MIN), (-1, i64::MIN)] {
            write(&storage, bucket, "sum", &start.to_string()).await;
            let refused = add(delta).await;
            assert!(matches!(&refused, Err(StorageError::Conflict(why)) if why.contains("64 bits")), "{refused:?}");
            assert_eq!(read(&storage, bucket, "sum", now()).await, Some(start.to_string()));
        }
        for (start, delta) in [(i64::MAX, i64::MIN), (0, i64::MAX), (0, i64::MIN), (i64::MIN, i64::MAX), (i64::MAX - 1, 1), (i64::MIN, 0)] {
            write(&storage, bucket, "sum", &start.to_string()).await;
            assert_eq!(add(delta).await.unwrap(), start + delta);
            assert_eq!(read(&storage, bucket, "sum", now()).await, Some((start + delta).to_string()));
        }
        let expiring = EntryWrite { expires_at: Some(at(10)), ..written(bucket, "sum", i64::MAX.to_string()) };
        storage.write_entries(&acme, &[expiring]).await.unwrap();
        assert_eq!(storage.increment(bucket, "sum", i64::MAX, None, at(10)).await.unwrap(), i64::MAX, "it begins anew");
    }

    async fn many_are_written_together_or_not_at_all(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        storage.write_entries(&acme, &[]).await.unwrap();
        let long = "x".repeat(513);
        for bad in ["a\0b", &long] {
            let refused = storage.write_entries(&acme, &[written(bucket, "key", "1"), written(bucket, bad, "1")]).await;
            assert!(matches!(refused, Err(StorageError::Invalid(_))), "{refused:?}");
        }
        ground.connect().await.execute("CREATE UNIQUE INDEX no_two_alike ON key_values (number)").await.unwrap();
        write(&storage, bucket, "m", "7").await;
        let refused = storage.write_entries(&acme, &[removed(bucket, "m"), written(bucket, "k", "1"), written(bucket, "z", "1")]).await;
        assert!(matches!(refused, Err(StorageError::Unavailable { .. })), "{refused:?}");
        assert_eq!(keys(&storage, bucket, "", now()).await, ["m"]);
        storage.write_entries(&acme, &[written(bucket, "b", "1"), removed(bucket, "m"), written(bucket, "b", "2")]).await.unwrap();
        assert_eq!(keys(&storage, bucket, "", now()).await, ["b"]);
        assert_eq!(read(&storage, bucket, "b", now()).await.as_deref(), Some("2"), "the last one counts");
    }

    async fn who_writes_the_same_keys_in_another_order_waits_for_nobody_in_a_circle(ground) {
        let (here, there) = hosts(ground).await;
        let (acme, one) = (tenant("acme"), node("ONE"));
        here.create_tenant(&acme, &by()).await.unwrap();
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let storage = if task % 2 == 0 { here.clone() } else { there.clone() };
            tasks.spawn(async move {
                let (acme, own) = (tenant("acme"), Bucket::of_node(&node("ONE")));
                let own = Bucket { tenant: &acme, name: &own };
                for round in 0..10 {
                    let mut writes: Vec<EntryWrite> = (0..10)
                        .map(|key| written(if key % 3 == 0 { shared(&acme) } else { own }, &key.to_string(), format!("{task} {round}")))
                        .map(|write| EntryWrite { expires_at: (round % 2 == 0).then(now), ..write })
                        .collect();
                    if task % 3 == 0 {
                        writes.reverse();
                    }
                    storage.write_entries(&acme, &writes).await.unwrap();
                }
            });
        }
        let sweeping = here.clone();
        tasks.spawn(async move {
            for _ in 0..20 {
                sweeping.forget_entries(at(1)).await.unwrap();
            }
        });
        for _ in 0..5 {
            there.create_node(&acme, &one, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
            there.delete_node(&acme, &one, &by()).await.unwrap();
        }
        tasks.join_all().await;
        let own = Bucket::of_node(&one);
        let mut values = Vec::new();
        for key in 0..10 {
            let bucket = if key % 3 == 0 { shared(&acme) } else { Bucket { tenant: &acme, name: &own } };
            values.extend(read(&here, bucket, &key.to_string(), now()).await);
        }
        values.dedup();
        assert_eq!(values.len(), 1, "all are of the same write: {values:?}");
    }

    async fn what_one_database_cannot_hold_both_refuse(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let (bucket, bad_bucket) = (shared(&acme), Bucket { tenant: &acme, name: "node/\0" });
        let invalid = |refused: Result<(), StorageError>| assert!(matches!(refused, Err(StorageError::Invalid(_))), "{refused:?}");
        for (bucket, key) in [(bucket, "a\0b"), (bad_bucket, "key"), (bucket, &*"x".repeat(513))] {
            invalid(storage.entries(bucket, &["key".to_owned(), key.to_owned()], now()).await.map(drop));
            invalid(storage.entry_keys(bucket, key, None, 10, now()).await.map(drop));
            invalid(storage.entry_keys(bucket, "", Some(key), 10, now()).await.map(drop));
            invalid(storage.write_entries(&acme, &[written(bucket, key, "1")]).await);
            invalid(storage.write_entries(&acme, &[removed(bucket, key)]).await);
            invalid(storage.increment(bucket, key, 1, None, now()).await.map(drop));
            invalid(storage.swap_entry(bucket, key, None, b"1", None, now()).await.map(drop));
        }
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight::default());
    }

    async fn what_is_kept_goes_with_its_node_and_its_tenant(ground) {
        let storage = ground.open().await;
        let (acme, other, one, two) = (tenant("acme"), tenant("other"), node("ONE"), node("TWO"));
        let (of_one, of_two) = (Bucket::of_node(&one), Bucket::of_node(&two));
        for tenant in [&acme, &other] {
            storage.create_tenant(tenant, &by()).await.unwrap();
            for (node, bucket) in [(&one, &*of_one), (&two, &*of_two)] {
                storage.create_node(tenant, node, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
                write(&storage, Bucket { tenant, name: bucket }, "key", "1").await;
            }
            write(&storage, shared(tenant), "key", "1").await;
        }
        let left = async || {
            let mut left = Vec::new();
            for tenant in [&acme, &other] {
                for name in [of_one.as_str(), of_two.as_str(), Bucket::SHARED] {
                    left.push(keys(&storage, Bucket { tenant, name }, "", now()).await.len());
                }
            }
            left
        };
        assert_eq!(left().await, [1, 1, 1, 1, 1, 1]);
        storage.delete_node(&acme, &one, &by()).await.unwrap();
        assert_eq!(left().await, [0, 1, 1, 1, 1, 1]);
        assert!(matches!(storage.delete_node(&acme, &node("THREE"), &by()).await, Err(StorageError::NotFound(_))));
        storage.delete_tenant(&acme, &by()).await.unwrap();
        assert_eq!(left().await, [0, 0, 0, 1, 1, 1]);
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight::default());

        let unknown = tenant("configured");
        write(&storage, shared(&unknown), "key", "1").await;
        assert!(matches!(storage.delete_tenant(&unknown, &by()).await, Err(StorageError::NotFound(_))));
        assert_eq!(read(&storage, shared(&unknown), "key", now()).await.as_deref(), Some("1"), "nothing has changed");
    }
}

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
                all.push(EntryWrite { bucket, key, value: value.clone(), expires_at: expires_at.map(at) });
            }
            storage.write_entries(&tenant(of), &all).await.unwrap();
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
