//! Storage against a model of it: whatever is done in whatever order, both answer alike, and both hold the same.

mod model;

use ::model::quota::Overrides;
use ::model::{ApiKey, ArtifactId, Door, NodeId, Role, Scheme, Settings, TenantId};
use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use storage::{NewArtifact, NewKey, NewRevision, Storage};

use self::model::{Key, Model, Node, Owner, Refusal, Secret, Seen, Step, Tenant, Told, What};
use crate::place::{Ground, Kind, artifact, by, node, tenant};

const TENANTS: [&str; 3] = ["acme", "brook", "cliff"];
const NODES: [&str; 2] = ["ORDERS", "RETURNS"];
const BYTES: [&[u8]; 3] = [b"\0asm one", b"\0asm two", b"\0asm three"];
/// How many cases there are, where it is to be more than usual.
const CASES: &str = "PROPTEST_CASES";

#[test]
fn sqlite_does_what_the_model_does() {
    compare(Kind::Sqlite, 24);
}

#[test]
fn postgresql_does_what_the_model_does() {
    compare(Kind::Postgres, 12);
}

fn compare(kind: Kind, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ground = runtime.block_on(Ground::fresh(kind));
    let cases = std::env::var(CASES).map_or(cases, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let steps = proptest::collection::vec(step(), 30..60);
    let compared = TestRunner::new(config).run(&steps, |steps| runtime.block_on(walk(&ground, &steps)));
    compared.unwrap_or_else(|difference| panic!("{difference}"));
}

async fn walk(ground: &Ground, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut pair = Pair::empty(ground).await;
    for step in &first_steps() {
        pair.take(step).await?;
    }
    for step in steps {
        if matches!(step.what, What::Restart) {
            pair.storage.close().await;
            pair.storage = ground.open().await;
            pair.compare_all().await?;
        } else {
            pair.take(step).await?;
        }
    }
    pair.storage.close().await;
    pair.storage = ground.open().await;
    pair.compare_all().await
}

/// Storage, and its model.
struct Pair {
    storage: Storage,
    model: Model,
    /// Each secret's id that there ever was.
    secrets: Vec<String>,
    /// Each key's id and text, likewise.
    keys: Vec<(String, String)>,
}

impl Pair {
    /// Removes what an earlier case left.
    async fn empty(ground: &Ground) -> Self {
        let storage = ground.open().await;
        for tenant in storage.tenants().await.unwrap() {
            storage.delete_tenant(&tenant.id, &by()).await.unwrap();
        }
        for key in storage.keys(None).await.unwrap() {
            storage.delete_key(None, &key.id, &by()).await.unwrap();
        }
        let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap();
        Self { storage, model: Model::empty(now), secrets: Vec::new(), keys: Vec::new() }
    }

    /// Takes a step in both, and looks at what became of it.
    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let before = self.storage.sequence().await.unwrap();
        let secret = format!("secret number {before}");
        let about = self.about(step);
        let told = self.perform(step, &about, &secret).await.map_err(Refusal::from);
        let drawn = match &told {
            Ok(Told::Id(id)) => id.clone(),
            Ok(_) | Err(_) => about,
        };
        let taken = self.model.take(step, &drawn, &secret);
        let (expected, action) = match taken {
            Ok((told, action)) => (Ok(told), action),
            Err(refusal) => (Err(refusal), None),
        };
        prop_assert_eq!(shallow(told), shallow(expected), "{:?}", step);
        self.compare_log(step, before, action).await?;
        if action.is_some() {
            let position = TENANTS.iter().position(|name| *name == step.tenant.as_str()).unwrap();
            for id in [&step.tenant, &tenant(TENANTS[(position + 1) % TENANTS.len()])] {
                prop_assert_eq!(held(&self.storage, id).await, self.model.tenant(id), "{} after {:?}", id, step);
            }
        }
        Ok(())
    }

    /// The id of the secret or key that a step is about; all zeros where there was none yet.
    fn about(&self, step: &Step) -> String {
        let id = match step.what {
            What::DeleteSecret(which) => pick(&self.secrets, which),
            What::DeleteKey(_, which) | What::Authenticate(which, _) => pick(&self.keys, which).map(|(id, _)| id),
            What::CreateTenant
            | What::DeleteTenant
            | What::SetQuota(..)
            | What::CreateNode(_)
            | What::DeleteNode
            | What::SetDoor(..)
            | What::AddArtifact(_)
            | What::DeleteArtifact(_)
            | What::CreateRevision(_)
            | What::DeleteRevision(_)
            | What::Promote(..)
            | What::RollBack(_)
            | What::AddSecret(_)
            | What::CreateKey(..)
            | What::Restart => None,
        };
        id.cloned().unwrap_or_else(|| "00".repeat(8))
    }

    async fn perform(&mut self, step: &Step, about: &str, secret: &str) -> storage::Result<Told> {
        let (storage, tenant, node, now) = (&self.storage, &step.tenant, &step.node, self.model.now);
        let version = |seen| self.model.version(step, seen);
        let quota = self.model.tenant(tenant).quota();
        Ok(match &step.what {
            What::CreateTenant => storage.create_tenant(tenant, &by()).await.map(|_| Told::Done)?,
            What::DeleteTenant => storage.delete_tenant(tenant, &by()).await.map(|()| Told::Done)?,
            What::SetQuota(quota, seen) => {
                let tenant = storage.set_quota(tenant, quota, version(*seen), &by()).await?;
                Told::Tenant(tenant.quota, tenant.version)
            }
            What::CreateNode(door) => told(&storage.create_node(tenant, node, door, &quota, &by()).await?),
            What::DeleteNode => storage.delete_node(tenant, node, &by()).await.map(|()| Told::Done)?,
            What::SetDoor(door, seen) => told(&storage.set_door(tenant, node, door, version(*seen), &by()).await?),
            What::AddArtifact(id) => Told::IsNew(storage.add_artifact(tenant, &upload(*id), &quota, &by()).await?.1),
            What::DeleteArtifact(id) => storage.delete_artifact(tenant, id, &by()).await.map(|()| Told::Done)?,
            What::DeleteRevision(number) => {
                let number = (*number).try_into().unwrap();
                storage.delete_revision(tenant, node, number, &by()).await.map(|()| Told::Done)?
            }
            What::CreateRevision(artifact) => {
                let new = NewRevision { artifact: *artifact, settings: Settings::default(), note: String::new() };
                let made = storage.create_revision(tenant, node, &new, &by()).await?;
                assert_eq!(storage.revision(tenant, node, made.number).await?, made);
                Told::Revision(made.number.into())
            }
            What::Promote(number, seen) => {
                let number = (*number).try_into().unwrap();
                told(&storage.promote(tenant, node, number, version(*seen), &by()).await?)
            }
            What::RollBack(seen) => told(&storage.roll_back(tenant, node, version(*seen), &by()).await?),
            What::AddSecret(hours) => {
                let retire = hours.map(|hours| now + hours.hours());
                let made = storage.add_secret(tenant, node, secret, retire, &by()).await?;
                self.secrets.push(made.id.clone());
                Told::Id(made.id)
            }
            What::DeleteSecret(_) => storage.delete_secret(tenant, node, about, &by()).await.map(|()| Told::Done)?,
            What::CreateKey(owner, role) => {
                let expires_at = Some(now + 1.hour());
                let new = NewKey { tenant: owned(*owner, tenant), role: *role, label: String::new(), expires_at };
                let (made, shown) = storage.create_key(&new, &by()).await?;
                self.keys.push((made.id.clone(), shown.reveal().to_owned()));
                Told::Id(made.id)
            }
            What::DeleteKey(owner, _) => {
                storage.delete_key(owned(*owner, tenant).as_ref(), about, &by()).await.map(|()| Told::Done)?
            }
            What::Authenticate(which, hours) => {
                let text = pick(&self.keys, *which).map_or("cn_", |(_, text)| text.as_str());
                Told::Knows(storage.authenticate(text, now + hours.hours()).await?.map(|key| key.id))
            }
            What::Restart => Told::Done,
        })
    }

    /// A change has one number, one line in the log and one place in the feed; what changes nothing has none of them.
    async fn compare_log(&self, step: &Step, before: u64, action: Option<&str>) -> Result<(), TestCaseError> {
        let after = self.storage.sequence().await.unwrap();
        prop_assert_eq!(after - before, u64::from(action.is_some()), "{:?}", step);
        let Some(action) = action else { return Ok(()) };
        let last = self.storage.audit(None, None, 1).await.unwrap().remove(0);
        prop_assert_eq!((last.sequence, last.action.as_str()), (after, action));
        let feed = self.storage.changes_since(before).await.unwrap();
        let of = last.tenant.map(|tenant| (tenant, of_a_node(action).then(|| step.node.clone())));
        prop_assert_eq!(feed.of.unwrap(), Vec::from_iter(of));
        Ok(())
    }

    async fn compare_all(&self) -> Result<(), TestCaseError> {
        let tenants = self.storage.tenants().await.unwrap();
        let known: Vec<&TenantId> = self.model.tenants.iter().map(|(id, _)| id).collect();
        prop_assert_eq!(tenants.iter().map(|tenant| &tenant.id).collect::<Vec<_>>(), known);
        for id in TENANTS.map(tenant) {
            prop_assert_eq!(held(&self.storage, &id).await, self.model.tenant(&id), "{}", id);
        }
        let operators: Vec<Key> = self.storage.keys(None).await.unwrap().iter().map(key).collect();
        prop_assert_eq!(&operators, &self.model.operators);
        let serving = self.storage.serving(None, None).await.unwrap();
        let order: Vec<(TenantId, NodeId)> =
            serving.nodes.into_iter().map(|serving| (serving.node.tenant, serving.node.id)).collect();
        prop_assert_eq!(&order, &self.model.order);
        Ok(())
    }
}

