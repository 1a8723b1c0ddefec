//! A leadership is a vote, a pair of term and node, and belongs to that node with the disk on which it was won.
//! (Two nodes may lead in one term, the one after the other; the greater id then is the newer leadership.)

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::Glimpse;

/// The disk on which each leadership was seen.
#[derive(Debug, Default)]
pub(super) struct OneLeaderAVote {
    disks: BTreeMap<(u64, u64), u64>,
}

impl OneLeaderAVote {
    /// A node that takes itself for the leader has voted for itself, with this disk.
    pub(super) fn check(&mut self, glimpse: &Glimpse) -> Result<()> {
        let Glimpse {
            node,
            vote,
            leader,
            disk,
            ..
        } = *glimpse;
        if leader != Some(node) {
            return Ok(());
        }
        ensure!(
            vote.1 == node,
            "node {node} leads by the vote {vote:?} (term, node)"
        );
        let first = *self.disks.entry(vote).or_insert(disk);
        ensure!(
            first == disk,
            "node {node} leads by the vote {vote:?} (term, node) of a disk that is gone"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::glimpse;

    #[test]
    fn a_leader_by_the_vote_of_another_or_of_another_disk_is_found() -> Result<()> {
        let leading = Glimpse {
            leader: Some(1),
            ..glimpse(1)
        };
        let mut invariant = OneLeaderAVote::default();
        invariant.check(&leading)?;
        invariant.check(&Glimpse { node: 2, ..leading })?;
        let usurper = Glimpse {
            vote: (1, 2),
            ..leading
        };
        assert!(invariant.check(&usurper).is_err());
        assert!(invariant.check(&Glimpse { disk: 1, ..leading }).is_err());
        invariant.check(&Glimpse {
            disk: 1,
            vote: (2, 1),
            ..leading
        })
    }
}
