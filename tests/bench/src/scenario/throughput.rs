//! Requests per second and latency: the server on one core and the generator on the other, then both on both.

use crate::contestant::{Contestant, NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Traffic};
use crate::price::EVENT;
use crate::process::{self, Cores};

use super::Stage;

/// The server has a core of its own.
pub const ONE_CORE: &str = "one core for the server, 32 connections";
/// Server and generator share two cores.
pub const BOTH_CORES: &str = "both cores shared, 32 connections";

const LOADS: [(&str, Cores, Cores, usize); 4] = [
    (ONE_CORE, Cores::First, Cores::Second, 32),
    ("one core for the server, 1 connection", Cores::First, Cores::Second, 1),
    ("one core for the server, 256 connections", Cores::First, Cores::Second, 256),
    (BOTH_CORES, Cores::Both, Cores::Both, 32),
];

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    for round in 1..=stage.rounds {
        for load in LOADS {
            println!("  round {round}: {}", load.0);
            for contestant in stage.contestants {
                one(stage, contestant, load, figures)?;
            }
        }
    }
    Ok(())
}

fn one(
    stage: &Stage<'_>,
    contestant: &Contestant,
    (scenario, server, generator, connections): (&str, Cores, Cores, usize),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let process = contestant.start(stage.files, server)?;
    let traffic = Traffic::signed(NODE, EVENT.as_bytes(), connections, 200, "The price of the speaker is");
    let phases = stage.phases();
    // It listens before its code is ready; no load may begin until it is.
    load::once(process.address, &traffic)?;
    // Warm up first, so that the CPU time is that of measured requests only.
    process::on(generator, || {
        load::run(process.address, std::slice::from_ref(&traffic), Pace::Closed, phases.only_warm_up())
    })?;
    let before = process.cpu_time()?;
    let seen = process::on(generator, || load::run(process.address, &[traffic], Pace::Closed, phases.only_measured()))?;
    let cpu_time = process.cpu_time()?.saturating_sub(before);
    for seen in &seen {
        let name = contestant.name.as_str();
        figures.add(scenario, name, "req/s", seen.rate());
        figures.add(scenario, name, "CPU us/req", cpu_time.as_secs_f64() * 1e6 / seen.latency.len() as f64);
        figures.add(scenario, name, "p50 us", seen.percentile(50.0));
        figures.add(scenario, name, "p99 us", seen.percentile(99.0));
        figures.add(scenario, name, "p99.9 us", seen.percentile(99.9));
        figures.add(scenario, name, "failures", seen.failures as f64);
        println!("    {name:<24} {:>9.0} req/s  p99 {:>7.0} us", seen.rate(), seen.percentile(99.0));
    }
    process.stop()
}
