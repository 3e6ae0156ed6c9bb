use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use sandbox::{Inspection, Offer};

use crate::local;
use crate::output::printable;

#[derive(clap::Args)]
pub(crate) struct Inspect {
    /// The compiled handler (.wasm), or its source in Python (.py), JavaScript (.js) or TypeScript (.ts)
    artifact: PathBuf,
    /// Print the inspection as one JSON object
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// Exit code 0 if codenode would compile it, 1 if it refuses.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let artifact = local::read_artifact(&self.artifact)?;
        let inspection = sandbox::inspect(&artifact);
        let mut out = anstream::stdout();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&inspection)?)?;
        } else {
            show(&mut out, &inspection)?;
        }
        Ok(if inspection.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn show(out: &mut impl std::io::Write, inspection: &Inspection) -> std::io::Result<()> {
    let kind = inspection.kind.map_or_else(|| "unknown".to_owned(), |kind| kind.to_string());
    let form = if inspection.core_module { "core module" } else { "component" };
    writeln!(out, "artifact   {}", inspection.artifact)?;
    writeln!(out, "kind       {kind} ({form})")?;
    writeln!(out, "size       {}", ByteSize(inspection.bytes))?;
    writeln!(out, "functions  {}, the largest {}", inspection.functions, ByteSize(inspection.largest_function_bytes))?;
    for (at, import) in inspection.imports.iter().enumerate() {
        let offer = match import.offer {
            Offer::Served => "served",
            Offer::Denied => "linked, but every call is denied",
            Offer::Refused => "not offered",
        };
        writeln!(out, "{:<10} {} ({offer})", if at == 0 { "imports" } else { "" }, printable(&import.name))?;
    }
    if inspection.imports.is_empty() {
        writeln!(out, "imports    none")?;
    }
    if inspection.problems.is_empty() {
        return writeln!(out, "verdict    good");
    }
    writeln!(out, "verdict    refused")?;
    inspection.problems.iter().try_for_each(|problem| writeln!(out, "  - it {problem}"))
}
