//! What is kept beside the records so that nothing is ever scanned: tries, counts, indexes.
//!
//! All of it follows from the records; none of it is written, hashed or sent. It changes only with a
//! record, through the methods here.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::count::Count;
use crate::free::{CidrTrie, FreeNodes};
use crate::name::Name;
use crate::ordered::{Key, Ordered};
use crate::prefix::Prefix;
use crate::record::{Claim, Hold, HoldId, Holder, Pool, PoolBlock, PoolId, Tenant, TenantId};
use crate::view::{Phase, Usage};

use super::ended_index::EndedIndex;
use super::foreign_index::ForeignIndex;
use super::life_index::LifeIndex;
use super::owner_index::OwnerIndex;
use super::pool_fields;
use super::pool_index::{PoolIndex, minus, plus};
use super::select::SelectorIndex;
use super::suspect_index::SuspectIndex;
use super::tables::Tables;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) nodes: FreeNodes,
    /// By id.
    pools: Vec<Option<Box<PoolIndex>>>,
    /// By id.
    usages: Vec<Option<Usage>>,
    /// Tenants by name.
    pub(super) tenant_names: Ordered,
    /// Pools by tenant and name.
    pub(super) pool_names: Ordered,
    /// Claims by tenant and name; of what is kept for one that is gone see `life`.
    pub(super) claim_names: Ordered,
    pub(super) ended: EndedIndex,
    pub(super) life: LifeIndex,
    pub(super) owners: OwnerIndex,
    pub(super) suspects: SuspectIndex,
    /// Blocks of root pools.
    pub(super) roots: BTreeMap<(TenantId, Name, Prefix), PoolId>,
    /// Claims of all tenants.
    pub(super) claims: u64,
    /// What tenants hold of other tenants' pools.
    pub(super) foreign: ForeignIndex,
    /// Pools by what selectors ask for.
    pub(super) selectors: SelectorIndex,
}

/// Why records contradict each other.
pub(super) type Contradiction = &'static str;

/// IPv6 quota of a claim: units of a /64, at least one.
pub(super) fn prefixes_64(block: Prefix) -> u128 {
    1_u128
        .checked_shl(u32::from(64_u8.saturating_sub(block.length())))
        .unwrap_or(1)
}

/// What a claim adds to its tenant's usage.
pub(super) fn usage_of(block: Prefix) -> Usage {
    let (ipv4_addresses, ipv6_prefixes_64) = match block.family() {
        crate::prefix::Family::IPv4 => (
            block
                .size()
                .as_u128()
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or(u64::MAX),
            0,
        ),
        crate::prefix::Family::IPv6 => (0, prefixes_64(block)),
    };
    Usage {
        pools: 0,
        claims: 1,
        ipv4_addresses,
        ipv6_prefixes_64,
    }
}

pub(super) fn tenant_key(tenant: &Tenant) -> Key<'_> {
    Key::text(0, tenant.spec.name.as_str())
}

pub(super) fn pool_key(pool: &Pool) -> Key<'_> {
    Key::text(u64::from(pool.tenant), pool.spec.name.as_str())
}

pub(super) fn claim_key(claim: &Claim) -> Key<'_> {
    Key::text(u64::from(claim.tenant), claim.name.as_str())
}

impl Index {
    pub(super) fn pool(&self, id: PoolId) -> Option<&PoolIndex> {
        self.pools.get(place(id))?.as_deref()
    }

    fn pool_mut(&mut self, id: PoolId) -> Option<&mut PoolIndex> {
        self.pools.get_mut(place(id))?.as_deref_mut()
    }

    /// A block of the pool's default length is free; where there is no default, an address.
    pub(super) fn has_room(&self, id: PoolId, pool: &Pool) -> bool {
        let length = pool.default_prefix_length.unwrap_or(pool.family.bits());
        let largest = |trie: &CidrTrie| trie.largest(&self.nodes);
        self.pool(id).is_some_and(|index| {
            index
                .tries
                .iter()
                .filter_map(largest)
                .any(|largest| largest <= length)
        })
    }

