//! What storage promises, as a few lists in memory.

use jiff::{Timestamp, ToSpan as _};
use model::quota::Overrides;
use model::{ArtifactId, Door, NodeId, Quota, Role, TenantId};
use storage::StorageError;

/// Somebody does something, to a tenant or one of its nodes.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) tenant: TenantId,
    pub(super) node: NodeId,
    pub(super) what: What,
}

/// What is done. What it is done to may not exist.
#[derive(Clone, Debug)]
pub(super) enum What {
    CreateTenant,
    DeleteTenant,
    SetQuota(Overrides, Seen),
    CreateNode(Door),
    DeleteNode,
    SetDoor(Door, Seen),
    AddArtifact(ArtifactId),
    DeleteArtifact(ArtifactId),
    CreateRevision(ArtifactId),
    DeleteRevision(u32),
    Promote(u32, Seen),
    RollBack(Seen),
    /// The hours from now until the others retire.
    AddSecret(Option<i64>),
    /// One of those that there ever were; the newest is the first.
    DeleteSecret(usize),
    CreateKey(Owner, Role),
    /// One of those that there ever were; the newest is the first.
    DeleteKey(Owner, usize),
    /// The same, so many hours from now. They expire after one.
    Authenticate(usize, i64),
    /// The process ends, and another one starts.
    Restart,
}

/// Which version of the node or of the tenant the caller says that it has seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    Unsaid,
    Present,
    Older,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    Tenant,
    Operators,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Refusal {
    NotFound,
    Exists,
    Conflict,
    OverQuota,
    Invalid,
    Unavailable,
    Damaged,
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound(_) => Self::NotFound,
            StorageError::Exists(_) => Self::Exists,
            StorageError::Conflict(_) => Self::Conflict,
            StorageError::OverQuota(_) => Self::OverQuota,
            StorageError::Invalid(_) => Self::Invalid,
            StorageError::Unavailable { .. } | StorageError::Full { .. } => Self::Unavailable,
            StorageError::Damaged(_) => Self::Damaged,
        }
    }
}

/// What the caller is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Done,
    Node(Box<Node>),
    /// The quota, and the version.
    Tenant(Overrides, u64),
    Revision(u32),
    IsNew(bool),
    /// The id that storage drew.
    Id(String),
    Knows(Option<String>),
}

/// What one tenant has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tenant {
    pub(super) quota: Overrides,
    /// 0 where there is no such tenant.
    pub(super) version: u64,
    /// The newest first.
    pub(super) artifacts: Vec<ArtifactId>,
    /// The oldest first, as all that follows.
    pub(super) keys: Vec<Key>,
    pub(super) nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) role: Role,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) last_used_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) door: Door,
    pub(super) live: Option<u32>,
    pub(super) previous: Option<u32>,
    pub(super) version: u64,
    /// The number and the artifact of each.
    pub(super) revisions: Vec<(u32, ArtifactId)>,
    pub(super) secrets: Vec<Secret>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Secret {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) retires_at: Option<Timestamp>,
}

/// A step that is taken: what the caller is told, and the audit log's word for it, if anything has changed.
type Taken = Result<(Told, Option<&'static str>), Refusal>;

/// Everything.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) now: Timestamp,
    pub(super) tenants: Vec<(TenantId, Tenant)>,
    pub(super) operators: Vec<Key>,
    /// All nodes of all tenants, the oldest first.
    pub(super) order: Vec<(TenantId, NodeId)>,
}

impl Model {
    pub(super) const fn empty(now: Timestamp) -> Self {
        Self { now, tenants: Vec::new(), operators: Vec::new(), order: Vec::new() }
    }

    /// What a tenant has; nothing, if there is no such tenant.
    pub(super) fn tenant(&self, id: &TenantId) -> Tenant {
        self.tenants.iter().find(|(known, _)| known == id).map(|(_, tenant)| tenant.clone()).unwrap_or_default()
    }

    /// The version that the caller says that it has seen.
    pub(super) fn version(&self, step: &Step, seen: Seen) -> Option<u64> {
        let tenant = self.tenant(&step.tenant);
        let present = if matches!(step.what, What::SetQuota(..)) {
            tenant.version.max(1)
        } else {
            tenant.nodes.iter().find(|node| node.id == step.node).map_or(1, |it| it.version)
        };
        match seen {
            Seen::Unsaid => None,
            Seen::Present => Some(present),
            Seen::Older => Some(present - 1),
        }
    }

