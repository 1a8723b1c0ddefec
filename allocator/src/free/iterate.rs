//! Going through held and free blocks in order of address, as far as the caller wants.

use core::ops::ControlFlow;

use super::find::Wanted;
use super::nodes::{Link, Node, Nodes, Side, edge};
use super::trie::Trie;
use super::width::{Block, Width};

impl<A: Width> Trie<A> {
    /// Visits the held blocks whose first address is in a range, both ends inclusive, by address.
    /// Each visit costs O(address bits).
    pub fn holds(
        &self,
        nodes: &Nodes<A>,
        first: A,
        last: A,
        visit: &mut impl FnMut(Block<A>, u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.is_empty() {
            return ControlFlow::Continue(());
        }
        holds_below(nodes, self.top, first, last, visit)
    }

    /// Visits the maximal free blocks that are wanted, by address. Each visit costs O(address bits).
    pub fn free(
        &self,
        nodes: &Nodes<A>,
        wanted: Wanted,
        visit: &mut impl FnMut(Block<A>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !self.is_empty() {
            return free_below(nodes, self.top_side(nodes), wanted.lengths::<A>(), visit);
        }
        if wanted.allows(self.cidr.length) {
            visit(self.cidr)
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// The recursion goes down at least one bit each time.
fn holds_below<A: Width>(
    nodes: &Nodes<A>,
    link: Link,
    first: A,
    last: A,
    visit: &mut impl FnMut(Block<A>, u32) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match nodes.node(link) {
        Node::Leaf { block, hold } if first <= block.address && block.address <= last => {
            visit(block, hold)
        }
        Node::Branch {
            block, low, high, ..
        } if block.address <= last && first <= block.last() => {
            holds_below(nodes, low.link, first, last, visit)?;
            holds_below(nodes, high.link, first, last, visit)
        }
        Node::Leaf { .. } | Node::Branch { .. } => ControlFlow::Continue(()),
    }
}

/// The recursion goes down at least one bit each time, and only to where something is wanted.
fn free_below<A: Width>(
    nodes: &Nodes<A>,
    side: Side<A>,
    wanted: A,
    visit: &mut impl FnMut(Block<A>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if side.lengths & wanted == A::ZERO {
        return ControlFlow::Continue(());
    }
    let node = nodes.node(side.link);
    let path = node.block();
    let siblings = edge::<A>(side.slot.length, path.length) & wanted;
    let mut lower = siblings & path.address;
    while lower != A::ZERO {
        let length = lower.high_zeros().saturating_add(1);
        visit(Block::around(path.address, length).sibling())?;
        lower = lower ^ A::bit(length);
    }
    if let Node::Branch { low, high, .. } = node {
        free_below(nodes, low, wanted, visit)?;
        free_below(nodes, high, wanted, visit)?;
    }
    let mut higher = siblings & !path.address;
    while higher != A::ZERO {
        let length = A::BITS.saturating_sub(higher.low_zeros());
        visit(Block::around(path.address, length).sibling())?;
        higher = higher ^ A::bit(length);
    }
    ControlFlow::Continue(())
}
