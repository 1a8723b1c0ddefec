//! Finding: where there is room, and who holds or covers a block.

use alloc::vec;
use alloc::vec::Vec;

use super::nodes::{Link, Node, Nodes, Side, edge, goes_high};
use super::trie::Trie;
use super::width::{Block, Width};

/// Which maximal free blocks may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those of this length and all larger ones.
    UpTo(u8),
    /// Those of exactly this length.
    Exactly(u8),
}

impl Wanted {
    /// As a set of lengths; length 0 has no bit and is told by [`Self::allows`].
    pub(super) fn lengths<A: Width>(self) -> A {
        match self {
            Self::UpTo(length) => A::netmask(length),
            Self::Exactly(length) => A::bit(length),
        }
    }

    pub(super) fn allows(self, length: u8) -> bool {
        match self {
            Self::UpTo(most) => length <= most,
            Self::Exactly(only) => length == only,
        }
    }
}

/// What a search looks for.
struct Search<A> {
    /// Length of the block asked for.
    length: u8,
    /// Lengths of the maximal free blocks that may be cut for it.
    lengths: A,
    /// First address of the range in which it must lie.
    first: A,
    /// Last address of that range.
    last: A,
}

impl<A: Width> Search<A> {
    /// The lowest block of the length asked for in a free block and in the range.
    fn fit(&self, free: Block<A>) -> Option<Block<A>> {
        let start = free.address.max(self.first);
        let host_bits = !A::netmask(self.length);
        let aligned = if start & host_bits == A::ZERO {
            start
        } else {
            (start | host_bits).next()?
        };
        let block = Block {
            address: aligned,
            length: self.length,
        };
        (block.last() <= free.last().min(self.last) && free.contains(block)).then_some(block)
    }

    fn meets(&self, block: Block<A>) -> bool {
        block.address <= self.last && self.first <= block.last()
    }

    /// Searches what hangs in a slot, by address: free siblings left of the path, what is below the
    /// node, free siblings right of it. The recursion goes down at least one bit each time. What
    /// lies within the range wholly has what its set of lengths says, so that only the two edges of
    /// the range can be searched in vain.
    fn below(&self, nodes: &Nodes<A>, side: Side<A>) -> Option<Block<A>> {
        if side.lengths & self.lengths == A::ZERO || !self.meets(side.slot) {
            return None;
        }
        if self.surrounds(side.slot) {
            return self.fit(self.lowest_hole(nodes, side));
        }
        let node = nodes.node(side.link);
        let path = node.block();
        let siblings = edge::<A>(side.slot.length, path.length) & self.lengths;
        let mut lower = siblings & path.address;
        while lower != A::ZERO {
            let length = lower.high_zeros().saturating_add(1);
            if let Some(found) = self.fit(Block::around(path.address, length).sibling()) {
                return Some(found);
            }
            lower = lower ^ A::bit(length);
        }
        if let Node::Branch { low, high, .. } = node {
            let found = self.below(nodes, low).or_else(|| self.below(nodes, high));
            if found.is_some() {
                return found;
            }
        }
        let mut higher = siblings & !path.address;
        while higher != A::ZERO {
            let length = A::BITS.saturating_sub(higher.low_zeros());
            if let Some(found) = self.fit(Block::around(path.address, length).sibling()) {
                return Some(found);
            }
            higher = higher ^ A::bit(length);
        }
        None
    }
}

impl<A: Width> Search<A> {
    /// A block lies within the range wholly.
    fn surrounds(&self, block: Block<A>) -> bool {
        self.first <= block.address && block.last() <= self.last
    }

    /// The lowest hole that may be cut below a slot which has one and lies within the range wholly. Each
    /// step knows from the sets of lengths where to go.
    fn lowest_hole(&self, nodes: &Nodes<A>, mut side: Side<A>) -> Block<A> {
        loop {
            let node = nodes.node(side.link);
            let path = node.block();
            let siblings = edge::<A>(side.slot.length, path.length) & self.lengths;
            let lower = siblings & path.address;
            if lower != A::ZERO {
                let length = lower.high_zeros().saturating_add(1);
                return Block::around(path.address, length).sibling();
            }
            side = match node {
                Node::Branch { low, .. } if low.lengths & self.lengths != A::ZERO => low,
                Node::Branch { high, .. } if high.lengths & self.lengths != A::ZERO => high,
                Node::Branch { .. } | Node::Leaf { .. } => {
                    assert!(siblings != A::ZERO, "a side knows what is free below it");
                    let length = longest_of(siblings);
                    return Block::around(path.address, length).sibling();
                }
            };
        }
    }

