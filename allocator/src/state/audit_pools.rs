//! What is kept for a pool's policy, recomputed.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use crate::command::Strategy;
use crate::count::Count;
use crate::prefix::Family;
use crate::record::Holder;

use super::State;
use super::audit::{AuditFailure, HoldsByPool, check};
use super::foreign_index::ForeignIndex;
use super::policy::Policy;
use super::pool_fields;
use super::pool_handout::check_handout;
use super::pool_index::plus;
use super::select::SelectorIndex;
use super::shares::Shares;

impl State {
    /// Invariant 15.
    pub(super) fn audit_withheld(&self, holds: &HoldsByPool<'_>) -> Result<(), AuditFailure> {
        for (id, pool) in self.tables.pools.iter() {
            let name = &pool.spec.name;
            let index = self.pool_index(id);
            let withheld = pool_fields::withheld_of(pool);
            let mut policy = Policy::new(withheld.clone());
            let total = withheld
                .keys()
                .fold(Count::ZERO, |sum, block| plus(sum, block.size()));
            let mut held = Count::ZERO;
            let mut reservations = BTreeMap::new();
            for (hold_id, hold) in holds.get(&id).into_iter().flatten() {
                let block = hold.block;
                match &hold.holder {
                    Holder::Reservation { reason } => {
                        reservations.insert(block, *hold_id);
                        let sound = withheld
                            .iter()
                            .any(|(whole, why)| whole.contains(block) && why == reason);
                        check(sound, 15, || format!("{block} is reserved in pool {name}"))?;
                        held = plus(held, block.size());
                    }
                    Holder::Claim(_) | Holder::Child { .. } => {
                        if hold.obeys_policy() {
                            policy.add(block);
                        }
                        for part in withheld.keys().filter(|part| part.overlaps(block)) {
                            let shared = if part.contains(block) { block } else { *part };
                            held = plus(held, shared.size());
                        }
                    }
                }
            }
            check(held == total, 15, || {
                format!("of {total} addresses that pool {name} withholds {held} are held")
            })?;
            check(
                policy == index.policy && reservations == index.withheld,
                15,
                || format!("the policy of pool {name}"),
            )?;
        }
        Ok(())
    }

    /// Invariant 17.
    pub(super) fn audit_handouts(&self) -> Result<(), AuditFailure> {
        for (_, pool) in self.tables.pools.iter() {
            let sound = check_handout(&pool.spec.handout, pool.family).is_ok();
            check(sound, 17, || {
                format!("what pool {} hands out", pool.spec.name)
            })?;
        }
        Ok(())
    }

    /// Invariant 7, for what tenants hold of other tenants' pools, and for selectors.
    pub(super) fn audit_pool_indexes(&self) -> Result<(), AuditFailure> {
        let mut foreign = ForeignIndex::default();
        for (id, hold) in self.tables.holds.iter() {
            if let Holder::Claim(claim) = &hold.holder {
                foreign.claim_add(&self.tables, id, hold, claim);
            }
        }
        for (_, pool) in self.tables.pools.iter() {
            foreign.child_add(&self.tables, pool);
        }
        check(foreign == self.index.foreign, 7, || {
            String::from("what is held of other tenants' pools")
        })?;
        let ended = self.tables.ended.iter();
        let elsewhere = ended
            .filter(|(_, ended)| ended.tenant != ended.pool_tenant)
            .map(|(number, ended)| (ended.tenant, ended.block, number));
        check(
            self.index.ended.elsewhere_is(&elsewhere.collect()),
            7,
            || String::from("what was held of other tenants' pools"),
        )?;
        let mut selectors = SelectorIndex::default();
        for (id, pool) in self.tables.pools.iter() {
            selectors.add(id, pool);
        }
        check(selectors == self.index.selectors, 7, || {
            String::from("the pools by label and priority")
        })
    }

    /// Invariant 14.
    pub(super) fn audit_strategies(&self, holds: &HoldsByPool<'_>) -> Result<(), AuditFailure> {
        for (id, pool) in self.tables.pools.iter() {
            let name = &pool.spec.name;
            let cursor = self.tables.contents.get(id).and_then(|one| one.cursor);
            let sound = cursor.is_none_or(|cursor| {
                pool.spec.strategy == Strategy::NextFit && Family::of(cursor) == pool.family
            });
            check(sound, 14, || format!("the cursor of pool {name}"))?;
            let index = self.pool_index(id);
            let least_utilized = pool.spec.strategy == Strategy::LeastUtilized;
            let mut shares = least_utilized.then(|| Shares::new(&index.tries));
            for (_, hold) in holds.get(&id).into_iter().flatten() {
                let place = index
                    .tries
                    .iter()
                    .position(|trie| trie.cidr().contains(hold.block));
                if let (Some(shares), Some(place)) = (&mut shares, place) {
                    shares.change(place, |held| plus(held, hold.block.size()));
                }
            }
            check(shares == index.shares, 14, || {
                format!("the CIDRs of pool {name} by what is held of each")
            })?;
        }
        Ok(())
    }
}
