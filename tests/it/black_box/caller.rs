//! The guest `caller`, which makes the requests that it is asked for.

use serde_json::{Value, json};

use super::http::Answer;
use super::server::event;

/// The event that asks for these requests.
pub(super) fn plan(how: &str, requests: &Value) -> Vec<u8> {
    let mut planned: Value = serde_json::from_slice(&event("plan", &requests.to_string())).unwrap();
    planned["entities"]["how"] = json!([{ "detection": "message", "original_text": how, "entity_value": how }]);
    planned.to_string().into_bytes()
}

/// What became of each request.
pub(super) fn results(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = answer.json()["response"][0].as_str().unwrap().to_owned();
    serde_json::from_str(&text).unwrap()
}
