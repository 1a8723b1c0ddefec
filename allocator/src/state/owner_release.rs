//! Giving back what an owner holds, or some holdings that are told by their generations.
//!
//! Costs in proportion to what the owner holds (of its tenant, under the prefix), whatever else there
//! is. Child pools that the owner has are left alone: what is held in them may be others'.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::answer::{Outcome, Rejection};
use crate::name::Name;
use crate::owners::{
    HoldingRef, OwnedBefore, OwnerHoldings, OwnerRelease, OwnerReleased, PoolTally,
    RELEASE_BLOCKS_MAX,
};
use crate::prefix::Prefix;
use crate::record::{HoldId, PoolId, TenantId};
use crate::view::EventKind;

use super::State;
use super::claim::invalid;
use super::store::Who;
use super::views::count;

/// What a release of several holdings comes to.
struct ReleaseOfMany {
    /// In order of address.
    holds: Vec<HoldId>,
    already_ended: u64,
    remaining: u64,
}

impl State {
    pub(super) fn owner_release(
        &mut self,
        who: Who<'_>,
        release: &OwnerRelease,
    ) -> Result<Outcome, Rejection> {
        match &release.what {
            OwnerHoldings::Owned(owned) => limit_check(owned.limit)?,
            OwnerHoldings::Listed(holdings) => listed_check(holdings)?,
        }
        let tenant = self.tenant_find(&release.tenant)?;
        let plan = match &release.what {
            OwnerHoldings::Owned(owned) => self.owned_plan(tenant, &release.tenant, owned)?,
            OwnerHoldings::Listed(holdings) => self.listed_plan(tenant, holdings)?,
        };
        let pools = self.holds_release(who, &plan.holds);
        Ok(Outcome::OwnerReleased(Box::new(OwnerReleased {
            released: count(plan.holds.len()),
            already_ended: plan.already_ended,
            remaining: plan.remaining,
            pools,
        })))
    }

    fn owned_plan(
        &self,
        tenant: TenantId,
        name: &Name,
        owned: &OwnedBefore,
    ) -> Result<ReleaseOfMany, Rejection> {
        self.fence_check(owned.as_of_revision)?;
        let pools: BTreeSet<PoolId> = owned
            .pools
            .iter()
            .map(|pool| self.pool_resolve(name, pool))
            .collect::<Result<_, _>>()?;
        let meant = self
            .owned_holds(tenant, &owned.owners)
            .filter_map(|id| {
                let hold = self.tables.hold(id);
                let given = hold.given_revision() <= owned.as_of_revision;
                let from = pools.is_empty() || pools.contains(&hold.pool);
                (given && from).then_some((hold.block, id))
            })
            .collect();
        let (holds, remaining) = lowest(meant, owned.limit)?;
        Ok(ReleaseOfMany {
            holds,
            already_ended: 0,
            remaining,
        })
    }

    fn listed_plan(
        &self,
        tenant: TenantId,
        holdings: &[HoldingRef],
    ) -> Result<ReleaseOfMany, Rejection> {
        let mut held = BTreeSet::new();
        let mut ended = BTreeSet::new();
        for (place, holding) in holdings.iter().enumerate() {
            match self.holding_find(tenant, place, holding)? {
                Some(id) => held.insert((self.tables.hold(id).block, id)),
                None => ended.insert((holding.cidr, holding.generation)),
            };
        }
        Ok(ReleaseOfMany {
            holds: held.into_iter().map(|(_, id)| id).collect(),
            already_ended: count(ended.len()),
            remaining: 0,
        })
    }

    /// The hold that a holding of the tenant is; `None` for one that has ended.
    fn holding_find(
        &self,
        tenant: TenantId,
        place: usize,
        holding: &HoldingRef,
    ) -> Result<Option<HoldId>, Rejection> {
        let last = self.meta.generation;
        if holding.generation == 0 || holding.generation > last {
            return Err(invalid(
                &format!("holdings[{place}].generation"),
                "it was never given",
                format!("1 to {last}"),
            ));
        }
        let owner = match &holding.tenant {
            None => tenant,
            // A tenant that is gone holds no pools: what was held there has ended.
            Some(name) => match self.tenant_find(name) {
                Ok(id) => id,
                Err(_) => return Ok(None),
            },
        };
        let is_meant = |id: &HoldId| {
            let hold = self.tables.hold(*id);
            (hold.block, hold.generation) == (holding.cidr, holding.generation)
        };
        let there = self
            .chains(owner, &holding.space, holding.cidr)
            .find_map(|(_, holds)| holds.into_iter().rev().find(is_meant));
        let Some(id) = there else {
            return self.elsewhere_check(tenant, place, holding).map(|()| None);
        };
        let hold = self.tables.hold(id);
        match hold.claim() {
            Some(claim) if claim.tenant == tenant => Ok(hold.kept().is_none().then_some(id)),
            // What another tenant's pool has is not told.
            Some(_) | None if self.tables.pool(hold.pool).tenant != tenant => Ok(None),
            Some(_) | None => Err(invalid(
                &format!("holdings[{place}].cidr"),
                "it is not held by a claim of the tenant",
                String::from("a block that a claim of the tenant holds or held"),
            )),
        }
    }

