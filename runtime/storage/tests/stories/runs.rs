//! Run records: found again, in order, and forgotten by policy.

use std::time::Duration;

use jiff::Timestamp;
use model::{
    BotBreak, Cause, ChatAfterwards, HttpCall, Limits, Log, Outcome, Record, Reply, RevisionNumber, Run, RunId, Usage,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::{RunFilter, RunPages, Storage, StorageError};

use crate::place::{Ground, Kind, by, node, on_both, tenant};

const NODES: [&str; 3] = ["ONE", "TWO", "THREE"];

/// The record of the run that began so many milliseconds after ten o'clock; no two of a test's may share one.
fn record(millis: i64, of: &str, at: &str, cause: Option<Cause>) -> Record {
    let outcome = match cause {
        None => {
            Outcome::Reply(Reply::parse(r#"{"status":true,"response":["\u0928 \ud83d\ude22"]}"#.to_owned()).unwrap())
        }
        Some(cause) => Outcome::BotBreak(BotBreak::new(cause, "with a \0 in it")),
    };
    let usage = Usage { wall_time: Duration::from_micros(100), cpu_time: Duration::from_micros(7), ..Usage::default() };
    Record {
        id: RunId::first_at(time(millis)),
        tenant: tenant(of),
        node: node(at),
        revision: Some(RevisionNumber::try_from(1 + u32::try_from(millis % 2).unwrap()).unwrap()),
        artifact: None,
        started_at: time(millis),
        run: Run { outcome, usage: Usage { event_bytes: 10, ..usage }, log: Log::default(), http_calls: Vec::new() },
        limits: Limits::DEFAULT,
        caller_left: false,
        chat_afterwards: ChatAfterwards::WithBot,
    }
}

fn time(millis: i64) -> Timestamp {
    "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_millis(millis)
}

async fn write(storage: &Storage, records: &[Record]) {
    storage.write_runs(&RunPages::of(records.to_vec()).unwrap()).await.unwrap();
}

/// All pages of a search, one after another.
async fn all(storage: &Storage, filter: &RunFilter, limit: usize) -> Vec<Record> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let found = storage.runs(filter, cursor, limit).await.unwrap();
        assert!(found.records.len() <= limit);
        all.extend(found.records);
        cursor = found.next;
        if cursor.is_none() {
            return all;
        }
    }
}

on_both! {
    async fn a_record_is_there_after_a_restart_for_its_tenant_alone(ground) {
        let storage = ground.open().await;
        let records = [record(0, "acme", "ONE", None), record(1, "acme", "ONE", Some(Cause::Trap)), record(2, "other", "ONE", None)];
        write(&storage, &records).await;
        storage.close().await;
        let storage = ground.open().await;
        for record in &records {
            assert_eq!(storage.run(record.id, None).await.unwrap(), *record);
            assert_eq!(storage.run(record.id, Some(&record.tenant)).await.unwrap(), *record);
        }
        assert!(matches!(storage.run(records[2].id, Some(&tenant("acme"))).await, Err(StorageError::NotFound(_))));
        assert!(matches!(storage.run(RunId::fresh(), None).await, Err(StorageError::NotFound(_))));
    }

    async fn what_is_written_twice_is_there_once_and_counts_once(ground) {
        let storage = ground.open().await;
        let records = [record(0, "acme", "ONE", None), record(1, "acme", "TWO", Some(Cause::Trap)), record(3_600_000, "acme", "ONE", None)];
        let pages = RunPages::of(records.to_vec()).unwrap();
        storage.write_runs(&pages).await.unwrap();
        storage.write_runs(&pages).await.unwrap();
        assert_eq!(all(&storage, &RunFilter::default(), 10).await.len(), 3);
        let usage = storage.usage(&tenant("acme"), time(0), time(7_200_000)).await.unwrap();
        let (one, two) = (usage.nodes[&node("ONE")], usage.nodes[&node("TWO")]);
        assert_eq!((one.runs, one.bot_breaks, one.cpu_micros, one.event_bytes), (2, 0, 14, 20));
        assert_eq!((two.runs, two.bot_breaks, two.wall_micros), (1, 1, 100));
        let first_hour = storage.usage(&tenant("acme"), time(0), time(3_600_000)).await.unwrap();
        assert_eq!(first_hour.nodes[&node("ONE")].runs, 1);
        assert!(storage.usage(&tenant("other"), time(0), time(7_200_000)).await.unwrap().nodes.is_empty());
    }

    async fn records_go_when_they_are_too_old_or_too_many(ground) {
        let storage = ground.open().await;
        let minute = 60_000;
        for number in 0..10 {
            write(&storage, &[record(number * minute, "acme", "ONE", None), record(number * minute + 1, "small", "ONE", None)]).await;
        }
        let count = async |of: &str| {
            all(&storage, &RunFilter { tenant: Some(tenant(of)), ..RunFilter::default() }, 100).await.len()
        };
        storage.forget_runs(time(3 * minute), u64::MAX).await.unwrap();
        assert_eq!((count("acme").await, count("small").await), (7, 7));
        storage.forget_runs(time(0), 500).await.unwrap();
        let left = count("acme").await;
        assert!((1..=5).contains(&left), "{left} records in 500 bytes");
        let kept = all(&storage, &RunFilter::default(), 100).await;
        assert_eq!(kept[0].id, record(9 * minute + 1, "small", "ONE", None).id, "the newest stay");
        storage.forget_runs(time(0), 0).await.unwrap();
        assert_eq!((count("acme").await, count("small").await), (0, 0));
        let used = storage.usage(&tenant("acme"), time(0), time(3_600_000)).await.unwrap();
        assert_eq!(used.nodes[&node("ONE")].runs, 10, "what was used is known for longer than what ran");
    }

    async fn records_with_many_calls_are_read_back(ground) {
        let storage = ground.open().await;
        let call = HttpCall {
            method: "GET".to_owned(),
            origin: "https://api.example.com".to_owned(),
            path: "/".repeat(256),
            status: None,
            refused: None,
            failed: Some("x".repeat(512)),
            request_bytes: 0,
            response_bytes: 0,
            after: Duration::ZERO,
            wall_time: Duration::ZERO,
        };
        let records: Vec<Record> = (0..500)
            .map(|millis| {
                let mut record = record(millis, "acme", "ONE", None);
                record.run.http_calls = vec![call.clone(); 100];
                record
            })
            .collect();
        write(&storage, &records).await;
        for at in [0, 250, 499] {
            assert_eq!(storage.run(records[at].id, None).await.unwrap(), records[at]);
        }
    }

    async fn a_tenant_takes_its_records_along(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        storage.create_tenant(&acme, &by()).await.unwrap();
        write(&storage, &[record(0, "acme", "ONE", None), record(1, "other", "ONE", None)]).await;
        storage.delete_tenant(&acme, &by()).await.unwrap();
        storage.create_tenant(&acme, &by()).await.unwrap();
        assert_eq!(all(&storage, &RunFilter::default(), 10).await.len(), 1);
        assert!(storage.usage(&acme, time(0), time(3_600_000)).await.unwrap().nodes.is_empty());
        assert_eq!(storage.audit(Some(&acme), None, 10).await.unwrap().len(), 1, "its own beginning");
        assert_eq!(storage.audit(None, None, 10).await.unwrap().len(), 3);
    }
}

fn cause() -> impl Strategy<Value = Option<Cause>> {
    prop::option::of(prop::sample::select(vec![Cause::Trap, Cause::OutOfTime, Cause::OutOfMemory]))
}

/// Runs of a few tenants and nodes, over several hours; each belongs to one of the batches, as if several hosts had written them.
fn runs() -> impl Strategy<Value = Vec<(usize, Record)>> {
    let run = (
        0..10_000_000i64,
        0..40usize,
        prop::sample::select(vec!["acme", "other"]),
        prop::sample::select(NODES.to_vec()),
        cause(),
    );
    prop::collection::vec(run, 1..120).prop_map(|runs| {
        let mut taken = std::collections::BTreeSet::new();
        let once = runs.into_iter().filter(|(millis, ..)| taken.insert(*millis)).collect::<Vec<_>>();
        once.into_iter().map(|(millis, batch, of, at, cause)| (batch, record(millis, of, at, cause))).collect()
    })
}

fn filter() -> impl Strategy<Value = RunFilter> {
    let times = (prop::option::of(0..10_000_000i64), prop::option::of(0..10_000_000i64));
    let names = (prop::option::of(Just("acme")), prop::option::of(prop::sample::select(NODES.to_vec())));
    (names, cause(), prop::option::of(1..=2u32), times).prop_map(|((of, at), cause, revision, (since, until))| {
        RunFilter {
            tenant: of.map(tenant),
            node: at.map(node),
            cause,
            revision: revision.map(|number| number.try_into().unwrap()),
            since: since.map(time),
            until: until.map(time),
        }
    })
}

fn expected(runs: &[(usize, Record)], filter: &RunFilter) -> Vec<Record> {
    let mut records: Vec<Record> = runs
        .iter()
        .map(|(_, record)| record)
        .filter(|record| {
            filter.tenant.as_ref().is_none_or(|tenant| *tenant == record.tenant)
                && filter.node.as_ref().is_none_or(|node| *node == record.node)
                && filter.cause.is_none_or(|cause| record.cause() == Some(cause))
                && filter.revision.is_none_or(|revision| record.revision == Some(revision))
                && filter.since.is_none_or(|since| record.started_at >= since)
                && filter.until.is_none_or(|until| record.started_at < until)
        })
        .cloned()
        .collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.id));
    records
}

/// Whatever was written in whatever batches, a search finds what matches, all of it, each once, the newest first.
fn a_search_finds_what_matches_in_order(kind: Kind, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let story = (runs(), prop::collection::vec((filter(), 1..20usize), 4));
    let done = runner.run(&story, |(runs, searches)| {
        runtime.block_on(async {
            let ground = Ground::fresh(kind).await;
            let storage = ground.open().await;
            for batch in 0..40 {
                let of_batch = runs.iter().filter(|(number, _)| *number == batch);
                write(&storage, &of_batch.map(|(_, record)| record.clone()).collect::<Vec<_>>()).await;
            }
            for (filter, limit) in &searches {
                assert_eq!(all(&storage, filter, *limit).await, expected(&runs, filter), "{filter:?}");
            }
            storage.close().await;
        });
        Ok(())
    });
    done.unwrap();
}

#[test]
fn a_search_finds_what_matches_in_order_on_sqlite() {
    a_search_finds_what_matches_in_order(Kind::Sqlite, 32);
}

#[test]
fn a_search_finds_what_matches_in_order_on_postgresql() {
    a_search_finds_what_matches_in_order(Kind::Postgres, 8);
}
