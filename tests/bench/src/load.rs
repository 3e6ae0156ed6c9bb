//! The load generator: one thread that polls, keep-alive connections, and histograms of what they saw.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use crate::connection::Connection;
use crate::price::{Key, SECRET};

/// Failures of which a load gives up: the server is not worth measuring.
const MAX_FAILURES: u64 = 1_000;
/// How long one answer is waited for. What runs sources is compiled once, which takes minutes on a busy machine, and the first event waits for it.
const PATIENCE: Duration = Duration::from_secs(300);
/// What an open load may owe before it gives up, in requests.
const MAX_BACKLOG: usize = 1 << 20;
/// The range of a histogram, in nanoseconds: up to two minutes.
const MAX_LATENCY: u64 = 120_000_000_000;

/// Requests of one kind, over some connections of their own.
#[derive(Clone)]
pub struct Traffic {
    request: Vec<u8>,
    connections: usize,
    status: u16,
    holds: Vec<u8>,
}

/// When the next request goes out.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// On each connection as soon as the answer before it is there.
    Closed,
    /// At fixed instants, whatever the server does; latency counts from the instant, so that a stall is not left out.
    Open {
        /// Requests per second.
        rate: f64,
    },
}

/// How long a load lasts.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// Not measured.
    pub warm_up: Duration,
    /// Measured.
    pub measured: Duration,
}

impl Phases {
    /// The warm-up alone.
    #[must_use]
    pub const fn only_warm_up(self) -> Self {
        Self { measured: Duration::ZERO, ..self }
    }

    /// The rest, of a server that is warm.
    #[must_use]
    pub const fn only_measured(self) -> Self {
        Self { warm_up: Duration::ZERO, ..self }
    }
}

/// What one traffic saw while it was measured.
pub struct Seen {
    /// Latencies in nanoseconds, one for each good answer.
    pub latency: Histogram<u64>,
    /// Answers of another status or body, and connections that broke.
    pub failures: u64,
    /// The time that was measured.
    pub elapsed: Duration,
}

impl Seen {
    /// Good answers per second.
    pub fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// A percentile of the latency, in microseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        self.latency.value_at_percentile(percent) as f64 / 1e3
    }

    fn record(&mut self, latency: Duration) {
        self.latency.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(MAX_LATENCY));
    }

    fn new() -> anyhow::Result<Self> {
        let latency = Histogram::new_with_bounds(1, MAX_LATENCY, 3)?;
        Ok(Self { latency, failures: 0, elapsed: Duration::ZERO })
    }
}

impl Traffic {
    /// Signed events to one node, and what each answer must be.
    pub fn signed(node: &str, event: &[u8], connections: usize, status: u16, holds: &str) -> Self {
        let signature = Key::new(SECRET).sign(event);
        let head = format!(
            "POST /hooks/bench/{node} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             X-Hub-Signature: {signature}\r\nContent-Length: {}\r\n\r\n",
            event.len()
        );
        let request = [head.as_bytes(), event].concat();
        Self { request, connections, status, holds: holds.as_bytes().to_vec() }
    }
}

/// Sends one request over a connection of its own and waits for its answer.
///
/// # Errors
/// The answer is another than it should be, or there is none in five minutes.
pub fn once(address: SocketAddr, traffic: &Traffic) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).context("cannot connect to the server")?;
    connection.send(&traffic.request)?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let Some(answer) = connection.advance(&traffic.request)? else { continue };
        if answer.status == traffic.status && connection.holds(&traffic.holds) {
            return Ok(());
        }
        bail!("the server answers with status {} instead of what it should", answer.status);
    }
    bail!("the server does not answer")
}

/// One connection and what it is waiting for.
struct Line {
    connection: Connection,
    traffic: usize,
    /// When the request under way should have gone out.
    due: Option<Instant>,
}

struct Generator<'a> {
    address: SocketAddr,
    traffics: &'a [Traffic],
    poll: Poll,
    lines: Vec<Line>,
    seen: Vec<Seen>,
    measuring: bool,
}

/// Sends `traffics` to `address`, all at once, and says what each saw.
///
/// # Errors
/// The server cannot be reached, or fails more often than it answers.
pub fn run(address: SocketAddr, traffics: &[Traffic], pace: Pace, phases: Phases) -> anyhow::Result<Vec<Seen>> {
    let mut generator = Generator::connect(address, traffics)?;
    match pace {
        Pace::Closed => generator.closed(phases)?,
        Pace::Open { rate } => generator.open(rate, phases)?,
    }
    Ok(generator.seen)
}

impl<'a> Generator<'a> {
    fn connect(address: SocketAddr, traffics: &'a [Traffic]) -> anyhow::Result<Self> {
        let mut generator = Self {
            address,
            traffics,
            poll: Poll::new()?,
            lines: Vec::new(),
            seen: traffics.iter().map(|_| Seen::new()).collect::<anyhow::Result<_>>()?,
            measuring: false,
        };
        for (at, traffic) in traffics.iter().enumerate() {
            for _ in 0..traffic.connections {
                let line = generator.line(at, generator.lines.len())?;
                generator.lines.push(line);
            }
        }
        Ok(generator)
    }

