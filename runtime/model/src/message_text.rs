use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Actor, Language, MessageKey, MessageName};

/// A message of a tenant's: the text that its handlers read, and that people change without a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MessageText {
    /// What handlers know it by.
    pub key: MessageKey,
    /// `null`: for every language that has no text of its own.
    pub language: Option<Language>,
    /// What is said.
    pub text: String,
    /// What it is for, for whoever edits it; empty if nobody said.
    pub description: String,
    /// Counts its changes: 1, 2, 3 …
    pub version: u64,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// Who changed it last.
    pub changed_by: Actor,
}

/// One of the states that a message was in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MessageVersion {
    /// Counts the message's changes: 1, 2, 3 …
    pub version: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: Actor,
    /// What made it.
    pub action: MessageAction,
    /// What was said from then on; `null`: it was deleted.
    pub text: Option<String>,
    /// What it was for.
    pub description: String,
}

/// What makes a version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageAction {
    /// Somebody wrote it.
    Set,
    /// Somebody deleted it.
    Delete,
    /// Somebody took the text of an earlier version.
    Restore,
    /// It came, or went, with a file of many.
    Import,
}

impl MessageText {
    /// What it is called.
    pub fn name(&self) -> MessageName {
        MessageName { key: self.key.clone(), language: self.language.clone() }
    }
}

impl MessageAction {
    const ALL: [Self; 4] = [Self::Set, Self::Delete, Self::Restore, Self::Import];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Import => "import",
        }
    }
}

impl fmt::Display for MessageAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for MessageAction {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let action = Self::ALL.into_iter().find(|action| action.name() == name);
        action.ok_or_else(|| format!("`{name}` makes no version of a message"))
    }
}
