//! What do a request and a look into the store cost through the sandbox, against the same work done natively?

use std::net::SocketAddr;
use std::process::Command;

use crate::codenode::Setup;
use crate::contestant::{CODENODE, NATIVE, REACH_NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Traffic};
use crate::price::SECRET;
use crate::process::{self, Cores, Process, free_port};
use crate::reach;

use super::Stage;

const SCENARIO: &str = "one GET and one entry looked up, one core for the server, 32 connections";
const GUEST: &str = "reaching";
const CONNECTIONS: usize = 32;

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    // The shop shares the generator's core, for either contestant.
    let shop = process::on(Cores::Second, reach::open_shop)?;
    for round in 0..stage.rounds {
        // Who goes first takes turns, because the second one often has the quieter machine.
        let native_first = round.is_multiple_of(2);
        if native_first {
            one(stage, NATIVE, native(stage)?, shop, figures)?;
        }
        one(stage, CODENODE, codenode(stage, shop)?, shop, figures)?;
        if !native_first {
            one(stage, NATIVE, native(stage)?, shop, figures)?;
        }
    }
    if let Some(ratio) = figures.ratio(SCENARIO, "req/s", CODENODE, NATIVE) {
        let [least, most] = ratio.range;
        println!("    codenode against native: {:.3} ({least:.3}-{most:.3})", ratio.median);
    }
    Ok(())
}

fn native(stage: &Stage<'_>) -> anyhow::Result<Process> {
    let port = free_port()?;
    let mut command = Command::new(&stage.files.native);
    let store = stage.files.scratch.join("native-store.db");
    command.env("PORT", port.to_string()).env("SECRET", SECRET).env("STORE", store);
    Process::start(command, port, Cores::First, &stage.files.scratch.join("native-reach.log"))
}

fn codenode(stage: &Stage<'_>, shop: SocketAddr) -> anyhow::Result<Process> {
    let (http, guest) = (format!("http:http://{shop} GET"), stage.files.guest(GUEST));
    let (process, management) = Setup::new("reach")
        .tenant(&format!("private_networks = [\"{}/32\"]", shop.ip()))
        .start_and_deploy(REACH_NODE, &guest, &[&http, "kv:node"], stage.files, Cores::First)?;
    management.codenode(stage.files, &["kv", "set", reach::KEY, "--node", REACH_NODE], reach::CURRENCY)?;
    Ok(process)
}

fn one(stage: &Stage<'_>, name: &str, process: Process, shop: SocketAddr, figures: &mut Figures) -> anyhow::Result<()> {
    let event = reach::event(shop);
    let traffic = Traffic::signed(REACH_NODE, event.as_bytes(), CONNECTIONS, 200, "The price of the speaker is ₹1500.");
    let load = |phases| {
        let traffic = std::slice::from_ref(&traffic);
        process::on(Cores::Second, || load::run(process.address, traffic, Pace::Closed, phases))
    };
    load(stage.phases().only_warm_up())?;
    let before = process.cpu_time()?;
    let seen = load(stage.phases().only_measured())?;
    let cpu_time = process.cpu_time()?.saturating_sub(before);
    for seen in &seen {
        figures.add(SCENARIO, name, "req/s", seen.rate());
        figures.add(SCENARIO, name, "CPU us/req", cpu_time.as_secs_f64() * 1e6 / seen.latency.len() as f64);
        figures.add(SCENARIO, name, "p50 us", seen.percentile(50.0));
        figures.add(SCENARIO, name, "p99 us", seen.percentile(99.0));
        figures.add(SCENARIO, name, "failures", seen.failures as f64);
        println!("    {name:<24} {:>9.0} req/s", seen.rate());
    }
    process.stop()
}
