//! Where artifacts are kept: a folder, or a bucket. Both give back what they were given, or say that they cannot.
//!
//! A bucket's credentials come from the environment alone, so its stories are told by this test program once more, in an environment that
//! has them.

use std::path::Path;
use std::time::Duration;

use model::{ArtifactId, Quota};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};
use storage::{Config, NewArtifact, ObjectPlace, Storage, StorageError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::place::{Ground, Kind, by, tenant};

/// As large as artifacts are, so that an upload takes more than one piece.
const ARTIFACT_BYTES: usize = 3 << 20;
/// Nobody waits longer for a store that does not answer.
const DEADLINE: Duration = Duration::from_secs(40);
const ACCESS_KEY: &str = "codenode-test";

#[tokio::test]
async fn a_folder_gives_back_what_it_was_given_or_says_that_it_cannot() {
    let ground = Ground::fresh(Kind::Sqlite).await;
    keeps_and_mends(&ground, &Spot::folder(&ground.folder().join("artifacts"))).await;
}

#[tokio::test]
async fn a_bucket_gives_back_what_it_was_given_or_says_that_it_cannot() {
    if !has_credentials() {
        return again("objects::a_bucket_gives_back_what_it_was_given_or_says_that_it_cannot").await;
    }
    let ground = Ground::fresh(Kind::Sqlite).await;
    keeps_and_mends(&ground, &Spot::fresh_bucket().await).await;
}

#[tokio::test]
async fn an_upload_that_is_cut_off_is_seen_by_nobody_and_can_be_repeated() {
    if !has_credentials() {
        return again("objects::an_upload_that_is_cut_off_is_seen_by_nobody_and_can_be_repeated").await;
    }
    let (ground, spot) = (Ground::fresh(Kind::Sqlite).await, Spot::fresh_bucket().await);
    let (acme, wasm) = (tenant("acme"), artifact(1));
    let cutting = open(&ground, spot.place_at(&cut_after(ARTIFACT_BYTES / 2).await)).await;
    cutting.create_tenant(&acme, &by()).await.unwrap();
    let cut =
        timeout(DEADLINE, cutting.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by())).await.expect("an answer in time");
    assert!(matches!(cut, Err(StorageError::Unavailable { .. })), "{cut:?}");
    let storage = open(&ground, spot.place.clone()).await;
    assert!(matches!(storage.artifact(&acme, &wasm.id).await, Err(StorageError::NotFound(_))));
    assert!(matches!(storage.artifact_bytes(&wasm.id).await, Err(StorageError::Damaged(_))));
    assert!(storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap().1);
    assert_eq!(storage.artifact_bytes(&wasm.id).await.unwrap(), wasm.bytes);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_unavailable_soon() {
    if !has_credentials() {
        return again("objects::a_bucket_that_is_not_there_is_unavailable_soon").await;
    }
    let (ground, spot) = (Ground::fresh(Kind::Sqlite).await, Spot::fresh_bucket().await);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let storage = open(&ground, spot.place_at(&nobody.to_string())).await;
    storage.create_tenant(&tenant("acme"), &by()).await.unwrap();
    let begun = Instant::now();
    let kept = storage.add_artifact(&tenant("acme"), &artifact(1), &Quota::DEFAULT, &by()).await;
    assert!(matches!(kept, Err(StorageError::Unavailable { .. })), "{kept:?}");
    let read = storage.artifact_bytes(&artifact(1).id).await;
    assert!(matches!(read, Err(StorageError::Unavailable { .. })), "{read:?}");
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_bucket_that_says_nothing_is_unavailable_in_time() {
    if !has_credentials() {
        return again("objects::a_bucket_that_says_nothing_is_unavailable_in_time").await;
    }
    let (ground, spot) = (Ground::fresh(Kind::Sqlite).await, Spot::fresh_bucket().await);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let storage = open(&ground, spot.place_at(&silent.local_addr().unwrap().to_string())).await;
    // From here on the clock leaps to whatever is waited for.
    tokio::time::pause();
    let begun = Instant::now();
    let read = storage.artifact_bytes(&artifact(1).id).await;
    assert!(matches!(read, Err(StorageError::Unavailable { .. })), "{read:?}");
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
}

/// A place for artifacts, and a way to spoil them behind storage's back.
struct Spot {
    place: ObjectPlace,
    store: Box<dyn ObjectStore>,
    prefix: &'static str,
}

impl Spot {
    fn folder(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let store = LocalFileSystem::new_with_prefix(folder).unwrap();
        Self { place: ObjectPlace::Folder(folder.to_owned()), store: Box::new(store), prefix: "" }
    }

    async fn fresh_bucket() -> Self {
        let (url, endpoint) = (format!("s3://codenode-{:08x}/some/prefix", getrandom::u32().unwrap()), server());
        let bucket = AmazonS3Builder::from_env().with_url(&url).with_endpoint(&endpoint).with_allow_http(true);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = reqwest::Client::new().put(url.replace("s3:/", &endpoint).replace("/some/prefix", "")).send().await;
        assert!(made.as_ref().is_ok_and(|answer| answer.status().is_success()), "{made:?}");
        let store = Box::new(bucket.build().unwrap());
        Self { place: ObjectPlace::Bucket { url, endpoint: Some(endpoint) }, store, prefix: "some/prefix/" }
    }

    /// The same, asked for at another address.
    fn place_at(&self, address: &str) -> ObjectPlace {
        match &self.place {
            ObjectPlace::Folder(folder) => ObjectPlace::Folder(folder.clone()),
            ObjectPlace::Bucket { url, .. } => {
                ObjectPlace::Bucket { url: url.clone(), endpoint: Some(format!("http://{address}")) }
            }
        }
    }

    async fn overwrite(&self, id: &ArtifactId, bytes: &'static [u8]) {
        self.store.put(&self.name(id), bytes.into()).await.unwrap();
    }

    async fn remove(&self, id: &ArtifactId) {
        self.store.delete(&self.name(id)).await.unwrap();
    }

    /// As operators find it.
    fn name(&self, id: &ArtifactId) -> object_store::path::Path {
        let name = id.to_string();
        let (start, rest) = name.split_at(2);
        format!("{}{start}/{rest}", self.prefix).into()
    }
}

async fn keeps_and_mends(ground: &Ground, spot: &Spot) {
    let storage = open(ground, spot.place.clone()).await;
    let (acme, other, wasm, second) = (tenant("acme"), tenant("other"), artifact(1), artifact(2));
    storage.create_tenant(&acme, &by()).await.unwrap();
    storage.create_tenant(&other, &by()).await.unwrap();
    let gone = storage.artifact_bytes(&wasm.id).await;
    assert!(matches!(gone, Err(StorageError::Damaged(_))), "{gone:?}");

    assert!(storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap().1);
    assert!(!storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap().1);
    assert!(storage.add_artifact(&other, &wasm, &Quota::DEFAULT, &by()).await.unwrap().1);
    assert!(storage.add_artifact(&acme, &second, &Quota::DEFAULT, &by()).await.unwrap().1);
    storage.close().await;
    let storage = open(ground, spot.place.clone()).await;
    assert_eq!(storage.artifact_bytes(&wasm.id).await.unwrap(), wasm.bytes);
    assert_eq!(storage.artifact_bytes(&second.id).await.unwrap(), second.bytes);

    spot.overwrite(&wasm.id, b"\0asm, but another").await;
    let changed = storage.artifact_bytes(&wasm.id).await;
    assert!(matches!(&changed, Err(StorageError::Damaged(what)) if what.contains("changed")), "{changed:?}");
    assert!(!storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap().1);
    assert_eq!(storage.artifact_bytes(&wasm.id).await.unwrap(), wasm.bytes, "uploaded again, it is whole");

    spot.remove(&wasm.id).await;
    let gone = storage.artifact_bytes(&wasm.id).await;
    assert!(matches!(&gone, Err(StorageError::Damaged(what)) if what.contains("gone")), "{gone:?}");
    assert!(!storage.add_artifact(&other, &wasm, &Quota::DEFAULT, &by()).await.unwrap().1);
    assert_eq!(storage.artifact_bytes(&wasm.id).await.unwrap(), wasm.bytes, "whoever of its owners uploads it");
    assert_eq!(storage.artifact_bytes(&second.id).await.unwrap(), second.bytes, "and nothing else has changed");

    let misnamed = NewArtifact { id: artifact(3).id, ..wasm };
    let refused = storage.add_artifact(&acme, &misnamed, &Quota::DEFAULT, &by()).await;
    assert!(matches!(refused, Err(StorageError::Invalid(_))), "{refused:?}");
    assert!(matches!(storage.artifact_bytes(&misnamed.id).await, Err(StorageError::Damaged(_))));
}

async fn open(ground: &Ground, objects: ObjectPlace) -> Storage {
    let master_keys = vec!["a".repeat(64).parse().unwrap()];
    Storage::open(Config { database: ground.place.clone(), objects, master_keys }).await.unwrap()
}

fn artifact(seed: u8) -> NewArtifact {
    let bytes = vec![seed; ARTIFACT_BYTES];
    let id = ArtifactId::from_sha256(Sha256::digest(&bytes).into());
    NewArtifact { id, bytes: bytes.into(), inspection: "{}".to_owned() }
}

fn server() -> String {
    std::env::var("CODENODE_TEST_S3").expect(
        "these tests need a server that speaks S3: run `cargo xtask test`, or `cargo xtask services` and set the variables that it prints",
    )
}

fn has_credentials() -> bool {
    std::env::var("AWS_ACCESS_KEY_ID").is_ok_and(|key| key == ACCESS_KEY)
}

/// Runs this test in an environment that has credentials, and nothing else of AWS's.
async fn again(test: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", "of no importance");
    let output = command.output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Passes connections on to the bucket's server, and cuts each off after so many bytes of the upload.
async fn cut_after(bytes: usize) -> String {
    let server = server().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let mut there = TcpStream::connect(&server).await.unwrap();
            let mut upload = client.take(bytes.try_into().unwrap());
            tokio::io::copy(&mut upload, &mut there).await.unwrap();
            there.shutdown().await.unwrap();
        }
    });
    here
}
