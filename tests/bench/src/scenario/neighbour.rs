//! A good node over 16 connections, alone, and then beside 8 events that never end and die of their CPU limit at 100 ms.

use crate::codenode::Setup;
use crate::contestant::{CODENODE, NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Seen, Traffic};
use crate::price::EVENT;
use crate::process::{self, Cores};

use super::Stage;

/// Nobody loops.
pub const QUIET: &str = "16 good connections, nobody loops";
/// Eight loop.
pub const BESIDE_LOOPS: &str = "16 good connections beside 8 endless loops";

const NAUGHTY: &str = "NAUGHTY";
const LOOP: &str =
    r#"{"node":"NAUGHTY","event":"API_INTEGRATION","user":{},"entities":{"misbehave":[{"entity_value":"loop"}]}}"#;

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let setup = Setup::new("neighbour").node(NODE, &stage.files.guest("product-price"), "").node(
        NAUGHTY,
        &stage.files.guest("naughty"),
        "limits = { cpu_time = \"100ms\" }",
    );
    for _ in 0..stage.rounds {
        let process = setup.start(stage.files, Cores::Both)?;
        let good = Traffic::signed(NODE, EVENT.as_bytes(), 16, 200, "The price of the speaker is");
        let bad = Traffic::signed(NAUGHTY, LOOP.as_bytes(), 8, 504, "out_of_cpu");
        let load = |traffics: &[Traffic]| {
            process::on(Cores::Both, || load::run(process.address, traffics, Pace::Closed, stage.phases()))
        };
        record(QUIET, load(std::slice::from_ref(&good))?.first(), figures);
        record(BESIDE_LOOPS, load(&[good, bad])?.first(), figures);
        process.stop()?;
    }
    Ok(())
}

fn record(scenario: &str, seen: Option<&Seen>, figures: &mut Figures) {
    let Some(seen) = seen else { return };
    figures.add(scenario, CODENODE, "req/s", seen.rate());
    figures.add(scenario, CODENODE, "p50 us", seen.percentile(50.0));
    figures.add(scenario, CODENODE, "p99 us", seen.percentile(99.0));
    figures.add(scenario, CODENODE, "p99.9 us", seen.percentile(99.9));
    figures.add(scenario, CODENODE, "max us", seen.latency.max() as f64 / 1e3);
    println!("    {scenario:<44} {:>9.0} req/s  p99 {:>7.0} us", seen.rate(), seen.percentile(99.0));
}
