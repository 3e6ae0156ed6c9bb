//! The same load for minutes: what the server holds at the end against what it held after the first tenth.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::contestant::{CODENODE, NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Phases, Traffic};
use crate::price::EVENT;
use crate::process::{self, Cores};

use super::Stage;

const SCENARIO: &str = "soak, 32 connections";

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    for contestant in stage.only(&[CODENODE]) {
        let process = contestant.start(stage.files, Cores::First)?;
        let traffic = [Traffic::signed(NODE, EVENT.as_bytes(), 32, 200, "The price of the speaker is")];
        let phases = Phases { warm_up: Duration::ZERO, measured: stage.soak };
        let start = Instant::now();
        let (seen, early, late) = std::thread::scope(|scope| {
            let load = scope
                .spawn(|| process::on(Cores::Second, || load::run(process.address, &traffic, Pace::Closed, phases)));
            std::thread::sleep(stage.soak / 10);
            let early = process.holdings()?;
            std::thread::sleep((stage.soak * 95 / 100).saturating_sub(start.elapsed()));
            let late = process.holdings()?;
            let seen = load.join().ok().context("the load generator panicked")??;
            anyhow::Ok((seen, early, late))
        })?;
        for seen in &seen {
            figures.add(SCENARIO, CODENODE, "minutes", seen.elapsed.as_secs_f64() / 60.0);
            figures.add(SCENARIO, CODENODE, "million requests", seen.latency.len() as f64 / 1e6);
            figures.add(SCENARIO, CODENODE, "failures", seen.failures as f64);
            figures.add(SCENARIO, CODENODE, "p99.9 us", seen.percentile(99.9));
            figures.add(SCENARIO, CODENODE, "max us", seen.latency.max() as f64 / 1e3);
        }
        let mebibytes = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
        figures.add(SCENARIO, CODENODE, "anonymous MiB after a tenth", mebibytes(early.anonymous));
        figures.add(SCENARIO, CODENODE, "anonymous MiB at the end", mebibytes(late.anonymous));
        figures.add(
            SCENARIO,
            CODENODE,
            "more descriptors at the end",
            late.descriptors as f64 - early.descriptors as f64,
        );
        println!("    {} KiB after a tenth, {} KiB at the end", early.anonymous >> 10, late.anonymous >> 10);
        process.stop()?;
    }
    Ok(())
}
