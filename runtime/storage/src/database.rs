//! The database: a pool of connections, the migrations, and all that differs between SQLite and PostgreSQL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgListener;
use sqlx::{AnyConnection, AnyPool, Connection as _, SqlSafeStr as _, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use tracing::{info, warn};

use crate::times::{Times, timed};
use crate::{Result, StorageError};

/// Every operation is over by then, whatever the network does.
const DEADLINE: Duration = Duration::from_secs(10);
/// For a connection of the pool.
const ACQUIRE_TIME: Duration = Duration::from_secs(5);
/// Between two attempts to listen for changes.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
/// Two hosts may migrate at the same moment; one of them finds it done.
const MIGRATION_ATTEMPTS: u32 = 3;
const CONNECTIONS: u32 = 8;

/// What hosts hear on PostgreSQL when something has changed.
pub(crate) const CHANNEL: &str = "codenode_changes";

/// WAL: readers and the writer do not wait for each other. FULL: a commit is on the disk when it returns.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
     PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF;";
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '8s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '15s'; SET application_name = 'codenode';";

/// Every change of the schema, in order; what was released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "tenants and their nodes", include_str!("../migrations/0001_tenants_and_their_nodes.sql")),
    (2, "what ran", include_str!("../migrations/0002_what_ran.sql")),
    (3, "deliveries", include_str!("../migrations/0003_deliveries.sql")),
    (4, "quotas and leftovers", include_str!("../migrations/0004_quotas_and_leftovers.sql")),
    (5, "idempotency keys", include_str!("../migrations/0005_idempotency_keys.sql")),
    (6, "run pages with HTTP calls", include_str!("../migrations/0006_run_pages_with_http_calls.sql")),
    (7, "key values", include_str!("../migrations/0007_key_values.sql")),
    (8, "connections", include_str!("../migrations/0008_connections.sql")),
    (9, "messages", include_str!("../migrations/0009_messages.sql")),
    (10, "config", include_str!("../migrations/0010_config.sql")),
];