/// All that a tenant has, as storage tells it.
async fn held(storage: &Storage, id: &TenantId) -> Tenant {
    let snapshot = storage.serving(Some(id), None).await.unwrap();
    let serving = snapshot.nodes;
    let nodes = storage.nodes(id).await.unwrap();
    assert_eq!(serving.iter().map(|serving| &serving.node).collect::<Vec<_>>(), nodes.iter().collect::<Vec<_>>());
    let mut held = Tenant::default();
    for tenant in snapshot.tenants {
        (held.quota, held.version) = (tenant.quota, tenant.version);
    }
    for serving in serving {
        let mut node = seen(&serving.node);
        let revisions = storage.revisions(id, &node.id, None, 1000).await.unwrap();
        let live = revisions.iter().find(|revision| Some(revision.number) == serving.node.live);
        assert_eq!(serving.revision.as_ref(), live);
        node.revisions = revisions.iter().rev().map(|it| (it.number.into(), it.artifact)).collect();
        for (secret, open) in storage.secrets(id, &node.id).await.unwrap().into_iter().zip(&serving.secrets) {
            assert_eq!(secret.retires_at, open.retires_at);
            node.secrets.push(Secret { id: secret.id, text: open.text.to_string(), retires_at: secret.retires_at });
        }
        assert_eq!(node.secrets.len(), serving.secrets.len());
        held.nodes.push(node);
    }
    held.artifacts = storage.artifacts(id, 1000).await.unwrap().iter().map(|artifact| artifact.id).collect();
    held.keys = storage.keys(Some(id)).await.unwrap().iter().map(key).collect();
    held
}

