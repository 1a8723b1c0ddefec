//! Lists of what is held: from a tenant's pools, and by it from others'.

use alloc::boxed::Box;
use core::ops::ControlFlow;

use crate::answer::Rejection;
use crate::filter::{AllocationFilter, AllocationKey};
use crate::name::Name;
use crate::prefix::{Address, Prefix};
use crate::record::{Claim, Hold, HoldId, Holder, Pool, PoolId, TenantId};
use crate::view::{AllocationView, Page};

use super::State;
use super::list::{Pager, Sight, block_passes, owner_passes, passes};

impl State {
    /// What is held from a tenant's pools, by name of the pool and address, and then what it holds of
    /// other tenants' pools, by address.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`].
    pub fn allocations(
        &self,
        tenant: &Name,
        filter: &AllocationFilter,
        after: Option<&AllocationKey>,
        limit: usize,
    ) -> Result<Page<AllocationView, AllocationKey>, Rejection> {
        let tenant = self.tenant_find(tenant)?;
        let mut pager = Pager::new(limit);
        let flow = self.allocations_of(tenant, Sight::Tenant, filter, after, &mut pager);
        Ok(pager.page(flow.is_break()))
    }

    /// Adds a tenant's allocations after a key; breaks off when the page is full.
    pub(super) fn allocations_of(
        &self,
        tenant: TenantId,
        sight: Sight,
        filter: &AllocationFilter,
        after: Option<&AllocationKey>,
        pager: &mut Pager<AllocationView, AllocationKey>,
    ) -> ControlFlow<()> {
        if let Some(few) = self.few_owned_allocations(tenant, sight, filter, after) {
            for id in few {
                if pager.is_full() {
                    return ControlFlow::Break(());
                }
                let hold = self.tables.hold(id);
                let passes = allocations_pool_passes(self.tables.pool(hold.pool), filter)
                    && self.allocation_passes(tenant, hold, filter);
                let item = passes.then(|| self.allocation_view(id));
                pager.row(self.allocation_key(tenant, id), item);
            }
            return ControlFlow::Continue(());
        }
        let own = match after {
            None => None,
            Some(AllocationKey::Own { pool, cidr }) => Some((pool, *cidr)),
            Some(AllocationKey::Foreign { cidr, hold }) => {
                let after = Some((*cidr, *hold));
                return self.allocations_elsewhere(tenant, sight, after, filter, pager);
            }
        };
        let begun = own.and_then(|(pool, cidr)| Some((self.pool_find(tenant, pool)?, Some(cidr))));
        let rest: Box<dyn Iterator<Item = PoolId>> = match &filter.pool {
            Some(name) if own.is_none_or(|(at, _)| name > at) => {
                Box::new(self.pool_find(tenant, name).into_iter())
            }
            Some(_) => Box::new(core::iter::empty()),
            None => Box::new(self.pools_after(tenant, own.map(|(pool, _)| pool))),
        };
        let rest = rest.map(|id| (id, None));
        for (id, from) in begun.into_iter().chain(rest) {
            let pool = self.tables.pool(id);
            if allocations_pool_passes(pool, filter) {
                self.allocations_of_pool(id, sight, from, filter, pager)?;
                continue;
            }
            // A pool that is passed over is a row too; its key stands after all that it holds.
            if pager.is_full() {
                return ControlFlow::Break(());
            }
            let (pool, cidr) = (pool.spec.name.clone(), last_of_all());
            pager.row(AllocationKey::Own { pool, cidr }, None);
        }
        self.allocations_elsewhere(tenant, sight, None, filter, pager)
    }

    /// Adds what a tenant holds of other tenants' pools, after a block; breaks off when the page is full.
    fn allocations_elsewhere(
        &self,
        tenant: TenantId,
        sight: Sight,
        after: Option<(Prefix, HoldId)>,
        filter: &AllocationFilter,
        pager: &mut Pager<AllocationView, AllocationKey>,
    ) -> ControlFlow<()> {
        if sight == Sight::Tenant && filter.pool.is_some() {
            return ControlFlow::Continue(());
        }
        for (cidr, id) in self.index.foreign.after(tenant, after) {
            if pager.is_full() {
                return ControlFlow::Break(());
            }
            let hold = self.tables.hold(id);
            let passes = allocations_pool_passes(self.tables.pool(hold.pool), filter)
                && self.allocation_passes(tenant, hold, filter);
            let item = passes.then(|| self.allocation_view(id));
            pager.row(AllocationKey::Foreign { cidr, hold: id }, item);
        }
        ControlFlow::Continue(())
    }

