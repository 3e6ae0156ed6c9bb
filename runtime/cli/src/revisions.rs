use std::process::ExitCode;

use jiff::Timestamp;
use model::{NodeId, RevisionNumber};
use serde::Deserialize;

use crate::remote::{Node, OfTenant, Table, moment, short};

#[derive(clap::Args)]
pub(crate) struct Revisions {
    node: NodeId,
    /// How many, the newest first
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    limit: u32,
    /// Only those before this one
    #[arg(long, value_name = "REVISION")]
    before: Option<RevisionNumber>,
    #[command(flatten)]
    of: OfTenant,
}

#[derive(Deserialize)]
struct Listed {
    revisions: Vec<Told>,
    next: Option<u32>,
}

#[derive(Deserialize)]
struct Told {
    number: u32,
    artifact: String,
    note: String,
    created_at: Timestamp,
    created_by: String,
}

impl Revisions {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { node, limit, before, of } = self;
        let client = of.client()?;
        let cursor = before.map_or(String::new(), |before| format!("&cursor={before}"));
        let answer = client.get(&client.of_node(&node, &format!("/revisions?limit={limit}{cursor}"))?)?;
        let live = if client.json() { None } else { client.get(&client.of_node(&node, "")?)?.read::<Node>()?.live };
        answer.show(&client, |out, listed: Listed| {
            if listed.revisions.is_empty() {
                let deploy = client.command(&format!("deploy ARTIFACT --node {node}"));
                return writeln!(out, "no revisions: {deploy}");
            }
            let mut table = Table::new(&["REVISION", "", "ARTIFACT", "CREATED", "BY", "NOTE"]);
            for Told { number, artifact, note, created_at, created_by } in listed.revisions {
                let mark = if live == Some(number) { "live" } else { "" };
                let row = [number.to_string(), mark.to_owned(), short(&artifact), moment(created_at), created_by, note];
                table.row(row);
            }
            table.write(out)?;
            match listed.next {
                Some(next) => {
                    writeln!(
                        out,
                        "there may be older ones: {}",
                        client.command(&format!("revisions {node} --before {next}"))
                    )
                }
                None => Ok(()),
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
