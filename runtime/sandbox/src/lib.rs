//! The sandbox: the only room that knows WebAssembly.
//!
//! It inspects, compiles and runs guests. It knows nothing of HTTP servers, SQL, signatures or configuration files, so that
//! it can be reviewed as the security boundary that it is.

mod backtrace;
mod capabilities;
pub mod compile;
pub mod egress;
mod engine;
mod failure;
mod gates;
mod grants;
mod host;
pub mod inputs;
mod inspect;
pub mod key_value;
mod loaded;
mod memory;
mod pace;
mod prepared;
mod run;
mod runners;
pub mod source;
mod state;
pub mod values;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use model::ArtifactId;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use wasmtime::Engine;

pub use engine::{DEFAULT_STACK_BYTES, DEFAULT_TICK};
pub use grants::Grants;
pub use inspect::{Import, Inspection, Kind, Offer, inspect};
pub use prepared::Prepared;

use capabilities::Linkers;
use compile::{Cache, Compiled, Compiler};
use loaded::{Budget, Shelf};
use pace::SlowLane;
use prepared::{Guest, LoadError};
use runners::Runners;
use source::{Language, Source};

/// Refusals that are remembered, so that the same bytes are not compiled again and again.
const MAX_REFUSALS: usize = 1_000;

/// The largest artifact that is looked at.
pub const MAX_ARTIFACT_BYTES: usize = gates::Gates::ARTIFACT_BYTES;

/// Artifacts whose code is loaded at once, unless configured otherwise.
pub const DEFAULT_LOADED: u32 = 1_000;

/// The most that can be configured. Each takes a file descriptor and three memory maps, of which Linux gives a process 65,530.
pub const MAX_LOADED: u32 = 10_000;

/// What they may come to together, unless configured otherwise.
pub const DEFAULT_LOADED_BYTES: u64 = 4 << 30;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where compiled artifacts are kept; made if absent, for this user alone.
    pub cache_dir: PathBuf,
    /// The program whose subcommand [`compile::SUBCOMMAND`] is the compile child: our own binary.
    pub compiler: PathBuf,
    /// Where the runners of sources are, `python.wasm` and `javascript.wasm`; `None`: in a folder `runners` beside this program.
    pub runners: Option<PathBuf>,
    /// The limits of one compilation.
    pub compile_limits: compile::Limits,
    /// Runs at once, to which whoever runs events keeps; each has its place in the pool reserved, and there is one more for the source that is compiled
    /// meanwhile.
    pub runs: u32,
    /// Artifacts whose code is loaded at once, at most [`MAX_LOADED`]. The least recently used makes room for the next; what has to go
    /// while it runs stays until its runs are over, so `runs` more may be loaded for a while.
    pub loaded: u32,
    /// The compiled code that they may come to together.
    pub loaded_bytes: u64,
    /// The WebAssembly stack of a run, in bytes.
    pub stack_bytes: usize,
    /// The length of one epoch: the grain of every time limit, and of the turns that long runs take.
    pub tick: Duration,
}

