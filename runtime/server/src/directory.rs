//! Which code runs behind which path: an immutable map, replaced as a whole.
//!
//! It is built off the hot path. Finding a node takes no lock and allocates nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use model::{ArtifactId, Limits, NodeId, Quota, TenantId};
use sandbox::Prepared;

use crate::admission::Share;
use crate::artifacts::Artifacts;
use crate::config::{self, Config, OnBreak};
use crate::metrics::{Meter, Times};
use crate::webhook::signature::Verifier;

/// Every configured node.
pub(crate) struct Directory {
    tenants: HashMap<TenantId, Tenant>,
    body_bytes: u64,
}

/// The owner of nodes, and what they share.
pub(crate) struct Tenant {
    pub(crate) share: Share,
    pub(crate) times: Arc<Times>,
    nodes: HashMap<NodeId, Arc<Live>>,
}

/// A node as it serves now.
pub(crate) struct Live {
    pub(crate) tenant: TenantId,
    pub(crate) node: NodeId,
    pub(crate) artifact: PathBuf,
    /// `None` where no artifact was ever good: events are verified as usual, then break as `unavailable`.
    pub(crate) code: Option<Arc<Prepared>>,
    /// What is wrong with the artifact that is configured now.
    pub(crate) problems: Vec<String>,
    pub(crate) verifier: Verifier,
    pub(crate) allow_unsigned: bool,
    pub(crate) limits: Limits,
    pub(crate) end_node: bool,
    pub(crate) human_assistance: bool,
    pub(crate) on_break: OnBreak,
    pub(crate) share: Share,
    pub(crate) meter: Arc<Meter>,
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// Its configured artifact serves.
    Live,
    /// Its configured artifact is bad; the last good one serves.
    Outdated,
    /// There is nothing to run.
    Unavailable,
}

impl Directory {
    /// The directory before anything is configured.
    pub(crate) fn empty() -> Self {
        Self { tenants: HashMap::new(), body_bytes: Limits::DEFAULT.event_bytes }
    }

    /// The directory that `config` describes. A node whose new artifact is bad keeps the code that it has in `old`;
    /// all its other settings are the new ones.
    pub(crate) fn build(config: &Config, artifacts: &Artifacts, old: &Self) -> Self {
        let mut body_bytes = config.limits.event_bytes;
        let mut tenants = HashMap::new();
        for (id, tenant) in &config.tenants {
            let (share, times) = (old.share(id, tenant.quota), old.times(id));
            let mut nodes = HashMap::new();
            for (node_id, node) in &tenant.nodes {
                let before = old.find(id.as_str(), node_id.as_str());
                let live = Live::new(id, node_id, node, artifacts, before, &share, &times);
                body_bytes = body_bytes.max(live.limits.event_bytes);
                nodes.insert(node_id.clone(), Arc::new(live));
            }
            tenants.insert(id.clone(), Tenant { share, times, nodes });
        }
        Self { tenants, body_bytes }
    }

    /// The node behind `/hooks/{tenant}/{node}`.
    pub(crate) fn find(&self, tenant: &str, node: &str) -> Option<&Arc<Live>> {
        self.tenants.get(tenant)?.nodes.get(node)
    }

    /// The largest event of any node. As much of a body is read whoever it is for, so that no size tells which nodes exist.
    pub(crate) const fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Every node, by tenant and name.
    pub(crate) fn nodes(&self) -> Vec<&Arc<Live>> {
        let mut nodes: Vec<&Arc<Live>> = self.tenants.values().flat_map(|tenant| tenant.nodes.values()).collect();
        nodes.sort_by(|a, b| (&a.tenant, &a.node).cmp(&(&b.tenant, &b.node)));
        nodes
    }

    /// Every tenant, by name.
    pub(crate) fn tenants(&self) -> Vec<(&TenantId, &Tenant)> {
        let mut tenants: Vec<(&TenantId, &Tenant)> = self.tenants.iter().collect();
        tenants.sort_by_key(|(id, _)| *id);
        tenants
    }

    /// All code that serves.
    pub(crate) fn prepared(&self) -> impl Iterator<Item = &Arc<Prepared>> {
        self.tenants.values().flat_map(|tenant| tenant.nodes.values()).filter_map(|live| live.code.as_ref())
    }

    /// What was measured of a tenant outlives reloads too.
    fn times(&self, tenant: &TenantId) -> Arc<Times> {
        self.tenants.get(tenant).map_or_else(Arc::default, |tenant| Arc::clone(&tenant.times))
    }

