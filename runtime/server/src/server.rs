//! The life of a server: open the doors, prepare the nodes, serve, drain.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::service::TowerToHyperService;
use sandbox::{MAX_ARTIFACT_BYTES, Sandbox};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info};

use crate::config::{Config, ConfigError, Environment, FrontDoor, Runs};
use crate::egress::Gateway;
use crate::listen::{self, Linger, Listener, Settings, Tls};
use crate::reach::Reach;
use crate::reload::{self, Reloader, watch_list};
use crate::state::{Doors, Phase, State};
use crate::watch::Watch;
use crate::{deliveries, descriptors, keep, manage, recorder, stored, telemetry, traces, warnings, worker};

/// Connections of the management side; a few people and a health check.
const MANAGEMENT_CONNECTIONS: usize = 256;
/// What a management request that is under way may still take when everything else has stopped.
const MANAGEMENT_DRAIN_TIME: Duration = Duration::from_secs(2);

/// Time for the whole of an artifact over a line of 20 Mbit/s, from somebody who reads the answer only then.
const MANAGEMENT_LINGER: Linger = Linger { time: Duration::from_secs(30), bytes: MAX_ARTIFACT_BYTES + (1 << 20) };

/// What `codenode serve` is called with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file; `None` takes `codenode.toml` where it exists, and defaults otherwise.
    pub config_file: Option<PathBuf>,
    /// The variables over it.
    pub environment: Environment,
    /// The program that the sandbox starts as its compile child: our own binary.
    pub compiler: PathBuf,
}

/// Why the server does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration has problems; all of them.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({source}): stop what listens there, or set {key} to another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key that it came from.
        key: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate or its key is no good.
    #[error("cannot serve HTTPS: {0}")]
    Tls(String),
    /// The sandbox cannot be set up.
    #[error("cannot set up the sandbox: {0:#}")]
    Sandbox(anyhow::Error),
    /// Requests of handlers could not leave.
    #[error("cannot set up [egress]: {0:#}")]
    Egress(anyhow::Error),
    /// Storage cannot be opened.
    #[error("cannot open storage: {0:#}")]
    Storage(anyhow::Error),
    /// The system refuses something that every server needs.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
    /// A worker ended although nobody asked it to.
    #[error("a worker of the front door stopped: {0}")]
    Worker(String),
}

/// A server that answers.
pub struct Server {
    state: Arc<State>,
    front_door: SocketAddr,
    management: SocketAddr,
    drain_time: Duration,
    workers: JoinSet<Result<(), String>>,
    follower: JoinHandle<()>,
    reloader: JoinHandle<()>,
    management_side: JoinHandle<io::Result<()>>,
    keepers: [JoinHandle<()>; 4],
    stops: Stops,
    _guards: [DropGuard; 3],
}

/// What ends when.
#[derive(Clone, Default)]
pub(crate) struct Stops {
    /// No new events, no reloads.
    pub(crate) drain: CancellationToken,
    /// Runs under way end as `unavailable`.
    pub(crate) runs: CancellationToken,
    /// No more looking in, and the last records, answers and spans are written.
    pub(crate) management: CancellationToken,
}

impl Stops {
    fn guards(&self) -> [DropGuard; 3] {
        [&self.drain, &self.runs, &self.management].map(|token| token.clone().drop_guard())
    }
}

/// Reads the configuration, starts the log, serves until SIGTERM or SIGINT, drains.
///
/// # Errors
/// [`ServeError`] says what to do.
pub async fn serve(options: Options) -> Result<(), ServeError> {
    let config = Config::load(options.config_file.as_deref(), &options.environment)?;
    telemetry::start(&config.log);
    descriptors::raise_limit(&config);
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let server = tokio::select! {
        server = Server::start(config, options) => server?,
        () = &mut stop => return Ok(()),
    };
    server.run_until(stop).await
}

impl Server {
    /// Opens both listeners, prepares every node, and then answers. The management side answers from the first moment.
    ///
    /// # Errors
    /// [`ServeError`]; a node whose artifact is bad is none, it is `unavailable` until its artifact is good.
    pub async fn start(config: Config, options: Options) -> Result<Self, ServeError> {
        let hang_up = reload::hang_up();
        let workers = config.front_door.worker_count();
        let front_door = bind(config.front_door.listen, workers, "front_door.listen")?;
        let management = bind(config.management.listen, 1, "management.listen")?;
        let (front_door_address, management_address) = (front_door.local_addr(), management.local_addr());
        let tls = match &config.front_door.tls {
            Some(files) => {
                let tls = Tls::load(&files.certificate, &files.key);
                Some(tls.map_err(|error| ServeError::Tls(error.to_string()))?)
            }
            None => None,
        };
        let gateway = Gateway::open(&config.egress).map_err(ServeError::Egress)?;
        let sandbox = Sandbox::new(sandbox_config(&config.sandbox, options.compiler)).map_err(ServeError::Sandbox)?;
        let storage = keep::open(&config.storage).await.map_err(ServeError::Storage)?;
        let sequence = storage.sequence().await.map_err(|error| ServeError::Storage(error.into()))?;
        let doors = Doors { front_door: front_door.seats(), management: management.seats() };
        let reach = Reach::new(gateway, &storage);
        let state = Arc::new(State::new(&config, sandbox, reach, storage, doors));
        let stops = Stops::default();
        let watch = Watch::new(watch_list(&config, options.config_file.as_deref()));
        warnings::log(&config, front_door_address, management_address);

        // Whoever drops the server, or gives up starting it, leaves nothing running behind.
        let guards = stops.guards();
        let management_side = open_management(management, &state, &stops);
        let (settings, drain_time) = (settings(&config.front_door), config.front_door.drain_time);
        let mut reloader = Reloader {
            state: Arc::clone(&state),
            file: options.config_file,
            environment: options.environment,
            tls: tls.clone(),
            config: config.clone(),
        };
        let keepers = [
            tokio::spawn(recorder::keep(Arc::clone(&state), stops.management.clone())),
            tokio::spawn(deliveries::keep(Arc::clone(&state), stops.management.clone())),
            tokio::spawn(traces::keep(Arc::clone(&state), stops.management.clone())),
            tokio::spawn(stored::tidy(Arc::clone(&state), config.records.audit_keep_time, stops.management.clone())),
        ];
        // Who cannot read what is stored would be ready and serve nothing: with the wrong master key, for one.
        reloader.take_over(config, None).await.map_err(|error| ServeError::Storage(error.into()))?;
        let workers = worker::start(front_door, &settings, tls.as_ref(), &state, &stops).await?;
        let follower = tokio::spawn(stored::follow(Arc::clone(&state), sequence, stops.drain.clone()));
        state.enter(Phase::Serving);
        info!(front_door = %front_door_address, management = %management_address, "listening");
        Ok(Self {
            state,
            front_door: front_door_address,
            management: management_address,
            drain_time,
            workers,
            follower,
            reloader: tokio::spawn(reloader.run(watch, hang_up, stops.drain.clone())),
            management_side,
            keepers,
            stops,
            _guards: guards,
        })
    }

