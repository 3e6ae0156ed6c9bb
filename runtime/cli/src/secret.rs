use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use model::NodeId;
use serde::Deserialize;
use serde_json::json;

use crate::remote::{self, Client, OfTenant, Problem, Table, confirm, id, moment};

#[derive(clap::Args)]
pub(crate) struct Secret {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Give a node a secret, from standard input or typed unseen
    Set {
        node: NodeId,
        /// How long the secret that it has already is still good, such as `24h`; needed if it has one
        #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
        retire_older_in: Option<Duration>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// List a node's secrets by their ids
    List {
        node: NodeId,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Delete a secret: events that are signed with it are refused from now on
    Delete {
        node: NodeId,
        #[arg(value_parser = id)]
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        of: OfTenant,
    },
}

#[derive(Deserialize)]
struct Listed {
    secrets: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    id: String,
    created_at: Timestamp,
    created_by: String,
    retires_at: Option<Timestamp>,
}

impl Secret {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Set { node, retire_older_in, of } => set(&node, retire_older_in, &of.client()?),
            Command::List { node, of } => list(&node, &of.client()?),
            Command::Delete { node, id, yes, of } => delete(&node, &id, yes, &of.client()?),
        }
    }
}

fn set(node: &NodeId, retire_older_in: Option<Duration>, client: &Client) -> anyhow::Result<ExitCode> {
    let path = client.of_node(node, "/secrets")?;
    let secret = remote::secret("the secret")?;
    let retire_older_in = retire_older_in.map(|time| humantime::format_duration(time).to_string());
    let wanted = json!({ "secret": secret, "retire_older_in": retire_older_in });
    let answer = client.create(&path, &wanted).map_err(|error| match error.downcast_ref::<Problem>() {
        Some(problem) if problem.status() == 409 => error.context("see --retire-older-in"),
        _ => error,
    })?;
    answer.show(client, |out, told: Told| writeln!(out, "the node {node} has the secret {} now", told.id))?;
    Ok(ExitCode::SUCCESS)
}

fn list(node: &NodeId, client: &Client) -> anyhow::Result<ExitCode> {
    client.get(&client.of_node(node, "/secrets")?)?.show(client, |out, listed: Listed| {
        if listed.secrets.is_empty() {
            return writeln!(out, "no secrets yet: {}", client.command(&format!("secret set {node}")));
        }
        let mut table = Table::new(&["SECRET", "CREATED", "BY", "RETIRES"]);
        for Told { id, created_at, created_by, retires_at } in listed.secrets {
            let retires = retires_at.map_or_else(|| "never".to_owned(), moment);
            table.row([id, moment(created_at), created_by, retires]);
        }
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn delete(node: &NodeId, id: &str, yes: bool, client: &Client) -> anyhow::Result<ExitCode> {
    let path = client.of_node(node, &format!("/secrets/{id}"))?;
    confirm(&format!("delete the secret {id} of the node {node}"), yes)?;
    client.delete(&path)?;
    client.deleted("secret", id)
}
