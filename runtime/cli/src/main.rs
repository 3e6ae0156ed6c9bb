//! The `codenode` command: every subcommand is one file, and says in its error what to do next.

mod build;
mod compile_artifact;
mod config;
mod connection;
mod delivery;
mod deploy;
mod dev;
mod embedded;
mod event;
mod given;
mod inspect;
mod junit;
mod key;
mod keys;
mod kv;
mod local;
mod login;
mod logs;
mod message;
mod new;
mod node;
mod output;
mod project;
mod promote;
mod prune;
mod remote;
mod revisions;
mod rollback;
mod run;
mod runs;
mod secret;
mod send;
mod serve;
mod sign;
mod status;
mod tenant;
mod test;
mod try_out;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the code inside a chatbot's nodes.
#[derive(Parser)]
#[command(name = "codenode", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Codenode {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a project: a handler, its settings, events and the replies that they shall have
    New(new::New),
    /// Make the artifact of a project, and say what is wrong with it where it cannot be made
    Build(build::Build),
    /// Run a project on each of its events, and compare the replies with those that it shall give
    Test(test::Test),
    /// Build and run a project at every change, and serve it on this machine
    Dev(dev::Dev),
    /// Run an artifact, or a project, on one event, under production limits, without a server
    Run(run::Run),
    /// Tell what an artifact is and whether codenode would run it
    Inspect(inspect::Inspect),
    /// Start a server: the webhooks of its nodes, and the side that the commands below ask
    Serve(serve::Serve),
    /// Change the master key that a server's stored secrets are sealed with
    Keys(keys::Keys),
    /// Sign an event as a bot platform does, and print the headers
    Sign(sign::Sign),
    /// Send a signed event to a webhook, and show the answer
    Send(send::Send),
    /// Keep a server's URL, a key for it and perhaps a tenant, for the commands below
    Login(login::Login),
    /// Upload an artifact, make a revision of it, test it, and let it serve
    Deploy(Box<deploy::Deploy>),
    /// Let a revision serve
    Promote(promote::Promote),
    /// Let the revision serve that did before
    Rollback(rollback::Rollback),
    /// List a node's revisions
    Revisions(revisions::Revisions),
    /// Delete a node's old revisions, and the artifacts that nothing runs any more
    Prune(prune::Prune),
    /// Run a node's revision on one event, apart from the live traffic
    Try(try_out::Try),
    /// List the newest runs, or show one
    Runs(runs::Runs),
    /// Show what a node's newest runs logged
    Logs(logs::Logs),
    /// Show whether a server is ready, and what serves there
    Status(status::Status),
    /// List, make, show and delete nodes
    Node(node::Node),
    /// Set, list and delete the secrets that a node's events are signed with
    Secret(secret::Secret),
    /// Set, try, list and delete credentials for services that handlers never see
    Connection(connection::Connection),
    /// List, set and delete what handlers read of their configuration, and secrets that they are granted
    Config(config::Config),
    /// List, read, set and delete what handlers keep in the key-value store
    Kv(kv::Kv),
    /// List, read, write, restore, import and export the messages that handlers say
    Message(message::Message),
    /// List, make and delete keys of the server's API
    Key(key::Key),
    /// List, make, limit and delete tenants
    Tenant(tenant::Tenant),
    /// The compile child; started by codenode itself
    #[command(name = sandbox::compile::SUBCOMMAND, hide = true)]
    CompileArtifact(compile_artifact::CompileArtifact),
}

const AFTER_HELP: &str = "\
The commands from `login` on ask a server: that of the login, or the one, the key and the tenant that CODENODE_SERVER, CODENODE_KEY and \
CODENODE_TENANT name, or --server and --tenant.

Exit codes: 0 done, 1 a bot break, a refused artifact or a server that is not ready, 2 anything else that went wrong.";

/// The command could not do what was asked; what went wrong elsewhere is 1, and a reply is 0.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let done = match Codenode::parse().command {
        Command::New(new) => new.run(),
        Command::Build(build) => build.run(),
        Command::Test(test) => test.run(),
        Command::Dev(dev) => dev.run(),
        Command::Run(run) => run.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Serve(serve) => serve.run(),
        Command::Keys(keys) => keys.run(),
        Command::Sign(sign) => sign.run(),
        Command::Send(send) => send.run(),
        Command::Login(login) => login.run(),
        Command::Deploy(deploy) => deploy.run(),
        Command::Promote(promote) => promote.run(),
        Command::Rollback(rollback) => rollback.run(),
        Command::Revisions(revisions) => revisions.run(),
        Command::Prune(prune) => prune.run(),
        Command::Try(one) => one.run(),
        Command::Runs(runs) => runs.run(),
        Command::Logs(logs) => logs.run(),
        Command::Status(status) => status.run(),
        Command::Node(node) => node.run(),
        Command::Secret(secret) => secret.run(),
        Command::Connection(connection) => connection.run(),
        Command::Config(config) => config.run(),
        Command::Kv(kv) => kv.run(),
        Command::Message(message) => message.run(),
        Command::Key(key) => key.run(),
        Command::Tenant(tenant) => tenant.run(),
        Command::CompileArtifact(compile) => Ok(compile.run()),
    };
    done.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error:#}");
        let is_refusal = error.downcast_ref::<remote::Problem>().is_some_and(remote::Problem::is_refusal);
        if is_refusal || error.is::<project::Refused>() { ExitCode::FAILURE } else { ExitCode::from(USAGE) }
    })
}

/// Whoever read our output has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
