use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::run::{micros, of_micros};

/// One request of a run's, as its record has it: without its query, its headers and its body, for those may hold what nobody should read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HttpCall {
    /// As the guest asked, cut to a sane length.
    pub method: String,
    /// `https://api.example.com`.
    pub origin: String,
    /// Cut to a sane length.
    pub path: String,
    /// Absent where there was no response.
    pub status: Option<u16>,
    /// Why the request never left this host.
    pub refused: Option<String>,
    /// What went wrong on the way, or with the response.
    pub failed: Option<String>,
    /// The request's body, as far as it was sent.
    pub request_bytes: u64,
    /// The response's body, as far as it was read.
    pub response_bytes: u64,
    /// When it was asked for, since the run began.
    #[serde(rename = "after_micros", serialize_with = "micros", deserialize_with = "of_micros")]
    #[schema(value_type = u64)]
    pub after: Duration,
    /// Until the last byte of the response, or the end of it all.
    #[serde(rename = "wall_micros", serialize_with = "micros", deserialize_with = "of_micros")]
    #[schema(value_type = u64)]
    pub wall_time: Duration,
}
