//! Both families behind one face: tries over [`Prefix`].

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::ControlFlow;

use super::cells::Piece;
use super::find::Wanted;
use super::nodes::Nodes;
use super::trie::{Refused, Trie};
use super::width::Block;
use crate::count::Count;
use crate::prefix::{Address, Prefix};

/// The nodes of all tries of both families.
#[derive(Debug, Clone, Default)]
pub(crate) struct FreeNodes {
    v4: Nodes<u32>,
    v6: Nodes<u128>,
}

/// The trie of one CIDR.
#[derive(Debug, Clone)]
pub(crate) struct CidrTrie {
    cidr: Prefix,
    trie: FamilyTrie,
}

#[derive(Debug, Clone)]
enum FamilyTrie {
    V4(Trie<u32>),
    V6(Trie<u128>),
}

/// A run of addresses by their numbers, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: u128,
    pub(crate) last: u128,
}

impl Span {
    /// Every address.
    pub(crate) const ALL: Self = Self {
        first: 0,
        last: u128::MAX,
    };

    /// What of it are IPv4 addresses.
    fn v4(self) -> Option<(u32, u32)> {
        let first = u32::try_from(self.first).ok()?;
        Some((first, u32::try_from(self.last).unwrap_or(u32::MAX)))
    }
}

/// A prefix as a block of its own family.
enum FamilyBlock {
    V4(Block<u32>),
    V6(Block<u128>),
}

fn family_block(prefix: Prefix) -> FamilyBlock {
    match prefix.first() {
        Address::V4(v4) => FamilyBlock::V4(Block {
            address: v4.to_bits(),
            length: prefix.length(),
        }),
        Address::V6(v6) => FamilyBlock::V6(Block {
            address: v6.to_bits(),
            length: prefix.length(),
        }),
    }
}

fn block_v4(prefix: &Prefix) -> Option<Block<u32>> {
    match family_block(*prefix) {
        FamilyBlock::V4(block) => Some(block),
        FamilyBlock::V6(_) => None,
    }
}

fn block_v6(prefix: &Prefix) -> Option<Block<u128>> {
    match family_block(*prefix) {
        FamilyBlock::V4(_) => None,
        FamilyBlock::V6(block) => Some(block),
    }
}

fn prefix_v4(block: Block<u32>) -> Prefix {
    Prefix::new(
        Address::V4(Ipv4Addr::from_bits(block.address)),
        block.length,
    )
    .expect("blocks of a trie are aligned")
}

fn prefix_v6(block: Block<u128>) -> Prefix {
    Prefix::new(
        Address::V6(Ipv6Addr::from_bits(block.address)),
        block.length,
    )
    .expect("blocks of a trie are aligned")
}

/// A [`Piece`] of either family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Free(Prefix),
    Held(Prefix, u32),
    Mixed(Prefix, Option<u8>),
}

impl CidrTrie {
    /// A CIDR of which nothing is held.
    pub(crate) fn new(cidr: Prefix) -> Self {
        let trie = match family_block(cidr) {
            FamilyBlock::V4(block) => FamilyTrie::V4(Trie::new(block)),
            FamilyBlock::V6(block) => FamilyTrie::V6(Trie::new(block)),
        };
        Self { cidr, trie }
    }

    pub(crate) fn cidr(&self) -> Prefix {
        self.cidr
    }

    /// Takes a free block; what stands in the way otherwise (`None`: it is not in the CIDR).
    pub(crate) fn take(
        &mut self,
        nodes: &mut FreeNodes,
        prefix: Prefix,
        hold: u32,
    ) -> Result<(), Option<u32>> {
        match (&mut self.trie, family_block(prefix)) {
            (FamilyTrie::V4(trie), FamilyBlock::V4(block)) => trie
                .take(&mut nodes.v4, block, hold)
                .map_err(|refused| holder(&refused)),
            (FamilyTrie::V6(trie), FamilyBlock::V6(block)) => trie
                .take(&mut nodes.v6, block, hold)
                .map_err(|refused| holder(&refused)),
            (FamilyTrie::V4(_), FamilyBlock::V6(_)) | (FamilyTrie::V6(_), FamilyBlock::V4(_)) => {
                Err(None)
            }
        }
    }