    fn line(&self, traffic: usize, token: usize) -> anyhow::Result<Line> {
        let mut connection = Connection::open(self.address).context("cannot connect to the server")?;
        self.poll.registry().register(connection.stream(), Token(token), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Line { connection, traffic, due: None })
    }

    /// Every connection sends its next request when the answer is there.
    fn closed(&mut self, phases: Phases) -> anyhow::Result<()> {
        for line in 0..self.lines.len() {
            self.send(line, Instant::now())?;
        }
        self.until(phases, |generator, ready, _| {
            for line in ready {
                generator.send(line, Instant::now())?;
            }
            Ok(())
        })
    }

    /// Requests are due at fixed instants; those for which no connection is free wait, and their wait counts.
    fn open(&mut self, rate: f64, phases: Phases) -> anyhow::Result<()> {
        let interval = Duration::from_secs_f64(1.0 / rate);
        let mut free: Vec<usize> = (0..self.lines.len()).collect();
        let (mut next, mut backlog) = (Instant::now(), VecDeque::new());
        self.until(phases, |generator, ready, now| {
            free.extend(ready);
            while next <= now {
                backlog.push_back(next);
                next += interval;
            }
            if backlog.len() > MAX_BACKLOG {
                bail!("the server cannot keep up with {rate:.0} requests per second");
            }
            while let Some(line) = free.pop() {
                let Some(due) = backlog.pop_front() else {
                    free.push(line);
                    break;
                };
                generator.send(line, due)?;
            }
            Ok(())
        })?;
        // What is still owed has waited at least until now: left out, a stall at the end would look like none.
        let under_way = self.lines.iter().filter_map(|line| line.due);
        let owed: Vec<Duration> = under_way.chain(backlog).map(|due| due.elapsed()).collect();
        if let Some(seen) = self.seen.first_mut() {
            owed.into_iter().for_each(|waited| seen.record(waited));
        }
        Ok(())
    }

    /// Polls until the phases are over; `step` gets the connections that are free again.
    fn until(
        &mut self,
        phases: Phases,
        mut step: impl FnMut(&mut Self, Vec<usize>, Instant) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1024);
        let start = Instant::now();
        let measure_from = start + phases.warm_up;
        let end = measure_from + phases.measured;
        let mut now = start;
        while now < end {
            match self.poll.poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
            now = Instant::now();
            self.measuring = now >= measure_from;
            let mut ready = Vec::new();
            for event in &events {
                if self.advance(event.token().0)? {
                    ready.push(event.token().0);
                }
            }
            step(self, ready, now)?;
        }
        let elapsed = now.duration_since(measure_from);
        self.seen.iter_mut().for_each(|seen| seen.elapsed = elapsed);
        Ok(())
    }

    fn send(&mut self, line: usize, due: Instant) -> anyhow::Result<()> {
        for _ in 0..2 {
            let Some(at) = self.lines.get_mut(line) else { return Ok(()) };
            let Some(traffic) = self.traffics.get(at.traffic) else { return Ok(()) };
            at.due = Some(due);
            if at.connection.send(&traffic.request).is_ok() {
                return Ok(());
            }
            // The server has closed the connection between two requests.
            self.renew(line)?;
        }
        bail!("the server closes connections that it has just opened")
    }

    /// Whether the connection is free again.
    fn advance(&mut self, line: usize) -> anyhow::Result<bool> {
        let Some(at) = self.lines.get_mut(line) else { return Ok(false) };
        let (Some(due), Some(traffic)) = (at.due, self.traffics.get(at.traffic)) else { return Ok(false) };
        let answer = match at.connection.advance(&traffic.request) {
            Ok(None) => return Ok(false),
            Ok(Some(answer)) => answer,
            Err(_) => {
                self.renew(line)?;
                return Ok(true);
            }
        };
        at.due = None;
        let is_good = answer.status == traffic.status && at.connection.holds(&traffic.holds);
        let Some(seen) = self.seen.get_mut(at.traffic) else { return Ok(false) };
        if !is_good {
            seen.failures += 1;
            if seen.failures > MAX_FAILURES {
                bail!("the server answers with status {} instead of what it should", answer.status);
            }
        } else if self.measuring {
            seen.record(due.elapsed());
        }
        if !answer.keeps_alive {
            let fresh = self.line(self.lines.get(line).map_or(0, |line| line.traffic), line)?;
            if let Some(at) = self.lines.get_mut(line) {
                *at = fresh;
            }
        }
        Ok(true)
    }

    /// Replaces a connection that broke.
    fn renew(&mut self, line: usize) -> anyhow::Result<()> {
        let traffic = self.lines.get(line).map_or(0, |line| line.traffic);
        if let Some(seen) = self.seen.get_mut(traffic) {
            seen.failures += 1;
            if seen.failures > MAX_FAILURES {
                bail!("the server closes its connections");
            }
        }
        let fresh = self.line(traffic, line)?;
        if let Some(at) = self.lines.get_mut(line) {
            *at = fresh;
        }
        Ok(())
    }
}