/// A node without its revisions and secrets.
fn seen(node: &::model::Node) -> Node {
    Node {
        id: node.id.clone(),
        door: node.door.clone(),
        live: node.live.map(u32::from),
        previous: node.previous.map(u32::from),
        version: node.version,
        revisions: Vec::new(),
        secrets: Vec::new(),
    }
}

fn told(node: &::model::Node) -> Told {
    Told::Node(Box::new(seen(node)))
}

/// Whoever changes a node is told of it without its revisions and secrets.
fn shallow(told: Result<Told, Refusal>) -> Result<Told, Refusal> {
    told.map(|told| match told {
        Told::Node(node) => Told::Node(Box::new(Node { revisions: Vec::new(), secrets: Vec::new(), ..*node })),
        Told::Done | Told::Tenant(..) | Told::Revision(_) | Told::IsNew(_) | Told::Id(_) | Told::Knows(_) => told,
    })
}

fn key(key: &ApiKey) -> Key {
    Key { id: key.id.clone(), role: key.role, expires_at: key.expires_at, last_used_at: key.last_used_at }
}

fn owned(owner: Owner, tenant: &TenantId) -> Option<TenantId> {
    match owner {
        Owner::Tenant => Some(tenant.clone()),
        Owner::Operators => None,
    }
}

