//! What a run under way takes: 64 of them at once, all computing, against none.

use std::time::Duration;

use anyhow::Context as _;

use crate::codenode::Setup;
use crate::contestant::CODENODE;
use crate::figures::Figures;
use crate::load::{self, Pace, Phases, Traffic};
use crate::process::Cores;

use super::Stage;

const RUNS: usize = 64;
const LOOP: &str =
    r#"{"node":"NAUGHTY","event":"API_INTEGRATION","user":{},"entities":{"misbehave":[{"entity_value":"loop"}]}}"#;

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let naughty = stage.files.guest("naughty");
    let setup = Setup::new("memory").node("NAUGHTY", &naughty, "limits = { wall_time = \"3s\" }");
    for _ in 0..stage.rounds {
        let process = setup.start(stage.files, Cores::Both)?;
        let before = process.holdings()?;
        let traffic = [Traffic::signed("NAUGHTY", LOOP.as_bytes(), RUNS, 504, "out_of")];
        let phases = Phases { warm_up: Duration::ZERO, measured: Duration::from_secs(2) };
        let during = std::thread::scope(|scope| {
            let load = scope.spawn(|| load::run(process.address, &traffic, Pace::Closed, phases).map(drop));
            std::thread::sleep(phases.measured / 2);
            let during = process.holdings();
            load.join().ok().context("the load generator panicked")??;
            during
        })?;
        let grown = during.anonymous.saturating_sub(before.anonymous) as f64 / RUNS as f64 / 1024.0;
        figures.add("64 runs under way", CODENODE, "anonymous KiB/run", grown);
        figures.add("64 runs under way", CODENODE, "idle process MiB", before.anonymous as f64 / 1024.0 / 1024.0);
        println!("    {grown:.0} KiB for each run, {} KiB when idle", before.anonymous >> 10);
        process.stop()?;
    }
    Ok(())
}
