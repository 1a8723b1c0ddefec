//! Power losses at any moment, against a model of what was acknowledged.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use openraft::RaftSnapshotBuilder;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use raft_store::Store;
use raft_store::codec::EntryRecord;
use raft_store::env::Fs;
use raft_store::env::sim::SimRng;
use raft_store::types::{LogEntry, LogId, Vote};

use crate::world::{DIR, World, append, digest, entry, ids, log_id, read_all, simulate, tenants};

/// What a correct store must have, and what it may have.
#[derive(Debug, Default)]
struct Model {
    term: u64,
    /// Entries whose append was acknowledged.
    acknowledged: BTreeMap<u64, EntryRecord>,
    /// Entries that were handed over, acknowledged or not: all that the log may hold.
    handed_over: BTreeMap<u64, Vec<EntryRecord>>,
    /// The last vote that was acknowledged, and the last that was asked for.
    vote: Option<Vote>,
    vote_asked: Option<Vote>,
    applied: u64,
    purged: u64,
    /// The state's digest after each entry that was ever applied.
    digests: BTreeMap<u64, u128>,
}

impl Model {
    fn last(&self) -> u64 {
        self.acknowledged
            .last_key_value()
            .map_or(self.purged, |(index, _)| *index)
    }

    fn next_entries(&mut self, count: u64) -> Vec<LogEntry> {
        let first = self.last() + 1;
        let entry = |index| {
            let names = [
                format!("t{}-{index}", self.term),
                format!("u{}-{index}", self.term),
            ];
            LogEntry {
                log_id: log_id(self.term, index),
                payload: openraft::EntryPayload::Normal(tenants(&names)),
            }
        };
        let entries: Vec<LogEntry> = (first..first + count).map(entry).collect();
        for entry in &entries {
            self.handed_over
                .entry(entry.log_id.index)
                .or_default()
                .push(entry.clone().into());
        }
        entries
    }

    fn acknowledge(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            self.acknowledged
                .insert(entry.log_id.index, entry.clone().into());
        }
    }
}

/// Applies entries one by one and compares the digests with those of earlier lives.
async fn apply(store: &mut Store, model: &mut Model, entries: Vec<LogEntry>) {
    for entry in entries {
        let index = entry.log_id.index;
        let applied = store
            .machine
            .apply([entry])
            .await
            .expect("the entry can be applied");
        assert_eq!(applied.len(), 1, "one answer for each entry");
        let found = digest(store);
        let known = *model.digests.entry(index).or_insert(found);
        assert_eq!(
            found, known,
            "the state after entry {index} is the one of earlier lives"
        );
        model.applied = model.applied.max(index);
    }
}

/// What must hold after every start; brings the state to where it was.
async fn check(store: &mut Store, model: &mut Model) {
    let state = store.log.get_log_state().await.expect("the log is sound");
    let purged = state.last_purged_log_id.map_or(0, |id| id.index);
    assert!(
        purged <= model.purged,
        "nothing is purged that was not asked for"
    );
    let entries = read_all(store).await;
    let found: BTreeMap<u64, EntryRecord> = entries
        .iter()
        .map(|entry| (entry.log_id.index, entry.clone().into()))
        .collect();
    for (index, record) in &model.acknowledged {
        if *index > purged {
            assert_eq!(
                found.get(index),
                Some(record),
                "entry {index} was acknowledged"
            );
        }
    }
    for (index, record) in &found {
        let possible = model
            .handed_over
            .get(index)
            .is_some_and(|handed| handed.contains(record));
        assert!(
            possible,
            "entry {index} was never handed over as {record:?}"
        );
    }
    let vote = store.log.read_vote().await.expect("it is in memory");
    assert!(
        [model.vote, model.vote_asked].contains(&vote),
        "the vote is {vote:?}, acknowledged was {:?}",
        model.vote
    );
    model.vote = vote;
    let (last, _) = store
        .machine
        .applied_state()
        .await
        .expect("the state is there");
    let applied = last.map_or(0, |id: LogId| id.index);
    assert!(
        applied >= purged,
        "the state reaches the beginning of the log"
    );
    assert!(
        applied <= model.applied,
        "the state holds what was applied, and nothing else"
    );
    if applied > 0 {
        assert_eq!(
            digest(store),
            model.digests[&applied],
            "the state is the one after entry {applied}"
        );
    }
    // The log may hold more than was acknowledged; from now on that counts.
    model.acknowledge(&entries);
    let rest = entries
        .into_iter()
        .filter(|entry| (applied + 1..=model.applied).contains(&entry.log_id.index));
    apply(store, model, rest.collect()).await;
}

