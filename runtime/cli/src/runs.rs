use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::Timestamp;
use model::{Cause, NodeId, RunId};
use serde::Deserialize;

use crate::output;
use crate::remote::{Client, OfTenant, Table, Trial, moment, newest_runs};

#[derive(clap::Args)]
pub(crate) struct Runs {
    /// One run, with its reply or its backtrace, what it used of each limit, and its log; by the `x-codenode-run` of its answer
    #[arg(value_name = "RUN", conflicts_with_all = ["node", "cause", "limit"])]
    id: Option<RunId>,
    /// Only those of this node
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
    /// Only bot breaks with this cause, such as `trap` or `out_of_time`
    #[arg(long)]
    cause: Option<Cause>,
    /// How many, the newest first
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    limit: usize,
    #[command(flatten)]
    of: OfTenant,
}

#[derive(Deserialize)]
struct Listed {
    runs: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    id: String,
    tenant: String,
    node: String,
    revision: Option<u32>,
    started_at: Timestamp,
    cause: Option<String>,
    detail: Option<String>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Usage {
    wall_micros: u64,
    cpu_micros: u64,
    memory_bytes: u64,
}

impl Runs {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.of.client()?;
        if let Some(id) = self.id {
            return show(&client, id);
        }
        let newest = newest_runs(&client, self.node.as_ref(), self.cause, self.limit, None)?;
        newest.show(&client, |out, listed: Listed| {
            if listed.runs.is_empty() {
                return writeln!(out, "no such runs are kept");
            }
            let mut table = Table::new(&["STARTED", "RUN", "NODE", "OUTCOME", "WALL", "CPU", "MEMORY", "DETAIL"]);
            for Told { id, tenant, node, revision: _, started_at, cause, detail, usage } in listed.runs {
                table.row([
                    moment(started_at),
                    id,
                    format!("{tenant}/{node}"),
                    cause.unwrap_or_else(|| "reply".to_owned()),
                    output::time(Duration::from_micros(usage.wall_micros)),
                    output::time(Duration::from_micros(usage.cpu_micros)),
                    ByteSize(usage.memory_bytes).to_string(),
                    detail.unwrap_or_default(),
                ]);
            }
            table.write(out)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One run, as its author sees it who tries it at home.
fn show(client: &Client, id: RunId) -> anyhow::Result<ExitCode> {
    let answer = client.get(&format!("/v1/runs/{id}"))?;
    let mut out = anstream::stdout();
    if client.json() {
        writeln!(out, "{}", answer.json())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Told { tenant, node, revision, started_at, .. } = answer.read()?;
    let trial = Trial::of(&answer)?;
    let ran = revision.map_or_else(|| "its file".to_owned(), |revision| format!("revision {revision}"));
    writeln!(out, "{} ran {ran} at {}", output::one_line(&format!("{tenant}/{node}")), moment(started_at))?;
    output::run(&mut out, &trial.run, &trial.limits)?;
    Ok(ExitCode::SUCCESS)
}
