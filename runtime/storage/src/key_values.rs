//! What handlers keep between their runs: values by their keys, in buckets that never see each other.
//!
//! It does not ask whether a tenant or a node exists, for those of the configuration file are not in the database, nor how much a tenant may keep:
//! whoever calls does. An entry that has expired is absent from that moment on, though it is removed later.

mod write;

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use model::{NewValue, NodeId, TenantId};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, AssertSqlSafe, Row as _};

use crate::change::{Change, failed};
use crate::column::{count, damaged, number, optional_number, optional_time};
use crate::database::Rows as Found;
use crate::error::storable;
use crate::retention::Rows;
use crate::{Result, Storage, StorageError};
use write::{WRITE, written};

const KEY_BYTES: usize = 512;
const BUCKET_BYTES: usize = 512;
/// The longest text of an `i64`.
const NUMBER_BYTES: usize = 20;
/// Above every key, for UTF-8 has no such byte.
const LAST_BYTE: u8 = 0xff;

const KEY_VALUES: Rows = Rows { table: "key_values", key: "tenant, bucket, key", age: "expires_at" };

/// One of a tenant's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// [`Bucket::SHARED`], [`Bucket::of_node`], [`Bucket::CONVERSATION`] or [`Bucket::USER`].
    pub name: &'a str,
}

impl Bucket<'_> {
    /// The bucket that all nodes of a tenant share; it goes with the tenant.
    pub const SHARED: &'static str = "tenant";

    /// The bucket of what is remembered of a tenant's conversations.
    pub const CONVERSATION: &'static str = "conversation";

    /// The bucket of what is remembered of its users.
    pub const USER: &'static str = "user";

    /// The name of a node's own bucket; it goes with the node.
    pub fn of_node(node: &NodeId) -> String {
        format!("node/{node}")
    }
}

/// What is kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it was written. A number reads as the text of it: `-5`.
    pub value: Vec<u8>,
    /// Drawn anew whenever the entry is written, so that one which is written again as it was before is not taken for the one that was seen.
    pub version: i64,
    /// From when on there is no such entry; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// What shall be kept under a key from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryWrite {
    /// The [`Bucket`]'s name.
    pub bucket: String,
    /// Up to 512 bytes, none of which is zero.
    pub key: String,
    /// What is there from now on.
    pub value: NewValue,
    /// From when on there is no such entry; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// How much a tenant keeps in all its buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Of entries; those that have expired count until they are removed.
    pub keys: u64,
    /// Of their keys and values.
    pub bytes: u64,
}

impl Storage {
    /// What is kept under each of these keys, in their order.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] for a key that cannot be stored.
    pub async fn entries(&self, bucket: Bucket<'_>, keys: &[String], now: Timestamp) -> Result<Vec<Option<Entry>>> {
        storable_place(bucket.name, keys.iter().map(String::as_str))?;
        let once: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let Some(last) = once.last() else { return Ok(Vec::new()) };
        // Rounded up, so that a connection has few statements to remember.
        let asked = once.len().next_power_of_two();
        let places: Vec<String> = (0..asked).map(|index| format!("${}", index + 4)).collect();
        let sql = format!(
            "SELECT key, version, number, expires_at, value FROM key_values
             WHERE tenant = $1 AND bucket = $2 AND (expires_at IS NULL OR expires_at > $3) AND key IN ({})",
            places.join(", ")
        );
        let mut query = in_bucket(sqlx::query(AssertSqlSafe(sql)), bucket).bind(now.as_millisecond());
        for key in once.iter().chain(std::iter::repeat(last)).take(asked) {
            query = query.bind(key.as_bytes().to_vec());
        }
        let rows = self.database.read("look up what is kept", query.fetch_all(&self.database.pool)).await?;
        let found = rows.iter().map(|row| Ok((bytes(row, "key")?, row))).collect::<Result<HashMap<_, _>>>()?;
        keys.iter().map(|key| found.get(key.as_bytes()).map(|row| entry(row)).transpose()).collect()
    }

    /// The keys that begin with `prefix` and come after `after`, in the order of their bytes, at most so many.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] for a prefix or a key that cannot be stored.
    pub async fn entry_keys(
        &self,
        bucket: Bucket<'_>,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        storable_place(bucket.name, after.into_iter().chain([prefix]))?;
        // The next key after one is the same with a zero byte at its end.
        let after = after.map(|after| [after.as_bytes(), &[0]].concat());
        let from = after.unwrap_or_default().max(prefix.as_bytes().to_vec());
        let query = sqlx::query(
            "SELECT key FROM key_values
             WHERE tenant = $1 AND bucket = $2 AND key >= $3 AND key < $4 AND (expires_at IS NULL OR expires_at > $5)
             ORDER BY key LIMIT $6",
        );
        let query =
            in_bucket(query, bucket).bind(from).bind(beyond(prefix)).bind(now.as_millisecond()).bind(i64::from(limit));
        let rows = self.database.read("list what is kept", query.fetch_all(&self.database.pool)).await?;
        let key = |row| String::from_utf8(bytes(row, "key")?).map_err(|error| damaged("key", &error));
        rows.iter().map(key).collect()
    }

