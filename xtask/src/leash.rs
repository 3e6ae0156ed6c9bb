//! A program that ends when the one that started it does, however that came to its end.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, bail};
use rustix::process::{Gid, Pid, Signal, Uid, getppid, set_parent_process_death_signal};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

/// The hidden subcommand that is put before every program that we start.
pub(crate) const SUBCOMMAND: &str = "leash";

#[derive(clap::Args)]
pub(crate) struct Leash {
    /// The process that holds the leash
    #[arg(long)]
    parent: u32,
    /// The number of the signal that ends the program
    #[arg(long)]
    signal: i32,
    /// Whom the program is run by
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    /// The only group of that user
    #[arg(long, requires = "uid")]
    gid: Option<u32>,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// Whom a program is run by, where it is not us.
#[derive(Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The options of a leash that is in our hand.
pub(crate) fn options(signal: Signal, user: Option<User>) -> Vec<String> {
    let mut options = vec![format!("--parent={}", std::process::id()), format!("--signal={}", signal.as_raw())];
    if let Some(User { uid, gid }) = user {
        options.extend([format!("--uid={uid}"), format!("--gid={gid}")]);
    }
    options
}

impl Leash {
    /// Asks the kernel to send the signal when our parent ends, then becomes the program.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.exec().map(|never| match never {})
    }

    fn exec(self) -> anyhow::Result<Infallible> {
        if let (Some(uid), Some(gid)) = (self.uid, self.gid) {
            become_user(Uid::from_raw(uid), Gid::from_raw(gid)).context("cannot become another user")?;
        }
        // Not before: the kernel forgets it when the user changes.
        set_parent_process_death_signal(Some(Signal::from_named_raw(self.signal).context("there is no such signal")?))?;
        // A parent that ended before it was asked for will never be noticed.
        if getppid().map(Pid::as_raw_nonzero).is_none_or(|parent| parent.get().cast_unsigned() != self.parent) {
            bail!("whoever wanted this has gone");
        }
        let (name, arguments) = self.command.split_first().context("there is no program to run")?;
        Err(Command::new(name).args(arguments).exec()).with_context(|| format!("cannot run {}", name.display()))
    }
}

/// Of the calling thread, as the kernel has it; a leash has only this one.
fn become_user(uid: Uid, gid: Gid) -> rustix::io::Result<()> {
    set_thread_groups(&[gid])?;
    set_thread_gid(gid)?;
    set_thread_uid(uid)
}
