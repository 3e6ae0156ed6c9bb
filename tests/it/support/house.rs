//! A sandbox with a cache of its own, and a runtime like the ones that the server runs guests on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Event, Limits, Run};
use sandbox::inputs::Inputs;
use sandbox::{
    Config, DEFAULT_LOADED, DEFAULT_LOADED_BYTES, DEFAULT_STACK_BYTES, DEFAULT_TICK, Grants, PrepareError, Prepared,
    Sandbox, compile,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::guest;

/// Everything goes when it is dropped.
pub(crate) struct House {
    pub(crate) sandbox: Sandbox,
    pub(crate) runtime: Runtime,
    folder: TempDir,
}

impl House {
    /// Room for eight runs, and the limits of production.
    pub(crate) fn open() -> Self {
        Self::with(|_| {})
    }

    /// The same, set up otherwise.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let sandbox = sandbox_in(folder.path(), change).unwrap();
        Self { sandbox, runtime: runtime(), folder }
    }

    /// Compiles a guest that nothing is wrong with.
    pub(crate) fn prepare(&self, artifact: &[u8]) -> Arc<Prepared> {
        self.try_prepare(artifact).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Compiles a guest, or says why not.
    pub(crate) fn try_prepare(&self, artifact: &[u8]) -> Result<Arc<Prepared>, PrepareError> {
        self.runtime.block_on(self.sandbox.prepare(artifact))
    }

    /// One run on the smallest event.
    pub(crate) fn run(&self, prepared: &Prepared, limits: &Limits) -> Run {
        self.run_on("{}", prepared, limits)
    }

    /// One run that reaches nothing.
    pub(crate) fn run_on(&self, event: &str, prepared: &Prepared, limits: &Limits) -> Run {
        self.run_granted(event, prepared, limits, Grants::default())
    }

    /// One run that reaches what it is granted.
    pub(crate) fn run_granted(
        &self,
        event: &str,
        prepared: &Prepared,
        limits: &Limits,
        inputs: impl Into<Inputs>,
    ) -> Run {
        let event = self::event(event);
        self.runtime.block_on(self.sandbox.run(prepared, &event, limits, inputs, &CancellationToken::new()))
    }

    /// Prepares and runs a guest of `tests/guests`.
    pub(crate) fn try_out(&self, name: &str, limits: &Limits) -> Run {
        self.run(&self.prepare(&guest::named(name)), limits)
    }

    /// The files of the cache that end in `.{extension}`.
    pub(crate) fn cached(&self, extension: &str) -> Vec<PathBuf> {
        cached(self.folder.path(), extension)
    }

    /// Where the cache is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A sandbox whose cache is `folder/cache` and whose compile child is the binary under test.
pub(crate) fn sandbox_in(folder: &Path, change: impl FnOnce(&mut Config)) -> anyhow::Result<Sandbox> {
    let mut config = Config {
        cache_dir: folder.join("cache"),
        compiler: env!("CARGO_BIN_EXE_codenode").into(),
        compile_limits: compile::Limits::default(),
        runs: 8,
        loaded: DEFAULT_LOADED,
        loaded_bytes: DEFAULT_LOADED_BYTES,
        runners: None,
        stack_bytes: DEFAULT_STACK_BYTES,
        tick: DEFAULT_TICK,
    };
    change(&mut config);
    Sandbox::new(config)
}

/// The files under `folder/cache` that end in `.{extension}`, whatever the engine.
pub(crate) fn cached(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let engines = std::fs::read_dir(folder.join("cache")).unwrap().map(|entry| entry.unwrap().path());
    let files = engines.flat_map(|engine| std::fs::read_dir(engine).unwrap().map(|entry| entry.unwrap().path()));
    files.filter(|file| file.extension().is_some_and(|found| found == extension)).collect()
}

/// One thread, as each of the server's.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// An event that nothing is wrong with.
pub(crate) fn event(json: &str) -> Event {
    Event::parse(json.as_bytes().to_vec()).unwrap()
}
