//! Running other programs: what runs is printed, and nothing that we start outlives us.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context as _, bail};

use crate::leash;

/// This very program, even while cargo puts a newer one in its place.
const OURSELVES: &str = "/proc/self/exe";

/// A program with its arguments, to be run from the root of the repository.
pub(crate) struct Program {
    name: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

impl Program {
    pub(crate) fn new(name: impl Into<OsString>) -> Self {
        Self { name: name.into(), arguments: Vec::new(), variables: Vec::new() }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
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
        let output = self.ask()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}` ended with {}: {}", shown(output.status), said.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("{self} printed something else than UTF-8"))
    }

    /// The command, on its leash.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(OURSELVES);
        command.arg(leash::SUBCOMMAND).arg(format!("--parent={}", std::process::id())).arg("--").arg(&self.name);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_shown_as_one_would_type_it() {
        let program = Program::new("/opt/rust/bin/cargo").args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(program.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }
}
