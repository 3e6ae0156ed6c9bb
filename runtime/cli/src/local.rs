//! What the subcommands that work without a server share: the artifact's bytes, and a sandbox for one run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use model::{Event, Limits, Run};
use sandbox::{Config, DEFAULT_LOADED_BYTES, DEFAULT_STACK_BYTES, DEFAULT_TICK, Grants, Prepared, Sandbox, source};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// The largest file that is read at all; the inspection names the real limit.
const MAX_ARTIFACT_FILE_BYTES: u64 = 1 << 30;

/// Reads an artifact: a compiled handler, or a source by the end of its name.
///
/// # Errors
/// If there is no such file, or it is no file of a plausible size.
pub(crate) fn read_artifact(path: &Path) -> anyhow::Result<Vec<u8>> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !metadata.is_file() {
        bail!("{} is not a file; name the compiled .wasm file", path.display());
    }
    if metadata.len() > MAX_ARTIFACT_FILE_BYTES {
        bail!("{} is larger than 1 GiB; name the compiled .wasm file", path.display());
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(source::artifact_of(path, bytes))
}

/// What a sandbox needs beside the artifact.
#[derive(Clone, clap::Args)]
pub(crate) struct Folders {
    /// Where the runners of sources are [default: a folder `runners` beside this program]
    #[arg(long, env = "CODENODE_RUNNERS", value_name = "FOLDER")]
    pub(crate) runners: Option<PathBuf>,
    /// Where compiled code is kept [default: codenode in the user's cache folder]
    #[arg(long, env = "CODENODE_CACHE_DIR", value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
}

impl Folders {
    /// Where compiled code is kept.
    ///
    /// # Errors
    /// If nobody says where the user's own cache folder is.
    pub(crate) fn cache(&self) -> anyhow::Result<PathBuf> {
        self.cache_dir.clone().map_or_else(default_cache_dir, Ok)
    }
}

/// What drives one run after the other.
///
/// # Errors
/// If the system has no room for it.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// A sandbox with the production settings and room for a single run.
///
/// # Errors
/// If its cache cannot be made or its memory not be reserved.
pub(crate) fn sandbox(folders: Folders) -> anyhow::Result<Sandbox> {
    Sandbox::new(Config {
        cache_dir: folders.cache()?,
        compiler: env::current_exe().context("cannot find the path of this program")?,
        compile_limits: sandbox::compile::Limits::default(),
        runners: folders.runners,
        runs: 1,
        loaded: 1,
        loaded_bytes: DEFAULT_LOADED_BYTES,
        stack_bytes: DEFAULT_STACK_BYTES,
        tick: DEFAULT_TICK,
    })
}

/// Runs an event as a server would.
pub(crate) async fn run(
    sandbox: &Sandbox,
    prepared: &Prepared,
    event: &Event,
    limits: &Limits,
    grants: &Grants,
) -> Run {
    let mut run = sandbox.run(prepared, event, limits, grants, &CancellationToken::new()).await;
    grants.redact(&mut run);
    run
}

fn default_cache_dir() -> anyhow::Result<PathBuf> {
    let from_env = |name, below: &str| {
        env::var_os(name).filter(|value| !value.is_empty()).map(|value| Path::new(&value).join(below))
    };
    from_env("XDG_CACHE_HOME", "codenode")
        .or_else(|| from_env("HOME", ".cache/codenode"))
        .context("neither XDG_CACHE_HOME nor HOME is set: say where compiled code may be kept with --cache-dir")
}