    /// Takes a step; `drawn` is the id that storage drew on the same occasion, or the one that the step is about.
    pub(super) fn take(&mut self, step: &Step, drawn: &str, secret: &str) -> Taken {
        let (now, version) = (self.now, |seen| self.version(step, seen));
        match &step.what {
            What::CreateTenant => self.create_tenant(&step.tenant),
            What::DeleteTenant => self.delete_tenant(&step.tenant),
            What::SetQuota(quota, seen) => {
                let version = version(*seen);
                Quota::DEFAULT.with(quota).map_err(|_| Refusal::Invalid)?;
                self.known(&step.tenant)?.set_quota(quota, version)
            }
            What::CreateNode(door) => self.create_node(step, door),
            What::DeleteNode => self.delete_node(step),
            What::SetDoor(door, seen) => {
                let version = version(*seen);
                if door.schemes.is_empty() {
                    return Err(Refusal::Invalid);
                }
                self.node(step)?.unless_changed(version)?.set_door(door)
            }
            What::AddArtifact(id) => self.known(&step.tenant)?.add_artifact(*id),
            What::DeleteArtifact(id) => self.known(&step.tenant)?.delete_artifact(*id),
            What::CreateRevision(id) => {
                self.known(&step.tenant)?.artifacts.contains(id).then_some(()).ok_or(Refusal::NotFound)?;
                self.node(step)?.create_revision(*id)
            }
            What::DeleteRevision(number) => self.node(step)?.delete_revision(*number),
            What::Promote(number, seen) => {
                let version = version(*seen);
                self.node(step)?.unless_changed(version)?.promote(*number)
            }
            What::RollBack(seen) => {
                let version = version(*seen);
                self.node(step)?.unless_changed(version)?.roll_back()
            }
            What::AddSecret(hours) => self.node(step)?.add_secret(now, *hours, drawn, secret),
            What::DeleteSecret(_) => {
                removed(&mut self.node(step)?.secrets, |secret| secret.id == drawn, "secret.delete")
            }
            What::CreateKey(owner, role) => self.create_key(step, *owner, *role, drawn),
            What::DeleteKey(owner, _) => removed(self.keys(step, *owner)?, |key| key.id == drawn, "key.delete"),
            What::Authenticate(_, hours) => self.authenticate(drawn, now + hours.hours()),
            What::Restart => Ok((Told::Done, None)),
        }
    }

    fn known(&mut self, id: &TenantId) -> Result<&mut Tenant, Refusal> {
        self.tenants.iter_mut().find(|(known, _)| known == id).map(|(_, tenant)| tenant).ok_or(Refusal::NotFound)
    }

    fn node(&mut self, step: &Step) -> Result<&mut Node, Refusal> {
        let nodes = &mut self.known(&step.tenant)?.nodes;
        nodes.iter_mut().find(|node| node.id == step.node).ok_or(Refusal::NotFound)
    }

    fn keys(&mut self, step: &Step, owner: Owner) -> Result<&mut Vec<Key>, Refusal> {
        match owner {
            Owner::Tenant => self.known(&step.tenant).map(|tenant| &mut tenant.keys),
            Owner::Operators => Ok(&mut self.operators),
        }
    }

    fn create_tenant(&mut self, id: &TenantId) -> Taken {
        if self.known(id).is_ok() {
            return Err(Refusal::Exists);
        }
        self.tenants.push((id.clone(), Tenant { version: 1, ..Tenant::default() }));
        Ok((Told::Done, Some("tenant.create")))
    }

    fn delete_tenant(&mut self, id: &TenantId) -> Taken {
        self.order.retain(|(tenant, _)| tenant != id);
        removed(&mut self.tenants, |(known, _)| known == id, "tenant.delete")
    }

    fn create_node(&mut self, step: &Step, door: &Door) -> Taken {
        if door.schemes.is_empty() {
            return Err(Refusal::Invalid);
        }
        let tenant = self.known(&step.tenant)?;
        if tenant.nodes.iter().any(|node| node.id == step.node) {
            return Err(Refusal::Exists);
        }
        if tenant.nodes.len() >= usize::try_from(tenant.quota().nodes).unwrap() {
            return Err(Refusal::OverQuota);
        }
        let (id, door) = (step.node.clone(), door.clone());
        let (revisions, secrets) = (Vec::new(), Vec::new());
        let node = Node { id, door, live: None, previous: None, version: 1, revisions, secrets };
        tenant.nodes.push(node.clone());
        self.order.push((step.tenant.clone(), step.node.clone()));
        Ok((Told::Node(Box::new(node)), Some("node.create")))
    }

    fn delete_node(&mut self, step: &Step) -> Taken {
        let done = removed(&mut self.known(&step.tenant)?.nodes, |node| node.id == step.node, "node.delete")?;
        self.order.retain(|(tenant, node)| (tenant, node) != (&step.tenant, &step.node));
        Ok(done)
    }

    fn create_key(&mut self, step: &Step, owner: Owner, role: Role, drawn: &str) -> Taken {
        if (role == Role::Operator) != matches!(owner, Owner::Operators) {
            return Err(Refusal::Invalid);
        }
        let expires_at = Some(self.now + 1.hour());
        self.keys(step, owner)?.push(Key { id: drawn.to_owned(), role, expires_at, last_used_at: None });
        Ok((Told::Id(drawn.to_owned()), Some("key.create")))
    }

