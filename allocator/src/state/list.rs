//! Lists and single objects. A list goes on after a key and examines a bounded number of rows, so
//! that no reader holds the state for long: a page may be short, or empty, and still have a next key.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::answer::Rejection;
use crate::filter::{AllocationFilter, AllocationKey, ClaimFilter, PoolFilter};
use crate::name::{Name, Owner};
use crate::ordered::Key;
use crate::prefix::{Address, Family, Prefix};
use crate::record::{Claim, Hold, HoldId, Holder, Pool, PoolId, TenantId};
use crate::view::{AllocationView, ClaimView, Page, PoolView, TenantView};

use super::State;

/// Most rows that one call examines.
pub(super) const LIST_ROWS_MAX: usize = 2_000;

/// Examines rows until the page is full or the rows are many enough.
pub(super) struct Pager<T, K> {
    items: Vec<T>,
    limit: usize,
    rows: usize,
    /// Key of the last row examined.
    last: Option<K>,
}

impl<T, K> Pager<T, K> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            items: Vec::new(),
            limit: limit.clamp(1, LIST_ROWS_MAX),
            rows: 0,
            last: None,
        }
    }

    /// No further row is to be examined.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.rows >= LIST_ROWS_MAX
    }

    pub(super) fn row(&mut self, key: K, item: Option<T>) {
        self.rows = self.rows.saturating_add(1);
        self.last = Some(key);
        self.items.extend(item);
    }

    /// `more`: there is at least one row that was not examined.
    pub(super) fn page(self, more: bool) -> Page<T, K> {
        Page {
            items: self.items,
            next: self.last.filter(|_| more),
        }
    }
}

impl State {
    /// One tenant.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`].
    pub fn tenant(&self, tenant: &Name) -> Result<TenantView, Rejection> {
        Ok(self.tenant_view(self.tenant_find(tenant)?))
    }

    /// Tenants by name.
    pub fn tenants(&self, after: Option<&Name>, limit: usize) -> Page<TenantView, Name> {
        let mut pager = Pager::new(limit);
        let mut ids = self.tenants_after(after);
        let more = loop {
            match ids.next() {
                None => break false,
                Some(_) if pager.is_full() => break true,
                Some(id) => pager.row(self.tenant_name(id).clone(), Some(self.tenant_view(id))),
            }
        };
        pager.page(more)
    }

    pub(super) fn tenants_after(&self, after: Option<&Name>) -> impl Iterator<Item = TenantId> {
        let key = Key::text(0, after.map_or("", Name::as_str));
        self.index
            .tenant_names
            .after(key, self.tables.tenant_keys())
    }

    /// One pool.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`], [`Rejection::PoolNotFound`].
    pub fn pool(&self, tenant: &Name, pool: &Name) -> Result<PoolView, Rejection> {
        Ok(self.pool_view(self.pool_get(tenant, pool)?))
    }

