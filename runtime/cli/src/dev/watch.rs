//! Hearing of changes in a project, however many come at once, and telling an author's from those that a build makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Nothing must have changed for so long before anybody looks: whoever writes may not be done.
const QUIET: Duration = Duration::from_millis(150);
/// Whoever never stops writing is looked at all the same.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Paths that are kept until somebody looks. One would be enough to wake us.
const MAX_PATHS: usize = 4096;
/// So many times in a row a build may start another by what it writes.
const MAX_BUILDS_BY_BUILDS: u32 = 3;
/// As far as a file is looked at to know whether it is still the same.
const LOOKED_AT_BYTES: u64 = 16 << 20;

/// What tools and we ourselves write, and no author does; names that begin with a dot are not looked at either.
const NOT_WRITTEN_BY_AUTHORS: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "venv"];

/// A project's folder, watched.
pub(super) struct Watch {
    folder: PathBuf,
    heard: Arc<Heard>,
    watcher: RecommendedWatcher,
    /// What the last builds wrote, with a hash of it.
    written: BTreeMap<PathBuf, u64>,
    builds_by_builds: u32,
}

/// What has changed since somebody looked, from the project's folder.
#[derive(Default)]
struct Heard {
    paths: Mutex<BTreeSet<PathBuf>>,
    more: Notify,
}

impl Watch {
    /// Hears of every change from now on.
    ///
    /// # Errors
    /// If the system watches nothing more.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
        let heard = Arc::new(Heard::default());
        let (hearing, root) = (Arc::clone(&heard), folder.clone());
        let hear = move |event: notify::Result<notify::Event>| match event {
            // Reading is no change: a build does much of it.
            Ok(event) if event.kind.is_access() => {}
            Ok(event) if !event.need_rescan() => {
                hearing.add(event.paths.iter().filter_map(|path| of_author(path, &root)));
            }
            // More has changed than could be told.
            Ok(_) | Err(_) => hearing.add([PathBuf::from(".")]),
        };
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(hear, config).context("cannot watch any folder")?;
        let mut watch = Self { folder, heard, watcher, written: BTreeMap::new(), builds_by_builds: 0 };
        watch.look_around()?;
        Ok(watch)
    }

    /// Waits for a change, and then until it is quiet. Gives a file that has changed, from the folder.
    ///
    /// # Errors
    /// If the system watches nothing more.
    pub(super) async fn changed(&mut self) -> anyhow::Result<PathBuf> {
        loop {
            self.heard.more.notified().await;
            let quiet = async { while timeout(QUIET, self.heard.more.notified()).await.is_ok() {} };
            // Elapsed: it is looked at as it is, and again when it goes on changing.
            let _ = timeout(MAX_WAIT, quiet).await;
            self.look_around()?;
            if let Some(first) = self.heard.take().pop_first() {
                return Ok(first);
            }
        }
    }

    /// Looks through what has changed while a build ran: what it wrote as it was before is no change, and neither is its artifact. The rest may be an
    /// author's work. Gives a file that each of too many builds in a row has changed; it starts no other.
    pub(super) async fn built(&mut self, artifact: Option<&Path>) -> Option<PathBuf> {
        // The last of it may be under way.
        sleep(QUIET).await;
        let artifact =
            artifact.map(|path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>());
        let paths = self.heard.take().into_iter().filter(|path| artifact.as_ref() != Some(path));
        let mut changed = Vec::new();
        for path in paths {
            let Some(hash) = hash(&self.folder.join(&path)) else { continue };
            if self.written.insert(path.clone(), hash) != Some(hash) {
                changed.push(path);
            }
        }
        self.builds_by_builds = if changed.is_empty() { 0 } else { self.builds_by_builds + 1 };
        if self.builds_by_builds > MAX_BUILDS_BY_BUILDS {
            return changed.into_iter().next();
        }
        self.heard.add(changed);
        None
    }

    /// Watches the folders that are there by now, but for those of builds and tools: they may hold more than the system watches.
    fn look_around(&mut self) -> anyhow::Result<()> {
        watch(&mut self.watcher, &self.folder, RecursiveMode::NonRecursive)?;
        let entries = fs::read_dir(&self.folder).with_context(|| format!("cannot read {}", self.folder.display()))?;
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for folder in folders.map(|entry| entry.path()).filter(|path| of_author(path, &self.folder).is_some()) {
            watch(&mut self.watcher, &folder, RecursiveMode::Recursive)?;
        }
        Ok(())
    }
}

impl Heard {
    fn add(&self, paths: impl IntoIterator<Item = PathBuf>) {
        let mut kept = self.paths();
        for path in paths {
            if kept.len() < MAX_PATHS {
                kept.insert(path);
            }
            self.more.notify_one();
        }
    }

