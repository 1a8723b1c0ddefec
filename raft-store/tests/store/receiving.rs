//! Snapshots of other nodes: checked and durable before anything counts on them.

use std::time::Duration;

use openraft::storage::{RaftLogStorage, RaftStateMachine};
use raft_store::env::sim::{Latency, SimRng};
use raft_store::types::{Snapshot, StorageError};
use raft_store::{OpenError, SnapshotError, Store};

use crate::world::{
    World, append, build, close, commit, delivered, digest, entry, ids, install, log_id, pass,
    read_all, simulate, snapshot_of,
};

/// Takes a snapshot in as the node does, and then does what openraft does: it begins to install, and
/// purges the log at the same time.
async fn receive_and_install(
    store: &mut Store,
    snapshot: &Snapshot,
    bytes: &[u8],
) -> Result<(), StorageError> {
    let file = delivered(store, bytes);
    let received = store.control.snapshot_receive(snapshot.meta.clone(), file);
    let file = received.await.expect("the snapshot is sound");
    install_and_purge(store, snapshot, file).await
}

async fn install_and_purge(
    store: &mut Store,
    snapshot: &Snapshot,
    file: raft_store::SnapshotFile,
) -> Result<(), StorageError> {
    let last = snapshot.meta.last_log_id.expect("it covers entries");
    let Store { log, machine, .. } = store;
    let (installed, purged) = tokio::join!(
        machine.install_snapshot(&snapshot.meta, Box::new(file)),
        log.purge(last)
    );
    installed.and(purged)
}

/// Every disk operation takes five milliseconds, so that crashes at all milliseconds meet each of them.
fn even_latency(world: &World) {
    let even = (Duration::from_millis(5), Duration::from_millis(5));
    world.disk.set_latency(Latency {
        write: even,
        sync: even,
    });
}

/// Crashes after every millisecond of an installation, by which `begin` begins it.
fn crash_at_each_step(
    begin: &impl AsyncFn(&mut Store, &Snapshot, &[u8]) -> Result<(), StorageError>,
) {
    let (snapshot, bytes, expected) = snapshot_of(&World::new(1), 20);
    let mut seen = [0, 0];
    for moment in 0..60 {
        for seed in 0..12 {
            let world = World::new(seed);
            simulate(async {
                let mut store = world.open().expect("a new directory opens");
                commit(&mut store, (1..=3).map(|index| entry(1, index))).await;
                even_latency(&world);
                tokio::time::timeout(Duration::from_millis(moment), async {
                    begin(&mut store, &snapshot, &bytes)
                        .await
                        .expect("the snapshot is sound");
                    append(&mut store, [entry(1, 21)]).await;
                    pass(Duration::from_secs(1)).await;
                })
                .await
                .ok();
            });
            world.crash();
            simulate(async {
                let mut store = world
                    .open()
                    .unwrap_or_else(|error| panic!("{moment} ms, seed {seed}: {error:?}"));
                let found = ids(&read_all(&mut store).await);
                if store.applied.last() == Some(log_id(1, 20)) {
                    assert_eq!(digest(&store), expected, "{moment} ms, seed {seed}");
                    assert!(
                        found.is_empty() || found == [(1, 21)],
                        "{moment} ms, seed {seed}: {found:?}"
                    );
                    seen[1] += 1;
                } else {
                    // What was there before is still there, whole.
                    assert_eq!(found, [(1, 1), (1, 2), (1, 3)], "{moment} ms, seed {seed}");
                    seen[0] += 1;
                }
            });
        }
    }
    assert!(
        seen.iter().all(|count| *count > 30),
        "both outcomes were met: {seen:?}"
    );
}

#[test]
fn a_crash_at_any_step_of_an_installation_with_its_purge_loses_nothing() {
    crash_at_each_step(&receive_and_install);
}

#[test]
fn a_purge_waits_for_the_snapshot_that_makes_it_harmless() {
    // Not taken in before, as openraft would do it by itself.
    let begin = async |store: &mut Store, snapshot: &Snapshot, bytes: &[u8]| {
        let file = delivered(store, bytes);
        install_and_purge(store, snapshot, file).await
    };
    crash_at_each_step(&begin);
}

