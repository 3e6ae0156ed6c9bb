//! Latency at a fixed rate, each request counted from the instant at which it was due.

use crate::contestant::{CODENODE, NATIVE, NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Traffic};
use crate::price::EVENT;
use crate::process::{self, Cores};

use super::Stage;

const SHARES: [(&str, f64); 2] = [("open loop, 50 % of its own peak", 0.5), ("open loop, 80 % of its own peak", 0.8)];
const CONNECTIONS: usize = 64;

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    for _ in 0..stage.rounds {
        for contestant in stage.only(&[NATIVE, CODENODE]) {
            let process = contestant.start(stage.files, Cores::First)?;
            let traffic = [Traffic::signed(NODE, EVENT.as_bytes(), CONNECTIONS, 200, "The price of the speaker is")];
            let load = |pace| process::on(Cores::Second, || load::run(process.address, &traffic, pace, stage.phases()));
            let peak: f64 = load(Pace::Closed)?.iter().map(load::Seen::rate).sum();
            for (scenario, share) in SHARES {
                for seen in load(Pace::Open { rate: peak * share })? {
                    let name = contestant.name.as_str();
                    figures.add(scenario, name, "req/s", seen.rate());
                    figures.add(scenario, name, "p50 us", seen.percentile(50.0));
                    figures.add(scenario, name, "p99 us", seen.percentile(99.0));
                    figures.add(scenario, name, "p99.9 us", seen.percentile(99.9));
                    println!("    {name:<24} {:>9.0} req/s  p99 {:>7.0} us", seen.rate(), seen.percentile(99.0));
                }
            }
            process.stop()?;
        }
    }
    Ok(())
}
