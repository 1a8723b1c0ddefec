//! What becomes of a log that is damaged: for every byte there is one right outcome.

use std::path::Path;
use std::time::Duration;

use openraft::storage::RaftLogStorage;
use raft_store::env::Fs;
use raft_store::types::Vote;
use raft_store::{OpenError, WalError};

use crate::world::{World, append, entry, ids, log_id, pass, read_all, simulate, vote};

const BLOCK: usize = 512;

#[derive(Debug, PartialEq)]
enum Outcome {
    /// Opened, with the entries up to and including this index, and this vote.
    Entries(u64, Option<Vote>),
    /// Refused as damaged.
    Refused,
}

/// A vote in term 3, then a group for each of the entries 1 to 6.
async fn write_log(world: &World) -> raft_store::Store {
    let mut store = world.open().expect("a new directory opens");
    vote(&mut store, 3).await;
    for index in 1..=6 {
        append(&mut store, [entry(3, index)]).await;
    }
    store
}

fn outcome(world: &World) -> Outcome {
    simulate(async {
        match world.open() {
            Ok(mut store) => {
                let entries = ids(&read_all(&mut store).await);
                let expected: Vec<_> = (1..=entries.len() as u64).map(|index| (3, index)).collect();
                assert_eq!(
                    entries, expected,
                    "the log has a correct prefix of what was written"
                );
                let vote = store.log.read_vote().await.expect("the vote is in memory");
                Outcome::Entries(entries.len() as u64, vote)
            }
            Err(OpenError::Log {
                source: WalError::Damaged { .. },
                ..
            }) => Outcome::Refused,
            Err(other) => panic!("neither opened nor refused as damaged: {other:?}"),
        }
    })
}

/// Where the groups of the only segment begin, and where the last one ends.
fn groups(world: &World) -> (Vec<usize>, usize) {
    let bytes = world.bytes(&world.segments()[0]);
    let starts = (0..bytes.len())
        .step_by(BLOCK)
        .filter(|at| bytes[*at..].starts_with(b"IPAMgrp"));
    let starts: Vec<_> = starts.collect();
    (
        starts.clone(),
        starts.last().expect("there are groups") + BLOCK,
    )
}

fn all() -> Outcome {
    Outcome::Entries(6, Some(Vote::new(3, 1)))
}

#[test]
fn a_flipped_byte_in_a_log_at_rest_is_refused_wherever_it_was_synced() {
    let world = World::new(1);
    simulate(async {
        let _store = write_log(&world).await;
        pass(Duration::from_secs(1)).await;
    });
    world.disk.kill();
    let (starts, end) = groups(&world);
    // The head, the vote, six entries, and the empty group of a log at rest.
    assert_eq!(starts.len(), 9);
    let rest = starts[8];
    for offset in 0..end + BLOCK {
        let damaged = world.fork();
        damaged
            .disk
            .damage(&world.segments()[0], offset, 0x20)
            .expect("the byte is there");
        let expected = if offset < rest {
            Outcome::Refused
        } else {
            all()
        };
        assert_eq!(
            outcome(&damaged),
            expected,
            "byte {offset}; the empty group is at {rest}"
        );
    }
}

#[test]
fn a_flipped_byte_in_the_last_group_of_a_busy_log_cuts_it_there() {
    let world = World::new(2);
    simulate(async {
        // Dropped at once, before the log comes to rest.
        drop(write_log(&world).await);
    });
    world.disk.kill();
    let (starts, end) = groups(&world);
    assert_eq!(starts.len(), 8, "the log has not come to rest");
    let last = starts[7];
    for offset in 0..end + BLOCK {
        let damaged = world.fork();
        damaged
            .disk
            .damage(&world.segments()[0], offset, 0x01)
            .expect("the byte is there");
        let expected = match offset {
            _ if offset < last => Outcome::Refused,
            _ if offset < end => Outcome::Entries(5, Some(Vote::new(3, 1))),
            _ => all(),
        };
        assert_eq!(
            outcome(&damaged),
            expected,
            "byte {offset}; the last group is at {last}"
        );
    }
}

#[test]
fn a_segment_that_is_shorter_than_it_was_made_is_refused() {
    let world = World::new(3);
    simulate(async { drop(write_log(&world).await) });
    world.disk.kill();
    let (_, end) = groups(&world);
    let whole = world.bytes(&world.segments()[0]).len();
    for size in (0..end + BLOCK).chain([whole - 1]) {
        let cut = world.fork();
        cut.disk
            .open(&world.segments()[0])
            .and_then(|file| file.set_len(size as u64))
            .expect("it can be cut");
        assert_eq!(outcome(&cut), Outcome::Refused, "cut to {size} bytes");
    }
}

