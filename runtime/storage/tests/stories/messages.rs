//! Messages: found again as they were last written, with all that they were before; changed by many at once without a loss, and all or none.

use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan as _};
use model::{Actor, Door, MessageAction, MessageName, MessageVersion, NewValue, Quota, TenantId};
use sqlx::Executor as _;
use storage::{
    EntryWrite, Imported, MAX_DESCRIPTION_BYTES, MAX_MESSAGES, MAX_TEXT_BYTES, MAX_VERSIONS, MessageFilter,
    MessageImport, MessageWrite, Storage, StorageError,
};
use tokio::task::JoinSet;

use crate::place::{Ground, Kind, by, node, on_both, tenant};

fn name(name: &str) -> MessageName {
    name.parse().unwrap()
}

fn says(name: &str, text: &str) -> MessageWrite {
    MessageWrite { name: self::name(name), text: text.to_owned(), description: None }
}

const fn import(texts: Vec<MessageWrite>) -> MessageImport {
    MessageImport { texts, deletes_others: false, is_trial: false }
}

async fn set(storage: &Storage, tenant: &TenantId, name: &str, text: &str) -> u64 {
    storage.set_message(tenant, &says(name, text), None, &by()).await.unwrap().version
}

async fn read(storage: &Storage, tenant: &TenantId, name: &str) -> Option<String> {
    let found = storage.message_texts(tenant, &[self::name(name)]).await.unwrap().remove(0);
    found.map(|message| message.text)
}

async fn history(storage: &Storage, tenant: &TenantId, name: &str) -> Vec<MessageVersion> {
    storage.message_history(tenant, &self::name(name), None, 1000).await.unwrap()
}

async fn names(storage: &Storage, tenant: &TenantId, filter: MessageFilter<'_>, limit: u32) -> Vec<String> {
    let names = storage.message_names(tenant, filter, limit).await.unwrap();
    let messages = storage.messages(tenant, filter, limit).await.unwrap();
    assert_eq!(messages.iter().map(|message| message.name()).collect::<Vec<_>>(), names);
    names.iter().map(ToString::to_string).collect()
}

