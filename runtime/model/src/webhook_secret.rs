use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Actor;

/// A secret that a node's events are signed with, without the secret itself: nobody reads that back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookSecret {
    /// Names it in lists; unique within its node.
    pub id: String,
    /// When it was set.
    pub created_at: Timestamp,
    /// Who set it.
    pub created_by: Actor,
    /// From when on it is refused: set once a newer one takes its place.
    pub retires_at: Option<Timestamp>,
}
