//! Many at once: whoever writes, adds, swaps and forgets, nothing is lost and nobody waits for ever.

use tokio::task::JoinSet;

use super::*;

/// Two hosts, where there may be two.
pub(super) async fn hosts(ground: &Ground) -> (Storage, Storage) {
    let here = ground.open().await;
    let there = match &ground.place {
        Place::Sqlite(_) => here.clone(),
        Place::Postgres(_) => ground.open().await,
    };
    (here, there)
}

on_both! {
    async fn what_is_written_anew_while_it_is_being_forgotten_stays(ground) {
        let storage = ground.open().await;
        let acme = tenant("acme");
        let bucket = shared(&acme);
        let expiring = |key: &str| EntryWrite { expires_at: Some(at(1000)), ..written(bucket, key, "5") };
        storage.write_entries(&acme, &["gone", "renewed"].map(expiring), now()).await.unwrap();
        let database = ground.connect().await;
        let mut elsewhere = database.begin().await.unwrap();
        let renew = sqlx::query("UPDATE key_values SET expires_at = NULL WHERE key = $1").bind(b"renewed".to_vec());
        assert_eq!(renew.execute(&mut *elsewhere).await.unwrap().rows_affected(), 1);
        let forget = storage.forget_entries(at(2000));
        match ground.place {
            // Whoever writes has locked all there is, and is waited for.
            Place::Sqlite(_) => {
                let (forgotten, written) = tokio::join!(forget, elsewhere.commit());
                forgotten.unwrap();
                written.unwrap();
            }
            // It passes over the row that is being written.
            Place::Postgres(_) => {
                forget.await.unwrap();
                elsewhere.commit().await.unwrap();
            }
        }
        assert_eq!(keys(&storage, bucket, "", now()).await, ["renewed"]);
    }

    async fn what_many_add_at_once_is_in_the_sum(ground) {
        let (here, there) = hosts(ground).await;
        let mut tasks = JoinSet::new();
        for task in 0..64 {
            let storage = if task % 2 == 0 { here.clone() } else { there.clone() };
            tasks.spawn(async move {
                let acme = tenant("acme");
                let mut sums = Vec::new();
                for _ in 0..100 {
                    sums.push(storage.increment(shared(&acme), "sum", 3, None, now()).await.unwrap());
                }
                assert!(sums.is_sorted());
                sums
            });
        }
        let mut sums = tasks.join_all().await.concat();
        sums.sort_unstable();
        assert!(sums.into_iter().eq((1..=6400).map(|number| number * 3)), "each is told its own");
        assert_eq!(read(&there, shared(&tenant("acme")), "sum", now()).await.as_deref(), Some("19200"));
    }

    async fn of_fifty_who_swap_at_once_one_does(ground) {
        let (here, there) = hosts(ground).await;
        let acme = tenant("acme");
        let mut seen = None;
        for round in 0..4 {
            let mut tasks = JoinSet::new();
            for task in 0..50 {
                let storage = if task % 2 == 0 { here.clone() } else { there.clone() };
                tasks.spawn(async move {
                    let (acme, value) = (tenant("acme"), format!("{round} {task}"));
                    let swapped = storage.swap_entry(shared(&acme), "key", seen, value.as_bytes(), None, now());
                    swapped.await.unwrap().then_some(value)
                });
            }
            let winners: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
            assert_eq!(winners.len(), 1, "{winners:?}");
            let entry = entry(&here, shared(&acme), "key", now()).await.unwrap();
            assert_eq!(entry.value, winners[0].as_bytes());
            seen = Some(entry.version);
        }
    }

    async fn who_writes_the_same_keys_in_another_order_waits_for_nobody_in_a_circle(ground) {
        let (here, there) = hosts(ground).await;
        let (acme, one) = (tenant("acme"), node("ONE"));
        here.create_tenant(&acme, &by()).await.unwrap();
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let storage = if task % 2 == 0 { here.clone() } else { there.clone() };
            tasks.spawn(async move {
                let (acme, own) = (tenant("acme"), Bucket::of_node(&node("ONE")));
                let own = Bucket { tenant: &acme, name: &own };
                for round in 0..10 {
                    let mut writes: Vec<EntryWrite> = (0..10)
                        .map(|key| written(if key % 3 == 0 { shared(&acme) } else { own }, &key.to_string(), format!("{task} {round}")))
                        .map(|write| EntryWrite { expires_at: (round % 2 == 0).then(now), ..write })
                        .collect();
                    if task % 3 == 0 {
                        writes.reverse();
                    }
                    storage.write_entries(&acme, &writes, now()).await.unwrap();
                }
            });
        }
        let sweeping = here.clone();
        tasks.spawn(async move {
            for _ in 0..20 {
                sweeping.forget_entries(at(1)).await.unwrap();
            }
        });
        for _ in 0..5 {
            there.create_node(&acme, &one, &Door::default(), &Quota::DEFAULT, &by()).await.unwrap();
            there.delete_node(&acme, &one, &by()).await.unwrap();
        }
        tasks.join_all().await;
        let own = Bucket::of_node(&one);
        let mut values = Vec::new();
        for key in 0..10 {
            let bucket = if key % 3 == 0 { shared(&acme) } else { Bucket { tenant: &acme, name: &own } };
            values.extend(read(&here, bucket, &key.to_string(), now()).await);
        }
        values.dedup();
        assert_eq!(values.len(), 1, "all are of the same write: {values:?}");
    }
}
