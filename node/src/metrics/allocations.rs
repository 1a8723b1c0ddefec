//! Claims and releases that this node answered, by pool.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use allocator::name::Name;
use allocator::owners::PoolTally;
use allocator::prefix::Family;
use metrics::{Counter, Histogram, Unit};

use super::{OTHER, POOLS_MAX};

const ALLOCATIONS: &str = "ipam_allocations_total";
const RELEASES: &str = "ipam_releases_total";
const LATENCY: &str = "ipam_allocation_latency_seconds";

/// Counters of claims and releases. The first [`POOLS_MAX`] pools that are met have their own.
#[derive(Debug)]
pub(crate) struct AllocationMetrics {
    named: RwLock<Named>,
    latency: Histogram,
    conflicts: Counter,
}

#[derive(Debug, Default)]
struct Named {
    /// By tenant, then pool: looked up by reference, without a key being built.
    pools: HashMap<Name, HashMap<Name, Arc<PoolCounters>>>,
    count: usize,
}

#[derive(Debug)]
struct PoolCounters {
    tenant: String,
    pool: String,
    family: &'static str,
    allocated: Counter,
    released: Counter,
}

impl AllocationMetrics {
    /// To be made after the recorder is installed.
    pub(crate) fn new() -> Self {
        Self {
            named: RwLock::default(),
            latency: metrics::histogram!(LATENCY),
            conflicts: super::http::conflicts(),
        }
    }

    /// A claim got a block.
    pub(crate) fn allocated(&self, tenant: &Name, pool: &Name, family: Family, latency: Duration) {
        self.counters(tenant, pool, family).allocated.increment(1);
        self.latency.record(latency.as_secs_f64());
    }

    /// A claim gave its block back.
    pub(crate) fn released(&self, tenant: &Name, pool: &Name, family: Family) {
        self.counters(tenant, pool, family).released.increment(1);
    }

    /// Claims of a pool gave their blocks back in one command.
    pub(crate) fn released_many(&self, tally: &PoolTally) {
        self.counters(&tally.tenant, &tally.pool, tally.family)
            .released
            .increment(tally.released);
    }

    /// A claim got nothing, because of the problem with this code. `family` tells the pool's where
    /// there is such a pool: a name that anyone can make up must not make a series.
    pub(crate) fn refused(
        &self,
        pool: Option<&(Name, Name)>,
        reason: &'static str,
        latency: Duration,
        family: impl FnOnce(&(Name, Name)) -> Option<Family>,
    ) {
        self.latency.record(latency.as_secs_f64());
        let known = pool.and_then(|pool| {
            let counters = self.known(&pool.0, &pool.1);
            counters.or_else(|| family(pool).map(|family| self.counters(&pool.0, &pool.1, family)))
        });
        match known {
            Some(counters) => {
                allocations(
                    &counters.tenant,
                    &counters.pool,
                    counters.family,
                    "failure",
                    reason,
                )
                .increment(1);
            }
            None => allocations(OTHER, OTHER, "", "failure", reason).increment(1),
        }
    }

    /// An operation inside a batch was refused with 409 or 412.
    pub(crate) fn conflict(&self) {
        self.conflicts.increment(1);
    }

    fn known(&self, tenant: &Name, pool: &Name) -> Option<Arc<PoolCounters>> {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        named
            .pools
            .get(tenant)
            .and_then(|pools| pools.get(pool))
            .map(Arc::clone)
    }

    fn counters(&self, tenant: &Name, pool: &Name, family: Family) -> Arc<PoolCounters> {
        if let Some(counters) = self.known(tenant, pool) {
            return counters;
        }
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        let named = &mut *named;
        if named.count >= POOLS_MAX {
            return Arc::new(PoolCounters::new(OTHER, OTHER, family));
        }
        let pools = named.pools.entry(tenant.clone()).or_default();
        let counters = pools.entry(pool.clone()).or_insert_with(|| {
            named.count += 1;
            Arc::new(PoolCounters::new(tenant.as_str(), pool.as_str(), family))
        });
        Arc::clone(counters)
    }
}

impl PoolCounters {
    fn new(tenant: &str, pool: &str, family: Family) -> Self {
        let family = family_label(family);
        Self {
            tenant: tenant.to_owned(),
            pool: pool.to_owned(),
            family,
            allocated: allocations(tenant, pool, family, "success", ""),
            released: metrics::counter!(
                RELEASES, "tenant" => tenant.to_owned(), "pool" => pool.to_owned(), "family" => family
            ),
        }
    }
}

/// The family as a label.
pub(super) const fn family_label(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "IPv4",
        Family::IPv6 => "IPv6",
    }
}

fn allocations(
    tenant: &str,
    pool: &str,
    family: &'static str,
    status: &'static str,
    reason: &'static str,
) -> Counter {
    metrics::counter!(
        ALLOCATIONS,
        "tenant" => tenant.to_owned(),
        "pool" => pool.to_owned(),
        "family" => family,
        "status" => status,
        "reason" => reason,
    )
}

pub(super) fn describe() {
    metrics::describe_counter!(
        ALLOCATIONS,
        "Claims answered by this node; reason is the problem's code."
    );
    metrics::describe_counter!(RELEASES, "Blocks given back through this node.");
    metrics::describe_histogram!(
        LATENCY,
        Unit::Seconds,
        "Time from a claim's arrival to its answer."
    );
}
