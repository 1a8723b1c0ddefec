//! How much happened in a world, so that one in which nothing happens is not taken for proof.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::faults::Kind;

/// How much happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Faults by kind; each counts once when it begins.
    pub faults: BTreeMap<Kind, u64>,
    /// Leaderships: pairs of term and leader.
    pub elections: u64,
    /// Machines that lost their power.
    pub power_losses: u64,
    /// Snapshots of other nodes that took the place of a state.
    pub snapshot_installs: u64,
    /// Nodes that stopped by themselves after their disk failed them.
    pub stops: u64,
    /// Frames that were lost, came twice, or came late.
    pub frames: (u64, u64, u64),
    /// Operations that the state machine answered.
    pub acknowledged: u64,
    /// Claims among them that got a block.
    pub claims: u64,
    /// Operations whose outcome nobody was told, and that were never proposed.
    pub unanswered: (u64, u64),
}

impl Figures {
    pub(super) fn fault(&mut self, kind: Kind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Adds another world's.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        self.elections += other.elections;
        self.power_losses += other.power_losses;
        self.snapshot_installs += other.snapshot_installs;
        self.stops += other.stops;
        let (lost, twice, late) = other.frames;
        self.frames = (
            self.frames.0 + lost,
            self.frames.1 + twice,
            self.frames.2 + late,
        );
        self.acknowledged += other.acknowledged;
        self.claims += other.claims;
        self.unanswered.0 += other.unanswered.0;
        self.unanswered.1 += other.unanswered.1;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, twice, late) = self.frames;
        writeln!(
            f,
            "{} elections, {} power losses, {} snapshots installed, {} nodes stopped by a failed disk; \
             frames: {lost} lost, {twice} twice, {late} late",
            self.elections, self.power_losses, self.snapshot_installs, self.stops
        )?;
        writeln!(
            f,
            "{} operations acknowledged ({} claims got a block), {} of unknown outcome, {} never proposed",
            self.acknowledged, self.claims, self.unanswered.0, self.unanswered.1
        )?;
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        write!(f, "faults: {}", faults.join(", "))
    }
}

/// The leaderships that were seen.
#[derive(Debug, Default)]
pub(super) struct Leaderships(BTreeSet<(u64, u64)>);

impl Leaderships {
    pub(super) fn saw(&mut self, vote: (u64, u64)) {
        self.0.insert(vote);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}
