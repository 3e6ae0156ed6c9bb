//! One scenario as a table: a line for each contestant, a column for each metric.

use std::fmt::Write as _;

use super::Report;
use crate::contestant::NATIVE;

/// The metric whose ratio to the native contestant is the point.
const RATE: &str = "req/s";

pub(super) fn of(scenario: &str, report: &Report) -> String {
    let mut metrics: Vec<&str> = Vec::new();
    for figure in report.figures.of(scenario) {
        if !metrics.contains(&figure.metric) {
            metrics.push(figure.metric);
        }
    }
    let compares = metrics.contains(&RATE) && report.figures.get(scenario, NATIVE, RATE).is_some();
    let mut lines =
        vec![line(["who"].into_iter().chain(metrics.iter().copied()).chain(compares.then_some("against native")))];
    lines.push(format!("|---|{}", "---:|".repeat(metrics.len() + usize::from(compares))));
    for (name, label) in &report.contestants {
        let figures: Vec<_> = metrics.iter().map(|metric| report.figures.get(scenario, name, metric)).collect();
        if figures.iter().all(Option::is_none) {
            continue;
        }
        let values =
            figures.into_iter().map(|figure| figure.map_or_else(|| "-".into(), |figure| number(figure.median)));
        let ratio = compares.then(|| report.figures.ratio(scenario, RATE, name, NATIVE)).map(|ratio| {
            ratio.map_or_else(
                || "-".into(),
                |ratio| {
                    let [least, most] = ratio.range;
                    format!("**{:.3}** ({least:.3}-{most:.3})", ratio.median)
                },
            )
        });
        lines.push(line([label.clone()].into_iter().chain(values).chain(ratio)));
    }
    lines.join("\n")
}

pub(super) fn line<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    cells.into_iter().fold("|".to_owned(), |mut line, cell| {
        let _ = write!(line, " {} |", cell.as_ref());
        line
    })
}

/// Three digits that matter.
pub(super) fn number(value: f64) -> String {
    let digits = if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}
