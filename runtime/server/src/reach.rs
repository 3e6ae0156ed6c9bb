//! What handlers may reach: other services through the gateway, by connections or without, what they keep, and what is set for them.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use model::{Actor, Connection, ConnectionName, ConnectionSettings, Grant, NodeId, Quota, TenantId};
use sandbox::Grants;
use storage::{MasterKey, MessageImport, MessageWrite, ObjectPlace, OpenConnection, Place, Storage};

use crate::connections::{Connections, Credential};
use crate::egress::Gateway;
use crate::key_values::KeyValues;
use crate::values::{Own, Values};

/// What is behind the grants of one host's revisions.
pub struct Reach {
    pub(crate) gateway: Gateway,
    pub(crate) connections: Connections,
    pub(crate) key_values: KeyValues,
    pub(crate) values: Values,
    storage: Storage,
}

impl Reach {
    pub(crate) fn new(gateway: Gateway, storage: &Storage) -> Self {
        let (connections, key_values, values) = (Connections::default(), KeyValues::new(storage), Values::default());
        Self { gateway, connections, key_values, values, storage: storage.clone() }
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

    /// Gives a tenant these connections with their secrets, and no others, for runs without a server.
    ///
    /// # Errors
    /// Names the one that cannot be used, and says why.
    pub fn connect(
        &self,
        tenant: &TenantId,
        connections: impl IntoIterator<Item = (ConnectionName, ConnectionSettings, String)>,
    ) -> anyhow::Result<()> {
        let open = |(name, settings, secret): (ConnectionName, ConnectionSettings, String)| {
            Credential::new(&settings, &secret).map_err(|why| anyhow::anyhow!("the connection {name}: {why}"))?;
            let changed_by = Actor::recorded("local".to_owned());
            let connection = Connection { name, settings, version: 1, changed_at: Timestamp::now(), changed_by };
            Ok(OpenConnection { tenant: tenant.clone(), connection, secret: secret.into() })
        };
        let opened = connections.into_iter().map(open).collect::<anyhow::Result<_>>()?;
        self.connections.replace(Some(tenant), 0, opened);
        Ok(())
    }

    /// Lets the tenant have these messages and no others.
    ///
    /// # Errors
    /// If one of them cannot be kept.
    pub async fn set_messages(&self, tenant: &TenantId, texts: Vec<MessageWrite>) -> anyhow::Result<()> {
        let import = MessageImport { texts, deletes_others: true, is_trial: false };
        self.storage.import_messages(tenant, &import, &Actor::operator()).await?;
        Ok(())
    }

    /// What a node's revision may reach, of a tenant with this quota. `own` goes before what the node and the tenant have set.
    pub fn grants(&self, tenant: &TenantId, node: &NodeId, quota: &Quota, grants: &[Grant], own: Own) -> Grants {
        if grants.is_empty() {
            return Grants::default();
        }
        let buckets = self.key_values.buckets(tenant, Some(node), quota);
        let way_out = self.connections.way_out(tenant, grants, self.gateway.client(tenant));
        let values = self.values.granted(tenant, node, grants, own);
        Grants::new(grants, way_out, Arc::new(buckets), values)
    }
}
