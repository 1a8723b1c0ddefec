//! What a store must have after whatever happened to it, and what it may have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use allocator::State;
use allocator::command::Position;
use openraft::storage::{RaftLogStorage, RaftStateMachine};
use openraft::{EntryPayload, RaftLogReader};
use raft_store::checkpoint::AppliedBackend;
use raft_store::codec::EntryRecord;
use raft_store::env::Fs;
use raft_store::types::{LogEntry, LogId, StoredMembership, Vote};
use raft_store::{Identity, Store};

use crate::world::{DIR, World, digest};

/// What was asked of a store, and what of that was acknowledged.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    history: History,
    /// The last entry of the log as it was last seen, or the last purged one.
    last: Option<LogId>,
    /// Entries whose append was acknowledged.
    acknowledged: BTreeMap<u64, EntryRecord>,
    /// Entries that were handed over, acknowledged or not: all that the log may hold.
    handed_over: BTreeMap<u64, Vec<EntryRecord>>,
    vote: Option<Vote>,
    /// Those that were asked for since.
    votes_asked: Vec<Vote>,
    /// Committed ids that were handed over. None of them is ever acknowledged.
    committed: Vec<LogId>,
    /// The state may hold the entries up to here, and the log may have lost those up to there.
    applied_max: u64,
    purged_max: u64,
    /// The newest snapshot reaches at least so far,
    snapshot: u64,
    /// and so does the checkpoint.
    checkpoint: u64,
    identity: Option<Identity>,
    cluster_asked: Option<u128>,
}

/// The entries that are or will be committed, and what they make of the state: the allocator's own
/// word, without a store.
#[derive(Debug, Clone)]
pub(super) struct History {
    entries: Vec<LogEntry>,
    /// The state before the first entry, and after each.
    after: Vec<After>,
}

/// The state after an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct After {
    last: Option<LogId>,
    digest: u128,
    membership: StoredMembership,
}

impl Default for History {
    fn default() -> Self {
        let nothing = After {
            last: None,
            digest: State::new().digest(),
            membership: StoredMembership::default(),
        };
        Self {
            entries: Vec::new(),
            after: vec![nothing],
        }
    }
}

impl History {
    /// Decides what follows the entry `kept`.
    fn decide_after(&mut self, kept: u64, entries: impl IntoIterator<Item = LogEntry>) {
        self.entries
            .truncate(usize::try_from(kept).expect("a few entries"));
        self.entries.extend(entries);
        self.after.truncate(1);
        let mut state = State::new();
        let mut membership = StoredMembership::default();
        for (before, entry) in self.entries.iter().enumerate() {
            let LogId { leader_id, index } = entry.log_id;
            assert_eq!(index, before as u64 + 1, "history has no gap");
            match &entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Membership(members) => {
                    membership = StoredMembership::new(Some(entry.log_id), members.clone());
                }
                EntryPayload::Normal(payload) => {
                    let at = Position {
                        term: leader_id.term,
                        node: leader_id.node_id,
                        index,
                    };
                    state.apply(at, &payload.decode().expect("the test encoded it"));
                }
            }
            self.after.push(After {
                last: Some(entry.log_id),
                digest: state.digest(),
                membership: membership.clone(),
            });
        }
    }

    fn after(&self, index: u64) -> &After {
        &self.after[usize::try_from(index).expect("a few entries")]
    }
}

impl Model {
    /// These entries follow those that are decided already.
    pub(super) fn decide(&mut self, entries: impl IntoIterator<Item = LogEntry>) {
        let known = self.history.entries.len() as u64;
        self.history.decide_after(known, entries);
    }

    /// A directory that was opened is made, and stays the one that it is.
    pub(super) fn opened(&mut self, store: &Store) {
        let found = store.identity.get();
        if let Some(known) = self.identity {
            assert_eq!(
                (found.node, found.instance),
                (known.node, known.instance),
                "whose directory it is"
            );
            assert!(
                found.cluster == known.cluster
                    || (known.cluster.is_none() && found.cluster == self.cluster_asked),
                "the cluster is {:x?}, noted was {:x?}",
                found.cluster,
                known.cluster
            );
        }
        self.identity = Some(found);
    }

    pub(super) fn cluster_asked(&mut self, cluster: u128) {
        self.cluster_asked = Some(cluster);
    }

