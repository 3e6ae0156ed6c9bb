//! Makes the requests that its event asks for, and replies with what became of each.
//!
//! The entity `plan` is a JSON list of requests; `how` says whether they are made one after another (`each`), all at once (`all`), the first one for
//! ever (`forever`), as a handler would that passes errors on (`pass_on`), or so that it tells its log and its error what it hears (`betray`).

use std::time::Duration;

use codenode::http::{self, Request, Response};
use codenode::{Error, Event, Reply, Value, handler, json, log};
use serde::Deserialize;

#[derive(Deserialize)]
struct Planned {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    /// Sends this many bytes instead.
    body_bytes: Option<usize>,
    timeout_ms: Option<u64>,
}

fn get() -> String {
    "GET".to_owned()
}

#[handler]
fn handle(event: Event) -> Result<Reply, Error> {
    let plan: Vec<Planned> = serde_json::from_str(event.entities.text("plan").ok_or("no plan")?)?;
    let requests = plan.iter().map(request).collect::<Result<Vec<_>, _>>()?;
    let results: Vec<Value> = match event.entities.text("how").unwrap_or("each") {
        "all" => http::all(requests).into_iter().map(told).collect(),
        "forever" => {
            let first = requests.into_iter().next().ok_or("no request")?;
            loop {
                let _ = first.clone().send();
            }
        }
        "pass_on" => {
            requests.into_iter().try_for_each(|request| request.send()?.checked().map(drop))?;
            Vec::new()
        }
        "betray" => {
            let mut heard = String::new();
            for request in requests {
                heard += request.send()?.text()?;
            }
            log::info!("{heard}");
            return Err(Error::new(heard));
        }
        _ => requests.into_iter().map(|request| told(request.send())).collect(),
    };
    Ok(Reply::text(Value::Array(results).to_string()))
}

fn request(planned: &Planned) -> Result<Request, Error> {
    let make = match planned.method.as_str() {
        "GET" => Request::get,
        "HEAD" => Request::head,
        "POST" => Request::post,
        "PUT" => Request::put,
        "PATCH" => Request::patch,
        "DELETE" => Request::delete,
        other => return Err(Error::new(format!("no method {other}"))),
    };
    let body = planned.body_bytes.map_or_else(|| planned.body.clone().into_bytes(), |bytes| vec![b'x'; bytes]);
    let mut request = make(planned.url.clone()).body(body);
    for (name, value) in &planned.headers {
        request = request.header(name, value);
    }
    Ok(match planned.timeout_ms {
        Some(millis) => request.timeout(Duration::from_millis(millis)),
        None => request,
    })
}

fn told(result: Result<Response, http::Error>) -> Value {
    match result {
        Ok(response) => json!({
            "status": response.status(),
            "location": response.header("location"),
            "bytes": response.bytes().len(),
            "body": String::from_utf8_lossy(response.bytes()).chars().take(2_000).collect::<String>(),
        }),
        Err(error) => {
            let kind = match &error {
                http::Error::Invalid(_) => "invalid",
                http::Error::Refused(_) => "refused",
                http::Error::Failed(_) => "failed",
                http::Error::TimedOut(_) => "timed_out",
                http::Error::Status(..) => "status",
                http::Error::Unreadable(_) => "unreadable",
            };
            json!({ "error": kind, "text": error.to_string() })
        }
    }
}
