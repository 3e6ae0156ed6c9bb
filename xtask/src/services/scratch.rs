//! A folder that goes when the last of those who work in it has gone, however they came to their end.
//!
//! A process of its own sees to that, for one that is killed cannot clean up after itself.

use std::fs::{self, DirBuilder};
use std::io::{self, PipeWriter};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use crate::program::OURSELVES;

/// A fresh folder that only this user can enter.
pub(super) struct Scratch {
    path: PathBuf,
    /// Taken when we are done.
    hold: Option<PipeWriter>,
    sweeper: Child,
}

impl Scratch {
    /// Makes it below the system's folder for what is temporary: not every user can enter a checkout.
    pub(super) fn new() -> anyhow::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The time, because in a container the same numbers of processes come again and again.
        let path = std::env::temp_dir().join(format!("codenode-services-{}-{}", std::process::id(), now.as_millis()));
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let (end, hold) = io::pipe()?;
        let sweeper = Command::new(OURSELVES)
            .args([Sweep::SUBCOMMAND, "--folder"])
            .arg(&path)
            .stdin(end)
            .stdout(Stdio::null())
            // Out of the reach of Ctrl-C.
            .process_group(0)
            .spawn()
            .context("cannot start what cleans up")?;
        Ok(Self { path, hold: Some(hold), sweeper })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The standard input of a program that works in the folder. As long as it or a child of its has it, the folder stays.
    pub(super) fn hold(&self) -> anyhow::Result<Stdio> {
        self.hold.as_ref().map_or_else(|| Ok(Stdio::null()), |hold| Ok(hold.try_clone()?.into()))
    }
}

/// Waits, so that whoever waits for us finds nothing left.
impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.hold.take());
        // If it fails, it says so itself.
        let _ = self.sweeper.wait();
    }
}

/// The process that cleans up.
#[derive(clap::Args)]
pub(crate) struct Sweep {
    #[arg(long)]
    folder: PathBuf,
}

impl Sweep {
    pub(crate) const SUBCOMMAND: &str = "sweep";

    /// Waits until nobody holds the other end of its standard input, then removes the folder.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        io::copy(&mut io::stdin(), &mut io::sink())?;
        fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}
