//! The code of the configured nodes: read, named by its bytes, prepared once.
//!
//! Nothing here fails as a whole: each artifact is ready, or has its problems.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::ArtifactId;
use sandbox::{PrepareError, Prepared, Sandbox};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::directory::Directory;

/// No artifact that we take is nearly as large; the sandbox has the exact limit.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// What is behind each artifact path: code that is ready, or why there is none.
pub(crate) type Artifacts = HashMap<PathBuf, Result<Arc<Prepared>, Vec<String>>>;

/// Prepares every artifact that `config` names. What `live` runs already, byte for byte, is taken from there, unless its compiled code
/// is gone or could not be loaded.
pub(crate) async fn prepare(config: &Config, live: &Directory, sandbox: &Sandbox) -> Artifacts {
    let mut ready = ready(live, sandbox).await;
    let nodes = config.tenants.values().flat_map(|tenant| tenant.nodes.values());
    let paths: BTreeSet<&PathBuf> = nodes.map(|node| &node.artifact).collect();
    let mut artifacts = Artifacts::new();
    for path in paths {
        let code = match read(path.clone()).await {
            Ok((id, bytes)) => match ready.get(&id) {
                Some(known) => known.clone(),
                None => {
                    let code = prepare_one(path, &bytes, sandbox).await;
                    ready.insert(id, code.clone());
                    code
                }
            },
            Err(error) => Err(vec![format!("{} cannot be read: {error}", path.display())]),
        };
        artifacts.insert(path.clone(), code);
    }
    artifacts
}

/// What runs already and can go on.
async fn ready(live: &Directory, sandbox: &Sandbox) -> HashMap<ArtifactId, Result<Arc<Prepared>, Vec<String>>> {
    let (all, sandbox): (Vec<_>, _) = (live.prepared().cloned().collect(), sandbox.clone());
    let kept =
        move || all.into_iter().filter(|code| sandbox.keeps(code)).map(|code| (code.artifact(), Ok(code))).collect();
    // Were it to panic, everything would be prepared anew.
    tokio::task::spawn_blocking(kept).await.unwrap_or_default()
}

async fn prepare_one(path: &Path, bytes: &[u8], sandbox: &Sandbox) -> Result<Arc<Prepared>, Vec<String>> {
    match sandbox.prepare(bytes).await {
        Ok(code) => Ok(code),
        Err(PrepareError::Refused(problems)) => {
            Err(problems.into_iter().map(|problem| format!("the artifact {} {problem}", path.display())).collect())
        }
        Err(error @ PrepareError::Busy) => Err(vec![format!("{}: {error}", path.display())]),
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
        let bytes = std::fs::read(&path)?;
        Ok((ArtifactId::from_sha256(Sha256::digest(&bytes).into()), bytes))
    };
    tokio::task::spawn_blocking(read).await?
}
