//! The page that Prometheus reads, in the OpenMetrics text format.
//!
//! It is made from the directory as it is now: what belonged to a node or a tenant that is gone is not on it. METRICS.md tells what
//! each metric is.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::Times;
use crate::directory::{Condition, Directory};
use crate::state::State;

/// The content type of what [`write()`] returns.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page as of now.
///
/// # Errors
/// None that we know of: writing to a text does not fail.
pub(crate) fn write(state: &Arc<State>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("codenode");
    registry.register_collector(Box::new(Scrape(Arc::clone(state))));
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

/// One look at everything.
struct Scrape(Arc<State>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let directory = self.0.directory.load();
        nodes(&mut page, &directory)?;
        tenants(&mut page, &directory)?;
        places(&mut page, &self.0)?;
        code(&mut page, &self.0)?;
        records(&mut page, &self.0)?;
        deliveries(&mut page, &self.0)?;
        traces(&mut page, &self.0)?;
        storage(&mut page, &self.0)?;
        doors(&mut page, &self.0)
    }
}

/// The page in the making.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// A metric of one series.
    fn one<M: EncodeMetric + TypedMetric>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        metric: &M,
    ) -> fmt::Result {
        metric.encode(self.0.encode_descriptor(name, help, unit, M::TYPE)?)
    }

    /// A metric of one series for each set of labels.
    fn family<'l, M: EncodeMetric + TypedMetric, const LABELS: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        series: impl IntoIterator<Item = ([(&'l str, &'l str); LABELS], M)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, unit, M::TYPE)?;
        series.into_iter().try_for_each(|(labels, metric)| metric.encode(encoder.encode_family(&labels)?))
    }

    fn count<'l, const LABELS: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = ([(&'l str, &'l str); LABELS], u64)>,
    ) -> fmt::Result {
        let counted = series.into_iter().map(|(labels, count)| (labels, ConstCounter::new(count)));
        self.family(name, help, None, counted)
    }

    fn gauge(&mut self, name: &str, help: &str, value: usize) -> fmt::Result {
        self.one(name, help, None, &ConstGauge::new(wide(value)))
    }
}

fn nodes(page: &mut Page<'_>, directory: &Directory) -> fmt::Result {
    let nodes = directory.nodes();
    let runs = nodes.iter().flat_map(|live| {
        live.meter.runs().map(|(outcome, blame, runs)| {
            let blame = blame.map_or("", model::Blame::name);
            let labels = [
                ("tenant", live.tenant.as_str()),
                ("node", live.node.as_str()),
                ("outcome", outcome),
                ("blame", blame),
            ];
            (labels, runs)
        })
    });
    page.count("runs", "Runs that are over, and events that were turned away", runs)?;
    let calls = nodes.iter().flat_map(|live| {
        live.meter.calls().map(|(result, calls)| {
            ([("tenant", live.tenant.as_str()), ("node", live.node.as_str()), ("result", result)], calls)
        })
    });
    page.count("http_calls", "Requests that handlers made over HTTP", calls)?;
    let kv_calls = nodes.iter().filter_map(|live| {
        Some(([("tenant", live.tenant.as_str()), ("node", live.node.as_str())], live.meter.kv_calls()?))
    });
    page.count("kv_calls", "Operations of the key-value store that handlers made", kv_calls)?;
    let conditions = [Condition::Live, Condition::Outdated, Condition::Unavailable].map(|condition| {
        let count = nodes.iter().filter(|live| live.condition() == condition).count();
        ([("condition", condition.name())], ConstGauge::new(wide(count)))
    });
    page.family("nodes", "Configured nodes by how they stand", None, conditions)
}

fn tenants(page: &mut Page<'_>, directory: &Directory) -> fmt::Result {
    let tenants = directory.tenants();
    let seconds = Some(&Unit::Seconds);
    let times = |time: fn(&Times) -> &super::Histogram| {
        tenants.iter().map(move |(id, tenant)| ([("tenant", id.as_str())], time(&tenant.times).clone()))
    };
    page.family("run_duration", "Wall time of runs that began", seconds, times(|times| &times.wall))?;
    page.family("run_cpu", "CPU time of runs that began", seconds, times(|times| &times.cpu))?;
    page.family(
        "queue_wait",
        "Time that events stood in the queue before they ran",
        seconds,
        times(|times| &times.queue),
    )?;
    let taken = tenants
        .iter()
        .map(|(id, tenant)| ([("tenant", id.as_str())], ConstGauge::new(u64::from(tenant.share.taken()))));
    page.family("tenant_runs", "Runs under way and events that wait", None, taken)
}