    fn take(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.paths())
    }

    fn paths(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches a folder, if it is still there.
fn watch(watcher: &mut RecommendedWatcher, folder: &Path, mode: RecursiveMode) -> anyhow::Result<()> {
    match watcher.watch(folder, mode) {
        Err(error) if !is_gone(&error) => Err(error).with_context(|| {
            let shown = folder.display();
            format!("cannot watch {shown}: the system's limit of watches may be reached (fs.inotify.max_user_watches)")
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        ErrorKind::Generic(_) | ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) | ErrorKind::MaxFilesWatch => {
            false
        }
    }
}

/// A path from the project's folder, if it may be an author's work.
fn of_author(path: &Path, folder: &Path) -> Option<PathBuf> {
    let is_ours = |part: Component<'_>| {
        let name = part.as_os_str().to_string_lossy();
        // `4913` and `…~` are what vim leaves for a moment.
        name.starts_with('.')
            || name.ends_with('~')
            || name == "4913"
            || NOT_WRITTEN_BY_AUTHORS.contains(&name.as_ref())
    };
    let path = path.strip_prefix(folder).ok()?;
    (!path.as_os_str().is_empty() && !path.components().any(is_ours)).then(|| path.to_owned())
}

/// Of what a file begins with; `None` where there is no file any more.
fn hash(file: &Path) -> Option<u64> {
    let mut bytes = Vec::new();
    let file = File::open(file).ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))?;
    file.take(LOOKED_AT_BYTES).read_to_end(&mut bytes).ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const LATER: Duration = Duration::from_secs(1);

    fn watched() -> (tempfile::TempDir, Watch) {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::new(folder.path()).unwrap();
        (folder, watch)
    }

    async fn change(watch: &mut Watch) -> Option<PathBuf> {
        timeout(SOON, watch.changed()).await.ok().map(Result::unwrap)
    }

    async fn stays_quiet(watch: &mut Watch) {
        let heard = timeout(LATER, watch.changed()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_change_is_heard_of_and_none_is_lost_in_a_storm() {
        let (folder, mut watch) = watched();
        fs::create_dir_all(folder.path().join("target")).unwrap();
        for turn in 0..20_000 {
            fs::write(folder.path().join(format!("target/{turn}.o")), "x").unwrap();
        }
        fs::write(folder.path().join("main.py"), "x").unwrap();
        assert_eq!(change(&mut watch).await, Some("main.py".into()));
        stays_quiet(&mut watch).await;
        fs::create_dir(folder.path().join("events")).unwrap();
        assert_eq!(change(&mut watch).await, Some("events".into()));
        fs::write(folder.path().join("events/a.json"), "{}").unwrap();
        assert_eq!(change(&mut watch).await, Some("events/a.json".into()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_tools_and_editors_write_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["target/deps", ".codenode", "node_modules/a"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        let mut watch = Watch::new(folder.path()).unwrap();
        for written in ["target/deps/a.o", ".codenode/handler.py", "main.py~", "4913", "node_modules/a/b.js"] {
            fs::write(folder.path().join(written), "x").unwrap();
        }
        stays_quiet(&mut watch).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_build_writes_again_is_no_change_and_what_an_author_writes_meanwhile_is_one() {
        let (folder, mut watch) = watched();
        let build = || {
            fs::write(folder.path().join("made.wasm"), fs::read(folder.path().join("main.c")).unwrap()).unwrap();
            fs::write(folder.path().join("main.o"), "always the same").unwrap();
        };
        let artifact = Some(Path::new("./made.wasm"));
        fs::write(folder.path().join("main.c"), "1").unwrap();
        assert_eq!(change(&mut watch).await, Some("main.c".into()));
        build();
        assert_eq!(watch.built(artifact).await, None);
        assert_eq!(change(&mut watch).await, Some("main.o".into()), "nobody knows it yet");
        build();
        assert_eq!(watch.built(artifact).await, None);
        stays_quiet(&mut watch).await;

        fs::write(folder.path().join("main.c"), "2").unwrap();
        assert_eq!(change(&mut watch).await, Some("main.c".into()));
        build();
        fs::write(folder.path().join("main.c"), "3").unwrap();
        assert_eq!(watch.built(artifact).await, None);
        assert_eq!(change(&mut watch).await, Some("main.c".into()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn builds_that_never_write_the_same_start_no_others_without_end() {
        let (folder, mut watch) = watched();
        for turn in 0..=MAX_BUILDS_BY_BUILDS {
            fs::write(folder.path().join("build.log"), turn.to_string()).unwrap();
            let at_fault = watch.built(None).await;
            if turn < MAX_BUILDS_BY_BUILDS {
                assert_eq!((at_fault, change(&mut watch).await), (None, Some("build.log".into())));
            } else {
                assert_eq!(at_fault, Some("build.log".into()));
            }
        }
        stays_quiet(&mut watch).await;
        fs::write(folder.path().join("main.c"), "1").unwrap();
        assert_eq!(change(&mut watch).await, Some("main.c".into()), "an author is always heard");
    }
}
