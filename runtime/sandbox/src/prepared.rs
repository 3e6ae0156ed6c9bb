//! An artifact ready to run: a light handle, and behind it the machine code, loaded, linked and checked, instantiated for every event.
//!
//! The handle stays as long as its node; the code makes room for others when it was not used for long, and is loaded again by the
//! next event.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use model::{ArtifactId, BotBreak, Cause, Event};
use tokio_util::sync::CancellationToken;
use tracing::error;
use wasmtime::component::{Component, Linker};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Extern, ExternType, InstancePre, Module, ModuleExport, Store};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::Sandbox;
use crate::backtrace::one_line;
use crate::capabilities::http::incoming::{self, Answered};
use crate::capabilities::runner::RunnerExportsPre;
use crate::capabilities::{CodeNodeWithGrantsPre, Linkers};
use crate::compile::{Code, Unusable};
use crate::gates::Gates;
use crate::host::Host;
use crate::inspect::Form;
use crate::loaded::{Loaded, Slot};
use crate::runners::Program;
use crate::source::Source;

/// How long an event waits for its code to be loaded. A whole CPython (33 MB) takes a third of a second on a busy machine whose processor has
/// no instructions for SHA-256; a small handler takes one or two milliseconds.
const LOAD_TIME: Duration = Duration::from_secs(5);

/// What is to be done about compiled code that is gone or damaged.
const COMPILE_ANEW: &str =
    "it must be compiled anew, as the server does within seconds, at a SIGHUP, or when it starts";

/// A node's code, ready to run any number of times at once. While it is idle it is this handle only: no file, no mapping.
pub struct Prepared {
    artifact: ArtifactId,
    form: Form,
    /// What was compiled: the artifact or, of a source, its runner.
    code: ArtifactId,
    code_sha256: Arc<str>,
    slot: Arc<Slot<Guest>>,
    /// What the runner runs.
    program: Option<Program>,
}

/// Loaded code.
pub(crate) enum Guest {
    CodeNode(CodeNodeWithGrantsPre<Host>),
    Command(CommandPre<Host>),
    Program { pre: InstancePre<Host>, start: ModuleExport },
    Http(ProxyPre<Host>),
    Runner(RunnerExportsPre<Host>),
}

/// Why code that was compiled cannot be loaded. The text is for the run's record and the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the node's compiled code {0}")]
    Unusable(#[from] Unusable),
    /// Not the file's fault, for it is what the compile child wrote.
    #[error("the node's compiled code cannot be mapped: {0:#}")]
    Unmappable(wasmtime::Error),
    /// More memories, tables or state than the pool has for one run. Only the linked whole shows how much it is.
    #[error("the node's code does not fit into the place of a run: {0}")]
    Oversized(String),
    /// An import of another type, a missing export.
    #[error("the node's code does not fit what codenode offers: {0:#}")]
    Unlinkable(wasmtime::Error),
    #[error("loading the node's code was broken off")]
    BrokenOff,
}

/// How a guest ended that did not trap.
pub(crate) enum Answer {
    /// A code node's reply, or its error.
    Handled(Result<String, String>),
    /// A command ended well; its reply is on its standard output.
    Exited,
    /// What came of a request.
    Answered(Answered),
}

/// An error, and whether the guest's own code had been reached.
pub(crate) struct Failure {
    pub(crate) error: wasmtime::Error,
    pub(crate) instantiating: bool,
}

impl Prepared {
    pub(crate) fn new(artifact: ArtifactId, form: Form, code_sha256: &str) -> Self {
        let (code_sha256, slot) = (code_sha256.into(), Arc::default());
        Self { artifact, form, code: artifact, code_sha256, slot, program: None }
    }

    /// A source, of which its runner has made a program. All that are of one language share the runner's code.
    pub(crate) fn of_source(artifact: ArtifactId, runner: &Self, program: Program) -> Self {
        let (code_sha256, slot) = (Arc::clone(&runner.code_sha256), Arc::clone(&runner.slot));
        Self { artifact, form: runner.form, code: runner.artifact, code_sha256, slot, program: Some(program) }
    }

    /// Whether it is a source.
    pub const fn is_source(&self) -> bool {
        self.program.is_some()
    }

    /// Whether it runs sources, and has none.
    pub(crate) const fn is_runner(&self) -> bool {
        matches!(self.form, Form::Runner) && self.program.is_none()
    }

    /// What a runner made of a source.
    pub(crate) const fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// The artifact that this was made from.
    pub const fn artifact(&self) -> ArtifactId {
        self.artifact
    }

    /// Whether it is a handler of requests, who may see the headers of its event.
    pub const fn takes_requests(&self) -> bool {
        matches!(self.form, Form::Http)
    }

    /// Whether its code is loaded now; if not, the next run loads it.
    pub fn is_loaded(&self) -> bool {
        self.slot.is_loaded()
    }

