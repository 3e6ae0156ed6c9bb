//! Running other programs: what runs is printed, and nothing that we start outlives us.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::leash::{self, User};

/// This very program, even while cargo puts a newer one in its place.
pub(crate) const OURSELVES: &str = "/proc/self/exe";
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// What is shown of the log of a server that does not start.
const LAST_LINES: usize = 12;

/// A program with its arguments, to be run from the root of the repository unless told otherwise.
pub(crate) struct Program {
    name: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
    folder: Option<PathBuf>,
    user: Option<User>,
    last_signal: Signal,
}

impl Program {
    pub(crate) fn new(name: impl Into<OsString>) -> Self {
        Self {
            name: name.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: None,
            user: None,
            last_signal: Signal::TERM,
        }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo() -> Self {
        let cargo = Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let is_said = |name| std::env::var_os(name).is_some();
        // A build server builds once: what would make the next build quicker costs it time and gigabytes.
        if is_said("CI") && !is_said("CARGO_INCREMENTAL") { cargo.env("CARGO_INCREMENTAL", "0") } else { cargo }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) fn envs<V: Into<OsString>>(self, variables: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        variables.into_iter().fold(self, |program, (name, value)| program.env(name, value))
    }

    /// To be run in this folder.
    pub(crate) fn within(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// To be run as somebody else, which takes root.
    pub(crate) fn run_by(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// What it is sent when we end before it does, in place of SIGTERM.
    pub(crate) fn ended_by(mut self, signal: Signal) -> Self {
        self.last_signal = signal;
        self
    }

    /// Prints the command line and runs it to its end; its output is ours.
    ///
    /// # Errors
    /// If it cannot be started, or does not end with 0.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        println!("  $ {self}");
        let status = self.command().status().with_context(|| format!("cannot run {self}"))?;
        if !status.success() {
            bail!("`{self}` ended with {}", shown(status));
        }
        Ok(())
    }

    /// Runs it quietly, whatever it ends with.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn ask(&self) -> anyhow::Result<Output> {
        self.command().stdin(Stdio::null()).output().with_context(|| format!("cannot run {self}"))
    }

    /// Runs it quietly; gives back what it printed.
    ///
    /// # Errors
    /// If it cannot be started, or does not end with 0.
    pub(crate) fn read(&self) -> anyhow::Result<String> {
        self.read_beside(Stdio::null())
    }

    /// The same, with something to hold as its standard input.
    pub(crate) fn read_beside(&self, input: impl Into<Stdio>) -> anyhow::Result<String> {
        let output = self.command().stdin(input).output().with_context(|| format!("cannot run {self}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}` ended with {}: {}", shown(output.status), said.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("{self} printed something else than UTF-8"))
    }

    /// The command, on its leash.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(OURSELVES);
        command.arg(leash::SUBCOMMAND).args(leash::options(self.last_signal, self.user)).arg("--").arg(&self.name);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// As one would type it.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        let is_cargo = self.name.to_string_lossy().ends_with("/cargo");
        f.write_str(&if is_cargo { "cargo".to_owned() } else { quoted(&self.name) })?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word.into_owned() } else { format!("'{word}'") }
}

pub(crate) fn shown(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// Asks a program to end, and waits for it.
///
/// # Errors
/// If it has not ended when the patience has.
pub(crate) fn stop(child: &mut Child, signal: Signal, patience: Duration) -> anyhow::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("there is no such process")?;
    kill_process(pid, signal).with_context(|| format!("cannot send it {signal:?}"))?;
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(LOOK_INTERVAL);
    }
    bail!("it still runs {patience:?} after {signal:?}")
}

/// The end of a log, which says why a server did not start.
pub(crate) fn last_lines(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_shown_as_one_would_type_it() {
        let program = Program::new("/opt/rust/bin/cargo").args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(program.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }
}
