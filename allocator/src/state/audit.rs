//! Recomputing everything the slow way.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::count::Count;
use crate::name::Name;
use crate::ordered::Key;
use crate::pages::{Cut, LoadError};
use crate::prefix::Prefix;
use crate::record::{EndedHolder, Hold, HoldId, Holder, Pool, PoolId, TenantId, TextId};
use crate::view::{ClaimCounts, EventId, EventKind, Phase, Usage};

use super::State;
use super::index::usage_of;
use super::pool_index::plus;
use super::texts::id_of;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFailure {
    /// Its number in the list at the top of the module [`crate::state`].
    pub invariant: u8,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for AuditFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invariant {} does not hold: {}",
            self.invariant, self.detail
        )
    }
}

impl core::error::Error for AuditFailure {}

pub(super) fn check(
    holds: bool,
    invariant: u8,
    detail: impl FnOnce() -> String,
) -> Result<(), AuditFailure> {
    if holds {
        Ok(())
    } else {
        Err(AuditFailure {
            invariant,
            detail: detail(),
        })
    }
}

/// The holds of each pool.
pub(super) type HoldsByPool<'a> = BTreeMap<PoolId, Vec<(HoldId, &'a Hold)>>;

/// What the holds of one pool add up to.
#[derive(Default)]
struct Sums {
    allocated: Count,
    in_use: Count,
    released: Count,
    reserved: Count,
    claims: ClaimCounts,
    children: BTreeSet<(Prefix, PoolId)>,
    held_below: Count,
}

