//! The job with a service and a store in it: one GET, one entry looked up. The shop that both contestants ask, and the job as one writes it natively.
//!
//! The native one has what codenode has: hyper-util's pooled client, and SQLite in a file through sqlx's `Any` driver, with the same table, the same
//! query and the same settings.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Row as _};

use crate::price::EVENT;

/// Where the store holds the currency.
pub const KEY: &str = "currency";
/// What it holds there.
pub const CURRENCY: &str = "₹";

const OFFER: &str = r#"{"price":1500}"#;

/// As codenode opens its own.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;";
const CONNECTIONS: u32 = 8;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS key_values (tenant TEXT NOT NULL, bucket TEXT NOT NULL, key BYTEA NOT NULL, version BIGINT NOT NULL, \
     number BIGINT, bytes BIGINT NOT NULL, expires_at BIGINT, value BYTEA NOT NULL, PRIMARY KEY (tenant, bucket, key))";
const ENTRY: &str = "INSERT INTO key_values (tenant, bucket, key, version, bytes, value) VALUES ($1, $2, $3, 1, 11, $4) ON CONFLICT DO NOTHING";
const LOOK_UP: &str = "SELECT key, version, number, expires_at, value FROM key_values \
     WHERE tenant = $1 AND bucket = $2 AND (expires_at IS NULL OR expires_at > $3) AND key IN ($4)";

/// The event, with where the shop is.
pub fn event(shop: SocketAddr) -> String {
    EVENT.replace(r#""SHOP":"pune-camp-1""#, &format!(r#""SHOP_URL":"http://{shop}""#))
}

/// Opens the shop on a thread of its own, on the cores that the caller is on; it closes with the process.
///
/// # Errors
/// The system has no port or no thread.
pub fn open_shop() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shop = Router::new().route("/price", get(|| async { ([("content-type", "application/json")], OFFER) }));
    thread::Builder::new().name("shop".into()).spawn(move || {
        runtime.block_on(async {
            let listener = axum::serve::ListenerExt::tap_io(tokio::net::TcpListener::from_std(listener)?, |stream| {
                // A socket that refuses is only slower.
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, shop).await
        })
    })?;
    Ok(address)
}

/// The service and the store of the native contestant.
pub struct Reach {
    client: Client<HttpConnector, Empty<Bytes>>,
    store: AnyPool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    entities: Entities<'a>,
    #[serde(borrow)]
    env_variables: Variables<'a>,
}

#[derive(Deserialize)]
struct Entities<'a> {
    #[serde(borrow)]
    product_name: [Entity<'a>; 1],
}

#[derive(Deserialize)]
struct Entity<'a> {
    entity_value: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Variables<'a> {
    shop_url: &'a str,
}

#[derive(Deserialize)]
struct Offer {
    price: u32,
}

#[derive(serde::Serialize)]
struct Reply {
    status: bool,
    response: [String; 1],
}

impl Reach {
    /// Opens the store in this file, which is made if absent, with the one entry in it.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub async fn open(file: &Path) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let store = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop) })
            })
            .connect(&format!("sqlite://{}?mode=rwc", file.display()))
            .await
            .with_context(|| format!("cannot open {}", file.display()))?;
        sqlx::query(TABLE).execute(&store).await?;
        let entry = sqlx::query(ENTRY).bind("bench").bind("node/REACHING").bind(KEY.as_bytes().to_vec());
        entry.bind(CURRENCY.as_bytes().to_vec()).execute(&store).await?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { client, store })
    }

    /// Answers one event.
    ///
    /// # Errors
    /// The event is of another shape, the shop does not answer as it should, or the entry is missing.
    pub async fn answer(&self, event: &[u8]) -> anyhow::Result<Vec<u8>> {
        let Event { entities: Entities { product_name: [Entity { entity_value: product }] }, env_variables } =
            serde_json::from_slice(event)?;
        let answer = self.client.get(format!("{}/price?product={product}", env_variables.shop_url).parse()?).await?;
        anyhow::ensure!(answer.status().is_success(), "the shop answers with {}", answer.status());
        let Offer { price } = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        let entry =
            sqlx::query(LOOK_UP).bind("bench").bind("node/REACHING").bind(jiff::Timestamp::now().as_millisecond());
        let entry = entry.bind(KEY.as_bytes().to_vec()).fetch_all(&self.store).await?;
        let currency: Vec<u8> = entry.first().context("the currency is not set")?.try_get("value")?;
        let text = format!("The price of the {product} is {}{price}.", String::from_utf8_lossy(&currency));
        Ok(serde_json::to_vec(&Reply { status: true, response: [text] })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::REPLY;

    #[tokio::test]
    async fn the_shop_and_the_store_make_the_same_answer() {
        let folder = tempfile::tempdir().unwrap();
        let reach = Reach::open(&folder.path().join("store.db")).await.unwrap();
        let event = event(open_shop().unwrap());
        assert_eq!(reach.answer(event.as_bytes()).await.unwrap(), REPLY.as_bytes());
    }
}