#[test]
fn a_purge_that_nothing_durable_covers_waits_until_the_store_fails() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=5).map(|index| entry(1, index))).await;
        let waited = Duration::from_millis(400);
        tokio::time::timeout(waited, store.log.purge(log_id(1, 5)))
            .await
            .expect_err("neither a checkpoint nor a snapshot is there");
        assert_eq!(read_all(&mut store).await.len(), 5, "nothing is purged");
        assert!(store.control.checkpoint().await);
        store
            .log
            .purge(log_id(1, 5))
            .await
            .expect("the checkpoint covers it");
        world.disk.fail_syncs(1);
        let Store { log, .. } = &mut store;
        openraft::storage::RaftLogStorageExt::blocking_append(log, [entry(1, 6)])
            .await
            .expect_err("its sync failed");
        log.purge(log_id(1, 6)).await.expect_err("and it ends here");
    });
}

#[test]
fn a_start_with_a_received_snapshot_ahead_of_log_and_checkpoint_goes_on_from_it() {
    let (snapshot, bytes, expected) = snapshot_of(&World::new(1), 20);
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=3).map(|index| entry(1, index))).await;
        assert!(store.control.checkpoint().await);
        let file = delivered(&store, &bytes);
        let received = store.control.snapshot_receive(snapshot.meta.clone(), file);
        received.await.expect("the snapshot is sound");
        assert_eq!(
            store.applied.last(),
            Some(log_id(1, 3)),
            "it was not installed"
        );
    });
    world.crash();
    simulate(async {
        let mut store = world.open().expect("the snapshot explains the gap");
        assert_eq!(digest(&store), expected);
        let state = store.log.get_log_state().await.expect("the log is sound");
        assert_eq!(state.last_log_id, Some(log_id(1, 20)));
        append(&mut store, [entry(1, 21)]).await;
        close(store).await;
    });
    simulate(async {
        let mut store = world.open().expect("the directory opens again");
        assert_eq!(ids(&read_all(&mut store).await), [(1, 21)]);
    });
}

/// Installs a snapshot of ten entries and takes a checkpoint of it, then receives one of twenty; the
/// log is never told of either.
fn received_after_a_checkpoint(world: &World) -> u128 {
    let (first, first_bytes, _) = snapshot_of(&World::new(1), 10);
    let (second, second_bytes, expected) = snapshot_of(&World::new(1), 20);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=3).map(|index| entry(1, index))).await;
        install(&mut store, &first, &first_bytes)
            .await
            .expect("the snapshot is sound");
        assert!(store.control.checkpoint().await);
        let file = delivered(&store, &second_bytes);
        let received = store.control.snapshot_receive(second.meta.clone(), file);
        received.await.expect("the snapshot is sound");
    });
    world.crash();
    expected
}

#[test]
fn a_received_snapshot_explains_an_older_checkpoint_that_is_ahead_of_the_log() {
    let world = World::new(2);
    let expected = received_after_a_checkpoint(&world);
    simulate(async {
        let mut store = world.open().expect("the snapshot replaces the log");
        assert_eq!(digest(&store), expected);
        append(&mut store, [entry(1, 21)]).await;
        close(store).await;
    });
    simulate(async {
        let mut store = world.open().expect("the directory opens again");
        assert_eq!(ids(&read_all(&mut store).await), [(1, 21)]);
    });
}

#[test]
fn a_snapshot_that_is_built_of_a_received_one_does_not_take_its_place() {
    let (snapshot, bytes, expected) = snapshot_of(&World::new(1), 10);
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=3).map(|index| entry(1, index))).await;
        install(&mut store, &snapshot, &bytes)
            .await
            .expect("the snapshot is sound");
        let built = build(&mut store).await;
        assert_eq!(built.meta, snapshot.meta, "it covers as much already");
    });
    // The log was never told of the installation: only the name of the file explains it.
    world.crash();
    simulate(async {
        let store = world.open().expect("the received one explains the state");
        assert_eq!(digest(&store), expected);
    });
}

