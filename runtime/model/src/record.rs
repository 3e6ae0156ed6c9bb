use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ArtifactId, Cause, Limits, NodeId, Outcome, RevisionNumber, Run, RunId, TenantId};

/// One run, over: what is kept of it.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatAfterwards {
    /// Over.
    Complete,
    /// Goes on with the bot.
    WithBot,
    /// Waits for an agent.
    PendingAgent,
}
