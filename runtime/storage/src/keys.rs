//! Keys of the management API: shown once, kept as a digest.
//!
//! A key reads `cn_<id>_<secret>`. The secret has 256 random bits, so its plain SHA-256 gives nothing away.

use std::fmt;

use jiff::{Timestamp, ToSpan as _};
use model::{Actor, ApiKey, Role, TenantId};
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::change::{Entry, failed};
use crate::column::{optional_parsed, optional_time, parsed, text, time, to_millis};
use crate::error::storable;
use crate::{By, Result, Storage, StorageError};

const PREFIX: &str = "cn";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
const LABEL_BYTES: usize = 200;
const COLUMNS: &str = "id, tenant, role, label, sha256, created_at, created_by, expires_at, last_used_at";

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose it is; `None` for an operator's, and only for one.
    pub tenant: Option<TenantId>,
    /// What it may do.
    pub role: Role,
    /// What it is for.
    pub label: String,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// A fresh key's text. It is not stored anywhere.
pub struct ShownKey(Zeroizing<String>);

impl ShownKey {
    /// The text, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ShownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownKey(…)")
    }
}

impl Storage {
    /// Makes a key.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] for the tenant, [`StorageError::Invalid`] for the label.
    pub async fn create_key(
        &self,
        new: &NewKey,
        by: impl Into<By<'_, (ApiKey, ShownKey)>>,
    ) -> Result<(ApiKey, ShownKey)> {
        let (doing, by) = ("make a key", by.into());
        storable("the key's label", &new.label, LABEL_BYTES)?;
        if (new.role == Role::Operator) != new.tenant.is_none() {
            return Err(StorageError::Invalid(
                "an operator's key belongs to no tenant, and any other to one".to_owned(),
            ));
        }
        let (id, shown) = fresh()?;
        let digest = digest(shown.reveal());
        self.database
            .change(doing, async {
                let mut change = self.begin(by.actor).await?;
                if let Some(tenant) = &new.tenant {
                    change.tenant(tenant).await?;
                }
                sqlx::query(
                "INSERT INTO api_keys (id, tenant, role, label, sha256, created, created_at, created_by, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(id.clone())
            .bind(new.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()))
            .bind(new.role.name())
            .bind(new.label.clone())
            .bind(hex::encode(digest))
            .bind(change.sequence)
            .bind(change.millis())
            .bind(by.actor.as_str().to_owned())
            .bind(new.expires_at.map(Timestamp::as_millisecond))
            .execute(change.connection())
            .await
            .map_err(failed(doing))?;
                let key = ApiKey {
                    id: id.clone(),
                    tenant: new.tenant.clone(),
                    role: new.role,
                    label: new.label.clone(),
                    created_at: change.at,
                    created_by: by.actor.clone(),
                    expires_at: new.expires_at.map(to_millis),
                    last_used_at: None,
                };
                let made = (key, shown);
                change.keep_answer(&self.keyring, &by, &made).await?;
                let subject = format!("{id} ({})", new.role);
                change.commit(Entry { tenant: new.tenant.as_ref(), node: None, action: "key.create", subject }).await?;
                Ok(made)
            })
            .await
    }