    /// Gives a held block back; `None` where exactly that block is not held.
    pub(crate) fn give(&mut self, nodes: &mut FreeNodes, prefix: Prefix) -> Option<u32> {
        match (&mut self.trie, family_block(prefix)) {
            (FamilyTrie::V4(trie), FamilyBlock::V4(block)) => trie.give(&mut nodes.v4, block),
            (FamilyTrie::V6(trie), FamilyBlock::V6(block)) => trie.give(&mut nodes.v6, block),
            (FamilyTrie::V4(_), FamilyBlock::V6(_)) | (FamilyTrie::V6(_), FamilyBlock::V4(_)) => {
                None
            }
        }
    }

    /// The lowest free block of a length in a span, cut out of a hole that is wanted.
    pub(crate) fn find(
        &self,
        nodes: &FreeNodes,
        length: u8,
        wanted: Wanted,
        span: Span,
    ) -> Option<Prefix> {
        match &self.trie {
            FamilyTrie::V4(trie) => {
                let (first, last) = span.v4()?;
                trie.find_within(&nodes.v4, length, wanted, first, last)
                    .map(prefix_v4)
            }
            FamilyTrie::V6(trie) => trie
                .find_within(&nodes.v6, length, wanted, span.first, span.last)
                .map(prefix_v6),
        }
    }

    /// The length of the smallest hole out of which a block of a length can be cut in a span.
    pub(crate) fn tightest(&self, nodes: &FreeNodes, length: u8, span: Span) -> Option<u8> {
        match &self.trie {
            FamilyTrie::V4(trie) => {
                let (first, last) = span.v4()?;
                trie.tightest_within(&nodes.v4, length, first, last)
            }
            FamilyTrie::V6(trie) => trie.tightest_within(&nodes.v6, length, span.first, span.last),
        }
    }

    /// The hold that contains a block (or is it).
    pub(crate) fn covering(&self, nodes: &FreeNodes, prefix: Prefix) -> Option<u32> {
        match (&self.trie, family_block(prefix)) {
            (FamilyTrie::V4(trie), FamilyBlock::V4(block)) => {
                trie.covering(&nodes.v4, block).map(|(_, hold)| hold)
            }
            (FamilyTrie::V6(trie), FamilyBlock::V6(block)) => {
                trie.covering(&nodes.v6, block).map(|(_, hold)| hold)
            }
            (FamilyTrie::V4(_), FamilyBlock::V6(_)) | (FamilyTrie::V6(_), FamilyBlock::V4(_)) => {
                None
            }
        }
    }

    /// Looks at the nodes along the paths to several blocks of the CIDR, so that they are near when the
    /// blocks are given back. The number only stands for having looked.
    pub(crate) fn look_at(&self, nodes: &FreeNodes, prefixes: &[Prefix]) -> u32 {
        let ends = match &self.trie {
            FamilyTrie::V4(trie) => {
                let blocks: Vec<_> = prefixes.iter().filter_map(block_v4).collect();
                trie.nearest_of(&nodes.v4, &blocks)
            }
            FamilyTrie::V6(trie) => {
                let blocks: Vec<_> = prefixes.iter().filter_map(block_v6).collect();
                trie.nearest_of(&nodes.v6, &blocks)
            }
        };
        ends.into_iter().fold(0, |sum, end| sum ^ end.number())
    }

    /// The first hold by address that has an address in common with a block.
    pub(crate) fn overlapping(&self, nodes: &FreeNodes, prefix: Prefix) -> Option<u32> {
        match (&self.trie, family_block(prefix)) {
            (FamilyTrie::V4(trie), FamilyBlock::V4(block)) => {
                trie.overlapping(&nodes.v4, block).map(|(_, hold)| hold)
            }
            (FamilyTrie::V6(trie), FamilyBlock::V6(block)) => {
                trie.overlapping(&nodes.v6, block).map(|(_, hold)| hold)
            }
            (FamilyTrie::V4(_), FamilyBlock::V6(_)) | (FamilyTrie::V6(_), FamilyBlock::V4(_)) => {
                None
            }
        }
    }

