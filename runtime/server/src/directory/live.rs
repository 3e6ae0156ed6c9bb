//! One node as it serves now, wherever it comes from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{ArtifactId, Limits, NodeId, OnBreak, RevisionNumber, TenantId};
use sandbox::{Grants, Prepared};
use utoipa::ToSchema;

use super::Tenant;
use crate::admission::Share;
use crate::artifacts::Artifacts;
use crate::config;
use crate::metrics::Meter;
use crate::webhook::signature::Verifier;

/// A node as it serves now.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) tenant: TenantId,
    pub(crate) node: NodeId,
    pub(crate) source: Source,
    /// `None` where no artifact was ever good: events are verified as usual, then break as `unavailable`.
    pub(crate) code: Option<Arc<Prepared>>,
    /// What is wrong with the artifact that is configured now.
    pub(crate) problems: Vec<String>,
    pub(crate) verifier: Verifier,
    pub(crate) allow_unsigned: bool,
    pub(crate) repeat_window: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) end_node: bool,
    pub(crate) human_assistance: bool,
    pub(crate) on_break: OnBreak,
    pub(crate) share: Share,
    pub(crate) meter: Arc<Meter>,
}

/// Where a node comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The configuration, which names the file of its artifact.
    File(PathBuf),
    /// Storage, as it was after the change of this number.
    Stored { sequence: u64, revision: Option<RevisionNumber> },
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// Its configured artifact serves.
    Live,
    /// Its configured artifact is bad; the last good one serves.
    Outdated,
    /// There is nothing to run.
    Unavailable,
}

impl Condition {
    /// The stable name, such as `live`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Outdated => "outdated",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Live {
    /// A node of the configuration file.
    pub(super) fn configured(
        tenant: &TenantId,
        node: &NodeId,
        config: &config::Node,
        grants: Grants,
        artifacts: &Artifacts,
        before: Option<&Arc<Self>>,
        owner: &Tenant,
    ) -> Self {
        let (code, problems) = match artifacts.get(&config.artifact) {
            Some(Ok(code)) => (Some(Arc::clone(code)), Vec::new()),
            Some(Err(problems)) => {
                (before.filter(|live| !live.is_stored()).and_then(|live| live.code.clone()), problems.clone())
            }
            None => (None, vec![format!("{} was not looked at", config.artifact.display())]),
        };
        Self {
            tenant: tenant.clone(),
            node: node.clone(),
            source: Source::File(config.artifact.clone()),
            code,
            problems,
            verifier: config.verifier.clone(),
            allow_unsigned: config.allow_unsigned,
            repeat_window: config.repeat_window,
            limits: config.limits,
            grants,
            end_node: config.end_node,
            human_assistance: config.human_assistance,
            on_break: config.on_break.clone(),
            share: owner.share.clone(),
            meter: before
                .map_or_else(|| Arc::new(Meter::new(Arc::clone(&owner.times))), |live| Arc::clone(&live.meter)),
        }
    }

    pub(crate) const fn condition(&self) -> Condition {
        match (&self.code, self.problems.is_empty()) {
            (Some(_), true) => Condition::Live,
            (Some(_), false) => Condition::Outdated,
            (None, _) => Condition::Unavailable,
        }
    }

    /// Whether it comes from storage.
    pub(crate) const fn is_stored(&self) -> bool {
        matches!(self.source, Source::Stored { .. })
    }

    /// The revision that serves; `None` for a node of the configuration file.
    pub(crate) const fn revision(&self) -> Option<RevisionNumber> {
        match &self.source {
            Source::File(_) => None,
            Source::Stored { revision, .. } => *revision,
        }
    }

    /// The name of the code that serves.
    pub(crate) fn serving(&self) -> Option<ArtifactId> {
        self.code.as_ref().map(|code| code.artifact())
    }
}
