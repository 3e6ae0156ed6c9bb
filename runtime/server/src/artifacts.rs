//! The code of the configured nodes: read, named by its bytes, prepared once.
//!
//! Nothing here fails as a whole: each artifact is ready, or has its problems.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use model::ArtifactId;
use sandbox::{PrepareError, Prepared, Sandbox, source};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tracing::error;

use crate::config::Config;
use crate::directory::Directory;

/// No artifact that we take is nearly as large; the sandbox has the exact limit.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// What is behind each artifact path: code that is ready, or why there is none.
pub(crate) type Artifacts = HashMap<PathBuf, Result<Arc<Prepared>, Vec<String>>>;

/// Code that is ready, or why there is none, by the artifact's name: looked for once, however many paths lead to the same bytes.
type Known = HashMap<ArtifactId, Arc<OnceCell<Result<Arc<Prepared>, Vec<String>>>>>;

/// Prepares every artifact that `config` names, as many at once as there are cores. What `live` runs already, byte for byte, is taken from
/// there, unless its compiled code is gone or could not be loaded.
pub(crate) async fn prepare(config: &Config, live: &Directory, sandbox: &Sandbox) -> Artifacts {
    let nodes = config.tenants.values().flat_map(|tenant| tenant.nodes.values());
    let paths: BTreeSet<&PathBuf> = nodes.map(|node| &node.artifact).collect();
    let known = Arc::new(Mutex::new(ready(live, sandbox).await));
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut paths, mut underway, mut artifacts) = (paths.into_iter(), JoinSet::new(), Artifacts::new());
    loop {
        for path in paths.by_ref().take(at_once - underway.len()) {
            underway.spawn(look_at(path.clone(), Arc::clone(&known), sandbox.clone()));
        }
        match underway.join_next().await {
            Some(Ok((path, code))) => artifacts.insert(path, code),
            // The directory says of a path that is missing that it was not looked at.
            Some(Err(error)) => {
                error!(%error, "preparing an artifact panicked");
                continue;
            }
            None => return artifacts,
        };
    }
}

async fn look_at(
    path: PathBuf,
    known: Arc<Mutex<Known>>,
    sandbox: Sandbox,
) -> (PathBuf, Result<Arc<Prepared>, Vec<String>>) {
    let code = match read(path.clone()).await {
        Ok((id, bytes)) => {
            let place = Arc::clone(known.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
            place.get_or_init(|| prepare_one(&path, &bytes, &sandbox)).await.clone()
        }
        Err(error) => Err(vec![format!("{} cannot be read: {error}", path.display())]),
    };
    (path, code)
}

/// What runs already and can go on.
async fn ready(live: &Directory, sandbox: &Sandbox) -> Known {
    let (all, sandbox): (Vec<_>, _) = (live.prepared().cloned().collect(), sandbox.clone());
    let place = |code: Arc<Prepared>| (code.artifact(), Arc::new(OnceCell::from(Ok(code))));
    let kept = move || all.into_iter().filter(|code| sandbox.keeps(code)).map(place).collect();
    // Were it to panic, everything would be prepared anew.
    tokio::task::spawn_blocking(kept).await.unwrap_or_default()
}

async fn prepare_one(path: &Path, bytes: &[u8], sandbox: &Sandbox) -> Result<Arc<Prepared>, Vec<String>> {
    match sandbox.prepare(bytes).await {
        Ok(code) => Ok(code),
        Err(PrepareError::Refused(problems)) => {
            Err(problems.into_iter().map(|problem| format!("the artifact {} {problem}", path.display())).collect())
        }
        Err(error @ (PrepareError::Busy | PrepareError::NoRunner(..))) => {
            Err(vec![format!("{}: {error}", path.display())])
        }
        Err(PrepareError::Host(error)) => {
            Err(vec![format!("{} could not be prepared: {error:#}; send SIGHUP to try again", path.display())])
        }
    }
}

/// The file's bytes and their name. Hashing takes milliseconds, so it has a thread of its own.
async fn read(path: PathBuf) -> anyhow::Result<(ArtifactId, Vec<u8>)> {
    let read = move || {
        let metadata = std::fs::metadata(&path)?;
        anyhow::ensure!(metadata.is_file(), "it is not a file");
        anyhow::ensure!(metadata.len() <= MAX_FILE_BYTES, "it is larger than 512 MiB");
        let bytes = source::artifact_of(&path, std::fs::read(&path)?);
        Ok((ArtifactId::from_sha256(Sha256::digest(&bytes).into()), bytes))
    };
    tokio::task::spawn_blocking(read).await?
}
