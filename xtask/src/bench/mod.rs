//! `cargo xtask bench`: builds what an operator would run, installs everybody else who does the job, and measures them in one run.

mod contestants;
mod tools;

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::program::Program;
use crate::steps::Steps;
use crate::{guests, runners, targets};

const FOLDER: &str = "target/bench";

#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Measure the parts of a run within one process too, with criterion
    #[arg(long)]
    in_process: bool,
    /// For the bench itself: `--scenario`, `--only`, `--rounds` … (see `cargo xtask bench -- --help`)
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut steps = Steps::default();
        fs::create_dir_all(FOLDER).with_context(|| format!("cannot make {FOLDER}"))?;
        steps.step("targets", targets::ensure)?;
        steps.step("guests", || guests::examples(&[targets::LEAN, targets::PREVIEW_1, targets::PREVIEW_2]))?;
        runners::set_up(&mut steps)?;
        runners::build(&mut steps)?;
        steps.step("codenode and the bench, as released", || {
            Program::cargo().args(["build", "--release", "-p", "codenode-cli", "-p", "codenode-bench", "--bins"]).run()
        })?;
        let others = Path::new(FOLDER).join("contestants.json");
        steps.step("the others", || {
            let list = serde_json::to_string_pretty(&contestants::prepare()?)?;
            fs::write(&others, list).with_context(|| format!("cannot write {}", others.display()))
        })?;
        let built = guests::target_directory()?.join("release");
        steps.step("measure", || {
            Program::new(built.join("codenode-bench"))
                .arg("--codenode")
                .arg(built.join("codenode"))
                .arg("--native")
                .arg(built.join("native-contestant"))
                .args(["--guests", guests::FOLDER, "--examples", "examples", "--output", FOLDER, "--others"])
                .arg(&others)
                .args(&self.arguments)
                .run()
        })?;
        if self.in_process {
            steps.step("in process", || {
                Program::cargo()
                    .args(["bench", "-p", "codenode-cli", "-p", "codenode-bench", "--bench", "in_process"])
                    .run()
            })?;
        }
        Ok(())
    }
}
