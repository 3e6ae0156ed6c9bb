use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::{Reply, ReplyError};

/// What a run comes to. Both are values: a bot break is an answer, not an error of ours.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The bot's messages.
    Reply(Reply),
    /// The failure, as the chat sees it.
    BotBreak(BotBreak),
}

/// A failed run: its exact cause, and what the author needs to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotBreak {
    /// Which of the ways to fail.
    pub cause: Cause,
    /// One line for the author; free of secrets and of this host's paths.
    pub detail: String,
    /// The trap's code, where the cause is [`Cause::Trap`] or a limit that shows as a trap.
    pub trap: Option<String>,
    /// The guest's frames, innermost first; empty where no code was on the stack.
    pub backtrace: Vec<Frame>,
}

impl BotBreak {
    /// A bot break without a trap.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), trap: None, backtrace: Vec::new() }
    }
}

/// A bot break as it is written: with the blame that follows from the cause.
#[derive(Serialize, ToSchema)]
#[schema(as = BotBreak)]
struct Written<'a> {
    /// Which of the ways to fail.
    cause: Cause,
    /// Who has to act.
    blame: Blame,
    /// One line for the author.
    detail: &'a str,
    /// The trap's code, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    trap: Option<&'a str>,
    /// The guest's frames, innermost first; absent where no code was on the stack.
    #[serde(skip_serializing_if = "<[Frame]>::is_empty")]
    backtrace: &'a [Frame],
}

impl Serialize for BotBreak {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { cause, detail, trap, backtrace } = self;
        Written { cause: *cause, blame: cause.blame(), detail, trap: trap.as_deref(), backtrace }.serialize(serializer)
    }
}

impl PartialSchema for BotBreak {
    fn schema() -> RefOr<Schema> {
        Written::schema()
    }
}

impl ToSchema for BotBreak {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Written::schemas(schemas);
    }
}

impl From<ReplyError> for BotBreak {
    fn from(error: ReplyError) -> Self {
        let cause = match error {
            ReplyError::NotJson(_) => Cause::ReplyNotJson,
            ReplyError::WrongShape(_) => Cause::ReplyWrongShape,
            ReplyError::Empty(_) => Cause::ReplyEmpty,
        };
        Self::new(cause, error.to_string())
    }
}

/// One frame of a guest's backtrace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Frame {
    /// The demangled name, or `<wasm function N>` where the guest was stripped.
    pub function: String,
    /// `dir/src/file.rs:line:column`, where the guest carries DWARF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// How often it stands in a row: a recursion is one frame.
    pub times: u32,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        if let Some(location) = &self.location {
            write!(f, " at {location}")?;
        }
        if self.times > 1 { write!(f, " ({} times)", self.times) } else { Ok(()) }
    }
}

/// Who has to act on a bot break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The handler's code.
    Author,
    /// The handler's code or its limits, whichever is wrong.
    Limit,
    /// A service that the handler called.
    Upstream,
    /// Us: the handler did nothing wrong.
    Host,
}

impl Blame {
    /// The stable name, such as `author`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Limit => "limit",
            Self::Upstream => "upstream",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $name:literal, $blame:ident;)*) => {
        /// Every way for a run to fail. The names are stable: the API's, the metrics' and the documentation's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause {
            $($(#[$doc])* $cause,)*
        }

        impl Cause {
            /// Every cause, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$cause,)*];

            /// The stable name, such as `out_of_time`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)*
                }
            }

            /// Who has to act.
            pub const fn blame(self) -> Blame {
                match self {
                    $(Self::$cause => Blame::$blame,)*
                }
            }
        }
    };
}

causes! {
    /// The code trapped: unreachable, an out-of-bounds access, a division by zero …
    Trap = "trap", Author;
    /// The handler returned its own error.
    Exception = "exception", Author;
    /// A command ended with a code other than 0.
    Exit = "exit", Author;
    /// The reply is not JSON.
    ReplyNotJson = "reply_not_json", Author;
    /// The reply is JSON, but not a reply.
    ReplyWrongShape = "reply_wrong_shape", Author;
    /// The reply has no message.
    ReplyEmpty = "reply_empty", Author;
    /// The wall time ran out.
    OutOfTime = "out_of_time", Limit;
    /// The CPU time ran out.
    OutOfCpu = "out_of_cpu", Limit;
    /// Memory was refused, and the code could not go on without it.
    OutOfMemory = "out_of_memory", Limit;
    /// Recursion went deeper than the stack.
    OutOfStack = "out_of_stack", Limit;
    /// The reply is larger than allowed.
    ReplyTooLarge = "reply_too_large", Limit;
    /// Too many host calls or handles, or too much data in one call.
    TooManyCalls = "too_many_calls", Limit;
    /// A service that the handler called failed, and the handler passed that on as its error.
    UpstreamFailed = "upstream_failed", Upstream;
    /// The tenant has used what its quota allows for now: the run never began, or what its reply lets be remembered has no room.
    OverQuota = "over_quota", Host;
    /// This host was full; the run never began.
    Overloaded = "overloaded", Host;
    /// No live code to run, its compiled code was gone or damaged, or the host was shutting down.
    Unavailable = "unavailable", Host;
    /// A fault of ours.
    Internal = "internal", Host;
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <Cow<'de, str>>::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for Cause {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|cause| cause.name());
        Object::builder()
            .schema_type(Type::String)
            .description(Some("Every way for a run to fail. The names are stable."))
            .enum_values(Some(names))
            .into()
    }
}

impl ToSchema for Cause {}

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(name: &str) -> Result<Self, UnknownCause> {
        Self::ALL.iter().copied().find(|cause| cause.name() == name).ok_or(UnknownCause)
    }
}

/// No cause has this name.
#[derive(Debug, thiserror::Error)]
#[error("no such cause; the causes are {}", Cause::ALL.iter().map(|cause| cause.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownCause;
