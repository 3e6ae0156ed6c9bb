use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anstyle::Style;
use bytesize::ByteSize;
use jiff::Timestamp;
use model::NodeId;
use serde::Deserialize;

use crate::output::one_line;
use crate::remote::{Client, OfTenant, Problem, id, newest_runs};

const DIM: Style = Style::new().dimmed();
/// What is shown of a run's id.
const SHORT: usize = 12;
/// How often new runs are asked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// As many runs as a server lists at once.
const MOST_RUNS: usize = 1000;

#[derive(clap::Args)]
pub(crate) struct Logs {
    node: NodeId,
    /// Of how many of the newest runs
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    limit: usize,
    /// Go on with the runs that come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    of: OfTenant,
}

#[derive(Deserialize)]
struct Listed {
    runs: Vec<Summary>,
}

#[derive(Deserialize)]
struct Summary {
    id: String,
    cause: Option<String>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Usage {
    log_bytes: u64,
}

#[derive(Deserialize)]
struct Whole {
    id: String,
    started_at: Timestamp,
    cause: Option<String>,
    detail: Option<String>,
    usage: WallTime,
    log: Log,
}

#[derive(Deserialize)]
struct WallTime {
    wall_micros: u64,
}

#[derive(Deserialize)]
struct Log {
    lines: Vec<Line>,
    dropped_bytes: u64,
}

#[derive(Deserialize)]
struct Line {
    at_micros: u64,
    level: String,
    text: String,
}

impl Logs {
    /// A bot break is the last line of its run; `--json` prints the whole records, one a line.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.of.client()?;
        client.of_tenant("")?;
        // Who follows must know of all that is there already, to tell what is new.
        let listed = self.newest(&client, if self.follow { MOST_RUNS } else { self.limit })?;
        listed.iter().take(self.limit).rev().try_for_each(|run| print(&client, run))?;
        if self.follow { self.follow(&client, ids(listed)) } else { Ok(ExitCode::SUCCESS) }
    }

    fn follow(&self, client: &Client, mut seen: HashSet<String>) -> anyhow::Result<ExitCode> {
        loop {
            thread::sleep(POLL_INTERVAL);
            let listed = self.newest(client, MOST_RUNS)?;
            listed.iter().rev().filter(|run| !seen.contains(&run.id)).try_for_each(|run| print(client, run))?;
            seen = ids(listed);
        }
    }

    fn newest(&self, client: &Client, limit: usize) -> anyhow::Result<Vec<Summary>> {
        Ok(newest_runs(client, Some(&self.node), None, limit)?.read::<Listed>()?.runs)
    }
}

fn ids(listed: Vec<Summary>) -> HashSet<String> {
    listed.into_iter().map(|run| run.id).collect()
}

/// Prints the log of a run, if it has one.
fn print(client: &Client, run: &Summary) -> anyhow::Result<()> {
    if run.usage.log_bytes == 0 && run.cause.is_none() {
        return Ok(());
    }
    let answer = match client.get(&format!("/v1/runs/{}", id(&run.id)?)) {
        // Its record had to make room since it was listed.
        Err(error) if error.downcast_ref::<Problem>().is_some_and(|problem| problem.status() == 404) => return Ok(()),
        answer => answer?,
    };
    answer.show(client, lines)
}

fn lines(out: &mut dyn Write, run: Whole) -> io::Result<()> {
    let Whole { id, started_at, cause, detail, usage, log } = run;
    // The end of a run's id is what tells it from the others of its second.
    let id: String = id.chars().skip(id.len().saturating_sub(SHORT)).collect();
    let mut line = |micros: u64, level: &str, text: &str| {
        let at = started_at.checked_add(Duration::from_micros(micros)).unwrap_or(started_at);
        writeln!(out, "{DIM}{at:.3} {}{DIM:#} {:<8} {}", one_line(&id), one_line(level), one_line(text))
    };
    for Line { at_micros, level, text } in &log.lines {
        line(*at_micros, level, text)?;
    }
    if log.dropped_bytes > 0 {
        line(usage.wall_micros, "-", &format!("… {} more were dropped", ByteSize(log.dropped_bytes)))?;
    }
    match cause {
        Some(cause) => line(usage.wall_micros, "break", &format!("{cause}: {}", detail.unwrap_or_default())),
        None => Ok(()),
    }
}
