use std::fmt;
use std::str::FromStr;

use crate::Details;

/// Where entries of the key-value store are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// The node's own.
    Node,
    /// The one that all nodes of a tenant share.
    Tenant,
    /// The tenant's messages, which people write and handlers only read.
    Messages,
    /// What is remembered of conversations; no handler opens it.
    Conversation,
    /// What is remembered of users; no handler opens it.
    User,
}

/// A bucket that may be opened: `node`, or with `tenant read` only to look things up. `messages` is for that in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyValueGrant {
    /// Which.
    pub bucket: Bucket,
    /// Whether entries may be changed.
    pub may_write: bool,
}

impl Bucket {
    /// Those that handlers can open, if they may.
    const OPENABLE: [Self; 3] = [Self::Node, Self::Tenant, Self::Messages];

    /// As guests, grants and commands name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Tenant => "tenant",
            Self::Messages => "messages",
            Self::Conversation => "conversation",
            Self::User => "user",
        }
    }

    /// Whether handlers may ever write to it.
    const fn is_writable(self) -> bool {
        match self {
            Self::Node | Self::Tenant => true,
            Self::Messages | Self::Conversation | Self::User => false,
        }
    }
}

/// A bucket that handlers can open, by its name.
impl FromStr for Bucket {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let bucket = Self::OPENABLE.into_iter().find(|bucket| bucket.name() == name);
        bucket.ok_or_else(|| match name.parse::<Details>() {
            Ok(details) => {
                format!("handlers cannot open the bucket `{name}`: with state:{details} it comes with the event")
            }
            Err(_) => format!("there is no bucket `{name}`: use node, tenant or messages"),
        })
    }
}

impl FromStr for KeyValueGrant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bucket, access) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let bucket: Bucket = bucket.parse()?;
        let may_write = match access.trim() {
            "" => bucket.is_writable(),
            "read" => false,
            other if bucket.is_writable() => {
                return Err(format!("{other} is no way to open a bucket: say `read`, or nothing for all of it"));
            }
            other => {
                let bucket = bucket.name();
                return Err(format!(
                    "{other} is no way to open {bucket}, which handlers only read: say nothing behind it"
                ));
            }
        };
        Ok(Self { bucket, may_write })
    }
}

impl fmt::Display for KeyValueGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_narrowed = self.bucket.is_writable() && !self.may_write;
        write!(f, "{}{}", self.bucket.name(), if is_narrowed { " read" } else { "" })
    }
}