    pub(super) fn usage(&self, id: TenantId) -> Option<&Usage> {
        self.usages.get(place(id))?.as_ref()
    }

    fn usage_mut(&mut self, id: TenantId) -> Option<&mut Usage> {
        self.usages.get_mut(place(id))?.as_mut()
    }

    pub(super) fn tenant_add(
        &mut self,
        tables: &Tables,
        id: TenantId,
        tenant: &Tenant,
    ) -> Result<(), Contradiction> {
        if !self
            .tenant_names
            .insert(tenant_key(tenant), id, tables.tenant_keys())
        {
            return Err("two tenants have one name");
        }
        put(&mut self.usages, id, Usage::default());
        Ok(())
    }

    pub(super) fn tenant_remove(&mut self, tables: &Tables, id: TenantId, tenant: &Tenant) {
        let removed = self
            .tenant_names
            .remove(tenant_key(tenant), tables.tenant_keys());
        assert!(removed == Some(id), "a tenant is indexed by its name");
        let usage = self.usages.get_mut(place(id)).and_then(Option::take);
        assert!(
            usage == Some(Usage::default()),
            "only a tenant that has nothing is removed"
        );
    }

    pub(super) fn pool_add(
        &mut self,
        tables: &Tables,
        id: PoolId,
        pool: &Pool,
    ) -> Result<(), Contradiction> {
        if !self
            .pool_names
            .insert(pool_key(pool), id, tables.pool_keys())
        {
            return Err("two pools of a tenant have one name");
        }
        self.owners.pool_add(tables, id, pool)?;
        let usage = self.usage_mut(pool.tenant).ok_or("a pool has no tenant")?;
        usage.pools = usage.pools.saturating_add(1);
        put(&mut self.pools, id, Box::new(PoolIndex::new(pool)));
        self.foreign.child_add(tables, pool);
        self.selectors.add(id, pool);
        if pool.parent.is_none() {
            for block in &pool.blocks {
                if self
                    .root_overlapping(pool.tenant, &pool.space, block.cidr)
                    .is_some()
                {
                    return Err("two root pools overlap");
                }
                self.roots
                    .insert((pool.tenant, pool.space.clone(), block.cidr), id);
            }
        }
        Ok(())
    }

    pub(super) fn pool_remove(&mut self, tables: &Tables, id: PoolId, pool: &Pool) {
        let removed = self.pool_names.remove(pool_key(pool), tables.pool_keys());
        assert!(removed == Some(id), "a pool is indexed by its name");
        self.owners.pool_remove(tables, id, pool);
        let index = self.pools.get_mut(place(id)).and_then(Option::take);
        let available = index.map(|index| (index.available(), index.total));
        assert!(
            available.is_some_and(|(available, total)| available == total),
            "only a pool that holds nothing is removed"
        );
        let usage = self.usage_mut(pool.tenant).expect("a pool has a tenant");
        usage.pools = usage.pools.saturating_sub(1);
        self.foreign.child_remove(pool);
        self.selectors.remove(id, pool);
        if pool.parent.is_none() {
            for block in &pool.blocks {
                self.roots
                    .remove(&(pool.tenant, pool.space.clone(), block.cidr));
            }
        }
    }

    /// Takes what is kept of a pool to what it is after an edit.
    pub(super) fn pool_change(&mut self, tables: &Tables, id: PoolId, before: &Pool, after: &Pool) {
        let key = |block: &PoolBlock| (after.tenant, after.space.clone(), block.cidr);
        if after.parent.is_none() {
            for block in &before.blocks {
                self.roots.remove(&key(block));
            }
            for block in &after.blocks {
                self.roots.insert(key(block), id);
            }
        }
        if (before.spec.priority, &before.spec.labels) != (after.spec.priority, &after.spec.labels)
        {
            self.selectors.remove(id, before);
            self.selectors.add(id, after);
        }
        let withheld = pool_fields::withheld_of(after);
        let Some(index) = self.pools.get_mut(place(id)).and_then(Option::as_deref_mut) else {
            return;
        };
        index.blocks_change(after);
        let holders = index.holders_in(
            &self.nodes,
            tables,
            withheld.keys(),
            usize::MAX,
            Hold::obeys_policy,
        );
        index.policy.withhold(withheld, holders.into_iter());
    }