    /// Visits the holds whose first address is not below `first`, by address. A `first` of the other
    /// family is before or after all of them, as families are ordered.
    pub(crate) fn holds_from(
        &self,
        nodes: &FreeNodes,
        first: Option<Address>,
        visit: &mut impl FnMut(u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match (&self.trie, first) {
            (FamilyTrie::V4(trie), None) => {
                trie.holds(&nodes.v4, 0, u32::MAX, &mut |_, hold| visit(hold))
            }
            (FamilyTrie::V4(trie), Some(Address::V4(first))) => {
                trie.holds(&nodes.v4, first.to_bits(), u32::MAX, &mut |_, hold| {
                    visit(hold)
                })
            }
            (FamilyTrie::V4(_), Some(Address::V6(_))) => ControlFlow::Continue(()),
            (FamilyTrie::V6(trie), None | Some(Address::V4(_))) => {
                trie.holds(&nodes.v6, 0, u128::MAX, &mut |_, hold| visit(hold))
            }
            (FamilyTrie::V6(trie), Some(Address::V6(first))) => {
                trie.holds(&nodes.v6, first.to_bits(), u128::MAX, &mut |_, hold| {
                    visit(hold)
                })
            }
        }
    }

    /// Visits the maximal free blocks that are wanted, by address.
    pub(crate) fn free(
        &self,
        nodes: &FreeNodes,
        wanted: Wanted,
        visit: &mut impl FnMut(Prefix) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match &self.trie {
            FamilyTrie::V4(trie) => {
                trie.free(&nodes.v4, wanted, &mut |block| visit(prefix_v4(block)))
            }
            FamilyTrie::V6(trie) => {
                trie.free(&nodes.v6, wanted, &mut |block| visit(prefix_v6(block)))
            }
        }
    }

    /// Visits the layout in cells of a length, by address, from the piece on that contains `from`.
    pub(crate) fn cells(
        &self,
        nodes: &FreeNodes,
        length: u8,
        from: Option<Address>,
        visit: &mut impl FnMut(Layout) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match (&self.trie, from) {
            (FamilyTrie::V4(_), Some(Address::V6(_))) => ControlFlow::Continue(()),
            (FamilyTrie::V4(trie), from) => {
                let from = match from {
                    Some(Address::V4(from)) => from.to_bits(),
                    Some(Address::V6(_)) | None => 0,
                };
                trie.cells(&nodes.v4, length, from, &mut |piece| {
                    visit(layout(piece, prefix_v4))
                })
            }
            (FamilyTrie::V6(trie), from) => {
                let from = match from {
                    Some(Address::V6(from)) => from.to_bits(),
                    Some(Address::V4(_)) | None => 0,
                };
                trie.cells(&nodes.v6, length, from, &mut |piece| {
                    visit(layout(piece, prefix_v6))
                })
            }
        }
    }

    /// How many maximal free blocks of a length there are.
    pub(crate) fn count(&self, length: u8) -> u32 {
        match &self.trie {
            FamilyTrie::V4(trie) => trie.count(length),
            FamilyTrie::V6(trie) => trie.count(length),
        }
    }

    /// How many blocks of a length could be taken one after the other.
    pub(crate) fn available(&self, length: u8) -> Count {
        match &self.trie {
            FamilyTrie::V4(trie) => trie.available(length),
            FamilyTrie::V6(trie) => trie.available(length),
        }
    }

    /// Length of the largest free block.
    pub(crate) fn largest(&self, nodes: &FreeNodes) -> Option<u8> {
        match &self.trie {
            FamilyTrie::V4(trie) => trie.largest(&nodes.v4),
            FamilyTrie::V6(trie) => trie.largest(&nodes.v6),
        }
    }

    /// See [`Trie::audit`].
    pub(crate) fn audit(&self, nodes: &FreeNodes) -> Result<(), u8> {
        match &self.trie {
            FamilyTrie::V4(trie) => trie.audit(&nodes.v4),
            FamilyTrie::V6(trie) => trie.audit(&nodes.v6),
        }
    }
}

fn layout<A>(piece: Piece<A>, prefix: impl Fn(Block<A>) -> Prefix) -> Layout {
    match piece {
        Piece::Free(block) => Layout::Free(prefix(block)),
        Piece::Held(block, hold) => Layout::Held(prefix(block), hold),
        Piece::Mixed(block, largest) => Layout::Mixed(prefix(block), largest),
    }
}

fn holder<A>(refused: &Refused<A>) -> Option<u32> {
    match refused {
        Refused::Outside => None,
        Refused::Taken { hold, .. } => Some(*hold),
    }
}