impl State {
    /// Recomputes everything from the records and compares. Costs far more than any command: for
    /// tests, and for a state made of a cut.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn audit(&self) -> Result<(), AuditFailure> {
        let holds = self.audit_holds()?;
        self.audit_roots()?;
        self.audit_children()?;
        self.audit_sums(&holds)?;
        self.audit_strategies(&holds)?;
        self.audit_withheld(&holds)?;
        self.audit_handouts()?;
        self.audit_usage()?;
        self.audit_indexes()?;
        self.audit_pool_indexes()?;
        self.audit_life()?;
        self.audit_owners()?;
        self.audit_suspects()?;
        self.audit_events()?;
        self.audit_texts()?;
        check(self.sum_now() == self.sum_of_records(), 11, || {
            String::from("the digest is not the sum over the records")
        })
    }

    /// The audit of a cut, and that its pages make the same state.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn audit_cut(cut: &Cut) -> Result<(), AuditFailure> {
        let loaded = Self::from_pages(cut.pages()).map_err(|error: LoadError| AuditFailure {
            invariant: 12,
            detail: format!("{error}"),
        })?;
        check(loaded.digest() == cut.digest(), 12, || {
            String::from("the pages of the cut make another state")
        })?;
        loaded.audit()
    }

    /// Invariants 1, 5 and 8. The holds of each pool, by address.
    fn audit_holds(&self) -> Result<HoldsByPool<'_>, AuditFailure> {
        let mut pools = HoldsByPool::new();
        let mut generations = BTreeSet::new();
        for (id, hold) in self.tables.holds.iter() {
            let unique =
                generations.insert(hold.generation) && hold.generation <= self.meta.generation;
            check(unique, 8, || {
                format!("{} has generation {}", hold.block, hold.generation)
            })?;
            check(hold.revision <= self.meta.revision, 8, || {
                format!("{} is of revision {}", hold.block, hold.revision)
            })?;
            pools.entry(hold.pool).or_default().push((id, hold));
        }
        for (pool, holds) in &mut pools {
            holds.sort_by_key(|(_, hold)| hold.block);
            let record = self.tables.pools.get(*pool);
            for (_, hold) in holds.iter() {
                let inside = record.is_some_and(|record| record.block_of(hold.block).is_some());
                check(inside, 1, || {
                    format!("{} does not lie in pool {pool}", hold.block)
                })?;
            }
            for ((_, one), (_, other)) in holds.iter().zip(holds.iter().skip(1)) {
                check(!one.block.overlaps(other.block), 1, || {
                    format!("{} and {} overlap", one.block, other.block)
                })?;
            }
        }
        for (id, pool) in self.tables.pools.iter() {
            let index = self.index.pool(id);
            let tries = index.map_or(&[][..], |index| &index.tries);
            check(tries.len() == pool.blocks.len(), 5, || {
                format!("pool {id} has {} tries", tries.len())
            })?;
            for trie in tries {
                trie.audit(&self.index.nodes)
                    .map_err(|broken| AuditFailure {
                        invariant: 5,
                        detail: format!("{}: trie invariant {broken}", trie.cidr()),
                    })?;
            }
            for (hold_id, hold) in pools.get(&id).into_iter().flatten() {
                let found = index.and_then(|index| {
                    index
                        .trie(hold.block)?
                        .covering(&self.index.nodes, hold.block)
                });
                check(found == Some(*hold_id), 5, || {
                    format!("the trie does not lead to {}", hold.block)
                })?;
            }
        }
        Ok(pools)
    }

    /// Invariant 2.
    fn audit_roots(&self) -> Result<(), AuditFailure> {
        let mut roots: BTreeMap<(TenantId, &Name), Vec<(Prefix, PoolId)>> = BTreeMap::new();
        let mut blocks = 0_usize;
        for (id, pool) in self
            .tables
            .pools
            .iter()
            .filter(|(_, pool)| pool.parent.is_none())
        {
            let domain = roots.entry((pool.tenant, &pool.space)).or_default();
            domain.extend(pool.blocks.iter().map(|block| (block.cidr, id)));
            blocks = blocks.saturating_add(pool.blocks.len());
        }
        for ((tenant, space), domain) in &mut roots {
            domain.sort_unstable();
            for (one, other) in domain.iter().zip(domain.iter().skip(1)) {
                check(!one.0.overlaps(other.0), 2, || {
                    format!("{} and {} overlap", one.0, other.0)
                })?;
            }
            for (cidr, id) in domain.iter() {
                let key = (*tenant, (*space).clone(), *cidr);
                check(self.index.roots.get(&key) == Some(id), 7, || {
                    format!("root {cidr} is not indexed")
                })?;
            }
        }
        check(self.index.roots.len() == blocks, 7, || {
            String::from("more roots are indexed than there are")
        })
    }

    /// Invariant 3.
    fn audit_children(&self) -> Result<(), AuditFailure> {
        for (id, pool) in self.tables.pools.iter() {
            let sound = match pool.parent {
                None => pool.depth == 1,
                Some((parent, hold)) => self.child_is_sound(id, pool, parent, hold),
            };
            check(sound, 3, || format!("pool {}", pool.spec.name))?;
            let revisions =
                pool.created_revision <= pool.revision && pool.revision <= self.meta.revision;
            check(revisions, 8, || {
                format!("revision of pool {}", pool.spec.name)
            })?;
        }
        for (id, hold) in self.tables.holds.iter() {
            if let Holder::Child { pool } = hold.holder {
                let child = self.tables.pools.get(pool);
                check(
                    child.is_some_and(|child| child.parent == Some((hold.pool, id))),
                    3,
                    || format!("{}", hold.block),
                )?;
            }
        }
        Ok(())
    }

    fn child_is_sound(&self, id: PoolId, pool: &Pool, parent: PoolId, hold: HoldId) -> bool {
        let (Some(parent), Some(hold)) =
            (self.tables.pools.get(parent), self.tables.holds.get(hold))
        else {
            return false;
        };
        let blocks: Vec<Prefix> = pool.blocks.iter().map(|block| block.cidr).collect();
        hold.holder == Holder::Child { pool: id }
            && blocks == [hold.block]
            && pool.family == parent.family
            && pool.space == parent.space
            && Some(pool.depth) == parent.depth.checked_add(1)
    }

    /// Invariant 4.
    fn audit_sums(&self, holds: &HoldsByPool<'_>) -> Result<(), AuditFailure> {
        let mut sums: BTreeMap<PoolId, Sums> = self
            .tables
            .pools
            .iter()
            .map(|(id, _)| (id, Sums::default()))
            .collect();
        for (_, hold) in holds.values().flatten() {
            self.sum_add(&mut sums, hold);
        }
        for (id, pool) in self.tables.pools.iter() {
            let (Some(index), Some(sum)) = (self.index.pool(id), sums.get(&id)) else {
                return check(false, 7, || format!("pool {id} is not indexed"));
            };
            let total = pool
                .blocks
                .iter()
                .fold(Count::ZERO, |sum, block| plus(sum, block.cidr.size()));
            let free = index.blocks_available(pool.family.bits());
            let same = index.total == total
                && index.allocated == sum.allocated
                && index.in_use == sum.in_use
                && index.released == sum.released
                && index.reserved == sum.reserved
                && index.claims == sum.claims
                && index.children == sum.children
                && index.held_below == sum.held_below
                && index.available() == free;
            check(same, 4, || format!("counts of pool {}", pool.spec.name))?;
        }
        Ok(())
    }

    fn sum_add(&self, sums: &mut BTreeMap<PoolId, Sums>, hold: &Hold) {
        let size = hold.block.size();
        if let Some(sum) = sums.get_mut(&hold.pool) {
            match (&hold.holder, hold.phase) {
                (Holder::Reservation { .. }, _) => sum.reserved = plus(sum.reserved, size),
                (Holder::Child { pool }, _) => {
                    sum.allocated = plus(sum.allocated, size);
                    sum.children.insert((hold.block, *pool));
                }
                (Holder::Claim(claim), _) if claim.asked.reservation => {
                    sum.reserved = plus(sum.reserved, size);
                    sum.claims.allocated = sum.claims.allocated.saturating_add(1);
                }
                (Holder::Claim(_), Phase::Released) => {
                    sum.released = plus(sum.released, size);
                    sum.claims.released = sum.claims.released.saturating_add(1);
                }
                (Holder::Claim(_), phase @ (Phase::Allocated | Phase::InUse)) => {
                    sum.allocated = plus(sum.allocated, size);
                    sum.claims.allocated = sum.claims.allocated.saturating_add(1);
                    if phase == Phase::InUse {
                        sum.in_use = plus(sum.in_use, size);
                        sum.claims.in_use = sum.claims.in_use.saturating_add(1);
                    }
                }
            }
        }
        let mut next = hold.claim().map(|_| hold.pool);
        while let Some(id) = next {
            if let Some(sum) = sums.get_mut(&id) {
                sum.held_below = plus(sum.held_below, size);
            }
            next = self
                .tables
                .pools
                .get(id)
                .and_then(|pool| pool.parent)
                .map(|(parent, _)| parent);
        }
    }

    /// Invariant 6.
    fn audit_usage(&self) -> Result<(), AuditFailure> {
        let mut usages: BTreeMap<TenantId, Usage> = self
            .tables
            .tenants
            .iter()
            .map(|(id, _)| (id, Usage::default()))
            .collect();
        for (_, pool) in self.tables.pools.iter() {
            if let Some(usage) = usages.get_mut(&pool.tenant) {
                usage.pools = usage.pools.saturating_add(1);
            }
        }
        for (_, hold) in self.tables.holds.iter() {
            let usage = hold.claim().and_then(|claim| usages.get_mut(&claim.tenant));
            if let Some(usage) = usage {
                let added = usage_of(hold.block);
                usage.claims = usage.claims.saturating_add(added.claims);
                usage.ipv4_addresses = usage.ipv4_addresses.saturating_add(added.ipv4_addresses);
                usage.ipv6_prefixes_64 = usage
                    .ipv6_prefixes_64
                    .saturating_add(added.ipv6_prefixes_64);
            }
        }
        for (id, usage) in &usages {
            check(self.index.usage(*id) == Some(usage), 6, || {
                format!("usage of tenant {id}")
            })?;
        }
        Ok(())
    }

    /// Invariant 7: as many entries as records, in order, each leading to a record of its own.
    fn audit_indexes(&self) -> Result<(), AuditFailure> {
        let (index, tables) = (&self.index, &self.tables);
        let lowest = Key::number(0);
        let of_claims = tables
            .holds
            .iter()
            .filter(|(_, hold)| hold.claim().is_some() && hold.phase != Phase::Released)
            .map(|(id, _)| id)
            .collect();
        audit_index(
            "tenants",
            index.tenant_names.after(lowest, tables.tenant_keys()),
            tables.tenant_keys(),
            &tables.tenants.iter().map(|(id, _)| id).collect(),
        )?;
        audit_index(
            "pools",
            index.pool_names.after(lowest, tables.pool_keys()),
            tables.pool_keys(),
            &tables.pools.iter().map(|(id, _)| id).collect(),
        )?;
        audit_index(
            "claims",
            index.claim_names.after(lowest, tables.claim_keys()),
            tables.claim_keys(),
            &of_claims,
        )?;
        check(
            index.claims == super::views::count(of_claims.len()),
            7,
            || String::from("the number of claims"),
        )?;
        let mut newest: BTreeMap<(u64, &Name), u64> = BTreeMap::new();
        for (number, ended) in tables.ended.iter() {
            if let EndedHolder::Claim { name, .. } = &ended.holder {
                newest.insert((ended.tenant_serial, name), ended.generation);
            }
            let found = index
                .ended
                .of_generation(tables, ended.generation)
                .map(|id| tables.ended_of(id).generation);
            check(found == Some(ended.generation), 7, || {
                format!("ended generation {}", ended.generation)
            })?;
            let scope = (ended.pool_tenant, ended.space);
            let of_block = index.ended.of_block(tables, scope, ended.block, number);
            let own = of_block.map(|id| tables.ended_number(id)).next();
            check(own == Some(number), 7, || {
                format!("the holdings of {}", ended.block)
            })?;
        }
        for ((serial, name), generation) in &newest {
            let found = index
                .ended
                .newest(tables, *serial, name)
                .map(|id| tables.ended_of(id).generation);
            check(found == Some(*generation), 7, || {
                format!("the last holding of {name}")
            })?;
        }
        let counts = [
            super::views::count(newest.len()),
            tables.ended.len(),
            tables.ended.len(),
        ];
        check(index.ended.counts() == counts, 7, || {
            String::from("the number of ended holdings")
        })?;
        let bytes = tables
            .ended
            .iter()
            .fold(0_u64, |sum, (_, ended)| sum.saturating_add(ended.weight()));
        check(index.ended.bytes == bytes, 7, || {
            String::from("bytes of ended holdings")
        })
    }

    /// Invariant 9.
    fn audit_events(&self) -> Result<(), AuditFailure> {
        let mut before: Option<EventId> = self.meta.dropped;
        let mut ended = self.tables.ended.iter();
        for (number, event) in self.tables.events.iter() {
            let ordered = before.is_none_or(|before| before < event.id())
                && event.revision <= self.meta.revision;
            check(ordered, 9, || format!("event {number} is out of order"))?;
            before = Some(event.id());
            if event.ends {
                // With a return the holding before it is gone.
                let told = ended.next().is_some_and(|(_, ended)| {
                    (event.kind == EventKind::Returned && ended.generation < event.generation)
                        || ended.generation == event.generation
                });
                check(told, 9, || format!("event {number} ends another holding"))?;
            }
        }
        check(ended.next().is_none(), 9, || {
            String::from("an ended holding has no event")
        })
    }

    /// Invariant 10.
    fn audit_texts(&self) -> Result<(), AuditFailure> {
        let mut past_tenants: BTreeMap<TextId, u32> = BTreeMap::new();
        let events = self.tables.events.iter().map(|(_, event)| event.tenant);
        let ended = self.tables.ended.iter().map(|(_, ended)| ended.pool_tenant);
        for id in events.chain(ended) {
            let count = past_tenants.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        let mut references: BTreeMap<TextId, u32> = BTreeMap::new();
        let mut refer = |ids: &[TextId]| {
            for id in ids.iter().filter(|id| id.is_some()) {
                let count = references.entry(*id).or_default();
                *count = count.saturating_add(1);
            }
        };
        self.tables
            .tenants
            .iter()
            .for_each(|(_, tenant)| refer(&[tenant.text]));
        self.tables
            .pools
            .iter()
            .for_each(|(_, pool)| refer(&[pool.text]));
        self.tables
            .events
            .iter()
            .for_each(|(_, event)| refer(&event.texts()));
        self.tables
            .ended
            .iter()
            .for_each(|(_, ended)| refer(&ended.texts()));
        for (place, text) in self.tables.texts.iter() {
            let id = id_of(place);
            let counted = references.remove(&id).unwrap_or(0);
            check(
                counted > 0 && self.texts.references(id) == counted,
                10,
                || format!("references to {text:?}"),
            )?;
            let tenants = past_tenants.get(&id).copied().unwrap_or(0);
            check(self.texts.past_tenants(id) == tenants, 10, || {
                format!("tenants of the past by the name {text:?}")
            })?;
            check(self.texts.find(&self.tables, text) == id, 10, || {
                format!("{text:?} is not interned once")
            })?;
        }
        check(references.is_empty(), 10, || {
            String::from("a text is missing")
        })
    }
}

/// The entries of an index are in order and lead to these records.
pub(super) fn audit_index<'a>(
    name: &str,
    entries: impl Iterator<Item = u32>,
    key_of: impl Fn(u32) -> Key<'a>,
    records: &BTreeSet<u32>,
) -> Result<(), AuditFailure> {
    let entries: Vec<u32> = entries.collect();
    let ordered = entries
        .iter()
        .zip(entries.iter().skip(1))
        .all(|(one, other)| key_of(*one) < key_of(*other));
    check(ordered, 7, || {
        format!("the index of {name} is out of order")
    })?;
    let same = entries.len() == records.len() && entries.iter().all(|id| records.contains(id));
    check(same, 7, || {
        format!("the index of {name} leads to other records")
    })
}