fn of_a_node(action: &str) -> bool {
    ["node.", "revision.", "secret."].iter().any(|start| action.starts_with(start))
}

fn upload(id: ArtifactId) -> NewArtifact {
    BYTES.map(artifact).into_iter().find(|artifact| artifact.id == id).unwrap()
}

/// The newest is the first.
fn pick<T>(all: &[T], which: usize) -> Option<&T> {
    all.iter().rev().nth(which)
}

/// The ordinary course of things, without which most of what follows would find nothing to be done to.
fn first_steps() -> Vec<Step> {
    let [one, two, _] = BYTES.map(|bytes| artifact(bytes).id);
    let whats = [
        What::CreateTenant,
        What::CreateNode(Door::default()),
        What::AddArtifact(one),
        What::AddArtifact(two),
        What::CreateRevision(one),
        What::CreateRevision(two),
        What::Promote(1, Seen::Unsaid),
        What::Promote(2, Seen::Present),
        What::RollBack(Seen::Present),
        What::AddSecret(None),
        What::AddSecret(Some(1)),
        What::DeleteSecret(1),
        What::CreateKey(Owner::Tenant, Role::Deploy),
    ];
    let steps = |name| whats.clone().map(|what| Step { tenant: tenant(name), node: node(NODES[0]), what });
    TENANTS[..2].iter().flat_map(|name| steps(name)).collect()
}

/// The later ones are rarer, so that much happens to the first.
fn step() -> impl Strategy<Value = Step> {
    let tenants = prop_oneof![8 => Just(TENANTS[0]), 3 => Just(TENANTS[1]), 1 => Just(TENANTS[2])];
    let nodes = prop_oneof![5 => Just(NODES[0]), 1 => Just(NODES[1])];
    (tenants, nodes, what()).prop_map(|(name, id, what)| Step { tenant: tenant(name), node: node(id), what })
}

fn what() -> impl Strategy<Value = What> {
    let door = || {
        let right = select(vec![vec![Scheme::Sha256], vec![Scheme::Sha1, Scheme::Standard]]);
        let schemes = prop_oneof![6 => right, 1 => Just(Vec::new())];
        (schemes, any::<bool>()).prop_map(|(schemes, allow_unsigned)| Door {
            schemes,
            allow_unsigned,
            repeat_window: None,
        })
    };
    let quota = || {
        let most = || select(vec![None, None, Some(0), Some(1), Some(2)]);
        (most(), most()).prop_map(|(nodes, artifacts)| Overrides { nodes, artifacts, ..Overrides::default() })
    };
    let seen = || prop_oneof![3 => Just(Seen::Unsaid), 2 => Just(Seen::Present), 1 => Just(Seen::Older)];
    let artifact = || select(BYTES.map(|bytes| artifact(bytes).id).to_vec());
    let owner = || prop_oneof![3 => Just(Owner::Tenant), 1 => Just(Owner::Operators)];
    let hours = || select(vec![None, Some(-1), Some(1)]);
    prop_oneof![
        3 => Just(What::CreateTenant),
        1 => Just(What::DeleteTenant),
        5 => door().prop_map(What::CreateNode),
        1 => Just(What::DeleteNode),
        4 => (door(), seen()).prop_map(|(door, seen)| What::SetDoor(door, seen)),
        3 => (quota(), seen()).prop_map(|(quota, seen)| What::SetQuota(quota, seen)),
        4 => artifact().prop_map(What::AddArtifact),
        2 => artifact().prop_map(What::DeleteArtifact),
        4 => (1_u32..4).prop_map(What::DeleteRevision),
        10 => artifact().prop_map(What::CreateRevision),
        14 => (1_u32..4, seen()).prop_map(|(number, seen)| What::Promote(number, seen)),
        8 => seen().prop_map(What::RollBack),
        7 => hours().prop_map(What::AddSecret),
        4 => (0_usize..4).prop_map(What::DeleteSecret),
        4 => (owner(), select(Role::ALL.to_vec())).prop_map(|(owner, role)| What::CreateKey(owner, role)),
        4 => (owner(), 0_usize..4).prop_map(|(owner, which)| What::DeleteKey(owner, which)),
        3 => (0_usize..4, 0_i64..3).prop_map(|(which, hours)| What::Authenticate(which, hours)),
        1 => Just(What::Restart),
    ]
}
