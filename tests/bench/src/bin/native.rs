//! The limit: the same handler written natively into an axum server, as one would write it who trusts the code.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bench::contestant::{LONG_NODE, REACH_NODE};
use bench::price::{self, Key};
use bench::reach::Reach;
use bytes::Bytes;

struct Shared {
    key: Key,
    /// Where the bench asks for it, by the variable `STORE`.
    reach: Option<Reach>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("set {name}"));
    let port = variable("PORT")?.parse().context("PORT is not a port")?;
    let reach = match std::env::var_os("STORE") {
        Some(store) => Some(Reach::open(FilePath::new(&store)).await?),
        None => None,
    };
    let shared = Arc::new(Shared { key: Key::new(&variable("SECRET")?), reach });
    let router = Router::new().route("/hooks/{tenant}/{node}", post(handle)).with_state(shared);
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Small packets at once, as our own front door does it; a socket that refuses is only slower.
            let _ = stream.set_nodelay(true);
        }),
        router,
    )
    .await?;
    Ok(())
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    Path((_tenant, node)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signature = headers.get("x-hub-signature").map(|value| value.as_bytes());
    if !signature.is_some_and(|signature| shared.key.verifies(signature, &body)) {
        return (StatusCode::UNAUTHORIZED, r#"{"error":"the signature is missing or wrong"}"#).into_response();
    }
    if let Some(reach) = shared.reach.as_ref().filter(|_| node == REACH_NODE) {
        return match reach.answer(&body).await {
            Ok(reply) => ([(header::CONTENT_TYPE, "application/json")], reply).into_response(),
            Err(_) => (StatusCode::BAD_GATEWAY, r#"{"error":"the shop or the store failed"}"#).into_response(),
        };
    }
    let answer = if node == LONG_NODE { price::answer_at_length } else { price::answer };
    match answer(&body) {
        Ok(reply) => ([(header::CONTENT_TYPE, "application/json")], reply).into_response(),
        Err(_) => (StatusCode::BAD_REQUEST, r#"{"error":"not an event"}"#).into_response(),
    }
}
