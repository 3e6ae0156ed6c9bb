//! How far the directory has followed storage, part by part. Reading storage and preparing code take their time, so what was read before a change
//! may arrive after it, and must not undo it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use model::{NodeId, TenantId};

use super::Scope;

/// Nothing that was read is on its way for so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// The number of the newest change that is known of each part.
#[derive(Clone, Default)]
pub(super) struct Progress {
    all: u64,
    tenants: HashMap<TenantId, Known>,
    nodes: HashMap<(TenantId, NodeId), Known>,
}

#[derive(Clone, Copy)]
struct Known {
    sequence: u64,
    since: Instant,
}

impl Progress {
    /// Notes that all in `scope` is as it was after the change of this number, or newer.
    pub(super) fn note(&mut self, scope: &Scope<'_>, sequence: u64) {
        let now = Instant::now();
        let raise = |known: &mut Known| {
            *known = Known { sequence: known.sequence.max(sequence), since: now };
        };
        let first = Known { sequence, since: now };
        match scope {
            Scope::All => self.all = self.all.max(sequence),
            Scope::Tenant(tenant) => {
                self.tenants.entry((*tenant).clone()).and_modify(raise).or_insert(first);
            }
            Scope::Node(tenant, node) => {
                self.nodes.entry(((*tenant).clone(), (*node).clone())).and_modify(raise).or_insert(first);
            }
        }
        self.tenants.retain(|_, known| now.duration_since(known.since) < FORGOTTEN_AFTER);
        self.nodes.retain(|_, known| now.duration_since(known.since) < FORGOTTEN_AFTER);
    }

    /// The number of the newest change that is known of a node, be it that there is none of that name.
    pub(super) fn of(&self, tenant: &TenantId, node: &NodeId) -> u64 {
        let of_tenant = self.tenants.get(tenant);
        let of_node = self.nodes.get(&(tenant.clone(), node.clone()));
        [of_tenant, of_node].into_iter().flatten().map(|known| known.sequence).fold(self.all, u64::max)
    }
}
