//! Who has an address or block, at present.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::answer::Rejection;
use crate::name::Name;
use crate::prefix::Prefix;
use crate::record::{HoldId, Holder, PoolId, TenantId};
use crate::view::LookupView;

use super::State;
use super::list::LIST_ROWS_MAX;

impl State {
    /// Who has that address or block: the pools around it, the root first, and what the innermost of
    /// them holds there. For exactly a child pool's own block, which the child itself does not hold as
    /// a whole, that is the child. Where no pool of the space contains it, it is at most held in part:
    /// by what the first 2,000 root blocks inside it hold.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`].
    pub fn lookup(
        &self,
        tenant: &Name,
        space: &Name,
        query: Prefix,
    ) -> Result<LookupView, Rejection> {
        let tenant = self.tenant_find(tenant)?;
        let (pools, holds) = self.chain(tenant, space, query);
        // Where a child pool contains the block, what the child holds there is asked for, and not that
        // the parent holds the child; unless it is the child that is asked for.
        let innermost = holds
            .last()
            .copied()
            .filter(|id| holds.len() == pools.len() || self.tables.hold(*id).block == query);
        let claim = innermost.and_then(|id| {
            let hold = self.tables.hold(id);
            hold.claim()
                .filter(|_| hold.kept().is_none())
                .map(|claim| Box::new(self.claim_view(hold, claim)))
        });
        Ok(LookupView {
            query,
            pools: pools.iter().map(|id| self.pool_names(*id)).collect(),
            allocation: innermost.map(|id| self.allocation_view(id)),
            held_in_part: innermost.is_none() && self.held_inside(tenant, space, &pools, query),
            claim,
        })
    }

    /// Something inside a block is held from the innermost of the pools that contain it, or, where
    /// none does, from a root inside it.
    fn held_inside(&self, tenant: TenantId, space: &Name, pools: &[PoolId], block: Prefix) -> bool {
        let holds = |pool: PoolId, block: Prefix| {
            let trie = self.pool_index(pool).trie(block);
            trie.is_some_and(|trie| trie.overlapping(&self.index.nodes, block).is_some())
        };
        match pools.last() {
            Some(innermost) => holds(*innermost, block),
            None => self
                .index
                .roots_inside(tenant, space, block)
                .take(LIST_ROWS_MAX)
                .any(|(cidr, pool)| holds(pool, cidr)),
        }
    }

    /// Where a tenant has no root around a block: the pool of another tenant that it holds of there, and
    /// its child pool, if that is what it holds. A space is told by its name.
    fn chain_elsewhere(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
        pools: &mut Vec<PoolId>,
        holds: &mut Vec<HoldId>,
    ) -> Option<PoolId> {
        let mut around = self.index.foreign.around(tenant, block);
        let id = around.find(|id| {
            let pool = self.tables.hold(*id).pool;
            self.tables.pool(pool).space == *space
        })?;
        let hold = self.tables.hold(id);
        pools.push(hold.pool);
        holds.push(id);
        match hold.holder {
            Holder::Child { pool } => Some(pool),
            Holder::Claim(_) | Holder::Reservation { .. } => None,
        }
    }

    /// The pools that contain a block, the root first, and the holds that do, the outermost first. What
    /// a tenant holds of another one's pool begins with that pool.
    pub(super) fn chain(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
    ) -> (Vec<PoolId>, Vec<HoldId>) {
        let (mut pools, mut holds) = (Vec::new(), Vec::new());
        let root = self.index.root_overlapping(tenant, space, block);
        let root = root.filter(|(cidr, _)| cidr.contains(block));
        let mut next = match root {
            Some((_, pool)) => Some(pool),
            None => self.chain_elsewhere(tenant, space, block, &mut pools, &mut holds),
        };
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
