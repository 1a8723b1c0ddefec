//! What must hold at every step, whatever fails: a file each.
//!
//! Each is fed with what the nodes show of themselves and remembers what it must to find a contradiction.

mod applied_grows;
mod one_leader_a_term;
mod same_state_at_same_index;

use anyhow::Result;

pub use applied_grows::AppliedGrows;
pub use one_leader_a_term::OneLeaderATerm;
pub use same_state_at_same_index::SameStateAtSameIndex;

/// What one node shows of itself at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glimpse {
    /// The node.
    pub node: u64,
    /// Counts its starts: what it showed before a crash binds nobody but its disk.
    pub start: u64,
    /// Its current term.
    pub term: u64,
    /// The leader that it knows.
    pub leader: Option<u64>,
    /// Index of the last entry that it has applied.
    pub applied_index: Option<u64>,
    /// Revision of its state.
    pub revision: u64,
    /// Digest of its state.
    pub digest: u128,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Invariants {
    one_leader_a_term: OneLeaderATerm,
    same_state_at_same_index: SameStateAtSameIndex,
    applied_grows: AppliedGrows,
}

impl Invariants {
    /// Looks at one node.
    pub fn check(&mut self, glimpse: &Glimpse) -> Result<()> {
        self.one_leader_a_term.check(glimpse)?;
        self.same_state_at_same_index.check(glimpse)?;
        self.applied_grows.check(glimpse)
    }
}

#[cfg(test)]
pub(crate) fn glimpse(node: u64) -> Glimpse {
    Glimpse {
        node,
        start: 1,
        term: 1,
        leader: None,
        applied_index: Some(1),
        revision: 1,
        digest: 1,
    }
}
