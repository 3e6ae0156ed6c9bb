use std::path::Path;
use std::time::Duration;

use super::*;
use crate::admission::{Full, Gate};
use crate::config::{self, Environment};
use crate::egress::Gateway;

async fn reach() -> Reach {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), Gateway::open(&config::Egress::default()).unwrap());
    Reach::with_entries_in(folder.path(), gateway).await.unwrap()
}

async fn directory(text: &str, old: &Directory) -> Directory {
    let config = Config::parse(Path::new("codenode.toml"), text, &Environment::default()).unwrap();
    let nodes = config.tenants.values().flat_map(|tenant| tenant.nodes.values());
    let artifacts = nodes.map(|node| (node.artifact.clone(), Err(vec!["it is bad".to_owned()]))).collect();
    Directory::build(&config, &artifacts, &reach().await, old)
}

const TWO_NODES: &str = r#"
    [tenants.acme]
    quota = { runs = 3 }
    [tenants.acme.nodes.ONE]
    artifact = "one.wasm"
    secrets = ["it's a secret"]
    limits = { event = "1 MiB" }
    [tenants.acme.nodes.TWO]
    artifact = "two.wasm"
    allow_unsigned = true
"#;

#[tokio::test]
async fn a_node_whose_artifact_is_bad_is_there_and_unavailable() {
    let directory = directory(TWO_NODES, &Directory::empty()).await;
    let live = directory.find("acme", "ONE").unwrap();
    assert_eq!(live.condition(), Condition::Unavailable);
    assert_eq!(live.problems, ["it is bad"]);
    assert!(live.serving().is_none());
}

#[tokio::test]
async fn only_a_configured_node_of_that_very_tenant_is_found() {
    let directory = directory(TWO_NODES, &Directory::empty()).await;
    assert!(directory.find("acme", "TWO").is_some());
    for (tenant, node) in [("acme", "two"), ("ACME", "TWO"), ("acme", ""), ("", "TWO"), ("other", "TWO")] {
        assert!(directory.find(tenant, node).is_none(), "{tenant}/{node}");
    }
}

#[tokio::test]
async fn as_much_is_read_as_the_largest_event_of_any_node() {
    assert_eq!(Directory::empty().body_bytes(), 256 << 10);
    assert_eq!(directory(TWO_NODES, &Directory::empty()).await.body_bytes(), 1 << 20);
}

/// `acme/LATE`, as it was stored with the first change.
fn stored() -> Serving {
    let (tenant, id) = ("acme".parse().unwrap(), "LATE".parse().unwrap());
    let (door, created_at) = (model::Door::default(), Timestamp::UNIX_EPOCH);
    let node = model::Node { tenant, id, door, live: None, previous: None, version: 1, created_at };
    Serving { node, revision: None, secrets: Vec::new() }
}

#[tokio::test]
async fn what_was_read_before_a_change_and_arrives_after_it_does_not_undo_it() {
    let (serving, empty, reach) = (stored(), Directory::empty(), reach().await);
    let (tenant, node) = (&serving.node.tenant, &serving.node.id);
    let read_at = |sequence: u64| vec![empty.stored_node(&serving, sequence, None, &reach)];
    let limited = |runs: Option<u32>| {
        let quota = Overrides { runs, ..Overrides::default() };
        [model::Tenant { id: tenant.clone(), quota, version: 1, created_at: Timestamp::UNIX_EPOCH }]
    };
    let is_there = |directory: &Directory| directory.find("acme", "LATE").is_some();
    for scope in [Scope::Node(tenant, node), Scope::Tenant(tenant), Scope::All] {
        let gone = empty.with_stored(&scope, 6, &limited(None), Vec::new());
        let late = gone.with_stored(&Scope::Node(tenant, node), 5, &limited(Some(1)), read_at(5));
        assert!(!is_there(&late), "it was removed by the sixth change");
        assert_eq!(late.quota(tenant).runs, Quota::DEFAULT.runs, "and its tenant limited no more");
        let reloaded = Directory::build(&Config::default(), &Artifacts::default(), &reach, &late);
        assert!(!is_there(&reloaded.with_stored(&Scope::All, 5, &limited(Some(1)), read_at(5))));
        let again = late.with_stored(&Scope::Tenant(tenant), 7, &limited(Some(2)), read_at(7));
        assert!(is_there(&again), "it was made again by the seventh");
        assert_eq!((again.quota(tenant).runs, again.share_of(tenant).quota().runs), (2, 2));
    }
}

#[tokio::test]
async fn a_tenants_share_outlives_a_reload() {
    let old = directory(TWO_NODES, &Directory::empty()).await;
    let gate = Gate::new(10, 10, Duration::ZERO);
    let share = |directory: &Directory| directory.find("acme", "ONE").unwrap().share.clone();
    let _held = gate.admit(&share(&old)).await.unwrap();
    let new = directory(&TWO_NODES.replace("runs = 3", "runs = 1"), &old).await;
    assert_eq!(gate.admit(&share(&new)).await.unwrap_err(), Full::Runs);
}
