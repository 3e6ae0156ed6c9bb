use std::fmt;
use std::str::FromStr;

/// Where entries of the key-value store are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// The node's own.
    Node,
    /// The one that all nodes of a tenant share.
    Tenant,
}

/// A bucket that may be opened: `node`, or with `tenant read` only to look things up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyValueGrant {
    /// Which.
    pub bucket: Bucket,
    /// Whether entries may be changed.
    pub may_write: bool,
}

impl Bucket {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Node, Self::Tenant];

    /// As guests and grants name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Tenant => "tenant",
        }
    }
}

impl FromStr for Bucket {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let bucket = Self::ALL.into_iter().find(|bucket| bucket.name() == name);
        bucket.ok_or_else(|| format!("there is no bucket `{name}`: use node or tenant"))
    }
}

impl FromStr for KeyValueGrant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bucket, access) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let may_write = match access.trim() {
            "" => true,
            "read" => false,
            other => return Err(format!("{other} is no way to open a bucket: say `read`, or nothing for all of it")),
        };
        Ok(Self { bucket: bucket.parse()?, may_write })
    }
}

impl fmt::Display for KeyValueGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.bucket.name(), if self.may_write { "" } else { " read" })
    }
}