    /// Whether it reads the event from its standard input, and writes the reply to its standard output.
    pub(crate) const fn is_command(&self) -> bool {
        matches!(self.form, Form::Command | Form::Program)
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot<Guest>> {
        &self.slot
    }
}

impl Sandbox {
    /// Whether code can be loaded again, as far as can be told without reading it. If not, its artifact should be prepared anew. It asks
    /// the file system.
    pub fn keeps(&self, prepared: &Prepared) -> bool {
        let is_made = prepared.program.is_none() || self.0.cache.has_code(prepared.artifact);
        is_made && !prepared.slot.has_failed() && self.0.cache.has_code(prepared.code)
    }

    /// Removes compiled code of other releases that none of them has used for a week, and tells of how many. It asks the file system, so do it
    /// now and then: this release's own counts as used for as long as it does.
    pub fn tidy(&self, now: SystemTime) -> usize {
        self.0.cache.tidy(now)
    }

    /// A node's code for one run. It is loaded if it had to make room, on no run's account.
    ///
    /// # Errors
    /// `unavailable`, if it cannot be loaded now.
    pub(crate) async fn code(
        &self,
        prepared: &Prepared,
        cancelled: &CancellationToken,
    ) -> Result<Arc<Loaded<Guest>>, BotBreak> {
        match self.0.shelf.get(&prepared.slot) {
            Some(code) => Ok(code),
            // In a box, so that the runs that find their code, nearly all, are not larger for it.
            None => Box::pin(self.load(prepared, cancelled)).await,
        }
    }

    async fn load(&self, prepared: &Prepared, cancelled: &CancellationToken) -> Result<Arc<Loaded<Guest>>, BotBreak> {
        let (sandbox, sha256) = (self.clone(), Arc::clone(&prepared.code_sha256));
        let (artifact, form) = (prepared.code, prepared.form);
        let load = move || {
            sandbox.load_from_cache(artifact, form, &sha256).inspect_err(|error| {
                error!(%artifact, %error, "the compiled code of an artifact cannot be loaded");
            })
        };
        let load = tokio::time::timeout(LOAD_TIME, self.0.shelf.get_or_load(&prepared.slot, load));
        let unavailable = |detail: String| BotBreak::new(Cause::Unavailable, detail);
        match cancelled.run_until_cancelled(load).await {
            Some(Ok(Ok(code))) => Ok(code),
            Some(Ok(Err(error))) if error.asks_for_compilation() => {
                self.0.damage.notify_one();
                Err(unavailable(format!("{error}: {COMPILE_ANEW}")))
            }
            Some(Ok(Err(error))) => Err(unavailable(error.to_string())),
            Some(Err(_elapsed)) => {
                let limit = humantime::format_duration(LOAD_TIME);
                Err(unavailable(format!("the node's code was not loaded within {limit}; the next event may find it")))
            }
            None => Err(unavailable("this host shut down before the run began".to_owned())),
        }
    }

    /// Reads, checks, maps and links; and what it is large, in bytes.
    fn load_from_cache(&self, artifact: ArtifactId, form: Form, sha256: &str) -> Result<(Guest, u64), LoadError> {
        let code = self.0.cache.open_code(artifact, sha256)?;
        Ok((Guest::load(&self.0.engine, &self.0.linkers, &code, form)?, code.bytes()))
    }
}

impl LoadError {
    /// The pool's verdict has no type of its own: it is known by its text.
    fn of_mapping(error: wasmtime::Error) -> Self {
        if !format!("{error:#}").contains("pooling allocator") {
            return Self::Unmappable(error);
        }
        let verdict = error.root_cause().to_string();
        Self::Oversized(if verdict.contains("instance allocation") {
            let limit = bytesize::ByteSize(Gates::INSTANCE_STATE_BYTES as u64);
            format!("its globals, functions and imports take more than {limit} of the engine's memory")
        } else {
            one_line(verdict.trim_end_matches(" in the pooling allocator"))
        })
    }

