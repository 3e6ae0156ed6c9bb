use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use model::{BotBreak, Cause, Outcome};
use serde_json::Value;

use axum::response::IntoResponse as _;

use super::*;

mod access;
mod deploying;
mod description;
mod idempotency;

use crate::recorder::tests::{record, reply};
use crate::state::tests::state;

const TOKEN: &str = "0123456789abcdef";
const CONFIG: &str = r#"
    [management]
    token = "0123456789abcdef"
    [tenants.acme.nodes.N]
    artifact = "absent.wasm"
    secrets = ["hidden"]
"#;

async fn get(state: &Arc<State>, path: &str, token: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    ask(state, request.body(Body::empty()).unwrap()).await
}

async fn ask(state: &Arc<State>, request: Request<Body>) -> (StatusCode, Value) {
    let service = TowerToHyperService::new(router(Arc::clone(state)));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = service.call(request).await.unwrap();
    let status = response.status();
    description::must_tell_of(state, &method, &path, status);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn only_health_is_open() {
    let (_folder, state) = state(CONFIG).await;
    for path in ["/v1/runs", "/v1/nodes", "/metrics", "/v1/runs/0199a5b0-0000-7000-8000-000000000000"] {
        for token in [None, Some(""), Some("0123456789abcdeF"), Some("0123456789abcde")] {
            assert_eq!(get(&state, path, token).await.0, StatusCode::UNAUTHORIZED, "{path} {token:?}");
        }
        assert_ne!(get(&state, path, Some(TOKEN)).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(get(&state, "/healthz", None).await.0, StatusCode::OK);
    assert_eq!(get(&state, "/hooks/acme/N", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_token_nobody_is_told_anything_but_how_to_set_one() {
    let (_folder, state) = state("").await;
    let (status, body) = get(&state, "/v1/runs", Some("")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body["detail"].as_str().unwrap().contains("for the first one, set `token`"), "{body}");
}

#[tokio::test]
async fn metrics_are_open_to_all_only_where_that_is_said() {
    let (_folder, state) = state("[management]\nopen_metrics = true\n").await;
    assert_eq!(get(&state, "/metrics", None).await.0, StatusCode::OK);
    assert_eq!(get(&state, "/v1/runs", None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn readiness_follows_the_servers_life() {
    let (_folder, state) = state(CONFIG).await;
    assert_eq!(get(&state, "/readyz", None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    state.enter(crate::state::Phase::Serving);
    let (status, body) = get(&state, "/readyz", None).await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &Value::from("ready")));
    state.enter(crate::state::Phase::Draining);
    assert_eq!(get(&state, "/readyz", None).await.1["status"], "draining");
}

#[tokio::test]
async fn a_list_of_runs_is_short_and_one_run_is_whole() {
    let (_folder, state) = state(CONFIG).await;
    state.recorder.write([record("acme", reply("a long reply"))]);
    let broken = record("acme", Outcome::BotBreak(BotBreak::new(Cause::Trap, "unreachable")));
    let id = broken.id;
    state.recorder.write([broken]);

    let (_, list) = get(&state, "/v1/runs", Some(TOKEN)).await;
    assert_eq!(list["runs"].as_array().unwrap().len(), 2);
    assert_eq!(list["runs"][0]["cause"], "trap");
    assert_eq!(list["runs"][0]["blame"], "author");
    assert!(!list.to_string().contains("a long reply"));

    let (_, mut whole) = get(&state, &format!("/v1/runs/{id}"), Some(TOKEN)).await;
    whole["id"] = "[id]".into();
    assert_eq!(whole["limits"].take(), serde_json::to_value(model::Limits::DEFAULT).unwrap());
    assert_eq!(whole["usage"].take(), serde_json::to_value(model::Usage::default()).unwrap());
    insta::assert_json_snapshot!(whole, @r#"
    {
      "artifact": null,
      "blame": "author",
      "caller_left": false,
      "cause": "trap",
      "chat_afterwards": "with_bot",
      "detail": "unreachable",
      "http_calls": [],
      "id": "[id]",
      "limits": null,
      "log": {
        "dropped_bytes": 0,
        "lines": []
      },
      "node": "NODE",
      "outcome": {
        "bot_break": {
          "blame": "author",
          "cause": "trap",
          "detail": "unreachable"
        }
      },
      "result": "bot_break",
      "revision": null,
      "started_at": "1970-01-01T00:00:00Z",
      "tenant": "acme",
      "usage": null
    }
    "#);

    let reply_id = list["runs"][1]["id"].as_str().unwrap();
    let (_, whole) = get(&state, &format!("/v1/runs/{reply_id}"), Some(TOKEN)).await;
    assert_eq!(whole["outcome"]["reply"]["response"][0], "a long reply");
}

#[tokio::test]
async fn a_bad_query_is_told_why() {
    let (_folder, state) = state(CONFIG).await;
    let mut lines = Vec::new();
    for query in
        ["limit=0", "limit=1000000000", "limit=-1", "cause=tired", "tenant=a/b", "tenants=acme", "limit=1&limit=2"]
    {
        let (status, body) = get(&state, &format!("/v1/runs?{query}"), Some(TOKEN)).await;
        lines.push(format!("{query}: {} {}", status.as_u16(), body["detail"].as_str().unwrap()));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    limit=0: 400 `limit` is 0: it must be from 1 to 1000
    limit=1000000000: 400 `limit` is 1000000000: it must be from 1 to 1000
    limit=-1: 400 Failed to deserialize query string: limit: invalid digit found in string
    cause=tired: 400 `cause`: no such cause; the causes are trap, exception, exit, reply_not_json, reply_wrong_shape, reply_empty, out_of_time, out_of_cpu, out_of_memory, out_of_stack, reply_too_large, too_many_calls, upstream_failed, over_quota, overloaded, unavailable, internal
    tenant=a/b: 400 `tenant`: `a/b` is not a valid id: use 1 to 63 letters, digits, `_` or `-`, the first a letter or a digit
    tenants=acme: 400 Failed to deserialize query string: tenants: unknown field `tenants`, expected one of `tenant`, `node`, `cause`, `revision`, `since`, `until`, `limit`, `cursor`
    limit=1&limit=2: 400 Failed to deserialize query string: duplicate field `limit`
    "#);
}

#[tokio::test]
async fn a_query_narrows_the_list() {
    let (_folder, state) = state(CONFIG).await;
    state.recorder.write([record("acme", reply("hi"))]);
    state.recorder.write([record("other", Outcome::BotBreak(BotBreak::new(Cause::Exit, "1")))]);
    for (query, count) in [
        ("", 2),
        ("tenant=acme", 1),
        ("cause=exit", 1),
        ("tenant=acme&cause=exit", 0),
        ("limit=1", 1),
        ("node=NODE", 2),
    ] {
        let (_, list) = get(&state, &format!("/v1/runs?{query}"), Some(TOKEN)).await;
        assert_eq!(list["runs"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_the_page_before_ended() {
    let (_folder, state) = state(CONFIG).await;
    state.recorder.write((0..5).map(|_| record("acme", reply("hi"))));
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let (_, page) = get(&state, &format!("/v1/runs?{query}"), Some(TOKEN)).await;
        seen.extend(page["runs"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b), "the newest first, none twice: {seen:?}");
}

#[tokio::test]
async fn usage_is_told_in_whole_hours() {
    let (_folder, state) = state(CONFIG).await;
    let mut broken = record("acme", Outcome::BotBreak(BotBreak::new(Cause::Trap, "unreachable")));
    broken.run.usage.cpu_time = std::time::Duration::from_micros(250);
    state.recorder.write([record("acme", reply("hi")), broken, record("other", reply("hi"))]);
    let (status, used) = get(&state, "/v1/tenants/acme/usage", Some(TOKEN)).await;
    assert_eq!(status, StatusCode::OK, "{used}");
    assert_eq!(used["total"], used["nodes"]["NODE"]);
    assert_eq!((&used["total"]["runs"], &used["total"]["bot_breaks"]), (&2.into(), &1.into()));
    assert_eq!(used["total"]["cpu_micros"], 250);
    assert!(used["since"].as_str().unwrap().ends_with(":00:00Z"), "{used}");
    let long_ago = "since=2020-01-01T00:10:00Z&until=2020-01-01T00:20:00Z";
    let (_, none) = get(&state, &format!("/v1/tenants/acme/usage?{long_ago}"), Some(TOKEN)).await;
    assert_eq!((&none["until"], &none["total"]["runs"]), (&"2020-01-01T01:00:00Z".into(), &0.into()));
    let backwards = "since=2020-01-02T00:00:00Z&until=2020-01-01T00:00:00Z";
    assert_eq!(
        get(&state, &format!("/v1/tenants/acme/usage?{backwards}"), Some(TOKEN)).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (_folder, state) = state(CONFIG).await;
    for path in ["/v1/runs/x", "/v1/runs/0199a5b0-0000-7000-8000-000000000000", "/v2", "/"] {
        assert_eq!(get(&state, path, Some(TOKEN)).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
