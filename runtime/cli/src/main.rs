//! The `codenode` command: every subcommand is one file, and says in its error what to do next.

mod compile_artifact;
mod delivery;
mod event;
mod inspect;
mod local;
mod output;
mod run;
mod send;
mod serve;
mod sign;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the code inside a chatbot's nodes.
#[derive(Parser)]
#[command(name = "codenode", version, arg_required_else_help = true)]
struct Codenode {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run an artifact on one event, under production limits, without a server
    Run(run::Run),
    /// Tell what an artifact is and whether codenode would run it
    Inspect(inspect::Inspect),
    /// Serve the webhooks of the tenants and nodes in a configuration file
    Serve(serve::Serve),
    /// Sign an event as a bot platform does, and print the headers
    Sign(sign::Sign),
    /// Send a signed event to a webhook, and show the answer
    Send(send::Send),
    /// The compile child; started by codenode itself
    #[command(name = sandbox::compile::SUBCOMMAND, hide = true)]
    CompileArtifact(compile_artifact::CompileArtifact),
}

/// The command could not do what was asked; a bot break is 1, and a reply is 0.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let done = match Codenode::parse().command {
        Command::Run(run) => run.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Serve(serve) => serve.run(),
        Command::Sign(sign) => sign.run(),
        Command::Send(send) => send.run(),
        Command::CompileArtifact(compile) => Ok(compile.run()),
    };
    done.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error:#}");
        ExitCode::from(USAGE)
    })
}

/// Whoever read our output has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
