use std::io::Write as _;
use std::process::ExitCode;

use serde::Deserialize;

use crate::output::one_line;
use crate::remote::{Remote, Table, short};

#[derive(clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Deserialize)]
struct Readiness {
    status: String,
}

#[derive(Deserialize)]
struct Listed {
    nodes: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    tenant: String,
    node: String,
    condition: String,
    artifact: Option<String>,
    source: Source,
    loaded: bool,
    problems: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    File(String),
    Revision(Option<u32>),
}

impl Status {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.remote.client()?;
        // A server that is not ready says so with 503, which is an answer here.
        let ready = client.get_any("/readyz")?;
        let serving = client.get("/v1/nodes")?;
        let code = if ready.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let mut out = anstream::stdout();
        if client.json() {
            writeln!(out, "{{\"ready\":{},\"serving\":{}}}", ready.json(), serving.json())?;
            return Ok(code);
        }
        writeln!(out, "{} is {}", client.server(), one_line(&ready.read::<Readiness>()?.status))?;
        let nodes = serving.read::<Listed>()?.nodes;
        if nodes.is_empty() {
            writeln!(out, "it serves no nodes")?;
            return Ok(code);
        }
        let mut table = Table::new(&["NODE", "CONDITION", "SERVES", "ARTIFACT", "LOADED", "PROBLEMS"]);
        for Told { tenant, node, condition, artifact, source, loaded, problems } in nodes {
            let source = match source {
                Source::File(path) => path,
                Source::Revision(Some(number)) => format!("revision {number}"),
                Source::Revision(None) => "no revision".to_owned(),
            };
            let artifact = artifact.map_or_else(|| "-".to_owned(), |artifact| short(&artifact));
            let loaded = if loaded { "yes" } else { "no" };
            let row = [format!("{tenant}/{node}"), condition, source, artifact, loaded.to_owned(), problems.join("; ")];
            table.row(row);
        }
        table.write(&mut out)?;
        Ok(code)
    }
}
