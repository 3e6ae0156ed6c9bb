use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use model::{BotBreak, HttpCall, Log, Reply, Usage};

use super::*;
use crate::artifacts::Artifacts;
use crate::config::{Config, Environment};
use crate::directory::Directory;
use crate::state::State;
use crate::state::tests::state;

const TWO_NODES: &str = r#"
    [tenants.acme.nodes.ONE]
    artifact = "absent.wasm"
    allow_unsigned = true
    [tenants.other.nodes.TWO]
    artifact = "absent.wasm"
    allow_unsigned = true
"#;

/// Lets this configuration serve.
fn take_over(state: &State, text: &str) {
    let config = Config::parse(Path::new("codenode.toml"), text, &Environment::default()).unwrap();
    let directory = Directory::build(&config, &Artifacts::new(), &state.reach, &state.directory.load());
    state.directory.store(Arc::new(directory));
}

fn count(state: &State, tenant: &str, node: &str, outcome: Outcome, waited: Option<Duration>) {
    let usage = Usage {
        wall_time: Duration::from_millis(3),
        cpu_time: Duration::from_micros(700),
        kv_calls: 3,
        ..Usage::default()
    };
    let call = |refused: bool, failed: bool| HttpCall {
        method: "GET".to_owned(),
        origin: "https://a.example".to_owned(),
        path: "/".to_owned(),
        status: (!refused).then_some(200),
        refused: refused.then(|| "not granted".to_owned()),
        failed: failed.then(|| "cut off".to_owned()),
        request_bytes: 0,
        response_bytes: 0,
        after: Duration::ZERO,
        wall_time: Duration::ZERO,
    };
    let http_calls = vec![call(false, false), call(true, false), call(false, true), call(false, true)];
    let run = Run { outcome, usage, log: Log::default(), http_calls };
    state.directory.load().find(tenant, node).unwrap().meter.count(&run, waited);
}

fn reply() -> Outcome {
    Outcome::Reply(Reply::parse(r#"{"status":true,"response":["hi"]}"#.to_owned()).unwrap())
}

fn broken(cause: Cause) -> Outcome {
    Outcome::BotBreak(BotBreak::new(cause, "for a reason"))
}

/// The page's series with their values; everything on it must be a comment or a series.
fn series(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with("# "));
    lines
        .map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap())
        .collect()
}

