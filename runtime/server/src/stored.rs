//! The nodes that come from storage: prepared, put into the directory, and kept there as storage says.
//!
//! A node's code, settings and secrets change in one step, once the new code is ready; until then the old ones serve. What cannot be prepared
//! leaves the node as it was, says so, and is tried again. No event reads the database.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use model::{ArtifactId, NodeId, TenantId};
use sandbox::{PrepareError, Prepared, Sandbox};
use storage::{Listener, Serving, Snapshot, Storage, StorageError};
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::directory::{Directory, Live, Scope};
use crate::state::State;

/// How often changes are looked for where nobody tells of them.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How often what failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// How often what is not needed any more is looked for.
const TIDY_INTERVAL: Duration = Duration::from_secs(3_600);
/// As long do the bytes of an artifact outlive it, so that a backup of the database from before still finds them.
const UNOWNED_TIME: Duration = Duration::from_secs(7 * 86_400);
/// As long can a message that was deleted be restored.
const DELETED_MESSAGE_TIME: Duration = Duration::from_secs(30 * 86_400);
/// Nodes that are brought up to date at once. Compiling has its own, shorter queue.
const AT_ONCE: usize = 8;

/// Storage, and how far this host has followed it.
pub(crate) struct Stored {
    pub(crate) storage: Storage,
    /// Who replaces the directory holds it; never while anything is prepared.
    pub(crate) writer: AsyncMutex<()>,
    turns: Semaphore,
    tasks: TaskTracker,
    /// Ends the tasks: what they compile would hold up a server that stops.
    over: CancellationToken,
    /// Whether a change could not be read when it was heard of.
    has_missed: AtomicBool,
    /// Nodes that are not as storage says.
    behind: Mutex<BTreeSet<(TenantId, NodeId)>>,
    /// When a secret of a node is refused.
    retirements: Mutex<BTreeMap<(TenantId, NodeId), Timestamp>>,
    /// Why storage does not answer; `None` while it does.
    trouble: Mutex<Option<String>>,
}

/// Code that is ready, by its name, or why there is none.
type Ready = HashMap<ArtifactId, Result<Arc<Prepared>, String>>;