    /// Adds the holds of one pool after a block; breaks off when the page is full.
    fn allocations_of_pool(
        &self,
        pool: PoolId,
        sight: Sight,
        after: Option<Prefix>,
        filter: &AllocationFilter,
        pager: &mut Pager<AllocationView, AllocationKey>,
    ) -> ControlFlow<()> {
        let (tenant, name) = {
            let pool = self.tables.pool(pool);
            (pool.tenant, &pool.spec.name)
        };
        for trie in &self.pool_index(pool).tries {
            trie.holds_from(&self.index.nodes, after.map(Prefix::first), &mut |id| {
                let hold = self.tables.hold(id);
                if after.is_some_and(|after| hold.block <= after) {
                    return ControlFlow::Continue(());
                }
                if pager.is_full() {
                    return ControlFlow::Break(());
                }
                let listed = sight == Sight::Tenant || self.holder_tenant(hold) == tenant;
                let passes = listed && self.allocation_passes(tenant, hold, filter);
                let item = passes.then(|| self.allocation_view(id));
                pager.row(
                    AllocationKey::Own {
                        pool: name.clone(),
                        cidr: hold.block,
                    },
                    item,
                );
                ControlFlow::Continue(())
            })?;
        }
        ControlFlow::Continue(())
    }

    /// The tenant whose object a hold is; what is withheld is the pool's.
    fn holder_tenant(&self, hold: &Hold) -> TenantId {
        match &hold.holder {
            Holder::Claim(claim) => claim.tenant,
            Holder::Child { pool } => self.tables.pool(*pool).tenant,
            Holder::Reservation { .. } => self.tables.pool(hold.pool).tenant,
        }
    }

    /// Whether an allocation is one of those that are wanted. Owner and labels are the holder's own
    /// affair: another tenant finds nothing by them.
    fn allocation_passes(&self, viewer: TenantId, hold: &Hold, filter: &AllocationFilter) -> bool {
        let child = match &hold.holder {
            Holder::Child { pool } => Some(self.tables.pool(*pool)),
            Holder::Claim(_) | Holder::Reservation { .. } => None,
        };
        let child = child
            .filter(|child| child.tenant == viewer)
            .map(|child| &*child.spec);
        let claim = hold.claim().filter(|claim| claim.tenant == viewer);
        let owner = claim
            .and_then(Claim::owner)
            .or_else(|| child.and_then(|child| child.owner.as_ref()));
        let label = |key: &str| match (claim, child) {
            (Some(claim), _) => claim.label(key),
            (None, Some(child)) => child.labels.get(key).map(|value| &**value),
            (None, None) => None,
        };
        passes(filter.purpose, |purpose| hold.purpose() == purpose)
            && passes(filter.phase, |phase| hold.phase == phase)
            && block_passes(hold.block, None, filter.within, filter.contains)
            && owner_passes(owner, filter.owner.as_ref(), filter.owner_prefix.as_ref())
            && passes(filter.allocated_before_ms, |before| {
                hold.allocated_at_ms < before
            })
            && filter.labels.matches(label)
    }

    /// The allocation of exactly that block: where it is held on several levels (a claim of a whole
    /// child pool), the innermost.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`], [`Rejection::AllocationNotFound`].
    pub fn allocation(
        &self,
        tenant: &Name,
        space: &Name,
        cidr: Prefix,
    ) -> Result<AllocationView, Rejection> {
        let id = self.tenant_find(tenant)?;
        let exact = self.chains(id, space, cidr).find_map(|(_, holds)| {
            let is_exact = |hold: &HoldId| self.tables.hold(*hold).block == cidr;
            holds.into_iter().rev().find(is_exact)
        });
        exact
            .map(|hold: HoldId| self.allocation_view(hold))
            .ok_or_else(|| Rejection::AllocationNotFound {
                tenant: tenant.clone(),
                space: space.clone(),
                cidr,
            })
    }
}

fn allocations_pool_passes(pool: &Pool, filter: &AllocationFilter) -> bool {
    passes(filter.pool.as_ref(), |name| pool.spec.name == *name)
        && passes(filter.space.as_ref(), |space| pool.space == *space)
        && passes(filter.family, |family| pool.family == family)
}

/// No block stands after it.
fn last_of_all() -> Prefix {
    Prefix::single(Address::from([u8::MAX; 16]))
}
