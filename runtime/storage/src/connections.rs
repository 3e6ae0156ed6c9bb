//! Connections: where they lead for everybody who may look, and their secrets, sealed, for the hosts alone.

use std::fmt;

use model::{Actor, Connection, ConnectionName, ConnectionSettings, TenantId};
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use crate::change::{Change, Entry, failed};
use crate::column::{count, damaged, number, parsed, text, time};
use crate::database::Rows;
use crate::error::storable;
use crate::seal::Keyring;
use crate::tenants::unchanged;
use crate::{Result, Storage, StorageError};

/// The most that one tenant has.
const MAX_CONNECTIONS: u64 = 100;
const SECRET_BYTES: usize = 4096;
const SETTINGS_BYTES: usize = 16 << 10;

pub(crate) const COLUMNS: &str = "tenant, name, settings, sealed, version, changed_at, changed_by";

/// A connection as hosts need it; its secret is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct OpenConnection {
    /// Whose it is.
    pub tenant: TenantId,
    /// What everybody may know of it.
    pub connection: Connection,
    /// What is secret.
    pub secret: Zeroizing<String>,
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenConnection({}/{})", self.tenant, self.connection.name)
    }
}

impl Storage {
    /// Makes a connection, or changes it. Without a secret it keeps the one that it has, unless that would be used in another way or elsewhere then.
    /// `version` is the connection's version that the caller has seen, where it cares.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where it has changed since; [`StorageError::Invalid`] where it takes its secret anew;
    /// [`StorageError::OverQuota`] past a hundred; [`StorageError::NotFound`] for a tenant that there is not.
    pub async fn set_connection(
        &self,
        tenant: &TenantId,
        name: &ConnectionName,
        settings: &ConnectionSettings,
        secret: Option<&str>,
        version: Option<u64>,
        by: &Actor,
    ) -> Result<Connection> {
        let doing = "set a connection";
        storable("the secret", secret.unwrap_or_default(), SECRET_BYTES)?;
        let text = serde_json::to_string(settings).map_err(|error| StorageError::Invalid(error.to_string()))?;
        storable("the settings", &text, SETTINGS_BYTES)?;
        let fresh = secret.map(|secret| self.keyring.seal(secret, &place(tenant, name))).transpose()?;
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                change.tenant(tenant).await?;
                let before = change.connection_row(tenant, name).await?;
                let present = before.as_ref().map_or(Ok(0), |row| number(row, "version"))?;
                unchanged(&format!("connection {name}"), present, version)?;
                let sealed = match fresh {
                    Some(sealed) => sealed,
                    None => lent(before.as_ref(), name, settings)?,
                };
                if before.is_none() {
                    change.must_have_room_for_one_more(tenant).await?;
                }
                change.write_connection(tenant, name, &text, &sealed, present + 1).await?;
                let connection = Connection {
                    name: name.clone(),
                    settings: settings.clone(),
                    version: present + 1,
                    changed_at: change.at,
                    changed_by: by.clone(),
                };
                change.commit(entry(tenant, "connection.set", name)).await?;
                Ok(connection)
            })
            .await
    }

    /// A tenant's connections, the oldest first, without what is secret.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn connections(&self, tenant: &TenantId) -> Result<Vec<Connection>> {
        let sql = format!("SELECT {COLUMNS} FROM connections WHERE tenant = $1 ORDER BY created");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str().to_owned());
        let rows = self.database.read("list the connections", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(connection).collect()
    }

    /// One connection, without what is secret.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn connection(&self, tenant: &TenantId, name: &ConnectionName) -> Result<Connection> {
        let query = one(tenant, name);
        let row = self.database.read("find a connection", query.fetch_optional(&self.database.pool)).await?;
        connection(&row.ok_or_else(|| no_connection(name))?)
    }

    /// Removes a connection: nothing goes out by it from now on.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn delete_connection(&self, tenant: &TenantId, name: &ConnectionName, by: &Actor) -> Result<()> {
        let doing = "remove a connection";
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let query = sqlx::query("DELETE FROM connections WHERE tenant = $1 AND name = $2");
                let query = query.bind(tenant.as_str().to_owned()).bind(name.as_str().to_owned());
                let done = query.execute(change.connection()).await.map_err(failed(doing))?;
                if done.rows_affected() == 0 {
                    return Err(no_connection(name));
                }
                change.commit(entry(tenant, "connection.delete", name)).await
            })
            .await
    }
}

impl Change {
    async fn connection_row(&mut self, tenant: &TenantId, name: &ConnectionName) -> Result<Option<AnyRow>> {
        one(tenant, name).fetch_optional(self.connection()).await.map_err(failed("find a connection"))
    }

