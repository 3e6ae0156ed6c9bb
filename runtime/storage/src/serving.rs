//! What hosts need to serve: each node with its live revision and its opened secrets, and what has changed since they last looked.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use model::{Node, NodeId, Revision, Tenant, TenantId};
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use crate::column::{number, optional_parsed, optional_time, parsed, text};
use crate::config::{self, OpenConfig};
use crate::connections::{self, OpenConnection};
use crate::database::Listener;
use crate::nodes::node as node_of;
use crate::revisions::revision;
use crate::secrets::place;
use crate::tenants::{self, tenant as tenant_of};
use crate::{Result, Storage};

/// After more changes than these it is cheaper to read everything.
const MAX_CHANGES: i64 = 1000;

/// A node as it shall serve.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The node.
    pub node: Node,
    /// What runs; `None` until a revision is promoted.
    pub revision: Option<Revision>,
    /// What its events are signed with: at most two.
    pub secrets: Vec<OpenSecret>,
}

/// A secret, readable; wiped from memory when it is dropped.
#[derive(Clone)]
pub struct OpenSecret {
    /// What its owner set.
    pub text: Zeroizing<String>,
    /// From when on it is refused.
    pub retires_at: Option<Timestamp>,
}

impl fmt::Debug for OpenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenSecret(…)")
    }
}

/// What shall serve, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The number of the last change that is in it.
    pub sequence: u64,
    /// The tenants that were asked for, or that own what was.
    pub tenants: Vec<Tenant>,
    /// The connections of these tenants.
    pub connections: Vec<OpenConnection>,
    /// The values that these tenants have set for their handlers, for those of all nodes.
    pub config: Vec<OpenConfig>,
    /// The nodes that were asked for.
    pub nodes: Vec<Serving>,
}

/// What has changed since a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The number to ask with next time.
    pub sequence: u64,
    /// The tenants and nodes concerned, each once; `None`: too many, look at everything.
    pub of: Option<Vec<(TenantId, Option<NodeId>)>>,
}

impl Storage {
    /// The number of the last change.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`](crate::StorageError::Unavailable).
    pub async fn sequence(&self) -> Result<u64> {
        let query = sqlx::query("SELECT sequence FROM clock WHERE id = 1");
        let row = self.database.read("read the clock", query.fetch_one(&self.database.pool)).await?;
        number(&row, "sequence")
    }

    /// What has changed after `sequence`. What handlers read when they run is not among it: it is for no host to bring up to date.
    ///
    /// # Errors
    /// As [`Storage::sequence`].
    pub async fn changes_since(&self, sequence: u64) -> Result<Changes> {
        let query = sqlx::query(
            "SELECT MAX(sequence) AS last, tenant, node,
                 CAST(MAX(CASE WHEN action LIKE 'entry.%' OR action LIKE 'message.%' THEN 0 ELSE 1 END) AS BIGINT) AS is_served
             FROM audit WHERE sequence > $1 AND tenant IS NOT NULL GROUP BY tenant, node ORDER BY MAX(sequence) LIMIT $2",
        );
        let query = query.bind(i64::try_from(sequence).unwrap_or(i64::MAX)).bind(MAX_CHANGES + 1);
        let rows = self.database.read("look for changes", query.fetch_all(&self.database.pool)).await?;
        if rows.len() > usize::try_from(MAX_CHANGES).unwrap_or(usize::MAX) {
            return Ok(Changes { sequence: self.sequence().await?, of: None });
        }
        let mut changes = Changes { sequence, of: None };
        let mut of = Vec::with_capacity(rows.len());
        for row in &rows {
            changes.sequence = changes.sequence.max(number(row, "last")?);
            if number::<i64>(row, "is_served")? == 1 {
                of.push((parsed(row, "tenant")?, optional_parsed(row, "node")?));
            }
        }
        Ok(Changes { of: Some(of), ..changes })
    }

    /// Hears when a host changes something.
    pub fn listener(&self) -> Listener {
        self.database.listener()
    }

