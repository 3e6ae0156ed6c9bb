//! Configuration: the values that tenants set for their handlers. What is secret is sealed, and opened for the hosts alone.

use std::fmt;

use model::{Actor, ConfigEntry, ConfigKey, ConfigValue, NodeId, TenantId};
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use zeroize::Zeroizing;

use crate::change::{Change, Entry, failed};
use crate::column::{count, damaged, number, optional_text, parsed, text, time};
use crate::database::Rows;
use crate::error::storable;
use crate::seal::Keyring;
use crate::tenants::unchanged;
use crate::{Result, Storage, StorageError};

/// The most values that one tenant has, with those of its nodes.
const MAX_VALUES: u64 = 500;
const SECRET_BYTES: usize = 4096;

pub(crate) const COLUMNS: &str = "tenant, node, name, value, sealed, version, changed_at, changed_by";

/// Where values are set: for one node of a tenant's, or for all of them.
#[derive(Clone, Copy, Debug)]
pub struct ConfigPlace<'a> {
    /// Whose they are.
    pub tenant: &'a TenantId,
    /// `None`: for all nodes that have no value of their own.
    pub node: Option<&'a NodeId>,
}

/// What is set under a key.
#[derive(Clone, Copy, Debug)]
pub enum ConfigWrite<'a> {
    /// A value that may be seen.
    Open(&'a ConfigValue),
    /// One that nobody reads back but the handlers that are granted it.
    Secret(&'a Zeroizing<String>),
}

/// A value as hosts need it.
#[derive(Clone, Debug)]
pub struct OpenConfig {
    /// Whose it is.
    pub tenant: TenantId,
    /// `None`: of all its nodes.
    pub node: Option<NodeId>,
    /// What handlers know it by.
    pub key: ConfigKey,
    /// What it is.
    pub value: OpenValue,
}

/// What a value is.
#[derive(Clone, PartialEq)]
pub enum OpenValue {
    /// It may be seen.
    Open(ConfigValue),
    /// It is secret, and wiped from memory when it is dropped.
    Secret(Zeroizing<String>),
}

impl fmt::Debug for OpenValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(value) => value.fmt(f),
            Self::Secret(_) => f.write_str("Secret(…)"),
        }
    }
}

impl Storage {
    /// Sets a value. `version` is that of the value that the caller has seen, where it cares; 0: there was none.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where it has changed since; [`StorageError::Invalid`] for a secret that cannot be kept;
    /// [`StorageError::OverQuota`] past 500 of the tenant's; [`StorageError::NotFound`] for a tenant or a node that there is not.
    pub async fn set_config(
        &self,
        place: ConfigPlace<'_>,
        key: &ConfigKey,
        write: ConfigWrite<'_>,
        version: Option<u64>,
        by: &Actor,
    ) -> Result<ConfigEntry> {
        let (open, sealed) = self.columns_of(place, key, write)?;
        self.database
            .change("set a value", async {
                let mut change = self.begin(by).await?;
                change.must_have(place).await?;
                let before = change.config_row(place, key).await?;
                let present = before.as_ref().map_or(Ok(0), |row| number(row, "version"))?;
                unchanged(&format!("value {key}"), present, version)?;
                if before.is_none() {
                    change.must_have_room_for_a_value(place.tenant).await?;
                }
                change.write_config(place, key, open.clone(), sealed.clone(), present + 1).await?;
                let row = change.config_row(place, key).await?.ok_or_else(|| no_value(key))?;
                change.commit(entry(place, "config.set", key)).await?;
                config_entry(&row)
            })
            .await
    }

    /// What is set at a place, in the order of the keys. What is secret is not shown.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] for a tenant or a node that there is not.
    pub async fn config(&self, place: ConfigPlace<'_>) -> Result<Vec<ConfigEntry>> {
        match place.node {
            Some(node) => drop(self.node(place.tenant, node).await?),
            None => drop(self.tenant(place.tenant).await?),
        }
        let sql = format!("SELECT {COLUMNS} FROM config WHERE tenant = $1 AND node = $2 ORDER BY name");
        let query = at(&sql, place);
        let rows = self.database.read("list the values", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(config_entry).collect()
    }

    /// One value. What is secret is not shown.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn config_entry(&self, place: ConfigPlace<'_>, key: &ConfigKey) -> Result<ConfigEntry> {
        let query = one(place, key);
        let row = self.database.read("find a value", query.fetch_optional(&self.database.pool)).await?;
        config_entry(&row.ok_or_else(|| no_value(key))?)
    }