    pub(super) fn append_asked(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            let handed = self.handed_over.entry(entry.log_id.index).or_default();
            handed.push(entry.clone().into());
        }
    }

    pub(super) fn appended(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            let record = entry.clone().into();
            self.acknowledged.insert(entry.log_id.index, record);
            self.last = Some(entry.log_id);
        }
    }

    /// From here on entries may be there or not.
    pub(super) fn truncate_asked(&mut self, from: u64) {
        self.acknowledged.split_off(&from);
    }

    pub(super) fn purge_asked(&mut self, upto: u64) {
        self.purged_max = self.purged_max.max(upto);
    }

    pub(super) fn vote_asked(&mut self, vote: Vote) {
        self.votes_asked.push(vote);
    }

    pub(super) fn voted(&mut self, vote: Vote) {
        self.vote = Some(vote);
        self.votes_asked.clear();
    }

    pub(super) fn apply_asked(&mut self, last: LogId) {
        self.committed.push(last);
        self.applied_max = self.applied_max.max(last.index);
    }

    /// A snapshot of another node is on its way: it may take the place of the log up to its end.
    pub(super) fn snapshot_sent(&mut self, last: u64) {
        self.applied_max = self.applied_max.max(last);
        self.purge_asked(last);
    }

    pub(super) fn snapshot_durable(&mut self, last: u64) {
        self.snapshot = self.snapshot.max(last);
    }

    /// The newest snapshot was damaged at rest: it no longer counts for anything.
    pub(super) fn snapshot_lost(&mut self) {
        self.snapshot = 0;
    }

    pub(super) fn checkpoint_durable(&mut self, last: u64) {
        self.checkpoint = self.checkpoint.max(last);
    }

    /// What must hold after every start; brings the state to where it was. What is found counts as
    /// acknowledged from then on.
    pub(super) async fn check(&mut self, world: &World, store: &mut Store) {
        let purged = self.check_log(store).await;
        let vote = store.log.read_vote().await.expect("it is in memory");
        assert!(
            vote == self.vote || vote.is_some_and(|vote| self.votes_asked.contains(&vote)),
            "the vote is {vote:?}; {:?} was acknowledged and {:?} asked for",
            self.vote,
            self.votes_asked
        );
        self.vote = vote;
        self.check_state(store, purged).await;
        self.check_snapshot(store).await;
        check_files(world);
    }

    /// The index up to which the log is purged.
    async fn check_log(&mut self, store: &mut Store) -> u64 {
        let state = store.log.get_log_state().await.expect("the log is sound");
        let purged = state.last_purged_log_id.map_or(0, |id| id.index);
        assert!(
            purged <= self.purged_max,
            "{purged} is purged, asked was for {}",
            self.purged_max
        );
        let entries = store.log.try_get_log_entries(..).await;
        let entries = entries.expect("the log can be read");
        let mut before = state.last_purged_log_id;
        for entry in &entries {
            let LogId { leader_id, index } = entry.log_id;
            assert_eq!(
                index,
                before.map_or(0, |id: LogId| id.index) + 1,
                "the log has no gap"
            );
            assert!(
                before.is_none_or(|before| before.leader_id <= leader_id),
                "terms only grow, but {before:?} is followed by {}",
                entry.log_id
            );
            let record: EntryRecord = entry.clone().into();
            let handed = self.handed_over.get(&index);
            assert!(
                handed.is_some_and(|handed| handed.contains(&record)),
                "{} was never handed over as {record:?}",
                entry.log_id
            );
            before = Some(entry.log_id);
        }
        assert_eq!(
            state.last_log_id, before,
            "the log ends with its last entry"
        );
        for (index, record) in self.acknowledged.range(purged + 1..) {
            let at = usize::try_from(index - purged - 1).expect("the log is short");
            let found = entries.get(at).map(|entry| entry.clone().into());
            assert_eq!(
                found.as_ref(),
                Some(record),
                "entry {index} was acknowledged"
            );
        }
        let committed = store.log.read_committed().await.expect("it is in memory");
        assert!(
            committed.is_none_or(|id| self.committed.contains(&id)),
            "{committed:?} was never said to be committed"
        );
        // The log may hold more than was acknowledged; from now on that counts.
        self.acknowledged.clear();
        self.appended(&entries);
        self.last = before;
        purged
    }

    async fn check_state(&mut self, store: &mut Store, purged: u64) {
        let (last, _) = store.machine.applied_state().await.expect("it is there");
        let applied = last.map_or(0, |id: LogId| id.index);
        assert!(
            applied >= purged.max(self.checkpoint).max(self.snapshot),
            "the state is at {applied}; {purged} is purged, {} in a checkpoint, {} in a snapshot",
            self.checkpoint,
            self.snapshot
        );
        assert!(
            applied <= self.applied_max,
            "the state is at {applied}; only {} was ever applied",
            self.applied_max
        );
        assert_eq!(&after(store), self.history.after(applied), "the state");
        // Whoever opened it may let the log be purged up to there.
        self.checkpoint = applied;
        let entries = store.log.try_get_log_entries(..).await;
        let rest = entries.expect("the log can be read").into_iter();
        for entry in
            rest.filter(|entry| (applied + 1..=self.applied_max).contains(&entry.log_id.index))
        {
            let index = entry.log_id.index;
            let result = store.machine.apply([entry]).await;
            result.expect("the entry can be applied");
            assert_eq!(
                &after(store),
                self.history.after(index),
                "the state, replayed"
            );
        }
        self.applied_max = store.applied.last().map_or(0, |id| id.index);
    }

    /// Applied entries have made the state what the allocator says.
    pub(super) fn check_applied(&self, store: &Store, index: u64) {
        assert_eq!(
            &after(store),
            self.history.after(index),
            "the state, applied"
        );
    }

    async fn check_snapshot(&mut self, store: &mut Store) {
        let current = store.machine.get_current_snapshot().await;
        let current = current.expect("it is in memory");
        let last = current
            .as_ref()
            .and_then(|current| current.meta.last_log_id);
        let index = last.map_or(0, |id| id.index);
        assert!(
            (self.snapshot..=self.applied_max).contains(&index),
            "the newest snapshot covers {index}, durable was {}, applied {}",
            self.snapshot,
            self.applied_max
        );
        // It is told to openraft.
        self.snapshot = index;
        if let Some(current) = current {
            let meta = current
                .snapshot
                .verify()
                .expect("the newest snapshot is sound");
            assert_eq!(meta, current.meta, "it is what is said of it");
            let After {
                last, membership, ..
            } = self.history.after(index);
            assert_eq!(
                (&meta.last_log_id, &meta.last_membership),
                (last, membership)
            );
        }
    }

    /// A later term than any before.
    pub(super) fn next_term(&self) -> u64 {
        let voted = self.vote.map_or(0, |vote| vote.leader_id.term);
        let logged = self.last.map_or(0, |last| last.leader_id.term);
        voted.max(logged) + 1
    }

    /// The entries after `index` that were ever applied.
    pub(super) fn committed_after(&self, index: u64) -> Vec<LogEntry> {
        let known = self.history.entries.iter();
        let applied =
            known.filter(|entry| (index + 1..=self.applied_max).contains(&entry.log_id.index));
        applied.cloned().collect()
    }

    /// The entries of the log after the state.
    pub(super) fn unapplied(&self) -> Vec<LogEntry> {
        let logged = self.acknowledged.range(self.applied_max + 1..);
        logged.map(|(_, record)| record.clone().into()).collect()
    }

    /// The next entries, in a term that begins after all that the log has.
    pub(super) fn further(&mut self, term: u64, count: u64) -> Vec<LogEntry> {
        let next = self.last.map_or(0, |last| last.index) + 1;
        let entries: Vec<_> = (next..next + count)
            .map(|index| crate::world::entry(term, index))
            .collect();
        // What the log holds beyond what was applied is committed by what follows it.
        let follows = self.unapplied().into_iter().chain(entries.clone());
        self.history.decide_after(self.applied_max, follows);
        entries
    }
}

