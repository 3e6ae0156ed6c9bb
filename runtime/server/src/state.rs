//! What the rooms of this server share: who serves, who may run, what ran, how the last reload went.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use sandbox::Sandbox;
use serde::Serialize;
use storage::Storage;
use tokio::sync::Semaphore;

use crate::admission::Gate;
use crate::config::{Config, Token};
use crate::deliveries::Deliveries;
use crate::directory::Directory;
use crate::listen::Seats;
use crate::manage::WrongKeys;
use crate::metrics::Refusals;
use crate::reach::Reach;
use crate::recorder::Recorder;
use crate::stored::Stored;
use crate::traces::Traces;

/// Artifacts that may be on their way in at once: each is held in memory until it is kept.
const UPLOADS: usize = 4;

/// One for each server.
pub(crate) struct State {
    pub(crate) directory: ArcSwap<Directory>,
    pub(crate) gate: Gate,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) sandbox: Sandbox,
    pub(crate) reach: Reach,
    pub(crate) refusals: Refusals,
    pub(crate) doors: Doors,
    pub(crate) stored: Stored,
    pub(crate) traces: Traces,
    /// Shown to the management side.
    pub(crate) wrong_keys: WrongKeys,
    /// Uploads under way.
    pub(crate) uploads: Semaphore,
    /// Replaced by a reload, so that a token can be rotated without a restart.
    pub(crate) token: ArcSwapOption<Token>,
    pub(crate) last_reload: ArcSwapOption<Reload>,
    /// Whether the metrics are shown without the token.
    pub(crate) open_metrics: bool,
    phase: AtomicU8,
}

/// The connections of both listeners.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    pub(crate) front_door: Seats,
    pub(crate) management: Seats,
}

/// How the last attempt to take over changed files went.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reload {
    pub(crate) at: Timestamp,
    /// Whether the new configuration serves. A node's own artifact may be bad all the same.
    pub(crate) taken_over: bool,
    /// What is wrong, nodes included.
    pub(crate) problems: Vec<String>,
}

/// Where the server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Preparing artifacts; the front door does not answer yet.
    Starting,
    /// Open.
    Serving,
    /// Finishing what is under way.
    Draining,
}

impl State {
    pub(crate) fn new(config: &Config, sandbox: Sandbox, reach: Reach, storage: Storage, doors: Doors) -> Self {
        let runs = &config.sandbox;
        Self {
            directory: ArcSwap::from_pointee(Directory::empty()),
            gate: Gate::new(runs.runs, runs.queue, runs.queue_wait),
            recorder: Arc::new(Recorder::new(config.records.clone())),
            deliveries: Deliveries::new(config.deliveries.clone()),
            sandbox,
            reach,
            refusals: Refusals::default(),
            doors,
            stored: Stored::new(storage),
            traces: Traces::new(&config.traces),
            wrong_keys: WrongKeys::default(),
            uploads: Semaphore::new(UPLOADS),
            token: ArcSwapOption::new(config.management.token.clone().map(Arc::new)),
            last_reload: ArcSwapOption::empty(),
            open_metrics: config.management.open_metrics,
            phase: AtomicU8::new(0),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Draining,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let number = match phase {
            Phase::Starting => 0,
            Phase::Serving => 1,
            Phase::Draining => 2,
        };
        self.phase.store(number, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::config::Environment;
    use crate::egress::Gateway;

    /// A state with this configuration and nothing prepared; it lives as long as its folder.
    pub(crate) async fn state(text: &str) -> (TempDir, Arc<State>) {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse(Path::new("codenode.toml"), text, &Environment::default()).unwrap();
        let sandbox = Sandbox::new(sandbox::Config {
            cache_dir: folder.path().join("compiled"),
            compiler: "no-compiler-in-unit-tests".into(),
            compile_limits: sandbox::compile::Limits {
                memory_bytes: 1 << 30,
                cpu_time: std::time::Duration::from_secs(1),
                wall_time: std::time::Duration::from_secs(1),
            },
            runs: 4,
            loaded: 4,
            loaded_bytes: 1 << 20,
            runners: None,
            stack_bytes: 512 << 10,
            tick: sandbox::DEFAULT_TICK,
        });
        let storage = storage_in(folder.path()).await;
        let reach = Reach::new(Gateway::open(&config.egress).unwrap(), &storage);
        let state = State::new(&config, sandbox.unwrap(), reach, storage, Doors::default());
        (folder, Arc::new(state))
    }

    async fn storage_in(folder: &Path) -> Storage {
        let config = storage::Config {
            database: storage::Place::Sqlite(folder.join("codenode.db")),
            objects: storage::ObjectPlace::Folder(folder.join("artifacts")),
            master_keys: vec!["a".repeat(64).parse().unwrap()],
        };
        Storage::open(config).await.unwrap()
    }
}