/// Where rows are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of SQLite's; it and its folder are made if absent.
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database`.
    Postgres(String),
}

/// Without the password.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "SQLite in {}", file.display()),
            Self::Postgres(url) => match url::Url::parse(url) {
                Ok(url) => {
                    let host = url.host_str().unwrap_or("a local socket");
                    write!(f, "PostgreSQL on {host}{}", url.path())
                }
                Err(_) => f.write_str("PostgreSQL"),
            },
        }
    }
}

/// Connections to the database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) pool: AnyPool,
    pub(crate) times: Times,
    dialect: Dialect,
}

#[derive(Clone, Debug)]
enum Dialect {
    Sqlite { turn: Arc<Mutex<()>> },
    Postgres { url: String },
}

impl Database {
    pub(crate) async fn open(place: &Place, times: &Times) -> Result<Self> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let (url, settings, dialect) = match place {
            Place::Sqlite(file) => (sqlite_url(file)?, SQLITE_SETTINGS, Dialect::Sqlite { turn: Arc::default() }),
            Place::Postgres(url) => (url.clone(), POSTGRES_SETTINGS, Dialect::Postgres { url: url.clone() }),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIME)
            .after_connect(move |connection, _| Box::pin(set_up(connection, settings)))
            .before_acquire(|connection, _| Box::pin(is_idle(connection)))
            .connect(&url)
            .await
            .map_err(|error| StorageError::unavailable("open the database", error))?;
        let database = Self { pool, times: times.clone(), dialect };
        database.migrate().await?;
        info!(database = ?place, "storage is open");
        Ok(database)
    }

    /// A transaction that may write. SQLite takes its write lock here, so that it can wait for it.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, sqlx::Any>> {
        let begun = match self.dialect {
            Dialect::Sqlite { .. } => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres { .. } => self.pool.begin().await,
        };
        begun.map_err(|error| StorageError::unavailable("begin a change", error))
    }

    /// A transaction that only reads, and sees one moment throughout.
    pub(crate) async fn snapshot(&self) -> sqlx::Result<Transaction<'static, sqlx::Any>> {
        match self.dialect {
            Dialect::Sqlite { .. } => self.pool.begin().await,
            Dialect::Postgres { .. } => self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await,
        }
    }

    /// What tells other hosts of a change, once it is committed; `None` where there are no others.
    pub(crate) const fn notification(&self) -> Option<&'static str> {
        match self.dialect {
            Dialect::Sqlite { .. } => None,
            Dialect::Postgres { .. } => Some("SELECT CAST(pg_notify($1, $2) AS TEXT) AS told"),
        }
    }

    /// What a query ends in that locks its rows in their order; nothing where whoever writes has locked them all.
    pub(crate) const fn row_lock(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite { .. } => "",
            Dialect::Postgres { .. } => "FOR UPDATE",
        }
    }

    /// The same for a query that passes over rows that somebody else has locked.
    pub(crate) const fn row_lock_unless_locked(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite { .. } => "",
            Dialect::Postgres { .. } => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// Hears of changes; on SQLite there is nobody to hear of.
    pub(crate) fn listener(&self) -> Listener {
        let url = match &self.dialect {
            Dialect::Sqlite { .. } => None,
            Dialect::Postgres { url } => Some(url.clone()),
        };
        Listener { url, connection: None }
    }

    /// Looks things up; over by the deadline.
    pub(crate) async fn read<T>(&self, doing: &'static str, query: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        let query = async { query.await.map_err(|error| StorageError::unavailable(doing, error)) };
        timed(&self.times.reads, by_the_deadline(doing, query)).await
    }

    /// Changes something, when it is its turn; over by the deadline.
    pub(crate) async fn change<T>(&self, doing: &'static str, change: impl Future<Output = Result<T>>) -> Result<T> {
        let change = async {
            let _turn = self.turn().await;
            change.await
        };
        timed(&self.times.changes, by_the_deadline(doing, change)).await
    }

    /// Waits until nobody else in this process writes, where there is one writer at a time. SQLite itself keeps no queue: it has whoever waits
    /// ask again now and then, and under load some would never ask in the right moment.
    pub(crate) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match &self.dialect {
            Dialect::Sqlite { turn } => Some(turn.lock().await),
            Dialect::Postgres { .. } => None,
        }
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        let answer = sqlx::query("SELECT 1").execute(&self.pool);
        self.read("answer", answer).await.map(drop)
    }

    pub(crate) async fn close(&self) {
        if tokio::time::timeout(DEADLINE, self.pool.close()).await.is_err() {
            warn!("the database did not close in time");
        }
    }

    async fn migrate(&self) -> Result<()> {
        let known = MIGRATIONS.iter().map(|(version, description, statements)| {
            Migration::new(*version, (*description).into(), MigrationType::Simple, statements.into_sql_str(), false)
        });
        let migrator = Migrator::with_migrations(known.collect());
        let mut attempt = 1;
        while let Err(error) = migrator.run(&self.pool).await {
            if attempt == MIGRATION_ATTEMPTS {
                return Err(StorageError::unavailable("bring the database's schema up to date", error));
            }
            warn!(%error, "migrating the database failed: trying again");
            attempt += 1;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}

/// An ear for what other hosts change, with a connection of its own.
pub struct Listener {
    /// `None` where there are no other hosts.
    url: Option<String>,
    connection: Option<PgListener>,
}

impl Listener {
    /// Waits until a host says that it has changed something, this one included. It may miss one while it connects again, so look now and then
    /// all the same; where there are no other hosts it waits for ever.
    pub async fn heard(&mut self) {
        let Some(url) = &self.url else { return std::future::pending().await };
        loop {
            let heard = async {
                let connection = match &mut self.connection {
                    Some(connection) => connection,
                    empty => {
                        let mut connection = PgListener::connect(url).await?;
                        connection.listen(CHANNEL).await?;
                        empty.insert(connection)
                    }
                };
                connection.recv().await.map(drop)
            };
            match heard.await {
                Ok(()) => return,
                Err(error) => {
                    self.connection = None;
                    warn!(%error, "changes of other hosts are noticed only now and then");
                    tokio::time::sleep(LISTEN_AGAIN).await;
                }
            }
        }
    }
}

/// Ends by the deadline, whatever happens.
async fn by_the_deadline<T>(doing: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(StorageError::unavailable(doing, "the database does not answer in time")))
}

/// A query whose rows come all at once; lists are bounded by their own limit.
pub(crate) type Rows = Vec<AnyRow>;

async fn set_up(connection: &mut AnyConnection, settings: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(settings).execute(connection).await.map(drop)
}

/// Whether a connection is done with what it was used for. Where a commit fails, SQLite may have rolled back by itself; sqlx does not
/// notice, fails to roll back once more, and would refuse every later change on this connection.
async fn is_idle(connection: &mut AnyConnection) -> sqlx::Result<bool> {
    Ok(!connection.is_in_transaction())
}

/// The file's URL; its folder is made for this user alone.
fn sqlite_url(file: &Path) -> Result<String> {
    let Some(path) = file.to_str() else {
        return Err(StorageError::Invalid(format!("{} is no UTF-8: keep the database elsewhere", file.display())));
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private(folder).map_err(|error| {
            StorageError::Invalid(format!("the folder {} cannot be made: {error}", folder.display()))
        })?;
    }
    Ok(format!("sqlite:{}?mode=rwc", utf8_percent_encode(path, NON_ALPHANUMERIC)))
}

pub(crate) fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
