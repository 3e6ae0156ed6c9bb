//! codenode itself as a contestant: configurations for it, and how it is started.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::contestant::Files;
use crate::price::SECRET;
use crate::process::{Cores, Process, free_port};

/// A configuration in the making; what is not said is codenode's default.
pub struct Setup {
    name: &'static str,
    sandbox: String,
    nodes: String,
}

impl Setup {
    /// A configuration of this name, without nodes.
    pub fn new(name: &'static str) -> Self {
        Self { name, sandbox: String::new(), nodes: String::new() }
    }

    /// Adds a line to the section `[sandbox]`.
    #[must_use]
    pub fn sandbox(mut self, line: &str) -> Self {
        let _ = writeln!(self.sandbox, "{line}");
        self
    }

    /// Adds a node; `more` are further lines of its section.
    #[must_use]
    pub fn node(mut self, node: &str, artifact: &Path, more: &str) -> Self {
        let artifact = artifact.display();
        let _ = write!(
            self.nodes,
            "\n[tenants.bench.nodes.{node}]\nartifact = \"{artifact}\"\nsecrets = [\"{SECRET}\"]\n{more}\n"
        );
        self
    }

    /// Starts codenode so configured. Compiled code is kept from one start to the next in the folder that [`Setup::cache`] names.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub fn start(&self, files: &Files, cores: Cores) -> anyhow::Result<Process> {
        let port = free_port()?;
        let management = free_port()?;
        let config = files.scratch.join(format!("{}.toml", self.name));
        let text = format!(
            "[front_door]\nlisten = \"127.0.0.1:{port}\"\n[management]\nlisten = \"127.0.0.1:{management}\"\n\
             [storage]\ndirectory = \"{}\"\n[sandbox]\ncache_directory = \"{}\"\n{}[quota]\nruns = 1024\n[log]\nlevel = \"warn\"\n{}",
            files.scratch.join(format!("{}.state", self.name)).display(),
            Self::cache(files).display(),
            self.sandbox,
            self.nodes
        );
        fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let mut command = Command::new(&files.codenode);
        command.arg("serve").arg("--config").arg(&config);
        Process::start(command, port, cores, &files.scratch.join(format!("{}.log", self.name)))
    }

    /// Where compiled code is kept.
    pub fn cache(files: &Files) -> PathBuf {
        files.scratch.join("compiled")
    }
}
