use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use model::TenantId;
use model::quota::Overrides;
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
    /// Show what a tenant may use, as far as that is not what everybody may, or change it
    Quota {
        id: TenantId,
        #[command(flatten)]
        wanted: Wanted,
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

/// What changes; the rest stays as it is.
#[derive(clap::Args)]
struct Wanted {
    /// Forget what was set before: what is not named here is as for everybody
    #[arg(long)]
    reset: bool,
    /// Runs at once, events that wait for one included
    #[arg(long, value_name = "COUNT")]
    runs: Option<u32>,
    /// Runs that may begin in a second, on average
    #[arg(long, value_name = "COUNT")]
    runs_per_second: Option<u32>,
    /// Runs that may begin at once after a quiet time
    #[arg(long, value_name = "COUNT")]
    runs_per_burst: Option<u32>,
    /// CPU time of all runs in an hour, such as 10m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    cpu_per_hour: Option<Duration>,
    /// Turns in the queue of a full host
    #[arg(long, value_name = "COUNT")]
    weight: Option<u32>,
    /// Nodes that are stored
    #[arg(long, value_name = "COUNT")]
    nodes: Option<u32>,
    /// Artifacts that are stored
    #[arg(long, value_name = "COUNT")]
    artifacts: Option<u32>,
    /// All those together, such as "4 GiB"
    #[arg(long, value_name = "SIZE")]
    artifact_size: Option<ByteSize>,
    /// Entries of the key-value store
    #[arg(long, value_name = "COUNT")]
    kv_keys: Option<u32>,
    /// All those together, keys and values, such as "256 MiB"
    #[arg(long, value_name = "SIZE")]
    kv_size: Option<ByteSize>,
}

#[derive(Deserialize)]
struct Limited {
    quota: Overrides,
    version: u64,
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
            Command::Quota { id, wanted, remote } => quota(&id, &wanted, &remote),
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
    client.create("/v1/tenants", &json!({ "id": id }))?.show(&client, |out, told: Told| {
        writeln!(out, "made the tenant {}; give it a node: codenode node create NODE --tenant {id}", told.id)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn quota(id: &TenantId, wanted: &Wanted, remote: &Remote) -> anyhow::Result<ExitCode> {
    let client = remote.client()?;
    let mut answer = client.get(&format!("/v1/tenants/{id}"))?;
    let now: Limited = answer.read()?;
    let quota = wanted.over(&now.quota);
    if quota != now.quota {
        answer = client.put(&format!("/v1/tenants/{id}/quota"), &quota, now.version)?;
    }
    answer.show(&client, |out, told: Limited| {
        let set = serde_json::to_value(&told.quota)?;
        let set = set.as_object().filter(|set| !set.is_empty());
        let Some(set) = set else {
            return writeln!(out, "the tenant {id} may use what everybody may: `quota` in the server's configuration");
        };
        let mut table = Table::new(&["QUOTA", "OF ITS OWN"]);
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        set.iter().for_each(|(name, value)| table.row([name.clone(), text(value)]));
        table.write(out)
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Wanted {
    /// What is set by hand now, over what was before.
    fn over(&self, before: &Overrides) -> Overrides {
        let before = if self.reset { Overrides::default() } else { before.clone() };
        Overrides {
            runs: self.runs.or(before.runs),
            runs_per_second: self.runs_per_second.or(before.runs_per_second),
            runs_per_burst: self.runs_per_burst.or(before.runs_per_burst),
            cpu_per_hour: self.cpu_per_hour.or(before.cpu_per_hour),
            weight: self.weight.or(before.weight),
            nodes: self.nodes.or(before.nodes),
            artifacts: self.artifacts.or(before.artifacts),
            artifact_size: self.artifact_size.or(before.artifact_size),
            kv_keys: self.kv_keys.or(before.kv_keys),
            kv_size: self.kv_size.or(before.kv_size),
        }
    }
}

fn delete(id: &TenantId, yes: bool, remote: &Remote) -> anyhow::Result<ExitCode> {
    let client = remote.client()?;
    confirm(&format!("delete the tenant {id} with its keys, nodes, revisions and secrets"), yes)?;
    client.delete(&format!("/v1/tenants/{id}"))?;
    client.deleted("tenant", id.as_str())
}