    /// The nodes that are stored: all, those of one tenant, or one of its nodes.
    ///
    /// # Errors
    /// As [`Storage::sequence`]; a secret that does not open is an error of all, for a host must not serve with half of them.
    pub async fn serving(&self, tenant: Option<&TenantId>, node: Option<&NodeId>) -> Result<Snapshot> {
        let tenant = tenant.map_or_else(String::new, |tenant| tenant.as_str().to_owned());
        let node = node.map_or_else(String::new, |node| node.as_str().to_owned());
        let tenants = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {} FROM tenants WHERE id = $1 OR $1 = '' ORDER BY created",
            tenants::COLUMNS
        )));
        let nodes = sqlx::query(
            "SELECT tenant, id, door, live, previous, version, created_at FROM nodes \
             WHERE (tenant = $1 OR $1 = '') AND (id = $2 OR $2 = '') ORDER BY created",
        );
        let revisions = sqlx::query(
            "SELECT r.tenant, r.node, r.number, r.artifact, r.settings, r.note, r.created_at, r.created_by \
             FROM revisions r JOIN nodes n ON r.tenant = n.tenant AND r.node = n.id AND r.number = n.live \
             WHERE (r.tenant = $1 OR $1 = '') AND (r.node = $2 OR $2 = '')",
        );
        let secrets = sqlx::query(
            "SELECT tenant, node, id, sealed, retires_at FROM webhook_secrets \
             WHERE (tenant = $1 OR $1 = '') AND (node = $2 OR $2 = '') ORDER BY created",
        );
        let connections = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {} FROM connections WHERE tenant = $1 OR $1 = '' ORDER BY created",
            connections::COLUMNS
        )));
        let config = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {} FROM config WHERE tenant = $1 OR $1 = '' ORDER BY created",
            config::COLUMNS
        )));
        let read = async {
            let mut snapshot = self.database.snapshot().await?;
            let clock = sqlx::query("SELECT sequence FROM clock WHERE id = 1").fetch_one(&mut *snapshot).await?;
            let tenants = tenants.bind(tenant.clone()).fetch_all(&mut *snapshot).await?;
            let connections = connections.bind(tenant.clone()).fetch_all(&mut *snapshot).await?;
            let config = config.bind(tenant.clone()).fetch_all(&mut *snapshot).await?;
            let nodes = nodes.bind(tenant.clone()).bind(node.clone()).fetch_all(&mut *snapshot).await?;
            let revisions = revisions.bind(tenant.clone()).bind(node.clone()).fetch_all(&mut *snapshot).await?;
            let secrets = secrets.bind(tenant).bind(node).fetch_all(&mut *snapshot).await?;
            snapshot.commit().await?;
            Ok((clock, tenants, connections, config, nodes, revisions, secrets))
        };
        let (clock, tenants, connections, config, nodes, revisions, secrets) =
            self.database.read("read what serves", read).await?;
        let mut revisions = revisions_by_node(&revisions)?;
        let mut secrets = self.secrets_by_node(&secrets)?;
        let serving = |row| {
            let node = node_of(row)?;
            let key = (node.tenant.clone(), node.id.clone());
            let (revision, secrets) = (revisions.remove(&key), secrets.remove(&key).unwrap_or_default());
            Ok(Serving { node, revision, secrets })
        };
        Ok(Snapshot {
            sequence: number(&clock, "sequence")?,
            tenants: tenants.iter().map(tenant_of).collect::<Result<_>>()?,
            connections: connections
                .iter()
                .map(|row| connections::opened(row, &self.keyring))
                .collect::<Result<_>>()?,
            config: config.iter().map(|row| config::opened(row, &self.keyring)).collect::<Result<_>>()?,
            nodes: nodes.iter().map(serving).collect::<Result<_>>()?,
        })
    }

    fn secrets_by_node(&self, rows: &[AnyRow]) -> Result<HashMap<(TenantId, NodeId), Vec<OpenSecret>>> {
        let mut by_node: HashMap<_, Vec<OpenSecret>> = HashMap::new();
        for row in rows {
            let (tenant, node): (TenantId, NodeId) = (parsed(row, "tenant")?, parsed(row, "node")?);
            let place = place(&tenant, &node, &text(row, "id")?);
            let secret = OpenSecret {
                text: self.keyring.open(&text(row, "sealed")?, &place)?,
                retires_at: optional_time(row, "retires_at")?,
            };
            by_node.entry((tenant, node)).or_default().push(secret);
        }
        Ok(by_node)
    }
}

fn revisions_by_node(rows: &[AnyRow]) -> Result<HashMap<(TenantId, NodeId), Revision>> {
    rows.iter().map(|row| Ok(((parsed(row, "tenant")?, parsed(row, "node")?), revision(row)?))).collect()
}
