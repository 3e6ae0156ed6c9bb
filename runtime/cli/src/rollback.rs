use std::process::ExitCode;

use model::{Grant, NodeId, RevisionNumber};
use serde_json::json;

use crate::promote::{promote, serves};
use crate::remote::{Node, OfTenant};

#[derive(clap::Args)]
pub(crate) struct Rollback {
    node: NodeId,
    /// The revision to serve [default: the one that was live before]
    #[arg(long, value_name = "REVISION")]
    to: Option<RevisionNumber>,
    /// What that revision may reach that the live one may not; may be said several times
    #[arg(long = "grant", value_name = "GRANT", requires = "to")]
    grants: Vec<Grant>,
    #[command(flatten)]
    of: OfTenant,
}

impl Rollback {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.of.client()?;
        if let Some(revision) = self.to {
            return promote(&client, &self.node, revision, &self.grants);
        }
        let answer = client.change(&client.of_node(&self.node, "/roll-back")?, &json!({}))?;
        answer.show(&client, |out, told: Node| serves(out, &client, &told))?;
        Ok(ExitCode::SUCCESS)
    }
}
