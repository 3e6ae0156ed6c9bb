//! The server of the tour: started, waited for, and stopped, whatever happens in between.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::api;
use super::stage::Stage;
use crate::program::{self, Program};

/// The first start compiles all guests.
const START_TIME: Duration = Duration::from_secs(120);
/// Longer than the server may drain.
const STOP_TIME: Duration = Duration::from_secs(45);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// What is shown of the log when the server does not start.
const LAST_LINES: usize = 12;

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
                bail!("the server ended with {}:\n{}", program::shown(status), last_lines(stage));
            }
            if Instant::now() > deadline {
                bail!("the server was not ready after {START_TIME:?}:\n{}", last_lines(stage));
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(server)
    }

    /// Where events for `node` go.
    pub(crate) fn hook(&self, node: &str) -> String {
        format!("http://{}/hooks/demo/{node}", self.front_door)
    }

    /// Asks the server to stop, and waits for it.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("the server has no process id")?;
        kill_process(pid, Signal::TERM).context("cannot ask the server to stop")?;
        let deadline = Instant::now() + STOP_TIME;
        while Instant::now() < deadline {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server ended with {}", program::shown(status)),
                None => thread::sleep(LOOK_INTERVAL),
            }
        }
        bail!("the server had not stopped {STOP_TIME:?} after SIGTERM")
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
        api::get(&self.management, "/readyz", None).is_ok_and(|answer| answer.status == 200)
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

fn last_lines(stage: &Stage) -> String {
    let log = fs::read_to_string(stage.log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n")
}
