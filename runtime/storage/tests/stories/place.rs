//! A fresh database for each test, and storage opened on it.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use model::{Actor, NodeId, TenantId};
use sqlx::Executor as _;
use storage::{Config, MasterKey, NewArtifact, ObjectPlace, Place, Storage};
use tempfile::TempDir;

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A database that goes when it is dropped; PostgreSQL's go with their cluster.
pub(crate) struct Ground {
    pub(crate) place: Place,
    folder: TempDir,
}

impl Ground {
    pub(crate) async fn fresh(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = match kind {
            Kind::Sqlite => Place::Sqlite(folder.path().join("state/codenode.db")),
            Kind::Postgres => Place::Postgres(fresh_postgres().await),
        };
        Self { place, folder }
    }

    pub(crate) async fn open(&self) -> Storage {
        self.open_with(&["a"]).await.unwrap()
    }

    /// With master keys of 64 times these digits.
    pub(crate) async fn open_with(&self, keys: &[&str]) -> storage::Result<Storage> {
        let objects = ObjectPlace::Folder(self.folder().join("artifacts"));
        Storage::open(Config {
            database: self.place.clone(),
            objects,
            master_keys: keys.iter().map(|key| master(key)).collect(),
        })
        .await
    }

    /// A way to the database past storage.
    pub(crate) async fn connect(&self) -> sqlx::AnyPool {
        let url = match &self.place {
            Place::Sqlite(file) => format!("sqlite:{}", file.display()),
            Place::Postgres(url) => url.clone(),
        };
        sqlx::AnyPool::connect(&url).await.unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn master(digit: &str) -> MasterKey {
    digit.repeat(64).parse().unwrap()
}

async fn fresh_postgres() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("CODENODE_TEST_POSTGRES").expect(
        "these tests need PostgreSQL: run `cargo xtask test`, or `cargo xtask services` and set the variables that it prints",
    );
    let name = format!("storage_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&server).await.unwrap();
    pool.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    pool.close().await;
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    url.to_string()
}

pub(crate) fn by() -> Actor {
    Actor::operator()
}

pub(crate) fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

pub(crate) fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

pub(crate) fn artifact(bytes: &'static [u8]) -> NewArtifact {
    use sha2::Digest as _;
    let id = model::ArtifactId::from_sha256(sha2::Sha256::digest(bytes).into());
    NewArtifact { id, bytes: bytes.into(), inspection: "{}".to_owned() }
}

/// Makes two tests of each story, one for each database.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($ground:ident) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                async fn story($ground: &Ground) $body

                #[tokio::test]
                async fn sqlite() {
                    story(&Ground::fresh(Kind::Sqlite).await).await;
                }

                #[tokio::test]
                async fn postgres() {
                    story(&Ground::fresh(Kind::Postgres).await).await;
                }
            }
        )*
    };
}
pub(crate) use on_both;
