//! A server under test: started on its cores, watched from outside, gone when dropped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a server may take to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Which cores somebody runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// The first one: the server's.
    First,
    /// The second one: the load generator's.
    Second,
    /// Both.
    Both,
}

/// A server that listens.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to the first connection that it took.
    pub started_in: Duration,
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Holdings {
    /// Memory that is its own and no file's, in bytes.
    pub anonymous: u64,
    /// Memory that is in RAM, files included, in bytes.
    pub resident: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Memory maps.
    pub maps: u64,
}

/// Runs `work` on these cores; threads and processes that it starts inherit them.
///
/// # Errors
/// The system does not let us choose, or `work` failed.
pub fn on<T>(cores: Cores, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let before = sched_getaffinity(None)?;
    let mut chosen = CpuSet::new();
    match cores {
        Cores::First => chosen.set(0),
        Cores::Second => chosen.set(1),
        Cores::Both => (0..2).for_each(|core| chosen.set(core)),
    }
    sched_setaffinity(None, &chosen).context("the bench needs cores 0 and 1")?;
    let done = work();
    sched_setaffinity(None, &before)?;
    done
}

/// A port that nobody listens on.
///
/// # Errors
/// The system has none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Process {
    /// Starts `command` on `cores` and waits until it listens on `port`; what it says goes to `log`.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen in time.
    pub fn start(mut command: Command, port: u16, cores: Cores, log: &Path) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let start = Instant::now();
        let child = on(cores, || command.spawn().with_context(|| format!("cannot start {name}")))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut process = Self { child, address, started_in: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{name} ended with {status}; its log is {}", log.display());
            }
            if start.elapsed() > PATIENCE {
                bail!("{name} does not listen on {address}; its log is {}", log.display());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        process.started_in = start.elapsed();
        Ok(process)
    }

    /// CPU time that it has used, in user and system mode together.
    ///
    /// # Errors
    /// The process has ended.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time(&self.proc("stat")?)
    }

    /// The same of those threads alone whose names do not begin so. One that ends in between takes its time along.
    ///
    /// # Errors
    /// The process has ended.
    pub fn cpu_time_beside(&self, prefix: &str) -> anyhow::Result<Duration> {
        let mut total = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let folder = thread?.path();
            // It may have ended since it was listed.
            let Ok(stat) = fs::read_to_string(folder.join("stat")) else { continue };
            if !stat.split_once('(').is_some_and(|(_, name)| name.starts_with(prefix)) {
                total += cpu_time(&stat)?;
            }
        }
        Ok(total)
    }

    /// What it holds now.
    ///
    /// # Errors
    /// The process has ended.
    pub fn holdings(&self) -> anyhow::Result<Holdings> {
        let rollup = self.proc("smaps_rollup")?;
        let kilobytes = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
        };
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count() as u64;
        let maps = self.proc("maps")?.lines().count() as u64;
        Ok(Holdings { anonymous: kilobytes("Anonymous"), resident: kilobytes("Rss"), descriptors, maps })
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            rustix::process::kill_process(pid, Signal::TERM)?;
        }
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > FAREWELL {
                bail!("a server did not end {} s after it was told to", FAREWELL.as_secs());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}: the server has ended"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A server that has ended already is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of a process or a thread, by its `/proc/…/stat`.
fn cpu_time(stat: &str) -> anyhow::Result<Duration> {
    // The name, in parentheses, may hold spaces; field 14 and 15 of the line are the 12th and 13th behind it.
    let fields = stat.rsplit_once(')').context("an odd /proc/…/stat")?.1;
    let mut ticks = fields.split_ascii_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or(0));
    let ticks = ticks.next().unwrap_or(0) + ticks.next().unwrap_or(0);
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}
