//! Every route for every kind of caller.

use jiff::{Timestamp, ToSpan as _};
use model::{Actor, TenantId};
use storage::NewKey;

use super::*;
use crate::manage::api::Route;

/// Names for the parameters of a path; what they name need not exist, except for the tenant.
fn filled(path: &str) -> String {
    path.replace("{tenant}", "acme")
        .replace("{node}", "ORDERS")
        .replace("{revision}", "1")
        .replace("{artifact}", &"a".repeat(64))
        .replace("{key}", "greeting")
        .replace("{id}", "0199a5b0-0000-7000-8000-000000000000")
}

fn request(route: &Route, key: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(route.method.clone()).uri(filled(route.path));
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    request.header("content-type", "application/json").body(Body::from("{}")).unwrap()
}

async fn key(state: &State, tenant: Option<&str>, role: Role, expires_at: Option<Timestamp>) -> String {
    let tenant = tenant.map(|tenant| tenant.parse().unwrap());
    let new = NewKey { tenant, role, label: String::new(), expires_at };
    state.stored.storage.create_key(&new, &Actor::operator()).await.unwrap().1.reveal().to_owned()
}

async fn with_tenants() -> (tempfile::TempDir, Arc<State>) {
    let (folder, state) = state(CONFIG).await;
    for tenant in ["acme", "other"] {
        state.stored.storage.create_tenant(&tenant.parse::<TenantId>().unwrap(), &Actor::operator()).await.unwrap();
    }
    (folder, state)
}

#[tokio::test]
async fn every_route_refuses_whoever_may_not_call_it() {
    let (_folder, state) = state(CONFIG).await;
    let routes = table_of_contents(state).routes;
    assert!(routes.len() > 30, "{routes:?}");
    for route in routes {
        let Some(role) = route.role else {
            // What the program itself can do is no secret.
            assert!(["/v1/openapi.json", "/v1/docs"].contains(&route.path), "{route:?}");
            assert_eq!(ask(&with_tenants().await.1, request(&route, None)).await.0, StatusCode::OK, "{route:?}");
            continue;
        };
        // A route may remove what the next caller needs.
        let (_folder, state) = with_tenants().await;
        let expired = key(&state, Some("acme"), Role::Admin, Some(Timestamp::now() - 1.second())).await;
        for nobody in [None, Some("no key at all"), Some(expired.as_str())] {
            let (status, body) = ask(&state, request(&route, nobody)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{route:?} {nobody:?}");
            assert_eq!(body["type"], "urn:codenode:problem:unauthorized");
        }
        let stranger = key(&state, Some("other"), Role::Admin, None).await;
        let (status, _) = ask(&state, request(&route, Some(&stranger))).await;
        match (route.path.contains("{tenant}"), role) {
            (true, _) => assert_eq!(status, StatusCode::NOT_FOUND, "another tenant's: {route:?}"),
            (false, Role::Operator) => assert_eq!(status, StatusCode::FORBIDDEN, "{route:?}"),
            (false, Role::Read | Role::Deploy | Role::Admin) => {
                assert!(status.is_success() || status == 404, "{route:?}");
            }
        }
        for shown in Role::ALL {
            let tenant = (shown != Role::Operator).then_some("acme");
            let key = key(&state, tenant, shown, None).await;
            let (status, body) = ask(&state, request(&route, Some(&key))).await;
            let is_forbidden = status == StatusCode::FORBIDDEN;
            assert_eq!(is_forbidden, shown < role, "{shown} at {route:?}: {status} {body}");
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{shown} at {route:?}");
            assert!(!status.is_server_error(), "{shown} at {route:?}: {body}");
        }
    }
}

#[tokio::test]
async fn a_key_of_a_tenants_sees_that_tenants_runs_alone() {
    let (_folder, state) = with_tenants().await;
    let (own, foreign) = (record("acme", reply("hi")), record("other", reply("hi")));
    let (own_id, foreign_id) = (own.id, foreign.id);
    state.recorder.write([own, foreign]);
    let key = key(&state, Some("acme"), Role::Read, None).await;
    let (_, list) = get(&state, "/v1/runs", Some(&key)).await;
    assert_eq!(list["runs"].as_array().unwrap().len(), 1);
    assert_eq!(get(&state, "/v1/runs?tenant=other", Some(&key)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&state, &format!("/v1/runs/{own_id}"), Some(&key)).await.0, StatusCode::OK);
    assert_eq!(get(&state, &format!("/v1/runs/{foreign_id}"), Some(&key)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_body_that_says_more_than_it_may_is_refused() {
    let (_folder, state) = with_tenants().await;
    let admin = key(&state, Some("acme"), Role::Admin, None).await;
    for (path, body) in [
        ("/v1/tenants/acme/nodes", r#"{"id":"ORDERS","tenant":"other"}"#),
        ("/v1/tenants/acme/nodes", r#"{"id":"ORDERS","live":1}"#),
        ("/v1/tenants/acme/nodes", r#"{"id":"../x"}"#),
        ("/v1/tenants/acme/keys", r#"{"role":"operator"}"#),
        ("/v1/tenants/acme/keys", r#"{"role":"admin","tenant":"other"}"#),
        ("/v1/tenants/acme/keys", r#"{"role":"read","label":"a\u0000b"}"#),
        ("/v1/tenants/acme/keys", "{"),
    ] {
        let request = Request::post(path).header("authorization", format!("Bearer {admin}"));
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        let (status, problem) = ask(&state, request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        assert!(problem["request_id"].is_string());
    }
    assert!(state.stored.storage.nodes(&"acme".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_flood_of_wrong_keys_is_told_to_wait() {
    let (_folder, state) = with_tenants().await;
    let mut statuses = Vec::new();
    for _ in 0..60 {
        statuses.push(get(&state, "/v1/runs", Some("wrong")).await.0);
    }
    assert_eq!(statuses[0], StatusCode::UNAUTHORIZED);
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(get(&state, "/v1/runs", Some(TOKEN)).await.0, StatusCode::OK, "a right one is never told to wait");
}
