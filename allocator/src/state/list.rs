//! Lists and single objects. A list goes on after a key and examines a bounded number of rows, so
//! that no reader holds the state for long: a page may be short, or empty, and still have a next key.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::answer::Rejection;
use crate::filter::{ClaimFilter, PoolFilter, TenantFilter};
use crate::name::{Name, Owner};
use crate::ordered::Key;
use crate::prefix::{Address, Family, Prefix};
use crate::record::{Claim, Hold, HoldId, Pool, PoolId, TenantId};
use crate::view::{ClaimView, Page, PoolPhase, PoolView, TenantView};

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

/// Whose list of a tenant's objects it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// The tenant's own: a pool is named among its own, and what others hold of those is listed too.
    Tenant,
    /// One over all tenants: a pool of that name may be anybody's, and what is held is listed once,
    /// with its holder's tenant.
    All,
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

    /// A list that is part of this one has ended, which is a row too: there may be many empty ones.
    pub(super) fn part_ended(&mut self) {
        self.rows = self.rows.saturating_add(1);
        self.last = None;
    }

    /// The items, and the key of the last row of the part that it broke off in, if it had one there.
    pub(super) fn broken_off(self) -> (Vec<T>, Option<K>) {
        (self.items, self.last)
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
    pub fn tenants(
        &self,
        filter: &TenantFilter,
        after: Option<&Name>,
        limit: usize,
    ) -> Page<TenantView, Name> {
        let mut pager = Pager::new(limit);
        let mut ids = self.tenants_after(after);
        let more = loop {
            match ids.next() {
                None => break false,
                Some(_) if pager.is_full() => break true,
                Some(id) => {
                    let spec = &self.tables.tenant(id).spec;
                    let passes = filter.labels.matches_labels(&spec.labels);
                    pager.row(spec.name.clone(), passes.then(|| self.tenant_view(id)));
                }
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
        let tenant = self.tenant_find(tenant)?;
        let mut pager = Pager::new(limit);
        let flow = self.pools_of(tenant, Sight::Tenant, filter, after, &mut pager);
        Ok(pager.page(flow.is_break()))
    }

    /// Adds a tenant's pools after a name; breaks off when the page is full.
    pub(super) fn pools_of(
        &self,
        tenant: TenantId,
        sight: Sight,
        filter: &PoolFilter,
        after: Option<&Name>,
        pager: &mut Pager<PoolView, Name>,
    ) -> ControlFlow<()> {
        let ids: Box<dyn Iterator<Item = PoolId>> = match self.few_owned_pools(tenant, filter) {
            Some(few) => Box::new(few.into_iter().filter(move |id| {
                let name = &self.tables.pool(*id).spec.name;
                after.is_none_or(|after| name > after)
            })),
            None => Box::new(self.pools_after(tenant, after)),
        };
        for id in ids {
            if pager.is_full() {
                return ControlFlow::Break(());
            }
            let pool = self.tables.pool(id);
            let passes = self.pool_passes(id, pool, sight, filter);
            let item = passes.then(|| self.pool_view(id));
            pager.row(pool.spec.name.clone(), item);
        }
        ControlFlow::Continue(())
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

    fn pool_passes(&self, id: PoolId, pool: &Pool, sight: Sight, filter: &PoolFilter) -> bool {
        let parent = pool
            .parent
            .map(|(parent, _)| &*self.tables.pool(parent).spec)
            .filter(|parent| sight == Sight::All || parent.tenant == pool.spec.tenant)
            .map(|parent| &parent.name);
        let owner = pool.spec.owner.as_ref();
        passes(filter.parent.as_ref(), |name| parent == Some(name))
            && passes(filter.space.as_ref(), |space| pool.space == *space)
            && passes(filter.family, |family| pool.family == family)
            && passes(filter.phase, |phase| self.pool_phase(id) == phase)
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

    fn pool_phase(&self, id: PoolId) -> PoolPhase {
        let exhausted = self.tables.contents.get(id);
        PoolPhase::of(
            self.tables.pool(id).draining_since_ms,
            exhausted.and_then(|content| content.exhausted_since_ms),
        )
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
        let mut pager = Pager::new(limit);
        let flow = self.claims_of(tenant, Sight::Tenant, filter, after, &mut pager);
        Ok(pager.page(flow.is_break()))
    }

    /// Adds a tenant's claims after a name; breaks off when the page is full.
    pub(super) fn claims_of(
        &self,
        tenant: TenantId,
        sight: Sight,
        filter: &ClaimFilter,
        after: Option<&Name>,
        pager: &mut Pager<ClaimView, Name>,
    ) -> ControlFlow<()> {
        let key = Key::text(u64::from(tenant), after.map_or("", Name::as_str));
        let ids: Box<dyn Iterator<Item = HoldId>> = match self.few_owned_claims(tenant, filter) {
            Some(few) => Box::new(few.into_iter().filter(move |id| {
                let name = self.tables.hold(*id).claim().map(|claim| &claim.name);
                after.is_none_or(|after| name > Some(after))
            })),
            None => Box::new(self.index.claim_names.after(key, self.tables.claim_keys())),
        };
        for id in ids {
            let hold = self.tables.hold(id);
            let claim = hold.claim().expect("the index of claims leads to claims");
            if claim.tenant != tenant {
                break;
            }
            if pager.is_full() {
                return ControlFlow::Break(());
            }
            let item = self
                .claim_passes(hold, claim, sight, filter)
                .then(|| self.claim_view(hold, claim));
            pager.row(claim.name.clone(), item);
        }
        ControlFlow::Continue(())
    }

    fn claim_passes(&self, hold: &Hold, claim: &Claim, sight: Sight, filter: &ClaimFilter) -> bool {
        let pool = self.tables.pool(hold.pool);
        passes(filter.pool.as_ref(), |name| {
            pool.spec.name == *name && (sight == Sight::All || pool.tenant == claim.tenant)
        }) && passes(filter.purpose, |purpose| hold.purpose() == purpose)
            && passes(filter.space.as_ref(), |space| pool.space == *space)
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
}

pub(super) fn passes<T>(wanted: Option<T>, test: impl FnOnce(T) -> bool) -> bool {
    wanted.is_none_or(test)
}

pub(super) fn block_passes(
    block: Prefix,
    family: Option<Family>,
    within: Option<Prefix>,
    contains: Option<Address>,
) -> bool {
    passes(family, |family| block.family() == family)
        && passes(within, |within| within.contains(block))
        && passes(contains, |address| block.contains_address(address))
}

pub(super) fn owner_passes(
    owner: Option<&Owner>,
    exact: Option<&Owner>,
    prefix: Option<&Owner>,
) -> bool {
    passes(exact, |exact| owner == Some(exact))
        && passes(prefix, |prefix| {
            owner.is_some_and(|owner| prefix.covers(owner))
        })
}
