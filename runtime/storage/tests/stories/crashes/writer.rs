//! A process that makes changes and says which are kept, and what must be found once it is gone.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use model::{ArtifactId, Door, Quota, Revision, Settings};
use sha2::{Digest as _, Sha256};
use storage::{Config, NewArtifact, NewRevision, ObjectPlace, Place, Storage};
use tokio::process::Command;

use crate::place::{Ground, by, node, tenant};

/// The test that such a process runs.
const TEST: &str = "crashes::a_writer_acknowledges_each_change_and_all_of_them_are_kept";
/// What it is told: where the database is, where the artifacts are, and how many turns of changes it makes.
const DATABASE: &str = "CODENODE_TEST_WRITER_DATABASE";
const ARTIFACTS: &str = "CODENODE_TEST_WRITER_ARTIFACTS";
const TURNS: &str = "CODENODE_TEST_WRITER_TURNS";

/// No process of these tests takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How a line starts that says what is kept.
pub(super) const KEPT: &str = "kept: ";
/// How a line starts that says why something is not.
pub(super) const REFUSED: &str = "refused: ";

/// Makes `command`, which ends in this test program, run it as a writer.
pub(super) fn instruct(command: &mut Command, ground: &Ground, turns: usize) {
    command.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
    command.env(DATABASE, url_of(ground)).env(ARTIFACTS, artifacts(ground)).env(TURNS, turns.to_string());
    command.kill_on_drop(true);
}

/// What this process was told, if it is a writer.
pub(super) async fn instructed() -> Option<(Storage, usize)> {
    let url = std::env::var(DATABASE).ok()?;
    let database = match url.strip_prefix("sqlite:") {
        Some(file) => Place::Sqlite(file.into()),
        None => Place::Postgres(url),
    };
    let objects = ObjectPlace::Folder(std::env::var(ARTIFACTS).unwrap().into());
    let master_keys = vec!["a".repeat(64).parse().unwrap()];
    let storage = Storage::open(Config { database, objects, master_keys }).await.unwrap();
    Some((storage, std::env::var(TURNS).unwrap().parse().unwrap()))
}

/// Makes changes, four in a turn, and says of each whether it is kept.
pub(super) async fn write(storage: &Storage, turns: usize, mut say: impl FnMut(String)) {
    for _ in 0..turns {
        if let Err(error) = turn(storage, &mut say).await {
            say(format!("{REFUSED}{error}"));
        }
    }
}

/// The line that a writer said, among what the test program says itself.
pub(super) fn said(line: &str) -> Option<String> {
    let start = line.find(KEPT).or_else(|| line.find(REFUSED))?;
    Some(line[start..].to_owned())
}

/// What is uploaded once so many changes were made.
pub(super) fn upload(changes: u64) -> NewArtifact {
    let bytes = format!("\0asm {changes}").into_bytes();
    let id = ArtifactId::from_sha256(Sha256::digest(&bytes).into());
    NewArtifact { id, bytes: bytes.into(), inspection: "{}".to_owned() }
}

/// Where an artifact is kept.
pub(super) fn file_of(ground: &Ground, id: &ArtifactId) -> PathBuf {
    let name = id.to_string();
    let (folder, rest) = name.split_at(2);
    artifacts(ground).join(folder).join(rest)
}

pub(super) fn artifacts(ground: &Ground) -> PathBuf {
    ground.folder().join("artifacts")
}

pub(super) fn url_of(ground: &Ground) -> String {
    match &ground.place {
        Place::Sqlite(file) => format!("sqlite:{}", file.display()),
        Place::Postgres(url) => url.clone(),
    }
}

/// Makes the tenant and the node that writers change.
pub(super) async fn prepare(ground: &Ground) -> Kept {
    let storage = ground.open().await;
    storage.create_tenant(&tenant("acme"), &by()).await.unwrap();
    storage.create_node(&tenant("acme"), &node("ORDERS"), &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
    storage.close().await;
    Kept { changes: 2, ..Kept::default() }
}

/// What is known to be kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Kept {
    pub(super) changes: u64,
    /// The oldest first.
    artifacts: Vec<ArtifactId>,
    /// The artifact of each, the oldest first.
    revisions: Vec<ArtifactId>,
    promotions: u64,
    live: Option<u32>,
    /// The id of the newest.
    secret: Option<String>,
}

