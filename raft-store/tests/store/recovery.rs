//! What a start makes of a log whose end is not certain.

use std::time::Duration;

use openraft::RaftLogReader;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use raft_store::env::Fs;
use raft_store::types::Vote;
use raft_store::{OpenError, WalError};

use crate::world::{World, append, commit, entry, ids, log_id, pass, read_all, simulate, vote};

#[test]
fn what_a_start_read_after_a_failed_sync_is_durable_when_it_is_built_upon() {
    for seed in 0..40 {
        let world = World::new(seed);
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
        });
        // The machine lives on: the entry can be read, but the system will never write it.
        world.disk.kill();
        simulate(async {
            let mut store = world.open().expect("the log is sound");
            assert_eq!(ids(&read_all(&mut store).await), [(1, 1), (1, 2)]);
            append(&mut store, [entry(1, 3)]).await;
        });
        world.crash();
        simulate(async {
            let mut store = world
                .open()
                .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            let found = ids(&read_all(&mut store).await);
            assert_eq!(found, [(1, 1), (1, 2), (1, 3)], "seed {seed}");
        });
    }
}

#[test]
fn a_vote_that_a_start_read_after_a_failed_sync_is_durable() {
    for seed in 0..40 {
        let world = World::new(seed);
        simulate(async {
            let mut store = world.open().expect("a new directory opens");
            vote(&mut store, 1).await;
            pass(Duration::from_secs(1)).await;
            world.disk.fail_syncs(1);
            store
                .log
                .save_vote(&Vote::new(2, 1))
                .await
                .expect_err("its sync failed");
        });
        world.disk.kill();
        let read = || {
            simulate(async {
                let mut store = world
                    .open()
                    .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
                store.log.read_vote().await.expect("it is in memory")
            })
        };
        let before = read();
        world.crash();
        assert_eq!(read(), before, "seed {seed}");
    }
}

#[test]
fn a_vote_proves_the_log_before_it() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(1, 1)]).await;
        vote(&mut store, 2).await;
    });
    world.disk.kill();
    // Its group is the last one: nothing in the log itself says that it was synced.
    let segment = &world.segments()[0];
    world
        .disk
        .damage(segment, 512 * 3 + 80, 0x01)
        .expect("the byte is there");
    simulate(async {
        let error = world.open().expect_err("a synced group was cut");
        let OpenError::Log { source, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(source, WalError::Damaged { .. }), "{source:?}");
    });
}

#[test]
fn a_damaged_copy_of_the_vote_is_mended_by_the_next_start() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        vote(&mut store, 1).await;
        vote(&mut store, 2).await;
    });
    world.disk.kill();
    let file = std::path::Path::new("/node/data/wal/vote");
    for offset in [20, 4_096 + 20] {
        world
            .disk
            .damage(file, offset, 0x01)
            .expect("the byte is there");
        let vote = simulate(async {
            let mut store = world.open().expect("one copy is sound");
            store.log.read_vote().await.expect("it is in memory")
        });
        assert_eq!(vote, Some(Vote::new(2, 1)));
        world.disk.kill();
    }
}

#[test]
fn a_first_vote_needs_no_room_on_a_full_disk() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        pass(Duration::from_secs(1)).await;
        world.disk.set_capacity(Some(0));
        for term in 1..=3 {
            vote(&mut store, term).await;
        }
    });
}

/// Entries 1 to 60 in several segments, of which a checkpoint has those up to 50.
fn several_segments(world: &World) -> usize {
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=50 {
            commit(&mut store, [entry(1, index)]).await;
        }
        assert!(store.control.checkpoint().await);
        for index in 51..=60 {
            append(&mut store, [entry(1, index)]).await;
        }
        pass(Duration::from_secs(1)).await;
        let before = world.segments().len();
        world.disk.fail_removals(u32::MAX);
        store
            .log
            .purge(log_id(1, 50))
            .await
            .expect("the log is sound");
        pass(Duration::from_millis(200)).await;
        let after = world.segments();
        assert!(
            after.len() >= before,
            "no gap is left by the one that stays"
        );
        world.disk.fail_removals(0);
        pass(Duration::from_secs(3)).await;
        assert!(
            world.segments().len() < before - 2,
            "it is tried again, and the others after it"
        );
        before
    })
}

#[test]
fn a_segment_that_cannot_be_deleted_holds_back_those_after_it() {
    several_segments(&World::new(1));
}

#[test]
fn what_stands_before_a_gap_is_ignored_when_the_rest_is_complete() {
    let world = World::new(1);
    let first = std::path::Path::new("/node/data/wal/0000000000000001.wal");
    simulate(async { drop(world.open().expect("a new directory opens")) });
    let bytes = world.bytes(first);
    world.disk.kill();
    several_segments(&world);
    world.disk.kill();
    let file = world.disk.create(first).expect("it was deleted");
    file.write_at(0, &bytes).expect("it can be written");
    simulate(async {
        let mut store = world.open().expect("what follows the gap is complete");
        let found = ids(&read_all(&mut store).await);
        assert_eq!(found.first(), Some(&(1, 51)));
        assert_eq!(found.len(), 10);
    });
    assert!(!world.disk.exists(first).expect("no error"), "it is gone");
}

#[test]
fn only_the_last_segment_may_have_no_header() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(1, 1)]).await;
        pass(Duration::from_secs(1)).await;
    });
    world.disk.kill();
    let segments = world.segments();
    assert_eq!(segments.len(), 2, "one was made ahead");
    let third = segments[0].with_file_name("0000000000000003.wal");
    let file = world.disk.create(&third).expect("it is not there");
    file.allocate(8 << 10).expect("there is room");
    simulate(async {
        let error = world
            .open()
            .expect_err("the second was synced when the third was made");
        assert!(
            matches!(
                error,
                OpenError::Log {
                    source: WalError::Damaged { .. },
                    ..
                }
            ),
            "{error:?}"
        );
    });
    assert_eq!(world.segments().len(), 3, "nothing was changed");
}

#[test]
fn an_entry_that_does_not_follow_the_last_is_refused() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, (1..=5).map(|index| entry(1, index))).await;
        for index in [5, 7] {
            store
                .log
                .blocking_append([entry(1, index)])
                .await
                .expect_err("6 is next");
        }
        assert!(store.control.checkpoint().await);
        store
            .log
            .purge(log_id(1, 3))
            .await
            .expect("the log is sound");
        let read = store.log.limited_get_log_entries(3, 6).await;
        assert_eq!(ids(&read.expect("no error")), [], "3 is purged");
        let read = store.log.limited_get_log_entries(4, 6).await;
        assert_eq!(ids(&read.expect("no error")), [(1, 4), (1, 5)]);
    });
}

#[test]
fn a_segment_that_cannot_be_made_ahead_is_said_and_tried_again() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        pass(Duration::from_secs(1)).await;
        assert_eq!(store.control.trouble(), None);
        let used = world.disk.files().iter().map(|(_, size)| size).sum();
        world.disk.set_capacity(Some(used));
        let mut index = 0;
        while store.control.trouble().is_none() {
            index += 1;
            append(&mut store, [entry(1, index)]).await;
            pass(Duration::from_millis(10)).await;
            assert!(index < 100, "the second segment is begun");
        }
        assert!(store.control.failure().is_none(), "there is time to act");
        world.disk.set_capacity(None);
        pass(Duration::from_secs(2)).await;
        assert_eq!(store.control.trouble(), None);
    });
}
