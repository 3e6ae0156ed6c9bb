//! What is asked for once more with the same key is answered as it was, and not done again.

use http::HeaderMap;
use storage::{IdempotencyClaim, Storage};

use super::*;

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// A POST with a key, and all of its answer that its caller goes by.
async fn post(state: &Arc<State>, token: &str, key: &str, path: &str, body: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::post(path).header("authorization", format!("Bearer {token}")).header("idempotency-key", key);
    let request = request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap();
    let response = TowerToHyperService::new(router(Arc::clone(state))).call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    description::must_tell_of(state, &http::Method::POST, path, parts.status);
    let body = body.collect().await.unwrap().to_bytes();
    let mut headers = parts.headers;
    headers.remove("x-request-id").unwrap();
    (parts.status, headers, String::from_utf8(body.to_vec()).unwrap())
}

fn kind(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["type"].as_str().unwrap().replace("urn:codenode:problem:", "")
}

/// Answered as before, but for the header that says so.
#[track_caller]
fn is_repeated(again: (StatusCode, HeaderMap, String), first: &(StatusCode, HeaderMap, String)) {
    let (status, mut headers, body) = again;
    assert_eq!(headers.remove("x-codenode-repeated").unwrap(), "true");
    assert_eq!((status, headers, body), *first);
}

#[tokio::test]
async fn every_creation_is_done_once_and_answered_alike() {
    let (_folder, state) = state(CONFIG).await;
    let node = "/v1/tenants/stored/nodes/ORDERS";
    let steps = [
        ("/v1/tenants", r#"{"id":"stored"}"#),
        ("/v1/keys", r#"{"role":"operator"}"#),
        ("/v1/tenants/stored/keys", r#"{"role":"admin","expires_in":"90d"}"#),
        ("/v1/tenants/stored/nodes", r#"{"id":"ORDERS"}"#),
        (&format!("{node}/secrets"), r#"{"secret":"0123456789abcdef"}"#),
    ];
    for (number, (path, body)) in steps.into_iter().enumerate() {
        let key = format!("{KEY}-{number}");
        let first = post(&state, TOKEN, &key, path, body).await;
        assert_eq!(first.0, StatusCode::CREATED, "{path}: {}", first.2);
        is_repeated(post(&state, TOKEN, &key, path, body).await, &first);
    }
    for (path, list, count) in [
        ("/v1/keys", "keys", 1),
        ("/v1/tenants/stored/keys", "keys", 1),
        (&*format!("{node}/secrets"), "secrets", 1),
        ("/v1/audit", "entries", 5),
    ] {
        let (_, listed) = get(&state, path, Some(TOKEN)).await;
        assert_eq!(listed[list].as_array().unwrap().len(), count, "{path}: {listed}");
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_caller() {
    let (_folder, state) = state(CONFIG).await;
    let first = post(&state, TOKEN, KEY, "/v1/keys", r#"{"role":"operator"}"#).await;
    let other = serde_json::from_str::<Value>(&first.2).unwrap()["key"].as_str().unwrap().to_owned();
    for (path, body) in [("/v1/keys", r#"{"role": "operator"}"#), ("/v1/tenants", r#"{"role":"operator"}"#)] {
        let (status, _, body) = post(&state, TOKEN, KEY, path, body).await;
        assert_eq!((status, &*kind(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused"), "{path}");
    }
    let of_other = post(&state, &other, KEY, "/v1/keys", r#"{"role":"operator"}"#).await;
    assert_eq!(of_other.0, StatusCode::CREATED);
    assert_ne!(of_other.2, first.2);
}

#[tokio::test]
async fn a_refusal_is_kept_too_and_a_failure_of_ours_is_not() {
    let (_folder, state) = state(CONFIG).await;
    let body = r#"{"id":"ORDERS"}"#;
    let refused = post(&state, TOKEN, KEY, "/v1/tenants/stored/nodes", body).await;
    assert_eq!((refused.0, &*kind(&refused.2)), (StatusCode::NOT_FOUND, "not-found"));
    post(&state, TOKEN, "other", "/v1/tenants", r#"{"id":"stored"}"#).await;
    is_repeated(post(&state, TOKEN, KEY, "/v1/tenants/stored/nodes", body).await, &refused);
    assert_eq!(post(&state, TOKEN, "fresh", "/v1/tenants/stored/nodes", body).await.0, StatusCode::CREATED);

    let claim = |at| IdempotencyClaim::new(&model::Actor::operator(), [7; 32], [7; 32], at);
    let failed = Problem::internal("a disk is full").into_response();
    let first = claim(jiff::Timestamp::now());
    claimed(&state.stored.storage, &first).await;
    assert_eq!(
        crate::manage::idempotency::settle(&state, &first, "id", failed).await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    claimed(&state.stored.storage, &claim(jiff::Timestamp::now())).await;
}

async fn claimed(storage: &Storage, claim: &IdempotencyClaim) {
    assert_eq!(storage.claim_idempotency(claim).await.unwrap(), storage::IdempotencyStanding::Ours);
}

#[tokio::test]
async fn of_fifty_at_once_one_makes_it_and_the_others_wait_or_get_its_answer() {
    let (_folder, state) = state(CONFIG).await;
    let tasks = (0..50).map(|_| {
        let state = Arc::clone(&state);
        tokio::spawn(async move { post(&state, TOKEN, KEY, "/v1/keys", r#"{"role":"operator"}"#).await })
    });
    let mut made = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        let (status, _, body) = task.await.unwrap();
        if status == StatusCode::CONFLICT {
            assert_eq!(kind(&body), "idempotency-key-in-use");
        } else {
            assert_eq!(status, StatusCode::CREATED, "{body}");
            made.push(body);
        }
    }
    made.dedup();
    assert_eq!(made.len(), 1);
    assert_eq!(get(&state, "/v1/keys", Some(TOKEN)).await.1["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_its_caller_does_not_wait_for_is_done_all_the_same() {
    let (_folder, state) = state(CONFIG).await;
    let ask = || post(&state, TOKEN, KEY, "/v1/tenants", r#"{"id":"stored"}"#);
    let left = tokio::time::timeout(std::time::Duration::from_micros(1), ask());
    assert!(left.await.is_err());
    let answer = loop {
        let answer = ask().await;
        if answer.0 != StatusCode::CONFLICT {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.0, StatusCode::CREATED, "{}", answer.2);
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused() {
    let (_folder, state) = state(CONFIG).await;
    for key in ["", "a b", "\u{e4}", &"k".repeat(256)] {
        let (status, _, body) = post(&state, TOKEN, key, "/v1/tenants", r#"{"id":"stored"}"#).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{key}");
        assert!(body.contains("1 to 255 visible ASCII characters"), "{body}");
    }
    assert_eq!(post(&state, TOKEN, &"k".repeat(255), "/v1/tenants", r#"{"id":"stored"}"#).await.0, StatusCode::CREATED);
    let large = " ".repeat(BODY_BYTES + 1);
    assert_eq!(post(&state, TOKEN, "large", "/v1/tenants", &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}
