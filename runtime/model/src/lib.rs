//! The nouns of codenode, one a file: what crosses its rooms and its boundary.
//!
//! Plain types that cannot be wrong once they exist. No I/O, no other crate of this workspace.

mod artifact;
mod audit;
mod bucket;
mod connection;
mod element;
mod event;
mod grant;
mod http_call;
mod id;
mod json;
mod key;
mod limits;
mod log;
mod message;
mod node;
mod origin;
mod outcome;
pub mod quota;
mod record;
mod reply;
mod revision;
mod run;
mod scheme;
mod size;
mod tenant;
mod usage;
mod webhook_secret;

pub use artifact::{ArtifactId, NotAnArtifactId};
pub use audit::AuditEntry;
pub use bucket::{Bucket, KeyValueGrant};
pub use connection::{ClientAuth, Connection, ConnectionSettings, Credential};
pub use event::{Event, EventError};
pub use grant::{Family, Grant, GrantError, HttpGrant, Method};
pub use http_call::HttpCall;
pub use id::{ConnectionName, IdError, NodeId, RunId, TenantId};
pub use key::{Actor, ApiKey, Role, UnknownRole};
pub use limits::{LimitError, Limits, Overrides};
pub use log::{Level, Line, Log};
pub use message::Message;
pub use node::{Door, Node};
pub use origin::{Origin, OriginError};
pub use outcome::{Blame, BotBreak, Cause, Frame, Outcome, UnknownCause};
pub use quota::{Quota, QuotaError};
pub use record::{ChatAfterwards, Record};
pub use reply::{Reply, ReplyError};
pub use revision::{NotARevision, OnBreak, Revision, RevisionNumber, Settings};
pub use run::{Run, Usage};
pub use scheme::{Scheme, UnknownScheme};
pub use tenant::Tenant;
pub use usage::{TenantUsage, Used};
pub use webhook_secret::WebhookSecret;
