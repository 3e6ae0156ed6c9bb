use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::TenantId;

/// A key of the management API, without its secret: that was shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKey {
    /// Names it in lists and in the audit log; it is the part of the key that is no secret.
    pub id: String,
    /// Whose it is; `None` for an operator's.
    pub tenant: Option<TenantId>,
    /// What it may do.
    pub role: Role,
    /// What it is for, in its owner's words.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Actor,
    /// From when on it is refused; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was last shown, to the minute; `None`: never.
    pub last_used_at: Option<Timestamp>,
}

/// What a key may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything of its tenant's but secrets.
    Read,
    /// Upload, promote, roll back, try out.
    Deploy,
    /// Make and remove nodes, secrets and keys of its tenant.
    Admin,
    /// Everything, for every tenant.
    Operator,
}

impl Role {
    /// All of them, the weakest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Deploy, Self::Admin, Self::Operator];

    /// The name in the API and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(UnknownRole)
    }
}

/// No role has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such role; the roles are read, deploy, admin and operator")]
pub struct UnknownRole;

/// Who did something: `key <id>`, or `operator` for whoever shows the configured token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
pub struct Actor(String);

impl Actor {
    /// Whoever shows the token of the configuration.
    pub fn operator() -> Self {
        Self("operator".to_owned())
    }

    /// Whoever shows this key.
    pub fn key(id: &str) -> Self {
        Self(format!("key {id}"))
    }

    /// An actor as it was written down.
    pub const fn recorded(text: String) -> Self {
        Self(text)
    }

    /// As it is written down.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
