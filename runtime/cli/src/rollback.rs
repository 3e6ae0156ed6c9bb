use std::process::ExitCode;

use model::{NodeId, RevisionNumber};
use serde_json::json;

use crate::promote::{promote, serves};
use crate::remote::{Node, OfTenant};

#[derive(clap::Args)]
pub(crate) struct Rollback {
    node: NodeId,
    /// The revision to serve [default: the one that was live before]
    #[arg(long, value_name = "REVISION")]
    to: Option<RevisionNumber>,
    #[command(flatten)]
    of: OfTenant,
}

impl Rollback {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.of.client()?;
        if let Some(revision) = self.to {
            return promote(&client, &self.node, revision);
        }
        let answer = client.post_patiently(&client.of_node(&self.node, "/roll-back")?, &json!({}), None)?;
        answer.show(&client, |out, told: Node| serves(out, &client, &told))?;
        Ok(ExitCode::SUCCESS)
    }
}
