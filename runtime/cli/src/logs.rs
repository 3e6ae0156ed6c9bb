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
use crate::remote::{Client, OfTenant, Problem, id, may_pass, newest_runs};

const DIM: Style = Style::new().dimmed();
/// What is shown of a run's id.
const SHORT: usize = 12;
/// How often new runs are asked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Between two attempts to reach a server that does not answer, it grows to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// As many runs as a server lists at once, and as many lists of them as are read at a time.
const MOST_RUNS: usize = 1000;
const MOST_PAGES: usize = 100;

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
    next: Option<String>,
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
        let listed = self.newest(&client, if self.follow { MOST_RUNS } else { self.limit }, None)?.runs;
        listed.iter().take(self.limit).rev().try_for_each(|run| print(&client, run))?;
        if self.follow { self.follow(&client, ids(listed)) } else { Ok(ExitCode::SUCCESS) }
    }

    /// Goes on through what passes: a server that starts again, a network that is away.
    fn follow(&self, client: &Client, mut seen: HashSet<String>) -> anyhow::Result<ExitCode> {
        let mut pause = POLL_INTERVAL;
        loop {
            thread::sleep(pause);
            match self.print_new(client, &mut seen) {
                Ok(()) => {
                    if pause > POLL_INTERVAL {
                        eprintln!("{} answers again", client.server());
                    }
                    pause = POLL_INTERVAL;
                }
                Err(error) if may_pass(&error) => {
                    if pause == POLL_INTERVAL {
                        eprintln!("warning: {error:#}\n  it is asked again until it answers");
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Prints the runs that have not been seen. Where it fails, those that it has printed have been.
    fn print_new(&self, client: &Client, seen: &mut HashSet<String>) -> anyhow::Result<()> {
        let listed = self.back_to(client, seen)?;
        for run in listed.iter().rev() {
            if !seen.contains(&run.id) {
                print(client, run)?;
                seen.insert(run.id.clone());
            }
        }
        *seen = ids(listed);
        Ok(())
    }

    /// The newest runs, newest first, as far back as to one that has been seen.
    fn back_to(&self, client: &Client, seen: &HashSet<String>) -> anyhow::Result<Vec<Summary>> {
        let (mut listed, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = self.newest(client, MOST_RUNS, cursor.as_deref())?;
            let is_far_enough = page.runs.iter().any(|run| seen.contains(&run.id));
            listed.extend(page.runs);
            cursor = page.next;
            if is_far_enough || cursor.is_none() {
                return Ok(listed);
            }
        }
        eprintln!("warning: more than {} runs came at once: the oldest of them are left out", listed.len());
        Ok(listed)
    }

    fn newest(&self, client: &Client, limit: usize, cursor: Option<&str>) -> anyhow::Result<Listed> {
        newest_runs(client, Some(&self.node), None, limit, cursor)?.read()
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
