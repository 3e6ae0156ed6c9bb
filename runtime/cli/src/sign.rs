use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::delivery::Signing;
use crate::event::EventSource;

#[derive(clap::Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    event: EventSource,
    #[command(flatten)]
    signing: Signing,
    /// Print the headers as one JSON object
    #[arg(long)]
    json: bool,
}

impl Sign {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let headers = self.signing.headers(&self.event.read()?)?;
        let mut out = std::io::stdout();
        if self.json {
            let headers: Map<String, Value> = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
            writeln!(out, "{}", Value::from(headers))?;
        } else {
            for (name, value) in headers {
                writeln!(out, "{name}: {value}")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