    /// A tenant's share outlives reloads, for runs that are under way count in it.
    fn share(&self, tenant: &TenantId, quota: Quota) -> Share {
        self.tenants.get(tenant).map_or_else(|| Share::new(quota), |tenant| tenant.share.with(quota))
    }
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
    fn new(
        tenant: &TenantId,
        node: &NodeId,
        config: &config::Node,
        artifacts: &Artifacts,
        before: Option<&Arc<Self>>,
        share: &Share,
        times: &Arc<Times>,
    ) -> Self {
        let (code, problems) = match artifacts.get(&config.artifact) {
            Some(Ok(code)) => (Some(Arc::clone(code)), Vec::new()),
            Some(Err(problems)) => (before.and_then(|live| live.code.clone()), problems.clone()),
            None => (None, vec![format!("{} was not looked at", config.artifact.display())]),
        };
        Self {
            tenant: tenant.clone(),
            node: node.clone(),
            artifact: config.artifact.clone(),
            code,
            problems,
            verifier: config.verifier.clone(),
            allow_unsigned: config.allow_unsigned,
            limits: config.limits,
            end_node: config.end_node,
            human_assistance: config.human_assistance,
            on_break: config.on_break.clone(),
            share: share.clone(),
            meter: before.map_or_else(|| Arc::new(Meter::new(Arc::clone(times))), |live| Arc::clone(&live.meter)),
        }
    }

    pub(crate) const fn condition(&self) -> Condition {
        match (&self.code, self.problems.is_empty()) {
            (Some(_), true) => Condition::Live,
            (Some(_), false) => Condition::Outdated,
            (None, _) => Condition::Unavailable,
        }
    }

    /// The name of the code that serves.
    pub(crate) fn serving(&self) -> Option<ArtifactId> {
        self.code.as_ref().map(|code| code.artifact())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::admission::{Full, Gate};
    use crate::config::Environment;

    fn directory(text: &str, old: &Directory) -> Directory {
        let config = Config::parse(Path::new("codenode.toml"), text, &Environment::default()).unwrap();
        let nodes = config.tenants.values().flat_map(|tenant| tenant.nodes.values());
        let artifacts = nodes.map(|node| (node.artifact.clone(), Err(vec!["it is bad".to_owned()]))).collect();
        Directory::build(&config, &artifacts, old)
    }

    const TWO_NODES: &str = r#"
        [tenants.acme]
        quota = { runs = 3 }
        [tenants.acme.nodes.ONE]
        artifact = "one.wasm"
        secrets = ["it's a secret"]
        limits = { event = "1 MiB" }
        [tenants.acme.nodes.TWO]
        artifact = "two.wasm"
        allow_unsigned = true
    "#;

    #[test]
    fn a_node_whose_artifact_is_bad_is_there_and_unavailable() {
        let directory = directory(TWO_NODES, &Directory::empty());
        let live = directory.find("acme", "ONE").unwrap();
        assert_eq!(live.condition(), Condition::Unavailable);
        assert_eq!(live.problems, ["it is bad"]);
        assert!(live.serving().is_none());
    }

    #[test]
    fn only_a_configured_node_of_that_very_tenant_is_found() {
        let directory = directory(TWO_NODES, &Directory::empty());
        assert!(directory.find("acme", "TWO").is_some());
        for (tenant, node) in [("acme", "two"), ("ACME", "TWO"), ("acme", ""), ("", "TWO"), ("other", "TWO")] {
            assert!(directory.find(tenant, node).is_none(), "{tenant}/{node}");
        }
    }

    #[test]
    fn as_much_is_read_as_the_largest_event_of_any_node() {
        assert_eq!(Directory::empty().body_bytes(), 256 << 10);
        assert_eq!(directory(TWO_NODES, &Directory::empty()).body_bytes(), 1 << 20);
    }

    #[tokio::test]
    async fn a_tenants_share_outlives_a_reload() {
        let old = directory(TWO_NODES, &Directory::empty());
        let gate = Gate::new(10, 10, Duration::ZERO);
        let share = |directory: &Directory| directory.find("acme", "ONE").unwrap().share.clone();
        let _held = gate.admit(&share(&old)).await.unwrap();
        let new = directory(&TWO_NODES.replace("runs = 3", "runs = 1"), &old);
        assert_eq!(gate.admit(&share(&new)).await.unwrap_err(), Full::Runs);
    }
}
