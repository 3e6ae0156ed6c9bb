use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use server::{Environment, Options};

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// The configuration file [default: codenode.toml, if there is one]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        // The control side only: management, compiling, reloads. The front door brings its own threads.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(server::serve(Options {
            config_file: self.config,
            environment: Environment::of_process(),
            compiler: std::env::current_exe().context("cannot find the path of this program")?,
        }))?;
        Ok(ExitCode::SUCCESS)
    }
}
