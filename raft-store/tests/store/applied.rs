//! The applied state: answers, slices, cuts and digests.

use std::collections::BTreeMap;

use openraft::EntryPayload;
use openraft::storage::RaftStateMachine;
use raft_store::DigestAnswer;
use raft_store::types::{LogEntry, Member, Membership, StoredMembership};

use crate::world::{World, append, close, commit, digest, entry, log_id, simulate, tenants};

fn many(index: u64, commands: u64) -> LogEntry {
    let names: Vec<String> = (0..commands).map(|n| format!("m{index}-{n}")).collect();
    LogEntry {
        log_id: log_id(1, index),
        payload: EntryPayload::Normal(tenants(&names)),
    }
}

fn blank(index: u64) -> LogEntry {
    LogEntry {
        log_id: log_id(1, index),
        payload: EntryPayload::Blank,
    }
}

fn membership() -> Membership {
    let member = Member {
        instance: 5,
        peer_address: "a:1".to_owned(),
        http_url: "http://a".to_owned(),
    };
    Membership::new(vec![[1].into()], BTreeMap::from([(1, member)]))
}

#[test]
fn every_entry_is_answered_once_with_its_index_and_the_revision_after_it() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let set = LogEntry {
            log_id: log_id(1, 3),
            payload: EntryPayload::Membership(membership()),
        };
        let entries = vec![blank(1), many(2, 3), set, many(4, 1), blank(5), many(6, 0)];
        let applied = store
            .machine
            .apply(entries)
            .await
            .expect("they can be applied");
        let shown: Vec<_> = applied
            .iter()
            .map(|one| (one.index, one.revision, one.answers.len()))
            .collect();
        assert_eq!(
            shown,
            [
                (1, 0, 0),
                (2, 3, 3),
                (3, 3, 0),
                (4, 4, 1),
                (5, 4, 0),
                (6, 4, 0)
            ]
        );
        assert_eq!(
            applied[1].answers[0].revision, 1,
            "each command has an answer of its own"
        );
        let at = store.applied.at();
        assert_eq!((at.index, at.revision), (Some(6), 4));
        assert_eq!(*store.applied.watch().borrow(), at);
        let (last, stored) = store
            .machine
            .applied_state()
            .await
            .expect("it is in memory");
        assert_eq!(last, Some(log_id(1, 6)));
        assert_eq!(
            stored,
            StoredMembership::new(Some(log_id(1, 3)), membership())
        );
    });
}

#[test]
fn the_membership_survives_a_restart_with_the_state() {
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let set = LogEntry {
            log_id: log_id(1, 1),
            payload: EntryPayload::Membership(membership()),
        };
        commit(&mut store, [set, many(2, 1)]).await;
        assert!(store.control.checkpoint().await);
        close(store).await;
    });
    simulate(async {
        let store = world.open().expect("the directory opens again");
        assert_eq!(
            store.applied.membership(),
            StoredMembership::new(Some(log_id(1, 1)), membership())
        );
    });
}

#[test]
fn readers_get_in_between_the_slices_of_a_large_entry() {
    let world = World::new(3);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let applied = std::sync::Arc::clone(&store.applied);
        let reader = tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.last() != Some(&1_000) {
                let revision = applied.read(allocator::State::revision);
                assert!(
                    applied.at().revision <= revision,
                    "what is published can be read"
                );
                if seen.last() != Some(&revision) {
                    seen.push(revision);
                }
                tokio::task::yield_now().await;
            }
            seen
        });
        store
            .machine
            .apply([many(1, 1_000)])
            .await
            .expect("it can be applied");
        let seen = reader.await.expect("it ends");
        let ends = seen
            .iter()
            .all(|revision| revision % 256 == 0 || *revision == 1_000);
        assert!(
            ends && seen.len() >= 3,
            "only the ends of slices are seen: {seen:?}"
        );
    });
}

#[test]
fn a_checkpoint_asked_for_in_the_middle_of_an_entry_holds_all_of_it() {
    let world = World::new(4);
    let after = simulate(async {
        let mut store = world.open().expect("a new directory opens");
        // The log is done with it first: simulated time stands still while a task spins.
        append(&mut store, [many(1, 1_000)]).await;
        let (applied, control) = (std::sync::Arc::clone(&store.applied), store.control.clone());
        let checkpoint = tokio::spawn(async move {
            while applied.read(allocator::State::revision) < 256 {
                tokio::task::yield_now().await;
            }
            assert_eq!(applied.at().revision, 0, "the entry has not ended");
            control.checkpoint().await
        });
        store
            .machine
            .apply([many(1, 1_000)])
            .await
            .expect("it can be applied");
        assert!(checkpoint.await.expect("it ends"));
        digest(&store)
    });
    world.crash();
    simulate(async {
        let store = world.open().expect("the directory opens again");
        assert_eq!(
            (store.applied.last(), digest(&store)),
            (Some(log_id(1, 1)), after)
        );
    });
}

#[test]
fn a_digest_is_the_same_on_every_node_and_after_a_restart() {
    let (one, other) = (World::new(5), World::new(6));
    let ask = |world: &World| {
        simulate(async {
            let mut store = world.open().expect("a new directory opens");
            for index in 1..=5 {
                commit(&mut store, [entry(1, index)]).await;
            }
            commit(&mut store, [blank(6)]).await;
            assert!(store.control.checkpoint().await);
            let answers =
                [Some(2), Some(5), Some(6), None].map(|revision| store.applied.digest_at(revision));
            close(store).await;
            answers
        })
    };
    let [second, fifth, sixth, latest] = ask(&one);
    assert_eq!([second, fifth, sixth, latest], ask(&other));
    let index = |answer| match answer {
        DigestAnswer::At(mark) => (mark.index, mark.revision),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (index(second), index(fifth), index(latest)),
        ((2, 2), (5, 5), (6, 5))
    );
    assert_eq!(sixth, DigestAnswer::NotYet);
    simulate(async {
        let store = one.open().expect("the directory opens again");
        assert_eq!(
            store.applied.digest_at(Some(5)),
            fifth,
            "the latest revision is still known"
        );
        assert_eq!(
            store.applied.digest_at(Some(4)),
            DigestAnswer::Gone { oldest: 5 }
        );
    });
}
