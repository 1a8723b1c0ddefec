//! Snapshots: built, sent, installed, damaged.

use std::time::Duration;

use openraft::storage::{RaftLogStorage, RaftStateMachine};
use raft_store::OpenError;
use raft_store::env::sim::SimRng;

use crate::world::{
    World, append, build, close, commit, digest, entry, ids, install, log_id, pass, read_all,
    simulate, snapshot_of,
};

#[test]
fn an_installed_snapshot_is_the_senders_state() {
    let (snapshot, bytes, expected) = snapshot_of(&World::new(1), 20);
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, [entry(1, 1)]).await;
        install(&mut store, &snapshot, &bytes)
            .await
            .expect("the snapshot is sound");
        assert_eq!(digest(&store), expected);
        assert_eq!(store.applied.last(), Some(log_id(1, 20)));
        let current = store
            .machine
            .get_current_snapshot()
            .await
            .expect("it is there")
            .expect("it is there");
        assert_eq!(current.meta, snapshot.meta);
        store
            .log
            .purge(log_id(1, 20))
            .await
            .expect("the log is sound");
        append(&mut store, [entry(1, 21)]).await;
        close(store).await;
    });
    simulate(async {
        let store = world.open().expect("the directory opens again");
        assert_eq!(
            (digest(&store), store.applied.last()),
            (expected, Some(log_id(1, 20)))
        );
    });
}

#[test]
fn a_crash_in_the_middle_of_an_installation_leaves_the_old_state_or_the_new_one() {
    let (snapshot, bytes, expected) = snapshot_of(&World::new(1), 20);
    let mut seen = [0, 0];
    for seed in 0..150 {
        let world = World::new(seed);
        let mut rng = SimRng::new(seed);
        simulate(async {
            let mut store = world.open().expect("a new directory opens");
            commit(&mut store, [entry(1, 1)]).await;
            let moment = Duration::from_millis(rng.below(40));
            tokio::time::timeout(moment, async {
                install(&mut store, &snapshot, &bytes)
                    .await
                    .expect("the snapshot is sound");
                store
                    .log
                    .purge(log_id(1, 20))
                    .await
                    .expect("the log is sound");
                pass(Duration::from_secs(1)).await;
            })
            .await
            .ok();
        });
        world.crash();
        simulate(async {
            let store = world
                .open()
                .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            match store.applied.last().map(|id| id.index) {
                Some(20) => {
                    assert_eq!(digest(&store), expected, "seed {seed}");
                    seen[1] += 1;
                }
                None => seen[0] += 1,
                other => panic!("seed {seed}: the state is at {other:?}"),
            }
        });
    }
    assert!(
        seen.iter().all(|count| *count > 10),
        "both outcomes were met: {seen:?}"
    );
}

#[test]
fn a_crash_after_an_installation_does_not_bring_contradicting_entries_back() {
    let (snapshot, bytes, expected) = snapshot_of(&World::new(1), 20);
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        // Entries of a leader that was never followed: up to and beyond the snapshot's last.
        append(&mut store, (1..=25).map(|index| entry(0, index))).await;
        install(&mut store, &snapshot, &bytes)
            .await
            .expect("the snapshot is sound");
    });
    world.crash();
    simulate(async {
        let mut store = world.open().expect("the installation explains the state");
        assert_eq!(digest(&store), expected);
        let state = store.log.get_log_state().await.expect("the log is sound");
        assert_eq!(
            (state.last_purged_log_id, state.last_log_id),
            (Some(log_id(1, 20)), Some(log_id(1, 20)))
        );
        append(&mut store, [entry(1, 21)]).await;
        close(store).await;
    });
    simulate(async {
        let mut store = world.open().expect("the directory opens again");
        assert_eq!(ids(&read_all(&mut store).await), [(1, 21)]);
    });
}

#[test]
fn a_snapshot_that_is_not_installed_leaves_nothing_behind() {
    let world = World::new(3);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let received = store
            .machine
            .begin_receiving_snapshot()
            .await
            .expect("the disk is sound");
        received
            .write_at(0, b"half a snapshot")
            .expect("the disk is sound");
        received.verify().expect_err("it is not whole");
        let temporary = |world: &World| {
            world
                .disk
                .files()
                .iter()
                .filter(|(path, _)| path.extension().is_some_and(|ending| ending == "tmp"))
                .count()
        };
        assert_eq!(temporary(&world), 1);
        drop(received);
        assert_eq!(temporary(&world), 0);
    });
}

