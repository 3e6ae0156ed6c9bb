//! Which code runs behind which path: an immutable map, replaced as a whole.
//!
//! Nodes come from the configuration and from storage; where both name one, the configuration's serves. It is built off the hot path.
//! Finding a node takes no lock and allocates nothing.

mod live;
mod progress;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use model::quota::Overrides;
use model::{LimitError, Limits, NodeId, Quota, Settings, TenantId};
use sandbox::Prepared;
use storage::Serving;

use crate::admission::Share;
use crate::artifacts::Artifacts;
use crate::config::Config;
use crate::metrics::{Meter, Times};
use crate::reach::Reach;
use crate::values::Own;
use crate::webhook::signature::{Secret, SecretError, Verifier};
pub(crate) use live::{Condition, Live, Source};
use progress::Progress;

/// Every node.
pub(crate) struct Directory {
    tenants: HashMap<TenantId, Tenant>,
    host: Host,
    quotas: Quotas,
    progress: Progress,
    body_bytes: u64,
}

/// What holds for tenants and nodes that say nothing else.
#[derive(Clone, Copy)]
struct Host {
    limits: Limits,
    quota: Quota,
}

/// The quotas of tenants, as far as they have one of their own.
#[derive(Clone, Default)]
struct Quotas {
    /// By the configuration, which comes first.
    configured: HashMap<TenantId, Quota>,
    /// By storage, as it was after the change of this number.
    stored: HashMap<TenantId, (u64, Overrides)>,
}

/// The owner of nodes, and what they share.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) share: Share,
    pub(crate) times: Arc<Times>,
    nodes: HashMap<NodeId, Arc<Live>>,
}

/// Which of the stored nodes are replaced.
pub(crate) enum Scope<'a> {
    All,
    Tenant(&'a TenantId),
    Node(&'a TenantId, &'a NodeId),
}

impl Directory {
    /// The directory before anything is configured.
    pub(crate) fn empty() -> Self {
        let host = Host { limits: Limits::DEFAULT, quota: Quota::DEFAULT };
        Self {
            tenants: HashMap::new(),
            host,
            quotas: Quotas::default(),
            progress: Progress::default(),
            body_bytes: Limits::DEFAULT.event_bytes,
        }
    }

    /// The directory that `config` describes, with the stored nodes of `old`. A node whose new artifact is bad keeps the code that it has
    /// in `old`; all its other settings are the new ones.
    pub(crate) fn build(config: &Config, artifacts: &Artifacts, reach: &Reach, old: &Self) -> Self {
        let host = Host { limits: config.limits, quota: config.quota };
        let configured = config.tenants.iter().map(|(id, tenant)| (id.clone(), tenant.quota)).collect();
        let quotas = Quotas { configured, stored: old.quotas.stored.clone() };
        let progress = old.progress.clone();
        let mut new = Self { tenants: HashMap::new(), host, quotas, progress, body_bytes: host.limits.event_bytes };
        for (id, tenant) in &config.tenants {
            let tenant_now = Tenant { share: old.share(id, tenant.quota), times: old.times(id), nodes: HashMap::new() };
            for (node_id, node) in &tenant.nodes {
                let before = old.find(id.as_str(), node_id.as_str());
                let grants = reach.grants(id, node_id, &tenant.quota, &node.grants, node.own.clone());
                new.put(Live::configured(id, node_id, node, grants, artifacts, before, &tenant_now));
            }
            new.tenants.entry(id.clone()).or_insert(tenant_now);
        }
        for live in old.nodes().into_iter().filter(|live| live.is_stored()) {
            let share = old.share(&live.tenant, new.quota(&live.tenant));
            new.put(Live { share, ..Live::clone(live) });
        }
        new
    }

    /// This directory with other stored nodes and quotas: `nodes` take the place of those in `scope`, and the quotas of `tenants` that of
    /// their owners'. What is newer than `sequence` stays.
    pub(crate) fn with_stored(
        &self,
        scope: &Scope<'_>,
        sequence: u64,
        tenants: &[model::Tenant],
        nodes: Vec<Live>,
    ) -> Self {
        let is_replaced = |live: &Live| {
            let in_scope = scope.has(&live.tenant) && scope.node().is_none_or(|node| live.node == *node);
            in_scope && matches!(live.source, Source::Stored { sequence: known, .. } if known <= sequence)
        };
        let mut new = Self {
            tenants: self.tenants.clone(),
            host: self.host,
            quotas: self.quotas.clone(),
            progress: self.progress.clone(),
            body_bytes: self.host.limits.event_bytes,
        };
        for tenant in new.tenants.values_mut() {
            tenant.nodes.retain(|_, live| !is_replaced(live));
        }
        let is_current = |live: &Live| self.progress.of(&live.tenant, &live.node) <= sequence;
        nodes.into_iter().filter(is_current).for_each(|live| new.put(live));
        new.progress.note(scope, sequence);
        new.quotas.replace(scope, sequence, tenants);
        new.share_anew();
        let all = new.tenants.values().flat_map(|tenant| tenant.nodes.values());
        new.body_bytes = all.map(|live| live.limits.event_bytes).fold(new.body_bytes, u64::max);
        new
    }

    /// A node as storage says, with its code, or with the reason why there is none: then it goes on as it was before.
    pub(crate) fn stored_node(
        &self,
        serving: &Serving,
        sequence: u64,
        code: Option<Result<Arc<Prepared>, String>>,
        reach: &Reach,
    ) -> Live {
        let before = self.find(serving.node.tenant.as_str(), serving.node.id.as_str()).filter(|live| live.is_stored());
        match (code, before) {
            (Some(Err(problem)), Some(before)) => Live { problems: vec![problem], ..Live::clone(before) },
            (Some(Err(problem)), None) => self.fresh_node(serving, sequence, None, vec![problem], reach),
            (Some(Ok(code)), _) => self.fresh_node(serving, sequence, Some(code), Vec::new(), reach),
            (None, _) => self.fresh_node(serving, sequence, None, Vec::new(), reach),
        }
    }