    /// Adds to a number, which is 0 where there is no entry, and tells the sum. Only an entry that this makes expires at `expires_at`; one that
    /// there is already keeps its own time.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] where the value is no whole number, or would be none of 64 bits any more: then it is as it was.
    /// [`StorageError::Invalid`] for a key that cannot be stored.
    pub async fn increment(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        delta: i64,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<i64> {
        let doing = "add to a number";
        storable_place(bucket.name, [key])?;
        let sum = async {
            loop {
                // SQLite commits when the statement ends, and whoever fetches only one row is not told what goes wrong then.
                let query = added(bucket, key, delta, expires_at, now)?;
                let rows: Found = query.fetch_all(&self.database.pool).await.map_err(failed(doing))?;
                if let Some(row) = rows.first() {
                    return number(row, "number");
                }
                // Where nothing is in the way any more, somebody has written the entry in this very moment.
                let query = sqlx::query(
                    "SELECT number FROM key_values
                     WHERE tenant = $1 AND bucket = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > $4)",
                );
                let query = at_key(query, bucket, key).bind(now.as_millisecond());
                let row = query.fetch_optional(&self.database.pool).await.map_err(failed(doing))?;
                row.map_or(Ok(()), |row| must_be_addable(optional_number(&row, "number")?, key, delta))?;
            }
        };
        self.database.change(doing, sum).await
    }

    /// Writes an entry, if it is still as it was seen: of this version, or absent. Tells whether it has.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] for a key that cannot be stored; [`StorageError::Unavailable`].
    pub async fn swap_entry(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        seen: Option<i64>,
        value: &[u8],
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool> {
        let doing = "swap what is kept";
        storable_place(bucket.name, [key])?;
        let query = match seen {
            None => sqlx::query(AssertSqlSafe(format!("{WRITE} WHERE key_values.expires_at <= $9"))),
            Some(_) => sqlx::query(
                "UPDATE key_values SET version = $4, number = $5, bytes = $6, expires_at = $7, value = $8
                 WHERE tenant = $1 AND bucket = $2 AND key = $3
                     AND (expires_at IS NULL OR expires_at > $9) AND version = $10",
            ),
        };
        let query = written(query, bucket, key, value, expires_at)?.bind(now.as_millisecond());
        let query = match seen {
            None => query,
            Some(version) => query.bind(version),
        };
        let swap = async { query.execute(&self.database.pool).await.map_err(failed(doing)) };
        Ok(self.database.change(doing, swap).await?.rows_affected() == 1)
    }

    /// How much a tenant keeps. Every entry of it is looked at, so ask seldom.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn weigh_entries(&self, tenant: &TenantId) -> Result<Weight> {
        let query = sqlx::query(
            "SELECT COUNT(*) AS keys, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM key_values WHERE tenant = $1",
        );
        let query = query.bind(tenant.as_str().to_owned());
        let row = self.database.read("weigh what a tenant keeps", query.fetch_one(&self.database.pool)).await?;
        Ok(Weight { keys: number(&row, "keys")?, bytes: number(&row, "bytes")? })
    }

    /// Removes entries that have expired before a time.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`]; what was removed until then stays removed.
    pub async fn forget_entries(&self, now: Timestamp) -> Result<()> {
        self.remove_older(&KEY_VALUES, now.as_millisecond()).await
    }
}

impl Change {
    /// Removes what a tenant keeps: in one bucket, or in all. Its rows are locked in the order in which handlers write them, so that this and a run's
    /// last writes do not wait for each other in a circle.
    pub(crate) async fn delete_entries(&mut self, tenant: &TenantId, bucket: Option<&str>) -> Result<()> {
        let (lock, which) = (self.row_lock, if bucket.is_some() { "bucket = $2" } else { "$2 = ''" });
        let sql = format!(
            "DELETE FROM key_values WHERE tenant = $1 AND {which} AND (tenant, bucket, key) IN (
                 SELECT tenant, bucket, key FROM key_values WHERE tenant = $1 AND {which} ORDER BY bucket, key {lock}
             )"
        );
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = query.bind(tenant.as_str().to_owned()).bind(bucket.unwrap_or_default().to_owned());
        query.execute(self.connection()).await.map(drop).map_err(failed("remove what handlers keep"))
    }
}

type Query<'q> = sqlx::query::Query<'q, Any, AnyArguments>;

fn in_bucket<'q>(query: Query<'q>, bucket: Bucket<'_>) -> Query<'q> {
    query.bind(bucket.tenant.as_str().to_owned()).bind(bucket.name.to_owned())
}

