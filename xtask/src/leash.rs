//! A program that ends when the one that started it does, however that came to its end.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// The hidden subcommand that is put before every program that we start.
pub(crate) const SUBCOMMAND: &str = "leash";

#[derive(clap::Args)]
pub(crate) struct Leash {
    /// The process that holds the leash
    #[arg(long)]
    parent: u32,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

impl Leash {
    /// Asks the kernel to send SIGTERM when our parent ends, then becomes the program.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.exec().map(|never| match never {})
    }

    fn exec(self) -> anyhow::Result<Infallible> {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        // A parent that ended before it was asked for will never be noticed.
        if getppid().map(Pid::as_raw_nonzero).is_none_or(|parent| parent.get().cast_unsigned() != self.parent) {
            bail!("whoever wanted this has gone");
        }
        let (name, arguments) = self.command.split_first().context("there is no program to run")?;
        Err(Command::new(name).args(arguments).exec()).with_context(|| format!("cannot run {}", name.display()))
    }
}
