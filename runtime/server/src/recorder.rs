//! The last run records, in memory: bounded in number and in bytes.
//!
//! A record is written after its answer has gone, so nobody waits for it. Nothing here outlives the process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use model::{ArtifactId, Cause, Limits, NodeId, Outcome, Run, RunId, TenantId};
use serde::Serialize;

/// One run, over.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: RunId,
    pub(crate) tenant: TenantId,
    pub(crate) node: NodeId,
    /// The code that ran; `None` where there was none to run.
    pub(crate) artifact: Option<ArtifactId>,
    pub(crate) started_at: Timestamp,
    pub(crate) run: Run,
    pub(crate) limits: Limits,
    /// Whether the caller had gone when the run was over.
    pub(crate) caller_left: bool,
    pub(crate) chat_afterwards: ChatAfterwards,
}

/// What becomes of the chat, as the platform's rules have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChatAfterwards {
    /// Over.
    Complete,
    /// Goes on with the bot.
    WithBot,
    /// Waits for an agent.
    PendingAgent,
}

/// Which records somebody wants to see; what is absent matches all.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) tenant: Option<TenantId>,
    pub(crate) node: Option<NodeId>,
    pub(crate) cause: Option<Cause>,
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Recorder {
    most_records: usize,
    most_bytes: u64,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    records: VecDeque<Arc<Record>>,
    bytes: u64,
    dropped: u64,
}

/// How full the ring is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) records: usize,
    pub(crate) bytes: u64,
    /// Records so far that made room for newer ones.
    pub(crate) dropped: u64,
}

impl Record {
    /// The cause, where the run was a bot break.
    pub(crate) const fn cause(&self) -> Option<Cause> {
        match &self.run.outcome {
            Outcome::Reply(_) => None,
            Outcome::BotBreak(bot_break) => Some(bot_break.cause),
        }
    }

    /// About what it takes in memory: its texts, and its fixed part.
    fn bytes(&self) -> u64 {
        let lines = self.run.log.lines.iter().map(|line| line.text.capacity() + size_of_val(line));
        let outcome = match &self.run.outcome {
            Outcome::Reply(reply) => reply.as_str().len(),
            Outcome::BotBreak(broken) => {
                let frames = broken.backtrace.iter().map(|frame| {
                    size_of_val(frame) + frame.function.len() + frame.location.as_ref().map_or(0, String::len)
                });
                broken.detail.len() + frames.sum::<usize>()
            }
        };
        u64::try_from(size_of::<Self>() + outcome + lines.sum::<usize>()).unwrap_or(u64::MAX)
    }
}

impl Recorder {
    pub(crate) fn new(most_records: usize, most_bytes: u64) -> Self {
        Self { most_records, most_bytes, ring: Mutex::default() }
    }

    /// Keeps `records`, and forgets the oldest for which there is no room any more.
    pub(crate) fn write(&self, records: impl IntoIterator<Item = Record>) {
        let mut ring = self.ring();
        for record in records {
            ring.bytes = ring.bytes.saturating_add(record.bytes());
            ring.records.push_back(Arc::new(record));
            while ring.records.len() > self.most_records || ring.bytes > self.most_bytes {
                let Some(oldest) = ring.records.pop_front() else { break };
                ring.bytes = ring.bytes.saturating_sub(oldest.bytes());
                ring.dropped += 1;
            }
        }
    }

    /// The newest `limit` records that match, newest first.
    pub(crate) fn newest(&self, filter: &Filter, limit: usize) -> Vec<Arc<Record>> {
        let ring = self.ring();
        ring.records.iter().rev().filter(|record| filter.matches(record)).take(limit).cloned().collect()
    }

    /// One record, where it is still kept.
    pub(crate) fn find(&self, id: RunId) -> Option<Arc<Record>> {
        self.ring().records.iter().rev().find(|record| record.id == id).cloned()
    }

    /// How full it is.
    pub(crate) fn standing(&self) -> Standing {
        let ring = self.ring();
        Standing { records: ring.records.len(), bytes: ring.bytes, dropped: ring.dropped }
    }

    /// Nothing in here can be left half done, so a panic elsewhere does not spoil the ring.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filter {
    fn matches(&self, record: &Record) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == record.tenant)
            && self.node.as_ref().is_none_or(|node| *node == record.node)
            && self.cause.is_none_or(|cause| Some(cause) == record.cause())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::{BotBreak, Log, Reply, Usage};

    use super::*;

    pub(crate) fn record(tenant: &str, outcome: Outcome) -> Record {
        Record {
            id: RunId::fresh(),
            tenant: tenant.parse().unwrap(),
            node: "NODE".parse().unwrap(),
            artifact: None,
            started_at: Timestamp::UNIX_EPOCH,
            run: Run { outcome, usage: Usage::default(), log: Log::default() },
            limits: Limits::DEFAULT,
            caller_left: false,
            chat_afterwards: ChatAfterwards::WithBot,
        }
    }

    pub(crate) fn reply(text: &str) -> Outcome {
        Outcome::Reply(Reply::parse(format!(r#"{{"status":true,"response":["{text}"]}}"#)).unwrap())
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_go() {
        let recorder = Recorder::new(3, u64::MAX);
        let records: Vec<Record> = (0..5).map(|_| record("acme", reply("hi"))).collect();
        recorder.write(records.iter().cloned());
        let kept: Vec<RunId> = recorder.newest(&Filter::default(), 10).iter().map(|record| record.id).collect();
        assert_eq!(kept, [records[4].id, records[3].id, records[2].id]);
        assert!(recorder.find(records[2].id).is_some());
        assert!(recorder.find(records[1].id).is_none());
        assert_eq!(recorder.newest(&Filter::default(), 1).len(), 1);
    }

    #[test]
    fn long_records_are_bounded_by_their_bytes() {
        let recorder = Recorder::new(1000, 100_000);
        for _ in 0..50 {
            recorder.write([record("acme", reply(&"x".repeat(20_000)))]);
        }
        assert_eq!(recorder.newest(&Filter::default(), 1000).len(), 4);
        recorder.write([record("acme", reply(&"x".repeat(200_000)))]);
        assert_eq!(recorder.newest(&Filter::default(), 1000).len(), 0);
        recorder.write([record("acme", reply("x"))]);
        assert_eq!(recorder.newest(&Filter::default(), 1000).len(), 1);
    }

    #[test]
    fn a_filter_narrows() {
        let recorder = Recorder::new(10, u64::MAX);
        recorder.write([record("acme", reply("hi"))]);
        recorder.write([record("acme", Outcome::BotBreak(BotBreak::new(Cause::Trap, "unreachable")))]);
        recorder.write([record("other", reply("hi"))]);
        let count = |filter: &Filter| recorder.newest(filter, 10).len();
        assert_eq!(count(&Filter { tenant: Some("acme".parse().unwrap()), ..Filter::default() }), 2);
        assert_eq!(count(&Filter { cause: Some(Cause::Trap), ..Filter::default() }), 1);
        assert_eq!(count(&Filter { node: Some("ELSE".parse().unwrap()), ..Filter::default() }), 0);
    }
}
