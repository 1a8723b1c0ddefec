//! How many holders of a pool its present policy would not have allowed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Bound;

use crate::prefix::Prefix;

/// Counts of claims and child pools, so that a change of the pool's bounds is told from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Policy {
    /// What the pool withholds, with the reasons: disjoint blocks.
    blocks: BTreeMap<Prefix, Arc<str>>,
    /// Holders by length.
    lengths: BTreeMap<u8, u64>,
    /// The part of them that lies where the pool withholds, in whole or in part.
    withheld: BTreeMap<u8, u64>,
}

impl Policy {
    /// Without holders.
    pub(super) fn new(withheld: BTreeMap<Prefix, Arc<str>>) -> Self {
        Self {
            blocks: withheld,
            ..Self::default()
        }
    }

    /// The same holders where the pool withholds otherwise; `holders` are those that lie there.
    pub(super) fn withhold(
        &mut self,
        withheld: BTreeMap<Prefix, Arc<str>>,
        holders: impl Iterator<Item = Prefix>,
    ) {
        self.blocks = withheld;
        self.withheld.clear();
        for block in holders {
            add(&mut self.withheld, block);
        }
    }

    /// A block lies where the pool withholds, in whole or in part.
    pub(super) fn withholds(&self, block: Prefix) -> bool {
        !self.blocks.is_empty() && self.withheld_in(block).next().is_some()
    }

    /// The parts of a block that the pool withholds, by address.
    pub(super) fn withheld_in(&self, block: Prefix) -> impl Iterator<Item = (Prefix, &Arc<str>)> {
        // Of those that begin at or before the first address only the last one can reach into the block.
        let (first, last) = (Prefix::single(block.first()), Prefix::single(block.last()));
        let near = self.blocks.range(..=first).next_back();
        let inside = (Bound::Excluded(first), Bound::Included(last));
        // An empty range where the block is a single address: a map takes no range that excludes and
        // includes the same key.
        let rest = (first != last).then(|| self.blocks.range(inside));
        near.into_iter()
            .filter(move |(part, _)| part.overlaps(block))
            .chain(rest.into_iter().flatten())
            .map(move |(part, reason)| {
                let narrower = if part.contains(block) { block } else { *part };
                (narrower, reason)
            })
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
