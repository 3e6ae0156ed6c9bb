//! What handlers may reach: other services through the gateway, and what they keep.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use model::{Grant, NodeId, Quota, TenantId};
use sandbox::Grants;
use storage::{MasterKey, ObjectPlace, Place, Storage};

use crate::egress::Gateway;
use crate::key_values::KeyValues;

/// What is behind the grants of one host's revisions.
pub struct Reach {
    pub(crate) gateway: Gateway,
    pub(crate) key_values: KeyValues,
}

impl Reach {
    pub(crate) fn new(gateway: Gateway, storage: &Storage) -> Self {
        Self { gateway, key_values: KeyValues::new(storage) }
    }

    /// For runs without a server: entries are kept in a folder, which is made if absent.
    ///
    /// # Errors
    /// If that is not a folder in which they can be kept.
    pub async fn with_entries_in(folder: &Path, gateway: Gateway) -> anyhow::Result<Self> {
        let config = storage::Config {
            database: Place::Sqlite(folder.join("codenode.db")),
            objects: ObjectPlace::Folder(folder.join("artifacts")),
            // Nothing is sealed there.
            master_keys: vec![MasterKey::generate()?.parse()?],
        };
        let storage =
            Storage::open(config).await.with_context(|| format!("cannot keep entries in {}", folder.display()))?;
        Ok(Self::new(gateway, &storage))
    }

    /// What a node's revision may reach, of a tenant with this quota.
    pub fn grants(&self, tenant: &TenantId, node: &NodeId, quota: &Quota, grants: &[Grant]) -> Grants {
        if grants.is_empty() {
            return Grants::default();
        }
        let buckets = self.key_values.buckets(tenant, Some(node), quota);
        Grants::new(grants, self.gateway.client(tenant), Arc::new(buckets))
    }
}
