//! Blocks that can stand in each other's way: those that overlap, whatever their lengths.
//!
//! Two blocks overlap where one contains the other, so that the blocks of a history fall into groups, each with a
//! widest block that contains all of it. What happens in one group says nothing about another.

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

/// The widest block of each block's group.
#[derive(Debug, Default)]
pub(super) struct Overlaps {
    widest: BTreeMap<Prefix, Prefix>,
}

impl Overlaps {
    pub(super) fn of(blocks: impl IntoIterator<Item = Prefix>) -> Self {
        let mut widest: BTreeMap<Prefix, Prefix> =
            blocks.into_iter().map(|block| (block, block)).collect();
        let mut group: Option<Prefix> = None;
        // In order of address, the wider first: what contains a block stands before it.
        for (block, around) in &mut widest {
            let inside = group.filter(|group| group.contains(*block));
            *around = inside.unwrap_or(*block);
            group = Some(*around);
        }
        Self { widest }
    }

    /// The widest block of the group of a block.
    pub(super) fn group(&self, block: Prefix) -> Prefix {
        self.widest.get(&block).copied().unwrap_or(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_overlap_are_in_one_group() {
        let block = |text: &str| text.parse::<Prefix>().unwrap();
        let all = ["10.0.0.5/32", "10.0.0.4/30", "10.0.0.8/32", "10.0.0.0/29"].map(block);
        let overlaps = Overlaps::of(all);
        assert_eq!(overlaps.group(all[0]), all[3]);
        assert_eq!(overlaps.group(all[1]), all[3]);
        assert_eq!(overlaps.group(all[2]), all[2]);
        assert_eq!(overlaps.group(all[3]), all[3]);
        let without = Overlaps::of([all[0], all[1], all[2]]);
        assert_eq!(without.group(all[0]), all[1]);
    }
}
