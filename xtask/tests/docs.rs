//! What the README tells is what the code does.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use model::{Cause, Limits, Quota};

#[test]
fn the_limits_are_those_of_the_code() {
    let (default, cap) = (in_order(&Limits::DEFAULT), in_order(&Limits::CAPS));
    let told: Vec<_> =
        table("## Limits").iter().map(|row| (unquoted(&row[0]), amount(&row[1]), amount(&row[2]))).collect();
    let known: Vec<_> =
        default.iter().zip(cap).map(|((key, default), (_, cap))| ((*key).to_owned(), *default, cap)).collect();
    assert_eq!(told, known);
}

#[test]
fn the_quotas_are_those_of_the_code() {
    let told: Vec<_> = table("## Quotas").iter().map(|row| (unquoted(&row[0]), some(&row[1]), some(&row[2]))).collect();
    let known: Vec<_> = quotas(&Quota::DEFAULT)
        .iter()
        .zip(quotas(&Quota::CAPS))
        .map(|((key, default), (_, cap))| ((*key).to_owned(), *default, cap))
        .collect();
    assert_eq!(told, known);
}

#[test]
fn the_causes_and_blames_are_those_of_the_code() {
    let told: Vec<_> = table("## When a handler fails").iter().map(|row| (unquoted(&row[0]), row[1].clone())).collect();
    let known: Vec<_> = Cause::ALL.iter().map(|cause| (cause.name().to_owned(), cause.blame().to_string())).collect();
    assert_eq!(told, known);
}

#[test]
fn the_first_handler_is_the_example() {
    let readme = read("README.md");
    let (_, code) = readme.split_once("```rust\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    assert!(code.lines().count() <= 20, "a first handler has at most 20 lines");
    assert!(
        read("examples/product-price/src/lib.rs").contains(code.trim()),
        "the README's handler is no longer that of product-price"
    );
}

#[test]
fn what_authors_are_told_to_install_is_what_we_test_with() {
    let tested = read("xtask/src/toolchains.rs");
    for (place, packages) in [
        ("guest-sdk/python/README.md", &["componentize-py=="][..]),
        ("runtime/cli/src/project/command.rs", &["componentize-py=="]),
        ("guest-sdk/javascript/README.md", &["componentize-qjs@", "esbuild@"]),
    ] {
        for package in packages {
            let told: Vec<String> = read(place).split(package).skip(1).map(version).collect();
            let ours = tested.split(package).nth(1).map(version).unwrap();
            assert!(
                !told.is_empty() && told.iter().all(|told| *told == ours),
                "{place}: {package}{told:?}, not {ours}"
            );
        }
    }
}

/// The version that a text begins with.
fn version(text: &str) -> String {
    text.chars()
        .take_while(|char| char.is_ascii_digit() || *char == '.')
        .collect::<String>()
        .trim_end_matches('.')
        .to_owned()
}

#[test]
fn the_version_of_the_wit_is_one_that_is_kept() {
    let wit = read("guest-sdk/wit/code-node.wit");
    let (_, version) = wit.split_once("package codenode:node@").unwrap();
    let (version, _) = version.split_once(';').unwrap();
    let kept = root().join(format!("tests/fixtures/wit-{version}/code-node.wit"));
    assert!(
        kept.is_file(),
        "a new version of the WIT is kept as {}, with a guest that is built against it",
        kept.display()
    );
}

#[test]
fn every_link_in_the_documents_leads_to_a_file() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "METRICS.md",
        "OPERATING.md",
        "examples/README.md",
        "guest-sdk/python/README.md",
        "guest-sdk/javascript/README.md",
        "runtime/runners/README.md",
    ] {
        let text = read(document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            let target = root().join(document).parent().unwrap().join(path);
            assert!(path.starts_with("https://") || target.exists(), "{document} links to {link}");
        }
    }
}

/// The keys of a node's `limits`, with what they come to in bytes, microseconds or pieces.
fn in_order(limits: &Limits) -> [(&'static str, u64); 16] {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap();
    [
        ("wall_time", micros(limits.wall_time)),
        ("cpu_time", micros(limits.cpu_time)),
        ("memory", limits.memory_bytes),
        ("event", limits.event_bytes),
        ("reply", limits.reply_bytes),
        ("log", limits.log_bytes),
        ("host_calls", limits.host_calls),
        ("host_call", limits.host_call_bytes),
        ("handles", limits.handles),
        ("http_calls", limits.http_calls),
        ("http_request", limits.http_request_bytes),
        ("http_response", limits.http_response_bytes),
        ("kv_calls", limits.kv_calls),
        ("kv_data", limits.kv_data_bytes),
        ("conversation_value_chars", limits.conversation_value_chars),
        ("user_value_chars", limits.user_value_chars),
    ]
}

/// The keys of a tenant's `quota`, with what they come to in pieces, bytes or microseconds.
fn quotas(quota: &Quota) -> [(&'static str, Option<u64>); 10] {
    [
        ("runs", Some(quota.runs.into())),
        ("runs_per_second", quota.runs_per_second.map(u64::from)),
        ("runs_per_burst", quota.runs_per_burst.map(u64::from)),
        ("cpu_per_hour", quota.cpu_per_hour.map(|time| u64::try_from(time.as_micros()).unwrap())),
        ("weight", Some(quota.weight.into())),
        ("nodes", Some(quota.nodes.into())),
        ("artifacts", Some(quota.artifacts.into())),
        ("artifact_size", Some(quota.artifact_bytes)),
        ("kv_keys", Some(quota.kv_keys.into())),
        ("kv_size", Some(quota.kv_bytes)),
    ]
}

/// As [`amount`]; `-` is none.
fn some(text: &str) -> Option<u64> {
    (text != "-").then(|| amount(text))
}

/// `10 s`, `64 MiB`, `10 000`
fn amount(text: &str) -> u64 {
    let (number, unit): (String, String) = text.chars().filter(|c| !c.is_whitespace()).partition(char::is_ascii_digit);
    let unit = match unit.as_str() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "s" => 1_000_000,
        "days" => 24 * 3_600 * 1_000_000,
        unit => panic!("`{unit}` in `{text}` is no unit"),
    };
    number.parse::<u64>().unwrap() * unit
}

fn unquoted(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The rows of the first table below a heading of the README, without its own heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let readme = read("README.md");
    let below = readme.lines().skip_while(|line| *line != heading);
    let rows = below.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
