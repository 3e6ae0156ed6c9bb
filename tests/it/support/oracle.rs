//! The oracle: whatever a guest did, afterwards the host is as it was before.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Limits, Outcome, Run};
use sandbox::Prepared;

use super::{House, guest};

/// How much more memory the process may hold than at the start.
const MEMORY_SLACK_BYTES: usize = 32 << 20;

/// How far a run may go past its time: ticks are 1 ms, but a machine that others share stands still for longer, and some of that counts as computing.
const WALL_SLACK: Duration = Duration::from_secs(3);
const CPU_SLACK: Duration = Duration::from_secs(1);

/// How fast another node answers after the worst guest; the runs of the tests share two cores.
const NEIGHBOUR_WAITS: Duration = Duration::from_millis(100);

/// What a quiet process looked like, to be compared with after each guest. Only for a test that is [`alone`](super::alone).
pub(crate) struct Oracle<'a> {
    house: &'a House,
    neighbour: Arc<Prepared>,
    free_turns: usize,
    files: usize,
    resident_bytes: usize,
}

impl<'a> Oracle<'a> {
    /// Looks around in a house that is warm: the neighbour has run.
    pub(crate) fn look_around(house: &'a House) -> Self {
        let neighbour = house.prepare(&guest::named("answers"));
        for _ in 0..3 {
            house.run(&neighbour, &Limits::DEFAULT);
        }
        let free_turns = house.sandbox.free_turns();
        Self { house, neighbour, free_turns, files: open_files(), resident_bytes: resident_bytes() }
    }

    /// Runs a guest, looks around again, and tells what came of it in one line.
    pub(crate) fn verdict(&self, name: &str, artifact: &[u8], limits: &Limits) -> String {
        self.verdict_on("{}", name, artifact, limits)
    }

    /// The same, for an event.
    pub(crate) fn verdict_on(&self, event: &str, name: &str, artifact: &[u8], limits: &Limits) -> String {
        match self.house.try_prepare(artifact) {
            Ok(prepared) => {
                let run = self.house.run_on(event, &prepared, limits);
                let line = format!("{name}: {}", told(&run));
                self.check_usage(&line, &run, limits);
                drop(prepared);
                self.check(&line);
                line
            }
            Err(error) => {
                let line = format!("{name}: refused: {error}");
                self.check(&line);
                line
            }
        }
    }

    /// Fails unless the host is as it was.
    pub(crate) fn check(&self, after: &str) {
        let house = self.house;
        assert_eq!(house.sandbox.running(), 0, "runs alive after {after}");
        assert_eq!(house.sandbox.free_turns(), self.free_turns, "turns kept after {after}");
        // Another process may take the machine for a moment, but not three times in a row.
        let waited = (0..3).map(|_| self.neighbour_waits(after)).min().unwrap();
        assert!(waited < NEIGHBOUR_WAITS, "the neighbour waited {waited:?} after {after}");
        eventually(
            || open_files() == self.files,
            || format!("{} files open, {} before {after}", open_files(), self.files),
        );
        let bound = self.resident_bytes + MEMORY_SLACK_BYTES;
        eventually(
            || resident_bytes() <= bound,
            || format!("{} KiB resident, {} before {after}", resident_bytes() >> 10, self.resident_bytes >> 10),
        );
    }

    fn neighbour_waits(&self, after: &str) -> Duration {
        let asked = Instant::now();
        let run = self.house.run(&self.neighbour, &Limits::DEFAULT);
        let waited = asked.elapsed();
        assert!(
            matches!(&run.outcome, Outcome::Reply(reply) if reply.as_str() == guest::OK),
            "{after}; the neighbour: {run:?}"
        );
        waited
    }

    /// No run uses more than it may, and no record tells of this machine.
    fn check_usage(&self, after: &str, run: &Run, limits: &Limits) {
        let usage = &run.usage;
        assert!(usage.cpu_time <= limits.cpu_time + CPU_SLACK, "{usage:?} by {after}");
        assert!(usage.wall_time <= limits.wall_time + WALL_SLACK, "{usage:?} by {after}");
        assert!(usage.memory_bytes <= limits.memory_bytes, "{usage:?} by {after}");
        assert!(usage.log_bytes <= limits.log_bytes, "{usage:?} by {after}");
        let record = serde_json::to_string(run).unwrap();
        for secret in [env!("CARGO_MANIFEST_DIR"), self.house.folder().to_str().unwrap()] {
            assert!(!record.contains(secret), "{secret} in {record}");
        }
    }
}

/// A run in one line: the reply, or the cause with its detail and its trap.
pub(crate) fn told(run: &Run) -> String {
    match &run.outcome {
        Outcome::Reply(reply) => format!("reply {}", reply.as_str()),
        Outcome::BotBreak(broken) => {
            let trap = broken.trap.as_ref().map(|trap| format!(" [{trap}]")).unwrap_or_default();
            format!("{}: {}{trap}", broken.cause, broken.detail)
        }
    }
}

/// Files that this process holds open.
pub(crate) fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Memory of this process that is in RAM.
pub(crate) fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    kib.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Waits a few seconds for `holds`, then fails with `why`.
pub(crate) fn eventually(holds: impl Fn() -> bool, why: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(Instant::now() < deadline, "{}", why());
        std::thread::sleep(Duration::from_millis(5));
    }
}
