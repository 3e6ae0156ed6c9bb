//! How results look on a terminal: a reply as a chat would show it, then usage, then the log.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use bytesize::ByteSize;
use model::{BotBreak, Cause, HttpCall, Limits, Log, Message, Outcome, Reply, Run, Usage};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

/// Writes a run for a person.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn run(out: &mut impl Write, run: &Run, limits: &Limits) -> io::Result<()> {
    match &run.outcome {
        Outcome::Reply(reply) => chat(out, reply)?,
        Outcome::BotBreak(bot_break) => broken(out, bot_break)?,
    }
    usage(out, &run.usage, limits)?;
    http_calls(out, &run.http_calls)?;
    log(out, &run.log, limits)
}

/// Writes that an event came as it should.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn passed(out: &mut impl Write, name: &str, took: Duration) -> io::Result<()> {
    writeln!(out, "{GREEN}ok{GREEN:#}      {} {DIM}{}{DIM:#}", one_line(name), time(took))
}

/// Writes that what came is expected from now on.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn kept(out: &mut impl Write, name: &str, file: &str) -> io::Result<()> {
    writeln!(out, "{BOLD}kept{BOLD:#}    {} {DIM}as {}{DIM:#}", one_line(name), one_line(file))
}

/// Writes that it did not, and the lines that differ.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn failed(out: &mut impl Write, name: &str, took: Duration, lines: &str) -> io::Result<()> {
    writeln!(out, "{RED}FAILED{RED:#}  {} {DIM}{}{DIM:#}", one_line(name), time(took))?;
    for line in lines.lines() {
        let style = match line.chars().next() {
            Some('-') => RED,
            Some('+') => GREEN,
            Some(_) | None => Style::new(),
        };
        writeln!(out, "        {style}{}{style:#}", one_line(line))?;
    }
    Ok(())
}

/// Writes what the bot says, where it replied.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn said(out: &mut impl Write, run: &Run) -> io::Result<()> {
    match &run.outcome {
        Outcome::Reply(reply) => chat(out, reply),
        Outcome::BotBreak(_) => Ok(()),
    }
}

/// Writes what explains an outcome: frames of a bot break, requests, the log.
///
/// # Errors
/// If the terminal or pipe is gone.
pub(crate) fn reasons(out: &mut impl Write, run: &Run, limits: &Limits) -> io::Result<()> {
    if let Outcome::BotBreak(bot_break) = &run.outcome {
        broken(out, bot_break)?;
    }
    http_calls(out, &run.http_calls)?;
    log(out, &run.log, limits)
}

/// Writes a reply as a chat would show it.
pub(crate) fn chat(out: &mut impl Write, reply: &Reply) -> io::Result<()> {
    for message in reply.messages() {
        match message {
            Message::Text(text) => writeln!(out, "{BOLD}bot{BOLD:#}  {}", printable(&text))?,
            Message::Element { kind, text, choices } => {
                writeln!(out, "{BOLD}bot{BOLD:#}  {} {DIM}({}){DIM:#}", printable(&text), printable(&kind))?;
                for choice in choices {
                    writeln!(out, "     [{}]", printable(&choice))?;
                }
            }
        }
    }
    if !reply.status() {
        writeln!(out, "{DIM}     status: false, the business step failed{DIM:#}")?;
    }
    Ok(())
}

fn broken(out: &mut impl Write, bot_break: &BotBreak) -> io::Result<()> {
    let BotBreak { cause, detail, trap, backtrace } = bot_break;
    writeln!(out, "{RED}bot break{RED:#}  {BOLD}{cause}{BOLD:#}  {DIM}(blame: {}){DIM:#}", cause.blame())?;
    writeln!(out, "           {}", printable(detail))?;
    if let Some(mend) = mend(*cause) {
        writeln!(out, "           {mend}")?;
    }
    if let Some(trap) = trap {
        writeln!(out, "           {DIM}trap: {trap}{DIM:#}")?;
    }
    for (depth, frame) in backtrace.iter().enumerate() {
        writeln!(out, "           {DIM}{depth:>2}{DIM:#} {}", printable(&frame.to_string()))?;
    }
    Ok(())
}

/// What to do about a limit, whose detail only names it.
const fn mend(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::OutOfCpu => Some("look for a loop that does not end, or set `cpu_time` in [limits] if it takes so long"),
        Cause::OutOfTime => Some("look for what it waits for, give requests a timeout, or set `wall_time` in [limits]"),
        Cause::OutOfMemory => Some("look for what grows without end, or set `memory` in [limits]"),
        Cause::OutOfStack => Some("look for a function that calls itself without end"),
        Cause::Trap
        | Cause::Exception
        | Cause::Exit
        | Cause::ReplyNotJson
        | Cause::ReplyWrongShape
        | Cause::ReplyEmpty
        | Cause::ReplyTooLarge
        | Cause::TooManyCalls
        | Cause::UpstreamFailed
        | Cause::OverQuota
        | Cause::Overloaded
        | Cause::Unavailable
        | Cause::Internal => None,
    }
}

