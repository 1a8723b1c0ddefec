//! Free space: which blocks of a CIDR are held, and where there is room.
//!
//! A [`Trie`] is the sparse binary trie of one CIDR: a leaf for each held block, a branch where two
//! of them part, nothing for what is free. The nodes of all tries of a family live in one
//! [`Nodes`]; a trie is a link into it and a few counters.
//!
//! What is promised: taking, giving, finding the lowest (or the best fitting) free block, telling
//! who holds or covers a block, and counting free blocks of every length cost O(address bits),
//! however many blocks are held and however large the CIDR is. Nothing is built or scanned for it.
//! What is never done: a block is never taken twice, and nothing here knows of pools or claims.
//!
//! A *maximal* free block is an aligned block that is free while the block of one bit less that
//! contains it is not.
//!
//! Invariants, checked by [`Trie::audit`]:
//! 1. A branch has two children that part at its length; no leaf lies within another.
//! 2. A branch knows, for each side, the set of the lengths of the maximal free blocks there.
//! 3. `counts` of a trie has the number of its maximal free blocks of each length.
//!
//! A set of lengths is a mask of the address's own width in which the bit of length *n* is the
//! *n*-th from the top: the bit of the address that a block of that length decides. So the free
//! siblings along the path to a node are a mask too: those to the left of the path are where the
//! address has a one. Length 0 needs no bit: it is free only when nothing at all is held.

mod arena;
mod cells;
mod family;
mod find;
mod iterate;
mod nodes;
mod trie;
mod width;

pub(crate) use arena::Arena;
pub use cells::Piece;
pub(crate) use family::{CidrTrie, FreeNodes, Layout, Span};
pub use find::Wanted;
pub use nodes::Nodes;
pub use trie::{Refused, Trie};
pub use width::{Block, Width};