    /// The key that this text is, if it is one and has not expired. Notes that it was used.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn authenticate(&self, shown: &str, now: Timestamp) -> Result<Option<ApiKey>> {
        let doing = "look a key up";
        let Some(id) = id_of(shown) else { return Ok(None) };
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_keys WHERE id = $1"));
        let query = sqlx::query(sql).bind(id.to_owned());
        let Some(row) = self.database.read(doing, query.fetch_optional(&self.database.pool)).await? else {
            return Ok(None);
        };
        let key = key(&row)?;
        let right = hex::encode(digest(shown)).as_bytes().ct_eq(text(&row, "sha256")?.as_bytes());
        if !bool::from(right) || key.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        let note_again =
            key.last_used_at.is_none_or(|last| last.saturating_add(1.minute()).is_ok_and(|due| due <= now));
        if note_again {
            let used = sqlx::query("UPDATE api_keys SET last_used_at = $1 WHERE id = $2");
            let used = used.bind(now.as_millisecond()).bind(key.id.clone());
            let note = async {
                let _turn = self.database.turn().await;
                used.execute(&self.database.pool).await
            };
            self.database.read(doing, note).await?;
        }
        Ok(Some(key))
    }

    /// The keys of a tenant, or the operators' own, the oldest first.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub async fn keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>> {
        let owner = if tenant.is_some() { "tenant = $1" } else { "tenant IS NULL AND $1 = ''" };
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_keys WHERE {owner} ORDER BY created"));
        let query = sqlx::query(sql).bind(tenant.map_or_else(String::new, |tenant| tenant.as_str().to_owned()));
        let rows = self.database.read("list the keys", query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(key).collect()
    }

    /// Removes a key of a tenant's, or of the operators': it is refused from now on.
    ///
    /// # Errors
    /// [`StorageError::NotFound`].
    pub async fn delete_key(&self, tenant: Option<&TenantId>, id: &str, by: &Actor) -> Result<()> {
        let doing = "remove a key";
        if !self.keys(tenant).await?.iter().any(|key| key.id == id) {
            return Err(tenant.map_or_else(|| no_key(id), |tenant| no_key(&format!("{id} of the tenant {tenant}"))));
        }
        self.database
            .change(doing, async {
                let mut change = self.begin(by).await?;
                let query = sqlx::query("DELETE FROM api_keys WHERE id = $1").bind(id.to_owned());
                let done = query.execute(change.connection()).await.map_err(failed(doing))?;
                if done.rows_affected() == 0 {
                    return Err(no_key(id));
                }
                change.commit(Entry { tenant, node: None, action: "key.delete", subject: id.to_owned() }).await
            })
            .await
    }
}

fn no_key(id: &str) -> StorageError {
    StorageError::NotFound(format!("key {id}"))
}

/// A new id, and the whole text.
fn fresh() -> Result<(String, ShownKey)> {
    let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
    for bytes in [&mut id[..], &mut secret[..]] {
        getrandom::fill(bytes).map_err(|error| StorageError::unavailable("draw random bytes", error))?;
    }
    let id = hex::encode(id);
    let text = Zeroizing::new(format!("{PREFIX}_{id}_{}", hex::encode(secret)));
    secret.zeroize();
    Ok((id, ShownKey(text)))
}

/// The id in a key's text, if it has the form of one.
fn id_of(shown: &str) -> Option<&str> {
    let (id, secret) = shown.strip_prefix(PREFIX)?.strip_prefix('_')?.split_once('_')?;
    let is_hex =
        |text: &str, bytes: usize| text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then_some(id)
}

fn digest(shown: &str) -> [u8; 32] {
    Sha256::digest(shown).into()
}

fn key(row: &AnyRow) -> Result<ApiKey> {
    Ok(ApiKey {
        id: text(row, "id")?,
        tenant: optional_parsed(row, "tenant")?,
        role: parsed(row, "role")?,
        label: text(row, "label")?,
        created_at: time(row, "created_at")?,
        created_by: Actor::recorded(text(row, "created_by")?),
        expires_at: optional_time(row, "expires_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_an_id_and_a_secret_and_no_two_are_alike() {
        let (id, shown) = fresh().unwrap();
        assert_eq!(id_of(shown.reveal()), Some(id.as_str()));
        assert_ne!(fresh().unwrap().0, id);
        assert_eq!(format!("{shown:?}"), "ShownKey(…)");
    }

    #[test]
    fn what_has_not_the_form_of_a_key_is_none() {
        for text in ["", "cn", "cn_", "cn_00_00", "cn_zz00000000000000_", "Bearer x", "cn_0011223344556677_0\0"] {
            assert_eq!(id_of(text), None, "{text:?}");
        }
    }
}
