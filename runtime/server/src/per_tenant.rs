//! What a host knows of each tenant, replaced as a whole by whoever follows storage, and read without a lock by whoever has found it once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use model::TenantId;
use tokio::time::Instant;

/// What was replaced is remembered for as long: twice as long as a run that has used it can take.
pub(crate) const REMEMBERED_TIME: Duration = Duration::from_secs(60);
/// Of what was replaced of one tenant, the last ones are remembered.
const MAX_FORMER: usize = 256;

/// What is known of one tenant.
pub(crate) trait Known: Default {
    /// A part of it, as storage has it.
    type Part;

    /// Whose it is.
    fn tenant(part: &Self::Part) -> &TenantId;

    /// Whether there is nothing to know.
    fn is_empty(&self) -> bool;

    /// What is known with these parts and no others.
    fn with(&self, parts: Vec<Self::Part>) -> Self;
}

/// What is known of each tenant.
pub(crate) struct PerTenant<K>(Mutex<HashMap<TenantId, Arc<Cell<K>>>>);

/// What is known of a tenant now.
pub(crate) type Cell<K> = ArcSwap<Dated<K>>;

/// What is known, and since when.
#[derive(Default)]
pub(crate) struct Dated<K> {
    /// The number of the last change that is in it.
    sequence: u64,
    pub(crate) known: K,
}

impl<K> Default for PerTenant<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Known> PerTenant<K> {
    /// Takes over what is known of a tenant, or of all, as it was after the change of this number.
    pub(crate) fn replace(&self, tenant: Option<&TenantId>, sequence: u64, parts: Vec<K::Part>) {
        let mut tenants = self.tenants();
        let mut new: HashMap<TenantId, Vec<K::Part>> = HashMap::new();
        let in_scope = tenants.keys().filter(|id| tenant.is_none_or(|tenant| tenant == *id));
        new.extend(in_scope.map(|id| (id.clone(), Vec::new())));
        for part in parts {
            new.entry(K::tenant(&part).clone()).or_default().push(part);
        }
        for (id, parts) in new {
            let cell = tenants.entry(id).or_default();
            let old = cell.load();
            if old.sequence <= sequence {
                let known = old.known.with(parts);
                cell.store(Arc::new(Dated { sequence, known }));
            }
        }
        tenants.retain(|_, cell| Arc::strong_count(cell) > 1 || !cell.load().known.is_empty());
    }

    /// What is known of a tenant, from now on too.
    pub(crate) fn of(&self, tenant: &TenantId) -> Arc<Cell<K>> {
        Arc::clone(self.tenants().entry(tenant.clone()).or_default())
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Cell<K>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was replaced or removed, and when: runs that have used it may still go on.
#[derive(Clone)]
pub(crate) struct Former<T>(Vec<(Instant, T)>);

impl<T> Default for Former<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Former<T> {
    /// With those that go now, and without those that went long ago.
    pub(crate) fn and(&self, gone: impl IntoIterator<Item = T>) -> Self {
        let remembered = self.0.iter().filter(|(at, _)| at.elapsed() < REMEMBERED_TIME).cloned();
        let mut former: Vec<_> = remembered.chain(gone.into_iter().map(|one| (Instant::now(), one))).collect();
        former.drain(..former.len().saturating_sub(MAX_FORMER));
        Self(former)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, one)| one)
    }
}
