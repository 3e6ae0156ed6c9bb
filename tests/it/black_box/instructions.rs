//! What an event costs in instructions of the server, counted by callgrind: a guard that no busy machine can fool.
//!
//! The whole way is counted, from the socket to the record, in the profile of the tests. What starting the server costs is taken off by
//! counting twice: once with few events, once with many.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use server::signature::Scheme;
use tempfile::TempDir;

use super::http::{self, Connection};
use super::server::{CODENODE, Server, event, node, signed};

/// How far a count may be off its baseline, either way.
const TOLERANCE: f64 = 0.05;
const FEW: u64 = 100;
const MANY: u64 = 1_100;

/// callgrind can reserve memory for one run only, and makes a run so slow that a tick of 1 ms would end its first slice.
const SANDBOX: &str = "[sandbox]\nruns = 1\ntick = \"10ms\"\ncompile_memory = \"64 GiB\"\n";
/// All records are written at the end: how many fit in a batch would hang on how slow the machine is.
const RECORDS: &str = "[records]\nwrite_interval = \"1h\"\n";

#[test]
fn an_event_costs_as_many_instructions_as_its_baseline_says() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    assert!(
        valgrind.is_ok(),
        "valgrind is missing: `cargo xtask test` installs it, or type `apt-get install valgrind`"
    );

    let event = event("product_name", "speaker");
    let good = signed(Scheme::Sha1, &event);
    let forged = signed(Scheme::Sha1, b"another body");
    let kinds = [
        ("code node", "product-price", &good, 200),
        ("command", "price-command", &good, 200),
        ("wrong signature", "product-price", &forged, 401),
    ];
    let cache = TempDir::new().unwrap();
    let counted: BTreeMap<String, u64> = kinds
        .into_iter()
        .map(|(kind, node, headers, status)| {
            let headers: Vec<(&str, &str)> = [("content-type", "application/json")]
                .into_iter()
                .chain(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
                .collect();
            let request = http::post(&format!("/hooks/acme/{node}"), &headers, &event);
            let count = |events| instructions(cache.path(), node, &request, status, events);
            (kind.to_owned(), (count(MANY) - count(FEW)) / (MANY - FEW))
        })
        .collect();

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench/instructions.json");
    if std::env::var_os("UPDATE_INSTRUCTIONS").is_some() {
        fs::write(&file, serde_json::to_string_pretty(&counted).unwrap() + "\n").unwrap();
    }
    let baseline: BTreeMap<String, u64> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for (kind, count) in &counted {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let change = *count as f64 / baseline[kind] as f64 - 1.0;
        assert!(
            change.abs() <= TOLERANCE,
            "{kind}: {count} instructions an event, {:+.1} % against the baseline. If that is meant, set UPDATE_INSTRUCTIONS=1, run this \
             test again, and commit tests/bench/instructions.json with the reason; all counts: {counted:?}",
            change * 100.0
        );
    }
}

/// What a server executes in its life, with so many events in it.
fn instructions(cache: &Path, name: &str, request: &[u8], status: u16, events: u64) -> u64 {
    let output = TempDir::new().unwrap();
    let mut valgrind = Command::new("valgrind");
    // The compile child is traced too, so that it sees the same processor and its code can be loaded.
    valgrind
        .args(["--tool=callgrind", "--trace-children=yes", "-q"])
        .arg(format!("--callgrind-out-file={}/%p", output.path().display()))
        .arg(CODENODE);
    let sandbox = format!("{RECORDS}{SANDBOX}cache_directory = {cache:?}\n");
    let server = Server::start_by(valgrind, "workers = 1", &(sandbox + &node(name, name, "")));
    let mut connection = Connection::open(server.front_door);
    for _ in 0..events {
        connection.send(request);
        let answer = connection.answer().expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let id = server.id();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    let counts = fs::read_to_string(output.path().join(id.to_string())).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: ")).expect("callgrind's total");
    total.trim().parse().unwrap()
}
