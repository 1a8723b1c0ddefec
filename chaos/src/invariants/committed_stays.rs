//! An entry that was applied anywhere is the one of its index, everywhere and for ever.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::{EntryId, Glimpse};

/// The entries that were seen applied.
#[derive(Debug, Default)]
pub(super) struct CommittedStays {
    entries: BTreeMap<u64, EntryId>,
}

impl CommittedStays {
    /// Compares with whoever was seen at this index first.
    pub(super) fn check(&mut self, glimpse: &Glimpse) -> Result<()> {
        if let Some(applied) = glimpse.applied {
            let first = *self.entries.entry(applied.index).or_insert(applied);
            ensure!(
                first == applied,
                "node {} has applied {applied:?}, where {first:?} was applied before",
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
    fn an_entry_that_another_took_the_place_of_is_found() -> Result<()> {
        let mut invariant = CommittedStays::default();
        invariant.check(&glimpse(1))?;
        invariant.check(&glimpse(2))?;
        let other = Glimpse {
            applied: Some(EntryId {
                term: 2,
                ..entry(1)
            }),
            ..glimpse(2)
        };
        assert!(invariant.check(&other).is_err());
        Ok(())
    }
}
