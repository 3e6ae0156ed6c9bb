use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use bytesize::ByteSize;
use model::{Event, Limits, Outcome, Overrides};
use serde_json::json;

use crate::event::EventSource;
use crate::given::Given;
use crate::project::{self, Built, Project};
use crate::{local, output};

#[derive(clap::Args)]
pub(crate) struct Run {
    /// The compiled handler (.wasm), or its source in Python (.py), JavaScript (.js) or TypeScript (.ts) [default: what the project in this folder
    /// builds]
    artifact: Option<PathBuf>,
    #[command(flatten)]
    event: EventSource,
    /// Print the outcome, usage and log as one JSON object
    #[arg(long)]
    json: bool,
    /// Another wall time, such as `5s`
    #[arg(long, value_parser = humantime::parse_duration)]
    wall_time: Option<Duration>,
    /// Another CPU time, such as `200ms`
    #[arg(long, value_parser = humantime::parse_duration)]
    cpu_time: Option<Duration>,
    /// Another memory limit, such as `128MiB`
    #[arg(long)]
    memory: Option<ByteSize>,
    #[command(flatten)]
    given: Given,
    /// Where entries of the key-value store are kept [default: nowhere, so that each run begins with none]
    #[arg(long, value_name = "FOLDER")]
    entries: Option<PathBuf>,
    #[command(flatten)]
    folders: local::Folders,
}

/// What runs, and under what.
struct Subject {
    built: Built,
    limits: Limits,
    given: Given,
    entries: Option<PathBuf>,
}

impl Run {
    /// Exit code 0 for a reply, 1 for a bot break, or where the code is wrong.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = local::runtime()?;
        let Subject { built, limits, given, entries } = runtime.block_on(self.subject())?;
        given.must_fit_together()?;
        let event = Event::parse(self.event.read()?)?;
        let fresh = tempfile::tempdir()?;
        let grants = runtime.block_on(given.granted(entries.as_deref().unwrap_or(fresh.path())))?;
        let sandbox = local::sandbox(self.folders)?;
        let prepared = runtime.block_on(project::prepare(&sandbox, &built))?;
        let run = runtime.block_on(local::run(&sandbox, &prepared, &event, &limits, &grants));
        let mut out = anstream::stdout();
        if self.json {
            let json = json!({
                "outcome": run.outcome,
                "usage": run.usage,
                "limits": limits,
                "log": run.log,
                "http_calls": run.http_calls,
            });
            writeln!(out, "{json:#}")?;
        } else {
            output::run(&mut out, &run, &limits)?;
        }
        Ok(match run.outcome {
            Outcome::Reply(_) => ExitCode::SUCCESS,
            Outcome::BotBreak(_) => ExitCode::FAILURE,
        })
    }

    /// The file that was named or, where none was, the project in this folder.
    async fn subject(&self) -> anyhow::Result<Subject> {
        let (given, entries) = (self.given.clone(), self.entries.clone());
        if let Some(file) = &self.artifact {
            let limits = self.limits(&Limits::DEFAULT)?;
            let built = Built { path: file.clone(), artifact: local::read_artifact(file)? };
            return Ok(Subject { built, limits, given, entries });
        }
        project::end_with_us()?;
        let project = Project::open(Path::new("."))?;
        Ok(Subject {
            limits: self.limits(&project.limits)?,
            given: given.or(project.given()),
            entries: entries.or_else(|| project.manifest.entries.as_ref().map(|folder| project.path(folder))),
            built: project.build().await?,
        })
    }

    fn limits(&self, inherited: &Limits) -> anyhow::Result<Limits> {
        let overrides = Overrides {
            wall_time: self.wall_time,
            cpu_time: self.cpu_time,
            memory: self.memory,
            ..Overrides::default()
        };
        inherited
            .with(&overrides)
            .map_err(|errors| anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
    }
}
