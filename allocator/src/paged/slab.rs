//! Records by id; a new one gets the lowest vacant id.

use super::vacancy::Vacancy;
use super::{Leaf, Paged};
use alloc::sync::Arc;

/// Records by id.
#[derive(Debug)]
pub(crate) struct Slab<T, const N: usize> {
    paged: Paged<T, N>,
    vacancy: Vacancy,
}

impl<T, const N: usize> Default for Slab<T, N> {
    fn default() -> Self {
        Self {
            paged: Paged::default(),
            vacancy: Vacancy::default(),
        }
    }
}

impl<T: Clone, const N: usize> Slab<T, N> {
    /// The record with that id.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.paged.get(u64::from(id))
    }

    /// The id that the next record gets.
    pub(crate) fn next_id(&self) -> u32 {
        self.vacancy.lowest()
    }

    /// Puts a record at an id that is vacant.
    pub(crate) fn insert_at(&mut self, id: u32, record: T, epoch: u64) {
        let there = self.paged.set(u64::from(id), record, epoch);
        assert!(there.is_none(), "a new record goes to a vacant id");
        self.vacancy.take(id);
    }

    /// Puts another record in the place of one that is there.
    pub(crate) fn replace(&mut self, id: u32, record: T, epoch: u64) -> T {
        let there = self.paged.set(u64::from(id), record, epoch);
        there.expect("only a record that is there is replaced")
    }

    /// Takes a record out.
    pub(crate) fn remove(&mut self, id: u32, epoch: u64) -> T {
        let there = self.paged.remove(u64::from(id), epoch);
        self.vacancy.give(id);
        there.expect("only a record that is there is removed")
    }

    /// The records in order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.paged
            .iter()
            .map(|(index, record)| (u32::try_from(index).unwrap_or(u32::MAX), record))
    }

    /// What a cut keeps.
    pub(crate) fn paged(&self) -> Paged<T, N> {
        self.paged.clone()
    }

    /// Adds a page that was read; `None` where it cannot belong here.
    pub(crate) fn leaf_insert(&mut self, page: u64, leaf: Leaf<T, N>) -> Option<()> {
        let records = u64::try_from(N).ok()?;
        let first = page.checked_mul(records)?;
        if first.checked_add(records)? > IDS_MAX {
            return None;
        }
        for (place, _) in leaf.records() {
            let id = u32::try_from(first.checked_add(u64::try_from(place).ok()?)?).ok()?;
            self.vacancy.take(id);
        }
        self.paged.leaf_insert(page, Arc::new(leaf))
    }
}

/// Ids are below this: an index keeps the bit above for itself.
const IDS_MAX: u64 = 1 << 31;
