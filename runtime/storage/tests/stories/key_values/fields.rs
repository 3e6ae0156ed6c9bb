//! Objects that are written field by field: nobody's field is lost, and what is too large or no object stays as it was.

use model::MAX_STATE_BYTES;
use serde_json::{Value, json};

use super::*;

fn fields(key: &str, fields: &Value) -> EntryWrite {
    EntryWrite {
        bucket: Bucket::USER.to_owned(),
        key: key.to_owned(),
        value: NewValue::Fields(fields.to_string()),
        expires_at: None,
    }
}

const fn users(tenant: &TenantId) -> Bucket<'_> {
    Bucket { tenant, name: Bucket::USER }
}

on_both! {
    async fn fields_are_put_over_those_that_are_there(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let merge = async |key, new: Value| storage.write_entries(&acme, &[fields(key, &new)], now()).await;
        merge("u", json!({ "a": 1, "b": "x" })).await.unwrap();
        let first = entry(&storage, users(&acme), "u", now()).await.unwrap();
        merge("u", json!({ "b": null, "c": [1], "never": null })).await.unwrap();
        let second = entry(&storage, users(&acme), "u", now()).await.unwrap();
        assert_eq!(second.value, br#"{"a":1,"c":[1]}"#);
        assert_ne!(first.version, second.version);
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight { keys: 1, bytes: 1 + 15 });

        let numbers = EntryWrite { value: NewValue::Fields(r#"{"n":1e400,"m":1.50}"#.to_owned()), ..fields("u", &json!({})) };
        storage.write_entries(&acme, &[numbers], now()).await.unwrap();
        let kept = read(&storage, users(&acme), "u", now()).await.unwrap();
        assert_eq!(kept, r#"{"a":1,"c":[1],"n":1e400,"m":1.50}"#, "as they were written");

        merge("u", json!({ "a": null, "c": null, "n": null, "m": null })).await.unwrap();
        merge("v", json!({ "a": null })).await.unwrap();
        merge("v", json!({})).await.unwrap();
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight::default(), "nothing is left of either");
    }

    async fn fields_are_written_with_all_else_or_not_at_all(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        write(&storage, users(&acme), "text", "no object").await;
        write(&storage, users(&acme), "number", "7").await;
        let most = "x".repeat(MAX_STATE_BYTES - r#"{"a":""}"#.len());
        let both = [written(shared(&acme), "k", "1"), fields("u", &json!({ "a": most })), fields("u", &json!({ "b": null }))];
        storage.write_entries(&acme, &both, now()).await.unwrap();
        assert_eq!(read(&storage, users(&acme), "u", now()).await.unwrap().len(), MAX_STATE_BYTES);

        let too_large = storage.write_entries(&acme, &[written(shared(&acme), "k", "2"), fields("u", &json!({ "b": 1 }))], now()).await;
        assert!(matches!(&too_large, Err(StorageError::Invalid(why)) if why.contains("the most is 64.0 KiB")), "{too_large:?}");
        for key in ["text", "number"] {
            let damaged = storage.write_entries(&acme, &[written(shared(&acme), "k", "2"), fields(key, &json!({ "b": 1 }))], now()).await;
            assert!(matches!(damaged, Err(StorageError::Damaged(_))), "{damaged:?}");
        }
        assert_eq!(read(&storage, shared(&acme), "k", now()).await.as_deref(), Some("1"));
        storage.write_entries(&acme, &[removed(shared(&acme), "k"), fields("u", &json!({ "a": "y" }))], now()).await.unwrap();
        assert_eq!(read(&storage, users(&acme), "u", now()).await.as_deref(), Some(r#"{"a":"y"}"#));
        assert_eq!(read(&storage, shared(&acme), "k", now()).await, None);
    }

    async fn fields_expire_together_counted_from_the_last_one(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let merge = async |new: Value, now, end| {
            let write = EntryWrite { expires_at: Some(at(end)), ..fields("u", &new) };
            storage.write_entries(&acme, &[write], now).await.unwrap();
        };
        merge(json!({ "a": 1 }), at(0), 1000).await;
        merge(json!({ "b": 2 }), at(999), 1999).await;
        assert_eq!(read(&storage, users(&acme), "u", at(1998)).await.as_deref(), Some(r#"{"a":1,"b":2}"#));
        assert_eq!(read(&storage, users(&acme), "u", at(1999)).await, None);
        merge(json!({ "c": 3 }), at(1999), 2999).await;
        assert_eq!(read(&storage, users(&acme), "u", at(2000)).await.as_deref(), Some(r#"{"c":3}"#), "what is over does not come back");
        storage.forget_entries(at(3000)).await.unwrap();
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight::default());
    }

    async fn of_many_who_set_a_field_at_once_none_is_lost(ground) {
        let (here, there) = races::hosts(ground).await;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..64 {
            let storage = if task % 2 == 0 { here.clone() } else { there.clone() };
            tasks.spawn(async move {
                let acme = tenant("acme");
                let mut both = [fields("new", &json!({ format!("f{task}"): task })), fields("old", &json!({ format!("f{task}"): task }))];
                both.rotate_left(task % 2);
                storage.write_entries(&acme, &both, now()).await.unwrap();
                storage.write_entries(&acme, &[fields("old", &json!({ "gone": null, "last": task }))], now()).await.unwrap();
            });
        }
        tasks.join_all().await;
        let acme = tenant("acme");
        for (key, count) in [("new", 64), ("old", 65)] {
            let kept = read(&there, users(&acme), key, now()).await.unwrap();
            let kept: serde_json::Map<String, Value> = serde_json::from_str(&kept).unwrap();
            assert_eq!(kept.len(), count, "{key}");
            assert!((0..64).all(|task| kept[&format!("f{task}")] == task), "{key}");
        }
    }

    async fn what_is_remembered_is_its_tenants_and_goes_with_it(ground) {
        let storage = ground.open().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        for tenant in [&acme, &other] {
            storage.create_tenant(tenant, &by()).await.unwrap();
            let of = |bucket: &str| EntryWrite { bucket: bucket.to_owned(), ..fields("u", &json!({ "of": tenant.as_str() })) };
            storage.write_entries(tenant, &[of(Bucket::USER), of(Bucket::CONVERSATION)], now()).await.unwrap();
        }
        storage.create_node(&acme, &node("user"), &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.delete_node(&acme, &node("user"), &by()).await.unwrap();
        assert_eq!(read(&storage, users(&acme), "u", now()).await.as_deref(), Some(r#"{"of":"acme"}"#), "it is no node's");
        storage.delete_tenant(&acme, &by()).await.unwrap();
        assert_eq!(storage.weigh_entries(&acme).await.unwrap(), Weight::default());
        assert_eq!(read(&storage, users(&other), "u", now()).await.as_deref(), Some(r#"{"of":"other"}"#));
    }
}