/// One thing that openraft might do.
async fn act(store: &mut Store, model: &mut Model, rng: &mut SimRng) {
    match rng.below(12) {
        0..=4 => {
            let entries = model.next_entries(1 + rng.below(4));
            store
                .log
                .blocking_append(entries.clone())
                .await
                .expect("the log is sound");
            model.acknowledge(&entries);
        }
        5 | 6 => {
            let upto = model.last();
            let entries = read_all(store).await;
            let rest = entries
                .into_iter()
                .filter(|entry| entry.log_id.index > model.applied);
            let id = (upto > 0)
                .then(|| model.acknowledged.get(&upto).map(|record| record.id.into()))
                .flatten();
            store
                .log
                .save_committed(id)
                .await
                .expect("the log is sound");
            apply(store, model, rest.collect()).await;
        }
        7 => {
            model.term += 1;
            let vote = Vote::new(model.term, 1);
            model.vote_asked = Some(vote);
            store.log.save_vote(&vote).await.expect("the log is sound");
            model.vote = Some(vote);
        }
        8 => {
            let since = model.applied + 1 + rng.below(3);
            if let Some(record) = model.acknowledged.get(&since) {
                let id = record.id.into();
                // From here on the entries may be there or not.
                model.acknowledged.split_off(&since);
                store.log.truncate(id).await.expect("the log is sound");
                model.term += 1;
            }
        }
        9 => {
            let mut builder = store.machine.get_snapshot_builder().await;
            builder
                .build_snapshot()
                .await
                .expect("a snapshot can be built");
        }
        10 => assert!(
            store.control.checkpoint().await,
            "a checkpoint can be taken"
        ),
        _ => {
            if let Some(id) = store.control.purge_due() {
                model.purged = id.index;
                store.log.purge(id).await.expect("the log is sound");
                model.acknowledged = model.acknowledged.split_off(&(id.index + 1));
            }
            tokio::time::sleep(Duration::from_millis(rng.below(300))).await;
        }
    }
}

/// One life of the store, ended by a crash in the middle of something.
async fn live(world: &World, model: &mut Model, rng: &mut SimRng) {
    let mut store = world
        .open()
        .unwrap_or_else(|error| panic!("the store opens after a crash: {error:?}"));
    check(&mut store, model).await;
    let acts = rng.below(40);
    for _ in 0..acts {
        act(&mut store, model, rng).await;
        if let Some(failure) = store.control.failure() {
            panic!("the disk is sound, but: {failure}");
        }
    }
    let moment = Duration::from_millis(rng.below(8));
    // Whatever is under way when the power goes is neither acknowledged nor forbidden.
    tokio::time::timeout(moment, act(&mut store, model, rng))
        .await
        .ok();
}

fn lives(seed: u64) {
    let world = World::new(seed);
    let mut rng = SimRng::new(seed ^ 0x5eed);
    let mut model = Model {
        term: 1,
        ..Model::default()
    };
    for _ in 0..6 {
        simulate(live(&world, &mut model, &mut rng));
        if rng.chance(4) {
            world.disk.kill();
        } else {
            world.crash();
        }
    }
    simulate(async {
        let mut store = world.open().expect("the store opens after the last crash");
        check(&mut store, &mut model).await;
    });
}

/// The seeds to try: the first hundred and twenty, or `STORE_SEEDS=from..to` for others.
fn seeds() -> Range<u64> {
    let asked = std::env::var("STORE_SEEDS").ok();
    let asked = asked.as_deref().and_then(|text| text.split_once(".."));
    asked.map_or(0..120, |(from, to)| {
        let number = |text: &str| text.parse().expect("STORE_SEEDS is two numbers: from..to");
        number(from)..number(to)
    })
}

#[test]
fn what_was_acknowledged_survives_a_crash_at_any_moment() {
    for seed in seeds() {
        let result = std::panic::catch_unwind(|| lives(seed));
        assert!(
            result.is_ok(),
            "reproduce with STORE_SEEDS={seed}..{} cargo test -p ipam-raft-store what_was_acknowledged",
            seed + 1
        );
    }
}

#[test]
fn a_directory_whose_making_was_interrupted_is_made_again() {
    for seed in 0..200 {
        let world = World::new(seed);
        simulate(async {
            // Nothing is awaited: the directory is made, and what was not synced may be lost.
            drop(world.open().expect("a new directory opens"));
        });
        world.crash();
        simulate(async {
            let mut store = world
                .open()
                .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            assert!(read_all(&mut store).await.is_empty());
        });
    }
}

#[test]
fn a_directory_that_nobody_has_synced_is_durable_once_something_in_it_is_acknowledged() {
    for seed in 0..50 {
        let world = World::new(seed);
        // By an earlier process that was killed at once, or by who set up the machine.
        Fs::create_dir_all(&world.disk, Path::new(DIR)).expect("the disk is sound");
        simulate(async {
            let mut store = world.open().expect("an empty directory opens");
            append(&mut store, [entry(1, 1)]).await;
        });
        world.crash();
        simulate(async {
            let mut store = world
                .open()
                .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            assert_eq!(ids(&read_all(&mut store).await), [(1, 1)], "seed {seed}");
        });
    }
}
