//! What outlives the process: tenants, keys, nodes, revisions, secrets, artifacts, run records, messages and what handlers keep, in a database and an
//! object store.
//!
//! The only room that knows SQL and object stores. It knows nothing of HTTP, of WebAssembly or of the configuration file.
//!
//! The same statements serve both databases, SQLite in a folder and PostgreSQL for many hosts; what differs between the two is in
//! `database`. Every change is one transaction that is in the audit log, and what was acknowledged is on the disk.

mod artifacts;
mod audit;
mod change;
mod column;
mod config;
mod connections;
mod database;
mod deliveries;
mod error;
mod idempotency;
mod key_values;
mod keys;
mod messages;
mod nodes;
mod objects;
mod retention;
mod revisions;
mod runs;
mod seal;
mod secrets;
mod serving;
mod tenants;
mod times;
mod unowned;
mod usage;

pub use artifacts::{Artifact, NewArtifact};
pub use config::{ConfigPlace, ConfigWrite, OpenConfig, OpenValue};
pub use connections::OpenConnection;
pub use database::{Listener, Place};
pub use deliveries::{Claimed, DeliveryAnswer, DeliveryClaim, DeliveryKey, DeliveryStep};
pub use error::StorageError;
pub use idempotency::{By, IdempotencyClaim, IdempotencyStanding};
pub use key_values::{Bucket, Entry, EntryWrite, Weight};
pub use keys::{NewKey, ShownKey};
pub use messages::{
    Imported, MAX_DESCRIPTION_BYTES, MAX_MESSAGES, MAX_MESSAGES_BYTES, MAX_TEXT_BYTES, MAX_VERSIONS, MessageFilter,
    MessageImport, MessageWrite,
};
pub use objects::ObjectPlace;
pub use revisions::NewRevision;
pub use runs::{FoundRuns, RunFilter, RunPages};
pub use seal::{KeyringError, MasterKey};
pub use serving::{Changes, OpenSecret, Serving, Snapshot};
pub use times::Times;

use std::sync::Arc;

use database::Database;
use objects::Objects;
use seal::Keyring;

/// What every operation ends in.
pub type Result<T> = std::result::Result<T, StorageError>;

/// How storage is set up.
#[derive(Debug)]
pub struct Config {
    /// Where rows are kept.
    pub database: Place,
    /// Where artifacts are kept.
    pub objects: ObjectPlace,
    /// What secrets are sealed with: the first seals, all of them open. Never empty.
    pub master_keys: Vec<MasterKey>,
}

/// Everything that outlives the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Storage {
    database: Database,
    objects: Objects,
    keyring: Arc<Keyring>,
}

impl Storage {
    /// Opens the database, making or migrating it where needed, and the object store.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] names what cannot be reached; [`StorageError::Invalid`] what cannot be used.
    pub async fn open(config: Config) -> Result<Self> {
        let times = Times::default();
        Ok(Self {
            keyring: Arc::new(Keyring::new(config.master_keys)?),
            objects: Objects::open(&config.objects, &times)?,
            database: Database::open(&config.database, &times).await?,
        })
    }

    /// How long everything took so far.
    pub const fn times(&self) -> &Times {
        &self.database.times
    }

    /// Whether the database answers, and how it is called in messages.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn ping(&self) -> Result<()> {
        self.database.ping().await
    }

    /// Waits for what is under way and closes all connections.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
