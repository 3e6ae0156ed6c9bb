//! Code that has to make room: it comes back when an event comes, and only if it is still what was compiled.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use model::{Limits, Outcome, Run};
use sandbox::{Grants, Prepared};
use tokio_util::sync::CancellationToken;

use crate::support::{House, Wild, alone, event, guest, open_files, runtime};

const NODES: usize = 24;
const LOADED: u32 = 4;

/// A small house with many nodes, each with code of its own.
fn crowded() -> (House, Vec<Arc<Prepared>>) {
    let house = House::with(|config| config.loaded = LOADED);
    let nodes = (0..NODES).map(|at| house.prepare(&guest::numbered(at))).collect();
    (house, nodes)
}

/// A node that is not loaded, in a house that has room for one.
fn unloaded(runs: u32) -> (House, Arc<Prepared>) {
    let house = House::with(|config| (config.loaded, config.runs) = (1, runs));
    let node = house.prepare(&guest::numbered(1));
    house.prepare(&guest::numbered(2));
    assert!(!node.is_loaded());
    (house, node)
}

#[track_caller]
fn assert_says(run: &Run, at: usize) {
    assert!(matches!(&run.outcome, Outcome::Reply(reply) if reply.as_str() == guest::number(at)), "{at}: {run:?}");
}

/// The compiled code that this process has mapped, and that which it has open.
fn mapped_and_open() -> (usize, usize) {
    let is_code = |path: &str| path.contains(".cwasm");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapped: BTreeSet<&str> =
        maps.lines().filter_map(|line| line.split_whitespace().nth(5)).filter(|path| is_code(path)).collect();
    let files = fs::read_dir("/proc/self/fd").unwrap().filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    let open: BTreeSet<String> = files.map(|path| path.display().to_string()).filter(|path| is_code(path)).collect();
    (mapped.len(), open.len())
}

#[test]
fn more_nodes_than_may_be_loaded_all_answer_and_hold_no_more_than_they_may() {
    alone(|| {
        let (house, nodes) = crowded();
        let bound = LOADED as usize;
        assert_eq!((house.sandbox.loaded(), mapped_and_open()), (bound, (bound, bound)));
        let files = open_files();
        for round in 0..5 {
            for (at, node) in nodes.iter().enumerate() {
                assert_says(&house.run(node, &Limits::DEFAULT), at);
                assert!(node.is_loaded(), "round {round}");
            }
            assert_eq!((house.sandbox.loaded(), mapped_and_open()), (bound, (bound, bound)), "round {round}");
        }
        assert_eq!(open_files(), files);
        let loads = house.sandbox.loads();
        for _ in 0..100 {
            assert_says(&house.run(&nodes[NODES - 1], &Limits::DEFAULT), NODES - 1);
        }
        assert_eq!(house.sandbox.loads(), loads, "what is in use stays loaded");
        drop(nodes);
        assert_eq!((house.sandbox.loaded(), mapped_and_open()), (0, (0, 0)));
    });
}

#[test]
fn nodes_that_push_each_other_out_from_several_threads_all_answer() {
    alone(|| {
        let (house, nodes) = crowded();
        thread::scope(|scope| {
            for seed in 0..4 {
                let (sandbox, nodes) = (&house.sandbox, &nodes);
                scope.spawn(move || {
                    let (runtime, mut wild) = (runtime(), Wild::seeded(seed));
                    for _ in 0..200 {
                        let (one, other) = (wild.below(NODES), wild.below(NODES));
                        let (event, token) = (event("{}"), CancellationToken::new());
                        let none = Grants::default();
                        let run = |at: usize| sandbox.run(&nodes[at], &event, &Limits::DEFAULT, &none, &token);
                        let (first, second) = runtime.block_on(async { tokio::join!(run(one), run(other)) });
                        assert_says(&first, one);
                        assert_says(&second, other);
                        // Those that run hold what had to make room.
                        assert!(sandbox.loaded() <= LOADED as usize + 8);
                    }
                });
            }
        });
        let bound = LOADED as usize;
        assert_eq!((house.sandbox.loaded(), mapped_and_open()), (bound, (bound, bound)));
    });
}