fn usage(out: &mut impl Write, used: &Usage, limits: &Limits) -> io::Result<()> {
    writeln!(out, "\n{DIM}usage{DIM:#}")?;
    row(out, "wall time", time(used.wall_time), time(limits.wall_time))?;
    row(out, "CPU time", time(used.cpu_time), time(limits.cpu_time))?;
    row(out, "memory", ByteSize(used.memory_bytes), ByteSize(limits.memory_bytes))?;
    row(out, "host calls", used.host_calls, limits.host_calls)?;
    row(out, "event", ByteSize(used.event_bytes), ByteSize(limits.event_bytes))?;
    row(out, "reply", ByteSize(used.reply_bytes), ByteSize(limits.reply_bytes))?;
    row(out, "log", ByteSize(used.log_bytes), ByteSize(limits.log_bytes))?;
    if used.http_calls > 0 {
        row(out, "HTTP calls", used.http_calls, limits.http_calls)?;
        row(out, "  sent", ByteSize(used.http_request_bytes), ByteSize(limits.http_request_bytes))?;
        row(out, "  received", ByteSize(used.http_response_bytes), ByteSize(limits.http_response_bytes))?;
    }
    if used.kv_calls > 0 {
        row(out, "key-value", used.kv_calls, limits.kv_calls)?;
        row(out, "  data", ByteSize(used.kv_data_bytes), ByteSize(limits.kv_data_bytes))?;
    }
    Ok(())
}

fn http_calls(out: &mut impl Write, calls: &[HttpCall]) -> io::Result<()> {
    if calls.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{DIM}HTTP{DIM:#}")?;
    for HttpCall { method, origin, path, status, refused, failed, wall_time, after, .. } in calls {
        let at = after.as_secs_f64() * 1e3;
        write!(out, "  {DIM}{at:>8.2} ms{DIM:#} {}", one_line(&format!("{method} {origin}{path}")))?;
        if let Some(status) = status {
            write!(out, "  {status}")?;
        }
        writeln!(out, "  {}", time(*wall_time))?;
        for (what, why) in [("refused", refused), ("failed", failed)] {
            if let Some(why) = why {
                writeln!(out, "              {RED}{what}{RED:#} {}", one_line(why))?;
            }
        }
    }
    Ok(())
}

fn row(out: &mut impl Write, name: &str, used: impl Display, limit: impl Display) -> io::Result<()> {
    writeln!(out, "  {name:<11}{:>11}  of {limit}", used.to_string())
}

fn log(out: &mut impl Write, log: &Log, limits: &Limits) -> io::Result<()> {
    if log.lines.is_empty() && log.dropped_bytes == 0 {
        return Ok(());
    }
    writeln!(out, "\n{DIM}log{DIM:#}")?;
    for line in &log.lines {
        let at = Duration::from_micros(line.at_micros).as_secs_f64() * 1e3;
        writeln!(out, "  {DIM}{at:>8.2} ms{DIM:#} {:<8} {}", line.level, line.text)?;
    }
    if log.dropped_bytes > 0 {
        let (dropped, limit) = (ByteSize(log.dropped_bytes), ByteSize(limits.log_bytes));
        writeln!(out, "  {DIM}… {dropped} more were dropped: the log is limited to {limit}{DIM:#}")?;
    }
    Ok(())
}

/// Two significant places are enough for a person: `1.25 ms`.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds >= 1.0 => format!("{seconds:.3} s"),
        _ if seconds >= 1e-3 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.0} us", seconds * 1e6),
    }
}

/// A guest's or a server's text, with what would drive the terminal, or turn its lines around, escaped. Line breaks stay.
pub(crate) fn printable(text: &str) -> String {
    escaped(text, |character| character != '\n')
}

/// The same for what must stay on one line.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, |_| true)
}

/// A server's JSON as it came, with such characters in JSON's own escapes, so that it means the same.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) && !matches!(character, '\n' | '\r') {
            // Outside ASCII's own controls, such a character can only stand in a string.
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn escaped(text: &str, is_unwanted: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) && is_unwanted(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_deceptive(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_drive_a_terminal_is_escaped() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{9b}\u{202e}नमस्ते"), "a\\u{1b}[2J\nb\\u{9b}\\u{202e}नमस्ते");
        assert_eq!(one_line("a\r\nb"), "a\\r\\nb");
    }

    #[test]
    fn json_means_the_same_when_it_is_shown() {
        let text = "{\n  \"a\": \"\u{7f}\u{9b}2J\u{202e}😊\"\r\n}";
        let shown = json(text);
        assert!(!shown.contains('\u{9b}') && shown.contains("\\u009b"), "{shown}");
        let [before, after] = [text, &shown].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(before, after);
    }
}
