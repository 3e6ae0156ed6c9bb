//! A run's log: the SDKs' own interface, `wasi:logging` and the output streams, up to the run's limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use model::{Level, Log};
use wasmtime::component::Linker;

use super::codenode::node::log as words;
use super::wasi::logging::logging;
use crate::failure::Stop;
use crate::host::Host;

/// What a line costs at the least, so that empty lines cannot outgrow the limit either.
const MIN_LINE_BYTES: usize = 16;

/// The log of one run, shared with the guest's output streams.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Mutex<Entries>>);

struct Entries {
    started: Instant,
    limit_bytes: u64,
    kept_bytes: u64,
    log: Log,
    /// The unfinished last line of each stream.
    partial: [Vec<u8>; 2],
}

/// The longest text that the SDKs' own interface takes piece by piece; what is more is dropped and counted.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// The bytes of one part of it.
const PART_BYTES: u64 = 14 * 8;

/// The output streams of a guest.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    const fn level(self) -> Level {
        match self {
            Self::Stdout => Level::Info,
            Self::Stderr => Level::Warn,
        }
    }
}

impl Journal {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        let (log, partial) = (Log::default(), [Vec::new(), Vec::new()]);
        Self(Arc::new(Mutex::new(Entries { started: Instant::now(), limit_bytes, kept_bytes: 0, log, partial })))
    }

    /// Appends a message, one line for each of its lines.
    pub(crate) fn write(&self, level: Level, message: &str) {
        let mut entries = self.lock();
        for line in message.lines() {
            entries.keep(level, line.as_bytes());
        }
    }

    /// Appends raw output; what follows the last line break waits for the rest of its line.
    pub(crate) fn stream(&self, stream: Stream, bytes: &[u8]) {
        let mut entries = self.lock();
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            let partial = entries.partial(stream);
            let room = line.len().min(MAX_PARTIAL_BYTES.saturating_sub(partial.len()));
            let (kept, dropped) = line.split_at(room);
            partial.extend_from_slice(kept);
            entries.log.dropped_bytes += dropped.len() as u64;
            if lines.peek().is_some() {
                entries.finish(stream);
            }
        }
    }

    /// Counts text that was not kept.
    pub(crate) fn lose(&self, bytes: u64) {
        self.lock().log.dropped_bytes += bytes;
    }

    /// Ends the unfinished lines and takes the log: its lines, and the bytes that it keeps.
    pub(crate) fn finish(&self) -> (Log, u64) {
        let mut entries = self.lock();
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !entries.partial(stream).is_empty() {
                entries.finish(stream);
            }
        }
        (std::mem::take(&mut entries.log), entries.kept_bytes)
    }

    /// The last line, if it was critical: the SDKs' panic hooks write one before they trap.
    pub(crate) fn last_words(&self) -> Option<String> {
        let entries = self.lock();
        entries.log.lines.last().filter(|line| line.level == Level::Critical).map(|line| line.text.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest line; also the bound on what a guest can park here by never ending a line.
const MAX_PARTIAL_BYTES: usize = 16 << 10;

impl Entries {
    fn partial(&mut self, stream: Stream) -> &mut Vec<u8> {
        let [stdout, stderr] = &mut self.partial;
        match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        }
    }

    fn finish(&mut self, stream: Stream) {
        let line = std::mem::take(self.partial(stream));
        self.keep(stream.level(), line.strip_suffix(b"\r").unwrap_or(&line));
    }

    /// Keeps as much of a line as the limit leaves room for.
    fn keep(&mut self, level: Level, line: &[u8]) {
        let room = usize::try_from(self.limit_bytes - self.kept_bytes).unwrap_or(usize::MAX);
        if room < MIN_LINE_BYTES {
            self.log.dropped_bytes += line.len() as u64;
            return;
        }
        let (kept, dropped) = line.split_at(line.len().min(room).min(MAX_PARTIAL_BYTES));
        self.log.dropped_bytes += dropped.len() as u64;
        self.kept_bytes += kept.len().max(MIN_LINE_BYTES) as u64;
        self.log.push(self.started.elapsed(), level, &String::from_utf8_lossy(kept));
    }
}

impl logging::Host for Host {
    fn log(&mut self, level: logging::Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => Level::Trace,
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error => Level::Error,
            logging::Level::Critical => Level::Critical,
        };
        if context.is_empty() { self.log(level, &message) } else { self.log(level, &format!("{context}: {message}")) }
    }
}

/// The text of a call of the SDKs' own interface, and of the calls before it that said there was more.
impl words::Host for Host {
    /// A text is one call, in however many parts it comes, as it is in `wasi:logging`. But only full parts are free, and no more of them than
    /// a text may have: nobody calls for ever at no charge.
    fn more(&mut self, bytes: u8, text: words::Words) -> wasmtime::Result<()> {
        let has_room = self.log_text.len() < MAX_TEXT_BYTES;
        if has_room {
            push_words(&mut self.log_text, bytes, text);
        } else {
            self.journal.lose(u64::from(bytes).min(PART_BYTES));
        }
        if has_room && u64::from(bytes) >= PART_BYTES { Ok(()) } else { self.log_call() }
    }

    fn write(&mut self, level: words::Level, bytes: u8, text: words::Words) -> wasmtime::Result<()> {
        let level = match level {
            words::Level::Trace => Level::Trace,
            words::Level::Debug => Level::Debug,
            words::Level::Info => Level::Info,
            words::Level::Warn => Level::Warn,
            words::Level::Error => Level::Error,
            words::Level::Critical => Level::Critical,
        };
        let mut whole = std::mem::take(&mut self.log_text);
        push_words(&mut whole, bytes, text);
        self.log(level, &String::from_utf8_lossy(&whole))
    }
}

