//! A segment of the write-ahead log, as it may be found on a disk.

use openraft::storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt};
use openraft::{CommittedLeaderId, EntryPayload};
use raft_store::Store;
use raft_store::types::{LogEntry, LogId};

use super::seal;
use super::store::{Machine, close, process};

/// An even first byte: the rest is a segment as it is. An odd one: its checksums are made right first.
///
/// The log opens or is refused. One that has opened can be read and goes on, and is the same when it is opened again.
pub(super) fn read(input: &[u8]) -> bool {
    let Some((mode, bytes)) = input.split_first() else {
        return false;
    };
    let machine = Machine::with_an_empty_store();
    let (path, sound) = machine.segment();
    let mut bytes = bytes.to_vec();
    if mode % 2 == 1 {
        // As long as its file was made.
        bytes.resize(sound.len().max(bytes.len()), 0);
        seal::segment(&mut bytes, 1, &sound);
    }
    machine.replace(&path, &bytes);
    let Some(entries) = process(open_and_go_on(&machine)) else {
        return false;
    };
    let again = process(async {
        let mut store = machine.open().expect("it was opened before");
        let again = entries_of(&mut store).await;
        close(store).await;
        again
    });
    assert_eq!(again, entries, "the log is not what it was");
    entries.len() > 1
}

/// What is in the log after one more entry.
async fn open_and_go_on(machine: &Machine) -> Option<Vec<LogEntry>> {
    let mut store = machine.open().ok()?;
    let mut entries = entries_of(&mut store).await;
    let state = store.log.get_log_state().await.expect("the log is sound");
    let last = state.last_log_id.or(state.last_purged_log_id);
    // A log that is at its end, or whose terms are, cannot go on.
    if let Some(next) = after(last) {
        let entry = LogEntry {
            log_id: next,
            payload: EntryPayload::Blank,
        };
        store
            .log
            .blocking_append([entry.clone()])
            .await
            .expect("the log goes on");
        entries.push(entry);
    }
    close(store).await;
    Some(entries)
}

fn after(last: Option<LogId>) -> Option<LogId> {
    let (term, index) = last.map_or((0, 0), |last| (last.leader_id.term, last.index));
    let leader = CommittedLeaderId::new(term.checked_add(1)?, 1);
    Some(LogId::new(leader, index.checked_add(1)?))
}

async fn entries_of(store: &mut Store) -> Vec<LogEntry> {
    store
        .log
        .try_get_log_entries(..)
        .await
        .expect("what has opened can be read")
}
