//! Disks that fail: nothing is acknowledged afterwards, and it is said once why.

use std::time::Duration;

use openraft::RaftSnapshotBuilder;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use raft_store::StoreFailure;
use raft_store::env::sim::Latency;

use crate::world::{World, append, close, commit, entry, ids, log_id, pass, read_all, simulate};

#[test]
fn a_failed_sync_ends_the_log_and_is_never_tried_again() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(1, 1)]).await;
        pass(Duration::from_secs(1)).await;
        world.disk.fail_syncs(1);
        store
            .log
            .blocking_append([entry(1, 2)])
            .await
            .expect_err("its sync failed");
        assert!(matches!(
            store.control.failure(),
            Some(StoreFailure::Log { .. })
        ));
        let syncs = world.disk.syncs();
        store
            .log
            .blocking_append([entry(1, 3)])
            .await
            .expect_err("the log has ended");
        store
            .log
            .save_vote(&raft_store::types::Vote::new(9, 1))
            .await
            .expect_err("the log has ended");
        assert_eq!(world.disk.syncs(), syncs, "no further sync");
    });
    world.crash();
    simulate(async {
        let mut store = world.open().expect("what was synced is there");
        let found = ids(&read_all(&mut store).await);
        assert!(
            found == [(1, 1)],
            "the entry whose sync failed was lost by the kernel: {found:?}"
        );
    });
}

#[test]
fn a_failed_write_and_a_full_disk_end_the_log() {
    let faults: [fn(&World); 2] = [
        |world| world.disk.fail_writes(1),
        |world| {
            let used: u64 = world.disk.files().iter().map(|(_, size)| size).sum();
            world.disk.set_capacity(Some(used));
        },
    ];
    for (number, fault) in faults.iter().enumerate() {
        let world = World::new(2);
        simulate(async {
            let mut store = world.open().expect("a new directory opens");
            append(&mut store, [entry(1, 1)]).await;
            pass(Duration::from_secs(1)).await;
            fault(&world);
            let mut acknowledged = 1;
            while store
                .log
                .blocking_append([entry(1, acknowledged + 1)])
                .await
                .is_ok()
            {
                acknowledged += 1;
                assert!(acknowledged < 100, "the disk is full at some time");
            }
            assert!(
                matches!(store.control.failure(), Some(StoreFailure::Log { .. })),
                "fault {number}"
            );
        });
    }
}

#[test]
fn a_sync_that_hangs_for_ten_seconds_is_a_failure() {
    let world = World::new(3);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(1, 1)]).await;
        pass(Duration::from_secs(1)).await;
        let hour = Duration::from_hours(1);
        world.disk.set_latency(Latency {
            write: (Duration::ZERO, Duration::ZERO),
            sync: (hour, hour),
        });
        let mut watch = store.control.failure_watch();
        let append = store.log.blocking_append([entry(1, 2)]);
        let failed = async {
            watch
                .wait_for(Option::is_some)
                .await
                .expect("the store is there")
                .clone()
        };
        tokio::select! {
            _ = append => panic!("the sync does not come back"),
            failure = failed => assert!(matches!(failure, Some(StoreFailure::SyncHangs { .. })), "{failure:?}"),
        }
    });
}

#[test]
fn a_write_that_hangs_for_ten_seconds_is_a_failure() {
    let world = World::new(3);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(1, 1)]).await;
        pass(Duration::from_secs(1)).await;
        let hour = Duration::from_hours(1);
        world.disk.set_latency(Latency {
            write: (hour, hour),
            sync: (Duration::ZERO, Duration::ZERO),
        });
        // Not synced by itself: the clock runs around the write.
        store
            .log
            .save_committed(Some(log_id(1, 1)))
            .await
            .expect("it is only handed over");
        pass(Duration::from_secs(12)).await;
        let failure = store.control.failure();
        assert!(
            matches!(failure, Some(StoreFailure::SyncHangs { .. })),
            "{failure:?}"
        );
    });
}

#[test]
fn a_sync_that_takes_nine_seconds_is_slow_and_no_failure() {
    let world = World::new(4);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let slow = Duration::from_secs(9);
        world.disk.set_latency(Latency {
            write: (Duration::ZERO, Duration::ZERO),
            sync: (slow, slow),
        });
        append(&mut store, [entry(1, 1)]).await;
        assert!(store.control.failure().is_none());
    });
}

#[test]
fn an_entry_that_cannot_be_read_stops_the_node_instead_of_being_skipped() {
    let world = World::new(5);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let mut unknown = entry(1, 1);
        let payload = raft_store::types::Payload::from_bytes(vec![1, 99, 0].into());
        unknown.payload = openraft::EntryPayload::Normal(payload);
        let result =
            openraft::storage::RaftStateMachine::apply(&mut store.machine, [unknown]).await;
        result.expect_err("version 99 is not known");
        assert!(matches!(
            store.control.failure(),
            Some(StoreFailure::Apply { index: 1, .. })
        ));
        assert_eq!(store.applied.last(), None);
    });
}

#[test]
fn a_snapshot_that_cannot_be_built_is_built_later_and_stops_nothing() {
    let world = World::new(6);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=5).map(|index| entry(1, index))).await;
        pass(Duration::from_secs(1)).await;
        let used: u64 = world.disk.files().iter().map(|(_, size)| size).sum();
        world.disk.set_capacity(Some(used));
        let mut builder = store.machine.get_snapshot_builder().await;
        let building = tokio::spawn(async move { builder.build_snapshot().await });
        pass(Duration::from_mins(10)).await;
        assert!(!building.is_finished(), "there is no room");
        assert!(store.control.failure().is_none());
        commit(&mut store, [entry(1, 6)]).await;
        world.disk.set_capacity(None);
        let built = building.await.expect("no panic").expect("there is room");
        assert_eq!(
            built.meta.last_log_id,
            Some(log_id(1, 6)),
            "of the state by then"
        );
    });
}

#[test]
fn a_snapshot_that_cannot_be_built_does_not_keep_the_store_from_stopping() {
    let world = World::new(7);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, [entry(1, 1)]).await;
        world.disk.set_capacity(Some(0));
        let mut builder = store.machine.get_snapshot_builder().await;
        let building = tokio::spawn(async move { builder.build_snapshot().await });
        pass(Duration::from_secs(30)).await;
        close(store).await;
        building
            .await
            .expect("no panic")
            .expect_err("the store has stopped");
    });
}
