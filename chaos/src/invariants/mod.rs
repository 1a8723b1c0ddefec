//! What must hold at every step, whatever fails: a file each.
//!
//! After each step of the simulation every node is looked at, and what it shows is held against what was shown before,
//! by it and by the others. What changed hands is read from the nodes' events: the first node that tells of one sets it
//! down, and every other has to tell the same.

mod acknowledged_stays;
mod applied_grows;
mod clock_not_ahead;
mod commands_once;
mod committed_stays;
mod counts_equal_sets;
mod no_block_twice;
mod no_early_end;
mod no_early_reuse;
mod numbers_grow;
mod one_history;
mod one_leader_a_vote;
mod reads_reach;
mod same_state_at_same_index;
mod told;
mod votes_are_kept;
mod watch_without_gap;

use anyhow::{Context, Result};

pub use acknowledged_stays::Acknowledged;
pub use counts_equal_sets::PoolCounts;
pub use told::{Between, Change, Told};
pub use votes_are_kept::Promise;

use acknowledged_stays::AcknowledgedStays;
use applied_grows::AppliedGrows;
use clock_not_ahead::ClockNotAhead;
use commands_once::CommandsOnce;
use committed_stays::CommittedStays;
use counts_equal_sets::CountsEqualSets;
use no_block_twice::NoBlockTwice;
use no_early_end::NoEarlyEnd;
use no_early_reuse::NoEarlyReuse;
use numbers_grow::NumbersGrow;
use one_history::OneHistory;
use one_leader_a_vote::OneLeaderAVote;
use reads_reach::ReadsReach;
use same_state_at_same_index::SameStateAtSameIndex;
use votes_are_kept::VotesAreKept;
use watch_without_gap::WatchWithoutGap;

/// What one node shows of itself at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glimpse {
    /// The node.
    pub node: u64,
    /// Counts its starts: what it showed before a crash binds nobody but its disk.
    pub start: u64,
    /// Counts the disks that it has had: an empty one has promised nothing.
    pub disk: u64,
    /// The vote that it has given: the term, and to whom.
    pub vote: (u64, u64),
    /// The leader that it knows.
    pub leader: Option<u64>,
    /// The last entry that it has applied.
    pub applied: Option<EntryId>,
    /// Revision of its state.
    pub revision: u64,
    /// Digest of its state.
    pub digest: u128,
    /// The log's clock in its state, in milliseconds.
    pub clock_ms: u64,
    /// How often a snapshot has taken its state's place since this start.
    pub replaced: u64,
}

/// An entry of the log: the leadership that appended it, and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId {
    /// The term of the leadership.
    pub term: u64,
    /// The leader.
    pub node: u64,
    /// Its place in the log.
    pub index: u64,
}

/// What the world promised its clients before it was built.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// For how long a released block of a pool goes to nobody else, in milliseconds.
    pub grace_ms: fn(pool: &str) -> u64,
    /// The lease of a name, in milliseconds; `None` where it has none.
    pub ttl_ms: fn(name: &str) -> Option<u64>,
}

/// All of them.
#[derive(Debug)]
pub struct Invariants {
    one_leader_a_vote: OneLeaderAVote,
    votes_are_kept: VotesAreKept,
    committed_stays: CommittedStays,
    same_state_at_same_index: SameStateAtSameIndex,
    applied_grows: AppliedGrows,
    clock_not_ahead: ClockNotAhead,
    one_history: OneHistory,
    numbers_grow: NumbersGrow,
    no_block_twice: NoBlockTwice,
    no_early_reuse: NoEarlyReuse,
    no_early_end: NoEarlyEnd,
    commands_once: CommandsOnce,
    counts_equal_sets: CountsEqualSets,
    acknowledged_stays: AcknowledgedStays,
    reads_reach: ReadsReach,
    watch_without_gap: WatchWithoutGap,
}

