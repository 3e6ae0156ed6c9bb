//! The bytes of artifacts that nobody has: removed in time, and never those that somebody has.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use model::Quota;
use storage::{Storage, StorageError};

use crate::place::{Ground, Kind, artifact, by, on_both, tenant};

const ALL: Quota = Quota::DEFAULT;

/// Later than anything that was noted so far.
fn soon() -> Timestamp {
    Timestamp::now() + 1.minute()
}

async fn has_bytes(storage: &Storage, id: &model::ArtifactId) -> bool {
    match storage.artifact_bytes(id).await {
        Ok(_) => true,
        Err(StorageError::Damaged(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

on_both! {
    async fn what_nobody_has_any_more_goes_when_its_time_is_over(ground) {
        let storage = ground.open().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_tenant(&other, &by()).await.unwrap();
        let (shared, own) = (artifact(b"\0asm one"), artifact(b"\0asm two"));
        for (tenant, new) in [(&acme, &shared), (&other, &shared), (&other, &own)] {
            storage.add_artifact(tenant, new, &ALL, &by()).await.unwrap();
        }
        assert_eq!(storage.remove_unowned(soon()).await.unwrap(), 0, "all of it has an owner");

        storage.delete_artifact(&acme, &shared.id, &by()).await.unwrap();
        assert_eq!(storage.remove_unowned(soon()).await.unwrap(), 0, "another tenant has it");
        storage.delete_tenant(&other, &by()).await.unwrap();
        assert_eq!(storage.remove_unowned(Timestamp::now() - 1.hour()).await.unwrap(), 0, "too early");
        assert!(has_bytes(&storage, &shared.id).await && has_bytes(&storage, &own.id).await);
        assert_eq!(storage.remove_unowned(soon()).await.unwrap(), 2);
        assert!(!has_bytes(&storage, &shared.id).await && !has_bytes(&storage, &own.id).await);

        assert!(storage.add_artifact(&acme, &own, &ALL, &by()).await.unwrap().1);
        assert_eq!(storage.remove_unowned(soon()).await.unwrap(), 0);
        assert!(has_bytes(&storage, &own.id).await);
    }

    async fn what_an_upload_that_came_to_nothing_left_goes_too(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        storage.create_tenant(&acme, &by()).await.unwrap();
        let (small, large) = (artifact(b"\0asm one"), artifact(b"\0asm the second"));
        let one = Quota { artifacts: 1, ..ALL };
        storage.add_artifact(&acme, &small, &one, &by()).await.unwrap();
        let few_bytes = Quota { artifact_bytes: 20, ..ALL };
        for (quota, name) in [(one, "`artifacts`"), (few_bytes, "`artifact_size`")] {
            let refused = storage.add_artifact(&acme, &large, &quota, &by()).await;
            assert!(matches!(&refused, Err(StorageError::OverQuota(why)) if why.contains(name)), "{refused:?}");
        }
        assert!(!storage.add_artifact(&acme, &small, &one, &by()).await.unwrap().1, "what is there needs no room");
        assert_eq!(storage.artifacts(&acme, 10).await.unwrap().len(), 1);
        assert_eq!(storage.remove_unowned(soon()).await.unwrap(), 1);
        assert!(has_bytes(&storage, &small.id).await && !has_bytes(&storage, &large.id).await);
    }

    async fn whoever_uploads_while_leftovers_are_removed_keeps_what_is_uploaded(ground) {
        let (storage, elsewhere) = (ground.open().await, ground.open().await);
        let (acme, wasm) = (tenant("acme"), artifact(b"\0asm one"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        let by = by();
        for round in 0..30 {
            storage.add_artifact(&acme, &wasm, &ALL, &by).await.unwrap();
            storage.delete_artifact(&acme, &wasm.id, &by).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
            let before = Timestamp::now();
            let (added, removed) =
                tokio::join!(storage.add_artifact(&acme, &wasm, &ALL, &by), elsewhere.remove_unowned(before));
            assert!(added.unwrap().1);
            assert!(removed.unwrap() <= 1);
            assert!(has_bytes(&storage, &wasm.id).await, "round {round}");
            storage.delete_artifact(&acme, &wasm.id, &by).await.unwrap();
        }
    }
}