fn at_key<'q>(query: Query<'q>, bucket: Bucket<'_>, key: &str) -> Query<'q> {
    in_bucket(query, bucket).bind(key.as_bytes().to_vec())
}

/// One statement, so that nobody's sum is lost. It finds no row where the sum would not fit, which SQLite would make a floating-point number of.
fn added(
    bucket: Bucket<'_>,
    key: &str,
    delta: i64,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Query<'static>> {
    let query = sqlx::query(
        "INSERT INTO key_values (tenant, bucket, key, version, number, bytes, expires_at, value)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant, bucket, key) DO UPDATE SET
             version = excluded.version,
             number = CASE WHEN key_values.expires_at <= $9 THEN excluded.number
                 ELSE key_values.number + excluded.number END,
             bytes = CASE WHEN key_values.expires_at <= $9 THEN excluded.bytes
                 ELSE $10 + LENGTH(CAST(key_values.number + excluded.number AS TEXT)) END,
             expires_at = CASE WHEN key_values.expires_at <= $9 THEN excluded.expires_at
                 ELSE key_values.expires_at END,
             value = excluded.value
         WHERE key_values.expires_at <= $9 OR key_values.number BETWEEN $11 AND $12
         RETURNING number",
    );
    Ok(written(query, bucket, key, delta.to_string().as_bytes(), expires_at)?
        .bind(now.as_millisecond())
        .bind(count(key.len()))
        .bind(i64::MIN - delta.min(0))
        .bind(i64::MAX - delta.max(0)))
}

fn must_be_addable(number: Option<i64>, key: &str, delta: i64) -> Result<()> {
    let Some(number) = number else {
        return Err(StorageError::Conflict(format!(
            "the value of the key {key:?} is no whole number of 64 bits, so nothing can be added to it"
        )));
    };
    match number.checked_add(delta) {
        Some(_) => Ok(()),
        None => Err(StorageError::Conflict(format!(
            "the value of the key {key:?} is {number}, and {delta} more would be no number of 64 bits: it stays as it is"
        ))),
    }
}

fn storable_place<'a>(bucket: &str, keys: impl IntoIterator<Item = &'a str>) -> Result<()> {
    storable("the bucket", bucket, BUCKET_BYTES)?;
    keys.into_iter().try_for_each(|key| storable("the key", key, KEY_BYTES))
}

/// The number that a value is the text of; not `007`, for what was written is what is read.
fn number_in(value: &[u8]) -> Option<i64> {
    let text = str::from_utf8(value).ok().filter(|text| text.len() <= NUMBER_BYTES)?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

/// Below this is all that begins with a prefix.
pub(crate) fn beyond(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    match bytes.last_mut() {
        Some(last) => *last += 1,
        None => bytes.push(LAST_BYTE),
    }
    bytes
}

fn fresh_version() -> Result<i64> {
    let mut version = [0; 8];
    getrandom::fill(&mut version).map_err(|error| StorageError::unavailable("draw random bytes", error))?;
    Ok(i64::from_ne_bytes(version))
}

fn entry(row: &AnyRow) -> Result<Entry> {
    let number: Option<i64> = optional_number(row, "number")?;
    Ok(Entry {
        value: number.map_or_else(|| bytes(row, "value"), |number| Ok(number.to_string().into_bytes()))?,
        version: self::number(row, "version")?,
        expires_at: optional_time(row, "expires_at")?,
    })
}

pub(crate) fn bytes(row: &AnyRow, name: &str) -> Result<Vec<u8>> {
    row.try_get(name).map_err(|error| damaged(name, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_as_one_only_if_it_reads_as_it_was_written() {
        for text in ["0", "-5", "42", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(number_in(text.as_bytes()).map(|number| number.to_string()).as_deref(), Some(text));
        }
        for text in ["", "+5", "007", "-0", "-", " 1", "1 ", "1.0", "1e3", "9223372036854775808", "٣", "1\0"] {
            assert_eq!(number_in(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(number_in(&[0xff]), None);
    }

    #[test]
    fn what_begins_with_a_prefix_is_below_its_end_and_what_comes_next_is_not() {
        for (prefix, next) in
            [("a", "b"), ("é", "ê"), ("%_\u{7f}", "%_\u{80}"), ("\u{7ff}", "\u{800}"), ("", "\u{10ffff}")]
        {
            for rest in ["", "\u{1}", "z", "\u{10ffff}\u{10ffff}"] {
                assert!(format!("{prefix}{rest}").into_bytes() < beyond(prefix), "{prefix:?} {rest:?}");
            }
            assert_eq!(next.as_bytes() < &*beyond(prefix), next.starts_with(prefix), "{prefix:?} {next:?}");
        }
    }
}