    /// Pools of a tenant by name.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`].
    pub fn pools(
        &self,
        tenant: &Name,
        filter: &PoolFilter,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Page<PoolView, Name>, Rejection> {
        let mut pager = Pager::new(limit);
        let tenant = self.tenant_find(tenant)?;
        let mut ids: Box<dyn Iterator<Item = PoolId>> = match self.few_owned_pools(tenant, filter) {
            Some(few) => Box::new(few.into_iter().filter(move |id| {
                let name = &self.tables.pool(*id).spec.name;
                after.is_none_or(|after| name > after)
            })),
            None => Box::new(self.pools_after(tenant, after)),
        };
        let more = loop {
            match ids.next() {
                None => break false,
                Some(_) if pager.is_full() => break true,
                Some(id) => {
                    let pool = self.tables.pool(id);
                    let item = self.pool_passes(pool, filter).then(|| self.pool_view(id));
                    pager.row(pool.spec.name.clone(), item);
                }
            }
        };
        Ok(pager.page(more))
    }

    pub(super) fn pools_after(
        &self,
        tenant: TenantId,
        after: Option<&Name>,
    ) -> impl Iterator<Item = PoolId> {
        let key = Key::text(u64::from(tenant), after.map_or("", Name::as_str));
        let ids = self.index.pool_names.after(key, self.tables.pool_keys());
        ids.take_while(move |id| self.tables.pool(*id).tenant == tenant)
    }

    /// Pools of all tenants, by name of the tenant and of the pool.
    pub fn pools_everywhere(
        &self,
        after: Option<&(Name, Name)>,
        limit: usize,
    ) -> Page<PoolView, (Name, Name)> {
        let mut pager = Pager::new(limit);
        let (tenant, pool) =
            after.map_or((None, None), |(tenant, pool)| (Some(tenant), Some(pool)));
        let there = tenant.and_then(|tenant| self.tenant_find(tenant).ok());
        let rest_of_tenant = there.into_iter().flat_map(|id| self.pools_after(id, pool));
        let mut ids = rest_of_tenant.chain(
            self.tenants_after(tenant)
                .flat_map(|id| self.pools_after(id, None)),
        );
        let more = loop {
            match ids.next() {
                None => break false,
                Some(_) if pager.is_full() => break true,
                Some(id) => pager.row(self.pool_names(id), Some(self.pool_view(id))),
            }
        };
        pager.page(more)
    }

    fn pool_passes(&self, pool: &Pool, filter: &PoolFilter) -> bool {
        let parent = pool
            .parent
            .map(|(parent, _)| &*self.tables.pool(parent).spec)
            .filter(|parent| parent.tenant == pool.spec.tenant)
            .map(|parent| &parent.name);
        let owner = pool.spec.owner.as_ref();
        passes(filter.parent.as_ref(), |name| parent == Some(name))
            && passes(filter.space.as_ref(), |space| pool.space == *space)
            && passes(filter.family, |family| pool.family == family)
            && owner_passes(owner, filter.owner.as_ref(), filter.owner_prefix.as_ref())
            && passes(filter.within, |within| {
                pool.blocks.iter().any(|block| within.contains(block.cidr))
            })
            && passes(filter.contains, |address| {
                pool.blocks
                    .iter()
                    .any(|block| block.cidr.contains_address(address))
            })
            && filter.labels.matches_labels(&pool.spec.labels)
    }

    /// One claim.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`]; [`Rejection::ClaimNotFound`] with the last holding of that name.
    pub fn claim(&self, tenant: &Name, claim: &Name) -> Result<ClaimView, Rejection> {
        let tenant = self.tenant_find(tenant)?;
        match self.claim_find(tenant, claim) {
            Some(id) => Ok(self.claim_view_of(id)),
            None => Err(self.claim_not_found(tenant, claim)),
        }
    }

    /// Claims of a tenant by name.
    ///
    /// # Errors
    /// [`Rejection::TenantNotFound`].
    pub fn claims(
        &self,
        tenant: &Name,
        filter: &ClaimFilter,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Page<ClaimView, Name>, Rejection> {
        let tenant = self.tenant_find(tenant)?;
        let key = Key::text(u64::from(tenant), after.map_or("", Name::as_str));
        let mut ids: Box<dyn Iterator<Item = HoldId>> = match self.few_owned_claims(tenant, filter)
        {
            Some(few) => Box::new(few.into_iter().filter(move |id| {
                let name = self.tables.hold(*id).claim().map(|claim| &claim.name);
                after.is_none_or(|after| name > Some(after))
            })),
            None => Box::new(self.index.claim_names.after(key, self.tables.claim_keys())),
        };
        let mut pager = Pager::new(limit);
        let more = loop {
            let Some(id) = ids.next() else { break false };
            let hold = self.tables.hold(id);
            let claim = hold.claim().expect("the index of claims leads to claims");
            if claim.tenant != tenant {
                break false;
            }
            if pager.is_full() {
                break true;
            }
            let item = self
                .claim_passes(hold, claim, filter)
                .then(|| self.claim_view(hold, claim));
            pager.row(claim.name.clone(), item);
        };
        Ok(pager.page(more))
    }

    fn claim_passes(&self, hold: &Hold, claim: &Claim, filter: &ClaimFilter) -> bool {
        let pool = self.tables.pool(hold.pool);
        passes(filter.pool.as_ref(), |name| {
            pool.spec.name == *name && pool.tenant == claim.tenant
        }) && passes(filter.space.as_ref(), |space| pool.space == *space)
            && passes(filter.phase, |phase| hold.phase == phase)
            && block_passes(hold.block, filter.family, filter.within, filter.contains)
            && owner_passes(
                claim.owner(),
                filter.owner.as_ref(),
                filter.owner_prefix.as_ref(),
            )
            && passes(filter.allocated_before_ms, |before| {
                hold.allocated_at_ms < before
            })
            && filter.labels.matches(|key| claim.label(key))
    }

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
        if let Some(few) = self.few_owned_allocations(tenant, filter, after) {
            let mut few = few.into_iter();
            let more = loop {
                let Some(id) = few.next() else { break false };
                if pager.is_full() {
                    break true;
                }
                let hold = self.tables.hold(id);
                let passes = allocations_pool_passes(self.tables.pool(hold.pool), filter)
                    && self.allocation_passes(tenant, hold, filter);
                let item = passes.then(|| self.allocation_view(id));
                pager.row(self.allocation_key(tenant, id), item);
            };
            return Ok(pager.page(more));
        }
        let own = match after {
            None => None,
            Some(AllocationKey::Own { pool, cidr }) => Some((pool, *cidr)),
            Some(AllocationKey::Foreign { cidr, hold }) => {
                return Ok(self.allocations_elsewhere(tenant, Some((*cidr, *hold)), filter, pager));
            }
        };
        let begun = own.and_then(|(pool, cidr)| Some((self.pool_find(tenant, pool)?, Some(cidr))));
        let rest = self
            .pools_after(tenant, own.map(|(pool, _)| pool))
            .map(|id| (id, None));
        for (id, from) in begun.into_iter().chain(rest) {
            let pool = self.tables.pool(id);
            if !allocations_pool_passes(pool, filter) {
                // A pool that is passed over is a row too; its key stands after all that it holds.
                if pager.is_full() {
                    return Ok(pager.page(true));
                }
                let end = Prefix::single(Address::from([u8::MAX; 16]));
                pager.row(
                    AllocationKey::Own {
                        pool: pool.spec.name.clone(),
                        cidr: end,
                    },
                    None,
                );
                continue;
            }
            if self.allocations_of(id, from, filter, &mut pager).is_break() {
                return Ok(pager.page(true));
            }
        }
        Ok(self.allocations_elsewhere(tenant, None, filter, pager))
    }

    /// Ends a page with what a tenant holds of other tenants' pools.
    fn allocations_elsewhere(
        &self,
        tenant: TenantId,
        after: Option<(Prefix, HoldId)>,
        filter: &AllocationFilter,
        mut pager: Pager<AllocationView, AllocationKey>,
    ) -> Page<AllocationView, AllocationKey> {
        // A pool is told by its name among the tenant's own.
        if filter.pool.is_some() {
            return pager.page(false);
        }
        for (cidr, id) in self.index.foreign.after(tenant, after) {
            if pager.is_full() {
                return pager.page(true);
            }
            let hold = self.tables.hold(id);
            let passes = allocations_pool_passes(self.tables.pool(hold.pool), filter)
                && self.allocation_passes(tenant, hold, filter);
            let item = passes.then(|| self.allocation_view(id));
            pager.row(AllocationKey::Foreign { cidr, hold: id }, item);
        }
        pager.page(false)
    }

    /// Adds the holds of one pool after a block; breaks off when the page is full.
    fn allocations_of(
        &self,
        pool: PoolId,
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
                let item = self
                    .allocation_passes(tenant, hold, filter)
                    .then(|| self.allocation_view(id));
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

fn passes<T>(wanted: Option<T>, test: impl FnOnce(T) -> bool) -> bool {
    wanted.is_none_or(test)
}

fn block_passes(
    block: Prefix,
    family: Option<Family>,
    within: Option<Prefix>,
    contains: Option<Address>,
) -> bool {
    passes(family, |family| block.family() == family)
        && passes(within, |within| within.contains(block))
        && passes(contains, |address| block.contains_address(address))
}

fn owner_passes(owner: Option<&Owner>, exact: Option<&Owner>, prefix: Option<&Owner>) -> bool {
    passes(exact, |exact| owner == Some(exact))
        && passes(prefix, |prefix| {
            owner.is_some_and(|owner| prefix.covers(owner))
        })
}
