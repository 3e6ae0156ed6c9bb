//! Noticing that files have changed, however they were saved.
//!
//! The kernel's notifications only wake us: what counts is whether the files look different now. So an editor's renames, a symbolic link that
//! points elsewhere and a file system without notifications all come to the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::{debug, warn};

/// How often the files are looked at where no notification comes.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Files must look the same for this long before they are read: whoever writes them may not be done.
const SETTLE_TIME: Duration = Duration::from_millis(200);
/// Then they are read in any case; if they were not whole, they change again.
const MAX_SETTLE_LOOKS: u32 = 25;

/// A set of files, and how they looked when they were last read.
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    woken: Arc<Notify>,
    directories: BTreeSet<PathBuf>,
    seen: BTreeMap<PathBuf, Look>,
}

/// Whatever changes when a file does: time, size and identity, or `None` for no file.
type Look = Option<(SystemTime, u64, Identity)>;

impl Watch {
    /// Watches `files`, as they look now.
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        let woken = Arc::new(Notify::new());
        let bell = Arc::clone(&woken);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| event.kind.is_access()) {
                bell.notify_one();
            }
        });
        let watcher = watcher.map_err(|error| cannot_watch(&error)).ok();
        let mut watch = Self { watcher, woken, directories: BTreeSet::new(), seen: BTreeMap::new() };
        watch.set(files);
        watch
    }

    /// Takes the files as they look now for seen. Call it before they are read, so that no later change is missed.
    pub(crate) fn catch_up(&mut self) {
        self.seen = look(self.seen.keys().cloned().collect());
    }

    /// Watches `files` from now on. What was watched before is seen as it was then.
    pub(crate) fn set(&mut self, files: Vec<PathBuf>) {
        let directories: BTreeSet<PathBuf> = files.iter().flat_map(|file| directories_of(file)).collect();
        if let Some(watcher) = &mut self.watcher {
            for gone in self.directories.difference(&directories) {
                if let Err(error) = watcher.unwatch(gone) {
                    debug!(%error, directory = %gone.display(), "cannot stop watching a directory");
                }
            }
            for new in directories.difference(&self.directories) {
                if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                    cannot_watch(&error);
                }
            }
        }
        self.directories = directories;
        let mut fresh = look(files);
        for (file, seen) in &mut fresh {
            if let Some(before) = self.seen.get(file) {
                *seen = *before;
            }
        }
        self.seen = fresh;
    }

    /// Waits until a file has changed and then stays as it is.
    pub(crate) async fn changed(&self) {
        loop {
            // Elapsed or woken: both only mean that it is worth a look.
            let _ = timeout(LOOK_INTERVAL, self.woken.notified()).await;
            let mut last = self.look().await;
            if last == self.seen {
                // A busy directory must not make us look without pause.
                tokio::time::sleep(SETTLE_TIME).await;
                continue;
            }
            for _ in 0..MAX_SETTLE_LOOKS {
                tokio::time::sleep(SETTLE_TIME).await;
                let now = self.look().await;
                if now == last {
                    break;
                }
                last = now;
            }
            return;
        }
    }

    async fn look(&self) -> BTreeMap<PathBuf, Look> {
        let files = self.seen.keys().cloned().collect();
        // Were the look cancelled by a runtime that goes down, nothing would have changed.
        tokio::task::spawn_blocking(move || look(files)).await.unwrap_or_else(|_| self.seen.clone())
    }
}

fn cannot_watch(error: &notify::Error) {
    warn!(%error, "changed files are noticed only every {LOOK_INTERVAL:?}");
}

fn look(files: Vec<PathBuf>) -> BTreeMap<PathBuf, Look> {
    let look = |file: &Path| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), identity(&metadata)))
    };
    files.into_iter().map(|file| (look(&file), file)).map(|(look, file)| (file, look)).collect()
}

#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = ();

/// Device and inode: a file moved into the place of another may have its size and time.
#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Identity {}

/// The file's directory, and the one that it really is in where it is a symbolic link.
fn directories_of(file: &Path) -> Vec<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    };
    let target = std::fs::canonicalize(file).map(|target| parent(&target));
    std::iter::once(parent(file)).chain(target).filter(|directory| directory.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(8);

    #[tokio::test]
    async fn every_way_to_save_a_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("codenode.toml");
        let mut watch = Watch::new(vec![file.clone()]);

        std::fs::write(&file, "made").unwrap();
        timeout(SOON, watch.changed()).await.expect("a new file");

        watch.catch_up();
        std::fs::write(&file, "written again").unwrap();
        timeout(SOON, watch.changed()).await.expect("a file written again");

        watch.catch_up();
        let beside = folder.path().join(".codenode.toml.swp");
        std::fs::write(&beside, "moved into its place").unwrap();
        std::fs::rename(&beside, &file).unwrap();
        timeout(SOON, watch.changed()).await.expect("a file moved into its place");

        watch.catch_up();
        std::fs::remove_file(&file).unwrap();
        timeout(SOON, watch.changed()).await.expect("a file removed");
    }

    #[tokio::test]
    async fn other_files_beside_it_are_not_our_concern() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("codenode.toml");
        std::fs::write(&file, "stays").unwrap();
        let watch = Watch::new(vec![file]);
        std::fs::write(folder.path().join("else"), "x").unwrap();
        assert!(timeout(Duration::from_millis(700), watch.changed()).await.is_err());
    }
}
