//! The document says what the routes do, in every form in which it is served.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use http::Method;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::*;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
const UPDATE: &str = "UPDATE_OPENAPI";

/// Fails where a path of the API was answered with a status that the document does not list.
pub(super) fn must_tell_of(state: &Arc<State>, method: &Method, path: &str, status: StatusCode) {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| table_of_contents(Arc::clone(state)).document);
    let is_path = |template: &str| {
        template.split('/').count() == path.split('/').count()
            && template.split('/').zip(path.split('/')).all(|(part, name)| part == name || part.starts_with('{'))
    };
    let paths = document["paths"].as_object().unwrap();
    // `/v1/keys` before `/v1/{…}`, should there ever be one.
    let found = paths.get(path).or_else(|| paths.iter().find(|(template, _)| is_path(template)).map(|(_, item)| item));
    let method = method.as_str().to_lowercase();
    if let Some(operation) = found.and_then(|item| item.get(&method)) {
        let known = &operation["responses"];
        assert!(known.get(status.as_str()).is_some(), "{method} {path} answers {status}, which is not in {known:#}");
    }
}

#[tokio::test]
async fn every_route_is_in_the_document_and_nothing_else_is() {
    let (_folder, state) = state("").await;
    let Finished { routes, document, .. } = table_of_contents(state);
    let routes: BTreeSet<(String, String)> =
        routes.iter().map(|route| (route.method.as_str().to_lowercase(), route.path.to_owned())).collect();
    let described: BTreeSet<(String, String)> =
        operations(&document).map(|(method, path, _)| (method.clone(), path.clone())).collect();
    assert_eq!(routes, described);
}

#[tokio::test]
async fn every_operation_is_told_in_full() {
    let (_folder, state) = state("").await;
    let document = table_of_contents(state).document;
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path} has the name of another");
        assert!(operation["summary"].is_string() && operation["description"].is_string(), "{method} {path}");
        let of_path: Vec<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let told: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(of_path, told, "{method} {path}");
    }
}

#[tokio::test]
async fn whatever_the_document_refers_to_is_in_it() {
    let (_folder, state) = state("").await;
    let document = table_of_contents(state).document;
    let text = document.to_string();
    let targets: BTreeSet<&str> =
        text.split(r##""$ref":"#"##).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(targets.len() > 20, "{targets:?}");
    for target in targets {
        assert!(document.pointer(target).is_some(), "{target}");
    }
}

#[tokio::test]
async fn the_document_is_the_one_that_was_reviewed() {
    let (_folder, state) = state("").await;
    let written = format!("{:#}\n", table_of_contents(state).document);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(GOLDEN, written).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(Path::new(GOLDEN)).unwrap_or_default();
    let differs = reviewed.lines().zip(written.lines()).position(|(old, new)| old != new);
    assert!(
        reviewed == written,
        "the API is not what runtime/server/openapi.json says, from line {} on: look at what `{UPDATE}=1 cargo test --workspace --lib \
         manage::` changes in that file, and commit it with the change",
        differs.unwrap_or_else(|| reviewed.lines().count().min(written.lines().count())) + 1
    );
}

#[tokio::test]
async fn the_document_and_its_page_are_served_to_everybody() {
    let (_folder, state) = state("").await;
    let (_, document) = get(&state, "/v1/openapi.json", None).await;
    assert_eq!(document, table_of_contents(Arc::clone(&state)).document);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));

    let service = TowerToHyperService::new(router(state));
    let answer = service.call(Request::get("/v1/docs").body(Body::empty()).unwrap()).await.unwrap();
    let headers = answer.headers().clone();
    assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let page = String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    for (_, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("id=\"operation-{id}\"")) && page.contains(path), "{id}");
    }
    for foreign in ["<script", "src=", "=\"http", "@import", "url("] {
        assert!(!page.contains(foreign), "the page loads something: {foreign}");
    }
    let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for target in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(ids.contains(&target), "a link leads nowhere: {target}");
    }
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (method, path, operation))
    })
}
