use jiff::{Timestamp, ToSpan as _};
use model::{Actor, Door, OnBreak, Quota, RevisionNumber, Role, Scheme, Settings};
use storage::{NewKey, NewRevision, StorageError};

use crate::place::{Ground, Kind, artifact, by, node, on_both, tenant};

fn revision(number: u32) -> RevisionNumber {
    number.try_into().unwrap()
}

fn of(artifact: &storage::NewArtifact, note: &str) -> NewRevision {
    NewRevision { artifact: artifact.id, settings: Settings::default(), note: note.to_owned() }
}

on_both! {
    async fn a_tenant_is_made_once_and_goes_with_all_that_it_has(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        storage.create_tenant(&acme, &by()).await.unwrap();
        assert!(matches!(storage.create_tenant(&acme, &by()).await, Err(StorageError::Exists(_))));
        storage.create_node(&acme, &node("ORDERS"), &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.add_secret(&acme, &node("ORDERS"), "it's a secret", None, &by()).await.unwrap();
        let wasm = artifact(b"\0asm one");
        storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap();
        storage.create_revision(&acme, &node("ORDERS"), &of(&wasm, ""), &by()).await.unwrap();
        storage.delete_tenant(&acme, &by()).await.unwrap();
        assert!(storage.tenants().await.unwrap().is_empty());
        assert!(storage.serving(None, None).await.unwrap().nodes.is_empty());
        assert!(matches!(storage.delete_tenant(&acme, &by()).await, Err(StorageError::NotFound(_))));
        assert!(matches!(storage.node(&acme, &node("ORDERS")).await, Err(StorageError::NotFound(_))));
    }

    async fn what_was_made_is_there_after_a_restart(ground) {
        let storage = ground.open().await;
        let (acme, orders, wasm) = (tenant("acme"), node("ORDERS"), artifact(b"\0asm one"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap();
        let window = Some(std::time::Duration::from_secs(600));
        let door = Door { schemes: vec![Scheme::Standard], allow_unsigned: false, repeat_window: window };
        storage.create_node(&acme, &orders, &door, &Quota::DEFAULT, &by()).await.unwrap();
        let settings = Settings { on_break: OnBreak::Say("Sorry. \u{1F622}".to_owned()), ..Settings::default() };
        let new = NewRevision { artifact: wasm.id, settings, note: "first".to_owned() };
        let made = storage.create_revision(&acme, &orders, &new, &Actor::key("0011")).await.unwrap();
        storage.add_secret(&acme, &orders, "it's a secret", None, &by()).await.unwrap();
        let live = storage.promote(&acme, &orders, made.number, None, &by()).await.unwrap();
        storage.close().await;

        let storage = ground.open().await;
        let serving = storage.serving(None, None).await.unwrap().nodes;
        assert_eq!(serving.len(), 1);
        assert_eq!(serving[0].node, live);
        assert_eq!(serving[0].node.door, door);
        assert_eq!(serving[0].revision.as_ref(), Some(&made));
        assert_eq!(serving[0].secrets[0].text.as_str(), "it's a secret");
        assert_eq!(storage.artifact_bytes(&wasm.id).await.unwrap(), wasm.bytes);
    }

    async fn revisions_count_up_and_one_of_them_is_live(ground) {
        let storage = ground.open().await;
        let (acme, orders, one, two) = (tenant("acme"), node("ORDERS"), artifact(b"\0asm one"), artifact(b"\0asm two"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        assert!(
            matches!(storage.create_revision(&acme, &orders, &of(&one, ""), &by()).await, Err(StorageError::NotFound(_))),
            "an artifact that was never uploaded"
        );
        for wasm in [&one, &two] {
            storage.add_artifact(&acme, wasm, &Quota::DEFAULT, &by()).await.unwrap();
            storage.create_revision(&acme, &orders, &of(wasm, "note"), &by()).await.unwrap();
        }
        assert!(matches!(storage.roll_back(&acme, &orders, None, &by()).await, Err(StorageError::Conflict(_))));
        assert!(matches!(storage.promote(&acme, &orders, revision(3), None, &by()).await, Err(StorageError::NotFound(_))));
        storage.promote(&acme, &orders, revision(1), None, &by()).await.unwrap();
        let live = storage.promote(&acme, &orders, revision(2), None, &by()).await.unwrap();
        assert_eq!((live.live, live.previous), (Some(revision(2)), Some(revision(1))));
        let again = storage.promote(&acme, &orders, revision(2), None, &by()).await.unwrap();
        assert_eq!(again, live, "promoting what is live changes nothing");
        let back = storage.roll_back(&acme, &orders, None, &by()).await.unwrap();
        assert_eq!((back.live, back.previous), (Some(revision(1)), Some(revision(2))));
        let numbers = |revisions: Vec<model::Revision>| revisions.iter().map(|it| u32::from(it.number)).collect::<Vec<_>>();
        assert_eq!(numbers(storage.revisions(&acme, &orders, None, 10).await.unwrap()), [2, 1]);
        assert_eq!(numbers(storage.revisions(&acme, &orders, Some(revision(2)), 10).await.unwrap()), [1]);
        assert_eq!(numbers(storage.revisions(&acme, &orders, None, 1).await.unwrap()), [2]);
    }

    async fn who_has_seen_an_older_version_changes_nothing(ground) {
        let storage = ground.open().await;
        let (acme, orders) = (tenant("acme"), node("ORDERS"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        let seen = storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        let door = Door { schemes: vec![Scheme::Sha256], ..Door::default() };
        let changed = storage.set_door(&acme, &orders, &door, Some(seen.version), &by()).await.unwrap();
        assert_eq!((changed.version, &changed.door), (2, &door));
        let late = storage.set_door(&acme, &orders, &Door::default(), Some(seen.version), &by()).await;
        assert!(matches!(late, Err(StorageError::Conflict(_))));
        assert_eq!(storage.node(&acme, &orders).await.unwrap(), changed);
    }

    async fn an_artifact_is_one_tenants_and_the_same_bytes_are_kept_once(ground) {
        let storage = ground.open().await;
        let (acme, other, wasm) = (tenant("acme"), tenant("other"), artifact(b"\0asm one"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_tenant(&other, &by()).await.unwrap();
        let (first, is_new) = storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap();
        assert!(is_new);
        let (again, is_new) = storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &Actor::key("0011")).await.unwrap();
        assert_eq!((again, is_new), (first, false));
        assert!(matches!(storage.artifact(&other, &wasm.id).await, Err(StorageError::NotFound(_))));
        storage.add_artifact(&other, &wasm, &Quota::DEFAULT, &by()).await.unwrap();
        assert_eq!(storage.artifacts(&other, 10).await.unwrap().len(), 1);
    }

    async fn a_key_is_shown_once_and_known_by_its_digest(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        storage.create_tenant(&acme, &by()).await.unwrap();
        let now = Timestamp::now();
        let new = |role, tenant| NewKey { tenant, role, label: "laptop".to_owned(), expires_at: Some(now + 1.hour()) };
        let (key, shown) = storage.create_key(&new(Role::Deploy, Some(acme.clone())), &by()).await.unwrap();
        let known = storage.authenticate(shown.reveal(), now).await.unwrap().unwrap();
        assert_eq!((known.id.as_str(), known.role, known.tenant), (key.id.as_str(), Role::Deploy, Some(acme.clone())));
        assert!(storage.keys(Some(&acme)).await.unwrap()[0].last_used_at.is_some());
        assert!(storage.authenticate(shown.reveal(), now + 2.hours()).await.unwrap().is_none(), "expired");
        let mut wrong = shown.reveal().to_owned();
        wrong.replace_range(wrong.len() - 1.., if wrong.ends_with('0') { "1" } else { "0" });
        assert!(storage.authenticate(&wrong, now).await.unwrap().is_none());
        assert!(storage.create_key(&new(Role::Operator, Some(acme.clone())), &by()).await.is_err());
        assert!(storage.create_key(&new(Role::Read, None), &by()).await.is_err());
        let elsewhere = storage.delete_key(Some(&tenant("other")), &key.id, &by()).await;
        assert!(matches!(elsewhere, Err(StorageError::NotFound(_))), "another tenant's key");
        storage.delete_key(Some(&acme), &key.id, &by()).await.unwrap();
        assert!(storage.authenticate(shown.reveal(), now).await.unwrap().is_none());
    }

    async fn secrets_change_over_two_at_a_time(ground) {
        let storage = ground.open().await;
        let (acme, orders) = (tenant("acme"), node("ORDERS"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.add_secret(&acme, &orders, "the first one", None, &by()).await.unwrap();
        let unsaid = storage.add_secret(&acme, &orders, "the second one", None, &by()).await;
        assert!(matches!(unsaid, Err(StorageError::Conflict(_))), "nobody said when the first one retires");
        let tomorrow = Timestamp::now() + 24.hours();
        let second = storage.add_secret(&acme, &orders, "the second one", Some(tomorrow), &by()).await.unwrap();
        let third = storage.add_secret(&acme, &orders, "the third one", Some(tomorrow), &by()).await;
        assert!(matches!(third, Err(StorageError::Conflict(_))));
        let secrets = storage.secrets(&acme, &orders).await.unwrap();
        assert_eq!(secrets.len(), 2);
        assert_eq!(secrets[0].retires_at.map(Timestamp::as_millisecond), Some(tomorrow.as_millisecond()));
        assert_eq!(secrets[1], second);
        storage.delete_secret(&acme, &orders, &secrets[0].id, &by()).await.unwrap();
        let serving = storage.serving(Some(&acme), Some(&orders)).await.unwrap().nodes;
        let texts: Vec<&str> = serving[0].secrets.iter().map(|secret| secret.text.as_str()).collect();
        assert_eq!(texts, ["the second one"]);
    }

    async fn a_retired_secret_makes_room(ground) {
        let storage = ground.open().await;
        let (acme, orders) = (tenant("acme"), node("ORDERS"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.add_secret(&acme, &orders, "the first one", None, &by()).await.unwrap();
        storage.add_secret(&acme, &orders, "the second one", Some(Timestamp::now()), &by()).await.unwrap();
        let tomorrow = Timestamp::now() + 24.hours();
        storage.add_secret(&acme, &orders, "the third one", Some(tomorrow), &by()).await.unwrap();
        assert_eq!(storage.secrets(&acme, &orders).await.unwrap().len(), 2);
    }

    async fn the_master_key_can_be_changed(ground) {
        let storage = ground.open_with(&["a"]).await.unwrap();
        let (acme, orders) = (tenant("acme"), node("ORDERS"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.add_secret(&acme, &orders, "it's a secret", None, &by()).await.unwrap();
        storage.close().await;

        let storage = ground.open_with(&["b"]).await.unwrap();
        assert!(matches!(storage.serving(None, None).await, Err(StorageError::Invalid(_))), "the key is gone");
        assert!(storage.reseal(&by()).await.is_err());
        storage.close().await;

        let storage = ground.open_with(&["b", "a"]).await.unwrap();
        assert_eq!(storage.reseal(&by()).await.unwrap(), 1);
        assert_eq!(storage.reseal(&by()).await.unwrap(), 0);
        storage.close().await;

        let storage = ground.open_with(&["b"]).await.unwrap();
        assert_eq!(storage.serving(None, None).await.unwrap().nodes[0].secrets[0].text.as_str(), "it's a secret");
    }

    async fn every_change_is_in_the_log_and_in_the_feed(ground) {
        let storage = ground.open().await;
        let (acme, orders, wasm) = (tenant("acme"), node("ORDERS"), artifact(b"\0asm one"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_tenant(&tenant("other"), &by()).await.unwrap();
        let before = storage.sequence().await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &Actor::key("0011")).await.unwrap();
        storage.create_revision(&acme, &orders, &of(&wasm, ""), &by()).await.unwrap();
        storage.promote(&acme, &orders, revision(1), None, &by()).await.unwrap();
        storage.add_secret(&acme, &orders, "it's a secret", None, &by()).await.unwrap();
        let changes = storage.changes_since(before).await.unwrap();
        assert_eq!(changes.sequence, storage.sequence().await.unwrap());
        let mut of = changes.of.unwrap();
        of.sort();
        assert_eq!(of, [(acme.clone(), None), (acme.clone(), Some(orders.clone()))]);
        assert_eq!(storage.changes_since(changes.sequence).await.unwrap().of, Some(Vec::new()));

        let log = storage.audit(Some(&acme), None, 100).await.unwrap();
        let lines: Vec<String> = log.iter().map(|entry| format!("{} {} {}", entry.by, entry.action, entry.subject)).collect();
        assert_eq!(lines[1], "operator revision.promote ORDERS from nothing to revision 1");
        assert_eq!(lines[3], format!("key 0011 artifact.upload {}", wasm.id));
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| !line.contains("it's a secret")));
        let older = storage.audit(Some(&acme), Some(log[1].sequence), 2).await.unwrap();
        assert_eq!(older, log[2..4]);
    }

    async fn what_one_database_cannot_hold_both_refuse(ground) {
        let storage = ground.open().await;
        let (acme, orders, wasm) = (tenant("acme"), node("ORDERS"), artifact(b"\0asm one"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap();
        let invalid = |refused: Result<(), StorageError>| assert!(matches!(refused, Err(StorageError::Invalid(_))), "{refused:?}");
        invalid(storage.create_revision(&acme, &orders, &of(&wasm, "a\0b"), &by()).await.map(drop));
        let settings = Settings { on_break: OnBreak::Say("a\0b".to_owned()), ..Settings::default() };
        let new = NewRevision { artifact: wasm.id, settings, note: String::new() };
        invalid(storage.create_revision(&acme, &orders, &new, &by()).await.map(drop));
        invalid(storage.add_secret(&acme, &orders, "a\0b", None, &by()).await.map(drop));
        let key = NewKey { tenant: Some(acme.clone()), role: Role::Read, label: "a\0b".to_owned(), expires_at: None };
        invalid(storage.create_key(&key, &by()).await.map(drop));
        invalid(storage.create_revision(&acme, &orders, &of(&wasm, &"x".repeat(5000)), &by()).await.map(drop));
    }

    async fn fifty_promotions_at_once_are_fifty_changes_one_after_another(ground) {
        let storage = ground.open().await;
        let (acme, orders, wasm) = (tenant("acme"), node("ORDERS"), artifact(b"\0asm one"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        storage.add_artifact(&acme, &wasm, &Quota::DEFAULT, &by()).await.unwrap();
        let mut underway = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (storage, acme, orders, new) = (storage.clone(), acme.clone(), orders.clone(), of(&wasm, ""));
            underway.spawn(async move {
                let made = storage.create_revision(&acme, &orders, &new, &by()).await.unwrap();
                storage.promote(&acme, &orders, made.number, None, &by()).await.unwrap();
                u32::from(made.number)
            });
        }
        let mut numbers = underway.join_all().await;
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
        let node = storage.node(&acme, &orders).await.unwrap();
        assert_eq!(node.version, 51);
        let sequences: Vec<u64> = storage.audit(None, None, 1000).await.unwrap().iter().map(|entry| entry.sequence).collect();
        assert!(sequences.windows(2).all(|pair| pair[0] == pair[1] + 1), "numbers without a gap, none twice");
    }

    async fn two_hosts_migrate_the_same_database_at_once(ground) {
        let hosts = tokio::join!(ground.open_with(&["a"]), ground.open_with(&["a"]), ground.open_with(&["a"]));
        let (one, two, three) = (hosts.0.unwrap(), hosts.1.unwrap(), hosts.2.unwrap());
        one.create_tenant(&tenant("acme"), &by()).await.unwrap();
        assert_eq!(two.tenants().await.unwrap(), three.tenants().await.unwrap());
        assert_eq!(two.tenants().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn on_postgresql_a_host_hears_of_the_others_changes() {
    let ground = Ground::fresh(Kind::Postgres).await;
    let (here, there) = (ground.open().await, ground.open().await);
    let mut listener = here.listener();
    let heard = tokio::spawn(async move {
        listener.heard().await;
        listener.heard().await;
    });
    // The listener says nothing when it is ready, so go on changing until it has heard twice.
    for number in 0..100 {
        there.create_tenant(&tenant(&format!("t{number}")), &by()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if heard.is_finished() {
            return;
        }
    }
    panic!("nothing was heard in five seconds");
}
