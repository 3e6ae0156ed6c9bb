use super::*;
use crate::{Event, Reply, json, testing};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn values_are_read_as_they_were_written_each_bucket_on_its_own() {
    let _kv = testing::kv();
    let (node, tenant) = (node().unwrap(), tenant().unwrap());
    node.set("a", [0, 255]).unwrap();
    node.set_json("b", &json!({ "n": 1 })).unwrap();
    tenant.set("a", "ü").unwrap();
    assert_eq!(node.get("a").unwrap(), Some(vec![0, 255]));
    assert_eq!(node.json::<crate::Value>("b").unwrap(), Some(json!({ "n": 1 })));
    assert_eq!(tenant.text("a").unwrap().as_deref(), Some("ü"));
    assert_eq!(
        node.get_many(["b", "none", "a"]).unwrap().iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert!(matches!(node.text("a"), Err(Error::Unreadable(_))));
    assert!(matches!(node.json::<u8>("b"), Err(Error::Unreadable(_))));
    node.delete("a").unwrap();
    assert!(!node.exists("a").unwrap() && tenant.exists("a").unwrap());
}

#[test]
fn an_entry_expires_when_it_was_told_to_and_a_number_keeps_its_first_time() {
    let kv = testing::kv();
    let node = node().unwrap();
    let short = node.keep_for(MINUTE);
    short.set("code", "1").unwrap();
    short.set("stays", "1").unwrap();
    node.set("stays", "2").unwrap();
    assert_eq!(short.increment("tries", 1).unwrap(), 1);
    kv.advance(MINUTE / 2);
    assert_eq!(short.increment("tries", 1).unwrap(), 2);
    kv.advance(MINUTE / 2);
    assert!(!node.exists("code").unwrap() && node.exists("stays").unwrap());
    assert_eq!(short.increment("tries", 1).unwrap(), 1, "it begins anew");
    assert_eq!(node.json::<i64>("tries").unwrap(), Some(1));

    node.keep_for(Duration::from_millis(1)).set("rounded up", "1").unwrap();
    kv.advance(Duration::from_millis(999));
    assert!(node.exists("rounded up").unwrap());
    for wrong in [Duration::ZERO, Duration::from_secs(MAX_SECONDS + 1), Duration::MAX] {
        assert!(matches!(node.keep_for(wrong).set("a", "1"), Err(Error::Invalid(_))), "{wrong:?}");
    }
}

#[test]
fn what_cannot_be_kept_never_leaves_the_guest() {
    let _kv = testing::kv();
    let node = node().unwrap();
    for key in ["", "a\0b", "a?ttl=5", "?ttl=", &"k".repeat(513)] {
        for refused in [
            node.set(key, "x"),
            node.get(key).map(drop),
            node.get_many(["a", key]).map(drop),
            node.exists(key).map(drop),
            node.delete(key),
            node.increment(key, 1).map(drop),
            node.update(key, |_| None).map(drop),
        ] {
            assert!(matches!(refused, Err(Error::Invalid(_))), "{key}: {refused:?}");
        }
    }
    node.set(&"k".repeat(512), vec![0; MAX_VALUE_BYTES]).unwrap();
    assert!(matches!(node.set("k", vec![0; MAX_VALUE_BYTES + 1]), Err(Error::Invalid(_))));
    assert!(matches!(node.update("k", |_| Some(vec![0; MAX_VALUE_BYTES + 1])), Err(Error::Invalid(_))));
    assert!(matches!(node.set_json("k", &[((1, 2), 3)].into_iter().collect::<Pairs>()), Err(Error::Invalid(_))));
    assert_eq!(node.keys().count(), 1);
}

type Pairs = std::collections::HashMap<(u8, u8), u8>;

#[test]
fn only_a_whole_number_is_counted() {
    let _kv = testing::kv();
    let node = node().unwrap();
    node.set("n", "5").unwrap();
    assert_eq!(node.increment("n", -7).unwrap(), -2);
    for wrong in ["", "007", "1.0", "x", &i64::MAX.to_string()] {
        node.set("n", wrong).unwrap();
        let refused = node.increment("n", 1).unwrap_err();
        assert!(matches!(&refused, Error::Failed(why) if why.starts_with("kv:node n: ")), "{refused}");
        assert_eq!(node.text("n").unwrap().as_deref(), Some(wrong));
    }
}

#[test]
fn keys_come_page_by_page_in_order() {
    let _kv = testing::kv();
    let (node, tenant) = (node().unwrap(), tenant().unwrap());
    tenant.set("k", "x").unwrap();
    let keys: Vec<String> = (0..250).map(|at| format!("k{at:03}")).collect();
    keys.iter().rev().try_for_each(|key| node.set(key, "x")).unwrap();
    assert_eq!(node.keys().collect::<Result<Vec<_>, _>>().unwrap(), keys);
    assert_eq!(tenant.keys().count(), 1);
}

#[test]
fn an_update_that_others_outrun_is_made_again_and_given_up_at_last() {
    let _kv = testing::kv();
    let node = node().unwrap();
    let mut seen = Vec::new();
    let sum = node.update_json::<i64>("n", |n| {
        seen.push(n);
        if seen.len() < 3 {
            node.increment("n", 10).unwrap();
        }
        Some(n.unwrap_or(0) + 1)
    });
    assert_eq!((sum, seen), (Ok(Some(21)), vec![None, Some(10), Some(20)]));

    assert_eq!(node.update("n", |_| None), Ok(None));
    assert_eq!(node.json::<i64>("n").unwrap(), Some(21));

    let mut times = 0;
    let outrun = node.update("n", |_| {
        times += 1;
        node.increment("n", 1).unwrap();
        Some(b"0".to_vec())
    });
    assert!(matches!(outrun, Err(Error::Contended(_))), "{outrun:?}");
    assert_eq!((times, node.json::<i64>("n").unwrap()), (UPDATE_TRIES, Some(31)));
}

#[test]
fn a_run_that_gives_no_reply_leaves_only_what_is_done_at_once() {
    let _kv = testing::kv();
    let kept = || node().unwrap().keys().collect::<Result<Vec<_>, _>>().unwrap();
    let handler = |succeeds: bool| {
        move |_: Event| {
            let bucket = node()?;
            bucket.set("a", "1")?;
            bucket.set("n", "40")?;
            bucket.increment("n", 1)?;
            bucket.increment("tries", 1)?;
            assert_eq!(bucket.keys().count(), 3, "the run sees all of it");
            assert_eq!(bucket.text("a")?.as_deref(), Some("1"));
            if succeeds { Ok(Reply::text("done")) } else { Err("no".into()) }
        }
    };
    assert_eq!(testing::run(handler(false), testing::event("X")).error(), "no");
    assert_eq!(kept(), ["n", "tries"]);
    assert!(std::panic::catch_unwind(|| testing::run(|_| panic!("no"), Event::default())).is_err());
    testing::run(handler(true), testing::event("X")).reply();
    assert_eq!(kept(), ["a", "n", "tries"]);
    assert_eq!(node().unwrap().json::<i64>("tries").unwrap(), Some(2));
    let delete = |_: Event| {
        node()?.delete("a")?;
        Ok(Reply::text(format!("{}", node()?.keys().count())))
    };
    assert_eq!(testing::run(delete, testing::event("X")).texts(), ["2"]);
    assert_eq!(kept(), ["n", "tries"]);
}

#[test]
fn without_a_store_of_the_test_nothing_is_granted() {
    let refused = node().unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("testing::kv")), "{refused}");
    let bucket = {
        let _kv = testing::kv();
        node().unwrap()
    };
    assert!(matches!(bucket.get("a"), Err(Error::Refused(_))));
    assert!(matches!(bucket.keys().next(), Some(Err(Error::Refused(_)))));
}
