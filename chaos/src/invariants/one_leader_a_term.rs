//! In one term at most one node leads.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::Glimpse;

/// Who led in which term.
#[derive(Debug, Default)]
pub struct OneLeaderATerm {
    leaders: BTreeMap<u64, u64>,
}

impl OneLeaderATerm {
    /// A node that takes itself for the leader must be the only one of its term.
    pub fn check(&mut self, glimpse: &Glimpse) -> Result<()> {
        if glimpse.leader == Some(glimpse.node) {
            let leader = *self.leaders.entry(glimpse.term).or_insert(glimpse.node);
            ensure!(
                leader == glimpse.node,
                "in term {} node {leader} led, and node {} leads",
                glimpse.term,
                glimpse.node
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::glimpse;

    #[test]
    fn two_leaders_of_one_term_are_found() -> Result<()> {
        let mut invariant = OneLeaderATerm::default();
        invariant.check(&Glimpse {
            leader: Some(1),
            ..glimpse(1)
        })?;
        invariant.check(&Glimpse {
            leader: Some(1),
            ..glimpse(2)
        })?;
        invariant.check(&Glimpse {
            term: 2,
            leader: Some(2),
            ..glimpse(2)
        })?;
        assert!(
            invariant
                .check(&Glimpse {
                    leader: Some(3),
                    ..glimpse(3)
                })
                .is_err()
        );
        Ok(())
    }
}
