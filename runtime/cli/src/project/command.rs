//! Programs of others that a build starts: they have a deadline, and leave nothing running behind.

use std::path::Path;
use std::process::{self, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// More than that no build tells of what it made.
const MAX_OUTPUT_BYTES: u64 = 64 << 20;

/// How a program is installed that builds commonly take.
const INSTALLED_BY: [(&str, &str); 11] = [
    ("cargo", RUST),
    ("rustc", RUST),
    ("rustup", RUST),
    ("go", "see https://go.dev/dl"),
    ("tinygo", "see https://tinygo.org/getting-started/install"),
    ("node", "see https://nodejs.org/en/download"),
    ("npm", "see https://nodejs.org/en/download"),
    ("npx", "see https://nodejs.org/en/download"),
    ("python3", "`apt install python3` or see https://www.python.org/downloads"),
    ("componentize-py", "`pip install componentize-py==0.25.1`"),
    ("make", "`apt install make`"),
];
const RUST: &str = "`curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh`";

/// The groups of processes that run for us now.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Where a program's standard output goes; its errors are for whoever looks.
pub(super) enum Output {
    Kept,
    /// To standard error, for standard output is what codenode says.
    Shown,
}

/// What a program did.
pub(super) struct Ran {
    pub(super) succeeded: bool,
    pub(super) output: String,
}

/// From now on Ctrl-C, and whatever else asks us to end, kills what builds have started, too.
///
/// # Errors
/// If the system does not let us hear of signals.
pub(crate) fn end_with_us() -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(entered);
    let until_asked = move || {
        let asked = runtime.block_on(async {
            tokio::select! {
                _ = hangup.recv() => SignalKind::hangup(),
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
            }
        });
        // Held to the end: nothing else is started.
        let running = running();
        running.iter().copied().for_each(kill);
        process::exit(128 + asked.as_raw_value())
    };
    thread::Builder::new().name("signals".to_owned()).spawn(until_asked)?;
    Ok(())
}

/// Runs a program in a folder until it ends.
///
/// # Errors
/// Says how it is installed where it is not there. It is killed, with all that it started, at the deadline.
pub(super) async fn run(command: &[&str], folder: &Path, output: Output, deadline: Duration) -> anyhow::Result<Ran> {
    run_with(&[], command, folder, output, deadline).await
}

/// The same, with these variables.
pub(super) async fn run_with(
    environment: &[(&str, &Path)],
    command: &[&str],
    folder: &Path,
    output: Output,
    deadline: Duration,
) -> anyhow::Result<Ran> {
    let [program, arguments @ ..] = command else { bail!("there is no program to run") };
    let mut builder = Command::new(program);
    builder.args(arguments).envs(environment.iter().copied()).current_dir(folder).stdin(Stdio::null()).stdout(
        match output {
            Output::Kept => Stdio::piped(),
            Output::Shown => io::stderr().into(),
        },
    );
    let (_group, mut child) = Group::start(&mut builder).map_err(|error| missing(program, error))?;
    match tokio::time::timeout(deadline, end_of(&mut child)).await {
        Ok(ran) => ran.with_context(|| format!("{program} cannot be followed")),
        Err(_elapsed) => bail!(
            "`{}` has not ended within {}, and was killed: give it more time with `deadline` in [build], or see why it hangs",
            command.join(" "),
            humantime::format_duration(deadline)
        ),
    }
}

async fn end_of(child: &mut Child) -> io::Result<Ran> {
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut bytes = Vec::new();
        stdout.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes).await?;
        output = String::from_utf8_lossy(&bytes).into_owned();
    }
    Ok(Ran { succeeded: child.wait().await?.success(), output })
}

/// A program and all that it has started; what is left of them is killed with this.
struct Group(Option<Pid>);

impl Group {
    /// Starts a program as the leader of its group.
    fn start(program: &mut Command) -> io::Result<(Self, Child)> {
        // Whoever asks us to end meanwhile waits until it is known.
        let mut running = running();
        let child = program.process_group(0).spawn()?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        running.extend(leader);
        Ok((Self(leader), child))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            running().retain(|other| *other != leader);
            kill(leader);
        }
    }
}

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill(group: Pid) {
    // Nobody may be left, which is as well.
    let _ = kill_process_group(group, Signal::KILL);
}

fn missing(program: &str, error: io::Error) -> anyhow::Error {
    if error.kind() != io::ErrorKind::NotFound {
        return anyhow::Error::new(error).context(format!("cannot start {program}"));
    }
    match INSTALLED_BY.iter().find(|(name, _)| *name == program) {
        Some((_, how)) => {
            anyhow::anyhow!("{program} is not on this machine, and this project is built with it; install it: {how}")
        }
        None => anyhow::anyhow!(
            "{program} is not on this machine, and this project is built with it: install it, or change `build.command`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_build_that_hangs_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let script = "sleep 600 & echo $! > started; sleep 600";
        let hanging = run(&["sh", "-c", script], folder.path(), Output::Kept, Duration::from_millis(500)).await;
        let error = hanging.err().unwrap().to_string();
        assert!(error.contains("has not ended within 500ms"), "{error}");
        let started = fs::read_to_string(folder.path().join("started")).unwrap();
        let is_there =
            || fs::read_to_string(format!("/proc/{}/stat", started.trim())).is_ok_and(|stat| !stat.contains(" Z "));
        let patience = Instant::now();
        while is_there() {
            assert!(patience.elapsed() < Duration::from_secs(60), "what it had started goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named_with_what_installs_it() {
        let here = Path::new(".");
        let missing = run(&["no-such-program", "x"], here, Output::Shown, Duration::from_secs(5)).await;
        let error = missing.err().unwrap().to_string();
        assert!(error.contains("no-such-program is not on this machine"), "{error}");
        let ran = run(&["sh", "-c", "echo made; exit 3"], here, Output::Kept, Duration::from_secs(5)).await.unwrap();
        assert_eq!((ran.succeeded, ran.output.as_str()), (false, "made\n"));
    }
}
