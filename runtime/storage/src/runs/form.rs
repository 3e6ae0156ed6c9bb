//! The bytes of a page: its version, then in LZ4 what the records have in common and what each has of its own, in postcard's format.
//!
//! A run is over in microseconds, so its record must be written in few: without names of fields, and what is the same for most only once.
//! Fields are never changed or reordered within a version: what was written must be read by every later release.

mod version_2;

use std::borrow::Cow;

use jiff::Timestamp;
use model::{
    ArtifactId, BotBreak, Cause, ChatAfterwards, Frame, HttpCall, Limits, Log, NodeId, Outcome, Record, Reply,
    RevisionNumber, Run, RunId, TenantId, Usage,
};
use serde::{Deserialize, Serialize};

/// No release ever wrote version 1.
const VERSION: u8 = 3;
/// A full page, and the largest record there can be.
const MOST_BYTES: usize = 32 << 20;

/// Why bytes are no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error("another release wrote it")]
    Version,
    #[error("it is larger than any page")]
    Size,
    #[error("it is cut off or changed: {0}")]
    Compression(#[from] lz4_flex::block::DecompressError),
    #[error("{0}")]
    Fields(#[from] postcard::Error),
    #[error("it has no such value: {0}")]
    Value(String),
}

#[derive(Serialize, Deserialize)]
struct Page<'a> {
    common: Vec<Common>,
    runs: Vec<Own<'a>>,
}

/// What a run shares with those around it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Common {
    revision: Option<RevisionNumber>,
    artifact: Option<ArtifactId>,
    limits: Limits,
}

#[derive(Serialize, Deserialize)]
struct Own<'a> {
    id: RunId,
    started_at_nanos: i64,
    /// Its place among the page's.
    common: u32,
    outcome: OutcomeForm<'a>,
    usage: Usage,
    log: Cow<'a, Log>,
    http_calls: Cow<'a, [HttpCall]>,
    caller_left: bool,
    chat_afterwards: ChatAfterwards,
}

#[derive(Serialize, Deserialize)]
enum OutcomeForm<'a> {
    Reply(Cow<'a, str>),
    BotBreak { cause: Cause, detail: Cow<'a, str>, trap: Option<Cow<'a, str>>, backtrace: Vec<FrameForm<'a>> },
}

#[derive(Serialize, Deserialize)]
struct FrameForm<'a> {
    function: Cow<'a, str>,
    location: Option<Cow<'a, str>>,
    times: u32,
}

/// The bytes of these records, which are all of one node.
pub(super) fn write(records: &[Record]) -> Result<Vec<u8>, postcard::Error> {
    let mut page = Page { common: Vec::new(), runs: Vec::with_capacity(records.len()) };
    for record in records {
        let common = Common { revision: record.revision, artifact: record.artifact, limits: record.limits };
        // A promotion is rare: nearly always it is the last one.
        if page.common.last() != Some(&common) {
            page.common.push(common);
        }
        page.runs.push(Own::of(record, u32::try_from(page.common.len() - 1).unwrap_or(u32::MAX)));
    }
    let plain = postcard::to_stdvec(&page)?;
    let mut bytes = vec![VERSION];
    bytes.extend(lz4_flex::compress_prepend_size(&plain));
    Ok(bytes)
}

/// The records of one node in these bytes.
pub(super) fn read(bytes: &[u8], tenant: &TenantId, node: &NodeId) -> Result<Vec<Record>, FormError> {
    let Some((&version, compressed)) = bytes.split_first() else { return Err(FormError::Version) };
    let (size, compressed) = lz4_flex::block::uncompressed_size(compressed)?;
    if size > MOST_BYTES {
        return Err(FormError::Size);
    }
    let plain = lz4_flex::decompress(compressed, size)?;
    let Page { common, runs } = match version {
        VERSION => postcard::from_bytes(&plain)?,
        2 => postcard::from_bytes::<version_2::PageForm<'_>>(&plain)?.into(),
        _ => return Err(FormError::Version),
    };
    let record = |own: Own<'_>| {
        let place = usize::try_from(own.common).ok().and_then(|place| common.get(place));
        own.record(tenant, node, place.ok_or_else(|| FormError::Value("what its runs share".to_owned()))?)
    };
    runs.into_iter().map(record).collect()
}

impl<'a> Own<'a> {
    fn of(record: &'a Record, common: u32) -> Self {
        Self {
            id: record.id,
            started_at_nanos: i64::try_from(record.started_at.as_nanosecond()).unwrap_or(i64::MAX),
            common,
            outcome: OutcomeForm::of(&record.run.outcome),
            usage: record.run.usage,
            log: Cow::Borrowed(&record.run.log),
            http_calls: Cow::Borrowed(&record.run.http_calls),
            caller_left: record.caller_left,
            chat_afterwards: record.chat_afterwards,
        }
    }

