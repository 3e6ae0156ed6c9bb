//! Runs the bench on what `cargo xtask bench` has built; that is the command to type.

use std::path::PathBuf;
use std::time::Duration;

use bench::contestant::{self, Files};
use bench::figures::Figures;
use bench::machine::Machine;
use bench::report::Report;
use bench::scenario::{Scenario, Stage};
use clap::{Parser, ValueEnum};

/// Measure codenode against every other way to do its job
#[derive(Parser)]
struct Bench {
    /// What to measure; everything if not said
    #[arg(long = "scenario", value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// Who takes part besides the native handler, by name; everybody if not said
    #[arg(long = "only", value_delimiter = ',')]
    contestants: Vec<String>,
    /// How often everything is measured, interleaved
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long one load is measured, in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How long the soak is, in minutes
    #[arg(long, default_value_t = 10.0)]
    soak_minutes: f64,
    /// How many nodes a dense host has
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    nodes: Vec<usize>,
    /// The program `codenode`
    #[arg(long)]
    codenode: PathBuf,
    /// The native contestant
    #[arg(long)]
    native: PathBuf,
    /// The folder of the guests
    #[arg(long)]
    guests: PathBuf,
    /// The folder of the examples, where sources are
    #[arg(long)]
    examples: PathBuf,
    /// The other contestants, as the set-up wrote them down
    #[arg(long)]
    others: PathBuf,
    /// The folder for results, configurations and logs
    #[arg(long)]
    output: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let bench = Bench::parse();
    let scratch = std::path::absolute(bench.output.join("scratch"))?;
    std::fs::create_dir_all(&scratch)?;
    let absolute = |path: &PathBuf| std::path::absolute(path);
    let files = Files {
        codenode: absolute(&bench.codenode)?,
        native: absolute(&bench.native)?,
        guests: absolute(&bench.guests)?,
        examples: absolute(&bench.examples)?,
        scratch,
    };
    let mut contestants = contestant::all(&files, &bench.others)?;
    let takes_part = |name: &str| {
        name == contestant::NATIVE || bench.contestants.is_empty() || bench.contestants.iter().any(|only| only == name)
    };
    contestants.retain(|contestant| takes_part(&contestant.name));
    let stage = Stage {
        files: &files,
        contestants: &contestants,
        rounds: bench.rounds,
        measured: Duration::from_secs_f64(bench.seconds),
        soak: Duration::from_secs_f64(bench.soak_minutes * 60.0),
        nodes: &bench.nodes,
    };
    let mut report = Report {
        at: jiff::Timestamp::now(),
        machine: Machine::here(),
        contestants: contestants
            .iter()
            .map(|one| (one.name.clone(), one.label.clone()))
            .chain([(contestant::CODENODE_STORED.into(), "codenode, the same node deployed over the API".into())])
            .collect(),
        figures: Figures::default(),
    };
    let scenarios = if bench.scenarios.is_empty() { Scenario::value_variants() } else { &bench.scenarios };
    for scenario in scenarios {
        println!("==> {}", scenario.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned()));
        scenario.measure(&stage, &mut report.figures)?;
        // What is measured is kept, whatever happens to the next scenario.
        report.write(&bench.output)?;
    }
    println!("{}", report.text());
    println!("written to {}: results.json, results.md, throughput.svg", bench.output.display());
    Ok(())
}
