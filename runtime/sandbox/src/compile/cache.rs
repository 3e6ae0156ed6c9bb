//! Compiled artifacts on disk, one folder for each configuration of the engine.
//!
//! Machine code is trusted when it is loaded. So it comes from a folder that only this user can reach, and its digest must be the
//! one that was written down when it was made, each time that it is loaded; whatever else lies there is compiled anew.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use model::ArtifactId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::inspect::Inspection;

/// No compilation takes this long, so a draft of this age is nobody's.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// As long does the folder of another engine stay after its last use: going back to an older release is quick, and one that still runs beside this
/// one keeps its own.
const UNUSED: Duration = Duration::from_secs(7 * 86_400);

/// The folder of this engine's machine code.
pub(crate) struct Cache {
    root: PathBuf,
    folder: PathBuf,
}

/// What is written down beside the machine code.
#[derive(Serialize, Deserialize)]
struct Label {
    inspection: Inspection,
    code_sha256: String,
}

/// An artifact's machine code, and what is written down beside it.
pub(crate) struct Compiled {
    pub(crate) code: Code,
    pub(crate) code_sha256: String,
    pub(crate) inspection: Inspection,
}

/// Machine code whose owner, mode and digest were checked. It stays open, so that what is loaded is what was checked.
pub(crate) struct Code {
    file: File,
    bytes: u64,
}

/// Why machine code is not taken from the cache: "compiled code …".
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("is gone from the cache")]
    Gone,
    #[error("could have been written by others")]
    Exposed,
    #[error("is not what was written")]
    Changed,
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
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
        let cache = Self { root, folder };
        cache.make_folders()?;
        cache.sweep();
        cache.touch(SystemTime::now());
        Ok(cache)
    }

    /// Makes what is missing of the two folders, and refuses those that others could write to.
    fn make_folders(&self) -> anyhow::Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.with_context(|| format!("cannot make the folder for compiled code {}", self.folder.display()))?;
        for folder in [&self.root, &self.folder] {
            if !is_ours_alone(&fs::metadata(folder)?) {
                anyhow::bail!("{} can be written by others: give it to this user alone (chmod 700)", folder.display());
            }
        }
        Ok(())
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

    /// Says that this folder is in use, and removes those that no engine has used for a week. Tells how many.
    pub(crate) fn tidy(&self, now: SystemTime) -> usize {
        self.touch(now);
        let folders = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let unused =
            folders.filter(|entry| is_of_an_engine(entry) && entry.path() != self.folder && is_unused(entry, now));
        unused.filter(|entry| remove(&entry.path())).count()
    }

    /// Whoever looks for folders that nobody uses sees by its time that somebody does.
    fn touch(&self, now: SystemTime) {
        let touched = File::open(&self.folder).and_then(|folder| folder.set_modified(now));
        if let Err(error) = touched {
            tracing::warn!(%error, folder = %self.folder.display(), "the folder for compiled code cannot be marked as used");
        }
    }

    /// The machine code of an artifact, if it is there and whole. It reads all of it.
    pub(crate) fn find(&self, artifact: ArtifactId) -> Option<Compiled> {
        let label = fs::read(self.label(artifact)).ok()?;
        let Label { inspection, code_sha256 } = serde_json::from_slice(&label).ok()?;
        let named = if inspection.artifact == artifact.to_string() { Ok(()) } else { Err(Unusable::Changed) };
        match named.and_then(|()| self.open_code(artifact, &code_sha256)) {
            Ok(code) => Some(Compiled { code, code_sha256, inspection }),
            Err(why) => {
                tracing::warn!(%artifact, %why, "the compiled code on disk cannot be used; compiling it anew");
                None
            }
        }
    }

    /// Opens an artifact's machine code, which must have this digest. It reads all of it.
    ///
    /// # Errors
    /// [`Unusable`]; but for [`Unusable::Unreadable`], only compiling the artifact anew helps.
    pub(crate) fn open_code(&self, artifact: ArtifactId, code_sha256: &str) -> Result<Code, Unusable> {
        let mut file = File::open(self.code(artifact)).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound { Unusable::Gone } else { Unusable::Unreadable(error) }
        })?;
        let metadata = file.metadata().map_err(Unusable::Unreadable)?;
        if !is_ours_alone(&metadata) {
            return Err(Unusable::Exposed);
        }
        if sha256(&mut file).map_err(Unusable::Unreadable)? != code_sha256 {
            return Err(Unusable::Changed);
        }
        Ok(Code { file, bytes: metadata.len() })
    }

    /// Whether there is machine code of an artifact, good or bad.
    pub(crate) fn has_code(&self, artifact: ArtifactId) -> bool {
        self.code(artifact).exists()
    }

    /// A place to write machine code to.
    pub(crate) fn draft(&self, artifact: ArtifactId) -> anyhow::Result<(Draft, File)> {
        // Somebody may have cleaned up while we were running.
        self.make_folders()?;
        let path = self.folder.join(format!("{artifact}.{}.draft", uuid::Uuid::new_v4()));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Draft { path }, file))
    }

    /// Takes a draft that is complete: durable first, then visible, the label last.
    pub(crate) fn keep(&self, artifact: ArtifactId, draft: &Draft, inspection: Inspection) -> anyhow::Result<Compiled> {
        let mut file = File::open(&draft.path)?;
        file.sync_all()?;
        let label = Label { inspection, code_sha256: sha256(&mut file)? };
        let (label_draft, label_file) = self.draft(artifact)?;
        serde_json::to_writer(&label_file, &label)?;
        label_file.sync_all()?;
        fs::rename(&draft.path, self.code(artifact))?;
        fs::rename(&label_draft.path, self.label(artifact))?;
        let Label { inspection, code_sha256 } = label;
        let bytes = file.metadata()?.len();
        Ok(Compiled { code: Code { file, bytes }, code_sha256, inspection })
    }

    fn code(&self, artifact: ArtifactId) -> PathBuf {
        self.folder.join(format!("{artifact}.cwasm"))
    }

    fn label(&self, artifact: ArtifactId) -> PathBuf {
        self.folder.join(format!("{artifact}.json"))
    }
}

impl Code {
    /// A path that leads to this very file as long as it is open, whatever has its name by then.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Its size.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A draft that was kept has moved; one that was not must not stay.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether it is a folder that we made, by its name and its owner; nothing else is ours to remove.
fn is_of_an_engine(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let is_named = name.len() == 16 && name.to_string_lossy().bytes().all(|byte| byte.is_ascii_hexdigit());
    is_named && entry.metadata().is_ok_and(|metadata| metadata.is_dir() && is_ours_alone(&metadata))
}

fn is_unused(folder: &fs::DirEntry, now: SystemTime) -> bool {
    let used = folder.metadata().and_then(|metadata| metadata.modified());
    used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > UNUSED))
}

/// Whoever uses it all the same compiles anew what it has not loaded yet.
fn remove(folder: &Path) -> bool {
    match fs::remove_dir_all(folder) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "compiled code that nobody uses any more cannot be removed");
            false
        }
    }
}

/// Whether this user alone can have written it.
fn is_ours_alone(metadata: &fs::Metadata) -> bool {
    metadata.mode() & 0o022 == 0 && metadata.uid() == rustix::process::geteuid().as_raw()
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
