//! Pages of version 2, whose limits knew nothing of the details in replies.

use std::time::Duration;

use model::{ArtifactId, Limits, RevisionNumber};
use serde::Deserialize;

use super::{Common, Own, Page};

#[derive(Deserialize)]
pub(super) struct PageForm<'a> {
    common: Vec<CommonForm>,
    runs: Vec<Own<'a>>,
}

#[derive(Deserialize)]
struct CommonForm {
    revision: Option<RevisionNumber>,
    artifact: Option<ArtifactId>,
    limits: LimitsForm,
}

#[derive(Deserialize)]
struct LimitsForm {
    #[serde(with = "humantime_serde")]
    wall_time: Duration,
    #[serde(with = "humantime_serde")]
    cpu_time: Duration,
    memory_bytes: u64,
    event_bytes: u64,
    reply_bytes: u64,
    log_bytes: u64,
    host_calls: u64,
    host_call_bytes: u64,
    handles: u64,
    http_calls: u64,
    http_request_bytes: u64,
    http_response_bytes: u64,
    kv_calls: u64,
    kv_data_bytes: u64,
}

impl<'a> From<PageForm<'a>> for Page<'a> {
    fn from(PageForm { common, runs }: PageForm<'a>) -> Self {
        Self { common: common.into_iter().map(CommonForm::common).collect(), runs }
    }
}

impl CommonForm {
    fn common(self) -> Common {
        let Self { revision, artifact, limits } = self;
        Common { revision, artifact, limits: limits.limits() }
    }
}

impl LimitsForm {
    fn limits(self) -> Limits {
        Limits {
            wall_time: self.wall_time,
            cpu_time: self.cpu_time,
            memory_bytes: self.memory_bytes,
            event_bytes: self.event_bytes,
            reply_bytes: self.reply_bytes,
            log_bytes: self.log_bytes,
            host_calls: self.host_calls,
            host_call_bytes: self.host_call_bytes,
            handles: self.handles,
            http_calls: self.http_calls,
            http_request_bytes: self.http_request_bytes,
            http_response_bytes: self.http_response_bytes,
            kv_calls: self.kv_calls,
            kv_data_bytes: self.kv_data_bytes,
            ..Limits::DEFAULT
        }
    }
}
