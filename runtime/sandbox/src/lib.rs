//! The sandbox: the only room that knows WebAssembly.
//!
//! It inspects, compiles and runs guests. It knows nothing of HTTP servers, SQL, signatures or configuration files, so that
//! it can be reviewed as the security boundary that it is.

mod backtrace;
mod capabilities;
pub mod compile;
mod engine;
mod failure;
mod gates;
mod host;
mod inspect;
mod memory;
mod pace;
mod prepared;
mod run;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use model::ArtifactId;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Linker;

pub use engine::DEFAULT_STACK_BYTES;
pub use inspect::{Import, Inspection, Kind, Offer, inspect};
pub use prepared::Prepared;

use compile::{Cache, Compiler};
use host::Host;
use pace::SlowLane;

/// Refusals that are remembered, so that the same bytes are not compiled again and again.
const MAX_REFUSALS: usize = 1_000;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where compiled artifacts are kept; made if absent, for this user alone.
    pub cache_dir: PathBuf,
    /// The program whose subcommand [`compile::SUBCOMMAND`] is the compile child: our own binary.
    pub compiler: PathBuf,
    /// The limits of one compilation.
    pub compile_limits: compile::Limits,
    /// Runs at once; each has its place in the pool reserved.
    pub runs: u32,
    /// The WebAssembly stack of a run, in bytes.
    pub stack_bytes: usize,
}

/// An engine with everything that its guests may reach. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    engine: Engine,
    linker: Linker<Host>,
    cache: Cache,
    compiler: Compiler,
    refusals: Mutex<HashMap<ArtifactId, Vec<String>>>,
    lane: SlowLane,
    alive: Arc<AtomicU64>,
    _ticker: engine::Ticker,
}

/// Why an artifact cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The artifact's fault: every problem, one line each.
    #[error("the artifact {}", .0.join("; and it "))]
    Refused(Vec<String>),
    /// Too many artifacts wait for the compiler.
    #[error("too many artifacts wait to be compiled; try again in a minute")]
    Busy,
    /// A fault of this host.
    #[error(transparent)]
    Host(#[from] anyhow::Error),
}

impl Sandbox {
    /// Reserves the pool and starts the epoch ticker.
    ///
    /// # Errors
    /// If the pool cannot be reserved, or the cache's folder cannot be made or is open to others.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let engine = engine::for_running(config.runs, config.stack_bytes)
            .map_err(|error| anyhow::anyhow!("cannot reserve memory for {} runs: {error:#}", config.runs))?;
        let mut linker = Linker::new(&engine);
        capabilities::link(&mut linker).map_err(|error| anyhow::anyhow!("cannot link the capabilities: {error:#}"))?;
        let cache = Cache::open(&config.cache_dir, &engine)?;
        let compiler = Compiler::new(config.compiler, config.compile_limits, config.stack_bytes);
        let ticker = engine::Ticker::start(&engine).context("cannot start the epoch thread")?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self(Arc::new(Inner {
            engine,
            linker,
            cache,
            compiler,
            refusals: Mutex::default(),
            // One core is always left to those who have only just begun.
            lane: SlowLane::new(cores.saturating_sub(1).max(1)),
            alive: Arc::default(),
            _ticker: ticker,
        })))
    }

    /// Inspects, compiles (unless that was done before) and loads an artifact.
    ///
    /// # Errors
    /// [`PrepareError`] says whose fault it is.
    pub async fn prepare(&self, artifact: &[u8]) -> Result<Arc<Prepared>, PrepareError> {
        let id = ArtifactId::from_sha256(Sha256::digest(artifact).into());
        if let Some(problems) = self.refusal(id) {
            return Err(PrepareError::Refused(problems));
        }
        let prepared = match self.0.cache.find(id) {
            Some(compiled) => self.load(id, compiled),
            None => self.compile(id, artifact).await,
        };
        if let Err(PrepareError::Refused(problems)) = &prepared {
            self.remember(id, problems);
        }
        prepared.map(Arc::new)
    }

    /// Runs alive now: from before the first instruction until the last page is given back.
    pub fn running(&self) -> u64 {
        self.0.alive.load(Ordering::Relaxed)
    }

    /// Free places in the slow lane; all of them, when nobody computes for long.
    pub fn free_turns(&self) -> usize {
        self.0.lane.free()
    }

    async fn compile(&self, id: ArtifactId, artifact: &[u8]) -> Result<Prepared, PrepareError> {
        let turn = self.0.compiler.turn().await?;
        // Somebody may have compiled the same bytes while we waited.
        if let Some(compiled) = self.0.cache.find(id) {
            return self.load(id, compiled);
        }
        let bytes = artifact.to_vec();
        let inspection =
            tokio::task::spawn_blocking(move || inspect(&bytes)).await.context("the inspection panicked")?;
        if !inspection.problems.is_empty() {
            return Err(PrepareError::Refused(inspection.problems));
        }
        let (draft, file) = self.0.cache.draft(id).context("cannot write compiled code")?;
        turn.compile(artifact, file).await?;
        let compiled = self.0.cache.keep(id, &draft, inspection)?;
        self.load(id, compiled)
    }

    fn load(&self, id: ArtifactId, compiled: compile::Compiled) -> Result<Prepared, PrepareError> {
        let kind = compiled.inspection.kind.context("the compiled code has no kind")?;
        Prepared::load(&self.0.engine, &self.0.linker, id, compiled, kind).map_err(|error| {
            PrepareError::Refused(vec![format!(
                "does not fit what codenode offers: {}",
                format!("{error:#}").replace('\n', " ")
            )])
        })
    }

    fn refusal(&self, id: ArtifactId) -> Option<Vec<String>> {
        self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn remember(&self, id: ArtifactId, problems: &[String]) {
        let mut refusals = self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= MAX_REFUSALS {
            refusals.clear();
        }
        refusals.insert(id, problems.to_vec());
    }
}
