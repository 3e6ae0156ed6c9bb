use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use model::{Limits, Run};
use serde_json::{Value, json};

use crate::given::Given;
use crate::project::{self, Case, Place, Project, Session, Verdict};
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

/// One event, run.
pub(crate) struct Tested {
    pub(crate) case: Case,
    pub(crate) run: Run,
    limits: Limits,
    pub(crate) verdict: Verdict,
}

impl Test {
    /// Exit code 0 if everything came as expected, 1 if something did not, or the code is wrong.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::open(&self.place.folder)?;
        let cases: Vec<Case> = project::cases(&project)?;
        let cases: Vec<Case> = cases.into_iter().filter(|case| case.name.contains(&self.filter)).collect();
        let runtime = local::runtime()?;
        let built = runtime.block_on(project.build())?;
        let sandbox = local::sandbox(self.folders)?;
        let session = runtime.block_on(Session::new(&project, &sandbox, &built, self.given))?;
        let mut out = anstream::stdout();
        let mut all = Vec::new();
        for case in cases {
            let tested = runtime.block_on(test(&session, case, self.update))?;
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
            writeln!(out, "{}", summary(all.len(), failed, &self.filter))?;
        }
        Ok(if failed == 0 && !all.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Tested {
    pub(crate) fn passed(&self) -> bool {
        match self.verdict {
            Verdict::AsExpected => true,
            Verdict::Differs(_) | Verdict::New => false,
        }
    }

    /// What is wrong, for people; empty where nothing is.
    pub(crate) fn problem(&self) -> &str {
        match &self.verdict {
            Verdict::AsExpected => "",
            Verdict::Differs(difference) => difference,
            Verdict::New => "nothing is expected yet: `codenode test --update` keeps what comes",
        }
    }

    pub(crate) fn time(&self) -> Duration {
        self.run.usage.wall_time
    }

    /// The log as it was written, a line each.
    pub(crate) fn log(&self) -> String {
        let lines = self.run.log.lines.iter().map(|line| format!("{} {}\n", line.level, line.text));
        output::printable(&lines.collect::<String>())
    }
}

/// Runs a case, on a key-value store with nothing in it.
///
/// # Errors
/// If it cannot be run at all; a wrong outcome is none.
pub(crate) async fn test(session: &Session<'_>, case: Case, update: bool) -> anyhow::Result<Tested> {
    let (event, expected) = (case.event()?, case.expected());
    let (run, limits) = (session.run(&event).await?, session.limits());
    if update {
        // Whatever was there, also what could not be read, gives way; what is as it should be stays as it was written.
        if !matches!(expected.map(|expected| expected.compare(&run.outcome)), Ok(Verdict::AsExpected)) {
            case.keep(&run.outcome)?;
        }
        return Ok(Tested { case, run, limits, verdict: Verdict::AsExpected });
    }
    let verdict = expected?.compare(&run.outcome);
    Ok(Tested { case, run, limits, verdict })
}

/// One line for what is right; the difference, the reason and the log for what is not.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn show(out: &mut impl Write, tested: &Tested) -> io::Result<()> {
    let Tested { case, run, limits, .. } = tested;
    if tested.passed() {
        return output::passed(out, &case.name, tested.time());
    }
    output::failed(out, &case.name, tested.time(), tested.problem())?;
    output::reasons(out, run, limits)
}

/// `2 of 3 events are as expected`
pub(crate) fn summary(all: usize, failed: usize, filter: &str) -> String {
    match (all, failed) {
        (0, _) => format!("no event has `{}` in its name", output::one_line(filter)),
        (1, 0) => "1 event is as expected".to_owned(),
        (all, 0) => format!("{all} events are as expected"),
        (all, failed) => format!("{failed} of {all} {} not as expected", if failed == 1 { "is" } else { "are" }),
    }
}

fn as_json(project: &Project, all: &[Tested], failed: usize) -> Value {
    let events = all.iter().map(|tested| {
        let Tested { case, run, .. } = tested;
        let problem = (!tested.passed()).then(|| tested.problem());
        json!({
            "event": case.name, "passed": tested.passed(), "problem": problem,
            "outcome": run.outcome, "usage": run.usage, "log": run.log, "http_calls": run.http_calls,
        })
    });
    let events: Vec<Value> = events.collect();
    json!({
        "name": project.manifest.name, "limits": project.limits,
        "passed": all.len() - failed, "failed": failed, "events": events,
    })
}
