//! Compiling artifacts: out of this process, one at a time, never on a run's account.

mod cache;
mod child;
mod lift;
mod merge;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

pub(crate) use cache::{Cache, Code, Compiled, Unusable};
pub use child::{ChildLimits, child};

use crate::PrepareError;
use crate::backtrace::without_paths;

/// The hidden subcommand of our binary that is the compile child.
pub const SUBCOMMAND: &str = "compile-artifact";

/// Artifacts that may wait for the compiler; more are turned away at once.
const MAX_WAITING: usize = 256;

/// What the child may say about a refusal, in bytes.
const MAX_REASON_BYTES: u64 = 16 << 10;

/// The limits of one compilation.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The child's address space.
    pub memory_bytes: u64,
    /// The child's CPU time, all its threads together.
    pub cpu_time: Duration,
    /// From its start to its end.
    pub wall_time: Duration,
}

impl Default for Limits {
    /// SpiderMonkey's 12 MB take 24 s of CPU time; the wall time leaves room for a host that does other things.
    fn default() -> Self {
        Self { memory_bytes: 4 << 30, cpu_time: Duration::from_secs(60), wall_time: Duration::from_secs(180) }
    }
}

/// What the compiler does, and has done since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compilations {
    /// Artifacts that wait for their turn.
    pub waiting: usize,
    /// Artifacts that are being compiled.
    pub under_way: usize,
    /// Artifacts whose code was made.
    pub compiled: u64,
    /// Artifacts that cannot be compiled, or not within the limits.
    pub refused: u64,
    /// Compilations that failed on account of this host.
    pub failed: u64,
    /// What all of them took.
    pub time: Duration,
}

/// Starts compile children, one at a time.
pub(crate) struct Compiler {
    program: PathBuf,
    limits: Limits,
    stack_bytes: usize,
    turn: Semaphore,
    waiting: Semaphore,
    done: Mutex<Compilations>,
}

impl Compiler {
    pub(crate) fn new(program: PathBuf, limits: Limits, stack_bytes: usize) -> Self {
        let (turn, waiting) = (Semaphore::new(1), Semaphore::new(MAX_WAITING));
        Self { program, limits, stack_bytes, turn, waiting, done: Mutex::default() }
    }

    /// Waits for the compiler's turn; whoever holds it looks into the cache again before compiling.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, PrepareError> {
        let waiting = self.waiting.try_acquire().map_err(|_| PrepareError::Busy)?;
        let turn = self.turn.acquire().await.context("the compiler is closed")?;
        drop(waiting);
        Ok(Turn { compiler: self, _turn: turn })
    }
}

/// The right to compile one artifact.
pub(crate) struct Turn<'a> {
    compiler: &'a Compiler,
    _turn: tokio::sync::SemaphorePermit<'a>,
}

impl Turn<'_> {
    /// Compiles `artifact` into `output`.
    ///
    /// # Errors
    /// [`PrepareError::Refused`] if the artifact cannot be compiled within the limits, [`PrepareError::Host`] if the child could not do its work.
    pub(crate) async fn compile(self, artifact: &[u8], output: std::fs::File) -> Result<(), PrepareError> {
        let began = Instant::now();
        let judged = self.run_child(artifact, output).await;
        self.compiler.count(&judged, began.elapsed());
        judged
    }

    async fn run_child(&self, artifact: &[u8], output: std::fs::File) -> Result<(), PrepareError> {
        let Limits { wall_time, .. } = self.compiler.limits;
        let mut child = self.compiler.spawn(output)?;
        match tokio::time::timeout(wall_time, converse(&mut child, artifact)).await {
            Ok(ended) => {
                let (status, reason) = ended.context("the compile child could not be fed")?;
                self.compiler.judge(status, &reason)
            }
            Err(_elapsed) => {
                child.kill().await.context("the compile child could not be stopped")?;
                Err(refused(format!("takes longer to compile than {}", humantime::format_duration(wall_time))))
            }
        }
    }
}

impl Compiler {
    pub(crate) fn compilations(&self) -> Compilations {
        let done = *self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (waiting, turn) = (self.waiting.available_permits(), self.turn.available_permits());
        Compilations { waiting: MAX_WAITING.saturating_sub(waiting), under_way: 1_usize.saturating_sub(turn), ..done }
    }