    async fn must_have_room_for_one_more(&mut self, tenant: &TenantId) -> Result<()> {
        let query = sqlx::query("SELECT COUNT(*) AS connections FROM connections WHERE tenant = $1");
        let query = query.bind(tenant.as_str().to_owned());
        let row = query.fetch_one(self.connection()).await.map_err(failed("count the connections"))?;
        if number::<u64>(&row, "connections")? < MAX_CONNECTIONS {
            return Ok(());
        }
        Err(StorageError::OverQuota(format!(
            "the tenant {tenant} has {MAX_CONNECTIONS} connections, which is the most: delete one that is not needed"
        )))
    }

    async fn write_connection(
        &mut self,
        tenant: &TenantId,
        name: &ConnectionName,
        settings: &str,
        sealed: &str,
        version: u64,
    ) -> Result<()> {
        let (sequence, millis, by) = (self.sequence, self.millis(), self.by.as_str().to_owned());
        sqlx::query(
            "INSERT INTO connections (tenant, name, settings, sealed, version, created, changed_at, changed_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (tenant, name) DO UPDATE SET settings = excluded.settings, sealed = excluded.sealed, \
             version = excluded.version, changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        )
        .bind(tenant.as_str().to_owned())
        .bind(name.as_str().to_owned())
        .bind(settings.to_owned())
        .bind(sealed.to_owned())
        .bind(count(version))
        .bind(sequence)
        .bind(millis)
        .bind(by)
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(failed("set a connection"))
    }

    /// Seals what is sealed with another master key than the first, and says how many there were.
    pub(crate) async fn reseal_connections(&mut self, keyring: &Keyring) -> Result<usize> {
        let doing = "seal the connections anew";
        let query = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM connections")));
        let rows: Rows = query.fetch_all(self.connection()).await.map_err(failed(doing))?;
        let mut resealed = 0;
        for row in &rows {
            let sealed = text(row, "sealed")?;
            if !keyring.is_outdated(&sealed) {
                continue;
            }
            let (tenant, name): (TenantId, ConnectionName) = (parsed(row, "tenant")?, parsed(row, "name")?);
            let place = place(&tenant, &name);
            let query = sqlx::query("UPDATE connections SET sealed = $1 WHERE tenant = $2 AND name = $3")
                .bind(keyring.seal(&keyring.open(&sealed, &place)?, &place)?)
                .bind(tenant.as_str().to_owned())
                .bind(name.as_str().to_owned());
            query.execute(self.connection()).await.map_err(failed(doing))?;
            resealed += 1;
        }
        Ok(resealed)
    }
}

/// A connection with its secret.
pub(crate) fn opened(row: &AnyRow, keyring: &Keyring) -> Result<OpenConnection> {
    let (tenant, connection): (TenantId, _) = (parsed(row, "tenant")?, connection(row)?);
    let secret = keyring.open(&text(row, "sealed")?, &place(&tenant, &connection.name))?;
    Ok(OpenConnection { tenant, connection, secret })
}

/// The secret that there is, as it is sealed, if these settings may have it.
fn lent(before: Option<&AnyRow>, name: &ConnectionName, settings: &ConnectionSettings) -> Result<String> {
    let takes_secret = |why: &str| StorageError::Invalid(format!("the connection {name} {why}: give its secret too"));
    let row = before.ok_or_else(|| takes_secret("is new"))?;
    if connection(row)?.settings.may_lend_secret_to(settings) {
        text(row, "sealed")
    } else {
        Err(takes_secret("would use its secret elsewhere, or in another way"))
    }
}

/// What a secret is sealed for. No place of a node's secret has a colon.
fn place(tenant: &TenantId, name: &ConnectionName) -> String {
    format!("connection:{tenant}/{name}")
}

fn one(tenant: &TenantId, name: &ConnectionName) -> sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments> {
    let sql = format!("SELECT {COLUMNS} FROM connections WHERE tenant = $1 AND name = $2");
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str().to_owned()).bind(name.as_str().to_owned())
}

fn no_connection(name: &ConnectionName) -> StorageError {
    StorageError::NotFound(format!("connection {name}"))
}

fn entry<'a>(tenant: &'a TenantId, action: &'static str, name: &ConnectionName) -> Entry<'a> {
    Entry { tenant: Some(tenant), node: None, action, subject: name.to_string() }
}

fn connection(row: &AnyRow) -> Result<Connection> {
    Ok(Connection {
        name: parsed(row, "name")?,
        settings: serde_json::from_str(&text(row, "settings")?).map_err(|error| damaged("settings", &error))?,
        version: number(row, "version")?,
        changed_at: time(row, "changed_at")?,
        changed_by: Actor::recorded(text(row, "changed_by")?),
    })
}
