//! Where a pool has room.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::answer::Rejection;
use crate::count::Count;
use crate::free::{CidrTrie, Wanted};
use crate::name::Name;
use crate::prefix::{Address, Family, Prefix, address_number, address_of_number};

use super::State;
use super::list::LIST_ROWS_MAX;
use super::pool_index::{PoolIndex, plus};

impl State {
    /// The family of a pool.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`], [`Rejection::PoolNotFound`].
    pub fn pool_family(&self, tenant: &Name, pool: &Name) -> Result<Family, Rejection> {
        Ok(self.tables.pool(self.pool_get(tenant, pool)?).family)
    }

    /// Free blocks of a pool: of one length, by address, or the maximal ones, the largest first and
    /// then by address. At most `limit`, and at most 2,000; none of a length that the family does
    /// not have.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`], [`Rejection::PoolNotFound`].
    pub fn free_blocks(
        &self,
        tenant: &Name,
        pool: &Name,
        prefix_length: Option<u8>,
        limit: usize,
    ) -> Result<Vec<Prefix>, Rejection> {
        let index = self.pool_index(self.pool_get(tenant, pool)?);
        let limit = limit.min(LIST_ROWS_MAX);
        Ok(match prefix_length {
            Some(length) => self.blocks_of_length(index, length, limit),
            None => self.maximal_blocks(index, limit),
        })
    }

    /// How many free blocks a pool has: of one length, or maximal ones.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`], [`Rejection::PoolNotFound`].
    pub fn free_count(
        &self,
        tenant: &Name,
        pool: &Name,
        prefix_length: Option<u8>,
    ) -> Result<Count, Rejection> {
        let index = self.pool_index(self.pool_get(tenant, pool)?);
        Ok(if let Some(length) = prefix_length {
            index.blocks_available(length)
        } else {
            let counts = index
                .tries
                .iter()
                .flat_map(|trie| lengths(trie).map(|length| trie.count(length)));
            counts.fold(Count::ZERO, |sum, count| {
                plus(sum, Count::from(u64::from(count)))
            })
        })
    }

    fn maximal_blocks(&self, index: &PoolIndex, limit: usize) -> Vec<Prefix> {
        let mut blocks = Vec::new();
        for length in 0..=128 {
            for trie in index.tries.iter().filter(|trie| trie.count(length) > 0) {
                let full = trie.free(&self.index.nodes, Wanted::Exactly(length), &mut |block| {
                    push(&mut blocks, block, limit)
                });
                if full.is_break() {
                    return blocks;
                }
            }
        }
        blocks
    }

    fn blocks_of_length(&self, index: &PoolIndex, length: u8, limit: usize) -> Vec<Prefix> {
        let mut blocks = Vec::new();
        // Each free block that is visited has a block of the length, so that the limit bounds the walk;
        // a longer one than the family's would visit them all and find none.
        let tries = index
            .tries
            .iter()
            .filter(|trie| length <= trie.cidr().family().bits());
        for trie in tries {
            let full = trie.free(&self.index.nodes, Wanted::UpTo(length), &mut |whole| {
                let mut next = Prefix::around(whole.first(), length);
                while let Some(block) = next.filter(|block| whole.contains(*block)) {
                    push(&mut blocks, block, limit)?;
                    next = address_after(block).and_then(|address| Prefix::around(address, length));
                }
                ControlFlow::Continue(())
            });
            if full.is_break() {
                break;
            }
        }
        blocks
    }
}

/// Lengths that a block in a CIDR can have.
fn lengths(trie: &CidrTrie) -> impl Iterator<Item = u8> {
    let cidr = trie.cidr();
    cidr.length()..=cidr.family().bits()
}

fn push(blocks: &mut Vec<Prefix>, block: Prefix, limit: usize) -> ControlFlow<()> {
    if blocks.len() >= limit {
        return ControlFlow::Break(());
    }
    blocks.push(block);
    ControlFlow::Continue(())
}

/// The first address after a block.
fn address_after(block: Prefix) -> Option<Address> {
    address_of_number(block.family(), address_number(block.last()).checked_add(1)?)
}
