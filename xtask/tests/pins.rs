//! What the dependencies must be: recent enough, without what we forbid, and each room without what it must not know.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use semver::{Version, VersionReq};
use serde::Deserialize;

/// The oldest versions without a known hole that concerns us. Absent crates are fine; each version that is present must match one
/// requirement. A name that ends in `*` stands for all names that begin so.
const FLOORS: &[(&str, &[&str], &str)] = &[
    ("wasmtime", WASMTIME, "36 advisories since 48.0.0; RUSTSEC-2026-0222 and -0223 before"),
    ("wasmtime-*", WASMTIME, "belongs to wasmtime"),
    ("wasi-preview1-component-adapter-provider", WASMTIME, "belongs to wasmtime"),
    ("wiggle*", WASMTIME, "belongs to wasmtime"),
    ("h2", &[">=0.4.16"], "RUSTSEC-2026-0258, -2024-0332, -2024-0003"),
    ("hyper", &[">=1.12.0"], "fixes to HTTP/1: a busy loop when a connection is half closed"),
    ("rustls", &[">=0.23.46"], "RUSTSEC-2026-0346 to -0349, -0285; -2024-0399, -0336"),
    ("rustls-webpki", &[">=0.103.13"], "RUSTSEC-2026-0049, -0098, -0099, -0104"),
    ("aws-lc-sys", &[">=0.39.0"], "RUSTSEC-2026-0044 to -0048"),
    ("ring", &[">=0.17.12"], "RUSTSEC-2025-0009"),
    ("tokio", &[">=1.51.6, <1.52", ">=1.53.3"], "RUSTSEC-2026-0386, -2025-0023"),
    ("bytes", &[">=1.11.1"], "RUSTSEC-2026-0007"),
    ("sqlx", &[">=0.8.1"], "RUSTSEC-2024-0363"),
    ("sqlx-*", &[">=0.8.1"], "belongs to sqlx"),
    ("tokio-postgres", &[">=0.7.18"], "RUSTSEC-2026-0178 to -0180"),
    ("postgres-protocol", &[">=0.6.12"], "RUSTSEC-2026-0178 to -0180"),
    ("rusqlite", &[">=0.26"], "closures that outlive their borrow"),
    ("hickory-proto", &[">=0.26.1"], "RUSTSEC-2026-0119"),
    ("time", &[">=0.3.47"], "RUSTSEC-2026-0009"),
    ("tracing-subscriber", &[">=0.3.20"], "RUSTSEC-2025-0055: terminal escapes in log lines"),
    ("idna", &[">=1.0"], "RUSTSEC-2024-0421"),
    ("quinn-proto", &[">=0.11.15"], "RUSTSEC-2026-0185, -0037"),
    ("crossbeam-channel", &[">=0.5.15"], "a double free"),
    ("crossbeam-epoch", &[">=0.9.20"], "an advisory of 2026"),
    ("slab", &[">=0.4.11"], "an access out of bounds"),
    ("lru", &[">=0.18.2"], "an iterator that aliases"),
    ("rand", &[">=0.8.6, <0.9", ">=0.9.3, <0.10", ">=0.10.1"], "an advisory of 2026"),
    ("tar", &[">=0.4.45"], "paths that escape"),
    ("tokio-tar", &[], "no version is good"),
    ("ammonia", &[">=4.1.4"], "holes in the filter"),
    ("bcrypt", &[">=0.19.2"], "an advisory of 2026"),
    ("zip", &[">=2.3"], "paths that escape"),
];

const WASMTIME: &[&str] = &[">=48.0.8, <49", ">=49.0.5, <50", ">=50.0.1"];

/// What must not be compiled in, even if it were never called.
const FORBIDDEN_FEATURES: &[(&str, &[&str])] = &[
    ("wasmtime", &["cache", "component-model-async", "component-model-async-bytes", "profiling", "wat", "winch"]),
    ("wasmtime-wasi", &["p3"]),
    ("wasmtime-wasi-http", &["default-send-request", "p3"]),
    ("hickory-proto", &["dnssec-aws-lc-rs", "dnssec-ring"]),
];