    fn fresh_node(
        &self,
        serving: &Serving,
        sequence: u64,
        code: Option<Arc<Prepared>>,
        mut problems: Vec<String>,
        reach: &Reach,
    ) -> Live {
        let node = &serving.node;
        let settings = serving.revision.as_ref().map(|revision| revision.settings.clone()).unwrap_or_default();
        let limits = self.limits(&settings).unwrap_or_else(|errors| {
            problems.extend(errors.iter().map(ToString::to_string));
            self.host.limits
        });
        let verifier = verifier(serving, Timestamp::now()).unwrap_or_else(|why| {
            problems.push(format!("its secrets cannot be used: {why}"));
            Verifier::decoy()
        });
        let before = self.find(node.tenant.as_str(), node.id.as_str());
        let times = self.times(&node.tenant);
        let own = Own::of(&settings);
        Live {
            tenant: node.tenant.clone(),
            node: node.id.clone(),
            source: Source::Stored { sequence, revision: node.live },
            code,
            problems,
            verifier,
            allow_unsigned: node.door.allow_unsigned && serving.secrets.is_empty(),
            repeat_window: node.door.repeat_window,
            limits,
            grants: reach.grants(&node.tenant, &node.id, &self.quota(&node.tenant), &settings.grants, own),
            end_node: settings.end_node,
            human_assistance: settings.human_assistance,
            on_break: settings.on_break,
            share: self.share_of(&node.tenant),
            meter: before.map_or_else(|| Arc::new(Meter::new(times)), |live| Arc::clone(&live.meter)),
        }
    }

    /// Gives each tenant the share that its quota says, where that has changed.
    fn share_anew(&mut self) {
        let quotas: Vec<(TenantId, Quota)> = self.tenants.keys().map(|id| (id.clone(), self.quota(id))).collect();
        for (id, quota) in quotas {
            let Some(tenant) = self.tenants.get_mut(&id).filter(|tenant| *tenant.share.quota() != quota) else {
                continue;
            };
            tenant.share = tenant.share.with(quota);
            for live in tenant.nodes.values_mut() {
                *live = Arc::new(Live { share: tenant.share.clone(), ..Live::clone(live) });
            }
        }
    }

    /// Adds a node, unless there is one of that name that comes first.
    fn put(&mut self, live: Live) {
        let tenant = self.tenants.entry(live.tenant.clone()).or_insert_with(|| Tenant {
            share: live.share.clone(),
            times: Arc::clone(live.meter.times()),
            nodes: HashMap::new(),
        });
        self.body_bytes = self.body_bytes.max(live.limits.event_bytes);
        tenant.nodes.entry(live.node.clone()).or_insert_with(|| Arc::new(live));
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

    /// What a run under these settings may use on this host.
    pub(crate) fn limits(&self, settings: &Settings) -> Result<Limits, Vec<LimitError>> {
        self.host.limits.with(&settings.limits)
    }

    /// What a tenant may use: as the configuration says, or else storage, or else as everybody.
    pub(crate) fn quota(&self, tenant: &TenantId) -> Quota {
        let stored = || self.quotas.stored.get(tenant).and_then(|(_, own)| self.host.quota.with(own).ok());
        self.quotas.configured.get(tenant).copied().or_else(stored).unwrap_or(self.host.quota)
    }

    /// The share of a tenant, whether any node of its serves or not.
    pub(crate) fn share_of(&self, tenant: &TenantId) -> Share {
        self.tenants.get(tenant).map_or_else(|| Share::new(self.quota(tenant)), |tenant| tenant.share.clone())
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

impl Scope<'_> {
    /// Whether anything of the tenant's is in it.
    fn has(&self, tenant: &TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(id) | Self::Node(id, _) => **id == *tenant,
        }
    }

    /// The one tenant that it is about.
    pub(crate) const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::All => None,
            Self::Tenant(tenant) | Self::Node(tenant, _) => Some(tenant),
        }
    }

    /// The one node that it is about.
    const fn node(&self) -> Option<&NodeId> {
        match self {
            Self::All | Self::Tenant(_) => None,
            Self::Node(_, node) => Some(node),
        }
    }
}

impl Quotas {
    /// Takes over what storage says of `tenants`; who is in scope and not among them is gone.
    fn replace(&mut self, scope: &Scope<'_>, sequence: u64, tenants: &[model::Tenant]) {
        self.stored.retain(|id, (known, _)| !scope.has(id) || *known > sequence);
        for tenant in tenants {
            self.stored.entry(tenant.id.clone()).or_insert_with(|| (sequence, tenant.quota.clone()));
        }
    }
}

/// What a stored node accepts: its secrets, as far as they have not retired.
fn verifier(serving: &Serving, now: Timestamp) -> Result<Verifier, SecretError> {
    let current = serving.secrets.iter().filter(|secret| secret.retires_at.is_none_or(|at| at > now));
    let secrets = current.map(|secret| Secret::new(&secret.text)).collect::<Result<Vec<_>, _>>()?;
    // A node whose last secret has retired takes nothing, whatever its door says.
    let allow_unsigned = serving.node.door.allow_unsigned && serving.secrets.is_empty();
    Verifier::new(&serving.node.door.schemes, &secrets, allow_unsigned)
}
