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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Words(Vec<&'static str>);

    impl Known for Words {
        type Part = (TenantId, &'static str);

        fn tenant((tenant, _): &Self::Part) -> &TenantId {
            tenant
        }

        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }

        fn with(&self, parts: Vec<Self::Part>) -> Self {
            Self(parts.into_iter().map(|(_, word)| word).collect())
        }
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn words(all: &PerTenant<Words>, name: &str) -> Vec<&'static str> {
        all.of(&tenant(name)).load().known.0.clone()
    }

    #[test]
    fn what_was_read_before_a_change_undoes_nothing() {
        let all = PerTenant::<Words>::default();
        let (acme, other) = (tenant("acme"), tenant("other"));
        all.replace(None, 3, vec![(acme.clone(), "a"), (other.clone(), "b")]);
        all.replace(Some(&acme), 5, vec![(acme.clone(), "c"), (acme.clone(), "d")]);
        all.replace(None, 4, vec![(acme, "late"), (other, "new")]);
        assert_eq!((words(&all, "acme"), words(&all, "other")), (vec!["c", "d"], vec!["new"]));
    }

    #[test]
    fn whoever_holds_what_is_known_sees_it_go_and_come_and_nobody_is_kept_for_nothing() {
        let all = PerTenant::<Words>::default();
        let acme = tenant("acme");
        all.replace(None, 1, vec![(acme.clone(), "a"), (tenant("other"), "b")]);
        let held = all.of(&acme);
        all.replace(None, 2, Vec::new());
        assert_eq!(all.tenants().keys().collect::<Vec<_>>(), [&acme]);
        all.replace(Some(&acme), 3, vec![(acme.clone(), "again")]);
        assert_eq!(held.load().known.0, ["again"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_replaced_is_remembered_for_a_while() {
        let former = Former::default().and(["a"]);
        tokio::time::advance(REMEMBERED_TIME / 2).await;
        let former = former.and(["b"]);
        assert_eq!(former.iter().collect::<Vec<_>>(), [&"a", &"b"]);
        tokio::time::advance(REMEMBERED_TIME / 2).await;
        assert_eq!(former.and([]).iter().collect::<Vec<_>>(), [&"b"]);
        let many = former.and(vec!["c"; 2 * MAX_FORMER]);
        assert_eq!(many.iter().count(), MAX_FORMER);
    }
}
