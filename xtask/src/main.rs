//! What a newcomer types: `cargo xtask test`, `cargo xtask demo`, `cargo xtask bench`.
//!
//! It only calls other programs. What it tests or shows lives in the other rooms, and nothing depends on it.

mod bench;
mod commands;
mod demo;
mod guests;
mod http;
mod install;
mod interpreters;
mod kept;
mod leash;
mod program;
mod runners;
mod sdks;
mod services;
mod steps;
mod targets;
mod test;
mod third_party;
mod toolchains;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// The chores of this repository
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up what is missing, build the guests, check and test everything
    Test,
    /// Set up what is missing and install codenode, with what runs handlers that are kept as source
    Install(install::Install),
    /// Set up what is missing and build the guests that the tests run
    Guests,
    /// Set up what is missing and build what runs handlers that are kept as source
    Runners,
    /// Set up what is missing, test the SDKs for Python and JavaScript and build what is written with them
    Sdks,
    /// Start what the storage tests talk to, tell where it is, and keep it until Ctrl-C
    Services,
    /// Build the example nodes, serve them, send them signed events and show what comes back
    Demo(demo::Demo),
    /// Measure codenode against every other way to do its job, in one run
    Bench(bench::Bench),
    /// Run a program that ends when this one does
    #[command(name = leash::SUBCOMMAND, hide = true)]
    Leash(leash::Leash),
    /// Remove a folder when nobody needs it any more
    #[command(name = services::Sweep::SUBCOMMAND, hide = true)]
    Sweep(services::Sweep),
}

fn main() -> ExitCode {
    let done = match Xtask::parse().command {
        Command::Leash(leash) => leash.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Install(install) => install.run(),
        Command::Test => at_the_root().and_then(|()| test::run()),
        Command::Guests => at_the_root().and_then(|()| guests::run()),
        Command::Runners => at_the_root().and_then(|()| runners::run()),
        Command::Sdks => at_the_root().and_then(|()| sdks::run()),
        Command::Services => at_the_root().and_then(|()| services::run()),
        Command::Bench(bench) => at_the_root().and_then(|()| bench.run()),
        Command::Demo(demo) => at_the_root().and_then(|()| demo.run()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Every path in this program starts from the root of the repository.
fn at_the_root() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().context("the repository has moved")?;
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))
}
