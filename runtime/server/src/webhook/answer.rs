//! What the platform hears: a reply, a bot break by the node's policy, or why its message was not taken.
//!
//! Of the guest, only the reply and the cause of a break ever reach the caller; all else is in the run record.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Collected, Full};
use model::{BotBreak, Cause, EventError, OnBreak, Outcome, Reply, RunId};
use storage::DeliveryAnswer;

use super::media_type::Unsupported;
use crate::metrics::Reason;

/// Every answer's body is whole and small.
pub(super) type Answer = Response<Full<Bytes>>;

const RUN: HeaderName = HeaderName::from_static("x-codenode-run");
const BREAK: HeaderName = HeaderName::from_static("x-codenode-break");
const REPEATED: HeaderName = HeaderName::from_static("x-codenode-repeated");

/// Why a message is not taken; no run begins. The text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is nothing here: events go to /hooks/{{tenant}}/{{node}}")]
    NotFound,
    #[error("send events with POST")]
    MethodNotAllowed,
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    #[error("the event is too large")]
    TooLarge,
    #[error("the event took too long to arrive")]
    TooSlow,
    #[error("the event did not arrive whole")]
    Broken,
    #[error("a signature header stands twice: send one")]
    DuplicateSignature,
    /// The same for a wrong signature, none, and a node that does not exist.
    #[error("the signature is missing or wrong, or there is no such node")]
    Unauthorized,
    #[error(transparent)]
    NotAnEvent(#[from] EventError),
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::DuplicateSignature | Self::NotAnEvent(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
        }
    }
}

impl Refusal {
    /// What it is counted as.
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::NotFound => Reason::NotFound,
            Self::MethodNotAllowed => Reason::MethodNotAllowed,
            Self::Unsupported(_) => Reason::UnsupportedMediaType,
            Self::TooLarge => Reason::TooLarge,
            Self::TooSlow => Reason::TooSlow,
            Self::Broken => Reason::Incomplete,
            Self::DuplicateSignature => Reason::DuplicateSignature,
            Self::Unauthorized => Reason::Unauthorized,
            Self::NotAnEvent(_) => Reason::NotAnEvent,
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut answer = error(refusal.status(), &refusal.to_string());
        if refusal == Refusal::MethodNotAllowed {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        answer
    }
}

/// What the platform's probe hears, whether or not there is such a node.
pub(super) fn probed() -> Answer {
    json(StatusCode::OK, r#"{"status":"ok"}"#.into())
}

/// A fault of ours that has no run record.
pub(super) fn internal() -> Answer {
    error(StatusCode::INTERNAL_SERVER_ERROR, "codenode failed")
}

/// The same event is being run at this moment, and that takes longer than anybody can wait here.
pub(super) fn busy(retry_after: Duration) -> Answer {
    let mut answer = error(StatusCode::SERVICE_UNAVAILABLE, "this event is being run already: send it again later");
    answer.headers_mut().insert(RETRY_AFTER, seconds(retry_after));
    answer
}

/// An answer, and what is kept of it for those who deliver its event again.
pub(super) async fn keep(run: RunId, answer: Answer) -> (Answer, DeliveryAnswer) {
    let (head, body) = answer.into_parts();
    // A body that is whole fails at nothing.
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let cause = head.headers.get(BREAK).and_then(|cause| cause.to_str().ok()?.parse().ok());
    let kept = DeliveryAnswer { run, status: head.status.as_u16(), cause, body: body.clone() };
    (Answer::from_parts(head, Full::new(body)), kept)
}

/// The answer to an event that was delivered before: that of the first time, and a header that says so.
pub(super) fn repeated(kept: DeliveryAnswer) -> Answer {
    let mut answer = json(StatusCode::from_u16(kept.status).unwrap_or(StatusCode::BAD_GATEWAY), kept.body);
    let headers = answer.headers_mut();
    if let Some(cause) = kept.cause {
        headers.insert(BREAK, HeaderValue::from_static(cause.name()));
    }
    if let Ok(run) = HeaderValue::try_from(kept.run.to_string()) {
        headers.insert(RUN, run);
    }
    headers.insert(REPEATED, HeaderValue::from_static("true"));
    answer
}

/// What a run comes to, for the caller.
pub(super) fn of_run(id: RunId, outcome: &Outcome, on_break: &OnBreak, retry_after: Duration) -> Answer {
    let mut answer = match outcome {
        Outcome::Reply(reply) => of_reply(reply),
        Outcome::BotBreak(bot_break) => of_break(bot_break, on_break, retry_after),
    };
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        answer.headers_mut().insert(RUN, id);
    }
    answer
}

fn of_reply(reply: &Reply) -> Answer {
    json(StatusCode::OK, Bytes::copy_from_slice(reply.as_str().as_bytes()))
}

fn of_break(bot_break: &BotBreak, on_break: &OnBreak, retry_after: Duration) -> Answer {
    let cause = bot_break.cause;
    let mut answer = match on_break {
        OnBreak::Say(text) => {
            json(StatusCode::OK, serde_json::json!({ "status": false, "response": [text] }).to_string().into())
        }
        OnBreak::Fail => {
            let status = status_of(cause);
            let mut answer = error(status, &format!("bot break: {cause}"));
            if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                answer.headers_mut().insert(RETRY_AFTER, seconds(retry_after));
            }
            answer
        }
    };
    answer.headers_mut().insert(BREAK, HeaderValue::from_static(cause.name()));
    answer
}