impl Stored {
    pub(crate) fn new(storage: Storage) -> Self {
        Self {
            storage,
            writer: AsyncMutex::default(),
            turns: Semaphore::new(AT_ONCE),
            tasks: TaskTracker::new(),
            over: CancellationToken::new(),
            has_missed: AtomicBool::new(false),
            behind: Mutex::default(),
            retirements: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Why storage does not answer; `None` while it does.
    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Nodes that are not as storage says, because their code could not be prepared.
    pub(crate) fn behind(&self) -> usize {
        lock(&self.behind).len()
    }

    fn note(&self, answer: Result<(), &StorageError>) {
        let mut trouble = lock(&self.trouble);
        match (answer, &*trouble) {
            (Ok(()), Some(_)) => {
                info!("storage answers again");
                *trouble = None;
            }
            (Err(why), None) => {
                error!(%why, "storage does not answer: what is live goes on serving, changes do not come through");
                *trouble = Some(why.to_string());
            }
            (Ok(()), None) | (Err(_), Some(_)) => {}
        }
    }
}

/// Brings one node of this host up to date, now. When it returns `Ok`, the node serves as storage says, or is in the list of those behind.
///
/// # Errors
/// Storage does not answer.
pub(crate) async fn refresh(state: &State, tenant: &TenantId, node: &NodeId) -> Result<(), StorageError> {
    let snapshot = state.stored.storage.serving(Some(tenant), Some(node)).await?;
    let ready = prepare(state, &snapshot).await;
    install(state, Scope::Node(tenant, node), snapshot, &ready).await;
    Ok(())
}

/// The same for all nodes of a tenant, or for all there are.
///
/// # Errors
/// Storage does not answer.
pub(crate) async fn refresh_all(state: &State, tenant: Option<&TenantId>) -> Result<(), StorageError> {
    let snapshot = state.stored.storage.serving(tenant, None).await?;
    let ready = prepare(state, &snapshot).await;
    install(state, tenant.map_or(Scope::All, Scope::Tenant), snapshot, &ready).await;
    Ok(())
}

/// Gets an artifact ready to run.
///
/// # Errors
/// [`PrepareError`] says whose fault it is.
pub(crate) async fn ready(state: &State, id: ArtifactId) -> Result<Arc<Prepared>, PrepareError> {
    let running = state.directory.load_full().prepared().find(|code| code.artifact() == id).cloned();
    prepare_one(state.sandbox.clone(), state.stored.storage.clone(), running, id).await
}

/// Follows storage until `stop`: other hosts' changes, secrets that retire, and what failed before.
pub(crate) async fn follow(state: Arc<State>, mut sequence: u64, stop: CancellationToken) {
    let mut next_retry = Instant::now() + RETRY_INTERVAL;
    let bell = Arc::new(Notify::new());
    let listening = tokio::spawn(listen(state.stored.storage.listener(), Arc::clone(&bell)));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell.notified() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        let changes = state.stored.storage.changes_since(sequence).await;
        state.stored.note(changes.as_ref().map(|_| ()));
        let Ok(changes) = changes else { continue };
        sequence = changes.sequence;
        match changes.of {
            Some(of) => of.into_iter().for_each(|(tenant, node)| spawn(&state, Some(tenant), node)),
            None => spawn(&state, None, None),
        }
        for (tenant, node) in state.stored.retired(Timestamp::now()) {
            info!(%tenant, %node, "a secret retires");
            spawn(&state, Some(tenant), Some(node));
        }
        if next_retry <= Instant::now() {
            next_retry = Instant::now() + RETRY_INTERVAL;
            let behind = lock(&state.stored.behind).clone();
            if state.stored.has_missed.swap(false, Ordering::Relaxed) {
                spawn(&state, None, None);
            } else {
                behind.into_iter().for_each(|(tenant, node)| spawn(&state, Some(tenant), Some(node)));
            }
        }
    }
    listening.abort();
    state.stored.over.cancel();
    state.stored.tasks.close();
    state.stored.tasks.wait().await;
}

/// Removes what no tenant and no release has had for long, and what the audit log need not tell any more, until `stop`.
pub(crate) async fn tidy(state: Arc<State>, audit_keep_time: Duration, stop: CancellationToken) {
    let storage = &state.stored.storage;
    remove_unused_code(state.sandbox.clone()).await;
    while stop.run_until_cancelled(tokio::time::sleep(TIDY_INTERVAL)).await.is_some() {
        let before = |time: Duration| Timestamp::now().checked_sub(time).unwrap_or(Timestamp::MIN);
        match storage.remove_unowned(before(UNOWNED_TIME)).await {
            Ok(0) => {}
            Ok(artifacts) => info!(artifacts, "removed the bytes of artifacts that no tenant has any more"),
            Err(error) => warn!(%error, "the bytes of artifacts that no tenant has any more could not be removed"),
        }
        remove_unused_code(state.sandbox.clone()).await;
        if let Err(error) = storage.forget_audit(before(audit_keep_time)).await {
            warn!(%error, "old lines of the audit log could not be removed");
        }
        if let Err(error) = storage.forget_idempotency(Timestamp::now()).await {
            warn!(%error, "answers that were kept for a day could not be removed");
        }
        if let Err(error) = storage.forget_entries(Timestamp::now()).await {
            warn!(%error, "entries of the key-value store that have expired could not be removed");
        }
        if let Err(error) = storage.forget_messages(before(DELETED_MESSAGE_TIME)).await {
            warn!(%error, "what is left of messages that were deleted long ago could not be removed");
        }
    }
}

async fn remove_unused_code(sandbox: Sandbox) {
    match tokio::task::spawn_blocking(move || sandbox.tidy(SystemTime::now())).await {
        Ok(0) => {}
        Ok(releases) => info!(releases, "removed compiled code of releases that have not run for a week"),
        Err(error) => error!(%error, "looking for compiled code that nobody uses panicked"),
    }
}

/// Rings whenever some host has changed something, for as long as it is let.
async fn listen(mut listener: Listener, bell: Arc<Notify>) {
    loop {
        listener.heard().await;
        bell.notify_one();
    }
}

/// Brings a node up to date, a tenant's nodes, or all there are.
fn spawn(state: &Arc<State>, tenant: Option<TenantId>, node: Option<NodeId>) {
    let task = Arc::clone(state);
    let refreshed = async move {
        // Nothing closes the semaphore; were it closed, all would be brought up to date at once.
        let _turn = task.stored.turns.acquire().await;
        let done = match (&tenant, &node) {
            (Some(tenant), Some(node)) => refresh(&task, tenant, node).await,
            (tenant, _) => refresh_all(&task, tenant.as_ref()).await,
        };
        if let Err(error) = done {
            warn!(%error, "a change was not taken over: trying again");
            task.stored.has_missed.store(true, Ordering::Relaxed);
        }
    };
    let over = state.stored.over.clone();
    state.stored.tasks.spawn(async move { over.run_until_cancelled(refreshed).await });
}

/// Prepares the code of every node of a snapshot, each artifact once, a few at a time.
async fn prepare(state: &State, snapshot: &Snapshot) -> Ready {
    let revisions = snapshot.nodes.iter().filter_map(|serving| serving.revision.as_ref());
    let mut wanted: BTreeSet<ArtifactId> = revisions.map(|revision| revision.artifact).collect();
    let directory = state.directory.load_full();
    let mut running: HashMap<ArtifactId, Arc<Prepared>> = HashMap::new();
    running.extend(directory.prepared().map(|code| (code.artifact(), Arc::clone(code))));
    let (mut ready, mut underway) = (Ready::new(), JoinSet::new());
    loop {
        while underway.len() < AT_ONCE
            && let Some(id) = wanted.pop_first()
        {
            let prepared = prepare_one(state.sandbox.clone(), state.stored.storage.clone(), running.remove(&id), id);
            underway.spawn(async move { (id, prepared.await.map_err(|error| error.to_string())) });
        }
        match underway.join_next().await {
            Some(Ok((id, code))) => ready.insert(id, code),
            // Its nodes say then that it was not looked at.
            Some(Err(error)) => {
                error!(%error, "preparing an artifact panicked");
                continue;
            }
            None => return ready,
        };
    }
}

/// Takes what runs already, unless its compiled code is gone; then what was compiled before; and fetches the bytes otherwise.
async fn prepare_one(
    sandbox: Sandbox,
    storage: Storage,
    running: Option<Arc<Prepared>>,
    id: ArtifactId,
) -> Result<Arc<Prepared>, PrepareError> {
    if let Some(code) = running {
        let (sandbox, kept) = (sandbox.clone(), Arc::clone(&code));
        if tokio::task::spawn_blocking(move || sandbox.keeps(&kept)).await.unwrap_or(false) {
            return Ok(code);
        }
    }
    if let Some(code) = sandbox.prepare_compiled(id).await? {
        return Ok(code);
    }
    let bytes = storage.artifact_bytes(&id).await.map_err(|error| PrepareError::Host(error.into()))?;
    sandbox.prepare(&bytes).await
}

/// Puts the nodes of a snapshot into the directory, in one step.
async fn install(state: &State, scope: Scope<'_>, snapshot: Snapshot, ready: &Ready) {
    let _writer = state.stored.writer.lock().await;
    state.reach.connections.replace(scope.tenant(), snapshot.sequence, snapshot.connections);
    state.reach.values.replace(scope.tenant(), snapshot.sequence, snapshot.config);
    let old = state.directory.load_full();
    let mut nodes = Vec::with_capacity(snapshot.nodes.len());
    for serving in &snapshot.nodes {
        let place = (serving.node.tenant.clone(), serving.node.id.clone());
        let code = serving.revision.as_ref().map(|revision| match ready.get(&revision.artifact) {
            Some(code) => code.clone(),
            None => Err("its artifact was not looked at".to_owned()),
        });
        let live = old.stored_node(serving, snapshot.sequence, code, &state.reach);
        state.stored.remember(place, serving, &live);
        nodes.push(live);
    }
    let new = old.with_stored(&scope, snapshot.sequence, &snapshot.tenants, nodes);
    state.stored.forget_removed(&new);
    state.reach.key_values.take_quotas(|tenant| new.quota(tenant));
    state.directory.store(Arc::new(new));
}

impl Stored {
    /// Notes whether the node is as storage says, and when the next of its secrets retires.
    fn remember(&self, place: (TenantId, NodeId), serving: &Serving, live: &Live) {
        let mut behind = lock(&self.behind);
        if live.problems.is_empty() {
            if behind.remove(&place) {
                info!(tenant = %place.0, node = %place.1, "the node is as storage says again");
            }
        } else if behind.insert(place.clone()) {
            for problem in &live.problems {
                error!(tenant = %place.0, node = %place.1, problem, "the node does not serve as storage says");
            }
        }
        drop(behind);
        let now = Timestamp::now();
        let next = serving.secrets.iter().filter_map(|secret| secret.retires_at).filter(|at| *at > now).min();
        let mut retirements = lock(&self.retirements);
        match next {
            Some(at) => retirements.insert(place, at),
            None => retirements.remove(&place),
        };
    }

    /// The nodes of which a secret has retired since this was asked last.
    fn retired(&self, now: Timestamp) -> Vec<(TenantId, NodeId)> {
        let mut retirements = lock(&self.retirements);
        let mut due = Vec::new();
        retirements.retain(|place, at| {
            let waits = *at > now;
            if !waits {
                due.push(place.clone());
            }
            waits
        });
        due
    }

    /// Nothing is kept of nodes that are gone.
    fn forget_removed(&self, directory: &Directory) {
        let is_there = |place: &(TenantId, NodeId)| directory.find(place.0.as_str(), place.1.as_str()).is_some();
        lock(&self.behind).retain(is_there);
        lock(&self.retirements).retain(|place, _| is_there(place));
    }
}

/// Nothing in these can be left half done, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