#[tokio::test]
async fn runs_are_counted_by_node_and_cause_and_times_by_tenant() {
    let (_folder, state) = state("").await;
    take_over(&state, TWO_NODES);
    count(&state, "acme", "ONE", reply(), Some(Duration::ZERO));
    count(&state, "acme", "ONE", reply(), Some(Duration::from_millis(30)));
    count(&state, "acme", "ONE", broken(Cause::Trap), Some(Duration::ZERO));
    count(&state, "acme", "ONE", broken(Cause::Internal), None);
    count(&state, "acme", "ONE", broken(Cause::OverQuota), None);
    let shown = series(&write(&state).unwrap());
    let of = |name: &str| shown.get(name).copied();
    let runs = |node: &str, outcome: &str| of(&format!("codenode_runs_total{{{node},{outcome}}}"));
    let one = r#"tenant="acme",node="ONE""#;
    assert_eq!(runs(one, r#"outcome="reply",blame="""#), Some(2.0));
    let calls = |result: &str| of(&format!("codenode_http_calls_total{{{one},result=\"{result}\"}}"));
    assert_eq!(["answered", "refused", "failed"].map(calls), [Some(5.0), Some(5.0), Some(10.0)]);
    assert_eq!(of(&format!("codenode_kv_calls_total{{{one}}}")), Some(15.0));
    assert_eq!(of(r#"codenode_kv_calls_total{tenant="other",node="TWO"}"#), None);
    assert_eq!(runs(one, r#"outcome="trap",blame="author""#), Some(1.0));
    assert_eq!(runs(one, r#"outcome="internal",blame="host""#), Some(1.0));
    assert_eq!(runs(one, r#"outcome="over_quota",blame="host""#), Some(1.0));
    assert_eq!(runs(one, r#"outcome="exit",blame="author""#), None);
    assert_eq!(runs(r#"tenant="other",node="TWO""#, r#"outcome="reply",blame="""#), Some(0.0));
    assert_eq!(of(r#"codenode_run_duration_seconds_count{tenant="acme"}"#), Some(3.0));
    assert_eq!(of(r#"codenode_run_duration_seconds_bucket{le="0.0025",tenant="acme"}"#), Some(0.0));
    assert_eq!(of(r#"codenode_run_duration_seconds_bucket{le="0.005",tenant="acme"}"#), Some(3.0));
    assert_eq!(of(r#"codenode_run_cpu_seconds_bucket{le="0.001",tenant="acme"}"#), Some(3.0));
    assert_eq!(of(r#"codenode_queue_wait_seconds_sum{tenant="acme"}"#), Some(0.03));
    assert_eq!(of(r#"codenode_nodes{condition="unavailable"}"#), Some(2.0));
}

#[test]
fn every_outcome_has_a_place_of_its_own() {
    let meter = Meter::new(Arc::default());
    for cause in Cause::ALL {
        meter.count(&Run::never_began(BotBreak::new(*cause, "no matter"), 0), None);
    }
    let counted: Vec<_> = meter.runs().skip(1).collect();
    let expected: Vec<_> = Cause::ALL.iter().map(|cause| (cause.name(), Some(cause.blame()), 1)).collect();
    assert_eq!(counted, expected);
}

#[test]
fn every_reason_has_a_place_of_its_own() {
    let refusals = Refusals::default();
    Reason::ALL.iter().for_each(|reason| refusals.count(*reason));
    assert!(refusals.all().all(|(_, count)| count == 1));
}

#[tokio::test]
async fn counts_outlive_a_reload_and_go_with_their_node() {
    let (_folder, state) = state("").await;
    take_over(&state, TWO_NODES);
    count(&state, "acme", "ONE", reply(), Some(Duration::ZERO));
    count(&state, "other", "TWO", reply(), Some(Duration::ZERO));
    take_over(&state, TWO_NODES.split("[tenants.other").next().unwrap());
    let page = write(&state).unwrap();
    assert_eq!(series(&page)[r#"codenode_runs_total{tenant="acme",node="ONE",outcome="reply",blame=""}"#], 1.0);
    assert!(!page.contains("other") && !page.contains("TWO"), "{page}");
}

/// A name, its type and its labels.
type Metric = (String, String, BTreeSet<String>);

#[tokio::test]
async fn what_the_page_shows_is_what_the_documentation_tells() {
    let (_folder, state) = state("").await;
    take_over(&state, TWO_NODES);
    count(&state, "acme", "ONE", reply(), None);
    let page = write(&state).unwrap();
    let shown: BTreeSet<Metric> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(|line| metric(&page, line)).collect();
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../METRICS.md")).unwrap();
    let told: BTreeSet<Metric> = document.lines().filter(|line| line.starts_with("| `codenode_")).map(row).collect();
    assert_eq!(shown, told);
    assert!(page.ends_with("# EOF\n"));
}

/// What the page shows of a metric whose name and type are given.
fn metric(page: &str, name_and_type: &str) -> Metric {
    let (name, kind) = name_and_type.split_once(' ').unwrap();
    let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
    let first = if kind == "histogram" { format!("{name}_count") } else { name.clone() };
    let series =
        page.lines().find(|line| line.starts_with(&format!("{first}{{")) || line.starts_with(&format!("{first} ")));
    let labels = series.unwrap_or_else(|| panic!("{first} has no series")).split_once('{').map_or("", |(_, rest)| rest);
    let labels =
        labels.split(',').filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned()).collect();
    (name, kind.to_owned(), labels)
}

/// What the documentation's table tells of a metric.
fn row(line: &str) -> Metric {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let labels = cells[2].split(", ").filter(|label| !label.is_empty()).map(|label| label.trim_matches('`').to_owned());
    (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), labels.collect())
}
