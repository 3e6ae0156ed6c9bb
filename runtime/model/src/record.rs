use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ArtifactId, Cause, Limits, NodeId, Outcome, RevisionNumber, Run, RunId, TenantId};

/// One run, over: what is kept of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The run's own id; ids sort by the time of their run.
    pub id: RunId,
    /// Whose it was.
    pub tenant: TenantId,
    /// Of which node.
    pub node: NodeId,
    /// The revision that ran; `None` for a node of the configuration file, and where nothing was live.
    pub revision: Option<RevisionNumber>,
    /// The code that ran; `None` where there was none to run.
    pub artifact: Option<ArtifactId>,
    /// When its event had arrived.
    pub started_at: Timestamp,
    /// What it came to.
    pub run: Run,
    /// What it ran under.
    pub limits: Limits,
    /// Whether the caller had gone when the run was over.
    pub caller_left: bool,
    /// What became of the chat.
    pub chat_afterwards: ChatAfterwards,
}

impl Record {
    /// The cause, where the run was a bot break.
    pub const fn cause(&self) -> Option<Cause> {
        match &self.run.outcome {
            Outcome::Reply(_) => None,
            Outcome::BotBreak(bot_break) => Some(bot_break.cause),
        }
    }
}

/// What becomes of the chat, as the platform's rules have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatAfterwards {
    /// Over.
    Complete,
    /// Goes on with the bot.
    WithBot,
    /// Waits for an agent.
    PendingAgent,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{BotBreak, Frame, Level, Log, Reply, Usage};

    fn record(outcome: Outcome) -> Record {
        let mut log = Log::default();
        log.push(Duration::from_micros(12), Level::Warn, "mind the \0");
        let usage = Usage { wall_time: Duration::from_micros(1234), memory_bytes: 1 << 20, ..Usage::default() };
        Record {
            id: RunId::fresh(),
            tenant: "acme".parse().unwrap(),
            node: "ORDERS".parse().unwrap(),
            revision: Some(RevisionNumber::FIRST),
            artifact: Some(ArtifactId::from_sha256([7; 32])),
            started_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            run: Run { outcome, usage, log },
            limits: Limits::DEFAULT,
            caller_left: true,
            chat_afterwards: ChatAfterwards::PendingAgent,
        }
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let reply = Reply::parse(r#"{"status":false,"response":["\u0928"],"n":1.50}"#.to_owned()).unwrap();
        let frame = Frame { function: "f".to_owned(), location: None, times: 3 };
        let broken = BotBreak { trap: Some("t".to_owned()), backtrace: vec![frame], ..BotBreak::new(Cause::Trap, "d") };
        for outcome in [
            Outcome::Reply(reply),
            Outcome::BotBreak(broken),
            Outcome::BotBreak(BotBreak::new(Cause::OverQuota, "no backtrace")),
        ] {
            let record = record(outcome);
            let written = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&written).unwrap(), record, "{written}");
        }
    }
}
