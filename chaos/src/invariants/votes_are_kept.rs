//! A vote that was promised to a candidate is kept, whatever happens to the machine afterwards.
//!
//! Answers to candidates may overtake each other on their way; what counts is what a start of a node finds of the
//! promises that were made before it.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::Glimpse;

/// A node's answer to a candidate, as it went over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// Who promised.
    pub node: u64,
    /// In which of its starts.
    pub start: u64,
    /// The term, and the candidate.
    pub vote: (u64, u64),
}

/// The highest vote that each start of each node has promised.
#[derive(Debug, Default)]
pub(super) struct VotesAreKept {
    promised: BTreeMap<(u64, u64), (u64, u64)>,
}

impl VotesAreKept {
    /// A promise must not be below one of an earlier start.
    pub(super) fn promised(&mut self, promise: Promise) -> Result<()> {
        let Promise { node, start, vote } = promise;
        self.not_below(node, start, vote)?;
        let highest = self.promised.entry((node, start)).or_insert(vote);
        *highest = vote.max(*highest);
        Ok(())
    }

    /// A member has left, and what it promised with it.
    pub(super) fn left(&mut self, left: u64) {
        self.promised.retain(|(node, _), _| *node != left);
    }

    /// Nor may a node that was started have given a lower vote than it had promised before.
    pub(super) fn check(&self, glimpse: &Glimpse) -> Result<()> {
        self.not_below(glimpse.node, glimpse.start, glimpse.vote)
    }

    fn not_below(&self, node: u64, start: u64, vote: (u64, u64)) -> Result<()> {
        let earlier = self.promised.range((node, 0)..(node, start));
        let promised = earlier.map(|(_, vote)| *vote).max();
        ensure!(
            promised.is_none_or(|promised| promised <= vote),
            "node {node} promised the vote {promised:?} (term, node), and now has given {vote:?}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::glimpse;

    #[test]
    fn a_vote_that_is_forgotten_is_found() -> Result<()> {
        let mut invariant = VotesAreKept::default();
        let promise = |node, start, vote| Promise { node, start, vote };
        invariant.promised(promise(1, 1, (3, 3)))?;
        invariant.promised(promise(1, 1, (3, 2)))?;
        let at = |start, vote| Glimpse {
            start,
            vote,
            ..glimpse(1)
        };
        invariant.check(&at(1, (3, 2)))?;
        invariant.check(&at(2, (3, 3)))?;
        invariant.check(&Glimpse {
            node: 2,
            ..at(2, (1, 1))
        })?;
        assert!(invariant.check(&at(2, (3, 2))).is_err());
        assert!(invariant.promised(promise(1, 2, (2, 3))).is_err());
        invariant.left(1);
        invariant.promised(promise(1, 3, (1, 3)))
    }
}