#[test]
fn every_flipped_byte_of_a_received_snapshot_is_refused() {
    let (snapshot, bytes, _) = snapshot_of(&World::new(1), 3);
    let meta_end = 12 + usize::from(bytes[8]) + usize::from(bytes[9]) * 256;
    for offset in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 0x04;
        let world = World::new(2);
        simulate(async {
            let mut store = world.open().expect("a new directory opens");
            let before = digest(&store);
            install(&mut store, &snapshot, &damaged)
                .await
                .expect_err("the snapshot is damaged");
            assert_eq!(
                digest(&store),
                before,
                "byte {offset}; the header ends at {meta_end}"
            );
            assert!(store.control.failure().is_some(), "and the node must stop");
        });
    }
    for size in [0, 5, meta_end, bytes.len() / 2, bytes.len() - 1] {
        let world = World::new(2);
        simulate(async {
            let mut store = world.open().expect("a new directory opens");
            install(&mut store, &snapshot, &bytes[..size])
                .await
                .expect_err("the snapshot is cut short");
        });
    }
}

#[test]
fn a_damaged_snapshot_is_moved_aside_at_the_next_start() {
    let world = World::new(1);
    let (_, bytes, _) = snapshot_of(&world, 5);
    world.disk.kill();
    let path = |ending: &str| {
        let files = world.disk.files().into_iter().map(|(path, _)| path);
        files
            .into_iter()
            .find(|path| path.to_string_lossy().ends_with(ending))
    };
    let snapshot = path(".built.snapshot").expect("the snapshot is there");
    world
        .disk
        .damage(&snapshot, bytes.len() / 2, 0x80)
        .expect("the byte is there");
    simulate(async {
        let mut store = world.open().expect("the log has everything");
        assert!(
            store
                .machine
                .get_current_snapshot()
                .await
                .expect("no error")
                .is_none()
        );
    });
    assert!(
        path(".damaged").is_some(),
        "it is kept for who wants to look at it"
    );
}

#[test]
fn a_node_without_a_state_that_reaches_the_log_is_refused() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=20 {
            commit(&mut store, [entry(1, index)]).await;
        }
        build(&mut store).await;
        assert!(store.control.checkpoint().await);
        store
            .log
            .purge(log_id(1, 10))
            .await
            .expect("the log is sound");
        close(store).await;
    });
    let without = |applied: bool, snapshot: bool| {
        let mut world = World {
            disk: world.disk.fork(9),
            ..world.clone()
        };
        if applied {
            world.applied = raft_store::checkpoint::MemoryBackend::new(9);
        }
        if snapshot {
            let files = world.disk.files().into_iter().map(|(path, _)| path);
            let snapshot = files
                .into_iter()
                .find(|path| path.to_string_lossy().ends_with(".snapshot"));
            raft_store::env::Fs::remove(&world.disk, &snapshot.expect("it is there"))
                .expect("it can be removed");
        }
        simulate(async { world.open().map(|store| store.applied.last()) })
    };
    assert_eq!(
        without(false, false).expect("both are there"),
        Some(log_id(1, 20))
    );
    assert_eq!(
        without(true, false).expect("the snapshot is there"),
        Some(log_id(1, 20))
    );
    assert_eq!(
        without(false, true).expect("the checkpoint is there"),
        Some(log_id(1, 20))
    );
    let error = without(true, true).expect_err("neither is there");
    assert!(matches!(error, OpenError::NoState { .. }), "{error:?}");
    assert!(
        error.to_string().contains("ipamctl cluster remove 1"),
        "{error}"
    );
}

#[test]
fn a_state_ahead_of_the_log_is_refused() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=5 {
            commit(&mut store, [entry(1, index)]).await;
        }
        close(store).await;
    });
    let earlier = world.disk.fork(3);
    simulate(async {
        let mut store = world.open().expect("the directory opens again");
        for index in 6..=9 {
            commit(&mut store, [entry(1, index)]).await;
        }
        assert!(store.control.checkpoint().await);
        close(store).await;
    });
    // Somebody put an old copy of the log back.
    let world = World {
        disk: earlier,
        ..world
    };
    simulate(async {
        let error = world
            .open()
            .expect_err("the state has entries that the log has lost");
        assert!(matches!(error, OpenError::AheadOfLog { .. }), "{error:?}");
    });
}

#[test]
fn a_snapshot_is_due_by_the_size_of_the_log_and_purging_leaves_some_of_it() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let mut index = 0;
        while !store.control.snapshot_due() {
            index += 1;
            commit(&mut store, [entry(1, index)]).await;
            assert!(index < 1_000, "4 KiB of log are reached");
        }
        assert_eq!(
            store.control.purge_due(),
            None,
            "nothing is durable elsewhere"
        );
        build(&mut store).await;
        assert!(!store.control.snapshot_due());
        assert_eq!(store.control.purge_due(), None, "the checkpoint is missing");
        for further in index + 1..=index + 40 {
            commit(&mut store, [entry(1, further)]).await;
        }
        build(&mut store).await;
        assert!(store.control.checkpoint().await);
        let purge = store
            .control
            .purge_due()
            .expect("much is durable elsewhere");
        assert!(
            purge.index > 0 && purge.index < index + 30,
            "some of the log stays: {purge}"
        );
    });
}