/// HTTP servers and clients, resolvers, SQL drivers, TLS, and whatever signs. hyper itself is there, for wasmtime-wasi-http speaks in its types;
/// without hyper-util and a runtime's adapters it opens no socket.
const NOT_IN_THE_SANDBOX: &[&str] = &[
    "aws-lc-rs",
    "axum",
    "ed25519-dalek",
    "hickory-resolver",
    "hmac",
    "hyper-util",
    "object_store",
    "openssl",
    "postgres-protocol",
    "ring",
    "rusqlite",
    "rustls",
    "sha1",
    "sqlx",
    "tokio-postgres",
    "tokio-rustls",
    "tower-http",
];

/// Anything that does rather than is.
const NOT_IN_THE_MODEL: &[&str] =
    &["axum", "hyper", "notify", "rusqlite", "rustix", "rustls", "sqlx", "tokio", "wasmparser", "wasmtime"];

/// Each of our packages, and all others of ours that it may be built from.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("codenode-model", &[]),
    ("codenode-sandbox", &["codenode-model"]),
    ("codenode-storage", &["codenode-model"]),
    ("codenode-server", &["codenode-model", "codenode-sandbox", "codenode-storage"]),
    ("codenode-cli", &["codenode-model", "codenode-sandbox", "codenode-server"]),
    ("codenode-macros", &[]),
    ("codenode", &["codenode-macros"]),
    ("appointment", &["codenode"]),
    ("crm-lead", &["codenode"]),
    ("naughty", &["codenode"]),
    ("order-status", &["codenode"]),
    ("order-tracker", &["codenode"]),
    ("otp-verify", &["codenode"]),
    ("caller", &["codenode"]),
    ("configured", &["codenode"]),
    ("conformance", &["codenode"]),
    ("conformance-command", &[]),
    ("keeper", &["codenode"]),
    ("released", &[]),
    ("responder", &[]),
    ("product-price", &["codenode"]),
    ("weather-cards", &["codenode"]),
    ("echo-command", &[]),
    ("price-command", &[]),
    ("long-reply", &["codenode"]),
    ("reaching", &["codenode"]),
    ("codenode-bench", &["codenode-model", "codenode-sandbox"]),
    ("xtask", &[]),
];

#[test]
fn every_dependency_is_at_or_above_its_floor() {
    let lock: Lock = toml::from_str(&std::fs::read_to_string(root().join("Cargo.lock")).unwrap()).unwrap();
    assert!(lock.package.len() > 100, "Cargo.lock cannot be read");
    let mut checked = BTreeSet::new();
    let mut too_old = Vec::new();
    for Locked { name, version } in &lock.package {
        for (crate_name, branches, why) in FLOORS.iter().filter(|(pattern, ..)| stands_for(pattern, name)) {
            checked.insert(*crate_name);
            if !branches.iter().any(|branch| VersionReq::parse(branch).unwrap().matches(version)) {
                too_old.push(format!("{name} {version} must be {}: {why}", branches.join(" or ")));
            }
        }
    }
    assert!(too_old.is_empty(), "{}", too_old.join("\n"));
    assert!(checked.contains("wasmtime") && checked.contains("hyper"), "the floors match nothing: {checked:?}");
}

#[test]
fn a_floor_has_branches_and_lets_nothing_older_through() {
    let passes = |name: &str, version: &str| {
        let (_, branches, _) = FLOORS.iter().find(|(pattern, ..)| stands_for(pattern, name)).unwrap();
        branches.iter().any(|branch| VersionReq::parse(branch).unwrap().matches(&Version::parse(version).unwrap()))
    };
    for (name, good, bad) in [
        ("rand", "0.8.6", "0.8.5"),
        ("rand", "0.9.3", "0.9.2"),
        ("rand", "0.10.1", "0.10.0"),
        ("tokio", "1.51.6", "1.51.5"),
        ("tokio", "1.54.0", "1.52.9"),
        ("wasmtime-wasi", "48.0.8", "48.0.7"),
        ("wasmtime", "50.0.1", "49.0.4"),
    ] {
        assert!(passes(name, good) && !passes(name, bad), "{name} {good} {bad}");
    }
    assert!(!passes("tokio-tar", "0.3.1"));
}

