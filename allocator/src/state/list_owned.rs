//! Lists of what owners have: where they have little, nothing else is looked at.
//!
//! The order is that of the list without an owner, so that a page goes on whichever way it was made.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::filter::{AllocationFilter, AllocationKey, ClaimFilter, PoolFilter};
use crate::name::Owner;
use crate::owners::OwnerMatch;
use crate::record::{HoldId, PoolId, TenantId};

use super::State;
use super::list::{LIST_ROWS_MAX, Sight};

/// The owners that a filter names.
fn owners(owner: Option<&Owner>, prefix: Option<&Owner>) -> Option<OwnerMatch> {
    match (owner, prefix) {
        (Some(owner), _) => Some(OwnerMatch::Exact(owner.clone())),
        (None, Some(prefix)) => Some(OwnerMatch::Prefix(prefix.clone())),
        (None, None) => None,
    }
}

/// All of them, where they are no more than one call may examine.
fn few(ids: impl Iterator<Item = u32>) -> Option<Vec<u32>> {
    let ids: Vec<u32> = ids.take(LIST_ROWS_MAX.saturating_add(1)).collect();
    (ids.len() <= LIST_ROWS_MAX).then_some(ids)
}

impl State {
    /// The claims of the owners that a filter names, by name; `None` where they are many, or where it
    /// names no owner.
    pub(super) fn few_owned_claims(
        &self,
        tenant: TenantId,
        filter: &ClaimFilter,
    ) -> Option<Vec<HoldId>> {
        let owners = owners(filter.owner.as_ref(), filter.owner_prefix.as_ref())?;
        let mut ids = few(self.owned_holds(tenant, &owners))?;
        let name = |id: &HoldId| self.tables.hold(*id).claim().map(|claim| &claim.name);
        ids.sort_unstable_by(|one, other| name(one).cmp(&name(other)));
        Some(ids)
    }

    /// The same for pools.
    pub(super) fn few_owned_pools(
        &self,
        tenant: TenantId,
        filter: &PoolFilter,
    ) -> Option<Vec<PoolId>> {
        let owners = owners(filter.owner.as_ref(), filter.owner_prefix.as_ref())?;
        let mut ids = few(self.owned_pools(tenant, &owners))?;
        let name = |id: &PoolId| &self.tables.pool(*id).spec.name;
        ids.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        Some(ids)
    }

    /// What a tenant's claims of those owners hold, what is kept for them, or carved for child pools of
    /// them, after a key.
    pub(super) fn few_owned_allocations(
        &self,
        tenant: TenantId,
        sight: Sight,
        filter: &AllocationFilter,
        after: Option<&AllocationKey>,
    ) -> Option<Vec<HoldId>> {
        let owners = owners(filter.owner.as_ref(), filter.owner_prefix.as_ref())?;
        let index = &self.index.owners;
        let kept = index.kept.matching(&self.tables, tenant, &owners);
        let carved = self
            .owned_pools(tenant, &owners)
            .filter_map(|id| self.tables.pool(id).parent.map(|(_, hold)| hold));
        let all = self.owned_holds(tenant, &owners).chain(kept).chain(carved);
        let mut ids = few(all)?;
        let key = |id: &HoldId| self.allocation_key(tenant, *id);
        ids.retain(|id| {
            let key = key(id);
            let told = sight == Sight::All
                || filter.pool.is_none()
                || matches!(key, AllocationKey::Own { .. });
            told && after.is_none_or(|after| key > *after)
        });
        ids.sort_by_cached_key(key);
        Some(ids)
    }

    /// Where an allocation stands in the order of the list.
    pub(super) fn allocation_key(&self, viewer: TenantId, id: HoldId) -> AllocationKey {
        let hold = self.tables.hold(id);
        let pool = self.tables.pool(hold.pool);
        let cidr = hold.block;
        if pool.tenant == viewer {
            let pool = pool.spec.name.clone();
            AllocationKey::Own { pool, cidr }
        } else {
            AllocationKey::Foreign { cidr, hold: id }
        }
    }

    /// What claims of those owners hold, in no order that matters.
    pub(super) fn owned_holds<'s>(
        &'s self,
        tenant: TenantId,
        owners: &OwnerMatch,
    ) -> Box<dyn Iterator<Item = HoldId> + 's> {
        let index = &self.index.owners;
        index.held.matching(&self.tables, tenant, owners)
    }

    /// The child pools of those owners.
    fn owned_pools<'s>(
        &'s self,
        tenant: TenantId,
        owners: &OwnerMatch,
    ) -> Box<dyn Iterator<Item = PoolId> + 's> {
        let index = &self.index.owners;
        index.pools.matching(&self.tables, tenant, owners)
    }
}
