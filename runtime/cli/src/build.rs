use std::io::Write as _;
use std::process::ExitCode;

use bytesize::ByteSize;
use model::Grant;
use serde_json::json;

use crate::local;
use crate::output::printable;
use crate::project::{self, Place, Project};

#[derive(clap::Args)]
pub(crate) struct Build {
    #[command(flatten)]
    place: Place,
    /// Print what was made as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: local::Folders,
}

impl Build {
    /// Exit code 0 for an artifact that codenode runs, 1 where the code is wrong, 2 where something is missing to build it.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        project::end_with_us()?;
        let project = Project::open(&self.place.folder)?;
        let runtime = local::runtime()?;
        let built = runtime.block_on(project.build())?;
        let sandbox = local::sandbox(self.folders)?;
        runtime.block_on(project::prepare(&sandbox, &built))?;
        let inspection = sandbox::inspect(&built.artifact);
        let kind = inspection.kind.map_or_else(|| "unknown".to_owned(), |kind| kind.to_string());
        let given = project.given();
        let needs: Vec<String> = inspection.needs().iter().map(ToString::to_string).collect();
        let mut out = anstream::stdout();
        if self.json {
            let json = json!({
                "artifact": built.path, "sha256": inspection.artifact, "bytes": inspection.bytes, "kind": kind,
                "built": project.recipe.to_string(), "needs": needs, "grants": given.grants,
            });
            writeln!(out, "{json:#}")?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(out, "artifact  {}", built.path.display())?;
        writeln!(out, "kind      {kind} ({})", printable(&project.recipe.to_string()))?;
        writeln!(out, "size      {}", ByteSize(inspection.bytes))?;
        writeln!(out, "needs     {}", listed(&needs))?;
        writeln!(out, "grants    {}", listed(&given.grants.iter().map(Grant::to_string).collect::<Vec<_>>()))?;
        for family in inspection.needs() {
            if !given.grants.iter().any(|grant| grant.family() == family) {
                eprintln!("warning: the code can use {family}, of which {} grants nothing", project::FILE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
