//! The bar that we set ourselves, and where we stand.

use super::table::{line, number};
use crate::contestant::{CODENODE, CODENODE_COMMAND, NATIVE};
use crate::figures::{Figure, Figures};
use crate::scenario::{BESIDE_LOOPS, BOTH_CORES, ONE_CORE, QUIET};

/// What is wanted.
struct Bar {
    what: &'static str,
    wanted: Wanted,
    measured: Option<Figure>,
}

enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

pub(super) fn table(figures: &Figures) -> String {
    let mut lines =
        vec![line(["what", "wanted", "measured (range over the rounds)", ""]), "|---|---|---|---|".to_owned()];
    for Bar { what, wanted, measured } in bars(figures) {
        let (bound, is_met): (String, fn(f64, f64) -> bool) = match wanted {
            Wanted::AtLeast(bound) => (format!("at least {bound}"), |value, bound| value >= bound),
            Wanted::AtMost(bound) => (format!("at most {bound}"), |value, bound| value <= bound),
        };
        let (Wanted::AtLeast(limit) | Wanted::AtMost(limit)) = wanted;
        let (value, verdict) = match measured {
            None => ("not measured".to_owned(), ""),
            Some(Figure { median, range: [least, most], .. }) => {
                let verdict = if is_met(median, limit) { "met" } else { "**missed**" };
                (format!("{} ({}-{})", number(median), number(least), number(most)), verdict)
            }
        };
        lines.push(line([what, &bound, &value, verdict]));
    }
    lines.join("\n") + "\n"
}

fn bars(figures: &Figures) -> Vec<Bar> {
    let against = |other| figures.ratio(ONE_CORE, "req/s", CODENODE, other);
    let across = |metric| {
        let (loud, quiet) = (figures.get(BESIDE_LOOPS, CODENODE, metric)?, figures.get(QUIET, CODENODE, metric)?);
        let mut both = Figures::default();
        for (loud, quiet) in loud.rounds.iter().zip(&quiet.rounds) {
            both.add("loops", CODENODE, "ratio", loud / quiet);
        }
        both.get("loops", CODENODE, "ratio").cloned()
    };
    let idle = |metric| figures.get("10000 nodes", CODENODE, metric).cloned();
    let at_least = |what, bound, measured| Bar { what, wanted: Wanted::AtLeast(bound), measured };
    let at_most = |what, bound, measured| Bar { what, wanted: Wanted::AtMost(bound), measured };
    vec![
        at_least("code node against native axum, one core for the server", 0.60, against(NATIVE)),
        at_least("the same, both cores shared", 0.70, figures.ratio(BOTH_CORES, "req/s", CODENODE, NATIVE)),
        at_least("against `wasmtime serve`, fresh instance, its best flags", 5.0, against("wasmtime-serve-tuned")),
        at_least("against workerd", 5.0, against("workerd")),
        at_least("against Node.js, no sandbox", 3.0, against("node")),
        at_least("against Python, no sandbox", 5.0, against("python")),
        at_least("against Extism, fresh plugin", 10.0, against("extism")),
        at_least("command against native axum", 0.50, figures.ratio(ONE_CORE, "req/s", CODENODE_COMMAND, NATIVE)),
        at_most("good neighbour's p99 beside 8 endless loops, against quiet", 2.5, across("p99 us")),
        at_least("good neighbour's throughput beside them", 0.6, across("req/s")),
        at_most("idle node among 10,000, anonymous KiB", 32.0, idle("anonymous KiB/node")),
    ]
}
