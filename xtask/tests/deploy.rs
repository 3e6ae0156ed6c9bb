//! What an operator installs fits the code: its configuration, its times, its ports and its paths; and so do the words of OPERATING.md.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

const DEFAULTS: &str = "runtime/server/src/config/defaults.toml";
const DOCKERFILE: &str = "runtime/cli/deploy/Dockerfile";
const UNIT: &str = "runtime/cli/deploy/codenode.service";
const OF_UNIT: &str = "runtime/cli/deploy/codenode.toml";
const OF_IMAGE: &str = "runtime/cli/deploy/container.toml";
const MANIFEST: &str = "runtime/cli/deploy/kubernetes.yaml";

#[test]
fn every_key_of_the_examples_is_documented() {
    let known = documented_keys();
    for (place, text) in [
        (OF_UNIT, uncommented(&read(OF_UNIT))),
        (OF_IMAGE, uncommented(&read(OF_IMAGE))),
        (MANIFEST, configuration_of_manifest()),
    ] {
        let keys = keys(&text);
        assert!(keys.len() > 3, "{place} is no example: {keys:?}");
        for key in keys {
            assert!(known.contains(&key), "{place}: {DEFAULTS} does not know `{key}`");
        }
    }
}

#[test]
fn nobody_is_killed_who_is_only_draining() {
    let defaults: Table = read(DEFAULTS).parse().unwrap();
    let drain =
        defaults["front_door"]["drain_time"].as_str().unwrap().strip_suffix('s').unwrap().parse::<u64>().unwrap();
    let stop = drain
        + constant("runtime/server/src/worker.rs", "GRACE")
        + constant("runtime/server/src/server.rs", "MANAGEMENT_DRAIN_TIME")
        + constant("runtime/storage/src/database.rs", "DEADLINE");
    let unit = number(&read(UNIT), "TimeoutStopSec=");
    assert!(unit > stop, "TimeoutStopSec={unit}, and stopping may take {stop} s");
    let manifest = read(MANIFEST);
    let (grace, before) =
        (number(&manifest, "terminationGracePeriodSeconds: "), number(&manifest, "sleep: { seconds: "));
    assert!(grace > before + stop, "{grace} s to stop in, and it may take {before} + {stop} s");
}

#[test]
fn the_image_is_built_with_our_oldest_toolchain() {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    let oldest = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let pinned: Table = read("rust-toolchain.toml").parse().unwrap();
    let channel = pinned["toolchain"]["channel"].as_str().unwrap();
    assert!(
        channel == "stable" || channel.starts_with(oldest),
        "rust-toolchain.toml pins {channel}: so must {DOCKERFILE}"
    );
    assert!(read(DOCKERFILE).contains(&format!("\nFROM rust:{oldest}-")), "{DOCKERFILE} does not build with {oldest}");
}

#[test]
fn probes_ask_what_is_there() {
    let (manifest, routes) = (read(MANIFEST), read("runtime/server/src/manage/mod.rs"));
    let paths: Vec<_> = after_each(&manifest, "httpGet: { path: ", ',').collect();
    assert_eq!(paths.len(), 3);
    for path in paths {
        assert!(routes.contains(&format!("(\"{path}\"")), "no route {path}");
    }
    let ports: Vec<_> = after_each(&manifest, "containerPort: ", ' ').collect();
    for text in [configuration_of_manifest(), read(OF_IMAGE)] {
        let config: Table = text.parse().unwrap();
        let listen = ["front_door", "management"].map(|section| config[section]["listen"].as_str().unwrap().to_owned());
        assert_eq!(ports, listen.map(|address| address.rsplit(':').next().unwrap().to_owned()));
    }
    // Else Kubernetes sets variables that codenode takes for misspelt ones of its own, and does not start.
    assert!(manifest.contains("\n      enableServiceLinks: false\n"));
}

#[test]
fn the_guide_names_what_there_is() {
    let (guide, metrics, known) = (read("OPERATING.md"), read("METRICS.md"), documented_keys());
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    for word in guide.split(|c| !is_word(c)).filter(|word| word.starts_with("codenode_")) {
        assert!(metrics.contains(&format!("`{word}`")), "METRICS.md knows no {word}");
    }
    let sections: BTreeSet<_> = known.iter().filter_map(|key| key.split('.').next()).collect();
    for word in after_each(&guide, "`", '`') {
        let named = word.split(" = ").next().unwrap();
        let is_key =
            named.split_once('.').is_some_and(|(section, _)| sections.contains(section)) && named.chars().all(is_word);
        assert!(!is_key || known.contains(named), "{DEFAULTS} does not know `{named}`");
    }
    for command in guide.lines().filter_map(|line| line.split("$ codenode ").nth(1)) {
        let name = command.split(' ').next().unwrap();
        assert!(root().join(format!("runtime/cli/src/{name}.rs")).exists(), "there is no `codenode {name}`");
    }
}

/// `section.key` of all that the defaults file documents.
fn documented_keys() -> BTreeSet<String> {
    let mut section = String::new();
    let mut known = BTreeSet::new();
    for line in read(DEFAULTS).lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| is_key(key)) {
            known.insert(format!("{section}.{key}"));
        }
    }
    known
}

/// The text with the keys that it only suggests.
fn uncommented(text: &str) -> String {
    let suggested = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| is_key(key));
    let lines = text.lines().map(|line| line.strip_prefix("# ").filter(|rest| suggested(rest)).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `section.key` of all that a configuration sets.
fn keys(text: &str) -> BTreeSet<String> {
    let sections: Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let of = |(section, table): (&String, &Value)| {
        table.as_table().unwrap().keys().map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
    };
    sections.iter().flat_map(of).collect()
}

/// What the manifest's ConfigMap holds.
fn configuration_of_manifest() -> String {
    let manifest = read(MANIFEST);
    let (_, below) = manifest.split_once("  codenode.toml: |\n").unwrap();
    let lines = below.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(str::trim_start).collect::<Vec<_>>().join("\n")
}

/// The seconds of `const name: Duration = Duration::from_secs(…)`.
fn constant(path: &str, name: &str) -> u64 {
    number(&read(path), &format!("const {name}: Duration = Duration::from_secs("))
}

/// The number after the first `mark`.
fn number(text: &str, mark: &str) -> u64 {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no `{mark}`"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// What stands between each `mark` and the next `end`.
fn after_each(text: &str, mark: &str, end: char) -> impl Iterator<Item = String> {
    text.split(mark).skip(1).filter_map(move |rest| rest.split(end).next().map(str::to_owned))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
