//! Nodes that have applied the log to the same index have the same state.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::{EntryId, Glimpse};

/// The state at each index that a node was seen at.
#[derive(Debug, Default)]
pub(super) struct SameStateAtSameIndex {
    states: BTreeMap<u64, (u64, u128)>,
}

impl SameStateAtSameIndex {
    /// Compares with whoever was seen at this index first.
    pub(super) fn check(&mut self, glimpse: &Glimpse) -> Result<()> {
        if let Some(EntryId { index, .. }) = glimpse.applied {
            let state = (glimpse.revision, glimpse.digest);
            let first = *self.states.entry(index).or_insert(state);
            ensure!(
                first == state,
                "at index {index} a node had revision and digest {first:?}, node {} has {state:?}",
                glimpse.node
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::{entry, glimpse};

    #[test]
    fn two_states_at_one_index_are_found() -> Result<()> {
        let mut invariant = SameStateAtSameIndex::default();
        invariant.check(&glimpse(1))?;
        invariant.check(&glimpse(2))?;
        invariant.check(&Glimpse {
            applied: Some(entry(2)),
            digest: 2,
            ..glimpse(2)
        })?;
        assert!(
            invariant
                .check(&Glimpse {
                    digest: 3,
                    ..glimpse(3)
                })
                .is_err()
        );
        Ok(())
    }
}