#[test]
fn a_tail_that_never_reached_the_disk_leaves_a_correct_prefix() {
    let world = World::new(4);
    simulate(async { drop(write_log(&world).await) });
    world.disk.kill();
    let (starts, end) = groups(&world);
    let bytes = world.bytes(&world.segments()[0]);
    // The vote is in the second group; its second copy, in a file of its own, proves that group.
    for from in starts[2]..end {
        let torn = world.fork();
        let file = torn
            .disk
            .open(&world.segments()[0])
            .expect("the segment is there");
        file.write_at(from as u64, &vec![0; end - from])
            .expect("it can be written");
        let harmed = |start: &&usize| {
            let part = from.max(**start)..**start + BLOCK;
            **start + BLOCK > from && bytes[part].iter().any(|byte| *byte != 0)
        };
        let whole = starts
            .iter()
            .position(|start| harmed(&start))
            .unwrap_or(starts.len());
        let entries = whole.saturating_sub(2) as u64;
        assert_eq!(
            outcome(&torn),
            Outcome::Entries(entries, Some(Vote::new(3, 1))),
            "zeros from {from}"
        );
    }
}

#[test]
fn a_log_is_cut_at_its_unsynced_end_even_if_good_groups_follow_and_they_never_come_back() {
    let world = World::new(5);
    let before = simulate(async {
        let mut store = write_log(&world).await;
        let before = groups(&world).1;
        // A truncation is written without a sync of its own: two groups that nothing proves.
        for index in [6, 5] {
            let truncated = store.log.truncate(log_id(3, index)).await;
            truncated.expect("the log is sound");
            pass(Duration::from_millis(10)).await;
        }
        before
    });
    world.disk.kill();
    let (starts, _) = groups(&world);
    assert_eq!(
        starts[8..],
        [before, before + BLOCK],
        "two groups follow the entries"
    );
    world
        .disk
        .damage(&world.segments()[0], before + 100, 0xff)
        .expect("the byte is there");
    simulate(async {
        let mut store = world.open().expect("what is damaged was not synced");
        assert_eq!(ids(&read_all(&mut store).await).last(), Some(&(3, 6)));
        append(&mut store, [entry(3, 7)]).await;
    });
    world.disk.kill();
    simulate(async {
        let mut store = world.open().expect("the log is sound");
        assert_eq!(ids(&read_all(&mut store).await).last(), Some(&(3, 7)));
    });
}

#[test]
fn a_vote_survives_the_loss_of_either_copy_in_its_file_and_not_of_both() {
    let world = World::new(6);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        vote(&mut store, 1).await;
        vote(&mut store, 2).await;
    });
    world.disk.kill();
    let vote_file = Path::new("/node/data/wal/vote");
    let vote_of = |world: &World| {
        simulate(async {
            let mut store = world.open().expect("the vote is there once more");
            store.log.read_vote().await.expect("the vote is in memory")
        })
    };
    let bytes = world.bytes(vote_file);
    for offset in (0..64).chain(4_096..bytes.len()) {
        let damaged = world.fork();
        damaged
            .disk
            .damage(vote_file, offset, 0x01)
            .expect("the byte is there");
        assert_eq!(
            vote_of(&damaged),
            Some(Vote::new(2, 1)),
            "the log has it; byte {offset}"
        );
    }
    world
        .disk
        .damage(vote_file, 0, 0x01)
        .expect("the byte is there");
    world
        .disk
        .damage(vote_file, 4_096, 0x01)
        .expect("the byte is there");
    simulate(async {
        let error = world
            .open()
            .expect_err("neither copy in the file can be read");
        assert!(
            matches!(
                error,
                OpenError::Log {
                    source: WalError::VoteDamaged { .. },
                    ..
                }
            ),
            "{error:?}"
        );
    });
}

#[test]
fn a_lost_segment_is_refused() {
    let world = World::new(7);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=60 {
            append(&mut store, [entry(3, index)]).await;
        }
    });
    world.disk.kill();
    let segments = world.segments();
    assert!(segments.len() >= 4, "{} segments", segments.len());
    let open = |lost: &Path| {
        let world = world.fork();
        world.disk.remove(lost).expect("the segment is there");
        simulate(async { world.open().map(|_| ()) })
    };
    let first = open(&segments[0]).expect_err("the first entries are missing");
    assert!(
        matches!(
            first,
            OpenError::Log {
                source: WalError::EntriesMissing { .. },
                ..
            }
        ),
        "{first:?}"
    );
    let second = open(&segments[1]).expect_err("a segment in the middle is missing");
    assert!(
        matches!(
            second,
            OpenError::Log {
                source: WalError::SegmentMissing { missing: 2, .. },
                ..
            }
        ),
        "{second:?}"
    );
}
