//! What is kept of one pool: the tries of its blocks, and counts.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::command::Strategy;
use crate::count::Count;
use crate::free::{CidrTrie, FreeNodes};
use crate::prefix::Prefix;
use crate::record::{HoldId, Pool, PoolId};
use crate::view::{ClaimCounts, Phase};

use super::policy::Policy;
use super::pool_fields;
use super::shares::Shares;

/// What is kept of one pool.
#[derive(Debug)]
pub(super) struct PoolIndex {
    /// One for each block, by address.
    pub(super) tries: Vec<CidrTrie>,
    pub(super) total: Count,
    /// Held by claims and child pools.
    pub(super) allocated: Count,
    pub(super) in_use: Count,
    pub(super) released: Count,
    pub(super) reserved: Count,
    pub(super) claims: ClaimCounts,
    /// Child pools by address.
    pub(super) children: BTreeSet<(Prefix, PoolId)>,
    /// Held by claims in it and in the pools below it.
    pub(super) held_below: Count,
    /// Of a pool with `LeastUtilized`: its CIDRs by the share that is held of each.
    pub(super) shares: Option<Shares>,
    pub(super) policy: Policy,
    /// What is withheld by the pool's own policy.
    pub(super) withheld: BTreeMap<Prefix, HoldId>,
}

impl PoolIndex {
    pub(super) fn new(pool: &Pool) -> Self {
        let mut tries: Vec<CidrTrie> = pool
            .blocks
            .iter()
            .map(|block| CidrTrie::new(block.cidr))
            .collect();
        tries.sort_by_key(CidrTrie::cidr);
        let total = pool
            .blocks
            .iter()
            .fold(Count::ZERO, |sum, block| plus(sum, block.cidr.size()));
        let least_utilized = pool.spec.strategy == Strategy::LeastUtilized;
        Self {
            policy: Policy::new(pool_fields::withheld_of(pool)),
            withheld: BTreeMap::new(),
            shares: least_utilized.then(|| Shares::new(&tries)),
            tries,
            total,
            allocated: Count::ZERO,
            in_use: Count::ZERO,
            released: Count::ZERO,
            reserved: Count::ZERO,
            claims: ClaimCounts::default(),
            children: BTreeSet::new(),
            held_below: Count::ZERO,
        }
    }

    /// Takes the blocks and the strategy of an edited pool. What is held stays as it is: a block that
    /// goes holds nothing.
    pub(super) fn blocks_change(&mut self, pool: &Pool) {
        let mut tries: Vec<CidrTrie> = Vec::with_capacity(pool.blocks.len());
        for block in &pool.blocks {
            let there = self.tries.iter().position(|trie| trie.cidr() == block.cidr);
            tries.push(match there {
                Some(place) => self.tries.swap_remove(place),
                None => CidrTrie::new(block.cidr),
            });
        }
        let bits = pool.family.bits();
        for trie in &self.tries {
            assert!(
                trie.available(bits) == trie.cidr().size(),
                "only a block that holds nothing is taken from a pool"
            );
        }
        tries.sort_by_key(CidrTrie::cidr);
        self.total = tries
            .iter()
            .fold(Count::ZERO, |sum, trie| plus(sum, trie.cidr().size()));
        self.shares = (pool.spec.strategy == Strategy::LeastUtilized).then(|| {
            let mut shares = Shares::new(&tries);
            for (place, trie) in tries.iter().enumerate() {
                shares.change(place, |_| minus(trie.cidr().size(), trie.available(bits)));
            }
            shares
        });
        self.tries = tries;
    }

    /// Place of the trie whose CIDR contains a block.
    fn trie_place(&self, block: Prefix) -> Option<usize> {
        let after = self
            .tries
            .partition_point(|trie| trie.cidr().first() <= block.first());
        let place = after.checked_sub(1)?;
        self.tries
            .get(place)
            .filter(|trie| trie.cidr().contains(block))
            .map(|_| place)
    }

    /// The trie whose CIDR contains a block.
    pub(super) fn trie(&self, block: Prefix) -> Option<&CidrTrie> {
        self.tries.get(self.trie_place(block)?)
    }

    /// The same, to be changed.
    pub(super) fn trie_mut(&mut self, block: Prefix) -> Option<&mut CidrTrie> {
        let place = self.trie_place(block)?;
        self.tries.get_mut(place)
    }

    /// A block is held now, or is not any more.
    pub(super) fn share_change(&mut self, block: Prefix, change: impl Fn(Count) -> Count) {
        if self.shares.is_some()
            && let Some(place) = self.trie_place(block)
            && let Some(shares) = &mut self.shares
        {
            shares.change(place, change);
        }
    }

    /// Addresses that are neither held nor withheld.
    pub(super) fn available(&self) -> Count {
        [self.allocated, self.released, self.reserved]
            .into_iter()
            .fold(self.total, minus)
    }

    /// Length of the largest free block.
    pub(super) fn largest(&self, nodes: &FreeNodes) -> Option<u8> {
        self.tries
            .iter()
            .filter_map(|trie| trie.largest(nodes))
            .min()
    }

    /// How many blocks of a length could be taken one after the other.
    pub(super) fn blocks_available(&self, length: u8) -> Count {
        self.tries
            .iter()
            .fold(Count::ZERO, |sum, trie| plus(sum, trie.available(length)))
    }
}

/// The sum of disjoint parts of one family's address space.
pub(super) fn plus(sum: Count, part: Count) -> Count {
    sum.checked_add(part)
        .expect("disjoint blocks of a family have at most 2^128 addresses")
}

/// What remains when a part is taken from a sum that has it.
pub(super) fn minus(sum: Count, part: Count) -> Count {
    sum.checked_sub(part)
        .expect("what is taken from a sum was counted in it")
}

impl PoolIndex {
    pub(super) fn count_claim(&mut self, phase: Phase, reservation: bool, size: Count) {
        if reservation {
            self.reserved = plus(self.reserved, size);
            self.claims.allocated = self.claims.allocated.saturating_add(1);
            return;
        }
        match phase {
            Phase::Allocated => {}
            Phase::InUse => {
                self.in_use = plus(self.in_use, size);
                self.claims.in_use = self.claims.in_use.saturating_add(1);
            }
            Phase::Released => {
                self.released = plus(self.released, size);
                self.claims.released = self.claims.released.saturating_add(1);
                return;
            }
        }
        self.allocated = plus(self.allocated, size);
        self.claims.allocated = self.claims.allocated.saturating_add(1);
    }

    pub(super) fn discount_claim(&mut self, phase: Phase, reservation: bool, size: Count) {
        if reservation {
            self.reserved = minus(self.reserved, size);
            self.claims.allocated = self.claims.allocated.saturating_sub(1);
            return;
        }
        match phase {
            Phase::Allocated => {}
            Phase::InUse => {
                self.in_use = minus(self.in_use, size);
                self.claims.in_use = self.claims.in_use.saturating_sub(1);
            }
            Phase::Released => {
                self.released = minus(self.released, size);
                self.claims.released = self.claims.released.saturating_sub(1);
                return;
            }
        }
        self.allocated = minus(self.allocated, size);
        self.claims.allocated = self.claims.allocated.saturating_sub(1);
    }
}