    /// Where events come in.
    pub const fn front_door(&self) -> SocketAddr {
        self.front_door
    }

    /// Where operators look in.
    pub const fn management(&self) -> SocketAddr {
        self.management
    }

    /// Serves until `stop`, then takes no new events and lets runs under way finish, for as long as the configuration allows.
    ///
    /// # Errors
    /// A worker stopped by itself.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let broken = tokio::select! {
            () = stop => None,
            Some(ended) = self.workers.join_next() => Some(worker_end(ended)),
        };
        self.state.enter(Phase::Draining);
        info!(running = self.state.sandbox.running(), drain_time = ?self.drain_time, "draining");
        self.stops.drain.cancel();
        let (runs, drain_time) = (self.stops.runs.clone(), self.drain_time);
        let deadline = tokio::spawn(async move {
            tokio::time::sleep(drain_time).await;
            runs.cancel();
        });
        while let Some(ended) = self.workers.join_next().await {
            let ended = worker_end(ended);
            if !ended.is_empty() {
                error!(why = ended, "a worker did not end well");
            }
        }
        deadline.abort();
        self.stops.management.cancel();
        // They end by their tokens; how is in the log already.
        let [records, deliveries, traces, tidy] = self.keepers;
        let _ = tokio::join!(self.reloader, self.follower, self.management_side, records, deliveries, traces, tidy);
        self.state.stored.storage.close().await;
        info!("stopped");
        broken.map_or(Ok(()), |why| Err(ServeError::Worker(why)))
    }
}

/// Why a worker ended; empty where it was asked to.
fn worker_end(ended: Result<Result<(), String>, tokio::task::JoinError>) -> String {
    match ended {
        Ok(Ok(())) => String::new(),
        Ok(Err(why)) => why,
        Err(error) => error.to_string(),
    }
}

fn bind(address: SocketAddr, workers: usize, key: &'static str) -> Result<Listener, ServeError> {
    Listener::bind(address, workers).map_err(|source| ServeError::Listen { address, key, source })
}

fn open_management(listener: Listener, state: &Arc<State>, stops: &Stops) -> JoinHandle<io::Result<()>> {
    let settings = Settings {
        linger: MANAGEMENT_LINGER,
        max_connections: MANAGEMENT_CONNECTIONS,
        drain_time: MANAGEMENT_DRAIN_TIME,
        ..Settings::default()
    };
    let service = TowerToHyperService::new(manage::router(Arc::clone(state)));
    let stop = stops.management.clone();
    tokio::spawn(async move {
        for socket in listener.into_sockets() {
            listen::serve(socket, settings.clone(), None, service.clone(), stop.clone()).await?;
        }
        Ok(())
    })
}

fn settings(front_door: &FrontDoor) -> Settings {
    Settings {
        header_timeout: front_door.header_timeout,
        body_timeout: front_door.body_timeout,
        idle_timeout: front_door.idle_timeout,
        drain_time: front_door.drain_time + worker::GRACE,
        max_connections: front_door.connections,
        ..Settings::default()
    }
}

fn sandbox_config(runs: &Runs, compiler: PathBuf) -> sandbox::Config {
    sandbox::Config {
        cache_dir: runs.cache_directory.clone(),
        runners: runs.runners.clone(),
        compiler,
        compile_limits: sandbox::compile::Limits {
            memory_bytes: runs.compile_memory_bytes,
            cpu_time: runs.compile_cpu_time,
            wall_time: runs.compile_wall_time,
        },
        runs: runs.runs,
        loaded: runs.loaded,
        loaded_bytes: runs.loaded_bytes,
        stack_bytes: usize::try_from(runs.stack_bytes).unwrap_or(usize::MAX),
        tick: runs.tick,
    }
}

/// Ends when somebody asks the process to stop.
fn stop_signal() -> Result<impl Future<Output = ()>, ServeError> {
    let refused = |error| ServeError::System("cannot listen to signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM"),
            _ = interrupt.recv() => info!("SIGINT"),
        }
    })
}

#[cfg(test)]
mod tests;