/// Where the state of a store is.
fn after(store: &Store) -> After {
    After {
        last: store.applied.last(),
        digest: digest(store),
        membership: store.applied.membership(),
    }
}

/// Nothing is left in the applied store of older checkpoints: one list of pages, and each page once.
pub(super) fn check_rows(world: &World) {
    let mut rows = world.applied.open().expect("memory can be read");
    let mut lists = BTreeSet::new();
    let mut pages: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let scanned = rows.scan(&mut |key, _| match key {
        [b'm', cut_and_part @ ..] => {
            lists.insert(cut_and_part[..8].to_vec());
        }
        [b'p', page_and_cut @ ..] => {
            let (page, cut) = page_and_cut.split_at(9);
            pages
                .entry(page.to_vec())
                .or_default()
                .insert(cut[..8].to_vec());
        }
        _ => assert_eq!(key, b"c", "there is one other row"),
    });
    scanned.expect("memory can be read");
    assert_eq!(lists.len(), 1, "lists of pages");
    let double = pages.iter().filter(|(_, cuts)| cuts.len() > 1).count();
    assert_eq!(double, 0, "pages of older checkpoints");
}

/// Nothing unfinished lies about after a start.
fn check_files(world: &World) {
    assert_eq!(
        world.applied.moved_aside(),
        0,
        "a crash costs no checkpoint"
    );
    let dir = Path::new(DIR);
    let snapshots = world.disk.list(&dir.join("snapshots"));
    let snapshots = snapshots.expect("it is there");
    let with = |ending: &str| {
        let has = |name: &&String| Path::new(name).extension() == Some(ending.as_ref());
        snapshots.iter().filter(has).count()
    };
    assert!(
        with("snapshot") <= 1 && with("tmp") == 0,
        "one snapshot and nothing that is half made: {snapshots:?}"
    );
    let making = world.disk.exists(&dir.join("making"));
    assert!(
        !making.expect("the disk can be read"),
        "the directory is made"
    );
    let segments = world.segments();
    let number = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        u64::from_str_radix(&name, 16).expect("a segment is named by its number")
    };
    assert!(
        segments
            .windows(2)
            .all(|pair| number(&pair[0]) + 1 == number(&pair[1])),
        "the segments follow each other: {segments:?}"
    );
}