    /// Removes a value: no handler reads it from now on.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn delete_config(&self, place: ConfigPlace<'_>, key: &ConfigKey, by: &Actor) -> Result<()> {
        let doing = "remove a value";
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let query = at("DELETE FROM config WHERE tenant = $1 AND node = $2 AND name = $3", place);
                let query = query.bind(key.as_str().to_owned());
                let done = query.execute(change.connection()).await.map_err(failed(doing))?;
                if done.rows_affected() == 0 {
                    return Err(no_value(key));
                }
                change.commit(entry(place, "config.delete", key)).await
            })
            .await
    }

    /// A value as the columns `value` and `sealed` hold it.
    fn columns_of(
        &self,
        place: ConfigPlace<'_>,
        key: &ConfigKey,
        write: ConfigWrite<'_>,
    ) -> Result<(Option<String>, Option<String>)> {
        match write {
            ConfigWrite::Open(value) => {
                let json = serde_json::to_string(value).map_err(|error| StorageError::Invalid(error.to_string()))?;
                Ok((Some(json), None))
            }
            ConfigWrite::Secret(secret) => {
                storable("the secret", secret, SECRET_BYTES)?;
                Ok((None, Some(self.keyring.seal(secret, &sealed_for(place.tenant, node_column(place.node), key))?)))
            }
        }
    }
}

impl Change {
    async fn must_have(&mut self, place: ConfigPlace<'_>) -> Result<()> {
        match place.node {
            Some(node) => self.node(place.tenant, node).await.map(drop),
            None => self.tenant(place.tenant).await.map(drop),
        }
    }

    async fn config_row(&mut self, place: ConfigPlace<'_>, key: &ConfigKey) -> Result<Option<AnyRow>> {
        one(place, key).fetch_optional(self.connection()).await.map_err(failed("find a value"))
    }

    async fn must_have_room_for_a_value(&mut self, tenant: &TenantId) -> Result<()> {
        let query = sqlx::query("SELECT COUNT(*) AS present FROM config WHERE tenant = $1");
        let query = query.bind(tenant.as_str().to_owned());
        let row = query.fetch_one(self.connection()).await.map_err(failed("count the values"))?;
        if number::<u64>(&row, "present")? < MAX_VALUES {
            return Ok(());
        }
        Err(StorageError::OverQuota(format!(
            "the tenant {tenant} has set {MAX_VALUES} values for its handlers, which is the most: delete one that is not needed"
        )))
    }

    async fn write_config(
        &mut self,
        place: ConfigPlace<'_>,
        key: &ConfigKey,
        open: Option<String>,
        sealed: Option<String>,
        version: u64,
    ) -> Result<()> {
        let (sequence, millis, by) = (self.sequence, self.millis(), self.by.as_str().to_owned());
        at(
            "INSERT INTO config (tenant, node, name, value, sealed, version, created, changed_at, changed_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (tenant, node, name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed, \
             version = excluded.version, changed_at = excluded.changed_at, changed_by = excluded.changed_by",
            place,
        )
        .bind(key.as_str().to_owned())
        .bind(open)
        .bind(sealed)
        .bind(count(version))
        .bind(sequence)
        .bind(millis)
        .bind(by)
        .execute(self.connection())
        .await
        .map(drop)
        .map_err(failed("set a value"))
    }

    /// Removes what is set for a node, which goes.
    pub(crate) async fn delete_config_of(&mut self, tenant: &TenantId, node: &NodeId) -> Result<()> {
        let place = ConfigPlace { tenant, node: Some(node) };
        let query = at("DELETE FROM config WHERE tenant = $1 AND node = $2", place);
        query.execute(self.connection()).await.map(drop).map_err(failed("remove the values of a node"))
    }

