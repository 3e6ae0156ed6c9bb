//! From nothing to the first reply: a process that starts, an artifact that was never compiled, a node that was idle.

use std::fs;
use std::time::{Duration, Instant};

use crate::codenode::Setup;
use crate::contestant::{CODENODE, NODE};
use crate::figures::Figures;
use crate::load::{self, Traffic};
use crate::price::EVENT;
use crate::process::{Cores, Process};

use super::Stage;

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    for _ in 0..stage.rounds {
        for contestant in stage.contestants {
            // Once before, so that what it compiles is on disk.
            let process = contestant.start(stage.files, Cores::Both)?;
            first_reply(&process)?;
            process.stop()?;
            let start = Instant::now();
            let process = contestant.start(stage.files, Cores::Both)?;
            first_reply(&process)?;
            record("process start to first reply", &contestant.name, start.elapsed(), figures);
            process.stop()?;
        }
        // A folder of its own, so that nobody else compiles anew.
        let cache = stage.files.scratch.join("cold");
        if cache.exists() {
            fs::remove_dir_all(&cache)?;
        }
        let setup = Setup::new("cold").cache(cache).node(NODE, &stage.files.guest("product-price"), "");
        let start = Instant::now();
        let process = setup.start(stage.files, Cores::Both)?;
        first_reply(&process)?;
        record("never compiled artifact to first reply", CODENODE, start.elapsed(), figures);
        process.stop()?;
        idle(stage, figures)?;
    }
    Ok(())
}

/// Two nodes, and room for the code of one: each call finds the other's loaded.
fn idle(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let setup = Setup::new("idle").sandbox("loaded = 1").node(NODE, &stage.files.guest("product-price"), "").node(
        "OTHER",
        &stage.files.guest("order-status"),
        "",
    );
    let process = setup.start(stage.files, Cores::Both)?;
    for _ in 0..50 {
        one(&process, "OTHER", "")?;
        let start = Instant::now();
        one(&process, NODE, "The price of the speaker is")?;
        record("first call of an idle node, mapped from disk", CODENODE, start.elapsed(), figures);
    }
    process.stop()
}

fn first_reply(process: &Process) -> anyhow::Result<()> {
    one(process, NODE, "The price of the speaker is")
}

/// One event over a fresh connection.
fn one(process: &Process, node: &str, holds: &str) -> anyhow::Result<()> {
    let traffic = Traffic::signed(node, EVENT.as_bytes(), 1, 200, holds);
    load::once(process.address, &traffic)
}

fn record(scenario: &str, contestant: &str, time: Duration, figures: &mut Figures) {
    figures.add(scenario, contestant, "ms", time.as_secs_f64() * 1e3);
    println!("    {scenario:<44} {contestant:<24} {:>9.2} ms", time.as_secs_f64() * 1e3);
}
