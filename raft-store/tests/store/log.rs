//! The log in use: what is appended, truncated, purged and read, and what it costs.

use std::time::Duration;

use openraft::RaftLogReader;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use raft_store::codec::EntryRecord;
use raft_store::types::Vote;

use crate::world::{
    World, append, close, commit, entry, ids, log_id, pass, read_all, simulate, vote,
};

#[test]
fn what_was_written_is_there_after_a_restart() {
    let world = World::new(1);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        vote(&mut store, 2).await;
        commit(&mut store, (1..=5).map(|index| entry(2, index))).await;
        assert!(store.control.checkpoint().await);
        append(&mut store, (6..=9).map(|index| entry(2, index))).await;
        store
            .log
            .truncate(log_id(2, 7))
            .await
            .expect("the log is sound");
        append(&mut store, [entry(4, 7)]).await;
        store
            .log
            .purge(log_id(2, 2))
            .await
            .expect("the log is sound");
        vote(&mut store, 4).await;
        close(store).await;
    });
    simulate(async {
        let mut store = world.open().expect("the directory opens again");
        let state = store.log.get_log_state().await.expect("the log is sound");
        assert_eq!(state.last_purged_log_id, Some(log_id(2, 2)));
        assert_eq!(state.last_log_id, Some(log_id(4, 7)));
        let entries = read_all(&mut store).await;
        assert_eq!(ids(&entries), [(2, 3), (2, 4), (2, 5), (2, 6), (4, 7)]);
        assert_eq!(
            EntryRecord::from(entries[4].clone()),
            EntryRecord::from(entry(4, 7))
        );
        assert_eq!(
            store.log.read_vote().await.expect("it is in memory"),
            Some(Vote::new(4, 1))
        );
        assert_eq!(
            store.log.read_committed().await.expect("it is in memory"),
            Some(log_id(2, 5))
        );
    });
}

#[test]
fn entries_that_left_the_memory_are_read_from_disk() {
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=100 {
            append(&mut store, [entry(1, index)]).await;
        }
        let read = read_all(&mut store).await;
        assert_eq!(read.len(), 100);
        for (read, index) in read.iter().zip(1..) {
            assert_eq!(
                EntryRecord::from(read.clone()),
                EntryRecord::from(entry(1, index))
            );
        }
    });
}

#[test]
fn replication_reads_at_most_a_mebibyte_but_at_least_one_entry() {
    let world = World::new(3);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let large = |index: u64, size: usize| {
            let mut one = entry(1, index);
            let bytes = vec![7; size].into();
            one.payload =
                openraft::EntryPayload::Normal(raft_store::types::Payload::from_bytes(bytes));
            one
        };
        append(&mut store, (1..=5).map(|index| large(index, 300 << 10))).await;
        append(&mut store, [large(6, 1_500 << 10)]).await;
        let cases = [
            (1, 7, vec![1, 2, 3]),
            (4, 7, vec![4, 5]),
            (6, 7, vec![6]),
            (2, 3, vec![2]),
            (3, 3, vec![]),
        ];
        for (start, end, expected) in cases {
            let read = store
                .log
                .limited_get_log_entries(start, end)
                .await
                .expect("the log can be read");
            let read: Vec<_> = read.iter().map(|entry| entry.log_id.index).collect();
            assert_eq!(read, expected, "from {start} to {end}");
        }
    });
}

#[test]
fn one_sync_serves_all_that_wait() {
    let world = World::new(4);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(1, 1)]).await;
        // Until the log is at rest and the next segment is ready, so that nothing else is synced.
        pass(Duration::from_secs(1)).await;
        let before = world.disk.syncs();
        let appended = async {
            for index in 2..=40 {
                store
                    .log
                    .blocking_append([entry(1, index)])
                    .await
                    .expect("the log is sound");
            }
        };
        appended.await;
        let one_by_one = world.disk.syncs() - before;
        pass(Duration::from_secs(1)).await;
        let before = world.disk.syncs();
        append(&mut store, (41..=80).map(|index| entry(1, index))).await;
        let together = world.disk.syncs() - before;
        assert!(
            one_by_one >= 39,
            "each append that is awaited is synced: {one_by_one}"
        );
        assert!(
            together <= 4,
            "forty entries at once are synced together: {together}"
        );
    });
}