#[test]
fn all_who_want_the_same_unloaded_code_at_once_share_one_load() {
    let (house, node) = unloaded(64);
    let loads = house.sandbox.loads();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (sandbox, node) = (house.sandbox.clone(), Arc::clone(&node));
            thread::spawn(move || {
                runtime().block_on(async {
                    let runs: Vec<_> = (0..16)
                        .map(|_| {
                            let (sandbox, node) = (sandbox.clone(), Arc::clone(&node));
                            tokio::spawn(async move {
                                sandbox
                                    .run(
                                        &node,
                                        &event("{}"),
                                        &Limits::DEFAULT,
                                        &Grants::default(),
                                        &CancellationToken::new(),
                                    )
                                    .await
                            })
                        })
                        .collect();
                    for run in runs {
                        assert_says(&run.await.unwrap(), 1);
                    }
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(house.sandbox.loads(), loads + 1);
}

/// What happens to the file of the node's code; the second path is that of another node's.
type Damage = (&'static str, fn(&Path, &Path));

const DAMAGES: [Damage; 6] = [
    ("removed", |file, _| fs::remove_file(file).unwrap()),
    ("emptied", |file, _| fs::write(file, b"").unwrap()),
    ("a bit flipped", |file, _| {
        let mut code = fs::read(file).unwrap();
        let middle = code.len() / 2;
        code[middle] ^= 1;
        fs::write(file, code).unwrap();
    }),
    ("another's", |file, other| assert!(fs::copy(other, file).unwrap() > 0)),
    ("open to others", |file, _| fs::set_permissions(file, fs::Permissions::from_mode(0o620)).unwrap()),
    ("all removed", |file, _| fs::remove_dir_all(file.parent().unwrap().parent().unwrap()).unwrap()),
];

#[test]
fn code_that_is_gone_or_damaged_never_runs_and_is_compiled_anew() {
    let verdicts: Vec<String> = DAMAGES.iter().map(|(name, damage)| verdict(name, damage)).collect();
    insta::assert_snapshot!(verdicts.join("\n"), @"
    removed: unavailable: the node's compiled code is gone from the cache: it must be compiled anew, as the server does within seconds, at a SIGHUP, or when it starts
    emptied: unavailable: the node's compiled code is not what was written: it must be compiled anew, as the server does within seconds, at a SIGHUP, or when it starts
    a bit flipped: unavailable: the node's compiled code is not what was written: it must be compiled anew, as the server does within seconds, at a SIGHUP, or when it starts
    another's: unavailable: the node's compiled code is not what was written: it must be compiled anew, as the server does within seconds, at a SIGHUP, or when it starts
    open to others: unavailable: the node's compiled code could have been written by others: it must be compiled anew, as the server does within seconds, at a SIGHUP, or when it starts
    all removed: unavailable: the node's compiled code is gone from the cache: it must be compiled anew, as the server does within seconds, at a SIGHUP, or when it starts
    ");
}

/// What a run says of damaged code, after it has been seen that it recovers.
fn verdict(name: &str, damage: &fn(&Path, &Path)) -> String {
    let (house, node) = unloaded(8);
    let path = |at: usize| {
        let id = sandbox::inspect(&guest::numbered(at)).artifact;
        house.cached("cwasm").into_iter().find(|file| file.to_str().unwrap().contains(&id)).unwrap()
    };
    damage(&path(1), &path(2));
    let loads = house.sandbox.loads();
    let mut lines: Vec<String> = (0..3).map(|_| crate::support::told(&house.run(&node, &Limits::DEFAULT))).collect();
    lines.dedup();
    assert!(!house.sandbox.keeps(&node) && !node.is_loaded() && house.sandbox.loads() == loads, "{name}");
    let told =
        house.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), house.sandbox.damaged()).await });
    assert!(told.is_ok(), "nobody was told of the damage: {name}");
    assert_says(&house.run(&house.prepare(&guest::numbered(1)), &Limits::DEFAULT), 1);
    format!("{name}: {}", lines.join("; then "))
}

#[test]
fn a_host_that_shuts_down_waits_for_no_load() {
    let (house, node) = unloaded(8);
    let token = CancellationToken::new();
    token.cancel();
    let run =
        house.runtime.block_on(house.sandbox.run(&node, &event("{}"), &Limits::DEFAULT, &Grants::default(), &token));
    insta::assert_snapshot!(crate::support::told(&run), @"unavailable: this host shut down before the run began");
    assert_eq!(run.usage.event_bytes, 2);
}
