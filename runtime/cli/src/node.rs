use std::process::ExitCode;
use std::time::Duration;

use model::{NodeId, Scheme};

use crate::remote::{Client, Node as Told, OfTenant, Table, confirm, moment};

#[derive(clap::Args)]
pub(crate) struct Node {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the tenant's nodes
    List {
        #[command(flatten)]
        of: OfTenant,
    },
    /// Make a node; it serves once it has a revision and a secret
    Create {
        id: NodeId,
        #[command(flatten)]
        door: Door,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Show a node
    Show {
        id: NodeId,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Delete a node with its revisions and secrets
    Delete {
        id: NodeId,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        of: OfTenant,
    },
}

/// Which events a node takes.
#[derive(clap::Args)]
struct Door {
    /// A signature that it takes: sha1, sha256 or standard; may be said several times [default: sha1 and sha256]
    #[arg(long = "scheme", value_name = "SCHEME")]
    schemes: Vec<Scheme>,
    /// Take events from anybody, as long as the node has no secret
    #[arg(long)]
    allow_unsigned: bool,
    /// For so long an event with the same body gets the first one's answer and does not run again, such as 10m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    repeat_window: Option<Duration>,
}

impl Node {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List { of } => list(&of.client()?),
            Command::Create { id, door, of } => create(&id, door, &of.client()?),
            Command::Show { id, of } => show(&id, &of.client()?),
            Command::Delete { id, yes, of } => delete(&id, yes, &of.client()?),
        }
    }
}

#[derive(serde::Deserialize)]
struct Listed {
    nodes: Vec<Told>,
}

fn list(client: &Client) -> anyhow::Result<ExitCode> {
    client.get(&client.of_tenant("/nodes")?)?.show(client, |out, listed: Listed| {
        if listed.nodes.is_empty() {
            return writeln!(out, "no nodes yet: {}", client.command("node create ID"));
        }
        let mut table = Table::new(&["NODE", "LIVE", "PREVIOUS", "TAKES", "CREATED"]);
        for told in listed.nodes {
            let number = |revision: Option<u32>| revision.map_or_else(|| "-".to_owned(), |number| number.to_string());
            let (live, previous, takes) = (number(told.live), number(told.previous), told.takes());
            table.row([told.id, live, previous, takes, moment(told.created_at)]);
        }
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn create(id: &NodeId, door: Door, client: &Client) -> anyhow::Result<ExitCode> {
    let schemes = if door.schemes.is_empty() { model::Door::default().schemes } else { door.schemes };
    let door = model::Door { schemes, allow_unsigned: door.allow_unsigned, repeat_window: door.repeat_window };
    let wanted = serde_json::json!({ "id": id, "door": door });
    client.create(&client.of_tenant("/nodes")?, &wanted)?.show(client, |out, told: Told| {
        writeln!(out, "made the node {}; events will come to {}", told.id, told.webhook())?;
        if !told.door.allow_unsigned {
            writeln!(out, "give it a secret:   {}", client.command(&format!("secret set {id}")))?;
        }
        writeln!(out, "give it a revision: {}", client.command(&format!("deploy ARTIFACT --node {id}")))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(id: &NodeId, client: &Client) -> anyhow::Result<ExitCode> {
    client.get(&client.of_node(id, "")?)?.show(client, |out, told: Told| {
        let number = |revision: Option<u32>| revision.map_or_else(|| "none".to_owned(), |number| number.to_string());
        writeln!(out, "node      {}", told.id)?;
        writeln!(out, "tenant    {}", told.tenant)?;
        writeln!(out, "webhook   {}", told.webhook())?;
        writeln!(out, "takes     {}", told.takes())?;
        writeln!(out, "live      {}", number(told.live))?;
        writeln!(out, "previous  {}", number(told.previous))?;
        writeln!(out, "created   {}", moment(told.created_at))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn delete(id: &NodeId, yes: bool, client: &Client) -> anyhow::Result<ExitCode> {
    let path = client.of_node(id, "")?;
    confirm(&format!("delete the node {id} with its revisions and secrets"), yes)?;
    client.delete(&path)?;
    client.deleted("node", id.as_str())
}
