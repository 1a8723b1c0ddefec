//! The trie itself: take and give.

use alloc::vec;
use alloc::vec::Vec;

use super::nodes::{Branch, Leaf, Link, Node, Nodes, Path, Side, edge, goes_high};
use super::width::{Block, Width};
use crate::count::Count;

/// Why a block cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused<A> {
    /// It does not lie in the CIDR.
    Outside,
    /// This block, the first one by address, stands in the way.
    Taken {
        /// The held block.
        block: Block<A>,
        /// Who holds it.
        hold: u32,
    },
}

/// The held and free blocks of one CIDR.
#[derive(Debug, Clone)]
pub struct Trie<A: Width> {
    pub(super) cidr: Block<A>,
    pub(super) top: Link,
    /// How many maximal free blocks there are, by length from that of the CIDR on. There are never
    /// more of one length than held blocks, so 32 bits are enough.
    counts: Vec<u32>,
}

impl<A: Width> Trie<A> {
    /// A CIDR of which nothing is held.
    pub fn new(cidr: Block<A>) -> Self {
        let mut counts = no_counts(cidr);
        counts.iter_mut().take(1).for_each(|count| *count = 1);
        Self {
            cidr,
            top: Link::NONE,
            counts,
        }
    }

    /// The CIDR.
    pub fn cidr(&self) -> Block<A> {
        self.cidr
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.top == Link::NONE
    }

    /// What hangs at the top of a trie that holds something.
    #[inline]
    pub(super) fn top_side(&self, nodes: &Nodes<A>) -> Side<A> {
        let lengths = nodes.node(self.top).lengths_from(self.cidr.length);
        Side {
            slot: self.cidr,
            lengths,
            link: self.top,
        }
    }

    /// Takes a free block.
    ///
    /// # Errors
    /// [`Refused`], and nothing has changed.
    pub fn take(
        &mut self,
        nodes: &mut Nodes<A>,
        block: Block<A>,
        hold: u32,
    ) -> Result<(), Refused<A>> {
        if !self.cidr.contains(block) {
            return Err(Refused::Outside);
        }
        let leaf = Leaf {
            address: block.address.pack(),
            hold,
            length: block.length,
        };
        if self.is_empty() {
            self.top = Link::leaf(nodes.leaves.insert(leaf));
            self.counts_split(self.cidr.length, block.length);
            return Ok(());
        }
        let mut path = Path::new();
        let mut link = self.top;
        loop {
            let node = nodes.node(link);
            let there = node.block();
            let shared = shared_bits(block.address, there.address)
                .min(there.length)
                .min(block.length);
            if shared == block.length {
                let (block, hold) = nodes.lowest_below(link);
                return Err(Refused::Taken { block, hold });
            }
            if shared < there.length {
                let slot = shared.saturating_add(1);
                let beside = (link, node.lengths_from(slot));
                let branch = branch_off(nodes, Block::around(block.address, shared), leaf, beside);
                self.relink(nodes, path, branch);
                self.counts_split(slot, block.length);
                return Ok(());
            }
            match node {
                Node::Leaf { block, hold } => return Err(Refused::Taken { block, hold }),
                Node::Branch { low, high, .. } => {
                    let goes_high = goes_high(block, there.length);
                    path.push(link.number(), goes_high);
                    link = if goes_high { high.link } else { low.link };
                }
            }
        }
    }

    /// Gives a held block back; `None` where exactly that block is not held.
    pub fn give(&mut self, nodes: &mut Nodes<A>, block: Block<A>) -> Option<u32> {
        if self.is_empty() || !self.cidr.contains(block) {
            return None;
        }
        let mut path = Path::new();
        let mut link = self.top;
        let hold = loop {
            match nodes.node(link) {
                Node::Leaf { block: there, hold } if there == block => break hold,
                Node::Branch {
                    block: there,
                    low,
                    high,
                } if there.contains(block) && there.length < block.length => {
                    let goes_high = goes_high(block, there.length);
                    path.push(link.number(), goes_high);
                    link = if goes_high { high.link } else { low.link };
                }
                Node::Leaf { .. } | Node::Branch { .. } => return None,
            }
        };
        nodes.leaves.remove(link.number());
        let Some((parent, high)) = path.pop() else {
            self.top = Link::NONE;
            self.counts_merge(self.cidr.length, block.length);
            return Some(hold);
        };
        let branch = *nodes.branches.get(parent);
        nodes.branches.remove(parent);
        self.relink(nodes, path, branch.side(!high));
        self.counts_merge(branch.length.saturating_add(1), block.length);
        Some(hold)
    }

    /// Hangs a node where a path ends, and brings what the branches along it know up to date, from the
    /// end to the start, until one knows it already.
    fn relink(&mut self, nodes: &mut Nodes<A>, mut path: Path, link: Link) {
        let Some((number, high)) = path.pop() else {
            self.top = link;
            return;
        };
        let slot = nodes.branches.get(number).length.saturating_add(1);
        let mut lengths = nodes.node(link).lengths_from(slot);
        nodes.branches.get_mut(number).set_side(high, link);
        let mut step = Some((number, high));
        while let Some((number, high)) = step {
            let branch = nodes.branches.get_mut(number);
            if branch.lengths(high) == lengths {
                return;
            }
            branch.set_lengths(high, lengths);
            let branch = *branch;
            step = path.pop();
            if let Some((parent, _)) = step {
                let slot = nodes.branches.get(parent).length.saturating_add(1);
                lengths = branch.lengths_from(slot);
            }
        }
    }

