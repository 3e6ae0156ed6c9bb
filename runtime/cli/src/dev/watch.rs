//! Hearing of changes in a project, however many come at once.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

/// Nothing must have changed for so long before anybody looks: whoever writes may not be done.
const QUIET: Duration = Duration::from_millis(150);
/// Whoever never stops writing is looked at all the same.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Events that wait. More are dropped, which changes nothing: those that wait are enough to wake us.
const WAITING: usize = 4096;

/// What builds, tools and we ourselves write, and no author does; names that begin with a dot are not looked at either.
const NOT_WRITTEN_BY_AUTHORS: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "venv"];

/// A project's folder, watched.
pub(super) struct Watch {
    folder: PathBuf,
    changed: Receiver<Vec<PathBuf>>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Hears of every change from now on.
    ///
    /// # Errors
    /// If the system watches nothing more.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.display();
        let folder = folder.canonicalize().with_context(|| format!("cannot find {shown}"))?;
        let (sender, changed) = channel(WAITING);
        let heard = move |event: notify::Result<notify::Event>| {
            // Reading is no change: a build does much of it.
            if let Ok(event) = event
                && !event.kind.is_access()
            {
                let _ = sender.try_send(event.paths);
            }
        };
        let cannot = || {
            format!("cannot watch {shown}: the system's limit of watches may be reached (fs.inotify.max_user_watches)")
        };
        let mut watcher = notify::recommended_watcher(heard).with_context(cannot)?;
        watcher.watch(&folder, RecursiveMode::Recursive).with_context(cannot)?;
        Ok(Self { folder, changed, _watcher: watcher })
    }

    /// Waits for a change, and then until it is quiet. Gives a file that has changed, from the folder.
    ///
    /// `made` is what a build writes, which is no change.
    pub(super) async fn changed(&mut self, made: Option<&Path>) -> PathBuf {
        loop {
            let Some(paths) = self.changed.recv().await else { return std::future::pending().await };
            let Some(first) = self.first_of_authors(&paths, made) else { continue };
            let quiet = async { while let Ok(Some(_)) = timeout(QUIET, self.changed.recv()).await {} };
            // Elapsed: it is looked at as it is, and again when it goes on changing.
            let _ = timeout(MAX_WAIT, quiet).await;
            return first;
        }
    }

    fn first_of_authors(&self, paths: &[PathBuf], made: Option<&Path>) -> Option<PathBuf> {
        let below = paths.iter().filter_map(|path| path.strip_prefix(&self.folder).ok());
        below.filter(|path| is_of_authors(path) && Some(*path) != made).map(Path::to_owned).next()
    }
}

/// Whether a path below the project may be an author's work.
fn is_of_authors(path: &Path) -> bool {
    let is_ours = |part: Component<'_>| {
        let name = part.as_os_str().to_string_lossy();
        // `4913` and `…~` are what vim leaves for a moment.
        name.starts_with('.')
            || name.ends_with('~')
            || name == "4913"
            || NOT_WRITTEN_BY_AUTHORS.contains(&name.as_ref())
    };
    !path.as_os_str().is_empty() && !path.components().any(is_ours)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_storm_of_changes_is_one_change() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(folder.path()).unwrap();
        for turn in 0..2_000 {
            fs::write(folder.path().join(format!("{}.py", turn % 20)), turn.to_string()).unwrap();
        }
        assert!(timeout(SOON, watch.changed(None)).await.unwrap().extension().is_some_and(|ending| ending == "py"));
        let again = timeout(Duration::from_secs(1), watch.changed(None)).await;
        assert!(again.is_err(), "{again:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_built_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("target/deps")).unwrap();
        fs::create_dir_all(folder.path().join(".codenode")).unwrap();
        let mut watch = Watch::new(folder.path()).unwrap();
        for built in ["target/deps/a.o", ".codenode/handler.py", "main.py~", "made.wasm"] {
            fs::write(folder.path().join(built), "x").unwrap();
        }
        let heard = timeout(Duration::from_secs(1), watch.changed(Some(Path::new("made.wasm")))).await;
        assert!(heard.is_err(), "{heard:?}");
        fs::create_dir(folder.path().join("events")).unwrap();
        fs::write(folder.path().join("events/a.json"), "{}").unwrap();
        assert!(timeout(SOON, watch.changed(None)).await.unwrap().starts_with("events"));
    }
}
