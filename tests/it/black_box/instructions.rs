//! What an event costs in instructions of the server, counted by callgrind: a guard that no busy machine can fool.
//!
//! The whole way is counted, from the socket to the record, in the profile of the tests: a release takes a tenth less. What starting the server costs is
//! taken off by counting twice: once with few events, once with many.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use server::signature::Scheme;
use tempfile::TempDir;

use super::hosts::deploy;
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
        ("code node", Origin::Configured("product-price"), &good, 200),
        ("stored code node", Origin::Stored("product-price"), &good, 200),
        ("command", Origin::Configured("price-command"), &good, 200),
        ("wrong signature", Origin::Configured("product-price"), &forged, 401),
    ];
    let cache = TempDir::new().unwrap();
    // Whoever starts first compiles; that must be in no count.
    let guests = ["product-price", "price-command"].map(|guest| node(guest, guest, "")).concat();
    let (warm, output) = (sandbox(cache.path()) + &guests, TempDir::new().unwrap());
    stop(Server::start_by(valgrind_into(output.path()), "workers = 1", &warm));
    let counted: BTreeMap<String, u64> = kinds
        .into_iter()
        .map(|(kind, origin, headers, status)| {
            let headers: Vec<(&str, &str)> = [("content-type", "application/json")]
                .into_iter()
                .chain(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
                .collect();
            let request = http::post(&format!("/hooks/acme/{}", origin.node()), &headers, &event);
            let count = |events| instructions(cache.path(), &origin, &request, status, events);
            (kind.to_owned(), (count(MANY) - count(FEW)) / (MANY - FEW))
        })
        .collect();

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench/instructions.json");
    if std::env::var_os("UPDATE_INSTRUCTIONS").is_some() {
        fs::write(&file, serde_json::to_string_pretty(&counted).unwrap() + "\n").unwrap();
    }
    let baseline: BTreeMap<String, u64> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    // To read the database would cost far more than that.
    let stored = change(counted["stored code node"], counted["code node"]);
    assert!(stored.abs() <= TOLERANCE, "a stored node costs {:+.1} %: {counted:?}", stored * 100.0);
    for (kind, count) in &counted {
        let change = change(*count, baseline[kind]);
        assert!(
            change.abs() <= TOLERANCE,
            "{kind}: {count} instructions an event, {:+.1} % against the baseline. If that is meant, set UPDATE_INSTRUCTIONS=1, run this \
             test again, and commit tests/bench/instructions.json with the reason; all counts: {counted:?}",
            change * 100.0
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn change(count: u64, baseline: u64) -> f64 {
    count as f64 / baseline as f64 - 1.0
}

/// Where the node comes from that runs a guest.
enum Origin {
    Configured(&'static str),
    Stored(&'static str),
}

impl Origin {
    const fn node(&self) -> &'static str {
        match self {
            Self::Configured(guest) => guest,
            Self::Stored(_) => "N",
        }
    }

    fn start(&self, sandbox: &str, valgrind: Command) -> Server {
        match self {
            Self::Configured(guest) => {
                Server::start_by(valgrind, "workers = 1", &(sandbox.to_owned() + &node(guest, guest, "")))
            }
            Self::Stored(guest) => {
                let server = Server::start_by(Command::new(CODENODE), "workers = 1", sandbox);
                deploy(&server, &[guest]);
                Server::start_in(server.kill(), valgrind)
            }
        }
    }
}

/// What a server executes in its life, with so many events in it.
fn instructions(cache: &Path, origin: &Origin, request: &[u8], status: u16, events: u64) -> u64 {
    let output = TempDir::new().unwrap();
    let server = origin.start(&sandbox(cache), valgrind_into(output.path()));
    let mut connection = Connection::open(server.front_door);
    for _ in 0..events {
        connection.send(request);
        let answer = connection.answer().expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let id = stop(server);
    let counts = fs::read_to_string(output.path().join(id.to_string())).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: ")).expect("callgrind's total");
    total.trim().parse().unwrap()
}

fn sandbox(cache: &Path) -> String {
    format!("{RECORDS}{SANDBOX}cache_directory = {cache:?}\n")
}

/// The compile child is traced too, so that it sees the same processor and its code can be loaded.
fn valgrind_into(output: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--trace-children=yes", "-q"])
        .arg(format!("--callgrind-out-file={}/%p", output.display()))
        .arg(CODENODE);
    valgrind
}

/// Lets the server end by itself, and returns the number that its process had.
fn stop(server: Server) -> u32 {
    let id = server.id();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    id
}