    /// The block of a root pool of a (tenant, space) that overlaps a block. Those that are there do
    /// not overlap each other, so that only the neighbours need be asked.
    pub(super) fn root_overlapping(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
    ) -> Option<(Prefix, PoolId)> {
        let key = (tenant, space.clone(), block);
        let before = self.roots.range(..&key).next_back();
        let after = self.roots.range(&key..).next();
        [before, after]
            .into_iter()
            .flatten()
            .find_map(|((owner, domain, there), pool)| {
                (*owner == tenant && domain == space && there.overlaps(block))
                    .then_some((*there, *pool))
            })
    }

    /// The root blocks of a space that lie in a block, by address.
    pub(super) fn roots_inside(
        &self,
        tenant: TenantId,
        space: &Name,
        block: Prefix,
    ) -> impl Iterator<Item = (Prefix, PoolId)> {
        let roots = self.roots.range((tenant, space.clone(), block)..);
        roots
            .take_while(move |((owner, domain, there), _)| {
                *owner == tenant && domain == space && block.contains(*there)
            })
            .map(|((_, _, there), pool)| (*there, *pool))
    }

    pub(super) fn hold_add(
        &mut self,
        tables: &Tables,
        id: HoldId,
        hold: &Hold,
    ) -> Result<(), Contradiction> {
        let index = self
            .pools
            .get_mut(place(hold.pool))
            .and_then(Option::as_deref_mut)
            .ok_or("a hold has no pool")?;
        let trie = index.trie_mut(hold.block);
        let trie = trie.ok_or("a hold lies outside of its pool")?;
        trie.take(&mut self.nodes, hold.block, id)
            .map_err(|_| "two holds overlap")?;
        let size = hold.block.size();
        index.share_change(hold.block, |held| plus(held, size));
        match &hold.holder {
            Holder::Claim(claim) => {
                if hold.obeys_policy() {
                    index.policy.add(hold.block);
                }
                index.count_claim(hold.phase, claim.asked.reservation, size);
                self.life_add(tables, id, hold, claim)?;
                self.foreign.claim_add(tables, id, hold, claim);
                let usage = self
                    .usage_mut(claim.tenant)
                    .ok_or("a claim has no tenant")?;
                let added = usage_of(hold.block);
                usage.claims = usage.claims.saturating_add(1);
                usage.ipv4_addresses = usage.ipv4_addresses.saturating_add(added.ipv4_addresses);
                usage.ipv6_prefixes_64 = usage
                    .ipv6_prefixes_64
                    .saturating_add(added.ipv6_prefixes_64);
                self.held_below_change(tables, hold.pool, |held| plus(held, size));
            }
            Holder::Child { pool } => {
                index.policy.add(hold.block);
                index.allocated = plus(index.allocated, size);
                index.children.insert((hold.block, *pool));
            }
            Holder::Reservation { .. } => {
                index.reserved = plus(index.reserved, size);
                index.withheld.insert(hold.block, id);
            }
        }
        Ok(())
    }

