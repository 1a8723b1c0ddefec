//! The nodes of tries: branches and leaves, and what links them.

use super::arena::Arena;
use super::width::{Block, Width};

/// The nodes of all tries of one family.
#[derive(Debug, Clone)]
pub struct Nodes<A: Width> {
    pub(super) branches: Arena<Branch<A>>,
    pub(super) leaves: Arena<Leaf<A>>,
}

impl<A: Width> Default for Nodes<A> {
    fn default() -> Self {
        Self {
            branches: Arena::default(),
            leaves: Arena::default(),
        }
    }
}

/// Where the paths to two held blocks part. Its own length is that of the block which contains both.
/// It knows what is free on each side, so that a search or a change reads nothing but its own path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branch<A: Width> {
    pub(super) address: A::Packed,
    pub(super) low_lengths: A::Packed,
    pub(super) high_lengths: A::Packed,
    pub(super) low: Link,
    pub(super) high: Link,
    pub(super) length: u8,
}

/// A held block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<A: Width> {
    pub(super) address: A::Packed,
    pub(super) hold: u32,
    pub(super) length: u8,
}

/// Leads to a branch, to a leaf (highest bit set), or nowhere (all bits set).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

const LEAF: u32 = 1 << 31;

impl Link {
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) const fn branch(number: u32) -> Self {
        Self(number)
    }

    pub(super) const fn leaf(number: u32) -> Self {
        Self(number | LEAF)
    }

    pub(super) const fn is_leaf(self) -> bool {
        self.0 & LEAF != 0
    }

    pub(super) const fn number(self) -> u32 {
        self.0 & !LEAF
    }
}

/// What hangs on one side of a branch: the half of its block, what is free there, and the node.
#[derive(Clone, Copy)]
pub(super) struct Side<A> {
    pub(super) slot: Block<A>,
    pub(super) lengths: A,
    pub(super) link: Link,
}

/// What a link leads to.
#[derive(Clone, Copy)]
pub(super) enum Node<A> {
    Leaf {
        block: Block<A>,
        hold: u32,
    },
    Branch {
        block: Block<A>,
        low: Side<A>,
        high: Side<A>,
    },
}

impl<A: Width> Node<A> {
    #[inline]
    pub(super) fn block(&self) -> Block<A> {
        match self {
            Self::Leaf { block, .. } | Self::Branch { block, .. } => *block,
        }
    }

    /// Lengths of the maximal free blocks below a slot in which the node hangs: those below the node,
    /// and the siblings along the edge from the slot down to it.
    #[inline]
    pub(super) fn lengths_from(&self, slot_length: u8) -> A {
        let edge = edge::<A>(slot_length, self.block().length);
        match self {
            Self::Leaf { .. } => edge,
            Self::Branch { low, high, .. } => edge | low.lengths | high.lengths,
        }
    }
}

/// The lengths from `above` (exclusive) to `below` (inclusive).
#[inline]
pub(super) fn edge<A: Width>(above: u8, below: u8) -> A {
    A::netmask(below) ^ A::netmask(above)
}

/// Whether the path to `block` takes the higher half below a node of `length`.
#[inline]
pub(super) fn goes_high<A: Width>(block: Block<A>, length: u8) -> bool {
    block.address & A::bit(length.saturating_add(1)) != A::ZERO
}

impl<A: Width> Branch<A> {
    /// What hangs on one side.
    #[inline]
    pub(super) fn side(&self, high: bool) -> Link {
        if high { self.high } else { self.low }
    }

    pub(super) fn set_side(&mut self, high: bool, link: Link) {
        *(if high { &mut self.high } else { &mut self.low }) = link;
    }

    /// What is free on one side.
    pub(super) fn lengths(&self, high: bool) -> A {
        A::unpack(if high {
            self.high_lengths
        } else {
            self.low_lengths
        })
    }

    pub(super) fn set_lengths(&mut self, high: bool, lengths: A) {
        *(if high {
            &mut self.high_lengths
        } else {
            &mut self.low_lengths
        }) = lengths.pack();
    }

    /// What is free below a slot in which the branch hangs.
    pub(super) fn lengths_from(&self, slot_length: u8) -> A {
        edge::<A>(slot_length, self.length) | self.lengths(false) | self.lengths(true)
    }
}

impl<A: Width> Nodes<A> {
    #[expect(
        clippy::inline_always,
        reason = "inlined, only what is used of a node is read and nothing is put together"
    )]
    #[inline(always)]
    pub(super) fn node(&self, link: Link) -> Node<A> {
        if link.is_leaf() {
            let leaf = self.leaves.get(link.number());
            let block = Block {
                address: A::unpack(leaf.address),
                length: leaf.length,
            };
            Node::Leaf {
                block,
                hold: leaf.hold,
            }
        } else {
            let branch = self.branches.get(link.number());
            let address = A::unpack(branch.address);
            let slot = Block {
                address,
                length: branch.length.saturating_add(1),
            };
            Node::Branch {
                block: Block {
                    address,
                    length: branch.length,
                },
                low: Side {
                    slot,
                    lengths: A::unpack(branch.low_lengths),
                    link: branch.low,
                },
                high: Side {
                    slot: slot.sibling(),
                    lengths: A::unpack(branch.high_lengths),
                    link: branch.high,
                },
            }
        }
    }

    /// The first held block at or below a node.
    pub(super) fn lowest_below(&self, link: Link) -> (Block<A>, u32) {
        let mut link = link;
        loop {
            match self.node(link) {
                Node::Leaf { block, hold } => return (block, hold),
                Node::Branch { low, .. } => link = low.link,
            }
        }
    }

    /// How many nodes are in use, for an account of memory.
    pub fn len(&self) -> usize {
        self.branches.len().saturating_add(self.leaves.len())
    }

    /// No trie of the family holds anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The branches from the top of a trie downwards, and the side taken at each. It is never longer than
/// an address.
pub(super) struct Path {
    /// Number of the branch; the highest bit tells the side.
    steps: [u32; 128],
    length: usize,
}

const HIGH: u32 = 1 << 31;

impl Path {
    pub(super) fn new() -> Self {
        Self {
            steps: [0; 128],
            length: 0,
        }
    }

    pub(super) fn push(&mut self, number: u32, high: bool) {
        let place = self
            .steps
            .get_mut(self.length)
            .expect("a path has at most one branch a bit");
        *place = if high { number | HIGH } else { number };
        self.length = self.length.saturating_add(1);
    }

    /// The last branch, and the side taken there.
    pub(super) fn pop(&mut self) -> Option<(u32, bool)> {
        self.length = self.length.checked_sub(1)?;
        let step = self.steps.get(self.length).copied()?;
        Some((step & !HIGH, step & HIGH != 0))
    }
}