impl Host {
    fn log(&mut self, level: Level, text: &str) -> wasmtime::Result<()> {
        self.log_call()?;
        self.journal.write(level, text);
        Ok(())
    }

    fn log_call(&mut self) -> wasmtime::Result<()> {
        self.count_call();
        if self.calls_exceeded() { Err(Stop::TooManyCalls.into()) } else { Ok(()) }
    }
}

fn push_words(text: &mut Vec<u8>, bytes: u8, (a, b, c, d, e, f, g, h, i, j, k, l, m, n): words::Words) {
    let words = [a, b, c, d, e, f, g, h, i, j, k, l, m, n];
    text.extend(words.into_iter().flat_map(u64::to_le_bytes).take(bytes.into()));
}

/// The same interface under the name without a version, which older guests import.
pub(crate) fn link_unversioned(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.instance("wasi:logging/logging")?.func_wrap(
        "log",
        |mut store, (level, context, message): (logging::Level, String, String)| {
            logging::Host::log(store.data_mut(), level, context, message)
        },
    )
}

#[cfg(test)]
mod tests {
    use model::{Event, Limits};

    use super::*;
    use crate::Grants;
    use crate::capabilities::http::Sent;
    use crate::host::{Alive, Stdio};
    use crate::pace::{Pace, SlowLane};

    fn texts(journal: &Journal) -> Vec<String> {
        journal.finish().0.lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_stream_becomes_lines_however_it_is_cut() {
        let journal = Journal::new(1_000);
        for byte in "one\r\n\ntwo — ü\nthree".as_bytes() {
            journal.stream(Stream::Stdout, &[*byte]);
        }
        assert_eq!(texts(&journal), ["one", "", "two — ü", "three"]);
    }

    #[test]
    fn past_the_limit_nothing_is_kept_and_everything_is_counted() {
        let journal = Journal::new(40);
        journal.write(Level::Info, &"a".repeat(30));
        journal.write(Level::Info, &"b".repeat(30));
        journal.stream(Stream::Stderr, "c\n".repeat(10).as_bytes());
        let (log, kept) = journal.finish();
        assert_eq!((log.lines.len(), kept, log.dropped_bytes), (1, 30, 40));
    }

    #[test]
    fn a_line_that_never_ends_is_bounded() {
        let journal = Journal::new(1 << 20);
        for _ in 0..1_000 {
            journal.stream(Stream::Stdout, &[b'x'; 4096]);
        }
        let (log, _) = journal.finish();
        assert_eq!(log.lines[0].text.len(), MAX_PARTIAL_BYTES);
        assert_eq!(log.dropped_bytes, (4096 * 1_000 - MAX_PARTIAL_BYTES) as u64);
    }

    fn host(limits: Limits) -> Host {
        let pace = Pace::start(SlowLane::new(1));
        Host::new(limits, Grants::default().into(), pace, Stdio::Quiet, Alive::new(&Arc::default()))
    }

    /// `text` as the words of as many calls as it takes, the last one a `write`.
    fn say(host: &mut Host, text: &[u8]) -> wasmtime::Result<()> {
        let words = |part: &[u8]| {
            let word = |at: usize| {
                let mut bytes = [0; 8];
                part.iter().skip(at * 8).zip(&mut bytes).for_each(|(from, to)| *to = *from);
                u64::from_le_bytes(bytes)
            };
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = std::array::from_fn(word);
            (u8::try_from(part.len()).unwrap(), (a, b, c, d, e, f, g, h, i, j, k, l, m, n))
        };
        let mut parts = text.chunks(112).peekable();
        while let Some(part) = parts.next() {
            let (bytes, words) = words(part);
            match parts.peek() {
                Some(_) => words::Host::more(host, bytes, words)?,
                None => words::Host::write(host, words::Level::Warn, bytes, words)?,
            }
        }
        Ok(())
    }

    #[test]
    fn a_text_in_parts_is_one_line_and_one_call() {
        let mut host = host(Limits::DEFAULT);
        let text = "नमस्ते — ".repeat(20);
        say(&mut host, text.as_bytes()).unwrap();
        say(&mut host, b"short").unwrap();
        let (log, _) = host.journal.finish();
        let lines: Vec<(Level, &str)> = log.lines.iter().map(|line| (line.level, line.text.as_str())).collect();
        assert_eq!(lines, [(Level::Warn, text.as_str()), (Level::Warn, "short")]);
        assert_eq!(host.usage(&Event::parse("{}".into()).unwrap(), Sent::default()).host_calls, 2);
    }

    #[test]
    fn a_text_without_end_is_bounded_and_what_is_lost_is_counted() {
        let mut host = host(Limits { log_bytes: 1 << 20, ..Limits::DEFAULT });
        say(&mut host, &vec![b'x'; 300 << 10]).unwrap();
        let (log, kept) = host.journal.finish();
        assert_eq!(log.lines.len(), 1);
        assert_eq!(kept + log.dropped_bytes, 300 << 10);
        assert!(host.log_text.is_empty());
    }

    #[test]
    fn parts_that_say_nothing_or_never_end_are_calls() {
        let limits = Limits { host_calls: 100, ..Limits::DEFAULT };
        let words = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        for bytes in [0, 111, 112, 255] {
            let mut host = host(limits);
            let calls = (0..2_000).take_while(|_| words::Host::more(&mut host, bytes, words).is_ok()).count();
            assert!(calls <= 100 + MAX_TEXT_BYTES.div_ceil(112), "{bytes}: {calls}");
        }
    }
}
