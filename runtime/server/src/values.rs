//! What tenants set for their handlers to read: values that anybody may see, and secrets that are granted by name.
//!
//! They are looked up anew whenever a handler asks, so a change needs no new revision; and a revision knows those of its own node and tenant only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use model::{ConfigKey, ConfigOverrides, Grant, NodeId, Settings, TenantId};
use sandbox::values::Values as Readable;
use storage::{OpenConfig, OpenValue};
use zeroize::Zeroizing;

use crate::per_tenant::{Cell, Former, Known, PerTenant};
use crate::redaction::{Redactor, is_long};

/// The values of one host's tenants.
pub(crate) type Values = PerTenant<OfTenant>;

/// One tenant's.
#[derive(Default)]
pub(crate) struct OfTenant {
    of_all: Set,
    by_node: HashMap<NodeId, Set>,
    former: Former<Arc<Secret>>,
}

/// The values that are set in one place.
type Set = HashMap<ConfigKey, Value>;

/// One value.
#[derive(Clone)]
enum Value {
    Open(Arc<str>),
    Secret(Arc<Secret>),
}

/// A secret that handlers may read.
#[derive(Clone)]
pub struct Secret {
    key: ConfigKey,
    text: Zeroizing<String>,
    hidden: Redactor,
}

/// What goes before the values of the node and of the tenant.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// The revision's.
    pub values: ConfigOverrides,
    /// Those of a node of the configuration file.
    pub secrets: BTreeMap<ConfigKey, Secret>,
}

/// What a revision reads.
struct Granted {
    of_tenant: Arc<Cell<OfTenant>>,
    node: NodeId,
    own: Own,
    /// Whether it may read what is not secret.
    reads_open: bool,
    /// What it may read of what is.
    secrets: BTreeSet<ConfigKey>,
}

impl Secret {
    /// A secret under its key.
    ///
    /// # Errors
    /// One that is too short to be told from other text.
    pub fn new(key: ConfigKey, text: Zeroizing<String>) -> Result<Self, String> {
        if !is_long(&text) {
            return Err(format!(
                "the secret has {} bytes, which cannot be told from other text in a log: give it {} at the least",
                text.len(),
                Redactor::MIN_BYTES
            ));
        }
        // A log breaks a text into its lines.
        let lines = text.lines().filter(|line| is_long(line));
        let hidden = Redactor::new(lines.chain([text.as_str()]));
        Ok(Self { key, text, hidden })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.key)
    }
}

impl Own {
    /// A stored revision's.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self { values: settings.config.clone(), secrets: BTreeMap::new() }
    }
}

impl Values {
    /// What a node's revision with these grants reads.
    pub(crate) fn granted(&self, tenant: &TenantId, node: &NodeId, grants: &[Grant], own: Own) -> Arc<dyn Readable> {
        let secret = |grant: &Grant| match grant {
            Grant::Secret(key) => Some(key.clone()),
            Grant::Http(_) | Grant::Connection(_) | Grant::KeyValue(_) | Grant::State(_) | Grant::Config => None,
        };
        Arc::new(Granted {
            of_tenant: self.of(tenant),
            node: node.clone(),
            own,
            reads_open: grants.contains(&Grant::Config),
            secrets: grants.iter().filter_map(secret).collect(),
        })
    }
}

impl Known for OfTenant {
    type Part = OpenConfig;

    fn tenant(part: &OpenConfig) -> &TenantId {
        &part.tenant
    }

    fn is_empty(&self) -> bool {
        self.of_all.is_empty() && self.by_node.is_empty()
    }

    fn with(&self, parts: Vec<OpenConfig>) -> Self {
        let mut new = Self::default();
        for OpenConfig { node, key, value, .. } in parts {
            let value = match value {
                OpenValue::Open(value) => Value::Open(value.text().into()),
                OpenValue::Secret(text) => match self.kept(node.as_ref(), &key, &text) {
                    Some(secret) => Value::Secret(secret),
                    None => match Secret::new(key.clone(), text) {
                        Ok(secret) => Value::Secret(Arc::new(secret)),
                        // Nobody can set one.
                        Err(_) => continue,
                    },
                },
            };
            let set = node.map_or(&mut new.of_all, |node| new.by_node.entry(node).or_default());
            set.insert(key, value);
        }
        let is_gone = |secret: &&Arc<Secret>| !new.secrets().any(|now| Arc::ptr_eq(now, secret));
        let former = self.former.and(self.secrets().filter(is_gone).cloned());
        Self { former, ..new }
    }
}

impl OfTenant {
    /// A secret that has not changed.
    fn kept(&self, node: Option<&NodeId>, key: &ConfigKey, text: &str) -> Option<Arc<Secret>> {
        match node.map_or(Some(&self.of_all), |node| self.by_node.get(node))?.get(key)? {
            Value::Secret(secret) if secret.text.as_str() == text => Some(Arc::clone(secret)),
            Value::Secret(_) | Value::Open(_) => None,
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &Arc<Secret>> {
        let values = self.by_node.values().chain([&self.of_all]).flat_map(HashMap::values);
        values.filter_map(|value| match value {
            Value::Secret(secret) => Some(secret),
            Value::Open(_) => None,
        })
    }
}

impl Readable for Granted {
    /// The revision's value goes before the node's, and the node's before the tenant's; where that one is not granted, there is none.
    fn get(&self, key: &str) -> Option<String> {
        let key: ConfigKey = key.parse().ok()?;
        if let Some(value) = self.own.values.get(&key) {
            return self.reads_open.then(|| value.text().into_owned());
        }
        if let Some(secret) = self.own.secrets.get(&key) {
            return self.secrets.contains(&key).then(|| secret.text.to_string());
        }
        let of_tenant = self.of_tenant.load();
        let OfTenant { of_all, by_node, .. } = &of_tenant.known;
        match by_node.get(&self.node).and_then(|set| set.get(&key)).or_else(|| of_all.get(&key))? {
            Value::Open(text) => self.reads_open.then(|| text.as_ref().to_owned()),
            Value::Secret(secret) => self.secrets.contains(&key).then(|| secret.text.to_string()),
        }
    }

    fn all(&self) -> Vec<(String, String)> {
        if !self.reads_open {
            return Vec::new();
        }
        let of_tenant = self.of_tenant.load();
        let OfTenant { of_all, by_node, .. } = &of_tenant.known;
        let mut all: BTreeMap<&ConfigKey, Option<String>> = BTreeMap::new();
        for (key, value) in of_all.iter().chain(by_node.get(&self.node).into_iter().flatten()) {
            all.insert(
                key,
                match value {
                    Value::Open(text) => Some(text.as_ref().to_owned()),
                    Value::Secret(_) => None,
                },
            );
        }
        all.extend(self.own.secrets.keys().map(|key| (key, None)));
        all.extend(self.own.values.iter().map(|(key, value)| (key, Some(value.text().into_owned()))));
        all.into_iter().filter_map(|(key, text)| Some((key.to_string(), text?))).collect()
    }

    fn redact(&self, text: &str) -> Option<String> {
        let of_tenant = self.of_tenant.load();
        let known = &of_tenant.known;
        let secrets = known.secrets().chain(known.former.iter()).map(AsRef::as_ref).chain(self.own.secrets.values());
        let granted = secrets.filter(|secret| self.secrets.contains(&secret.key));
        granted.fold(None, |redacted, secret| secret.hidden.redact(redacted.as_deref().unwrap_or(text)).or(redacted))
    }
}
