use std::path::PathBuf;
use std::process::ExitCode;

use server::{Config, Environment, reseal};

/// The master keys of a server's storage; the keys of its API are `codenode key`
#[derive(clap::Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Seal all stored secrets anew with the first of storage.master_keys; the others can be removed then
    Rotate {
        /// The server's configuration file [default: codenode.toml, if there is one]
        #[arg(long, short, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

impl Keys {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Command::Rotate { config } = self.command;
        let config = Config::load(config.as_deref(), &Environment::of_process())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let resealed = runtime.block_on(reseal(&config))?;
        println!("sealed {resealed} secret{} anew", if resealed == 1 { "" } else { "s" });
        Ok(ExitCode::SUCCESS)
    }
}
