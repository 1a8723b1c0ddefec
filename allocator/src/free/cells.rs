//! The layout of a CIDR as cells of one length: what is free, what is held, and what is both.

use core::ops::ControlFlow;

use super::nodes::{Node, Nodes, Side, edge};
use super::trie::Trie;
use super::width::{Block, Width};

/// A piece of the layout. Pieces come by address, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<A> {
    /// A maximal free block that is at least a cell.
    Free(Block<A>),
    /// A held block that is at least a cell.
    Held(Block<A>, u32),
    /// A cell in which something smaller is held, and the length of its largest free block.
    Mixed(Block<A>, Option<u8>),
}

/// What is wanted: cells of a length, from an address on.
#[derive(Debug, Clone, Copy)]
struct Cells<A> {
    length: u8,
    from: A,
}

impl<A: Width> Trie<A> {
    /// Visits the layout from the piece on that contains `from`. Each visit costs O(address bits); what
    /// lies below a cell is not looked at.
    pub fn cells(
        &self,
        nodes: &Nodes<A>,
        length: u8,
        from: A,
        visit: &mut impl FnMut(Piece<A>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let cells = Cells { length, from };
        if self.is_empty() {
            return cells.free(self.cidr, visit);
        }
        cells.below(nodes, self.top_side(nodes), visit)
    }
}

impl<A: Width> Cells<A> {
    fn free(
        self,
        block: Block<A>,
        visit: &mut impl FnMut(Piece<A>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if block.last() < self.from {
            return ControlFlow::Continue(());
        }
        visit(Piece::Free(block))
    }

    /// The recursion goes down at least one bit each time, and not below a cell.
    fn below(
        self,
        nodes: &Nodes<A>,
        side: Side<A>,
        visit: &mut impl FnMut(Piece<A>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if side.slot.last() < self.from {
            return ControlFlow::Continue(());
        }
        let node = nodes.node(side.link);
        let path = node.block();
        // Where the slot itself is no larger than a cell it is one piece.
        let end = path.length.min(self.length.max(side.slot.length));
        let siblings = edge::<A>(side.slot.length, end);
        let mut lower = siblings & path.address;
        while lower != A::ZERO {
            let length = lower.high_zeros().saturating_add(1);
            self.free(Block::around(path.address, length).sibling(), visit)?;
            lower = lower ^ A::bit(length);
        }
        self.piece(nodes, side, node, end, visit)?;
        let mut higher = siblings & !path.address;
        while higher != A::ZERO {
            let length = A::BITS.saturating_sub(higher.low_zeros());
            self.free(Block::around(path.address, length).sibling(), visit)?;
            higher = higher ^ A::bit(length);
        }
        ControlFlow::Continue(())
    }

    /// What hangs in a slot, apart from the free blocks beside it.
    fn piece(
        self,
        nodes: &Nodes<A>,
        side: Side<A>,
        node: Node<A>,
        end: u8,
        visit: &mut impl FnMut(Piece<A>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let path = node.block();
        match node {
            Node::Leaf { block, hold } if block.length == end => {
                if block.last() < self.from {
                    return ControlFlow::Continue(());
                }
                visit(Piece::Held(block, hold))
            }
            Node::Branch { low, high, .. } if path.length < self.length => {
                self.below(nodes, low, visit)?;
                self.below(nodes, high, visit)
            }
            Node::Leaf { .. } | Node::Branch { .. } => {
                let cell = Block::around(path.address, end);
                if cell.last() < self.from {
                    return ControlFlow::Continue(());
                }
                let inside = side.lengths & edge::<A>(end, A::BITS);
                let largest = (inside != A::ZERO).then(|| inside.high_zeros().saturating_add(1));
                visit(Piece::Mixed(cell, largest))
            }
        }
    }
}