    pub(super) fn hold_remove(&mut self, tables: &Tables, id: HoldId, hold: &Hold) {
        let index = self
            .pools
            .get_mut(place(hold.pool))
            .and_then(Option::as_deref_mut)
            .expect("a hold has a pool");
        let trie = index.trie_mut(hold.block);
        let given = trie
            .expect("a hold lies in its pool")
            .give(&mut self.nodes, hold.block);
        assert!(given == Some(id), "a hold stands in the trie of its pool");
        let size = hold.block.size();
        index.share_change(hold.block, |held| minus(held, size));
        match &hold.holder {
            Holder::Claim(claim) => {
                if hold.obeys_policy() {
                    index.policy.remove(hold.block);
                }
                index.discount_claim(hold.phase, claim.asked.reservation, size);
                self.life_remove(tables, id, hold, claim);
                self.foreign.claim_remove(id, hold, claim);
                let usage = self.usage_mut(claim.tenant).expect("a claim has a tenant");
                let removed = usage_of(hold.block);
                usage.claims = usage.claims.saturating_sub(1);
                usage.ipv4_addresses = usage.ipv4_addresses.saturating_sub(removed.ipv4_addresses);
                usage.ipv6_prefixes_64 = usage
                    .ipv6_prefixes_64
                    .saturating_sub(removed.ipv6_prefixes_64);
                self.held_below_change(tables, hold.pool, |held| minus(held, size));
            }
            Holder::Child { pool } => {
                index.policy.remove(hold.block);
                index.allocated = minus(index.allocated, size);
                index.children.remove(&(hold.block, *pool));
            }
            Holder::Reservation { .. } => {
                index.reserved = minus(index.reserved, size);
                index.withheld.remove(&hold.block);
            }
        }
    }

    /// Takes out what is indexed of the life of a claim's hold, which is about to change and still
    /// stands in its table. The block, the pool and the tenant stay what they are.
    pub(super) fn hold_change_begin(&mut self, tables: &Tables, id: HoldId, hold: &Hold) {
        let claim = hold.claim().expect("only a claim's hold has a life");
        self.life_remove(tables, id, hold, claim);
        if let Some(index) = self.pool_mut(hold.pool) {
            index.discount_claim(hold.phase, claim.asked.reservation, hold.block.size());
        }
    }

    /// Indexes the life of a claim's hold as it is now.
    pub(super) fn hold_change_end(&mut self, tables: &Tables, id: HoldId, hold: &Hold) {
        let claim = hold.claim().expect("only a claim's hold has a life");
        self.life_add(tables, id, hold, claim)
            .expect("a plan only makes what contradicts nothing");
        if let Some(index) = self.pool_mut(hold.pool) {
            index.count_claim(hold.phase, claim.asked.reservation, hold.block.size());
        }
    }

    fn life_add(
        &mut self,
        tables: &Tables,
        id: HoldId,
        hold: &Hold,
        claim: &Claim,
    ) -> Result<(), Contradiction> {
        if (hold.phase == Phase::Released) != hold.kept().is_some() {
            return Err("what is released is not what is kept");
        }
        if hold.phase != Phase::Released {
            if !self
                .claim_names
                .insert(claim_key(claim), id, tables.claim_keys())
            {
                return Err("two claims of a tenant have one name");
            }
            self.claims = self.claims.saturating_add(1);
        }
        self.owners.hold_add(tables, id, hold)?;
        self.life.add(tables, id, hold)
    }

    fn life_remove(&mut self, tables: &Tables, id: HoldId, hold: &Hold, claim: &Claim) {
        if hold.phase != Phase::Released {
            let removed = self
                .claim_names
                .remove(claim_key(claim), tables.claim_keys());
            assert!(removed == Some(id), "a claim is indexed by its name");
            self.claims = self.claims.saturating_sub(1);
        }
        self.owners.hold_remove(tables, id, hold);
        self.life.remove(tables, id, hold);
    }

    /// Changes what claims hold below a pool, in it and in those above it; a pool is at most 16 deep.
    fn held_below_change(
        &mut self,
        tables: &Tables,
        pool: PoolId,
        change: impl Fn(Count) -> Count,
    ) {
        let mut next = Some(pool);
        while let Some(id) = next {
            if let Some(index) = self.pool_mut(id) {
                index.held_below = change(index.held_below);
            }
            next = tables
                .pools
                .get(id)
                .and_then(|pool| pool.parent)
                .map(|(parent, _)| parent);
        }
    }
}

fn place(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

fn put<T>(places: &mut Vec<Option<T>>, id: u32, value: T) {
    let place = place(id);
    while places.len() <= place {
        places.push(None);
    }
    if let Some(slot) = places.get_mut(place) {
        *slot = Some(value);
    }
}