#[test]
fn what_is_forbidden_is_not_compiled_in() {
    let graph = Graph::read();
    let mut found = Vec::new();
    for (name, forbidden) in FORBIDDEN_FEATURES {
        for node in graph.nodes.values().filter(|node| graph.name(&node.id) == *name) {
            let features: Vec<_> =
                node.features.iter().filter(|feature| forbidden.contains(&feature.as_str())).collect();
            found.extend(features.iter().map(|feature| format!("{name} has the feature {feature}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let wasmtime = graph.nodes.values().find(|node| graph.name(&node.id) == "wasmtime").unwrap();
    assert!(wasmtime.features.iter().any(|feature| feature == "pooling-allocator"), "the features cannot be read");
}

#[test]
fn the_sandbox_and_the_model_hold_nothing_that_is_not_theirs() {
    let graph = Graph::read();
    for (package, strangers) in [("codenode-sandbox", NOT_IN_THE_SANDBOX), ("codenode-model", NOT_IN_THE_MODEL)] {
        let tree = graph.tree(package);
        assert!(tree.contains("serde"), "the tree of {package} cannot be read");
        let found: Vec<_> = strangers.iter().filter(|stranger| tree.contains(**stranger)).collect();
        assert!(found.is_empty(), "{package} is built from {found:?}");
    }
}

#[test]
fn each_room_knows_only_whom_it_may() {
    let graph = Graph::read();
    let ours: BTreeSet<&str> = graph
        .packages
        .values()
        .filter(|package| package.source.is_none())
        .map(|package| package.name.as_str())
        .collect();
    for name in &ours {
        let Some((_, may_know)) = MAY_KNOW.iter().find(|(known, _)| known == name) else {
            panic!("{name} is new: say in ARCHITECTURE.md and here whom it may know");
        };
        let direct = graph.direct(graph.find(name));
        let known: Vec<&str> = direct.map(|id| graph.name(id)).filter(|known| ours.contains(known)).collect();
        let too_many: Vec<_> = known.iter().filter(|known| !may_know.contains(known)).collect();
        assert!(too_many.is_empty(), "{name} must not know {too_many:?}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn stands_for(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: Version,
}

/// What `cargo metadata` says of all packages with the features of all of us together, for every platform.
struct Graph {
    packages: BTreeMap<String, Package>,
    nodes: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    features: Vec<String>,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None` for what is linked; `build` and `dev` by name.
    kind: Option<String>,
}

impl Graph {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
        Self {
            packages: metadata.packages.into_iter().map(|package| (package.id.clone(), package)).collect(),
            nodes: metadata.resolve.nodes.into_iter().map(|node| (node.id.clone(), node)).collect(),
        }
    }

    fn name(&self, id: &str) -> &str {
        &self.packages[id].name
    }

    /// One of our own packages.
    fn find(&self, name: &str) -> &str {
        let package = self.packages.values().find(|package| package.source.is_none() && package.name == name);
        &package.unwrap_or_else(|| panic!("there is no package {name}")).id
    }

    /// What a package is built from itself, its tests left out.
    fn direct(&self, id: &str) -> impl Iterator<Item = &str> {
        let is_built_in =
            |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"));
        self.nodes[id].deps.iter().filter(is_built_in).map(|dependency| dependency.pkg.as_str())
    }

    /// The names of everything that a package of ours is built from.
    fn tree(&self, name: &str) -> BTreeSet<&str> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![self.find(name)]);
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.direct(id));
            }
        }
        seen.into_iter().map(|id| self.name(id)).collect()
    }
}