impl Invariants {
    /// Nothing was seen yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            one_leader_a_vote: OneLeaderAVote::default(),
            votes_are_kept: VotesAreKept::default(),
            committed_stays: CommittedStays::default(),
            same_state_at_same_index: SameStateAtSameIndex::default(),
            applied_grows: AppliedGrows::default(),
            clock_not_ahead: ClockNotAhead,
            one_history: OneHistory::default(),
            numbers_grow: NumbersGrow::default(),
            no_block_twice: NoBlockTwice::default(),
            no_early_reuse: NoEarlyReuse::new(rules.grace_ms),
            no_early_end: NoEarlyEnd::new(rules.ttl_ms),
            commands_once: CommandsOnce::default(),
            counts_equal_sets: CountsEqualSets::new(rules.grace_ms),
            acknowledged_stays: AcknowledgedStays::default(),
            reads_reach: ReadsReach::default(),
            watch_without_gap: WatchWithoutGap::default(),
        }
    }

    /// Looks at one node, `at_ms` after the world began.
    ///
    /// # Errors
    /// What does not hold, with its name.
    pub fn look(&mut self, at_ms: u64, glimpse: &Glimpse) -> Result<()> {
        self.one_leader_a_vote
            .check(glimpse)
            .context("one leader a vote")?;
        self.votes_are_kept
            .check(glimpse)
            .context("votes are kept")?;
        self.committed_stays
            .check(glimpse)
            .context("what is committed stays")?;
        self.same_state_at_same_index
            .check(glimpse)
            .context("the same state at the same index")?;
        self.applied_grows
            .check(glimpse)
            .context("what is applied grows")?;
        self.clock_not_ahead
            .check(at_ms, glimpse)
            .context("the log's clock is not ahead of time")
    }

    /// A node told a candidate that it has its vote.
    ///
    /// # Errors
    /// It had promised otherwise.
    pub fn promised(&mut self, promise: Promise) -> Result<()> {
        self.votes_are_kept
            .promised(promise)
            .context("votes are kept")
    }

    /// Takes in what a node tells of, in order. True where nobody had told of it before.
    ///
    /// # Errors
    /// It contradicts what another has told, or itself.
    pub fn told(&mut self, told: &Told) -> Result<bool> {
        let new = self.one_history.check(told).context("one history")?;
        if new {
            self.numbers_grow
                .check(told)
                .context("revisions and generations grow")?;
            self.no_early_reuse
                .check(told)
                .context("no block is used again before its time")?;
            self.no_early_end
                .check(told)
                .context("no lease ends before its time")?;
            self.no_block_twice
                .check(told)
                .context("no block is held twice")?;
            self.commands_once
                .check(told)
                .context("a command is done once")?;
            self.counts_equal_sets.told(told);
            self.acknowledged_stays
                .told(told)
                .context("what was acknowledged stays")?;
        }
        Ok(new)
    }

    /// A member has left: whoever comes in its place has promised nothing.
    pub fn left(&mut self, node: u64) {
        self.votes_are_kept.left(node);
    }

    /// How far the events of all nodes together reach.
    pub fn told_up_to(&self) -> u64 {
        self.one_history.reaches()
    }

    /// A client is about to ask for the end of a holding.
    pub fn release_asked(&mut self, generation: u64) {
        self.acknowledged_stays.release_asked(generation);
    }

    /// A client was told that something was done.
    pub fn acknowledged(&mut self, acknowledged: Acknowledged) {
        self.acknowledged_stays.acknowledged(acknowledged);
    }

    /// All that was acknowledged must have been told of, as far as events reach.
    ///
    /// # Errors
    /// Something was acknowledged that nobody knows of.
    pub fn settle(&mut self) -> Result<()> {
        self.acknowledged_stays
            .settle(self.one_history.reaches())
            .context("what was acknowledged stays")
    }

    /// All that was acknowledged must have been told of.
    ///
    /// # Errors
    /// Something was acknowledged that nobody knows of.
    pub fn settle_all(&mut self) -> Result<()> {
        self.acknowledged_stays
            .settle(u64::MAX)
            .context("what was acknowledged stays")
    }

    /// The counts that a node shows of its pools, at the newest revision that anybody has told of.
    ///
    /// # Errors
    /// They are not what its holdings come to.
    pub fn counts(&self, counts: &[PoolCounts]) -> Result<()> {
        self.counts_equal_sets
            .check(counts)
            .context("counts equal sets")
    }

    /// A client was answered from a state of a revision.
    pub fn answered(&mut self, revision: u64) {
        self.reads_reach.acknowledged(revision);
    }

    /// The newest revision that anybody was told of: what a linearizable read that begins now must reach.
    pub fn newest_acknowledged(&self) -> u64 {
        self.reads_reach.newest()
    }

    /// A read has shown a state of a revision, having been asked for at least another.
    ///
    /// # Errors
    /// It is older than that.
    pub fn read(&self, wanted: u64, shown: u64) -> Result<()> {
        ReadsReach::check(wanted, shown).context("reads reach what they must")
    }

    /// A watcher was told of a change.
    ///
    /// # Errors
    /// Something is missing before it, or it is not what happened.
    pub fn watched(&mut self, watcher: u64, told: &Told) -> Result<()> {
        self.watch_without_gap
            .check(watcher, told, &self.one_history)
            .context("a watch has no gap")
    }
}

#[cfg(test)]
pub(crate) fn glimpse(node: u64) -> Glimpse {
    Glimpse {
        node,
        start: 1,
        disk: 0,
        vote: (1, 1),
        leader: None,
        applied: Some(entry(1)),
        revision: 1,
        digest: 1,
        clock_ms: 0,
        replaced: 0,
    }
}

#[cfg(test)]
pub(crate) fn entry(index: u64) -> EntryId {
    EntryId {
        term: 1,
        node: 1,
        index,
    }
}
