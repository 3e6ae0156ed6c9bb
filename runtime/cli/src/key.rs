use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use model::Role;
use serde::Deserialize;
use serde_json::json;

use crate::remote::{Client, OfTenant, Table, confirm, id, moment};

#[derive(clap::Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the keys, without what is secret of them
    List {
        /// The operators' keys instead, which are of no tenant
        #[arg(long)]
        operators: bool,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Make a key and show it, this once
    Create(Create),
    /// Delete a key: whoever shows it is refused from now on
    Delete {
        /// The part between `cn_` and the next `_`
        #[arg(value_parser = id)]
        id: String,
        /// An operator's key
        #[arg(long)]
        operators: bool,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        of: OfTenant,
    },
}

#[derive(clap::Args)]
struct Create {
    /// What it may do: read, deploy, admin (all of one tenant), operator (all of every tenant)
    #[arg(long)]
    role: Role,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    label: String,
    /// How long it is good, such as `90d` [default: for ever]
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    expires_in: Option<Duration>,
    #[command(flatten)]
    of: OfTenant,
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    id: String,
    role: String,
    label: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Made {
    id: String,
    role: String,
    key: String,
}

impl Key {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List { operators, of } => list(operators, &of),
            Command::Create(create) => create.run(),
            Command::Delete { id, operators, yes, of } => delete(&id, operators, yes, &of),
        }
    }
}

/// Operators' keys are kept apart from every tenant's.
fn path(client: &Client, operators: bool, rest: &str) -> anyhow::Result<String> {
    if operators { Ok(format!("/v1/keys{rest}")) } else { client.of_tenant(&format!("/keys{rest}")) }
}

fn list(operators: bool, of: &OfTenant) -> anyhow::Result<ExitCode> {
    let client = of.client()?;
    client.get(&path(&client, operators, "")?)?.show(&client, |out, listed: Listed| {
        if listed.keys.is_empty() {
            return writeln!(out, "no keys yet: {}", client.command("key create --role deploy"));
        }
        let mut table = Table::new(&["KEY", "ROLE", "CREATED", "EXPIRES", "LAST USED", "LABEL"]);
        for Told { id, role, label, created_at, expires_at, last_used_at } in listed.keys {
            let or_never = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), moment);
            table.row([id, role, moment(created_at), or_never(expires_at), or_never(last_used_at), label]);
        }
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Create {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Self { role, label, expires_in, of } = self;
        let client = of.client()?;
        let expires_in = expires_in.map(|time| humantime::format_duration(time).to_string());
        let wanted = json!({ "role": role, "label": label, "expires_in": expires_in });
        let answer = client.create(&path(&client, role == Role::Operator, "")?, &wanted)?;
        answer.show(&client, |out, Made { id, role, key }: Made| {
            // The key alone goes to standard output, so that a script can catch it.
            eprintln!("made the key {id} with the role {role}; it is shown this once:");
            writeln!(out, "{key}")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn delete(id: &str, operators: bool, yes: bool, of: &OfTenant) -> anyhow::Result<ExitCode> {
    let client = of.client()?;
    let path = path(&client, operators, &format!("/{id}"))?;
    confirm(&format!("delete the key {id}"), yes)?;
    client.delete(&path)?;
    client.deleted("key", id)
}
