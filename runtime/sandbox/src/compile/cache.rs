//! Compiled artifacts on disk, one folder for each configuration of the engine.
//!
//! Machine code is trusted when it is loaded. So it comes from a folder that only this user can reach, and its digest must be the
//! one that was written down when it was made; whatever else lies there is compiled anew.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use model::ArtifactId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::inspect::Inspection;

/// No compilation takes this long, so a draft of this age is nobody's.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// The folder of this engine's machine code.
pub(crate) struct Cache {
    folder: PathBuf,
}

/// What is written down beside the machine code.
#[derive(Serialize, Deserialize)]
struct Label {
    inspection: Inspection,
    code_sha256: String,
}

/// Machine code whose digest was checked.
pub(crate) struct Compiled {
    pub(crate) path: PathBuf,
    pub(crate) inspection: Inspection,
}

/// A file in the making; nobody sees it before it is whole.
pub(crate) struct Draft {
    path: PathBuf,
}

impl Cache {
    /// Opens the cache under `root`, made if absent, for the code of this engine.
    pub(crate) fn open(root: &Path, engine: &Engine) -> anyhow::Result<Self> {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        // A release may judge and lift artifacts differently: what an older one kept is not its word.
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        let root = std::path::absolute(root)?;
        let folder = root.join(format!("{:016x}", hasher.finish()));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.with_context(|| format!("cannot make the folder for compiled code {}", folder.display()))?;
        for folder in [&root, &folder] {
            let metadata = fs::metadata(folder)?;
            if metadata.mode() & 0o022 != 0 || metadata.uid() != rustix::process::geteuid().as_raw() {
                anyhow::bail!("{} can be written by others: give it to this user alone (chmod 700)", folder.display());
            }
        }
        let cache = Self { folder };
        cache.sweep();
        Ok(cache)
    }

    /// Removes the drafts that a process which was killed has left behind.
    fn sweep(&self) {
        let drafts = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "draft"));
        let age = |draft: &fs::DirEntry| draft.metadata().and_then(|metadata| metadata.modified()).ok()?.elapsed().ok();
        for draft in drafts.filter(|draft| age(draft).is_some_and(|age| age > ABANDONED)) {
            if let Err(error) = fs::remove_file(draft.path()) {
                tracing::warn!(%error, draft = %draft.path().display(), "an abandoned draft cannot be removed");
            }
        }
    }

    /// The machine code of an artifact, if it is there and whole.
    pub(crate) fn find(&self, artifact: ArtifactId) -> Option<Compiled> {
        let path = self.code(artifact);
        let label = fs::read(self.label(artifact)).ok()?;
        let label: Label = serde_json::from_slice(&label).ok()?;
        let mut file = File::open(&path).ok()?;
        let metadata = file.metadata().ok()?;
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
        let is_whole = is_ours
            && label.inspection.artifact == artifact.to_string()
            && sha256(&mut file).ok()? == label.code_sha256;
        if !is_whole {
            tracing::warn!(%artifact, "the compiled code on disk is not what was written; compiling it anew");
        }
        is_whole.then_some(Compiled { path, inspection: label.inspection })
    }

    /// A place to write machine code to.
    pub(crate) fn draft(&self, artifact: ArtifactId) -> io::Result<(Draft, File)> {
        let path = self.folder.join(format!("{artifact}.{}.draft", uuid::Uuid::new_v4()));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Draft { path }, file))
    }

    /// Takes a draft that is complete: durable first, then visible, the label last.
    pub(crate) fn keep(&self, artifact: ArtifactId, draft: &Draft, inspection: Inspection) -> anyhow::Result<Compiled> {
        let mut code = File::open(&draft.path)?;
        code.sync_all()?;
        let label = Label { inspection, code_sha256: sha256(&mut code)? };
        let (label_draft, file) = self.draft(artifact)?;
        serde_json::to_writer(&file, &label)?;
        file.sync_all()?;
        let path = self.code(artifact);
        fs::rename(&draft.path, &path)?;
        fs::rename(&label_draft.path, self.label(artifact))?;
        Ok(Compiled { path, inspection: label.inspection })
    }

    fn code(&self, artifact: ArtifactId) -> PathBuf {
        self.folder.join(format!("{artifact}.cwasm"))
    }

    fn label(&self, artifact: ArtifactId) -> PathBuf {
        self.folder.join(format!("{artifact}.json"))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A draft that was kept has moved; one that was not must not stay.
        let _ = fs::remove_file(&self.path);
    }
}

fn sha256(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut chunk)?;
        match chunk.get(..read) {
            None | Some([]) => break,
            Some(bytes) => hasher.update(bytes),
        }
    }
    Ok(ArtifactId::from_sha256(hasher.finalize().into()).to_string())
}
