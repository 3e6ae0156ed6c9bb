//! The server of the tour: started, waited for, and stopped, whatever happens in between.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use serde_json::Value;

use super::stage::Stage;
use crate::http;
use crate::program::{self, Program};

/// The first start compiles all guests.
const START_TIME: Duration = Duration::from_secs(120);
/// Longer than the server may drain.
const STOP_TIME: Duration = Duration::from_secs(45);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// `codenode serve`, answering.
pub(crate) struct Server {
    child: Child,
    /// The address that events go to.
    pub(crate) front_door: String,
    /// The address that operators look in at.
    pub(crate) management: String,
}

impl Server {
    /// Starts the server and waits until it is ready.
    pub(crate) fn start(stage: &Stage) -> anyhow::Result<Self> {
        let log = File::create(stage.log()).with_context(|| format!("cannot write {}", stage.log().display()))?;
        let serve = Program::new(&stage.codenode).arg("serve").arg("--config").arg(stage.config());
        println!("\n==> serve\n  $ {serve}");
        let mut command = serve.command();
        // They would win over the file.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CODENODE_")) {
            command.env_remove(name);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        // From here on, whatever fails ends the child.
        let mut server = Self { child, front_door: String::new(), management: String::new() };
        let deadline = Instant::now() + START_TIME;
        while !server.is_ready(stage) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {}:\n{}", program::shown(status), program::last_lines(&stage.log()));
            }
            if Instant::now() > deadline {
                bail!("the server was not ready after {START_TIME:?}:\n{}", program::last_lines(&stage.log()));
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(server)
    }

    /// Where events for `node` go.
    pub(crate) fn hook(&self, node: &str) -> String {
        format!("http://{}/hooks/demo/{node}", self.front_door)
    }

    /// Gives the tenant of the tour the messages of a file, as whoever edits them would.
    pub(crate) fn import_messages(&self, stage: &Stage, file: &str) -> anyhow::Result<()> {
        let token = fs::read_to_string(stage.token()).context("cannot read the management token")?;
        println!("  $ codenode message import {file}");
        let server = format!("http://{}", self.management);
        Program::new(&stage.codenode)
            .args(["message", "import", file])
            .envs([("CODENODE_SERVER", server.as_str()), ("CODENODE_KEY", token.trim()), ("CODENODE_TENANT", "demo")])
            .read()
            .map(drop)
    }

    /// Asks the server to stop, and waits for it.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let status = program::stop(&mut self.child, Signal::TERM, STOP_TIME).context("the server does not stop")?;
        if !status.success() {
            bail!("the server ended with {}", program::shown(status));
        }
        Ok(())
    }

    /// Waits until the server ends by itself or by Ctrl-C, which reaches it as it reaches us.
    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {}", program::shown(status));
        }
        Ok(())
    }

    /// Learns the addresses from the log, then asks.
    fn is_ready(&mut self, stage: &Stage) -> bool {
        let log = fs::read_to_string(stage.log()).unwrap_or_default();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let address = |line: &Value, key| Some(line.get(key)?.as_str()?.to_owned());
        let listening = lines
            .filter(|line| line.get("message").and_then(Value::as_str) == Some("listening"))
            .find_map(|line| Some((address(&line, "front_door")?, address(&line, "management")?)));
        let Some((front_door, management)) = listening else { return false };
        (self.front_door, self.management) = (front_door, management);
        http::get(&self.management, "/readyz", None).is_ok_and(|answer| answer.status == 200)
    }
}

/// A tour that ends early takes its server along.
impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end by itself between the two lines.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