    fn authenticate(&mut self, id: &str, at: Timestamp) -> Taken {
        let keys = self.tenants.iter_mut().flat_map(|(_, tenant)| &mut tenant.keys).chain(&mut self.operators);
        let valid = |key: &&mut Key| key.id == id && key.expires_at.is_none_or(|end| at < end);
        let Some(key) = { keys }.find(valid) else { return Ok((Told::Knows(None), None)) };
        if key.last_used_at.is_none_or(|last| last + 1.minute() <= at) {
            key.last_used_at = Some(at);
        }
        Ok((Told::Knows(Some(id.to_owned())), None))
    }
}

impl Tenant {
    fn add_artifact(&mut self, id: ArtifactId) -> Taken {
        if self.artifacts.contains(&id) {
            return Ok((Told::IsNew(false), None));
        }
        if self.artifacts.len() >= usize::try_from(self.quota().artifacts).unwrap() {
            return Err(Refusal::OverQuota);
        }
        self.artifacts.insert(0, id);
        Ok((Told::IsNew(true), Some("artifact.upload")))
    }

    fn delete_artifact(&mut self, id: ArtifactId) -> Taken {
        let runs = |node: &Node| node.revisions.iter().any(|(_, artifact)| *artifact == id);
        if self.nodes.iter().any(runs) {
            return Err(Refusal::Conflict);
        }
        removed(&mut self.artifacts, |artifact| *artifact == id, "artifact.delete")
    }

    fn set_quota(&mut self, quota: &Overrides, seen: Option<u64>) -> Taken {
        if seen.is_some_and(|seen| seen != self.version) {
            return Err(Refusal::Conflict);
        }
        self.quota = quota.clone();
        self.version += 1;
        Ok((Told::Tenant(quota.clone(), self.version), Some("tenant.quota")))
    }

    /// What it may use on a host that gives everybody the default.
    pub(super) fn quota(&self) -> Quota {
        Quota::DEFAULT.with(&self.quota).unwrap()
    }
}

impl Node {
    fn unless_changed(&mut self, seen: Option<u64>) -> Result<&mut Self, Refusal> {
        if seen.is_some_and(|seen| seen != self.version) { Err(Refusal::Conflict) } else { Ok(self) }
    }

    fn set_door(&mut self, door: &Door) -> Taken {
        self.door = door.clone();
        self.version += 1;
        Ok((Told::Node(Box::new(self.clone())), Some("node.door")))
    }

    fn create_revision(&mut self, artifact: ArtifactId) -> Taken {
        let number = self.newest() + 1;
        self.revisions.push((number, artifact));
        Ok((Told::Revision(number), Some("revision.create")))
    }

    fn delete_revision(&mut self, number: u32) -> Taken {
        let is_it = |revision: &(u32, ArtifactId)| revision.0 == number;
        if self.revisions.iter().any(is_it) && [self.live, self.previous, Some(self.newest())].contains(&Some(number)) {
            return Err(Refusal::Conflict);
        }
        removed(&mut self.revisions, is_it, "revision.delete")
    }

    fn newest(&self) -> u32 {
        self.revisions.last().map_or(0, |(number, _)| *number)
    }

    fn promote(&mut self, number: u32) -> Taken {
        if self.live == Some(number) {
            return Ok((Told::Node(Box::new(self.clone())), None));
        }
        if !self.revisions.iter().any(|(known, _)| *known == number) {
            return Err(Refusal::NotFound);
        }
        self.point(number, "revision.promote")
    }

    fn roll_back(&mut self) -> Taken {
        let previous = self.previous.ok_or(Refusal::Conflict)?;
        self.point(previous, "revision.roll_back")
    }

    fn point(&mut self, to: u32, action: &'static str) -> Taken {
        self.previous = self.live.replace(to);
        self.version += 1;
        Ok((Told::Node(Box::new(self.clone())), Some(action)))
    }

    fn add_secret(&mut self, now: Timestamp, hours: Option<i64>, drawn: &str, text: &str) -> Taken {
        let valid = |secret: &&Secret| secret.retires_at.is_none_or(|end| now < end);
        let mut secrets: Vec<Secret> = self.secrets.iter().filter(valid).cloned().collect();
        let retires_at = hours.map(|hours| now + hours.hours());
        if secrets.len() == 2 || (secrets.len() == 1 && retires_at.is_none()) {
            return Err(Refusal::Conflict);
        }
        for other in &mut secrets {
            other.retires_at = retires_at;
        }
        secrets.push(Secret { id: drawn.to_owned(), text: text.to_owned(), retires_at: None });
        self.secrets = secrets;
        Ok((Told::Id(drawn.to_owned()), Some("secret.add")))
    }
}

fn removed<T>(all: &mut Vec<T>, is_it: impl Fn(&T) -> bool, action: &'static str) -> Taken {
    let before = all.len();
    all.retain(|one| !is_it(one));
    if all.len() == before { Err(Refusal::NotFound) } else { Ok((Told::Done, Some(action))) }
}
