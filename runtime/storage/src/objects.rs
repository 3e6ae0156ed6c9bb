//! The object store: artifacts by the SHA-256 of their bytes, in a folder or in a bucket.
//!
//! What was put there is on the disk (or acknowledged by the bucket), is never changed, and is checked against its name when it is read.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::ArtifactId;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig};
use sha2::{Digest as _, Sha256};

use crate::database::make_private;
use crate::times::{Times, timed};
use crate::{Result, StorageError};

/// For all attempts together. An artifact is tens of megabytes at most.
const TRANSFER_TIME: Duration = Duration::from_secs(30);
/// No attempt begins later, so that the last one has time.
const RETRY_TIME: Duration = Duration::from_secs(15);
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Where artifacts are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectPlace {
    /// A folder; made if absent, for this user alone.
    Folder(PathBuf),
    /// A bucket of an S3-compatible store; credentials come from the environment, as AWS's own tools read them.
    Bucket {
        /// `s3://bucket/prefix`.
        url: String,
        /// The store's address where it is not AWS's own, such as `https://minio.internal:9000`.
        endpoint: Option<String>,
    },
}

#[derive(Clone)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    times: Times,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.store)
    }
}

impl Objects {
    pub(crate) fn open(place: &ObjectPlace, times: &Times) -> Result<Self> {
        match place {
            ObjectPlace::Folder(folder) => {
                make_private(folder).map_err(|error| {
                    StorageError::Invalid(format!("the folder {} cannot be made: {error}", folder.display()))
                })?;
                let store = LocalFileSystem::new_with_prefix(folder).map_err(cannot("open the folder of artifacts"))?;
                Ok(Self { store: Arc::new(store.with_fsync(true)), prefix: Path::default(), times: times.clone() })
            }
            ObjectPlace::Bucket { url, endpoint } => bucket(url, endpoint.as_deref(), times),
        }
    }

    /// Keeps an artifact. What is there already is written anew: it is the same, unless it is damaged or was not on the disk yet.
    pub(crate) async fn put(&self, id: &ArtifactId, bytes: Bytes) -> Result<()> {
        let doing = "keep an artifact";
        if !is_named(id, &bytes) {
            return Err(StorageError::Invalid(format!(
                "these bytes are not the artifact {id}: name them by their SHA-256"
            )));
        }
        let path = self.path(id);
        self.in_time(doing, self.store.put(&path, bytes.into())).await.map(drop).map_err(cannot(doing))
    }

    /// An artifact's bytes, as they were put there.
    pub(crate) async fn get(&self, id: &ArtifactId) -> Result<Bytes> {
        let doing = "read an artifact";
        let path = self.path(id);
        let read = async { self.store.get(&path).await?.bytes().await };
        match self.in_time(doing, read).await {
            Ok(bytes) if is_named(id, &bytes) => Ok(bytes),
            Ok(_) => Err(StorageError::Damaged(format!("the bytes of the artifact {id} have changed"))),
            Err(object_store::Error::NotFound { .. }) => {
                Err(StorageError::Damaged(format!("the bytes of the artifact {id} are gone")))
            }
            Err(error) => Err(StorageError::unavailable(doing, error)),
        }
    }

    /// Removes an artifact's bytes, if they are there.
    pub(crate) async fn delete(&self, id: &ArtifactId) -> Result<()> {
        let doing = "remove an artifact";
        let path = self.path(id);
        match self.in_time(doing, self.store.delete(&path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StorageError::unavailable(doing, error)),
        }
    }

    async fn in_time<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let late =
            || object_store::Error::Generic { store: "objects", source: format!("it took too long to {doing}").into() };
        let done = timed(&self.times.objects, tokio::time::timeout(TRANSFER_TIME, work)).await;
        done.unwrap_or_else(|_| Err(late()))
    }

    /// `ab/cdef…`, so that no folder grows too large.
    fn path(&self, id: &ArtifactId) -> Path {
        let name = id.to_string();
        let (start, rest) = name.split_at_checked(2).unwrap_or((&name, ""));
        self.prefix.clone().join(start).join(rest)
    }
}

fn is_named(id: &ArtifactId, bytes: &[u8]) -> bool {
    ArtifactId::from_sha256(Sha256::digest(bytes).into()) == *id
}

fn bucket(url: &str, endpoint: Option<&str>, times: &Times) -> Result<Objects> {
    // reqwest takes the process's provider; whoever was first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let client =
        ClientOptions::new().with_connect_timeout(CONNECT_TIME).with_timeout(TRANSFER_TIME).with_allow_http(is_plain);
    let retry = RetryConfig { max_retries: 3, retry_timeout: RETRY_TIME, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env().with_url(url).with_client_options(client).with_retry(retry);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let store = builder.build().map_err(cannot("use the bucket"))?;
    let prefix = url::Url::parse(url).map_err(|error| StorageError::Invalid(format!("`{url}` is no URL: {error}")))?;
    Ok(Objects { store: Arc::new(store), prefix: Path::from(prefix.path()), times: times.clone() })
}

fn cannot(doing: &'static str) -> impl FnOnce(object_store::Error) -> StorageError {
    move |error| StorageError::unavailable(doing, error)
}