    pub(crate) fn count<T>(&self, judged: &Result<T, PrepareError>, time: Duration) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        match judged {
            Ok(_) => done.compiled += 1,
            Err(PrepareError::Refused(_)) => done.refused += 1,
            Err(PrepareError::Busy | PrepareError::NoRunner(..) | PrepareError::Host(_)) => done.failed += 1,
        }
        done.time += time;
    }

    fn spawn(&self, output: std::fs::File) -> Result<Child, PrepareError> {
        let limits = &self.limits;
        let child = Command::new(&self.program)
            .arg(SUBCOMMAND)
            .arg(format!("--memory-bytes={}", limits.memory_bytes))
            .arg(format!("--cpu-seconds={}", limits.cpu_time.as_secs().max(1)))
            .arg(format!("--stack-bytes={}", self.stack_bytes))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the compile child {}", self.program.display()))?;
        Ok(child)
    }

    fn judge(&self, status: ExitStatus, reason: &str) -> Result<(), PrepareError> {
        let last_line = reason.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason").trim();
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(child::REFUSED), _) => Err(refused(last_line.to_owned())),
            (Some(child::NO_ROOM), _) => {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Err(anyhow::Error::from(full).context("the compile child cannot write what it made").into())
            }
            (None, Some(signal)) if signal == Signal::XCPU.as_raw() => {
                let limit = humantime::format_duration(self.limits.cpu_time);
                Err(refused(format!("takes more than {limit} of CPU time to compile")))
            }
            // An allocation that fails aborts; a thread that cannot be started panics.
            _ if reason.contains("memory allocation of") || reason.contains("Cannot allocate memory") => {
                let limit = bytesize::ByteSize(self.limits.memory_bytes);
                Err(refused(format!("takes more than {limit} of memory to compile")))
            }
            _ if is_crash(status) && !tells_of_the_system(reason) => {
                tracing::error!(%status, reason, "the compiler failed on an artifact, which is refused from now on");
                let said = without_paths(panic_message(reason).unwrap_or(last_line));
                Err(refused(format!("makes the compiler fail ({status}): {said}; report it with the artifact")))
            }
            _ => Err(PrepareError::Host(anyhow::anyhow!(
                "the compile child ended with {status}: {}",
                panic_message(reason).unwrap_or(last_line)
            ))),
        }
    }
}

/// Whether the compiler's own code failed: on the same bytes it would do so again.
fn is_crash(status: ExitStatus) -> bool {
    let of_our_own_doing = [Signal::SEGV, Signal::ABORT, Signal::ILL].map(Signal::as_raw);
    status.code() == Some(child::PANICKED) || status.signal().is_some_and(|signal| of_our_own_doing.contains(&signal))
}

/// Whether a panic passes on an error of the operating system, as when no thread can be started: tomorrow there may be.
fn tells_of_the_system(reason: &str) -> bool {
    ["Os { code: ", "(os error "].iter().any(|mark| reason.contains(mark))
}

/// What a panic said: the line after the one that says where.
fn panic_message(reason: &str) -> Option<&str> {
    reason.lines().skip_while(|line| !line.contains(" panicked at ")).nth(1)
}

fn refused(problem: String) -> PrepareError {
    PrepareError::Refused(vec![problem])
}

/// Feeds the child, and waits for its end and its reason.
async fn converse(child: &mut Child, artifact: &[u8]) -> std::io::Result<(ExitStatus, String)> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A child that has refused already no longer reads: its exit code tells, not the broken pipe.
            let _ = stdin.write_all(artifact).await;
        }
    };
    let listen = async {
        let mut reason = Vec::new();
        if let Some(mut stderr) = stderr {
            (&mut stderr).take(MAX_REASON_BYTES).read_to_end(&mut reason).await?;
            // A child that could not say all of it would panic, and take the refusal with it.
            tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>(reason)
    };
    let ((), reason) = tokio::join!(feed, listen);
    Ok((child.wait().await?, String::from_utf8_lossy(&reason?).into_owned()))
}
