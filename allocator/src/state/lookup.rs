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
    /// none does, from a root inside it; or the tenant holds something there of other tenants' pools.
    fn held_inside(&self, tenant: TenantId, space: &Name, pools: &[PoolId], block: Prefix) -> bool {
        let holds = |pool: PoolId, block: Prefix| {
            let trie = self.pool_index(pool).trie(block);
            trie.is_some_and(|trie| trie.overlapping(&self.index.nodes, block).is_some())
        };
        let own = match pools.last() {
            Some(innermost) => holds(*innermost, block),
            None => self
                .index
                .roots_inside(tenant, space, block)
                .take(LIST_ROWS_MAX)
                .any(|(cidr, pool)| holds(pool, cidr)),
        };
        own || self.foreign_inside(tenant, space, block).next().is_some()
    }

    /// What a tenant holds inside a block of other tenants' pools in a space of that name; of at most so
    /// many there in all spaces.
    pub(super) fn foreign_inside(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
    ) -> impl Iterator<Item = HoldId> {
        self.index
            .foreign
            .inside(tenant, block)
            .take(LIST_ROWS_MAX)
            .filter(move |id| {
                let pool = self.tables.hold(*id).pool;
                self.tables.pool(pool).space == *space
            })
    }

    /// The pools that contain a block, the root first, and the holds that do, the outermost first: of
    /// the ways down that the tenant has, the one that goes furthest; its own root's where two go as far.
    pub(super) fn chain(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
    ) -> (Vec<PoolId>, Vec<HoldId>) {
        let depth = |chain: &(Vec<PoolId>, Vec<HoldId>)| {
            let innermost = chain.1.last();
            innermost.map_or(0, |id| {
                self.tables.hold(*id).block.length().saturating_add(1)
            })
        };
        let further = |one: (Vec<PoolId>, Vec<HoldId>), other: (Vec<PoolId>, Vec<HoldId>)| {
            if depth(&other) > depth(&one) {
                other
            } else {
                one
            }
        };
        self.chains(tenant, space, block)
            .reduce(further)
            .unwrap_or_default()
    }

    /// The ways down to a block: from the tenant's own root, and from what it holds of other tenants'
    /// pools in a space of that name, the widest first.
    pub(super) fn chains(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
    ) -> impl Iterator<Item = (Vec<PoolId>, Vec<HoldId>)> {
        let root = self.index.root_overlapping(tenant, space, block);
        let root = root.filter(|(cidr, _)| cidr.contains(block));
        let own = root.map(|(_, pool)| self.chain_from(tenant, Some(pool), None, block));
        let elsewhere = self
            .index
            .foreign
            .around(tenant, block)
            .filter(move |id| {
                let pool = self.tables.hold(*id).pool;
                self.tables.pool(pool).space == *space
            })
            .map(move |id| {
                let next = match self.tables.hold(id).holder {
                    Holder::Child { pool } => Some(pool),
                    Holder::Claim(_) | Holder::Reservation { .. } => None,
                };
                self.chain_from(tenant, next, Some(id), block)
            });
        own.into_iter().chain(elsewhere)
    }

    /// The way down from a pool, or from a hold to its child pool: as far as the tenant may see.
    fn chain_from(
        &self,
        tenant: TenantId,
        mut next: Option<PoolId>,
        begin: Option<HoldId>,
        block: Prefix,
    ) -> (Vec<PoolId>, Vec<HoldId>) {
        let mut holds: Vec<HoldId> = begin.into_iter().collect();
        let mut pools: Vec<PoolId> = holds.iter().map(|id| self.tables.hold(*id).pool).collect();
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
            // What another tenant does inside its own pool is its own affair.
            next = next.filter(|id| {
                let pool = self.tables.pool(*id);
                pool.tenant == tenant || pool.spec.shared_with.allows(self.tenant_name(tenant))
            });
        }
        (pools, holds)
    }
}
