//! The compile child: artifact on standard input, machine code on standard output, under limits of its own making.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};

use super::lift::lift;
use super::merge::merge;
use crate::engine;
use crate::gates::Gates;
use crate::inspect::{Form, inspect};

/// The exit code that says: the artifact's fault.
pub(super) const REFUSED: i32 = 3;

/// The exit code that says: the disk is full on which the machine code is kept.
pub(super) const NO_ROOM: i32 = 4;

/// The exit code that Rust gives to a program that panicked.
pub(super) const PANICKED: i32 = 101;

/// Machine code is about twice its WebAssembly; this is room for the largest artifact.
const MAX_OUTPUT_BYTES: u64 = 1 << 30;

/// Files that the child may have open.
const MAX_FILES: u64 = 64;

/// What the child may use before the kernel ends it.
#[derive(Clone, Copy, Debug)]
pub struct ChildLimits {
    /// Address space.
    pub memory_bytes: u64,
    /// CPU time of all threads together.
    pub cpu_seconds: u64,
    /// The WebAssembly stack of the runs to come; part of what is compiled.
    pub stack_bytes: usize,
}

/// The whole life of the compile child. It reads standard input, and leaves its reason on standard error if it refuses.
pub fn child(limits: ChildLimits) -> ExitCode {
    let compiled = confine(&limits).and_then(|()| compile(limits.stack_bytes));
    match compiled.and_then(|code| Ok(io::stdout().lock().write_all(&code)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let refusal: Option<&Refusal> = error.downcast_ref();
            eprintln!("{}", refusal.map_or_else(|| format!("{error:#}"), |refusal| refusal.0.clone()));
            if refusal.is_some() {
                ExitCode::from(REFUSED.unsigned_abs().to_le_bytes()[0])
            } else if error.downcast_ref().is_some_and(is_full) {
                ExitCode::from(NO_ROOM.unsigned_abs().to_le_bytes()[0])
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The artifact's fault, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn refuse(error: &anyhow::Error) -> anyhow::Error {
    Refusal(format!("{error:#}").replace('\n', " ")).into()
}

fn confine(limits: &ChildLimits) -> anyhow::Result<()> {
    // An orphan would go on computing for nobody.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let limit = |resource, value: u64| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
    limit(Resource::As, limits.memory_bytes)?;
    // The soft limit's signal has a name of its own; the hard one kills.
    setrlimit(Resource::Cpu, Rlimit { current: Some(limits.cpu_seconds), maximum: Some(limits.cpu_seconds + 1) })?;
    limit(Resource::Fsize, MAX_OUTPUT_BYTES)?;
    limit(Resource::Core, 0)?;
    // The soft limit only: valgrind, under which instructions are counted, keeps the hard one for itself.
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(MAX_FILES), maximum })?;
    Ok(())
}

fn compile(stack_bytes: usize) -> anyhow::Result<Vec<u8>> {
    let mut artifact = Vec::new();
    io::stdin().lock().take(Gates::ARTIFACT_BYTES as u64 + 1).read_to_end(&mut artifact)?;
    let inspection = inspect(&artifact);
    let Some(form) = inspection.form().filter(|_| inspection.problems.is_empty()) else {
        return Err(Refusal(inspection.problems.join("; ")).into());
    };
    let engine = engine::for_compiling(stack_bytes)?;
    let code = match form {
        Form::Program => engine.precompile_module(&artifact),
        Form::CodeNode | Form::Command | Form::Http | Form::Runner => {
            let lifted = lift(&artifact).map_err(|error| refuse(&error))?;
            drop(artifact);
            // Where it cannot be merged, it is what it was: slower, and just as good.
            engine.precompile_component(&merge(&lifted).unwrap_or(lifted))
        }
    };
    code.map_err(|error| Refusal(format!("cannot be compiled: {error:#}").replace('\n', " ")).into())
}
