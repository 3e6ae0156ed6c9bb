//! Connections: their secrets are for hosts alone, and for what they were given for.

use model::{Connection, ConnectionName, ConnectionSettings, TenantId};
use serde_json::json;
use storage::{OpenConnection, Storage, StorageError};

use crate::place::{Ground, Kind, by, on_both, tenant};

const SECRET: &str = "the key of the CRM";

fn name(text: &str) -> ConnectionName {
    text.parse().unwrap()
}

fn leading_to(origin: &str) -> ConnectionSettings {
    serde_json::from_value(json!({ "origin": origin, "credential": { "kind": "bearer" } })).unwrap()
}

async fn with_tenant(ground: &Ground) -> (Storage, TenantId) {
    let (storage, acme) = (ground.open().await, tenant("acme"));
    storage.create_tenant(&acme, &by()).await.unwrap();
    (storage, acme)
}

async fn set(
    storage: &Storage,
    acme: &TenantId,
    settings: &ConnectionSettings,
    secret: Option<&str>,
) -> storage::Result<Connection> {
    storage.set_connection(acme, &name("crm"), settings, secret, None, &by()).await
}

/// The connections of a tenant, as hosts read them.
async fn opened(storage: &Storage, acme: &TenantId) -> Vec<OpenConnection> {
    storage.serving(Some(acme), None).await.unwrap().connections
}

on_both! {
    async fn a_connection_is_what_it_was_set_to_and_only_hosts_read_its_secret(ground) {
        let (storage, acme) = with_tenant(ground).await;
        let made = set(&storage, &acme, &leading_to("crm.example"), Some(SECRET)).await.unwrap();
        assert_eq!((made.version, &made.changed_by), (1, &by()));
        let disabled = ConnectionSettings { enabled: false, ..leading_to("crm.example") };
        let changed = set(&storage, &acme, &disabled, None).await.unwrap();
        assert_eq!((changed.version, changed.settings.enabled), (2, false));
        storage.close().await;
        let storage = ground.open().await;
        assert_eq!(storage.connection(&acme, &name("crm")).await.unwrap(), changed);
        assert_eq!(storage.connections(&acme).await.unwrap(), std::slice::from_ref(&changed));
        let open = opened(&storage, &acme).await.remove(0);
        assert_eq!((open.secret.as_str(), &open.connection), (SECRET, &changed));
        assert!(!format!("{open:?}").contains(SECRET));
        assert_eq!(opened(&storage, &tenant("other")).await.len(), 0);
    }

    async fn a_secret_is_not_lent_to_other_settings(ground) {
        let (storage, acme) = with_tenant(ground).await;
        let new = set(&storage, &acme, &leading_to("crm.example"), None).await.unwrap_err();
        assert!(matches!(&new, StorageError::Invalid(why) if why.contains("is new: give its secret too")), "{new}");
        set(&storage, &acme, &leading_to("crm.example"), Some(SECRET)).await.unwrap();
        let elsewhere = set(&storage, &acme, &leading_to("evil.example"), None).await.unwrap_err();
        assert!(matches!(&elsewhere, StorageError::Invalid(why) if why.contains("would use its secret elsewhere")));
        assert_eq!(storage.connection(&acme, &name("crm")).await.unwrap().version, 1);
        set(&storage, &acme, &leading_to("evil.example"), Some("another secret")).await.unwrap();
        assert_eq!(opened(&storage, &acme).await[0].secret.as_str(), "another secret");
    }

    async fn of_two_who_change_the_same_version_one_is_told(ground) {
        let (storage, acme) = with_tenant(ground).await;
        let set = |seen| {
            let (storage, acme) = (storage.clone(), acme.clone());
            async move {
                storage.set_connection(&acme, &name("crm"), &leading_to("crm.example"), Some(SECRET), seen, &by()).await
            }
        };
        assert!(matches!(set(Some(1)).await, Err(StorageError::Conflict(_))), "there is none yet");
        set(None).await.unwrap();
        let (one, two) = tokio::join!(set(Some(1)), set(Some(1)));
        assert_eq!([&one, &two].iter().filter(|done| done.is_ok()).count(), 1, "{one:?} {two:?}");
        assert!([one, two].into_iter().any(|done| matches!(done, Err(StorageError::Conflict(_)))));
    }

    async fn what_is_deleted_is_gone_and_goes_with_its_tenant(ground) {
        let (storage, acme) = with_tenant(ground).await;
        let delete = async || storage.delete_connection(&acme, &name("crm"), &by()).await;
        assert!(matches!(delete().await, Err(StorageError::NotFound(_))));
        set(&storage, &acme, &leading_to("crm.example"), Some(SECRET)).await.unwrap();
        delete().await.unwrap();
        assert!(matches!(storage.connection(&acme, &name("crm")).await, Err(StorageError::NotFound(_))));
        set(&storage, &acme, &leading_to("crm.example"), Some(SECRET)).await.unwrap();
        storage.delete_tenant(&acme, &by()).await.unwrap();
        storage.create_tenant(&acme, &by()).await.unwrap();
        assert_eq!(storage.connections(&acme).await.unwrap(), []);
        let nobody = set(&storage, &tenant("nobody"), &leading_to("crm.example"), Some(SECRET)).await;
        assert!(matches!(nobody, Err(StorageError::NotFound(_))));
    }

    async fn a_tenant_has_a_hundred_at_the_most(ground) {
        let (storage, acme) = with_tenant(ground).await;
        for at in 0..100 {
            let name = name(&format!("c{at}"));
            storage.set_connection(&acme, &name, &leading_to("a.example"), Some(SECRET), None, &by()).await.unwrap();
        }
        let refused = set(&storage, &acme, &leading_to("a.example"), Some(SECRET)).await;
        assert!(matches!(refused, Err(StorageError::OverQuota(why)) if why.contains("delete one")));
        let again = storage.set_connection(&acme, &name("c7"), &leading_to("b.example"), Some(SECRET), None, &by()).await;
        assert_eq!(again.unwrap().version, 2, "what there is can be changed");
    }

    async fn under_a_new_master_key_they_are_sealed_anew(ground) {
        let (storage, acme) = with_tenant(ground).await;
        set(&storage, &acme, &leading_to("crm.example"), Some(SECRET)).await.unwrap();
        storage.close().await;
        let storage = ground.open_with(&["b", "a"]).await.unwrap();
        assert_eq!(storage.reseal(&by()).await.unwrap(), 1);
        assert_eq!(storage.reseal(&by()).await.unwrap(), 0);
        storage.close().await;
        let storage = ground.open_with(&["b"]).await.unwrap();
        assert_eq!(opened(&storage, &acme).await[0].secret.as_str(), SECRET);
    }
}