    fn record(self, tenant: &TenantId, node: &NodeId, common: &Common) -> Result<Record, FormError> {
        let started_at = Timestamp::from_nanosecond(self.started_at_nanos.into());
        Ok(Record {
            id: self.id,
            tenant: tenant.clone(),
            node: node.clone(),
            revision: common.revision,
            artifact: common.artifact,
            started_at: started_at.map_err(|error| FormError::Value(error.to_string()))?,
            run: Run {
                outcome: self.outcome.outcome()?,
                usage: self.usage,
                log: self.log.into_owned(),
                http_calls: self.http_calls.into_owned(),
            },
            limits: common.limits,
            caller_left: self.caller_left,
            chat_afterwards: self.chat_afterwards,
        })
    }
}

impl<'a> OutcomeForm<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Reply(reply) => Self::Reply(reply.as_str().into()),
            Outcome::BotBreak(BotBreak { cause, detail, trap, backtrace }) => Self::BotBreak {
                cause: *cause,
                detail: detail.into(),
                trap: trap.as_ref().map(Into::into),
                backtrace: backtrace.iter().map(FrameForm::of).collect(),
            },
        }
    }

    fn outcome(self) -> Result<Outcome, FormError> {
        Ok(match self {
            Self::Reply(text) => {
                let reply = Reply::parse(text.into_owned());
                Outcome::Reply(reply.map_err(|error| FormError::Value(error.to_string()))?)
            }
            Self::BotBreak { cause, detail, trap, backtrace } => Outcome::BotBreak(BotBreak {
                cause,
                detail: detail.into_owned(),
                trap: trap.map(Cow::into_owned),
                backtrace: backtrace.into_iter().map(FrameForm::frame).collect(),
            }),
        })
    }
}

impl<'a> FrameForm<'a> {
    fn of(frame: &'a Frame) -> Self {
        let Frame { function, location, times } = frame;
        Self { function: function.into(), location: location.as_ref().map(Into::into), times: *times }
    }

    fn frame(self) -> Frame {
        let Self { function, location, times } = self;
        Frame { function: function.into_owned(), location: location.map(Cow::into_owned), times }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Level;

    use super::*;

    fn record(number: u8, outcome: Outcome) -> Record {
        let mut log = Log::default();
        log.push(Duration::from_micros(12), Level::Warn, "mind the \0");
        let usage = Usage { wall_time: Duration::from_micros(1234), memory_bytes: 1 << 20, ..Usage::default() };
        let call = HttpCall {
            method: "POST".to_owned(),
            origin: "https://a.example".to_owned(),
            path: "/v1".to_owned(),
            status: Some(502),
            refused: None,
            failed: Some("it was cut off".to_owned()),
            request_bytes: 7,
            response_bytes: 1 << 20,
            after: Duration::from_micros(3),
            wall_time: Duration::from_millis(9),
        };
        let started_at: Timestamp = "2026-11-21T10:00:00.123456789Z".parse().unwrap();
        Record {
            id: RunId::first_at(started_at),
            tenant: "acme".parse().unwrap(),
            node: "ORDERS".parse().unwrap(),
            revision: Some(RevisionNumber::FIRST),
            artifact: Some(ArtifactId::from_sha256([number; 32])),
            started_at,
            run: Run { outcome, usage, log, http_calls: vec![call] },
            limits: Limits::DEFAULT,
            caller_left: true,
            chat_afterwards: ChatAfterwards::PendingAgent,
        }
    }

    fn records() -> Vec<Record> {
        let reply = Reply::parse(r#"{"status":false,"response":["\u0928"],"n":1.50}"#.to_owned()).unwrap();
        let frame = Frame { function: "f".to_owned(), location: Some("src/lib.rs:1:2".to_owned()), times: 3 };
        let broken = BotBreak { trap: Some("t".to_owned()), backtrace: vec![frame], ..BotBreak::new(Cause::Trap, "d") };
        vec![
            record(1, Outcome::Reply(reply)),
            record(1, Outcome::BotBreak(broken)),
            record(2, Outcome::BotBreak(BotBreak::new(Cause::OverQuota, "no backtrace"))),
        ]
    }

    fn read_again(bytes: &[u8]) -> Result<Vec<Record>, FormError> {
        read(bytes, &"acme".parse().unwrap(), &"ORDERS".parse().unwrap())
    }

    #[test]
    fn records_read_as_they_were_written() {
        assert_eq!(read_again(&write(&records()).unwrap()).unwrap(), records());
    }

    /// What releases wrote. Where this fails, the form has changed: give it a new version, and go on reading these.
    #[test]
    fn what_an_earlier_release_wrote_is_read() {
        let now = hex::encode(write(&records()).unwrap());
        for written in [include_str!("form/version-2.hex"), include_str!("form/version-3.hex")] {
            let written = hex::decode(written.trim()).unwrap();
            assert_eq!(read_again(&written).ok(), Some(records()), "today it is written as {now}");
        }
    }

    #[test]
    fn bytes_that_are_no_page_are_an_error() {
        let good = write(&records()).unwrap();
        assert!(read_again(&[]).is_err() && read_again(&[1]).is_err());
        assert!(matches!(read_again(&[VERSION, 255, 255, 255, 255]), Err(FormError::Size)));
        for at in 0..good.len() {
            let _ = read_again(&good[..at]).unwrap_err();
            let mut changed = good.clone();
            changed[at] ^= 0x55;
            // It may read as something else, but never panics.
            let _ = read_again(&changed);
        }
    }
}
