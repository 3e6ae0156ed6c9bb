use std::io::Write;
use std::process::ExitCode;

use model::{Grant, NodeId, RevisionNumber};
use serde_json::json;

use crate::remote::{Client, Node, OfTenant};

#[derive(clap::Args)]
pub(crate) struct Promote {
    node: NodeId,
    revision: RevisionNumber,
    /// What it may reach that the live revision may not, such as `http:api.example.com`; may be said several times
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<Grant>,
    #[command(flatten)]
    of: OfTenant,
}

impl Promote {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        promote(&self.of.client()?, &self.node, self.revision, &self.grants)
    }
}

/// Makes a revision the live one, whichever was.
///
/// # Errors
/// If the server does not.
pub(crate) fn promote(
    client: &Client,
    node: &NodeId,
    revision: RevisionNumber,
    grants: &[Grant],
) -> anyhow::Result<ExitCode> {
    let path = client.of_node(node, "/promote")?;
    let answer = client.post_patiently(&path, &json!({ "revision": revision, "grants": grants }), None)?;
    answer.show(client, |out, told: Node| serves(out, client, &told))?;
    Ok(ExitCode::SUCCESS)
}

/// Says what serves now, and how to take that back.
///
/// # Errors
/// If whoever reads has gone.
pub(crate) fn serves(out: &mut dyn Write, client: &Client, node: &Node) -> std::io::Result<()> {
    let Some(live) = node.live else { return writeln!(out, "nothing is live") };
    writeln!(out, "revision {live} serves now, at {}", node.webhook())?;
    match node.previous {
        Some(before) => {
            let id = crate::output::one_line(&node.id);
            writeln!(out, "back to {before}: {}", client.command(&format!("rollback {id}")))
        }
        None => Ok(()),
    }
}
