use std::process::ExitCode;

use jiff::Timestamp;
use model::TenantId;
use serde::Deserialize;
use serde_json::json;

use crate::remote::{Remote, Table, confirm, moment};

#[derive(clap::Args)]
pub(crate) struct Tenant {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the tenants
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Make a tenant
    Create {
        id: TenantId,
        #[command(flatten)]
        remote: Remote,
    },
    /// Delete a tenant with its keys, nodes, revisions and secrets
    Delete {
        id: TenantId,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Deserialize)]
struct Listed {
    tenants: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    id: String,
    created_at: Timestamp,
}

impl Tenant {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List { remote } => list(&remote),
            Command::Create { id, remote } => create(&id, &remote),
            Command::Delete { id, yes, remote } => delete(&id, yes, &remote),
        }
    }
}

fn list(remote: &Remote) -> anyhow::Result<ExitCode> {
    let client = remote.client()?;
    client.get("/v1/tenants")?.show(&client, |out, listed: Listed| {
        if listed.tenants.is_empty() {
            return writeln!(out, "no tenants yet: {}", client.command("tenant create ID"));
        }
        let mut table = Table::new(&["TENANT", "CREATED"]);
        listed.tenants.into_iter().for_each(|told| table.row([told.id, moment(told.created_at)]));
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn create(id: &TenantId, remote: &Remote) -> anyhow::Result<ExitCode> {
    let client = remote.client()?;
    client.post("/v1/tenants", &json!({ "id": id }))?.show(&client, |out, told: Told| {
        writeln!(out, "made the tenant {}; give it a node: codenode node create NODE --tenant {id}", told.id)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn delete(id: &TenantId, yes: bool, remote: &Remote) -> anyhow::Result<ExitCode> {
    let client = remote.client()?;
    confirm(&format!("delete the tenant {id} with its keys, nodes, revisions and secrets"), yes)?;
    client.delete(&format!("/v1/tenants/{id}"))?;
    client.deleted("tenant", id.as_str())
}