on_both! {
    async fn a_message_is_what_was_last_written_and_tells_what_it_was(ground) {
        let storage = ground.open().await;
        let (acme, editor) = (tenant("acme"), Actor::key("0011"));
        let hindi = "ऑर्डर नहीं मिला 🙁\r\n\t\"'%_\\";
        let first = MessageWrite { description: Some("when there is no such order".to_owned()), ..says("order.not_found/hi", "पहला") };
        assert_eq!(storage.set_message(&acme, &first, None, &editor).await.unwrap().version, 1);
        assert_eq!(set(&storage, &acme, "order.not_found/HI", hindi).await, 2, "the same name in another case");
        storage.close().await;

        let storage = ground.open().await;
        let message = storage.message(&acme, &name("order.not_found/hi")).await.unwrap();
        assert_eq!((message.text.as_str(), message.description.as_str()), (hindi, "when there is no such order"));
        assert_eq!((message.version, message.changed_by.clone()), (2, by()));
        assert_eq!(set(&storage, &acme, "order.not_found/hi", hindi).await, 2, "what is so already is no change");
        let versions = history(&storage, &acme, "order.not_found/hi").await;
        let told: Vec<_> = versions.iter().map(|one| (one.version, one.by.clone(), one.action, one.text.as_deref())).collect();
        assert_eq!(told, [(2, by(), MessageAction::Set, Some(hindi)), (1, editor, MessageAction::Set, Some("पहला"))]);
        assert_eq!(versions[0].at, message.changed_at);

        for missing in ["order.not_found", "order.not_found/hi-IN", "order.not_founD/hi"] {
            assert_eq!(read(&storage, &acme, missing).await, None, "{missing}");
            let absent = storage.message(&acme, &name(missing)).await;
            assert!(matches!(absent, Err(StorageError::NotFound(_))), "{absent:?}");
            let unknown = storage.message_history(&acme, &name(missing), None, 1).await;
            assert!(matches!(unknown, Err(StorageError::NotFound(_))), "{unknown:?}");
        }
    }

    async fn a_message_that_was_deleted_is_absent_and_can_be_restored(ground) {
        let storage = ground.open().await;
        let (acme, greeting) = (tenant("acme"), name("greeting"));
        set(&storage, &acme, "greeting", "one").await;
        set(&storage, &acme, "greeting", "two").await;
        storage.delete_message(&acme, &greeting, None, &by()).await.unwrap();
        assert_eq!(read(&storage, &acme, "greeting").await, None);
        assert!(names(&storage, &acme, MessageFilter::default(), 10).await.is_empty());
        let twice = storage.delete_message(&acme, &greeting, None, &by()).await;
        assert!(matches!(twice, Err(StorageError::NotFound(_))), "{twice:?}");

        let restored = storage.restore_message(&acme, &greeting, 1, Some(3), &by()).await.unwrap();
        assert_eq!((restored.version, restored.text.as_str()), (4, "one"));
        let again = storage.restore_message(&acme, &greeting, 4, None, &by()).await.unwrap();
        assert_eq!(again, restored, "it is so already");
        let deletion = storage.restore_message(&acme, &greeting, 3, None, &by()).await;
        assert!(matches!(&deletion, Err(StorageError::Invalid(why)) if why.contains("its deletion")), "{deletion:?}");
        for missing in [0, 5, u64::MAX] {
            let missing = storage.restore_message(&acme, &greeting, missing, None, &by()).await;
            assert!(matches!(missing, Err(StorageError::NotFound(_))), "{missing:?}");
        }
        let actions: Vec<_> = history(&storage, &acme, "greeting").await.iter().map(|one| (one.version, one.action)).collect();
        use MessageAction::{Delete, Restore, Set};
        assert_eq!(actions, [(4, Restore), (3, Delete), (2, Set), (1, Set)]);

        storage.delete_message(&acme, &greeting, Some(4), &by()).await.unwrap();
        storage.forget_messages(Timestamp::now() - 1.hour()).await.unwrap();
        assert_eq!(history(&storage, &acme, "greeting").await.len(), 5, "too early");
        storage.forget_messages(Timestamp::now() + 1.minute()).await.unwrap();
        let gone = storage.message_history(&acme, &greeting, None, 1).await;
        assert!(matches!(gone, Err(StorageError::NotFound(_))), "{gone:?}");
        assert_eq!(set(&storage, &acme, "greeting", "new").await, 1);
        assert_eq!(history(&storage, &acme, "greeting").await.len(), 1);
    }

    async fn of_many_who_have_seen_the_same_version_one_wins(ground) {
        let (storage, elsewhere) = (ground.open().await, ground.open().await);
        let acme = tenant("acme");
        for round in 0..5 {
            let seen = round;
            let mut underway = JoinSet::new();
            for at in 0..16 {
                let (storage, acme) = (if at % 2 == 0 { storage.clone() } else { elsewhere.clone() }, acme.clone());
                let write = says("greeting", &format!("round {round} by {at}"));
                underway.spawn(async move { storage.set_message(&acme, &write, Some(seen), &by()).await });
            }
            let (won, lost): (Vec<_>, Vec<_>) = underway.join_all().await.into_iter().partition(Result::is_ok);
            assert_eq!(won.len(), 1);
            for lost in lost {
                assert!(matches!(&lost, Err(StorageError::Conflict(why)) if why.contains("message greeting")), "{lost:?}");
            }
            let message = won.into_iter().next().unwrap().unwrap();
            assert_eq!(message.version, round + 1);
            assert_eq!(storage.message(&acme, &name("greeting")).await.unwrap(), message);
        }
        for late in [
            storage.delete_message(&acme, &name("greeting"), Some(4), &by()).await,
            storage.restore_message(&acme, &name("greeting"), 1, Some(4), &by()).await.map(drop),
        ] {
            assert!(matches!(late, Err(StorageError::Conflict(_))), "{late:?}");
        }
    }

    async fn messages_come_in_the_order_of_their_names_page_by_page(ground) {
        let storage = ground.open().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        let mut all = ["a", "a/de", "a/pt-BR", "a-b", "a.b", "a.b/de", "a_b", "A", "Z/de", "b", "0"];
        storage.import_messages(&acme, &import(all.iter().map(|name| says(name, name)).collect()), &by()).await.unwrap();
        set(&storage, &other, "a/de", "another's").await;
        all.sort_unstable();
        for prefix in ["", "a", "a.", "a/", "a_", "nothing", "\u{10ffff}"] {
            let expected: Vec<&str> = all.iter().copied().filter(|name| name.starts_with(prefix)).collect();
            let filter = MessageFilter { prefix, ..MessageFilter::default() };
            assert_eq!(names(&storage, &acme, filter, 100).await, expected, "{prefix}");
            let (mut paged, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = names(&storage, &acme, MessageFilter { after: after.as_deref(), ..filter }, 2).await;
                paged.extend(page.iter().cloned());
                after = page.last().cloned();
                if page.len() < 2 {
                    break;
                }
            }
            assert_eq!(paged, expected, "{prefix}");
        }
        let german = "DE".parse().unwrap();
        let filter = MessageFilter { language: Some(&german), ..MessageFilter::default() };
        assert_eq!(names(&storage, &acme, filter, 100).await, ["Z/de", "a.b/de", "a/de"]);
        let asked = ["b", "nothing", "a/de", "b", "a/fr"].map(name);
        let found = storage.message_texts(&acme, &asked).await.unwrap();
        let texts: Vec<Option<&str>> = found.iter().map(|one| one.as_ref().map(|one| one.text.as_str())).collect();
        assert_eq!(texts, [Some("b"), None, Some("a/de"), Some("b"), None]);
        assert!(storage.message_texts(&acme, &[]).await.unwrap().is_empty());
    }

    async fn an_import_does_all_or_nothing(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let many = |text: &str| (0..300).map(|at| says(&format!("m{at:03}"), text)).collect::<Vec<_>>();
        let done = storage.import_messages(&acme, &import(many("one")), &by()).await.unwrap();
        assert_eq!(done, Imported { made: 300, ..Imported::default() });
        let lines = storage.audit(None, None, 100).await.unwrap().len();
        let done = storage.import_messages(&acme, &import(many("one")), &by()).await.unwrap();
        assert_eq!(done, Imported { unchanged: 300, ..Imported::default() });
        assert_eq!(storage.audit(None, None, 100).await.unwrap().len(), lines, "nothing happened");

        let mut bad = many("two");
        bad.push(says("m299", "twice"));
        let refused = storage.import_messages(&acme, &import(bad), &by()).await;
        assert!(matches!(&refused, Err(StorageError::Invalid(why)) if why.contains("m299 comes twice")), "{refused:?}");
        // What fails in its midst: the last rows are refused by the database itself.
        let database = ground.connect().await;
        database.execute("INSERT INTO message_versions SELECT tenant, name, version, changed_at, changed_by, action, bytes, \
            description, text FROM messages ORDER BY name DESC LIMIT 1").await.unwrap();
        let interrupted = storage.import_messages(&acme, &import(many("two")), &by()).await;
        assert!(matches!(interrupted, Err(StorageError::Unavailable { .. })), "{interrupted:?}");
        assert_eq!(read(&storage, &acme, "m000").await.as_deref(), Some("one"));
        assert_eq!(history(&storage, &acme, "m000").await.len(), 1);
        database.execute("DELETE FROM message_versions").await.unwrap();
        database.close().await;

        let mut mixed = vec![says("m000", "two"), says("m001", "one"), says("new/hi", "नया")];
        let trial = MessageImport { texts: mixed.clone(), deletes_others: true, is_trial: true };
        let expected = Imported { made: 1, changed: 1, unchanged: 1, deleted: 298 };
        assert_eq!(storage.import_messages(&acme, &trial, &by()).await.unwrap(), expected);
        assert_eq!(names(&storage, &acme, MessageFilter::default(), 1000).await.len(), 300, "only told");
        let real = MessageImport { is_trial: false, ..trial };
        assert_eq!(storage.import_messages(&acme, &real, &by()).await.unwrap(), expected);
        assert_eq!(names(&storage, &acme, MessageFilter::default(), 1000).await, ["m000", "m001", "new/hi"]);
        assert_eq!(storage.restore_message(&acme, &name("m200"), 1, None, &by()).await.unwrap().version, 3);
        mixed.push(says("m200", "one"));
        let same = storage.import_messages(&acme, &import(mixed), &by()).await.unwrap();
        assert_eq!(same, Imported { unchanged: 4, ..Imported::default() });
    }

    async fn of_each_message_the_newest_versions_are_kept(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        set(&storage, &acme, "stays", "one").await;
        let versions = u64::from(MAX_VERSIONS) + 20;
        for version in 1..=versions {
            assert_eq!(set(&storage, &acme, "greeting", &format!("version {version}")).await, version);
        }
        let kept = history(&storage, &acme, "greeting").await;
        assert_eq!(kept.len(), usize::try_from(MAX_VERSIONS).unwrap());
        for (at, one) in kept.iter().enumerate() {
            assert_eq!((one.version, one.text.clone()), (versions - at as u64, Some(format!("version {}", one.version))));
        }
        let page = storage.message_history(&acme, &name("greeting"), Some(50), 3).await.unwrap();
        assert_eq!(page.iter().map(|one| one.version).collect::<Vec<_>>(), [49, 48, 47]);
        assert!(storage.message_history(&acme, &name("greeting"), Some(21), 3).await.unwrap().is_empty());
        let gone = storage.restore_message(&acme, &name("greeting"), 20, None, &by()).await;
        assert!(matches!(gone, Err(StorageError::NotFound(_))), "{gone:?}");
        assert_eq!(history(&storage, &acme, "stays").await.len(), 1);
    }

    async fn of_all_that_a_tenants_messages_were_so_much_is_kept(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        for version in 1..=4 {
            assert_eq!(set(&storage, &acme, "greeting", &format!("version {version}")).await, version);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // As if each were of 40 MiB: two of them are more than is kept.
        let database = ground.connect().await;
        database.execute("UPDATE message_versions SET bytes = 41943040").await.unwrap();
        database.close().await;
        storage.forget_messages(Timestamp::now() - 1.hour()).await.unwrap();
        let kept: Vec<u64> = history(&storage, &acme, "greeting").await.iter().map(|one| one.version).collect();
        assert_eq!(kept, [4, 3]);
    }

    async fn a_tenant_has_so_many_messages_and_no_more(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let many = |text: &str| import((0..MAX_MESSAGES).map(|at| says(&format!("m{at}"), text)).collect());
        for (text, what) in [("one", "made"), ("two", "changed")] {
            let begun = Instant::now();
            storage.import_messages(&acme, &many(text), &by()).await.unwrap();
            println!("{MAX_MESSAGES} messages are {what} in {:?}", begun.elapsed());
        }
        let more = storage.set_message(&acme, &says("more", "x"), None, &by()).await;
        assert!(matches!(&more, Err(StorageError::OverQuota(why)) if why.contains("10001 messages")), "{more:?}");
        assert_eq!(read(&storage, &acme, "more").await, None);
        set(&storage, &acme, "m0", "what is there can be changed").await;
        storage.delete_message(&acme, &name("m1"), None, &by()).await.unwrap();
        set(&storage, &acme, "more", "x").await;

        let large = "x".repeat(MAX_TEXT_BYTES);
        let too_large = import((0..1025).map(|at| says(&format!("m{at}"), &large)).collect());
        let refused = storage.import_messages(&acme, &MessageImport { deletes_others: true, ..too_large }, &by()).await;
        assert!(matches!(&refused, Err(StorageError::OverQuota(why)) if why.contains("16.0 MiB")), "{refused:?}");
        assert_eq!(read(&storage, &acme, "m9999").await.as_deref(), Some("two"));
        assert_eq!(storage.messages(&acme, MessageFilter::default(), u32::MAX).await.unwrap().len(), 10_000);
    }

    async fn what_cannot_be_a_text_is_refused_by_name(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let long_description = Some("x".repeat(MAX_DESCRIPTION_BYTES + 1));
        for (write, why) in [
            (says("greeting", ""), "is empty"),
            (says("greeting", "a\0b"), "U+0000"),
            (says("greeting", &"x".repeat(MAX_TEXT_BYTES + 1)), "longer than 16384 bytes"),
            (MessageWrite { description: long_description, ..says("greeting", "x") }, "longer than 1024 bytes"),
        ] {
            let refused = [
                storage.set_message(&acme, &write, None, &by()).await.map(drop),
                storage.import_messages(&acme, &import(vec![says("first", "x"), write]), &by()).await.map(drop),
            ];
            for refused in refused {
                let told = matches!(&refused, Err(StorageError::Invalid(text)) if text.contains("greeting") && text.contains(why));
                assert!(told, "{refused:?}");
            }
        }
        assert!(names(&storage, &acme, MessageFilter::default(), 10).await.is_empty());
    }

    async fn messages_are_their_tenants_and_go_with_it(ground) {
        let storage = ground.open().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        for tenant in [&acme, &other] {
            storage.create_tenant(tenant, &by()).await.unwrap();
            set(&storage, tenant, "greeting", tenant.as_str()).await;
            set(&storage, tenant, "gone", "x").await;
            storage.delete_message(tenant, &name("gone"), None, &by()).await.unwrap();
        }
        storage.delete_tenant(&acme, &by()).await.unwrap();
        storage.create_tenant(&acme, &by()).await.unwrap();
        assert_eq!(read(&storage, &acme, "greeting").await, None);
        for gone in ["greeting", "gone"] {
            assert!(storage.message_history(&acme, &name(gone), None, 1).await.is_err());
        }
        assert_eq!(read(&storage, &other, "greeting").await.as_deref(), Some("other"));
        assert_eq!(history(&storage, &other, "gone").await.len(), 2);
    }

    async fn what_handlers_read_when_they_run_is_in_the_log_and_not_in_the_feed(ground) {
        let storage = ground.open().await;
        let (acme, orders) = (tenant("acme"), node("ORDERS"));
        storage.create_tenant(&acme, &by()).await.unwrap();
        storage.create_node(&acme, &orders, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
        let before = storage.sequence().await.unwrap();
        set(&storage, &acme, "greeting", "not for the log").await;
        storage.import_messages(&acme, &import(vec![says("more", "not for the log")]), &by()).await.unwrap();
        storage.delete_message(&acme, &name("greeting"), None, &by()).await.unwrap();
        storage.restore_message(&acme, &name("greeting"), 1, None, &by()).await.unwrap();
        let write = EntryWrite { bucket: "tenant".to_owned(), key: "k".to_owned(), value: NewValue::Bytes(vec![1]), expires_at: None };
        storage.write_entry_by_hand(&acme, None, &write, &by(), Timestamp::now()).await.unwrap();
        let changes = storage.changes_since(before).await.unwrap();
        assert_eq!((changes.of, changes.sequence), (Some(Vec::new()), storage.sequence().await.unwrap()));

        storage.set_door(&acme, &orders, &Door::default(), None, &by()).await.unwrap();
        set(&storage, &acme, "greeting", "again").await;
        let changes = storage.changes_since(before).await.unwrap();
        assert_eq!(changes.of, Some(vec![(acme.clone(), Some(orders))]));

        let log = storage.audit(Some(&acme), None, 100).await.unwrap();
        let lines: Vec<String> = log.iter().map(|line| format!("{} {}", line.action, line.subject)).collect();
        assert_eq!(lines[3..7], [
            "message.restore greeting version 3 as version 1",
            "message.delete greeting version 2",
            "message.import 1 made, 0 changed, 0 deleted",
            "message.set greeting version 1",
        ]);
        assert!(!lines.join("\n").contains("not for the log"));
    }
}