#[test]
fn a_received_snapshot_that_cannot_be_used_explains_nothing() {
    let world = World::new(2);
    received_after_a_checkpoint(&world);
    // Its bytes change, and its checksum with them, so that only what is in it is wrong.
    let files = world.disk.files();
    let received = files
        .iter()
        .find(|(path, _)| path.to_string_lossy().ends_with(".received.snapshot"));
    let (path, _) = received.expect("a snapshot was received");
    let before = world.bytes(path);
    let end = before.len() - 4;
    let name = before.windows(5).position(|bytes| bytes == b"t1-20");
    let at = name.expect("the last tenant is in it");
    let mut after = before.clone();
    after[at] = b'u';
    let checksum = crc32c::crc32c(&after[..end]).to_le_bytes();
    after[end..].copy_from_slice(&checksum);
    for (offset, (old, new)) in before.iter().zip(&after).enumerate() {
        let damaged = world.disk.damage(path, offset, old ^ new);
        damaged.expect("the byte is there");
    }
    simulate(async {
        let error = world
            .open()
            .expect_err("the checkpoint has what the log has not");
        assert!(matches!(error, OpenError::AheadOfLog { .. }), "{error:?}");
    });
}

#[test]
fn a_flipped_byte_of_a_received_snapshot_is_the_senders_affair() {
    let (snapshot, bytes, _) = snapshot_of(&World::new(1), 3);
    let mut rng = SimRng::new(7);
    simulate(async {
        let world = World::new(2);
        let store = world.open().expect("a new directory opens");
        for offset in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 1 << rng.below(8);
            let file = delivered(&store, &damaged);
            let received = store.control.snapshot_receive(snapshot.meta.clone(), file);
            received.await.expect_err("the snapshot is damaged");
            assert!(store.control.failure().is_none(), "byte {offset}");
        }
        assert!(
            world
                .disk
                .files()
                .iter()
                .all(|(path, _)| !path.starts_with("/node/data/snapshots")),
            "nothing of it stays: {:?}",
            world.disk.files()
        );
        let mut other = snapshot.meta.clone();
        other.last_log_id = Some(log_id(1, 2));
        let received = store
            .control
            .snapshot_receive(other, delivered(&store, &bytes));
        let error = received.await.expect_err("another was announced");
        assert!(matches!(error, SnapshotError::OtherThanAnnounced { .. }));
    });
}

#[test]
fn a_snapshot_that_was_damaged_at_rest_is_replaced_when_a_receiver_refuses_it() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=20).map(|index| entry(1, index))).await;
        let built = build(&mut store).await;
        store.control.snapshot_recheck().await;
        let current = store.machine.get_current_snapshot().await;
        let current = current.expect("no error").expect("it is there");
        assert_eq!(current.meta, built.meta, "a sound one stays");

        world
            .disk
            .damage(built.snapshot.path(), 300, 0x10)
            .expect("the byte is there");
        store.control.snapshot_recheck().await;
        let current = store.machine.get_current_snapshot().await;
        let current = current.expect("no error").expect("there is another");
        assert_ne!(current.meta.snapshot_id, built.meta.snapshot_id);
        current.snapshot.verify().expect("it is sound");
        let aside = |(path, _): &(std::path::PathBuf, u64)| {
            path.extension().is_some_and(|ending| ending == "damaged")
        };
        assert_eq!(
            world.disk.files().iter().filter(|file| aside(file)).count(),
            1
        );
        assert!(store.control.failure().is_none());
    });
}

#[test]
fn a_built_snapshot_never_takes_the_place_of_a_received_one_that_covers_more() {
    let (snapshot, bytes, expected) = snapshot_of(&World::new(1), 20);
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=3).map(|index| entry(1, index))).await;
        let mut builder = store.machine.get_snapshot_builder().await;
        install(&mut store, &snapshot, &bytes)
            .await
            .expect("the snapshot is sound");
        let built = openraft::RaftSnapshotBuilder::build_snapshot(&mut builder).await;
        let built = built.expect("no error");
        assert_eq!(built.meta, snapshot.meta, "the current one is the answer");
        store
            .log
            .purge(log_id(1, 20))
            .await
            .expect("the log is sound");
    });
    world.crash();
    simulate(async {
        let store = world.open().expect("the received one is still there");
        assert_eq!(digest(&store), expected);
    });
}
