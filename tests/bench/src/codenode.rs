//! codenode itself as a contestant: configurations for it, and how it is started.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::contestant::Files;
use crate::price::SECRET;
use crate::process::{Cores, Process, free_port};

/// What opens the API.
const TOKEN: &str = "a-token-that-only-the-bench-knows";

/// For which its answers are waited for.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The management side of a codenode that runs.
pub struct Management(SocketAddr);

/// A configuration in the making; what is not said is codenode's default.
pub struct Setup {
    name: &'static str,
    sandbox: String,
    nodes: String,
    tenant: String,
    cache: Option<PathBuf>,
}

impl Setup {
    /// A configuration of this name, without nodes.
    pub fn new(name: &'static str) -> Self {
        Self { name, sandbox: String::new(), nodes: String::new(), tenant: String::new(), cache: None }
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

    /// Adds a line to the tenant's section.
    #[must_use]
    pub fn tenant(mut self, line: &str) -> Self {
        if self.tenant.is_empty() {
            self.tenant.push_str("[tenants.bench]\n");
        }
        let _ = writeln!(self.tenant, "{line}");
        self
    }

    /// Keeps compiled code in a folder of its own, not in the one that all others share.
    #[must_use]
    pub fn cache(mut self, folder: PathBuf) -> Self {
        self.cache = Some(folder);
        self
    }

    /// Starts codenode so configured. Compiled code is kept from one start to the next in the folder that [`Setup::shared_cache`] names.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub fn start(&self, files: &Files, cores: Cores) -> anyhow::Result<Process> {
        self.start_managed(files, cores).map(|(process, _)| process)
    }

    /// The same, and deploys an artifact to a node over the API with these grants, as its tenant would: the node comes from storage then.
    ///
    /// # Errors
    /// See [`Process::start`]; or something is refused.
    pub fn start_and_deploy(
        &self,
        node: &str,
        artifact: &Path,
        grants: &[&str],
        files: &Files,
        cores: Cores,
    ) -> anyhow::Result<(Process, Management)> {
        // What an earlier round has stored would be there already.
        let state = self.state(files);
        if state.exists() {
            fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
        }
        let (process, management) = self.start_managed(files, cores)?;
        management.codenode(files, &["tenant", "create", "bench"], "")?;
        management.codenode(files, &["node", "create", node], "")?;
        management.codenode(files, &["secret", "set", node], SECRET)?;
        let artifact = artifact.display().to_string();
        let grants = grants.iter().flat_map(|grant| ["--grant", grant]);
        let deploy: Vec<&str> = ["deploy", &artifact, "--node", node].into_iter().chain(grants).collect();
        management.codenode(files, &deploy, "")?;
        Ok((process, management))
    }

    fn start_managed(&self, files: &Files, cores: Cores) -> anyhow::Result<(Process, Management)> {
        let port = free_port()?;
        let management = Management(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        let config = files.scratch.join(format!("{}.toml", self.name));
        let text = format!(
            "[front_door]\nlisten = \"127.0.0.1:{port}\"\n[management]\nlisten = \"{}\"\ntoken = \"{TOKEN}\"\n\
             [storage]\ndirectory = \"{}\"\n[sandbox]\ncache_directory = \"{}\"\n{}[quota]\nruns = 1024\n[log]\nlevel = \"warn\"\n{}{}",
            management.0,
            self.state(files).display(),
            self.cache.clone().unwrap_or_else(|| Self::shared_cache(files)).display(),
            self.sandbox,
            self.tenant,
            self.nodes
        );
        fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let mut command = Command::new(&files.codenode);
        command.arg("serve").arg("--config").arg(&config);
        let process = Process::start(command, port, cores, &files.scratch.join(format!("{}.log", self.name)))?;
        Ok((process, management))
    }

    fn state(&self, files: &Files) -> PathBuf {
        files.scratch.join(format!("{}.state", self.name))
    }

    /// Where compiled code is kept.
    pub fn shared_cache(files: &Files) -> PathBuf {
        files.scratch.join("compiled")
    }
}

impl Management {
    /// How often the database was read so far.
    ///
    /// # Errors
    /// The metrics do not tell.
    pub fn database_reads(&self) -> anyhow::Result<f64> {
        let series = "codenode_storage_duration_seconds_count{kind=\"read\"} ";
        let page = self.metrics()?;
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.context("the metrics do not tell of the database")?.trim().parse().context("an odd metric")
    }

    fn metrics(&self) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.0)?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Types a command of codenode's, with this on its standard input.
    ///
    /// # Errors
    /// It is refused.
    pub fn codenode(&self, files: &Files, arguments: &[&str], input: &str) -> anyhow::Result<()> {
        let mut command = Command::new(&files.codenode);
        command
            .args(arguments)
            .envs([("CODENODE_KEY", TOKEN), ("CODENODE_TENANT", "bench")])
            .env("CODENODE_SERVER", format!("http://{}", self.0))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start codenode")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let done = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "codenode {}: {said}", arguments.join(" "));
        Ok(())
    }
}