fn places(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let under_way = ConstGauge::new(state.sandbox.running());
    page.one("runs_under_way", "Runs from their first instruction to their last page", None, &under_way)?;
    page.gauge("permits_free", "Runs that could begin at once", state.gate.free())?;
    page.gauge("queue_length", "Events that wait for a run", state.gate.waiting())?;
    page.gauge("slow_lane_free", "Turns that no long run has", state.sandbox.free_turns())
}

fn code(page: &mut Page<'_>, state: &State) -> fmt::Result {
    page.gauge("artifacts_loaded", "Artifacts whose code is mapped", state.sandbox.loaded())?;
    page.one("artifact_loads", "Times that code was mapped", None, &ConstCounter::new(state.sandbox.loads()))?;
    let compiling = state.sandbox.compilations();
    page.gauge("compilations_waiting", "Artifacts that wait for the compiler", compiling.waiting)?;
    page.gauge("compilations_under_way", "Artifacts that are being compiled", compiling.under_way)?;
    let results = [("compiled", compiling.compiled), ("refused", compiling.refused), ("failed", compiling.failed)];
    page.count("compilations", "Compilations that are over", results.map(|(name, count)| ([("result", name)], count)))?;
    let spent = ConstCounter::new(compiling.time.as_secs_f64());
    page.one("compilation", "Time that they took", Some(&Unit::Seconds), &spent)
}

fn records(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let recorder = state.recorder.standing();
    page.gauge("records_waiting", "Run records that are not written yet", recorder.waiting)?;
    let bytes = ConstGauge::new(recorder.waiting_bytes);
    page.one("records_waiting", "Memory that they take, and those that are being written", Some(&Unit::Bytes), &bytes)?;
    let counts = [
        ("records_written", "Run records that were written", recorder.written),
        ("records_dropped", "Run records for which there was no room", recorder.dropped),
        ("record_write_failures", "Attempts to write run records that failed", recorder.failures),
    ];
    counts.into_iter().try_for_each(|(name, help, count)| page.one(name, help, None, &ConstCounter::new(count)))
}

fn deliveries(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let counts = [
        ("repeated_deliveries", "Events that got the answer of an earlier one", state.deliveries.repeated()),
        (
            "unguarded_deliveries",
            "Events that ran although storage did not say whether they had before",
            state.deliveries.unguarded(),
        ),
        (
            "unkept_deliveries",
            "Events whose answer did not get to storage, so that they run again when they are repeated",
            state.deliveries.unkept(),
        ),
    ];
    counts.into_iter().try_for_each(|(name, help, count)| page.one(name, help, None, &ConstCounter::new(count)))
}

fn traces(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let dropped = ConstCounter::new(state.traces.dropped());
    page.one("dropped_spans", "Spans that did not get to the collector", None, &dropped)
}

fn storage(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let times = state.stored.storage.times();
    let kinds = [("read", &times.reads), ("change", &times.changes), ("object", &times.objects)];
    let times = kinds.map(|(kind, times)| ([("kind", kind)], times.clone()));
    page.family("storage_duration", "What storage took, failures included", Some(&Unit::Seconds), times)
}

fn doors(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let refused = state.refusals.all().map(|(reason, count)| ([("reason", reason)], count));
    page.count("refused_requests", "Messages that the front door did not take", refused)?;
    let doors = [("front_door", &state.doors.front_door), ("management", &state.doors.management)];
    let open = doors.map(|(name, seats)| ([("listener", name)], ConstGauge::new(wide(seats.open()))));
    page.family("connections", "Connections that are open", None, open)?;
    let refused = doors.map(|(name, seats)| ([("listener", name)], seats.refused()));
    page.count("refused_connections", "Connections that were closed at once, because all were taken", refused)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Hostile;

    impl Collector for Hostile {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let name = "a\"} 1\ncodenode_forged_total{tenant=\"b\\";
            Page(encoder).count("runs", "Runs", [([("tenant", name)], 7)])
        }
    }

    /// An id is letters and digits; this is for the day when one is not.
    #[test]
    fn no_name_can_forge_a_line() {
        let mut registry = Registry::with_prefix("codenode");
        registry.register_collector(Box::new(Hostile));
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, [r#"codenode_runs_total{tenant="a\"} 1\ncodenode_forged_total{tenant=\"b\\"} 7"#]);
    }

    #[test]
    fn an_id_is_no_place_for_a_forgery() {
        for text in ["a\"", "a\n", "a}", "a{", "a\\", "a b", "a=", "a,"] {
            assert!(text.parse::<model::TenantId>().is_err() && text.parse::<model::NodeId>().is_err(), "{text:?}");
        }
    }
}
