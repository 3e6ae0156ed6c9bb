//! Does a warm event ask the database, and what does its record cost? The same guest behind a node of the configuration file, and behind one that was
//! deployed over the API.

use std::time::Duration;

use anyhow::ensure;

use crate::codenode::Setup;
use crate::contestant::{CODENODE, CODENODE_STORED, NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Traffic};
use crate::price::EVENT;
use crate::process::{self, Cores, Process};

use super::Stage;

const SCENARIO: &str = "a stored node, one core for the server, 32 connections";
const GUEST: &str = "product-price";
const CONNECTIONS: usize = 32;
/// The threads that answer events; the others keep what ran.
const FRONT_DOOR: &str = "front-door-";

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let guest = stage.files.guest(GUEST);
    for _ in 0..stage.rounds {
        let configured = Setup::new("configured").node(NODE, &guest, "").start(stage.files, Cores::First)?;
        one(stage, CODENODE, &configured, figures)?;
        configured.stop()?;
        let (stored, management) =
            Setup::new("stored").start_and_deploy(NODE, &guest, &[], stage.files, Cores::First)?;
        let before = management.database_reads()?;
        let events = one(stage, CODENODE_STORED, &stored, figures)?;
        let reads = management.database_reads()? - before;
        // It looks for changes by itself, twice a second.
        ensure!(reads < events / 100.0, "{reads} reads of the database for {events} events");
        figures.add(SCENARIO, CODENODE_STORED, "reads/event", reads / events);
        stored.stop()?;
    }
    if let Some(ratio) = figures.ratio(SCENARIO, "req/s", CODENODE_STORED, CODENODE) {
        let [least, most] = ratio.range;
        println!("    stored against configured: {:.3} ({least:.3}-{most:.3})", ratio.median);
    }
    Ok(())
}

/// How many events were answered.
fn one(stage: &Stage<'_>, name: &str, process: &Process, figures: &mut Figures) -> anyhow::Result<f64> {
    let traffic = Traffic::signed(NODE, EVENT.as_bytes(), CONNECTIONS, 200, "The price of the speaker is");
    let load = |phases| {
        let traffic = std::slice::from_ref(&traffic);
        process::on(Cores::Second, || load::run(process.address, traffic, Pace::Closed, phases))
    };
    load(stage.phases().only_warm_up())?;
    let before = (process.cpu_time()?, process.cpu_time_beside(FRONT_DOOR)?);
    let seen = load(stage.phases().only_measured())?;
    let cpu_time = process.cpu_time()?.saturating_sub(before.0);
    let storing = process.cpu_time_beside(FRONT_DOOR)?.saturating_sub(before.1);
    let mut events = 0.0;
    for seen in &seen {
        events += seen.latency.len() as f64;
        figures.add(SCENARIO, name, "req/s", seen.rate());
        let each = |time: Duration| time.as_secs_f64() * 1e6 / seen.latency.len() as f64;
        figures.add(SCENARIO, name, "CPU us/req", each(cpu_time));
        figures.add(SCENARIO, name, "of it for the record", each(storing));
        figures.add(SCENARIO, name, "p50 us", seen.percentile(50.0));
        figures.add(SCENARIO, name, "p99 us", seen.percentile(99.0));
        println!("    {name:<24} {:>9.0} req/s", seen.rate());
    }
    Ok(events)
}
