//! Claims that name no pool, and how pools are found for them: by label, in order of priority and name.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::answer::Rejection;
use crate::command::{ClaimSpec, PoolSelector};
use crate::filter::LabelRequirement;
use crate::name::Name;
use crate::record::{Pool, PoolId, TenantId};

use super::State;
use super::claim::ClaimPlan;

/// Most pools that a claim tries.
const CANDIDATES_MAX: usize = 64;
/// Most pools that are looked at to find those: where the selector has a label with one value, of those
/// that carry it; else of all that the tenant has.
const EXAMINED_MAX: usize = 2_000;

/// The order in which pools are tried.
type Place = (u16, Name, PoolId);

/// Pools by what selectors ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SelectorIndex {
    all: BTreeMap<TenantId, BTreeSet<Place>>,
    labelled: BTreeMap<(TenantId, Box<str>, Box<str>), BTreeSet<Place>>,
}

fn place(id: PoolId, pool: &Pool) -> Place {
    (pool.spec.priority, pool.spec.name.clone(), id)
}

fn remove<K: Ord>(sets: &mut BTreeMap<K, BTreeSet<Place>>, key: &K, place: &Place) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(place);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

impl SelectorIndex {
    pub(super) fn add(&mut self, id: PoolId, pool: &Pool) {
        let place = place(id, pool);
        for (key, value) in &pool.spec.labels {
            let key = (pool.tenant, key.clone(), value.clone());
            self.labelled.entry(key).or_default().insert(place.clone());
        }
        self.all.entry(pool.tenant).or_default().insert(place);
    }

    pub(super) fn remove(&mut self, id: PoolId, pool: &Pool) {
        let place = place(id, pool);
        for (key, value) in &pool.spec.labels {
            let key = (pool.tenant, key.clone(), value.clone());
            remove(&mut self.labelled, &key, &place);
        }
        remove(&mut self.all, &pool.tenant, &place);
    }

    /// The fewest pools among which are all that match, in order.
    fn around(&self, tenant: TenantId, selector: &PoolSelector) -> Option<&BTreeSet<Place>> {
        let mut least = self.all.get(&tenant)?;
        for requirement in &selector.labels.requirements {
            if let LabelRequirement::In(key, values) = requirement
                && let [value] = &**values
            {
                let set = self.labelled.get(&(tenant, key.clone(), value.clone()))?;
                if set.len() < least.len() {
                    least = set;
                }
            }
        }
        Some(least)
    }
}

impl State {
    /// What a claim comes to in the first pool that can satisfy it: one that keeps a block for its
    /// holder before any other. Pools that refuse it are passed over; where all do, the claim is told
    /// why the first full one did, else of the first quota that did, or else of the first of all.
    pub(super) fn claim_plan_among(
        &self,
        spec: &ClaimSpec,
        tenant: TenantId,
        selector: &PoolSelector,
    ) -> Result<ClaimPlan, Rejection> {
        let candidates = self.candidates(&spec.tenant, selector);
        let mut refused = None;
        let mut open = Vec::new();
        for id in candidates {
            match self.claim_check(spec, id) {
                Ok(wanted) => {
                    if let Some(kept) = self.returning(tenant, id, spec, &wanted) {
                        return Ok(ClaimPlan::Return { tenant, kept });
                    }
                    open.push((id, wanted));
                }
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        let (mut full, mut quota) = (None, None);
        for (id, wanted) in open {
            match self.claim_plan_new(spec, tenant, id, &wanted) {
                Err(refusal @ Rejection::PoolExhausted { .. }) => full = full.or(Some(refusal)),
                // What a block counts differs from pool to pool: another may fit.
                Err(refusal @ Rejection::QuotaExceeded { .. }) => quota = quota.or(Some(refusal)),
                Err(refusal) => refused = refused.or(Some(refusal)),
                plan => return plan,
            }
        }
        // A full one first: room may be made in it.
        Err(full
            .or(quota)
            .or(refused)
            .unwrap_or_else(|| Rejection::NoPoolMatches {
                tenant: selector
                    .tenant
                    .clone()
                    .unwrap_or_else(|| spec.tenant.clone()),
            }))
    }

    /// The pools that a selector means to a caller of that tenant, in the order in which they are tried.
    pub(super) fn candidates(&self, caller: &Name, selector: &PoolSelector) -> Vec<PoolId> {
        let owner = selector.tenant.as_ref().unwrap_or(caller);
        let Ok(tenant) = self.tenant_find(owner) else {
            return Vec::new();
        };
        let visible = |pool: &Pool| owner == caller || pool.spec.shared_with.allows(caller);
        self.index
            .selectors
            .around(tenant, selector)
            .into_iter()
            .flatten()
            .take(EXAMINED_MAX)
            .map(|(.., id)| *id)
            .filter(|id| {
                let pool = self.tables.pool(*id);
                visible(pool)
                    && selector.family.is_none_or(|family| family == pool.family)
                    && selector.labels.matches_labels(&pool.spec.labels)
            })
            .take(CANDIDATES_MAX)
            .collect()
    }
}
