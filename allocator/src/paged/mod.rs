//! Records in pages that a cut shares with the state.
//!
//! [`Paged`] is a persistent array: leaves of `N` records under branches of 64 leaves under a short
//! root, all counted references. A cut is a clone of the root. The first change of a leaf after a cut
//! copies that leaf (and the branch above it); when the cut is dropped the copying ends. Each leaf
//! carries the epoch of its last change, so that a later cut can tell what has changed since an
//! earlier one.
//!
//! [`Slab`] gives the lowest vacant place to a new record; [`Ring`] appends at the end and removes at
//! the front. Which places are vacant follows from which are taken, so that a state that was loaded
//! goes on exactly as the one that was written.

mod ring;
mod slab;
mod vacancy;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::array;

use crate::pages::LOADED;

pub(crate) use ring::Ring;
pub(crate) use slab::Slab;

/// Leaves of a branch.
const BRANCH: usize = 64;

/// A persistent array of records, with gaps.
#[derive(Debug)]
pub(crate) struct Paged<T, const N: usize> {
    /// Branches by number from `base` on.
    root: VecDeque<Option<Arc<Branch<T, N>>>>,
    base: u64,
}

#[derive(Debug)]
struct Branch<T, const N: usize> {
    leaves: [Option<Arc<Leaf<T, N>>>; BRANCH],
}

/// The records of one page.
#[derive(Debug, Clone)]
pub(crate) struct Leaf<T, const N: usize> {
    epoch: u64,
    records: [Option<T>; N],
}

impl<T, const N: usize> Clone for Paged<T, N> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            base: self.base,
        }
    }
}

impl<T, const N: usize> Clone for Branch<T, N> {
    fn clone(&self) -> Self {
        Self {
            leaves: self.leaves.clone(),
        }
    }
}

impl<T, const N: usize> Default for Paged<T, N> {
    fn default() -> Self {
        Self {
            root: VecDeque::new(),
            base: 0,
        }
    }
}

impl<T, const N: usize> Leaf<T, N> {
    /// Epoch of the last change.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The page is what a state was loaded with.
    pub(crate) fn loaded(&mut self) {
        self.epoch = LOADED;
    }

    /// The records with their places in the page.
    pub(crate) fn records(&self) -> impl Iterator<Item = (usize, &T)> {
        self.records
            .iter()
            .enumerate()
            .filter_map(|(place, record)| Some((place, record.as_ref()?)))
    }

    /// No record is left: the page is gone.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.iter().all(Option::is_none)
    }

    /// A page from its records; `None` where a place is beyond the page or there twice, or no record
    /// is there.
    pub(crate) fn from_records(records: Vec<(usize, T)>) -> Option<Self> {
        let mut leaf = Self {
            epoch: LOADED,
            records: array::from_fn(|_| None),
        };
        let empty = records.is_empty();
        for (place, record) in records {
            if leaf.records.get_mut(place)?.replace(record).is_some() {
                return None;
            }
        }
        (!empty).then_some(leaf)
    }
}

/// A place as (branch, leaf in the branch, record in the leaf).
fn split<const N: usize>(index: u64) -> (u64, usize, usize) {
    const {
        assert!(
            N.is_power_of_two() && N <= 256,
            "the places of a page are a power of two"
        );
    };
    let leaf = index.wrapping_shr(N.trailing_zeros());
    let record = index & u64::try_from(N).unwrap_or(1).wrapping_sub(1);
    let in_branch = leaf & 63;
    (
        leaf >> 6_u32,
        usize::try_from(in_branch).unwrap_or(0),
        usize::try_from(record).unwrap_or(0),
    )
}

impl<T: Clone, const N: usize> Paged<T, N> {
    /// The record at a place.
    #[inline]
    pub(crate) fn get(&self, index: u64) -> Option<&T> {
        let (branch, leaf, record) = split::<N>(index);
        let branch = self.root.get(self.root_place(branch)?)?.as_ref()?;
        branch
            .leaves
            .get(leaf)?
            .as_ref()?
            .records
            .get(record)?
            .as_ref()
    }

    fn root_place(&self, branch: u64) -> Option<usize> {
        usize::try_from(branch.checked_sub(self.base)?).ok()
    }

