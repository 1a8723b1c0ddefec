//! Who has an address or block, at present.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::answer::Rejection;
use crate::name::Name;
use crate::prefix::Prefix;
use crate::record::{HoldId, Holder, PoolId, TenantId};
use crate::view::LookupView;

use super::State;

impl State {
    /// Who has that address or block: the pools around it, the root first, and what the innermost of
    /// them holds there. Nothing, where no pool of the space contains it.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`].
    pub fn lookup(
        &self,
        tenant: &Name,
        space: &Name,
        query: Prefix,
    ) -> Result<LookupView, Rejection> {
        let (pools, holds) = self.chain(self.tenant_find(tenant)?, space, query);
        // Where a child pool contains the block, what the child holds there is asked for, and not that
        // the parent holds the child.
        let innermost = if holds.len() == pools.len() {
            holds.last().copied()
        } else {
            None
        };
        let claim = innermost.and_then(|id| {
            let hold = self.tables.hold(id);
            hold.claim()
                .map(|claim| Box::new(self.claim_view(hold, claim)))
        });
        Ok(LookupView {
            query,
            pools: pools.iter().map(|id| self.pool_names(*id)).collect(),
            allocation: innermost.map(|id| self.allocation_view(id)),
            claim,
        })
    }

    /// The pools that contain a block, the root first, and the holds that do, the outermost first.
    pub(super) fn chain(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
    ) -> (Vec<PoolId>, Vec<HoldId>) {
        let (mut pools, mut holds) = (Vec::new(), Vec::new());
        let root = self.index.root_overlapping(tenant, space, block);
        let mut next = root
            .filter(|(cidr, _)| cidr.contains(block))
            .map(|(_, pool)| pool);
        // A child lies in its parent and is one deeper: at most as many steps as pools nest.
        while let Some(pool) = next {
            pools.push(pool);
            let hold = self
                .pool_index(pool)
                .trie(block)
                .and_then(|trie| trie.covering(&self.index.nodes, block));
            next = hold.and_then(|id| {
                holds.push(id);
                match self.tables.hold(id).holder {
                    Holder::Child { pool } => Some(pool),
                    Holder::Claim(_) | Holder::Reservation { .. } => None,
                }
            });
        }
        (pools, holds)
    }
}
