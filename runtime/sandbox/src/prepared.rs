//! An artifact ready to run: compiled, loaded, linked and checked once, instantiated for every event.

use model::ArtifactId;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::capabilities::CodeNodePre;
use crate::compile::Compiled;
use crate::host::Host;
use crate::inspect::{Inspection, Kind};

/// A node's code, ready to run any number of times at once.
pub struct Prepared {
    artifact: ArtifactId,
    inspection: Inspection,
    guest: Guest,
}

enum Guest {
    CodeNode(CodeNodePre<Host>),
    Command(CommandPre<Host>),
}

/// How a guest ended that did not trap.
pub(crate) enum Answer {
    /// A code node's reply, or its error.
    Handled(Result<String, String>),
    /// A command ended well; its reply is on its standard output.
    Exited,
}

/// An error, and whether the guest's own code had been reached.
pub(crate) struct Failure {
    pub(crate) error: wasmtime::Error,
    pub(crate) instantiating: bool,
}

impl Prepared {
    /// Loads machine code and resolves its imports and exports.
    ///
    /// # Errors
    /// What the linker has against the component: an import of another type, a missing export.
    pub(crate) fn load(
        engine: &Engine,
        linker: &Linker<Host>,
        artifact: ArtifactId,
        compiled: Compiled,
        kind: Kind,
    ) -> wasmtime::Result<Self> {
        #[expect(
            unsafe_code,
            reason = "the one place that loads machine code: the cache has checked that our own compile child wrote it"
        )]
        // SAFETY: `Compiled` exists only for a file in a folder that this user alone can write, with the digest of what the child made.
        let component = unsafe { Component::deserialize_file(engine, &compiled.path)? };
        let pre = linker.instantiate_pre(&component)?;
        let guest = match kind {
            Kind::CodeNode => Guest::CodeNode(CodeNodePre::new(pre)?),
            Kind::Command => Guest::Command(CommandPre::new(pre)?),
        };
        Ok(Self { artifact, inspection: compiled.inspection, guest })
    }

    /// The artifact that this was made from.
    pub const fn artifact(&self) -> ArtifactId {
        self.artifact
    }

    /// What the inspection found.
    pub const fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self.guest {
            Guest::CodeNode(_) => Kind::CodeNode,
            Guest::Command(_) => Kind::Command,
        }
    }

    /// One fresh instance, one call.
    pub(crate) async fn call(&self, store: &mut Store<Host>, event: &str) -> Result<Answer, Failure> {
        let instantiating = |error| Failure { error, instantiating: true };
        let calling = |error| Failure { error, instantiating: false };
        match &self.guest {
            Guest::CodeNode(pre) => {
                let node = pre.instantiate_async(&mut *store).await.map_err(instantiating)?;
                node.call_handle(store, event).await.map(Answer::Handled).map_err(calling)
            }
            Guest::Command(pre) => {
                let command = pre.instantiate_async(&mut *store).await.map_err(instantiating)?;
                match command.wasi_cli_run().call_run(store).await {
                    Ok(Ok(())) => Ok(Answer::Exited),
                    Ok(Err(())) => Err(calling(I32Exit(1).into())),
                    Err(error) if matches!(error.downcast_ref(), Some(I32Exit(0))) => Ok(Answer::Exited),
                    Err(error) => Err(calling(error)),
                }
            }
        }
    }
}
