//! There is one history: what one node tells of a change, every other tells of it too, now and later.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::{Change, Told};

/// All changes that anybody has told of.
#[derive(Debug, Default)]
pub(super) struct OneHistory {
    changes: BTreeMap<(u64, u32), Change>,
}

impl OneHistory {
    /// Compares with whoever told of it first; true for the first one.
    pub(super) fn check(&mut self, told: &Told) -> Result<bool> {
        let last = self.changes.last_key_value().map(|(id, _)| *id);
        if last.is_none_or(|last| last < told.id) {
            ensure!(
                last.is_none_or(|last| follows(last, told.id)),
                "{:?} is told after {last:?} (revision, place), so that something is missing",
                told.id
            );
            self.changes.insert(told.id, told.change.clone());
            return Ok(true);
        }
        let first = self
            .changes
            .get(&told.id)
            .with_context(|| format!("{told:?} was not told of by those who were that far"))?;
        ensure!(
            *first == told.change,
            "at {:?} (revision, place) one node tells of {first:?}, another of {:?}",
            told.id,
            told.change
        );
        Ok(false)
    }

    /// The newest revision of which anybody has told.
    pub(super) fn reaches(&self) -> u64 {
        self.changes
            .last_key_value()
            .map_or(0, |((revision, _), _)| *revision)
    }

    /// The change after a place.
    pub(super) fn after(&self, id: (u64, u32)) -> Option<((u64, u32), &Change)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.changes
            .range((Excluded(id), Unbounded))
            .next()
            .map(|(id, change)| (*id, change))
    }
}

/// Every revision has at least one change, and its changes are numbered from 0.
fn follows(last: (u64, u32), next: (u64, u32)) -> bool {
    next == (last.0, last.1 + 1) || next == (last.0 + 1, 0)
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;
    use allocator::view::EventKind;

    #[test]
    fn two_stories_and_a_missing_page_are_found() -> Result<()> {
        let mut invariant = OneHistory::default();
        let first = told(1, EventKind::Allocated, ("a", "10.0.0.0/32", 1), 0);
        assert!(invariant.check(&first)?);
        assert!(!invariant.check(&first)?);
        let other = told(1, EventKind::Allocated, ("b", "10.0.0.0/32", 1), 0);
        assert!(invariant.check(&other).is_err());
        let second = Told {
            id: (1, 1),
            ..other.clone()
        };
        assert!(invariant.check(&second)?);
        assert!(
            invariant
                .check(&Told {
                    id: (3, 0),
                    ..other
                })
                .is_err()
        );
        assert_eq!(invariant.reaches(), 1);
        Ok(())
    }
}
