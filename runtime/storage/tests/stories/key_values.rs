//! What handlers keep: found again as it was written, by whoever wrote it, until it expires; and changed by many at once without a loss.

mod fields;
mod list;
mod races;

use jiff::{SignedDuration, Timestamp};
use model::{Door, NewValue, Quota, TenantId};
use sqlx::Executor as _;
use storage::{Bucket, Entry, EntryWrite, Place, Storage, StorageError, Weight};

use crate::place::{Ground, Kind, by, node, on_both, tenant};

/// So many milliseconds after ten o'clock.
fn at(millis: i64) -> Timestamp {
    "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(millis)
}

fn now() -> Timestamp {
    at(0)
}

const fn shared(tenant: &TenantId) -> Bucket<'_> {
    Bucket { tenant, name: Bucket::SHARED }
}

fn written(bucket: Bucket<'_>, key: &str, value: impl Into<Vec<u8>>) -> EntryWrite {
    EntryWrite {
        bucket: bucket.name.to_owned(),
        key: key.to_owned(),
        value: NewValue::Bytes(value.into()),
        expires_at: None,
    }
}

fn removed(bucket: Bucket<'_>, key: &str) -> EntryWrite {
    EntryWrite { bucket: bucket.name.to_owned(), key: key.to_owned(), value: NewValue::Nothing, expires_at: None }
}

async fn write(storage: &Storage, bucket: Bucket<'_>, key: &str, value: &str) {
    storage.write_entries(bucket.tenant, &[written(bucket, key, value)], now()).await.unwrap();
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
        storage.write_entries(&acme, &writes, now()).await.unwrap();
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
        storage.write_entries(&acme, &[removed(places[0], "key")], now()).await.unwrap();
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
        storage.write_entries(&acme, &writes, now()).await.unwrap();
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
        storage.write_entries(&acme, &names.map(expiring), now()).await.unwrap();
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
        storage.write_entries(&acme, &writes, now()).await.unwrap();
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
        storage.write_entries(&acme, &[removed(bucket, "key")], now()).await.unwrap();
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
        storage.write_entries(&acme, &[expiring], now()).await.unwrap();
        assert_eq!(storage.increment(bucket, "sum", i64::MAX, None, at(10)).await.unwrap(), i64::MAX, "it begins anew");
    }

    async fn many_are_written_together_or_not_at_all(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        storage.write_entries(&acme, &[], now()).await.unwrap();
        let long = "x".repeat(513);
        for bad in ["a\0b", &long] {
            let refused = storage.write_entries(&acme, &[written(bucket, "key", "1"), written(bucket, bad, "1")], now()).await;
            assert!(matches!(refused, Err(StorageError::Invalid(_))), "{refused:?}");
        }
        ground.connect().await.execute("CREATE UNIQUE INDEX no_two_alike ON key_values (number)").await.unwrap();
        write(&storage, bucket, "m", "7").await;
        let refused = storage.write_entries(&acme, &[removed(bucket, "m"), written(bucket, "k", "1"), written(bucket, "z", "1")], now()).await;
        assert!(matches!(refused, Err(StorageError::Unavailable { .. })), "{refused:?}");
        assert_eq!(keys(&storage, bucket, "", now()).await, ["m"]);
        storage.write_entries(&acme, &[written(bucket, "b", "1"), removed(bucket, "m"), written(bucket, "b", "2")], now()).await.unwrap();
        assert_eq!(keys(&storage, bucket, "", now()).await, ["b"]);
        assert_eq!(read(&storage, bucket, "b", now()).await.as_deref(), Some("2"), "the last one counts");
    }

    async fn what_is_changed_by_hand_is_in_the_audit_log(ground) {
        let storage = ground.open().await;
        let (acme, one) = (tenant("acme"), node("ONE"));
        let own = Bucket::of_node(&one);
        let bucket = Bucket { tenant: &acme, name: &own };
        let by_hand = async |write: EntryWrite, now| storage.write_entry_by_hand(&acme, Some(&one), &write, &by(), now).await;
        by_hand(EntryWrite { expires_at: Some(at(1000)), ..written(bucket, "key", "1") }, now()).await.unwrap();
        assert_eq!(read(&storage, bucket, "key", at(999)).await.as_deref(), Some("1"));
        for (key, now) in [("key", at(1000)), ("another", at(999))] {
            let absent = by_hand(removed(bucket, key), now).await;
            assert!(matches!(absent, Err(StorageError::NotFound(_))), "{absent:?}");
        }
        by_hand(removed(bucket, "key"), at(999)).await.unwrap();
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight::default());
        let long = by_hand(written(bucket, &"x".repeat(513), "1"), now()).await;
        assert!(matches!(long, Err(StorageError::Invalid(_))), "{long:?}");

        let told = storage.audit(Some(&acme), None, 10).await.unwrap();
        let told: Vec<_> = told.iter().map(|line| (line.action.as_str(), line.subject.as_str())).collect();
        assert_eq!(told, [("entry.delete", "node/ONE entry key"), ("entry.set", "node/ONE entry key")]);
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
            invalid(storage.write_entries(&acme, &[written(bucket, key, "1")], now()).await);
            invalid(storage.write_entries(&acme, &[removed(bucket, key)], now()).await);
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