    /// The place itself, in a leaf of its own that is stamped with `epoch`. Places before the first
    /// branch that is kept are gone for good.
    fn place_mut(&mut self, index: u64, epoch: u64) -> &mut Option<T> {
        let (branch, leaf, record) = split::<N>(index);
        if self.root.is_empty() {
            self.base = branch;
        }
        let place = self
            .root_place(branch)
            .expect("places before the front are not used again");
        while self.root.len() <= place {
            self.root.push_back(None);
        }
        let branch = self
            .root
            .get_mut(place)
            .expect("the root was made long enough");
        let branch = branch.get_or_insert_with(|| {
            Arc::new(Branch {
                leaves: array::from_fn(|_| None),
            })
        });
        let leaf = Arc::make_mut(branch)
            .leaves
            .get_mut(leaf)
            .expect("a branch has 64 leaves");
        let leaf = leaf.get_or_insert_with(|| {
            Arc::new(Leaf {
                epoch,
                records: array::from_fn(|_| None),
            })
        });
        let leaf = Arc::make_mut(leaf);
        leaf.epoch = epoch;
        leaf.records
            .get_mut(record)
            .expect("a leaf has a place for each record")
    }

    /// Puts a record at a place; tells what was there.
    pub(crate) fn set(&mut self, index: u64, record: T, epoch: u64) -> Option<T> {
        self.place_mut(index, epoch).replace(record)
    }

    /// Takes the record out of a place.
    pub(crate) fn remove(&mut self, index: u64, epoch: u64) -> Option<T> {
        self.get(index)?;
        self.place_mut(index, epoch).take()
    }

    /// Puts a page where none is; `None` where one is already, or where it is too far off.
    pub(crate) fn leaf_insert(&mut self, page: u64, leaf: Arc<Leaf<T, N>>) -> Option<()> {
        let (branch, place) = (page >> 6_u32, usize::try_from(page & 63).ok()?);
        if self.root.is_empty() {
            self.base = branch;
        }
        // Pages come in any order; a root that would be longer than any state's is a damaged key.
        while branch < self.base {
            if self.root.len() >= ROOT_MAX {
                return None;
            }
            self.root.push_front(None);
            self.base = self.base.saturating_sub(1);
        }
        let root_place = self.root_place(branch)?;
        if root_place >= ROOT_MAX {
            return None;
        }
        while self.root.len() <= root_place {
            self.root.push_back(None);
        }
        let branch = self.root.get_mut(root_place)?.get_or_insert_with(|| {
            Arc::new(Branch {
                leaves: array::from_fn(|_| None),
            })
        });
        let slot = Arc::make_mut(branch).leaves.get_mut(place)?;
        if slot.is_some() {
            return None;
        }
        *slot = Some(leaf);
        Some(())
    }

    /// Forgets the branches before the one that has this place.
    fn trim_before(&mut self, index: u64) {
        let (branch, ..) = split::<N>(index);
        while self.base < branch && self.root.pop_front().is_some() {
            self.base = self.base.saturating_add(1);
        }
    }
}

/// Longest root, in branches: room for more records than fit into memory.
const ROOT_MAX: usize = 1 << 20;

impl<T, const N: usize> Paged<T, N> {
    /// The pages in order, those that have become empty too.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (u64, &Arc<Leaf<T, N>>)> {
        (self.base..)
            .zip(self.root.iter())
            .filter_map(|(number, branch)| Some((number, branch.as_ref()?)))
            .flat_map(|(number, branch)| {
                (number << 6_u32..)
                    .zip(branch.leaves.iter())
                    .filter_map(|(page, leaf)| Some((page, leaf.as_ref()?)))
            })
    }

    /// The records in order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.leaves().flat_map(|(page, leaf)| {
            leaf.records().map(move |(place, record)| {
                let first = page.wrapping_shl(N.trailing_zeros());
                (first | u64::try_from(place).unwrap_or(0), record)
            })
        })
    }

    /// The first page that can be there: those before it are gone for good.
    pub(crate) fn first_page(&self) -> u64 {
        self.base << 6_u32
    }
}
