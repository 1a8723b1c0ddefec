//! The CIDRs of a pool in order of the share that is held of each.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::count::Count;
use crate::free::CidrTrie;

/// See the module. CIDRs go by their place, which is by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shares {
    /// Length of each, and how many of its addresses are held or withheld.
    held: Vec<(u8, Count)>,
    /// The share of each, and its place.
    order: BTreeSet<(Count, usize)>,
}

impl Shares {
    /// Of CIDRs of which nothing is held.
    pub(super) fn new(tries: &[CidrTrie]) -> Self {
        Self {
            held: tries
                .iter()
                .map(|trie| (trie.cidr().length(), Count::ZERO))
                .collect(),
            order: (0..tries.len()).map(|place| (Count::ZERO, place)).collect(),
        }
    }

    /// What is held of one has changed.
    pub(super) fn change(&mut self, place: usize, change: impl Fn(Count) -> Count) {
        let (length, held) = self
            .held
            .get_mut(place)
            .expect("each CIDR of the pool has its share");
        let removed = self.order.remove(&(share(*length, *held), place));
        assert!(removed, "a CIDR stands where its share says");
        *held = change(*held);
        self.order.insert((share(*length, *held), place));
    }

    /// The places, that of the smallest share first; of equal ones that of the lowest address.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.order.iter().map(|(_, place)| *place)
    }
}

/// The share of a CIDR that is held, exactly, in units of the family's whole space: sizes are powers of
/// two, so that `held / 2^(bits - length)` is `held * 2^length` of `2^bits`.
fn share(length: u8, held: Count) -> Count {
    held.checked_shl(length)
        .expect("no more is held of a CIDR than it has")
}
