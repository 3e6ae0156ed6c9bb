use jiff::Timestamp;
use serde::Deserialize;

/// A node as a server tells of it.
#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) tenant: model::TenantId,
    pub(crate) id: String,
    pub(crate) door: Door,
    pub(crate) live: Option<u32>,
    pub(crate) previous: Option<u32>,
    /// For the next change, which is made to what was seen or not at all.
    pub(crate) version: u64,
    pub(crate) created_at: Timestamp,
}

/// Which events it takes.
#[derive(Deserialize)]
pub(crate) struct Door {
    pub(crate) schemes: Vec<String>,
    pub(crate) allow_unsigned: bool,
}

impl Node {
    /// Where its events come in.
    pub(crate) fn webhook(&self) -> String {
        format!("/hooks/{}/{}", self.tenant, crate::output::one_line(&self.id))
    }

    /// Which signatures it takes.
    pub(crate) fn takes(&self) -> String {
        let schemes = crate::output::one_line(&self.door.schemes.join(", "));
        if self.door.allow_unsigned { format!("{schemes}, unsigned") } else { schemes }
    }
}
