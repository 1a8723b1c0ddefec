//! Lists over all tenants: tenant after tenant, each as its own list stands.
//!
//! 1. What is listed is listed once, with the tenant whose object it is: a block that a tenant holds of
//!    another one's pool stands in the holder's part, and is passed over in the pool's.
//! 2. A tenant that is passed over, or empty, is a row like any other, so that the time under the lock
//!    does not grow with their number.

use core::ops::ControlFlow;

use crate::filter::{AllocationFilter, AllocationKey, ClaimFilter, PoolFilter, TenantKey};
use crate::name::Name;
use crate::record::TenantId;
use crate::view::{AllocationView, ClaimView, Page, PoolView};

use super::State;
use super::list::{Pager, Sight};

impl State {
    /// Pools of all tenants, by name of the tenant and of the pool.
    pub fn pools_everywhere(
        &self,
        filter: &PoolFilter,
        after: Option<&TenantKey<Name>>,
        limit: usize,
    ) -> Page<PoolView, TenantKey<Name>> {
        self.everywhere(after, limit, |tenant, after, pager| {
            self.pools_of(tenant, Sight::All, filter, after, pager)
        })
    }

    /// Claims of all tenants, by name of the tenant and of the claim.
    pub fn claims_everywhere(
        &self,
        filter: &ClaimFilter,
        after: Option<&TenantKey<Name>>,
        limit: usize,
    ) -> Page<ClaimView, TenantKey<Name>> {
        self.everywhere(after, limit, |tenant, after, pager| {
            self.claims_of(tenant, Sight::All, filter, after, pager)
        })
    }

    /// What is held in all tenants' pools, by name of the holder's tenant: first from its own pools, by
    /// name of the pool and address, then from others' pools, by address. What is withheld stands with
    /// the pool's tenant.
    pub fn allocations_everywhere(
        &self,
        filter: &AllocationFilter,
        after: Option<&TenantKey<AllocationKey>>,
        limit: usize,
    ) -> Page<AllocationView, TenantKey<AllocationKey>> {
        self.everywhere(after, limit, |tenant, after, pager| {
            self.allocations_of(tenant, Sight::All, filter, after, pager)
        })
    }

    /// Makes a page of tenants' lists. `part` adds one tenant's after a key and breaks off when the page
    /// is full.
    fn everywhere<T, K>(
        &self,
        after: Option<&TenantKey<K>>,
        limit: usize,
        part: impl Fn(TenantId, Option<&K>, &mut Pager<T, K>) -> ControlFlow<()>,
    ) -> Page<T, TenantKey<K>> {
        let begun = after.and_then(|at| {
            let key = at.key.as_ref()?;
            Some((self.tenant_find(&at.tenant).ok()?, Some(key)))
        });
        let rest = self
            .tenants_after(after.map(|at| &at.tenant))
            .map(|tenant| (tenant, None));
        let mut pager = Pager::new(limit);
        let mut ended = None;
        for (tenant, from) in begun.into_iter().chain(rest) {
            if pager.is_full() || part(tenant, from, &mut pager).is_break() {
                let (items, key) = pager.broken_off();
                let (tenant, key) = match key {
                    Some(key) => (tenant, Some(key)),
                    None => (ended.expect("a full page has a row"), None),
                };
                let tenant = self.tenant_name(tenant).clone();
                return Page {
                    items,
                    next: Some(TenantKey { tenant, key }),
                };
            }
            pager.part_ended();
            ended = Some(tenant);
        }
        Page {
            items: pager.broken_off().0,
            next: None,
        }
    }
}