    /// Whether the artifact has to be compiled anew.
    fn asks_for_compilation(&self) -> bool {
        match self {
            Self::Unusable(Unusable::Gone | Unusable::Exposed | Unusable::Changed) => true,
            Self::Unusable(Unusable::Unreadable(_))
            | Self::Unmappable(_)
            | Self::Oversized(_)
            | Self::Unlinkable(_)
            | Self::BrokenOff => false,
        }
    }
}

impl Guest {
    /// Maps machine code and resolves its imports and exports.
    ///
    /// # Errors
    /// [`LoadError::Unmappable`], [`LoadError::Oversized`], [`LoadError::Unlinkable`].
    pub(crate) fn load(engine: &Engine, linkers: &Linkers, code: &Code, form: Form) -> Result<Self, LoadError> {
        match form {
            Form::CodeNode | Form::Command | Form::Http | Form::Runner => {
                #[expect(
                    unsafe_code,
                    reason = "machine code is loaded; the cache has checked that our own compile child wrote it"
                )]
                // SAFETY: `Code` exists only for a file in a folder that this user alone can write, with the digest of what the child
                // made; and its path leads to that very file, whatever has taken its name since.
                let component = unsafe { Component::deserialize_file(engine, code.path()) };
                let component = component.map_err(LoadError::of_mapping)?;
                Self::link_component(&linkers.components, &component, form).map_err(LoadError::Unlinkable)
            }
            Form::Program => {
                #[expect(
                    unsafe_code,
                    reason = "machine code is loaded; the cache has checked that our own compile child wrote it"
                )]
                // SAFETY: as above.
                let module = unsafe { Module::deserialize_file(engine, code.path()) }.map_err(LoadError::of_mapping)?;
                Self::link_program(&linkers.programs, &module).map_err(LoadError::Unlinkable)
            }
        }
    }

    fn link_component(linker: &Linker<Host>, component: &Component, form: Form) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(component)?;
        Ok(match form {
            Form::CodeNode => Self::CodeNode(CodeNodeWithGrantsPre::new(pre)?),
            Form::Command | Form::Program => Self::Command(CommandPre::new(pre)?),
            Form::Http => Self::Http(ProxyPre::new(pre)?),
            Form::Runner => Self::Runner(RunnerExportsPre::new(pre)?),
        })
    }

    fn link_program(linker: &wasmtime::Linker<Host>, module: &Module) -> wasmtime::Result<Self> {
        let start = module.get_export("_start");
        let starts = start.as_ref().and_then(ExternType::func);
        wasmtime::ensure!(
            starts.is_some_and(|start| start.params().len() == 0 && start.results().len() == 0),
            "its `_start` must be a function that takes nothing and returns nothing"
        );
        let memory = module.get_export("memory");
        wasmtime::ensure!(
            module.imports().len() == 0 || memory.is_some_and(|memory| memory.memory().is_some()),
            "it imports WASI and must export its memory as `memory`"
        );
        let pre = linker.instantiate_pre(module)?;
        let start = module.get_export_index("_start").context("no `_start`")?;
        Ok(Self::Program { pre, start })
    }

    /// One fresh instance, one call.
    pub(crate) async fn call(
        &self,
        store: &mut Store<Host>,
        event: &Event,
        program: Option<&Program>,
    ) -> Result<Answer, Failure> {
        let instantiating = |error| Failure { error, instantiating: true };
        let calling = |error| Failure { error, instantiating: false };
        match self {
            Self::CodeNode(pre) => {
                let node = pre.instantiate_async(&mut *store).await.map_err(instantiating)?;
                node.call_handle(store, event.as_str()).await.map(Answer::Handled).map_err(calling)
            }
            Self::Command(pre) => {
                let command = pre.instantiate_async(&mut *store).await.map_err(instantiating)?;
                match command.wasi_cli_run().call_run(store).await {
                    Ok(Ok(())) => Ok(Answer::Exited),
                    Ok(Err(())) => Err(calling(I32Exit(1).into())),
                    Err(error) => exited(error).map_err(calling),
                }
            }
            Self::Http(pre) => {
                let proxy = pre.instantiate_async(&mut *store).await.map_err(instantiating)?;
                incoming::handle(&proxy, store, event).await.map(Answer::Answered).map_err(calling)
            }
            Self::Runner(pre) => {
                let runner = pre.instantiate_async(&mut *store).await.map_err(instantiating)?;
                let (program, context) = (program.map_or(&[][..], |program| &program.bytes), context(store, event));
                let ran = runner.call_run(store, program, event.as_str(), &context).await;
                ran.map(Answer::Handled).map_err(calling)
            }
            Self::Program { pre, start } => {
                let program = pre.instantiate_async(&mut *store).await.map_err(instantiating)?;
                let start = program.get_module_export(&mut *store, start).and_then(Extern::into_func);
                let start = start.context("no `_start`").and_then(|start| start.typed::<(), ()>(&*store));
                match start.map_err(calling)?.call_async(store, ()).await {
                    Ok(()) => Ok(Answer::Exited),
                    Err(error) => exited(error).map_err(calling),
                }
            }
        }
    }

    /// What a runner makes of a source, or what it says is wrong with that; `None` from whatever else this is.
    pub(crate) async fn compile(
        &self,
        store: &mut Store<Host>,
        source: &Source<'_>,
    ) -> Result<Option<Result<Vec<u8>, String>>, Failure> {
        let Self::Runner(pre) = self else { return Ok(None) };
        let instantiated = pre.instantiate_async(&mut *store).await;
        let runner = instantiated.map_err(|error| Failure { error, instantiating: true })?;
        let compiled = runner.call_compile(store, source.file, source.text).await;
        compiled.map(Some).map_err(|error| Failure { error, instantiating: false })
    }
}

/// What a handler of a source is told of its run.
fn context(store: &Store<Host>, event: &Event) -> String {
    let (run, node) = event.run().map(|(run, node)| (run.to_string(), node.to_string())).unwrap_or_default();
    let wall_time_millis = u64::try_from(store.data().limits.wall_time.as_millis()).unwrap_or(u64::MAX);
    serde_json::json!({ "function_name": node, "request_id": run, "wall_time_millis": wall_time_millis }).to_string()
}

/// `exit(0)` is an error to the engine, and a good end to a command.
fn exited(error: wasmtime::Error) -> wasmtime::Result<Answer> {
    if matches!(error.downcast_ref(), Some(I32Exit(0))) { Ok(Answer::Exited) } else { Err(error) }
}
