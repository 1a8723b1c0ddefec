//! How many holders of a pool its present policy would not have allowed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::prefix::{Prefix, address_number};

/// Counts of claims and child pools, so that a change of the pool's bounds is told from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Policy {
    /// What the pool withholds, as disjoint runs by address.
    runs: Vec<(u128, u128)>,
    /// Holders by length.
    lengths: BTreeMap<u8, u64>,
    /// The part of them that lies where the pool withholds, in whole or in part.
    withheld: BTreeMap<u8, u64>,
}

impl Policy {
    /// Without holders.
    pub(super) fn new(withheld: &BTreeMap<Prefix, Arc<str>>) -> Self {
        Self {
            runs: runs(withheld),
            ..Self::default()
        }
    }

    /// The same holders where the pool withholds otherwise; `holders` are those that lie there.
    pub(super) fn withhold(
        &mut self,
        withheld: &BTreeMap<Prefix, Arc<str>>,
        holders: impl Iterator<Item = Prefix>,
    ) {
        self.runs = runs(withheld);
        self.withheld.clear();
        for block in holders {
            add(&mut self.withheld, block);
        }
    }

    /// A block lies where the pool withholds, in whole or in part.
    pub(super) fn withholds(&self, block: Prefix) -> bool {
        let first = address_number(block.first());
        let place = self.runs.partition_point(|(_, last)| *last < first);
        self.runs
            .get(place)
            .is_some_and(|(start, _)| *start <= address_number(block.last()))
    }

    pub(super) fn add(&mut self, block: Prefix) {
        add(&mut self.lengths, block);
        if self.withholds(block) {
            add(&mut self.withheld, block);
        }
    }

    pub(super) fn remove(&mut self, block: Prefix) {
        remove(&mut self.lengths, block);
        if self.withholds(block) {
            remove(&mut self.withheld, block);
        }
    }

    /// Holders of a length outside of the bounds, or where the pool withholds.
    pub(super) fn broken(&self, min: u8, max: u8) -> u64 {
        let inside = |length: &u8| (min..=max).contains(length);
        let outside = self.lengths.iter().filter(|(length, _)| !inside(length));
        let withheld = self.withheld.iter().filter(|(length, _)| inside(length));
        outside
            .chain(withheld)
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

fn add(counts: &mut BTreeMap<u8, u64>, block: Prefix) {
    let count = counts.entry(block.length()).or_default();
    *count = count.saturating_add(1);
}

fn remove(counts: &mut BTreeMap<u8, u64>, block: Prefix) {
    let count = counts
        .get_mut(&block.length())
        .expect("what goes was counted");
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(&block.length());
    }
}

fn runs(withheld: &BTreeMap<Prefix, Arc<str>>) -> Vec<(u128, u128)> {
    let mut runs: Vec<(u128, u128)> = Vec::new();
    for block in withheld.keys() {
        let (first, last) = (address_number(block.first()), address_number(block.last()));
        match runs.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
            Some(_) | None => runs.push((first, last)),
        }
    }
    runs
}