    /// Seals what is sealed with another master key than the first, and says how many there were.
    pub(crate) async fn reseal_config(&mut self, keyring: &Keyring) -> Result<usize> {
        let doing = "seal the values anew";
        let query = sqlx::query("SELECT tenant, node, name, sealed FROM config WHERE sealed IS NOT NULL");
        let rows: Rows = query.fetch_all(self.connection()).await.map_err(failed(doing))?;
        let mut resealed = 0;
        for row in &rows {
            let sealed = text(row, "sealed")?;
            if !keyring.is_outdated(&sealed) {
                continue;
            }
            let (tenant, node, key): (TenantId, _, ConfigKey) =
                (parsed(row, "tenant")?, text(row, "node")?, parsed(row, "name")?);
            let place = sealed_for(&tenant, &node, &key);
            let query = sqlx::query("UPDATE config SET sealed = $1 WHERE tenant = $2 AND node = $3 AND name = $4")
                .bind(keyring.seal(&keyring.open(&sealed, &place)?, &place)?)
                .bind(tenant.as_str().to_owned())
                .bind(node)
                .bind(key.as_str().to_owned());
            query.execute(self.connection()).await.map_err(failed(doing))?;
            resealed += 1;
        }
        Ok(resealed)
    }
}

/// A value with what is secret of it.
pub(crate) fn opened(row: &AnyRow, keyring: &Keyring) -> Result<OpenConfig> {
    let (tenant, node, key): (TenantId, _, ConfigKey) =
        (parsed(row, "tenant")?, text(row, "node")?, parsed(row, "name")?);
    let value = match (open_value(row)?, optional_text(row, "sealed")?) {
        (Some(value), None) => OpenValue::Open(value),
        (None, Some(sealed)) => OpenValue::Secret(keyring.open(&sealed, &sealed_for(&tenant, &node, &key))?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(StorageError::Damaged(format!("the value {key} is not either open or sealed")));
        }
    };
    Ok(OpenConfig { tenant, node: node_of(row)?, key, value })
}

fn config_entry(row: &AnyRow) -> Result<ConfigEntry> {
    Ok(ConfigEntry {
        key: parsed(row, "name")?,
        node: node_of(row)?,
        value: open_value(row)?,
        version: number(row, "version")?,
        changed_at: time(row, "changed_at")?,
        changed_by: Actor::recorded(text(row, "changed_by")?),
    })
}

fn open_value(row: &AnyRow) -> Result<Option<ConfigValue>> {
    let json = optional_text(row, "value")?;
    json.map(|json| serde_json::from_str(&json)).transpose().map_err(|error| damaged("value", &error))
}

fn node_of(row: &AnyRow) -> Result<Option<NodeId>> {
    if text(row, "node")?.is_empty() { Ok(None) } else { parsed(row, "node").map(Some) }
}

fn node_column(node: Option<&NodeId>) -> &str {
    node.map_or("", NodeId::as_str)
}

/// What a secret is sealed for. No place of a node's secret has a colon, and none of a connection's begins so.
fn sealed_for(tenant: &TenantId, node: &str, key: &ConfigKey) -> String {
    format!("config:{tenant}/{node}/{key}")
}

fn at(sql: &str, place: ConfigPlace<'_>) -> Query<'static, Any, AnyArguments> {
    let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
    query.bind(place.tenant.as_str().to_owned()).bind(node_column(place.node).to_owned())
}

fn one(place: ConfigPlace<'_>, key: &ConfigKey) -> Query<'static, Any, AnyArguments> {
    let sql = format!("SELECT {COLUMNS} FROM config WHERE tenant = $1 AND node = $2 AND name = $3");
    at(&sql, place).bind(key.as_str().to_owned())
}

fn no_value(key: &ConfigKey) -> StorageError {
    StorageError::NotFound(format!("value {key}"))
}

fn entry<'a>(place: ConfigPlace<'a>, action: &'static str, key: &ConfigKey) -> Entry<'a> {
    Entry { tenant: Some(place.tenant), node: place.node, action, subject: key.to_string() }
}