    /// A holding that is not where it is said to be has ended: it is not the tenant's own somewhere else,
    /// as far as the events tell.
    fn elsewhere_check(
        &self,
        tenant: TenantId,
        place: usize,
        holding: &HoldingRef,
    ) -> Result<(), Rejection> {
        let found = self.held_by_generation(holding.generation);
        let own = found.filter(|hold| {
            hold.kept().is_none() && hold.claim().is_some_and(|claim| claim.tenant == tenant)
        });
        match own {
            None => Ok(()),
            Some(hold) => Err(invalid(
                &format!("holdings[{place}].cidr"),
                "the holding of that generation is of another block or routing domain",
                format!("{} in {}", hold.block, self.tables.pool(hold.pool).space),
            )),
        }
    }

    /// Releases claims' holds, each as a claim's own release does; how many of each pool.
    pub(super) fn holds_release(&mut self, who: Who<'_>, holds: &[HoldId]) -> Box<[PoolTally]> {
        let mut pools: BTreeMap<PoolId, u64> = BTreeMap::new();
        for id in holds {
            let released = pools.entry(self.tables.hold(*id).pool).or_default();
            *released = released.saturating_add(1);
            self.release_commit(who, *id, EventKind::Released);
        }
        self.tallies(&pools)
    }

    pub(super) fn tallies(&self, pools: &BTreeMap<PoolId, u64>) -> Box<[PoolTally]> {
        let tally = |(id, released): (&PoolId, &u64)| {
            let (tenant, pool) = self.pool_names(*id);
            PoolTally {
                tenant,
                pool,
                family: self.tables.pool(*id).family,
                released: *released,
            }
        };
        pools.iter().map(tally).collect()
    }

    /// A fence is a revision that the state has had.
    pub(super) fn fence_check(&self, as_of_revision: u64) -> Result<(), Rejection> {
        let revision = self.meta.revision;
        if as_of_revision <= revision {
            return Ok(());
        }
        Err(invalid(
            "asOfRevision",
            "it is above the state's revision",
            format!("0 to {revision}"),
        ))
    }
}

/// There are not too many holdings for one command.
fn listed_check(holdings: &[HoldingRef]) -> Result<(), Rejection> {
    let (count, limit) = (count(holdings.len()), u64::from(RELEASE_BLOCKS_MAX));
    if count <= limit {
        return Ok(());
    }
    Err(Rejection::TooMany {
        what: String::from("holdings"),
        count,
        limit,
    })
}

/// A stated limit is one.
pub(super) fn limit_check(limit: Option<u32>) -> Result<(), Rejection> {
    match limit {
        Some(limit) if limit == 0 || limit > RELEASE_BLOCKS_MAX => Err(invalid(
            "limit",
            "it is outside of its bounds",
            format!("1 to {RELEASE_BLOCKS_MAX}"),
        )),
        Some(_) | None => Ok(()),
    }
}

/// The first so many in order of address, and how many are left; without a limit all, unless they are
/// too many for one command.
fn lowest(
    mut meant: Vec<(Prefix, HoldId)>,
    limit: Option<u32>,
) -> Result<(Vec<HoldId>, u64), Rejection> {
    let most = usize::try_from(limit.unwrap_or(RELEASE_BLOCKS_MAX)).unwrap_or(usize::MAX);
    let remaining = meant.len().saturating_sub(most);
    if remaining > 0 {
        if limit.is_none() {
            return Err(Rejection::TooMany {
                what: String::from("blocks"),
                count: count(meant.len()),
                limit: u64::from(RELEASE_BLOCKS_MAX),
            });
        }
        meant.select_nth_unstable(most);
        meant.truncate(most);
    }
    meant.sort_unstable();
    let holds = meant.into_iter().map(|(_, id)| id).collect();
    Ok((holds, count(remaining)))
}
