use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use model::{Event, NodeId, RevisionNumber};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::event::EventSource;
use crate::output;
use crate::remote::{Answer, Client, OfTenant, Trial};

#[derive(clap::Args)]
pub(crate) struct Try {
    node: NodeId,
    #[command(flatten)]
    event: EventSource,
    /// The revision to try [default: the live one]
    #[arg(long, value_name = "REVISION")]
    revision: Option<RevisionNumber>,
    #[command(flatten)]
    of: OfTenant,
}

#[derive(Serialize)]
struct Wanted<'a> {
    event: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<RevisionNumber>,
}

impl Try {
    /// Exit code 0 for a reply, 1 for a bot break.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.of.client()?;
        let answer = on_server(&client, &self.node, &event(self.event.read()?)?, self.revision)?;
        let trial = Trial::of(&answer)?;
        let mut out = anstream::stdout();
        if client.json() {
            writeln!(out, "{}", answer.json())?;
        } else {
            output::run(&mut out, &trial.run, &trial.limits)?;
        }
        Ok(if trial.is_reply() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// An event that a handler would be given, byte for byte.
///
/// # Errors
/// If no handler would be.
pub(crate) fn event(bytes: Vec<u8>) -> anyhow::Result<Box<RawValue>> {
    let text = String::from_utf8(bytes).context("the event is not UTF-8")?;
    Event::parse(text.clone().into_bytes())?;
    Ok(RawValue::from_string(text)?)
}

/// Runs a revision on an event, apart from the live traffic.
///
/// # Errors
/// If the server does not.
pub(crate) fn on_server(
    client: &Client,
    node: &NodeId,
    event: &RawValue,
    revision: Option<RevisionNumber>,
) -> anyhow::Result<Answer> {
    client.post_patiently(&client.of_node(node, "/test")?, &Wanted { event, revision }, None)
}