    /// A block of `length` was cut out of a maximal free block of `whole`: its siblings remain.
    fn counts_split(&mut self, whole: u8, length: u8) {
        let mut counts = self.counts_of(whole, length);
        if let Some(count) = counts.next() {
            *count = count
                .checked_sub(1)
                .expect("a maximal free block that is cut was counted");
        }
        for count in counts {
            *count = count
                .checked_add(1)
                .expect("there are fewer than 2^32 held blocks");
        }
    }

    /// A block of `length` went back and completes a maximal free block of `whole`.
    fn counts_merge(&mut self, whole: u8, length: u8) {
        let mut counts = self.counts_of(whole, length);
        if let Some(count) = counts.next() {
            *count = count
                .checked_add(1)
                .expect("there are fewer than 2^32 held blocks");
        }
        for count in counts {
            *count = count
                .checked_sub(1)
                .expect("a sibling that is merged was counted");
        }
    }

    /// The counts of the lengths from `whole` to `length`, both inclusive.
    fn counts_of(&mut self, whole: u8, length: u8) -> impl Iterator<Item = &mut u32> {
        let place = |length: u8| usize::from(length.saturating_sub(self.cidr.length));
        let range = place(whole)..=place(length);
        self.counts.get_mut(range).into_iter().flatten()
    }

    /// How many maximal free blocks of `length` there are.
    pub fn count(&self, length: u8) -> u32 {
        let place = length.checked_sub(self.cidr.length).map(usize::from);
        place
            .and_then(|place| self.counts.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// How many blocks of `length` could be taken one after the other.
    pub fn available(&self, length: u8) -> Count {
        if length > A::BITS {
            return Count::ZERO;
        }
        let counts = (self.cidr.length..=length).zip(&self.counts);
        counts.fold(Count::ZERO, |sum, (whole, count)| {
            let blocks = Count::from(u64::from(*count)).checked_shl(length.wrapping_sub(whole));
            blocks.and_then(|blocks| sum.checked_add(blocks)).expect(
                "free blocks are disjoint, so that at most 2^128 fit into the address space",
            )
        })
    }

    /// Length of the largest free block; `None` when nothing is free.
    pub fn largest(&self, nodes: &Nodes<A>) -> Option<u8> {
        if self.is_empty() {
            return Some(self.cidr.length);
        }
        let above = self.top_side(nodes).lengths.high_zeros();
        (above < A::BITS).then(|| above.saturating_add(1))
    }

    /// Recomputes what is kept, the slow way.
    ///
    /// # Errors
    /// The number of the invariant (see [`super`]) that does not hold.
    pub fn audit(&self, nodes: &Nodes<A>) -> Result<(), u8> {
        let mut recounted = Self::new(self.cidr);
        if !self.is_empty() {
            recounted.counts = no_counts(self.cidr);
            // Each entry: a link, and the block of its slot.
            let mut open = vec![(self.top, self.cidr)];
            while let Some((link, slot)) = open.pop() {
                let node = nodes.node(link);
                let there = node.block();
                if !slot.contains(there) {
                    return Err(1);
                }
                // Along the edge from the slot to the node there is one free sibling of each length.
                if there.length > slot.length {
                    let siblings = recounted.counts_of(slot.length.saturating_add(1), there.length);
                    siblings.for_each(|count| *count = count.saturating_add(1));
                }
                if let Node::Branch { block, low, high } = node {
                    if block.length >= A::BITS {
                        return Err(1);
                    }
                    for side in [low, high] {
                        if side.lengths != nodes.node(side.link).lengths_from(side.slot.length) {
                            return Err(2);
                        }
                        open.push((side.link, side.slot));
                    }
                }
            }
        }
        if self.counts == recounted.counts {
            Ok(())
        } else {
            Err(3)
        }
    }
}

fn no_counts<A: Width>(cidr: Block<A>) -> Vec<u32> {
    vec![0; usize::from(A::BITS.saturating_sub(cidr.length)).saturating_add(1)]
}

/// A new branch with a leaf, and with what was where the branch is and what is free below that.
fn branch_off<A: Width>(
    nodes: &mut Nodes<A>,
    block: Block<A>,
    leaf: Leaf<A>,
    beside: (Link, A),
) -> Link {
    let leaf_block = Block {
        address: A::unpack(leaf.address),
        length: leaf.length,
    };
    let leaf_high = goes_high(leaf_block, block.length);
    let leaf_lengths = edge::<A>(block.length.saturating_add(1), leaf.length);
    let leaf = Link::leaf(nodes.leaves.insert(leaf));
    let mut branch = Branch {
        address: block.address.pack(),
        low_lengths: A::ZERO.pack(),
        high_lengths: A::ZERO.pack(),
        low: Link::NONE,
        high: Link::NONE,
        length: block.length,
    };
    branch.set_side(leaf_high, leaf);
    branch.set_lengths(leaf_high, leaf_lengths);
    branch.set_side(!leaf_high, beside.0);
    branch.set_lengths(!leaf_high, beside.1);
    Link::branch(nodes.branches.insert(branch))
}

/// How many of the highest bits two addresses share.
#[inline]
fn shared_bits<A: Width>(one: A, other: A) -> u8 {
    (one ^ other).high_zeros()
}
