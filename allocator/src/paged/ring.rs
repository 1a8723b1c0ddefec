//! Records by sequence number: appended at the end, removed at the front.

use super::{Leaf, Paged};
use alloc::sync::Arc;

/// Records from `first` (inclusive) to `end` (exclusive), without gaps.
#[derive(Debug)]
pub(crate) struct Ring<T, const N: usize> {
    paged: Paged<T, N>,
    first: u64,
    end: u64,
}

impl<T, const N: usize> Default for Ring<T, N> {
    fn default() -> Self {
        Self {
            paged: Paged::default(),
            first: 0,
            end: 0,
        }
    }
}

impl<T: Clone, const N: usize> Ring<T, N> {
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.paged.get(number)
    }

    /// Number of the oldest record; that of the next one where there is none.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Number that the next record gets.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn len(&self) -> u64 {
        self.end.saturating_sub(self.first)
    }

    pub(crate) fn push(&mut self, record: T, epoch: u64) -> u64 {
        let number = self.end;
        self.paged.set(number, record, epoch);
        self.end = number.saturating_add(1);
        number
    }

    /// Takes the newest record back.
    pub(crate) fn pop_newest(&mut self, epoch: u64) -> Option<T> {
        let number = self
            .end
            .checked_sub(1)
            .filter(|number| *number >= self.first)?;
        let record = self.paged.remove(number, epoch);
        self.end = number;
        record
    }

    /// Removes the oldest record.
    pub(crate) fn pop_oldest(&mut self, epoch: u64) -> Option<T> {
        if self.first == self.end {
            return None;
        }
        let record = self.paged.remove(self.first, epoch);
        self.first = self.first.saturating_add(1);
        self.paged.trim_before(self.first);
        record
    }

    /// The records in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.paged.iter()
    }

    /// What a cut keeps.
    pub(crate) fn paged(&self) -> Paged<T, N> {
        self.paged.clone()
    }

    /// Adds a page that was read; `None` where it cannot belong here.
    pub(crate) fn leaf_insert(&mut self, page: u64, leaf: Leaf<T, N>) -> Option<()> {
        self.paged.leaf_insert(page, Arc::new(leaf))
    }

    /// Sets the bounds after all pages were added; `None` where the records have gaps or leave the
    /// bounds.
    pub(crate) fn bound(&mut self, first: u64, end: u64) -> Option<()> {
        let mut next = first;
        for (number, _) in self.paged.iter() {
            if number != next {
                return None;
            }
            next = next.checked_add(1)?;
        }
        self.first = first;
        self.end = end;
        (next == end).then_some(())
    }
}
