//! Guests that mean harm, driven at the sandbox itself: each has its verdict, and none leaves a trace.

mod cancelling;
mod canonical_abi;
mod compiling;
mod composed;
mod fairness;
pub(crate) mod generated;
mod isolation;
mod loading;
mod output;
mod resources;
mod runners;
mod smith;
mod uploads;

use std::time::Duration;

use model::Limits;

use crate::support::{House, Oracle, guest};

/// Production's limits, but short: a guest that shall run into one is not waited for.
const SHORT: Limits =
    Limits { wall_time: Duration::from_millis(500), cpu_time: Duration::from_millis(100), ..Limits::DEFAULT };

/// Short in wall time only.
const IMPATIENT: Limits = Limits { wall_time: Duration::from_millis(200), ..Limits::DEFAULT };

/// One verdict a line, the oracle asked after each.
fn verdicts(cases: &[(&str, Limits)]) -> String {
    let house = House::open();
    let oracle = Oracle::look_around(&house);
    let lines: Vec<String> =
        cases.iter().map(|(name, limits)| oracle.verdict(name, &guest::named(name), limits)).collect();
    lines.join("\n")
}

/// The same for guests that are made on the spot, under short limits.
fn verdicts_on(cases: &[(&str, Vec<u8>)]) -> String {
    let house = House::open();
    let oracle = Oracle::look_around(&house);
    let lines: Vec<String> = cases.iter().map(|(name, artifact)| oracle.verdict(name, artifact, &SHORT)).collect();
    lines.join("\n")
}