/// In whole seconds, rounded up.
fn seconds(time: Duration) -> HeaderValue {
    HeaderValue::from(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// The status that tells the platform whose fault a break is.
const fn status_of(cause: Cause) -> StatusCode {
    match cause {
        Cause::OutOfTime | Cause::OutOfCpu => StatusCode::GATEWAY_TIMEOUT,
        Cause::OverQuota => StatusCode::TOO_MANY_REQUESTS,
        Cause::Overloaded | Cause::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Cause::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Cause::Trap
        | Cause::Exception
        | Cause::Exit
        | Cause::ReplyNotJson
        | Cause::ReplyWrongShape
        | Cause::ReplyEmpty
        | Cause::OutOfMemory
        | Cause::OutOfStack
        | Cause::ReplyTooLarge
        | Cause::TooManyCalls
        | Cause::UpstreamFailed => StatusCode::BAD_GATEWAY,
    }
}

fn error(status: StatusCode, text: &str) -> Answer {
    json(status, serde_json::json!({ "error": text }).to_string().into())
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // An answer is for one event: no proxy may give it to another.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(answer: Answer) -> String {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut text = head.status.as_u16().to_string();
        for name in [BREAK, RETRY_AFTER, ALLOW] {
            if let Some(value) = head.headers.get(&name) {
                text.push_str(&format!(" {name}: {}", value.to_str().unwrap()));
            }
        }
        format!("{text} {}", std::str::from_utf8(&body).unwrap())
    }

    fn broken(cause: Cause) -> Outcome {
        Outcome::BotBreak(BotBreak::new(cause, "the guest's own words"))
    }

    #[tokio::test]
    async fn every_cause_has_its_status_and_nothing_of_the_guest_is_told() {
        let mut lines = Vec::new();
        for cause in Cause::ALL {
            let answer = of_run(RunId::fresh(), &broken(*cause), &OnBreak::Fail, Duration::from_millis(1500));
            assert!(answer.headers().contains_key(&RUN));
            lines.push(shown(answer).await);
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
        502 x-codenode-break: trap {"error":"bot break: trap"}
        502 x-codenode-break: exception {"error":"bot break: exception"}
        502 x-codenode-break: exit {"error":"bot break: exit"}
        502 x-codenode-break: reply_not_json {"error":"bot break: reply_not_json"}
        502 x-codenode-break: reply_wrong_shape {"error":"bot break: reply_wrong_shape"}
        502 x-codenode-break: reply_empty {"error":"bot break: reply_empty"}
        504 x-codenode-break: out_of_time {"error":"bot break: out_of_time"}
        504 x-codenode-break: out_of_cpu {"error":"bot break: out_of_cpu"}
        502 x-codenode-break: out_of_memory {"error":"bot break: out_of_memory"}
        502 x-codenode-break: out_of_stack {"error":"bot break: out_of_stack"}
        502 x-codenode-break: reply_too_large {"error":"bot break: reply_too_large"}
        502 x-codenode-break: too_many_calls {"error":"bot break: too_many_calls"}
        502 x-codenode-break: upstream_failed {"error":"bot break: upstream_failed"}
        429 x-codenode-break: over_quota retry-after: 2 {"error":"bot break: over_quota"}
        503 x-codenode-break: overloaded retry-after: 2 {"error":"bot break: overloaded"}
        503 x-codenode-break: unavailable retry-after: 2 {"error":"bot break: unavailable"}
        500 x-codenode-break: internal {"error":"bot break: internal"}
        "#);
    }

    #[tokio::test]
    async fn a_node_that_says_hides_every_break() {
        let policy = OnBreak::Say("Sorry, \"later\".".to_owned());
        for cause in Cause::ALL {
            let answer = of_run(RunId::fresh(), &broken(*cause), &policy, Duration::from_secs(1));
            assert!(answer.headers().contains_key(&RUN));
            let expected =
                format!(r#"200 x-codenode-break: {cause} {{"response":["Sorry, \"later\"."],"status":false}}"#);
            assert_eq!(shown(answer).await, expected);
        }
    }

    #[tokio::test]
    async fn a_reply_goes_out_as_the_guest_wrote_it() {
        let text = r#"{"status":true,"response":["नमस्ते"],"n":1.50}"#;
        let reply = Outcome::Reply(Reply::parse(text.to_owned()).unwrap());
        let answer = of_run(RunId::fresh(), &reply, &OnBreak::Fail, Duration::from_secs(1));
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(shown(answer).await, format!("200 {text}"));
    }

    #[tokio::test]
    async fn a_refusal_says_what_to_do() {
        let mut lines = Vec::new();
        for refusal in [
            Refusal::NotFound,
            Refusal::MethodNotAllowed,
            Unsupported::NotJson.into(),
            Refusal::TooLarge,
            Refusal::TooSlow,
            Refusal::Broken,
            Refusal::DuplicateSignature,
            Refusal::Unauthorized,
            EventError::Empty.into(),
        ] {
            lines.push(shown(refusal.into()).await);
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
        404 {"error":"there is nothing here: events go to /hooks/{tenant}/{node}"}
        405 allow: GET, POST {"error":"send events with POST"}
        415 {"error":"send the event with content-type: application/json"}
        413 {"error":"the event is too large"}
        408 {"error":"the event took too long to arrive"}
        400 {"error":"the event did not arrive whole"}
        400 {"error":"a signature header stands twice: send one"}
        401 {"error":"the signature is missing or wrong, or there is no such node"}
        400 {"error":"the event is empty: send a JSON object"}
        "#);
    }
}