    /// The longest of the lengths of the holes below a slot that have a block of the length asked for
    /// in the range. What lies within the range wholly is told by its set of lengths, so that only the
    /// two edges of the range are gone down.
    fn longest(&self, nodes: &Nodes<A>, side: Side<A>) -> Option<u8> {
        let lengths = side.lengths & self.lengths;
        if lengths == A::ZERO || !self.meets(side.slot) {
            return None;
        }
        if self.surrounds(side.slot) {
            return Some(longest_of(lengths));
        }
        let node = nodes.node(side.link);
        let path = node.block();
        let mut siblings = edge::<A>(side.slot.length, path.length) & self.lengths;
        let mut longest = None;
        while siblings != A::ZERO && longest.is_none() {
            let length = longest_of(siblings);
            longest = self
                .fit(Block::around(path.address, length).sibling())
                .map(|_| length);
            siblings = siblings ^ A::bit(length);
        }
        if let Node::Branch { low, high, .. } = node {
            longest = longest
                .max(self.longest(nodes, low))
                .max(self.longest(nodes, high));
        }
        longest
    }
}

/// The longest length in a set that is not empty.
fn longest_of<A: Width>(lengths: A) -> u8 {
    A::BITS.saturating_sub(lengths.low_zeros())
}

impl<A: Width> Trie<A> {
    /// The length of the smallest hole (maximal free block) out of which a block of `length` can be
    /// cut between two addresses, both inclusive.
    pub fn tightest_within(&self, nodes: &Nodes<A>, length: u8, first: A, last: A) -> Option<u8> {
        if length < self.cidr.length || length > A::BITS {
            return None;
        }
        let search = Search {
            length,
            lengths: A::netmask(length),
            first,
            last,
        };
        if self.is_empty() {
            return search.fit(self.cidr).map(|_| self.cidr.length);
        }
        search.longest(nodes, self.top_side(nodes))
    }

    /// The lowest free block of `length`, cut out of a maximal free block that is wanted.
    pub fn find(&self, nodes: &Nodes<A>, length: u8, wanted: Wanted) -> Option<Block<A>> {
        self.find_within(nodes, length, wanted, self.cidr.address, self.cidr.last())
    }

    /// The same between two addresses, both inclusive.
    pub fn find_within(
        &self,
        nodes: &Nodes<A>,
        length: u8,
        wanted: Wanted,
        first: A,
        last: A,
    ) -> Option<Block<A>> {
        if length < self.cidr.length || length > A::BITS {
            return None;
        }
        // A larger block than the one asked for can be cut, a smaller one cannot.
        let lengths = wanted.lengths::<A>() & A::netmask(length);
        let search = Search {
            length,
            lengths,
            first,
            last,
        };
        if self.is_empty() {
            let whole = self.cidr;
            return if wanted.allows(whole.length) {
                search.fit(whole)
            } else {
                None
            };
        }
        search.below(nodes, self.top_side(nodes))
    }

    /// Who holds exactly that block.
    pub fn get(&self, nodes: &Nodes<A>, block: Block<A>) -> Option<u32> {
        self.covering(nodes, block)
            .filter(|(there, _)| *there == block)
            .map(|(_, hold)| hold)
    }

    /// The held block that contains `block` (or is it).
    pub fn covering(&self, nodes: &Nodes<A>, block: Block<A>) -> Option<(Block<A>, u32)> {
        let link = self.nearest(nodes, block)?;
        match nodes.node(link) {
            Node::Leaf { block: there, hold } if there.contains(block) => Some((there, hold)),
            Node::Leaf { .. } | Node::Branch { .. } => None,
        }
    }

    /// The first held block, by address, that has an address in common with `block`.
    pub fn overlapping(&self, nodes: &Nodes<A>, block: Block<A>) -> Option<(Block<A>, u32)> {
        let link = self.nearest(nodes, block)?;
        nodes
            .node(link)
            .block()
            .overlaps(block)
            .then(|| nodes.lowest_below(link))
    }

    /// Where the paths to several blocks end. All go down a branch at a time, so that none waits for what
    /// another one has to wait for from memory.
    pub(super) fn nearest_of(&self, nodes: &Nodes<A>, blocks: &[Block<A>]) -> Vec<Link> {
        let mut links = vec![self.top; blocks.len()];
        let mut open = !self.is_empty();
        while open {
            open = false;
            for (link, block) in links.iter_mut().zip(blocks) {
                if let Node::Branch {
                    block: there,
                    low,
                    high,
                } = nodes.node(*link)
                    && there.contains(*block)
                    && there.length < block.length
                {
                    let goes_high = goes_high(*block, there.length);
                    *link = if goes_high { high.link } else { low.link };
                    open = true;
                }
            }
        }
        links
    }

    /// The node at which the path to `block` ends: the first one that does not contain it strictly.
    fn nearest(&self, nodes: &Nodes<A>, block: Block<A>) -> Option<Link> {
        if self.is_empty() || !self.cidr.overlaps(block) {
            return None;
        }
        let mut link = self.top;
        loop {
            match nodes.node(link) {
                Node::Branch {
                    block: there,
                    low,
                    high,
                    ..
                } if there.contains(block) && there.length < block.length => {
                    link = if goes_high(block, there.length) {
                        high.link
                    } else {
                        low.link
                    };
                }
                Node::Leaf { .. } | Node::Branch { .. } => return Some(link),
            }
        }
    }
}
