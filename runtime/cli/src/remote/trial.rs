use std::time::Duration;

use anyhow::Context as _;
use model::{BotBreak, Frame, HttpCall, Level, Limits, Line, Log, Outcome, Reply, Run, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Answer;

/// A run as a server tells of it, for a person to read.
pub(crate) struct Trial {
    pub(crate) run: Run,
    pub(crate) limits: Limits,
}

impl Trial {
    /// # Errors
    /// If the server is of another version and tells of something that this one does not know.
    pub(crate) fn of(answer: &Answer) -> anyhow::Result<Self> {
        answer.read::<WireTrial>()?.known().context("this run cannot be shown; `--json` prints it as it came")
    }

    /// Whether the chat would have gone on.
    pub(crate) const fn is_reply(&self) -> bool {
        matches!(self.run.outcome, Outcome::Reply(_))
    }
}

#[derive(Deserialize)]
struct WireTrial {
    outcome: WireOutcome,
    usage: WireUsage,
    limits: WireLimits,
    log: WireLog,
    #[serde(default)]
    http_calls: Vec<HttpCall>,
}

/// Either of the two: written out, because a reply is kept byte for byte, which serde's enums cannot.
#[derive(Deserialize)]
struct WireOutcome {
    reply: Option<Box<RawValue>>,
    bot_break: Option<WireBotBreak>,
}

#[derive(Deserialize)]
struct WireBotBreak {
    cause: String,
    detail: String,
    trap: Option<String>,
    #[serde(default)]
    backtrace: Vec<WireFrame>,
}

#[derive(Deserialize)]
struct WireFrame {
    function: String,
    location: Option<String>,
    times: u32,
}

#[derive(Deserialize)]
struct WireUsage {
    wall_micros: u64,
    cpu_micros: u64,
    memory_bytes: u64,
    host_calls: u64,
    event_bytes: u64,
    reply_bytes: u64,
    log_bytes: u64,
    #[serde(default)]
    http_calls: u64,
    #[serde(default)]
    http_request_bytes: u64,
    #[serde(default)]
    http_response_bytes: u64,
    #[serde(default)]
    kv_calls: u64,
    #[serde(default)]
    kv_data_bytes: u64,
}

#[derive(Deserialize)]
struct WireLimits {
    wall_time: String,
    cpu_time: String,
    memory_bytes: u64,
    event_bytes: u64,
    reply_bytes: u64,
    log_bytes: u64,
    host_calls: u64,
    host_call_bytes: u64,
    handles: u64,
    #[serde(default)]
    http_calls: u64,
    #[serde(default)]
    http_request_bytes: u64,
    #[serde(default)]
    http_response_bytes: u64,
    #[serde(default)]
    kv_calls: u64,
    #[serde(default)]
    kv_data_bytes: u64,
    #[serde(default)]
    conversation_value_chars: u64,
    #[serde(default)]
    user_value_chars: u64,
}

#[derive(Deserialize)]
struct WireLog {
    lines: Vec<WireLine>,
    dropped_bytes: u64,
}

#[derive(Deserialize)]
struct WireLine {
    at_micros: u64,
    level: String,
    text: String,
}

impl WireTrial {
    fn known(self) -> anyhow::Result<Trial> {
        let used = self.usage;
        let usage = Usage {
            wall_time: Duration::from_micros(used.wall_micros),
            cpu_time: Duration::from_micros(used.cpu_micros),
            memory_bytes: used.memory_bytes,
            host_calls: used.host_calls,
            event_bytes: used.event_bytes,
            reply_bytes: used.reply_bytes,
            log_bytes: used.log_bytes,
            http_calls: used.http_calls,
            http_request_bytes: used.http_request_bytes,
            http_response_bytes: used.http_response_bytes,
            kv_calls: used.kv_calls,
            kv_data_bytes: used.kv_data_bytes,
        };
        let limits = self.limits.known()?;
        let (outcome, log) = (self.outcome.known()?, self.log.known()?);
        Ok(Trial { run: Run { outcome, usage, log, http_calls: self.http_calls }, limits })
    }
}

impl WireOutcome {
    fn known(self) -> anyhow::Result<Outcome> {
        if let Some(reply) = self.reply {
            return Ok(Outcome::Reply(Reply::parse(reply.get().to_owned())?));
        }
        let WireBotBreak { cause, detail, trap, backtrace } =
            self.bot_break.context("it is neither a reply nor a bot break")?;
        let cause = cause.parse().with_context(|| format!("its cause is `{}`", cause.escape_debug()))?;
        let frame = |WireFrame { function, location, times }| Frame { function, location, times };
        Ok(Outcome::BotBreak(BotBreak { cause, detail, trap, backtrace: backtrace.into_iter().map(frame).collect() }))
    }
}

impl WireLimits {
    fn known(self) -> anyhow::Result<Limits> {
        Ok(Limits {
            wall_time: humantime::parse_duration(&self.wall_time)?,
            cpu_time: humantime::parse_duration(&self.cpu_time)?,
            memory_bytes: self.memory_bytes,
            event_bytes: self.event_bytes,
            reply_bytes: self.reply_bytes,
            log_bytes: self.log_bytes,
            host_calls: self.host_calls,
            host_call_bytes: self.host_call_bytes,
            handles: self.handles,
            http_calls: self.http_calls,
            http_request_bytes: self.http_request_bytes,
            http_response_bytes: self.http_response_bytes,
            kv_calls: self.kv_calls,
            kv_data_bytes: self.kv_data_bytes,
            conversation_value_chars: self.conversation_value_chars,
            user_value_chars: self.user_value_chars,
        })
    }
}

impl WireLog {
    fn known(self) -> anyhow::Result<Log> {
        let line = |WireLine { at_micros, level, text }| Ok(Line { at_micros, level: known_level(&level)?, text });
        let lines = self.lines.into_iter().map(line).collect::<anyhow::Result<_>>()?;
        Ok(Log { lines, dropped_bytes: self.dropped_bytes })
    }
}

fn known_level(name: &str) -> anyhow::Result<Level> {
    let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical];
    let level = levels.into_iter().find(|level| level.to_string() == name);
    level.with_context(|| format!("a line of its log has the level `{}`", name.escape_debug()))
}
