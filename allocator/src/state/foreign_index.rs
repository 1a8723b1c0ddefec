//! Where a tenant finds what it holds of other tenants' pools.

use alloc::collections::BTreeSet;
use core::ops::Bound::{Excluded, Included, Unbounded};

use crate::prefix::{Address, Prefix};
use crate::record::{Claim, Hold, HoldId, Pool, TenantId};

use super::tables::Tables;

/// Holds of claims and child pools whose tenant is not that of the pool, by holder and block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ForeignIndex {
    holds: BTreeSet<(TenantId, Prefix, HoldId)>,
}

impl ForeignIndex {
    /// A claim's hold comes.
    pub(super) fn claim_add(&mut self, tables: &Tables, id: HoldId, hold: &Hold, claim: &Claim) {
        if tables.pool(hold.pool).tenant != claim.tenant {
            self.holds.insert((claim.tenant, hold.block, id));
        }
    }

    /// It goes.
    pub(super) fn claim_remove(&mut self, id: HoldId, hold: &Hold, claim: &Claim) {
        self.holds.remove(&(claim.tenant, hold.block, id));
    }

    /// A child pool comes, and with it that it holds its block.
    pub(super) fn child_add(&mut self, tables: &Tables, pool: &Pool) {
        if let (Some((parent, hold)), Some(block)) = (pool.parent, pool.blocks.first())
            && tables.pool(parent).tenant != pool.tenant
        {
            self.holds.insert((pool.tenant, block.cidr, hold));
        }
    }

    /// It goes.
    pub(super) fn child_remove(&mut self, pool: &Pool) {
        if let (Some((_, hold)), Some(block)) = (pool.parent, pool.blocks.first()) {
            self.holds.remove(&(pool.tenant, block.cidr, hold));
        }
    }

    /// Those of a tenant after one of them, by address.
    pub(super) fn after(
        &self,
        tenant: TenantId,
        after: Option<(Prefix, HoldId)>,
    ) -> impl Iterator<Item = (Prefix, HoldId)> {
        let lowest = Prefix::around(Address::from([0; 4]), 0).expect("IPv4 as a whole is a block");
        let start = match after {
            None => Included((tenant, lowest, 0)),
            Some((block, id)) => Excluded((tenant, block, id)),
        };
        self.holds
            .range((start, Unbounded))
            .take_while(move |(holder, ..)| *holder == tenant)
            .map(|(_, block, id)| (*block, *id))
    }

    /// Those of a tenant that lie in a block, by address.
    pub(super) fn inside(&self, tenant: TenantId, block: Prefix) -> impl Iterator<Item = HoldId> {
        let last = (tenant, Prefix::single(block.last()), HoldId::MAX);
        self.holds
            .range((tenant, block, 0)..=last)
            .map(|(.., id)| *id)
    }

    /// Those of a tenant that contain a block, the widest first: one look for each length.
    pub(super) fn around(&self, tenant: TenantId, block: Prefix) -> impl Iterator<Item = HoldId> {
        (0..=block.length())
            .filter_map(move |length| Prefix::around(block.first(), length))
            .flat_map(move |wider| {
                self.holds
                    .range((tenant, wider, 0)..=(tenant, wider, HoldId::MAX))
                    .map(|(.., id)| *id)
            })
    }
}
