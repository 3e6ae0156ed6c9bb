//! Configuration: what is set for all nodes and for one, and secrets that are for hosts alone.

use model::{ConfigKey, ConfigValue, Door, NodeId, Quota, TenantId};
use serde_json::json;
use storage::{ConfigPlace, ConfigWrite, OpenValue, Storage, StorageError};
use zeroize::Zeroizing;

use crate::place::{Ground, Kind, by, node, on_both, tenant};

const SECRET: &str = "the key that signs";

fn key(text: &str) -> ConfigKey {
    text.parse().unwrap()
}

fn value(json: serde_json::Value) -> ConfigValue {
    json.try_into().unwrap()
}

fn of<'a>(tenant: &'a TenantId, node: Option<&'a NodeId>) -> ConfigPlace<'a> {
    ConfigPlace { tenant, node }
}

async fn with_node(ground: &Ground) -> (Storage, TenantId, NodeId) {
    let (storage, acme, node) = (ground.open().await, tenant("acme"), node("N"));
    storage.create_tenant(&acme, &by()).await.unwrap();
    storage.create_node(&acme, &node, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
    (storage, acme, node)
}

async fn set(storage: &Storage, place: ConfigPlace<'_>, name: &str, write: ConfigWrite<'_>) -> storage::Result<u64> {
    Ok(storage.set_config(place, &key(name), write, None, &by()).await?.version)
}

on_both! {
    async fn what_is_set_is_shown_but_for_what_is_secret(ground) {
        let (storage, acme, node) = with_node(ground).await;
        let (all, one) = (of(&acme, None), of(&acme, Some(&node)));
        let (most, secret) = (value(json!(25)), Zeroizing::new(SECRET.to_owned()));
        set(&storage, all, "most", ConfigWrite::Open(&most)).await.unwrap();
        set(&storage, one, "most", ConfigWrite::Open(&value(json!({ "a": [1.5, null] })))).await.unwrap();
        set(&storage, all, "signing_key", ConfigWrite::Secret(&secret)).await.unwrap();
        storage.close().await;
        let storage = ground.open().await;
        let shown = storage.config(all).await.unwrap();
        let keys: Vec<&str> = shown.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["most", "signing_key"]);
        assert_eq!((&shown[0].value, &shown[1].value, &shown[0].node), (&Some(most.clone()), &None, &None));
        assert_eq!(storage.config(one).await.unwrap()[0].node, Some(node.clone()));
        let open = storage.serving(Some(&acme), Some(&node)).await.unwrap().config;
        let found = |name: &str, of: Option<&NodeId>| {
            open.iter().find(|one| one.key == key(name) && one.node.as_ref() == of).unwrap().value.clone()
        };
        assert_eq!(found("signing_key", None), OpenValue::Secret(secret));
        assert_eq!(found("most", None), OpenValue::Open(most));
        assert_eq!(found("most", Some(&node)), OpenValue::Open(value(json!({ "a": [1.5, null] }))));
        assert!(!format!("{open:?}").contains(SECRET));
        assert!(storage.serving(Some(&tenant("other")), None).await.unwrap().config.is_empty());
    }

    async fn a_value_becomes_a_secret_and_a_value_again(ground) {
        let (storage, acme, _) = with_node(ground).await;
        let (all, secret) = (of(&acme, None), Zeroizing::new(SECRET.to_owned()));
        assert_eq!(set(&storage, all, "a", ConfigWrite::Open(&value(json!("x")))).await.unwrap(), 1);
        assert_eq!(set(&storage, all, "a", ConfigWrite::Secret(&secret)).await.unwrap(), 2);
        assert_eq!(storage.config_entry(all, &key("a")).await.unwrap().value, None);
        assert_eq!(set(&storage, all, "a", ConfigWrite::Open(&value(json!("y")))).await.unwrap(), 3);
        assert_eq!(storage.config_entry(all, &key("a")).await.unwrap().value, Some(value(json!("y"))));
        let refused = set(&storage, all, "a", ConfigWrite::Secret(&Zeroizing::new("nul\0".repeat(4)))).await;
        assert!(matches!(refused, Err(StorageError::Invalid(_))));
    }

    async fn of_two_who_change_the_same_version_one_is_told(ground) {
        let (storage, acme, _) = with_node(ground).await;
        let set = |seen| {
            let (storage, acme) = (storage.clone(), acme.clone());
            let open = value(json!("x"));
            async move {
                storage.set_config(of(&acme, None), &key("a"), ConfigWrite::Open(&open), seen, &by()).await
            }
        };
        assert!(matches!(set(Some(1)).await, Err(StorageError::Conflict(_))), "there is none yet");
        set(None).await.unwrap();
        let (one, two) = tokio::join!(set(Some(1)), set(Some(1)));
        assert_eq!([&one, &two].iter().filter(|done| done.is_ok()).count(), 1, "{one:?} {two:?}");
        assert!([one, two].into_iter().any(|done| matches!(done, Err(StorageError::Conflict(_)))));
    }

    async fn what_is_deleted_is_gone_and_goes_with_its_node_and_its_tenant(ground) {
        let (storage, acme, node) = with_node(ground).await;
        let open = value(json!("x"));
        let (all, one) = (of(&acme, None), of(&acme, Some(&node)));
        let delete = async || storage.delete_config(all, &key("a"), &by()).await;
        assert!(matches!(delete().await, Err(StorageError::NotFound(_))));
        set(&storage, all, "a", ConfigWrite::Open(&open)).await.unwrap();
        set(&storage, one, "a", ConfigWrite::Open(&open)).await.unwrap();
        delete().await.unwrap();
        assert!(matches!(storage.config_entry(all, &key("a")).await, Err(StorageError::NotFound(_))));
        assert_eq!(storage.config_entry(one, &key("a")).await.unwrap().version, 1);
        storage.delete_node(&acme, &node, &by()).await.unwrap();
        assert!(matches!(storage.config(one).await, Err(StorageError::NotFound(_))));
        storage.create_node(&acme, &node, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        assert_eq!(storage.config(one).await.unwrap(), []);
        set(&storage, all, "a", ConfigWrite::Open(&open)).await.unwrap();
        storage.delete_tenant(&acme, &by()).await.unwrap();
        storage.create_tenant(&acme, &by()).await.unwrap();
        assert_eq!(storage.config(all).await.unwrap(), []);
        let nobody = set(&storage, of(&tenant("nobody"), None), "a", ConfigWrite::Open(&open)).await;
        assert!(matches!(nobody, Err(StorageError::NotFound(_))));
    }

    async fn a_tenant_has_five_hundred_with_those_of_its_nodes(ground) {
        let (storage, acme, node) = with_node(ground).await;
        let open = value(json!(1));
        for at in 0..500 {
            let place = of(&acme, Some(&node).filter(|_| at % 2 == 0));
            set(&storage, place, &format!("k{at}"), ConfigWrite::Open(&open)).await.unwrap();
        }
        let refused = set(&storage, of(&acme, None), "more", ConfigWrite::Open(&open)).await;
        assert!(matches!(refused, Err(StorageError::OverQuota(why)) if why.contains("delete one")));
        assert_eq!(set(&storage, of(&acme, None), "k1", ConfigWrite::Open(&open)).await.unwrap(), 2);
    }

    async fn under_a_new_master_key_secrets_are_sealed_anew(ground) {
        let (storage, acme, node) = with_node(ground).await;
        let secret = Zeroizing::new(SECRET.to_owned());
        for place in [of(&acme, None), of(&acme, Some(&node))] {
            set(&storage, place, "a", ConfigWrite::Secret(&secret)).await.unwrap();
        }
        set(&storage, of(&acme, None), "b", ConfigWrite::Open(&value(json!("x")))).await.unwrap();
        storage.close().await;
        let storage = ground.open_with(&["b", "a"]).await.unwrap();
        assert_eq!(storage.reseal(&by()).await.unwrap(), 2);
        assert_eq!(storage.reseal(&by()).await.unwrap(), 0);
        storage.close().await;
        let storage = ground.open_with(&["b"]).await.unwrap();
        let config = storage.serving(Some(&acme), None).await.unwrap().config;
        let sealed = config.iter().filter(|one| one.value == OpenValue::Secret(secret.clone())).count();
        assert_eq!((config.len(), sealed), (3, 2));
    }
}
