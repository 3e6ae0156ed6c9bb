//! What can be said of deploying without a compiler: the rest is tried on the real server.

use super::*;

async fn post(state: &Arc<State>, path: &str, body: &str) -> (StatusCode, Value) {
    with(state, "POST", path, None, body).await
}

async fn with(state: &Arc<State>, method: &str, path: &str, seen: Option<&str>, body: &str) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {TOKEN}"));
    if let Some(seen) = seen {
        request = request.header("if-match", seen);
    }
    ask(state, request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_node_is_served_as_soon_as_it_is_made() {
    let (_folder, state) = state(CONFIG).await;
    assert_eq!(post(&state, "/v1/tenants", r#"{"id":"stored"}"#).await.0, StatusCode::CREATED);
    assert_eq!(post(&state, "/v1/tenants", r#"{"id":"stored"}"#).await.0, StatusCode::CONFLICT);
    let (status, node) = post(&state, "/v1/tenants/stored/nodes", r#"{"id":"ORDERS"}"#).await;
    assert_eq!((status, &node["version"], &node["live"]), (StatusCode::CREATED, &Value::from(1), &Value::Null));
    let (_, serving) = get(&state, "/v1/nodes", Some(TOKEN)).await;
    assert_eq!(serving["nodes"][0]["source"], serde_json::json!({ "revision": null }));
    let secret = r#"{"secret":"0123456789abcdef"}"#;
    assert_eq!(post(&state, "/v1/tenants/stored/nodes/ORDERS/secrets", secret).await.0, StatusCode::CREATED);
    assert_eq!(post(&state, "/v1/tenants/stored/nodes/ORDERS/secrets", secret).await.0, StatusCode::CONFLICT);
    let (_, secrets) = get(&state, "/v1/tenants/stored/nodes/ORDERS/secrets", Some(TOKEN)).await;
    assert!(!secrets.to_string().contains("0123456789abcdef"), "{secrets}");
    assert_eq!(with(&state, "DELETE", "/v1/tenants/stored", None, "").await.0, StatusCode::NO_CONTENT);
    assert!(state.directory.load().find("stored", "ORDERS").is_none());
}

#[tokio::test]
async fn a_change_is_made_only_to_the_version_that_was_seen() {
    let (_folder, state) = state(CONFIG).await;
    post(&state, "/v1/tenants", r#"{"id":"stored"}"#).await;
    post(&state, "/v1/tenants/stored/nodes", r#"{"id":"ORDERS"}"#).await;
    let path = "/v1/tenants/stored/nodes/ORDERS/door";
    let door = r#"{"schemes":["sha256"]}"#;
    assert_eq!(with(&state, "PUT", path, Some("\"1\""), door).await.0, StatusCode::OK);
    let (status, problem) = with(&state, "PUT", path, Some("\"1\""), door).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{problem}");
    assert_eq!(with(&state, "PUT", path, Some("1"), door).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(with(&state, "PUT", path, None, r#"{"schemes":[]}"#).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(with(&state, "PUT", path, None, r#"{"schemes":["md5"]}"#).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_operator_says_what_a_tenant_may_use_and_who_has_that_much_is_told() {
    let (_folder, state) = state(CONFIG).await;
    post(&state, "/v1/tenants", r#"{"id":"stored"}"#).await;
    let path = "/v1/tenants/stored/quota";
    let (status, tenant) = with(&state, "PUT", path, Some("\"1\""), r#"{"nodes":1,"artifact_size":"1 MiB"}"#).await;
    let expected = serde_json::json!({ "nodes": 1, "artifact_size": 1_048_576 });
    assert_eq!((status, &tenant["quota"], &tenant["version"]), (StatusCode::OK, &expected, &Value::from(2)));
    assert_eq!(get(&state, "/v1/tenants/stored", Some(TOKEN)).await.1, tenant);
    let quota = state.directory.load().quota(&"stored".parse().unwrap());
    assert_eq!((quota.nodes, quota.artifact_bytes, quota.runs), (1, 1 << 20, 128));

    assert_eq!(post(&state, "/v1/tenants/stored/nodes", r#"{"id":"ONE"}"#).await.0, StatusCode::CREATED);
    let (status, problem) = post(&state, "/v1/tenants/stored/nodes", r#"{"id":"TWO"}"#).await;
    assert_eq!((status, &problem["type"]), (StatusCode::FORBIDDEN, &"urn:codenode:problem:over-quota".into()));
    assert!(problem["detail"].as_str().unwrap().contains("its quota `nodes`"), "{problem}");

    assert_eq!(with(&state, "PUT", path, Some("\"1\""), "{}").await.0, StatusCode::PRECONDITION_FAILED);
    let (status, problem) = with(&state, "PUT", path, None, r#"{"runs":0,"weight":1001}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for name in ["`runs` is 0", "`weight` is 1001"] {
        assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
    }
    assert_eq!(with(&state, "PUT", path, None, r#"{"run":1}"#).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_no_artifact_is_refused_with_every_reason() {
    let (_folder, state) = state(CONFIG).await;
    post(&state, "/v1/tenants", r#"{"id":"stored"}"#).await;
    let (status, problem) = post(&state, "/v1/tenants/stored/artifacts", "(module)").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["type"], "urn:codenode:problem:artifact-refused");
    assert!(problem["problems"][0].as_str().unwrap().contains("WebAssembly text"), "{problem}");
    assert_eq!(post(&state, "/v1/tenants/absent/artifacts", "(module)").await.0, StatusCode::NOT_FOUND);
    let (_, list) = get(&state, "/v1/tenants/stored/artifacts", Some(TOKEN)).await;
    assert_eq!(list["artifacts"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_node_of_the_configuration_is_not_made_again() {
    let (_folder, state) = state(CONFIG).await;
    let text = "[tenants.stored.nodes.ORDERS]\nartifact = \"absent.wasm\"\nsecrets = [\"hidden\"]";
    let environment = crate::config::Environment::default();
    let config = crate::config::Config::parse(std::path::Path::new("c.toml"), text, &environment).unwrap();
    let old = state.directory.load_full();
    let built = crate::directory::Directory::build(&config, &Default::default(), &state.reach, &old);
    state.directory.store(Arc::new(built));
    post(&state, "/v1/tenants", r#"{"id":"stored"}"#).await;
    let (status, problem) = post(&state, "/v1/tenants/stored/nodes", r#"{"id":"ORDERS"}"#).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("configuration file"), "{problem}");
}

#[tokio::test]
async fn whoever_has_a_key_is_told_what_there_is() {
    let (_folder, state) = state(CONFIG).await;
    let (_, contents) = get(&state, "/v1", Some(TOKEN)).await;
    assert!(
        contents["routes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|route| route["path"] == "/v1/runs" && route["role"] == "read")
    );
}