/// Where what was written to the first segment ends.
fn written(world: &World) -> Option<usize> {
    let bytes = world.bytes(&world.segments()[0]);
    bytes.iter().rposition(|byte| *byte != 0)
}

#[test]
fn a_log_at_rest_is_closed_once_and_then_left_alone() {
    let world = World::new(5);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(1, 1)]).await;
        let size = || written(&world);
        let busy = size();
        pass(Duration::from_secs(1)).await;
        let rest = size();
        assert!(rest > busy, "an empty group follows");
        let syncs = world.disk.syncs();
        pass(Duration::from_mins(1)).await;
        assert_eq!(
            (size(), world.disk.syncs()),
            (rest, syncs),
            "a minute of quiet writes nothing"
        );
    });
}

#[test]
fn what_is_committed_is_written_with_what_follows_or_at_rest_and_never_by_itself() {
    let world = World::new(8);
    let committed = |index| Some(log_id(2, index));
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, [entry(2, 1)]).await;
        pass(Duration::from_millis(1)).await;
        let size = written(&world);
        let saved = store.log.save_committed(committed(1)).await;
        saved.expect("the log is sound");
        pass(Duration::from_millis(20)).await;
        assert_eq!(written(&world), size, "nobody waits for it");
        append(&mut store, [entry(2, 2)]).await;
        drop(store);
    });
    world.disk.kill();
    simulate(async {
        let mut store = world.open().expect("the log is sound");
        let read = store.log.read_committed().await;
        assert_eq!(read.expect("it is in memory"), committed(1));
        append(&mut store, [entry(2, 3)]).await;
        // At rest, the log has nothing that this could go with.
        pass(Duration::from_secs(1)).await;
        let saved = store.log.save_committed(committed(3)).await;
        saved.expect("the log is sound");
        pass(Duration::from_secs(1)).await;
        drop(store);
    });
    world.disk.kill();
    simulate(async {
        let mut store = world.open().expect("the log is sound");
        let read = store.log.read_committed().await;
        assert_eq!(read.expect("it is in memory"), committed(3));
    });
}

#[test]
fn purged_segments_are_deleted_and_what_they_held_is_still_known() {
    let world = World::new(6);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        vote(&mut store, 5).await;
        for index in 1..=80 {
            append(&mut store, [entry(5, index)]).await;
        }
        let before = world.segments().len();
        store
            .log
            .save_committed(Some(log_id(5, 80)))
            .await
            .expect("the log is sound");
        // The state must reach as far as the purge, or the next start would have nothing to go on.
        let entries = read_all(&mut store).await;
        openraft::storage::RaftStateMachine::apply(&mut store.machine, entries)
            .await
            .expect("they can be applied");
        assert!(store.control.checkpoint().await);
        store
            .log
            .purge(log_id(5, 70))
            .await
            .expect("the log is sound");
        pass(Duration::from_secs(1)).await;
        let after = world.segments().len();
        assert!(
            after + 4 <= before,
            "{before} segments before, {after} after"
        );
        close(store).await;
    });
    simulate(async {
        let mut store = world.open().expect("the directory opens again");
        let state = store.log.get_log_state().await.expect("the log is sound");
        assert_eq!(state.last_purged_log_id, Some(log_id(5, 70)));
        assert_eq!(ids(&read_all(&mut store).await).first(), Some(&(5, 71)));
        assert_eq!(
            store.log.read_vote().await.expect("it is in memory"),
            Some(Vote::new(5, 1))
        );
    });
}

#[test]
fn an_entry_where_there_is_one_already_is_an_error() {
    let world = World::new(7);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        append(&mut store, (1..=3).map(|index| entry(1, index))).await;
        let error = store.log.blocking_append([entry(2, 3)]).await;
        assert!(error.is_err(), "entry 3 is there");
        assert_eq!(ids(&read_all(&mut store).await), [(1, 1), (1, 2), (1, 3)]);
    });
}
