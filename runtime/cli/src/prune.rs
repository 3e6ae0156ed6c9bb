use std::collections::BTreeSet;
use std::process::ExitCode;

use model::NodeId;
use serde::Deserialize;
use serde_json::json;

use crate::remote::{Client, Node, OfTenant, Problem, confirm};

/// As many revisions as one answer lists.
const PAGE: u32 = 1000;

#[derive(clap::Args)]
pub(crate) struct Prune {
    node: NodeId,
    /// How many revisions stay, the newest ones; what is live and where a roll-back leads stays in any case
    #[arg(long, default_value_t = 10, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Don't ask
    #[arg(long)]
    yes: bool,
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
}

impl Prune {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.of.client()?;
        let node: Node = client.get(&client.of_node(&self.node, "")?)?.read()?;
        let needed = [node.live, node.previous];
        let all = revisions(&client, &self.node)?;
        let old = all.into_iter().skip(usize::try_from(self.keep)?);
        let old: Vec<Told> = old.filter(|revision| !needed.contains(&Some(revision.number))).collect();
        if !old.is_empty() {
            let range = match (old.last(), old.first()) {
                (Some(last), Some(first)) if last.number != first.number => {
                    format!("{} revisions of the node {}, {} to {}", old.len(), self.node, last.number, first.number)
                }
                _ => format!("a revision of the node {}", self.node),
            };
            confirm(&format!("delete {range}, and the artifacts that no other revision runs"), self.yes)?;
        }
        let mut artifacts = BTreeSet::new();
        for Told { number, artifact } in &old {
            client.delete(&client.of_node(&self.node, &format!("/revisions/{number}"))?)?;
            artifacts.insert(artifact);
        }
        let mut deleted = 0;
        for artifact in artifacts {
            deleted += u32::from(delete_unused(&client, artifact)?);
        }
        if client.json() {
            anstream::println!("{}", json!({ "deleted": { "revisions": old.len(), "artifacts": deleted } }));
        } else {
            anstream::println!("deleted {} revisions and {deleted} artifacts", old.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// All of a node's revisions, the newest first.
fn revisions(client: &Client, node: &NodeId) -> anyhow::Result<Vec<Told>> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = client.of_node(node, &format!("/revisions?limit={PAGE}{cursor}"))?;
        let Listed { revisions, next } = client.get(&path)?.read()?;
        all.extend(revisions);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}

/// Whether it was deleted, and not run by another revision.
fn delete_unused(client: &Client, artifact: &str) -> anyhow::Result<bool> {
    match client.delete(&client.of_tenant(&format!("/artifacts/{artifact}"))?) {
        Ok(_) => Ok(true),
        Err(error) if error.downcast_ref::<Problem>().is_some_and(|problem| problem.status() == 409) => Ok(false),
        Err(error) => Err(error),
    }
}
