use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use model::{Limits, Run};
use serde_json::{Value, json};

use crate::given::Given;
use crate::project::{self, Case, Place, Project, Ready, Verdict};
use crate::{junit, local, output};

#[derive(clap::Args)]
pub(crate) struct Test {
    #[command(flatten)]
    place: Place,
    /// Keep what comes now as what is expected
    #[arg(long)]
    update: bool,
    /// Only the events whose names have this in them
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Write a report for build servers, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    folders: local::Folders,
}

/// One event, run if it could be read.
pub(crate) struct Tested {
    pub(crate) case: Case,
    pub(crate) run: Option<Run>,
    limits: Limits,
    verdict: Verdict,
}

impl Test {
    /// Exit code 0 if everything came as expected, 1 if something did not, or the code is wrong.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        project::end_with_us()?;
        let project = Project::open(&self.place.folder)?;
        let cases: Vec<Case> = project::cases(&project)?;
        let cases: Vec<Case> = cases.into_iter().filter(|case| case.name.contains(&self.filter)).collect();
        let runtime = local::runtime()?;
        let built = runtime.block_on(project.build())?;
        let sandbox = local::sandbox(self.folders)?;
        let ready = runtime.block_on(Ready::new(&project, &sandbox, &built, self.given))?;
        let mut out = anstream::stdout();
        let mut all = Vec::new();
        for case in cases {
            let tested = runtime.block_on(test(&ready, case, self.update))?;
            if !self.json {
                show(&mut out, &tested)?;
            }
            all.push(tested);
        }
        if let Some(file) = &self.junit {
            let report = junit::report(project.manifest.name.as_str(), &all)?;
            fs::write(file, report).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let failed = all.iter().filter(|tested| !tested.passed()).count();
        if self.json {
            writeln!(out, "{:#}", as_json(&project, &all, failed))?;
        } else {
            writeln!(out, "{}", summary(&all, &self.filter))?;
        }
        Ok(if failed == 0 && !all.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Tested {
    pub(crate) fn passed(&self) -> bool {
        match self.verdict {
            Verdict::AsExpected | Verdict::Kept(_) => true,
            Verdict::Differs(_) | Verdict::New | Verdict::Refused(_) => false,
        }
    }

    /// What is wrong, for people; empty where nothing is.
    pub(crate) fn problem(&self) -> &str {
        match &self.verdict {
            Verdict::AsExpected | Verdict::Kept(_) => "",
            Verdict::Differs(problem) | Verdict::Refused(problem) => problem,
            Verdict::New => "nothing is expected yet: `codenode test --update` keeps what comes",
        }
    }

    pub(crate) fn time(&self) -> Duration {
        self.run.as_ref().map(|run| run.usage.wall_time).unwrap_or_default()
    }

    /// The log as it was written, a line each.
    pub(crate) fn log(&self) -> String {
        let lines = self.run.iter().flat_map(|run| &run.log.lines);
        output::printable(&lines.map(|line| format!("{} {}\n", line.level, line.text)).collect::<String>())
    }
}

/// Runs a case, on a key-value store with nothing in it.
///
/// # Errors
/// If nothing can be run, or what came not be kept. A wrong outcome is none, and neither is a file that cannot be read.
pub(crate) async fn test(ready: &Ready<'_>, case: Case, update: bool) -> anyhow::Result<Tested> {
    let limits = ready.limits();
    let event = match case.event() {
        Ok(event) => event,
        Err(error) => {
            return Ok(Tested { case, run: None, limits, verdict: Verdict::Refused(format!("{error:#}")) });
        }
    };
    let run = ready.run(&event).await?;
    let verdict = if update {
        case.keep(&run.outcome)?
    } else {
        let expected = case.expected();
        expected.map_or_else(|error| Verdict::Refused(format!("{error:#}")), |expected| expected.compare(&run.outcome))
    };
    Ok(Tested { case, run: Some(run), limits, verdict })
}

/// One line for what is right; the difference, the reason and the log for what is not.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn show(out: &mut impl Write, tested: &Tested) -> io::Result<()> {
    let Tested { case, run, limits, verdict } = tested;
    match verdict {
        Verdict::AsExpected => output::passed(out, &case.name, tested.time()),
        Verdict::Kept(file) => output::kept(out, &case.name, file),
        Verdict::Differs(_) | Verdict::New | Verdict::Refused(_) => {
            output::failed(out, &case.name, tested.time(), tested.problem())?;
            run.as_ref().map_or(Ok(()), |run| output::reasons(out, run, limits))
        }
    }
}

/// `1 of 3 is not as expected`
pub(crate) fn summary(all: &[Tested], filter: &str) -> String {
    let kept = all.iter().filter(|tested| matches!(tested.verdict, Verdict::Kept(_))).count();
    let kept = if kept == 0 { String::new() } else { format!("; {kept} of them from now on") };
    let failed = all.iter().filter(|tested| !tested.passed()).count();
    match (all.len(), failed) {
        (0, _) => format!("no event has `{}` in its name", output::one_line(filter)),
        (1, 0) => format!("1 event is as expected{kept}"),
        (all, 0) => format!("{all} events are as expected{kept}"),
        (all, failed) => format!("{failed} of {all} {} not as expected", if failed == 1 { "is" } else { "are" }),
    }
}

fn as_json(project: &Project, all: &[Tested], failed: usize) -> Value {
    let events = all.iter().map(|tested| {
        let Tested { case, run, verdict, .. } = tested;
        let problem = (!tested.passed()).then(|| tested.problem());
        let kept = if let Verdict::Kept(file) = verdict { Some(file) } else { None };
        let run = run.as_ref();
        json!({
            "event": case.name, "passed": tested.passed(), "problem": problem, "kept": kept,
            "outcome": run.map(|run| &run.outcome), "usage": run.map(|run| &run.usage), "log": run.map(|run| &run.log),
            "http_calls": run.map(|run| &run.http_calls),
        })
    });
    let events: Vec<Value> = events.collect();
    json!({
        "name": project.manifest.name, "limits": project.limits,
        "passed": all.len() - failed, "failed": failed, "events": events,
    })
}
