//! A web server that checks the signature itself and answers with what an Extism plugin says.
//!
//! Usage: `SECRET=… PORT=… extism-contestant fresh|pooled plugin.wasm`
//!
//! The plugin is called on the thread that took the request: it answers within a fraction of a millisecond, less than it takes to hand it to
//! another thread and back.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt as _;
use extism::{CompiledPlugin, Plugin, PluginBuilder, Pool};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use tokio::net::TcpListener;
use wasmtime::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The plugin's function.
const FUNCTION: &str = "handle";
/// Never waited for: there are as many plugins as threads.
const PATIENCE: Duration = Duration::from_secs(1);
/// Memory of a plugin that stays mapped for the next one.
const KEPT_BYTES: usize = 1024 * 1024;

struct Server {
    key: Hmac<Sha1>,
    plugins: Plugins,
}

/// Where the plugin for a request comes from.
enum Plugins {
    /// A new one for each request.
    Fresh(Box<CompiledPlugin>),
    /// One of those that answered requests before.
    Pooled(Pool),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [mode, path] = arguments.as_slice() else { bail!("usage: extism-contestant fresh|pooled plugin.wasm") };
    let compiled = compile(&std::fs::read(path).with_context(|| format!("cannot read {path}"))?)?;
    let plugins = match mode.as_str() {
        "fresh" => Plugins::Fresh(Box::new(compiled)),
        "pooled" => Plugins::Pooled(Pool::new(move || Plugin::new_from_compiled(&compiled))),
        _ => bail!("`{mode}` is neither `fresh` nor `pooled`"),
    };
    let secret = env::var("SECRET").context("SECRET is not set")?;
    let server = Server { key: Hmac::new_from_slice(secret.as_bytes())?, plugins };
    let port = env::var("PORT").context("PORT is not set")?.parse()?;

    let listener = TcpListener::bind(("127.0.0.1", port)).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new().fallback(handle).with_state(Arc::new(server));
    axum::serve(listener, router).await?;
    Ok(())
}

/// The best that Extism lets its host choose: wasmtime's pool, whose memories stay mapped.
fn compile(plugin: &[u8]) -> anyhow::Result<CompiledPlugin> {
    let mut pool = PoolingAllocationConfig::default();
    pool.linear_memory_keep_resident(KEPT_BYTES).table_keep_resident(KEPT_BYTES).pagemap_scan(Enabled::Auto);
    let mut config = wasmtime::Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    PluginBuilder::new(plugin).with_wasmtime_config(config).with_cache_disabled().compile()
}

async fn handle(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_signed(&server.key, &headers, &body) {
        return json(StatusCode::UNAUTHORIZED, r#"{"error":"the signature is missing or wrong"}"#);
    }
    match server.plugins.call(&body) {
        Ok(reply) => json(StatusCode::OK, reply),
        Err(error) => {
            eprintln!("the plugin failed: {error:#}");
            json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"the plugin failed"}"#)
        }
    }
}

impl Plugins {
    fn call(&self, event: &[u8]) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Fresh(compiled) => Plugin::new_from_compiled(compiled)?.call(FUNCTION, event),
            Self::Pooled(pool) => pool.get(PATIENCE)?.context("no plugin is free")?.call(FUNCTION, event),
        }
    }
}

fn is_signed(key: &Hmac<Sha1>, headers: &HeaderMap, body: &[u8]) -> bool {
    let signature = headers.get("x-hub-signature").map(|value| value.as_bytes());
    let Some(hex) = signature.and_then(|value| value.strip_prefix(b"sha1=")) else { return false };
    let mut claimed = [0; 20];
    hex::decode_to_slice(hex, &mut claimed).is_ok() && key.clone().chain_update(body).verify(&claimed.into()).is_ok()
}

fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
