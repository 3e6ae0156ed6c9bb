//! Whatever ends a process, and whatever its disk refuses: what was acknowledged is kept whole, and of the rest at most one change.
//!
//! The process that suffers is this test program once more, told to run one test alone on a database that outlives it.

mod trace;
mod writer;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use model::Quota;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, Connection as _, Executor as _, Row as _};
use storage::{Place, StorageError};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use trace::{Event, events, lines_of, traced};
use writer::{KEPT, PATIENCE, REFUSED, file_of, found, instruct, instructed, prepare, said, upload, url_of, write};

use crate::place::{Ground, Kind, by, on_both, tenant};

/// How often processes are killed, where it is to be more often than usual.
const KILLS: &str = "CODENODE_TEST_KILLS";
/// Enough for a fault to come in the midst of them, whichever connection makes which change.
const FAULTY_TURNS: usize = 12;

#[tokio::test]
async fn a_writer_acknowledges_each_change_and_all_of_them_are_kept() {
    if let Some((storage, turns)) = instructed().await {
        return write(&storage, turns, |line| println!("{line}")).await;
    }
    let ground = Ground::fresh(Kind::Sqlite).await;
    let mut kept = prepare(&ground).await;
    let storage = ground.open().await;
    let mut lines = Vec::new();
    write(&storage, 5, |line| lines.push(line)).await;
    assert_eq!(lines.len(), 20);
    kept.note(&lines);
    assert_eq!(found(&storage, &kept).await, kept);
}

#[tokio::test]
async fn sqlite_keeps_what_it_acknowledged_when_its_process_is_killed() {
    survive_kills(Kind::Sqlite, 50).await;
}

#[tokio::test]
async fn postgresql_keeps_what_it_acknowledged_when_its_client_is_killed() {
    survive_kills(Kind::Postgres, 5).await;
}

#[tokio::test]
async fn what_is_acknowledged_was_synced_to_the_disk_before() {
    let ground = Ground::fresh(Kind::Sqlite).await;
    let mut kept = prepare(&ground).await;
    let log = ground.folder().join("trace");
    let calls = ["-y", "-s", "200", "-e", "trace=fsync,fdatasync,write", "-o", log.to_str().unwrap()];
    let lines = lines_of(&traced(&ground, 6, &calls).await);
    assert_eq!(lines.len(), 24, "{lines:?}");
    let (mut acknowledged, mut synced) = (Vec::new(), Vec::new());
    for event in events(&std::fs::read_to_string(&log).unwrap()) {
        match event {
            Event::Synced(path) => synced.push(path),
            Event::Said(line) => {
                assert_on_the_disk(&line, &synced);
                acknowledged.push(line);
                synced.clear();
            }
        }
    }
    assert_eq!(acknowledged, lines);
    kept.note(&lines);
    assert_eq!(found(&ground.open().await, &kept).await, kept);
}

#[tokio::test]
async fn what_cannot_be_synced_is_not_acknowledged() {
    suffer(&Fault { calls: "fsync,fdatasync", first: 6, of: Of::Log, error: "EIO", says: "disk I/O error" }).await;
}

#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged() {
    suffer(&Fault { calls: "write,pwrite64", first: 40, of: Of::Log, error: "EIO", says: "disk I/O error" }).await;
}

#[tokio::test]
async fn what_finds_the_disk_full_is_not_acknowledged() {
    suffer(&Fault { calls: "write,pwrite64", first: 40, of: Of::Log, error: "ENOSPC", says: "disk is full" }).await;
}

#[tokio::test]
async fn an_artifact_that_finds_the_disk_full_is_not_acknowledged() {
    suffer(&Fault { calls: "write", first: 1, of: Of::Artifact, error: "ENOSPC", says: "No space left" }).await;
}

#[tokio::test]
async fn an_artifact_that_cannot_be_synced_is_not_acknowledged() {
    suffer(&Fault { calls: "fsync", first: 1, of: Of::Artifact, error: "EIO", says: "Input/output error" }).await;
}