/// An engine with everything that its guests may reach. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    engine: Engine,
    linkers: Linkers,
    cache: Cache,
    compiler: Compiler,
    runners: Runners,
    refusals: Mutex<HashMap<ArtifactId, Vec<String>>>,
    shelf: Arc<Shelf<Guest>>,
    /// Told when compiled code is found to be gone or damaged.
    damage: Notify,
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
    /// There is nothing on this host that runs sources of a language: which, and where it was looked for, for the operator.
    #[error("this host has nothing that runs {0}: {1}")]
    NoRunner(Language, String),
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
        let linkers =
            capabilities::link(&engine).map_err(|error| anyhow::anyhow!("cannot link the capabilities: {error:#}"))?;
        let cache = Cache::open(&config.cache_dir, &engine)?;
        let compiler = Compiler::new(config.compiler, config.compile_limits, config.stack_bytes);
        let ticker = engine::Ticker::start(&engine, config.tick).context("cannot start the epoch thread")?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = usize::try_from(config.loaded.clamp(1, MAX_LOADED))?;
        let budget = Budget { count, bytes: config.loaded_bytes };
        Ok(Self(Arc::new(Inner {
            engine,
            linkers,
            cache,
            compiler,
            runners: Runners::new(config.runners),
            refusals: Mutex::default(),
            shelf: Shelf::new(budget, cores.max(2)),
            damage: Notify::new(),
            // One core is always left to those who have only just begun.
            lane: SlowLane::new(cores.saturating_sub(1).max(1)),
            alive: Arc::default(),
            _ticker: ticker,
        })))
    }

    /// Inspects, compiles (unless that was done before) and loads an artifact, which proves that it links. Later it is loaded again
    /// whenever it had to make room and an event comes for it.
    ///
    /// # Errors
    /// [`PrepareError`] says whose fault it is.
    pub async fn prepare(&self, artifact: &[u8]) -> Result<Arc<Prepared>, PrepareError> {
        let id = ArtifactId::from_sha256(Sha256::digest(artifact).into());
        if let Some(problems) = self.refusal(id) {
            return Err(PrepareError::Refused(problems));
        }
        let prepared = match self.prepare_known(id).await {
            Ok(None) => match Source::read(artifact) {
                Some(source) => self.compile_source(id, source, inspect(artifact)).await,
                None => self.compile(id, artifact).await.and_then(must_not_be_runner),
            },
            Ok(Some(prepared)) => Ok(prepared),
            Err(error) => Err(error),
        };
        if let Err(PrepareError::Refused(problems)) = &prepared {
            self.remember(id, problems);
        }
        prepared.map(Arc::new)
    }

    /// Loads an artifact that was compiled before, by its name alone; `None` where it must be compiled, for which its bytes are needed.
    ///
    /// # Errors
    /// As [`Sandbox::prepare`].
    pub async fn prepare_compiled(&self, id: ArtifactId) -> Result<Option<Arc<Prepared>>, PrepareError> {
        Ok(self.prepare_known(id).await?.map(Arc::new))
    }

    /// Runs alive now: from before the first instruction until the last page is given back.
    pub fn running(&self) -> u64 {
        self.0.alive.load(Ordering::Relaxed)
    }

    /// Artifacts whose code is loaded now; more than `loaded` only while runs hold what had to make room.
    pub fn loaded(&self) -> usize {
        self.0.shelf.held()
    }

    /// Loads so far. Where this goes on rising without new artifacts, `loaded` is too small for those that are busy.
    pub fn loads(&self) -> u64 {
        self.0.shelf.loads()
    }

    /// What the compiler does, and has done so far.
    pub fn compilations(&self) -> compile::Compilations {
        self.0.compiler.compilations()
    }

    /// Waits until a run finds that its compiled code is gone or damaged: who has the artifact should prepare it anew.
    pub async fn damaged(&self) {
        self.0.damage.notified().await;
    }

    /// Free places in the slow lane; all of them, when nobody computes for long.
    pub fn free_turns(&self) -> usize {
        self.0.lane.free()
    }

    /// What was compiled before, unless it must be compiled anew.
    async fn prepare_known(&self, id: ArtifactId) -> Result<Option<Prepared>, PrepareError> {
        let Some(compiled) = self.find(id).await? else { return Ok(None) };
        match compiled.inspection.kind.and_then(Kind::language) {
            Some(language) => self.take_in_source(id, language, compiled).await,
            None => self.take_in(id, compiled).await.and_then(must_not_be_runner).map(Some),
        }
    }

    async fn compile(&self, id: ArtifactId, artifact: &[u8]) -> Result<Prepared, PrepareError> {
        let turn = self.0.compiler.turn().await?;
        // Somebody may have compiled the same bytes while we waited.
        if let Some(compiled) = self.find(id).await? {
            return self.take_in(id, compiled).await;
        }
        let bytes = artifact.to_vec();
        let inspection = spawn_blocking(move || inspect(&bytes)).await.context("the inspection panicked")?;
        if !inspection.problems.is_empty() {
            return Err(PrepareError::Refused(inspection.problems));
        }
        let (draft, file) = self.0.cache.draft(id).context("cannot write compiled code")?;
        turn.compile(artifact, file).await?;
        let compiled = self.0.cache.keep(id, &draft, inspection)?;
        self.take_in(id, compiled).await
    }

    async fn find(&self, id: ArtifactId) -> anyhow::Result<Option<Compiled>> {
        let sandbox = self.clone();
        spawn_blocking(move || sandbox.0.cache.find(id)).await.context("looking into the cache panicked")
    }

    /// Loads code for the first time.
    async fn take_in(&self, id: ArtifactId, compiled: Compiled) -> Result<Prepared, PrepareError> {
        let form = compiled.inspection.form().context("the compiled code has no kind")?;
        let prepared = Prepared::new(id, form, &compiled.code_sha256);
        let (sandbox, slot) = (self.clone(), Arc::clone(prepared.slot()));
        let load = move || {
            let guest = Guest::load(&sandbox.0.engine, &sandbox.0.linkers, &compiled.code, form)?;
            sandbox.0.shelf.put(&slot, guest, compiled.code.bytes());
            Ok(())
        };
        match spawn_blocking(load).await.context("loading panicked")? {
            Ok(()) => Ok(prepared),
            Err(LoadError::Unlinkable(error)) => Err(PrepareError::Refused(vec![format!(
                "does not fit what codenode offers: {}",
                format!("{error:#}").replace('\n', " ")
            )])),
            Err(LoadError::Oversized(verdict)) => {
                Err(PrepareError::Refused(vec![format!("does not fit into the place of a run: {verdict}")]))
            }
            Err(error @ (LoadError::Unusable(_) | LoadError::Unmappable(_) | LoadError::BrokenOff)) => {
                Err(PrepareError::Host(error.into()))
            }
        }
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

/// What runs sources is nothing to run by itself.
fn must_not_be_runner(prepared: Prepared) -> Result<Prepared, PrepareError> {
    if prepared.is_runner() {
        return Err(PrepareError::Refused(vec![
            "is a runner of codenode's own: upload the source that it shall run".to_owned(),
        ]));
    }
    Ok(prepared)
}
