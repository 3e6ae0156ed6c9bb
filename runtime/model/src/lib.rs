//! The nouns of codenode, one a file: what crosses its rooms and its boundary.
//!
//! Plain types that cannot be wrong once they exist. No I/O, no other crate of this workspace.

mod artifact;
mod element;
mod event;
mod id;
mod json;
mod limits;
mod log;
mod message;
mod outcome;
pub mod quota;
mod reply;
mod run;

pub use artifact::ArtifactId;
pub use event::{Event, EventError};
pub use id::{IdError, NodeId, RunId, TenantId};
pub use limits::{LimitError, Limits, Overrides};
pub use log::{Level, Line, Log};
pub use message::Message;
pub use outcome::{Blame, BotBreak, Cause, Frame, Outcome, UnknownCause};
pub use quota::{Quota, QuotaError};
pub use reply::{Reply, ReplyError};
pub use run::{Run, Usage};