impl Kept {
    /// Adds what a writer said.
    pub(super) fn note(&mut self, lines: &[String]) {
        for line in lines.iter().filter_map(|line| line.strip_prefix(KEPT)) {
            self.changes += 1;
            match line.split_once(' ').unwrap() {
                ("artifact", id) => self.artifacts.push(id.parse().unwrap()),
                ("revision", artifact) => self.revisions.push(artifact.parse().unwrap()),
                ("promotion", number) => self.promote(number),
                ("secret", id) => self.secret = Some(id.to_owned()),
                _ => panic!("a writer does not say `{line}`"),
            }
        }
    }

    fn promote(&mut self, number: &str) {
        self.promotions += 1;
        self.live = Some(number.parse().unwrap());
    }
}

/// What is there: whole, all that is known to be kept, and at most one change more.
pub(super) async fn found(storage: &Storage, kept: &Kept) -> Kept {
    let (acme, orders) = (tenant("acme"), node("ORDERS"));
    let changes = storage.sequence().await.unwrap();
    let (from, to) = (kept.changes, kept.changes + 1);
    assert!((from..=to).contains(&changes), "{from} changes are known to be kept, {changes} are there");

    let artifacts = storage.artifacts(&acme, u32::MAX).await.unwrap();
    let artifacts: Vec<ArtifactId> = artifacts.iter().rev().map(|artifact| artifact.id).collect();
    assert!(artifacts.starts_with(&kept.artifacts), "an artifact is lost");
    for id in &artifacts {
        storage.artifact_bytes(id).await.unwrap();
    }

    let mut revisions = storage.revisions(&acme, &orders, None, u32::MAX).await.unwrap();
    revisions.reverse();
    let numbers: Vec<u32> = revisions.iter().map(|revision| revision.number.into()).collect();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<_>>(), "numbers without a gap");
    let made: Vec<ArtifactId> = revisions.iter().map(|revision| revision.artifact).collect();
    assert!(made.starts_with(&kept.revisions), "a revision is lost");

    let secrets = storage.secrets(&acme, &orders).await.unwrap();
    let secret = secrets.last().map(|secret| secret.id.clone());
    let served = storage.serving(Some(&acme), Some(&orders)).await.unwrap().nodes.remove(0);
    assert_eq!(served.secrets.len(), secrets.len());
    assert!(served.secrets.iter().all(|secret| secret.text.as_str() == "it's a secret"));
    assert_eq!(served.revision.map(|revision| revision.number), served.node.live);

    let (live, promotions) = (served.node.live.map(u32::from), served.node.version - 1);
    let found = Kept { changes, artifacts, revisions: made, promotions, live, secret };
    assert_eq!(logged(storage, &revisions).await, found, "the audit log, and what is there");
    if changes == kept.changes {
        assert_eq!(&found, kept);
    }
    found
}

/// The same, as the audit log tells it.
async fn logged(storage: &Storage, revisions: &[Revision]) -> Kept {
    let mut log = storage.audit(None, None, u32::MAX).await.unwrap();
    log.reverse();
    let sequences: Vec<u64> = log.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..).take(log.len()).collect::<Vec<_>>(), "changes without a gap");
    let mut logged = Kept { changes: sequences.last().copied().unwrap(), ..Kept::default() };
    for entry in &log {
        let last = entry.subject.rsplit(' ').next().unwrap();
        match entry.action.as_str() {
            "artifact.upload" => logged.artifacts.push(last.parse().unwrap()),
            "revision.create" => logged.revisions.push(revisions[last.parse::<usize>().unwrap() - 1].artifact),
            "revision.promote" => logged.promote(last),
            "secret.add" => logged.secret = Some(last.to_owned()),
            "tenant.create" | "node.create" => {}
            other => panic!("nobody did `{other}`"),
        }
    }
    logged
}

async fn turn(storage: &Storage, say: &mut impl FnMut(String)) -> storage::Result<()> {
    let (acme, orders) = (tenant("acme"), node("ORDERS"));
    let upload = upload(storage.sequence().await?);
    let (artifact, _) = storage.add_artifact(&acme, &upload, &Quota::DEFAULT, &by()).await?;
    say(format!("{KEPT}artifact {}", artifact.id));
    let new = NewRevision { artifact: artifact.id, settings: Settings::default(), note: String::new() };
    let revision = storage.create_revision(&acme, &orders, &new, &by()).await?;
    say(format!("{KEPT}revision {}", revision.artifact));
    storage.promote(&acme, &orders, revision.number, None, &by()).await?;
    say(format!("{KEPT}promotion {}", revision.number));
    let secret = storage.add_secret(&acme, &orders, "it's a secret", Some(Timestamp::now()), &by()).await?;
    say(format!("{KEPT}secret {}", secret.id));
    Ok(())
}