#[tokio::test]
async fn an_upload_whose_process_is_killed_is_seen_by_nobody_and_can_be_repeated() {
    for call in ["write", "fsync", "rename"] {
        let ground = Ground::fresh(Kind::Sqlite).await;
        let kept = prepare(&ground).await;
        let half = Of::Artifact.path(&ground);
        let inject = format!("inject={call}:error=EIO:signal=KILL");
        let output = traced(&ground, 1, &["-P", half.to_str().unwrap(), "-e", &inject]).await;
        assert_eq!(lines_of(&output), [] as [&str; 0], "killed at {call}");
        assert!(half.exists(), "killed at {call}: {output:?}");

        let storage = ground.open().await;
        assert_eq!(found(&storage, &kept).await, kept);
        let upload = upload(kept.changes);
        assert!(!file_of(&ground, &upload.id).exists());
        assert!(matches!(storage.artifact_bytes(&upload.id).await, Err(StorageError::Damaged(_))));
        assert!(storage.add_artifact(&tenant("acme"), &upload, &Quota::DEFAULT, &by()).await.unwrap().1);
        assert_eq!(storage.artifact_bytes(&upload.id).await.unwrap(), upload.bytes);
    }
}

on_both! {
    async fn who_waits_too_long_for_another_writer_is_told_so(ground) {
        let storage = ground.open().await;
        let held = hold_the_write_lock(ground).await;
        let begun = Instant::now();
        let refused = storage.create_tenant(&tenant("acme"), &by()).await.unwrap_err();
        assert!(matches!(refused, StorageError::Unavailable { .. }), "{refused}");
        assert!((4..10).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        assert_eq!(storage.tenants().await.unwrap(), [], "who reads does not wait");
        held.close().await.unwrap();
        storage.create_tenant(&tenant("acme"), &by()).await.unwrap();
    }

    async fn who_waits_a_moment_for_another_writer_goes_on_then(ground) {
        let storage = ground.open().await;
        let held = hold_the_write_lock(ground).await;
        let waiter = storage.clone();
        let waiting = tokio::spawn(async move { waiter.create_tenant(&tenant("acme"), &by()).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished(), "the lock is held");
        held.close().await.unwrap();
        waiting.await.unwrap().unwrap();
        assert_eq!(storage.tenants().await.unwrap().len(), 1);
    }
}

/// What a disk does wrong.
struct Fault {
    /// The system calls that fail.
    calls: &'static str,
    /// Which of them does, in each thread.
    first: u32,
    of: Of,
    error: &'static str,
    /// The cause, in the words of whoever could not write.
    says: &'static str,
}

/// The file that it is done to.
#[derive(Clone, Copy)]
enum Of {
    /// The one that SQLite writes every commit to.
    Log,
    /// The first artifact's, before it has its name.
    Artifact,
}

impl Of {
    fn path(self, ground: &Ground) -> PathBuf {
        match self {
            Self::Log => ground.folder().join("state/codenode.db-wal"),
            Self::Artifact => {
                let mut path = file_of(ground, &upload(2).id).into_os_string();
                path.push("#1");
                path.into()
            }
        }
    }
}

/// Lets a writer meet a fault that passes, and one that stays.
async fn suffer(fault: &Fault) {
    let passing = suffered(fault, &fault.first.to_string()).await;
    let first = passing.iter().position(|line| line.starts_with(REFUSED)).expect("a change that cannot be written");
    let (before, after) = passing.split_at(first);
    let is_kept = |line: &String| line.starts_with(KEPT);
    assert_eq!(before.iter().any(is_kept), matches!(fault.of, Of::Log), "{passing:#?}");
    assert!(after.iter().any(is_kept), "it goes on when the disk does: {passing:#?}");

    let staying = suffered(fault, "1+").await;
    assert_eq!(staying.len(), FAULTY_TURNS, "one refusal in each turn: {staying:#?}");
    assert!(!staying.iter().any(is_kept), "{staying:#?}");
}

/// What a writer said that met the fault, each of its threads at these calls; what is there afterwards agrees with it.
async fn suffered(fault: &Fault, when: &str) -> Vec<String> {
    let ground = Ground::fresh(Kind::Sqlite).await;
    let mut kept = prepare(&ground).await;
    let path = fault.of.path(&ground);
    let inject = format!("inject={}:error={}:when={when}", fault.calls, fault.error);
    let output = traced(&ground, FAULTY_TURNS, &["-P", path.to_str().unwrap(), "-e", &inject]).await;
    assert!(output.status.success(), "{output:?}");
    let lines = lines_of(&output);
    for line in lines.iter().filter(|line| line.starts_with(REFUSED)) {
        assert!(line.contains("storage cannot") && line.contains(fault.says), "{line}");
    }
    kept.note(&lines);
    let storage = ground.open().await;
    found(&storage, &kept).await;
    storage.close().await;
    assert_sound(&ground).await;
    lines
}

/// Kills a writer at a random moment, looks at what it left, and has the next one go on from there.
async fn survive_kills(kind: Kind, kills: u32) {
    let kills = std::env::var(KILLS).map_or(kills, |kills| kills.parse().unwrap());
    let ground = Ground::fresh(kind).await;
    let mut kept = prepare(&ground).await;
    let mut in_doubt = 0;
    for kill in 1..=kills {
        let lines = killed(&ground).await;
        assert!(lines.iter().all(|line| line.starts_with(KEPT)), "{lines:#?}");
        kept.note(&lines);
        until_alone(&ground).await;
        let storage = ground.open().await;
        let found = found(&storage, &kept).await;
        in_doubt += found.changes - kept.changes;
        kept = found;
        storage.close().await;
        println!("{kill} kills: {} changes kept, {in_doubt} of them never acknowledged", kept.changes);
    }
    assert_named_by_their_bytes(&writer::artifacts(&ground));
    if matches!(kind, Kind::Sqlite) {
        assert_sound(&ground).await;
    }
}

/// Lets a writer make a few changes, kills it a moment later, and returns what it said.
async fn killed(ground: &Ground) -> Vec<String> {
    let random = getrandom::u32().unwrap();
    let (changes, moment) = (random % 16, Duration::from_micros((random / 16 % 5000).into()));
    let mut command = Command::new(std::env::current_exe().unwrap());
    instruct(&mut command, ground, usize::MAX);
    let mut writer = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut lines = Vec::new();
    while lines.len() <= changes.try_into().unwrap() {
        let line = timeout(PATIENCE, output.next_line()).await.expect("a writer that writes").unwrap();
        lines.extend(said(&line.expect("a writer that writes until it is killed")));
    }
    tokio::time::sleep(moment).await;
    writer.kill().await.unwrap();
    while let Some(line) = output.next_line().await.unwrap() {
        lines.extend(said(&line));
    }
    lines
}

/// PostgreSQL ends what a killed client began a moment later.
async fn until_alone(ground: &Ground) {
    let Place::Postgres(url) = &ground.place else { return };
    let mut connection = connect(url).await;
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let gone = async {
        while connection.fetch_one(others).await.unwrap().get::<i64, _>(0) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the session of a killed client ends");
    connection.close().await.unwrap();
}

async fn hold_the_write_lock(ground: &Ground) -> AnyConnection {
    let mut connection = connect(&url_of(ground)).await;
    let take = match ground.place {
        Place::Sqlite(_) => "BEGIN IMMEDIATE",
        Place::Postgres(_) => "BEGIN; UPDATE clock SET sequence = sequence",
    };
    sqlx::raw_sql(take).execute(&mut connection).await.unwrap();
    connection
}

async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.unwrap()
}

/// A change's commit is on the disk; an artifact's bytes and its name are, too.
fn assert_on_the_disk(line: &str, synced: &[String]) {
    let has = |end: &str| synced.iter().any(|path| path.ends_with(end));
    assert!(has("/codenode.db-wal"), "`{line}` was said when only this was on the disk: {synced:?}");
    if let Some(id) = line.strip_prefix(KEPT).and_then(|kept| kept.strip_prefix("artifact ")) {
        let (folder, name) = id.split_at(2);
        assert!(has(&format!("/artifacts/{folder}/{name}#1")), "its bytes: {synced:?}");
        assert!(has(&format!("/artifacts/{folder}")), "its name: {synced:?}");
    }
}

/// SQLite's own opinion of its file.
async fn assert_sound(ground: &Ground) {
    let mut connection = connect(&url_of(ground)).await;
    let verdict: String = connection.fetch_one("PRAGMA integrity_check").await.unwrap().get(0);
    assert_eq!(verdict, "ok");
    connection.close().await.unwrap();
}

/// What an interrupted upload left has a `#` in its name.
fn assert_named_by_their_bytes(artifacts: &Path) {
    for folder in std::fs::read_dir(artifacts).unwrap() {
        let folder = folder.unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let name = format!("{}{}", folder.file_name().display(), file.file_name().display());
            let sha256 = hex::encode(Sha256::digest(std::fs::read(file.path()).unwrap()));
            assert!(name.contains('#') || name == sha256, "{name} holds what has the SHA-256 {sha256}");
        }
    }
}
