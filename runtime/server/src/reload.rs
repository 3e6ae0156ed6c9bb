//! Taking over changed files while the server runs.
//!
//! It works beside the hot path and fails as a whole or not at all: a configuration with a problem changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use storage::StorageError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::artifacts;
use crate::config::{Config, DEFAULT_FILE, Environment};
use crate::directory::Directory;
use crate::listen::Tls;
use crate::state::{Reload, State};
use crate::stored;
use crate::watch::Watch;

/// Between two takings-over on account of damaged code, so that a broken disk does not keep the compiler busy.
const MEND_INTERVAL: Duration = Duration::from_secs(10);

/// Keeps a server's [`State`] as its files say.
pub(crate) struct Reloader {
    pub(crate) state: Arc<State>,
    /// The file that somebody named; `None` looks for the default one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Environment,
    pub(crate) tls: Option<Tls>,
    /// What serves now.
    pub(crate) config: Config,
}

impl Reloader {
    /// Takes over changes, on a signal, when a file changes or when compiled code is damaged, until `shutdown`.
    pub(crate) async fn run(mut self, mut watch: Watch, mut hang_up: Option<Signal>, shutdown: CancellationToken) {
        let mut next_mend = Instant::now();
        loop {
            let asked = async {
                match &mut hang_up {
                    Some(hang_up) => hang_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            let damaged = async {
                tokio::time::sleep_until(next_mend).await;
                self.state.sandbox.damaged().await;
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = asked => info!("SIGHUP: reading the configuration again"),
                () = damaged => {
                    next_mend = Instant::now() + MEND_INTERVAL;
                    warn!("compiled code is gone or damaged: preparing it anew");
                }
                () = watch.changed() => info!("a file has changed: reading the configuration again"),
            }
            watch.catch_up();
            if shutdown.run_until_cancelled(self.reload(&mut watch)).await.is_none() {
                return;
            }
        }
    }

    /// Reads everything again.
    async fn reload(&mut self, watch: &mut Watch) {
        let (file, environment) = (self.file.clone(), self.environment.clone());
        let load = move || Config::load(file.as_deref(), &environment);
        let config = match tokio::task::spawn_blocking(load).await {
            Ok(Ok(config)) => config,
            Ok(Err(error)) => return self.refuse(error.problems.iter().map(ToString::to_string).collect()),
            Err(error) => return self.refuse(vec![format!("reading the configuration failed: {error}")]),
        };
        watch.set(watch_list(&config, self.file.as_deref()));
        let tls_problem = self.tls.as_ref().and_then(|tls| tls.reload().err()).map(|error| error.to_string());
        if let Err(error) = self.take_over(config, tls_problem).await {
            warn!(%error, "the stored nodes stay as they are");
        }
    }

    /// Prepares what `config` needs, then lets it serve.
    ///
    /// # Errors
    /// The stored nodes cannot be read, and stay as they are.
    pub(crate) async fn take_over(&mut self, config: Config, tls_problem: Option<String>) -> Result<(), StorageError> {
        warn_of_restart(&self.config, &config);
        let old = self.state.directory.load_full();
        let artifacts = artifacts::prepare(&config, &old, &self.state.sandbox).await;
        let writer = self.state.stored.writer.lock().await;
        let reach = &self.state.reach;
        reach.gateway.open_networks(&config.tenants);
        let directory = Directory::build(&config, &artifacts, reach, &self.state.directory.load_full());
        reach.key_values.take_quotas(|tenant| directory.quota(tenant));
        let of_nodes =
            directory.nodes().into_iter().filter(|live| !live.is_stored()).flat_map(|live| {
                live.problems.iter().map(|problem| format!("{}/{}: {problem}", live.tenant, live.node))
            });
        let problems: Vec<String> = tls_problem.into_iter().chain(of_nodes).collect();
        let nodes = directory.nodes().len();
        self.state.directory.store(Arc::new(directory));
        drop(writer);
        // The limits of the host are theirs too, and their code may be what is damaged.
        let stored = stored::refresh_all(&self.state, None).await;
        self.state.token.store(config.management.token.clone().map(Arc::new));
        self.config = config;
        for problem in &problems {
            error!(problem, "not everything serves as configured");
        }
        info!(nodes, problems = problems.len(), "the configuration serves");
        self.note(true, problems);
        stored
    }

    fn refuse(&self, problems: Vec<String>) {
        for problem in &problems {
            error!(problem, "the new configuration is refused; the old one goes on serving");
        }
        self.note(false, problems);
    }

    fn note(&self, taken_over: bool, problems: Vec<String>) {
        self.state.last_reload.store(Some(Arc::new(Reload { at: Timestamp::now(), taken_over, problems })));
    }
}

/// Hears SIGHUP from now on. Ask before anything slow: until then the signal ends the process.
pub(crate) fn hang_up() -> Option<Signal> {
    signal(SignalKind::hangup()).inspect_err(|error| warn!(%error, "SIGHUP is not heard")).ok()
}

/// Every file that `config` was made from or points to.
pub(crate) fn watch_list(config: &Config, file: Option<&Path>) -> Vec<PathBuf> {
    let mut files = vec![file.unwrap_or(Path::new(DEFAULT_FILE)).to_owned()];
    files.extend(config.referenced_files.iter().cloned());
    files.extend(config.tenants.values().flat_map(|tenant| tenant.nodes.values()).map(|node| node.artifact.clone()));
    files.extend(config.front_door.tls.iter().flat_map(|tls| [tls.certificate.clone(), tls.key.clone()]));
    files.sort();
    files.dedup();
    files
}

/// Names what only a new start can change.
fn warn_of_restart(old: &Config, new: &Config) {
    let token = &old.management.token;
    let management = crate::config::Management { token: token.clone(), ..new.management.clone() };
    for (section, changed) in [
        ("front_door", old.front_door != new.front_door),
        ("management", old.management != management),
        ("storage", old.storage != new.storage),
        ("records", old.records != new.records),
        ("deliveries", old.deliveries != new.deliveries),
        ("sandbox", old.sandbox != new.sandbox),
        ("egress", old.egress != new.egress),
        ("log", old.log != new.log),
    ] {
        if changed {
            warn!(section, "this section has changed; restart codenode for it to take effect");
        }
    }
}
