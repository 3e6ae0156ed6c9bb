//! Trying a connection: one request, whose answer is told without its body.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use sandbox::egress::Egress;
use serde::Serialize;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use super::{Authorized, Connection};

/// For which an answer is waited for.
const TEST_TIME: Duration = Duration::from_secs(10);

/// What came of a connection's test.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ConnectionReport)]
pub(crate) struct Report {
    /// Whether the service answered, and takes the credential: with a status below 400.
    pub works: bool,
    /// Absent where there was no answer.
    pub status: Option<u16>,
    /// What went wrong, and whose the next step is.
    pub problem: Option<String>,
    /// Until the answer began.
    pub wall_micros: u64,
}

impl Connection {
    /// Asks for the test's path.
    pub(crate) async fn test(self: Arc<Self>, way_out: Arc<dyn Egress>) -> Report {
        let url = format!("{}{}", self.settings().origin, self.settings().test_path);
        let request = Request::builder().method(Method::GET).uri(url);
        let request = request.body(Empty::new().map_err(|never| match never {}).boxed_unsync());
        let asked_at = Instant::now();
        let answer = match request {
            Ok(request) => {
                let authorized = Authorized { way_out, connection: Arc::clone(&self) };
                match timeout(TEST_TIME, authorized.send(request)).await {
                    Ok(Ok(response)) => Ok(response.status()),
                    Ok(Err(error)) => Err(error.detail),
                    Err(_elapsed) => Err(format!("no answer came within {}", humantime::format_duration(TEST_TIME))),
                }
            }
            Err(error) => Err(format!("the path cannot be asked for: {error}")),
        };
        let problem = match &answer {
            Ok(status) => refusal(status.as_u16()),
            Err(why) => Some(self.credential.redact(why).unwrap_or_else(|| why.clone())),
        };
        Report {
            works: problem.is_none(),
            status: answer.ok().map(|status| status.as_u16()),
            problem,
            wall_micros: u64::try_from(asked_at.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// What a status says about the connection, if it is no good one.
fn refusal(status: u16) -> Option<String> {
    Some(match status {
        ..400 => return None,
        401 | 403 => format!("the service refuses the credential ({status}): check the secret and what it is good for"),
        404 => "there is nothing at the test's path (404): set another one".to_owned(),
        400..500 => format!("the service refuses the request ({status}): set another test path"),
        500.. => format!("the service fails ({status}): try again later"),
    })
}
