//! A project's artifact, compiled and with all that it is given: ready for one event after the other.

use std::sync::Arc;

use model::{Event, Limits, Run};
use sandbox::{Prepared, Sandbox};

use super::{Built, Project, prepare};
use crate::given::Given;
use crate::local;

/// What runs events of a project.
pub(crate) struct Ready<'a> {
    project: &'a Project,
    sandbox: &'a Sandbox,
    prepared: Arc<Prepared>,
    given: Given,
}

impl<'a> Ready<'a> {
    /// Compiles what was built. `given` goes before what the project says.
    ///
    /// # Errors
    /// If the artifact is refused, or what is given does not fit together.
    pub(crate) async fn new(
        project: &'a Project,
        sandbox: &'a Sandbox,
        built: &Built,
        given: Given,
    ) -> anyhow::Result<Self> {
        let given = given.or(project.given());
        given.must_fit_together()?;
        Ok(Self { project, sandbox, prepared: prepare(sandbox, built).await?, given })
    }

    /// What a run may use.
    pub(crate) const fn limits(&self) -> Limits {
        self.project.limits
    }

    /// Runs one event under the project's limits. Nothing is kept from one to the next.
    ///
    /// # Errors
    /// If what it is given cannot be had.
    pub(crate) async fn run(&self, event: &Event) -> anyhow::Result<Run> {
        let fresh = tempfile::tempdir()?;
        let grants = self.given.granted(fresh.path()).await?;
        Ok(local::run(self.sandbox, &self.prepared, event, &self.project.limits, &grants).await)
    }
}
