//! Removing a pool with what is under it: what was given at or before a revision, and nothing of
//! another tenant's.
//!
//! Who cascades means it: a block under a pool that goes is not kept for its holder, since the pool that
//! would keep it is not there any more; what is kept already goes too. Costs in proportion to what is
//! held under the pool.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::answer::{Outcome, Rejection};
use crate::cascade::{CASCADE_POOLS_MAX, PoolCascade, PoolCascaded};
use crate::command::PoolSpec;
use crate::owners::{PoolTally, RELEASE_BLOCKS_MAX};
use crate::record::{Hold, HoldId, Holder, Pool, PoolId, TenantId};
use crate::view::{AllocationView, EventKind};

use super::State;
use super::owner_release::limit_check;
use super::pool::HOLDERS_SHOWN;
use super::store::{Happened, Who};
use super::views::count;

/// Something that ends.
enum End {
    /// What a claim holds.
    Held(HoldId),
    /// What is kept for a claim that is gone.
    Kept(HoldId),
    /// A child pool in which nothing is left.
    Child(PoolId),
}

/// What becomes of a pool.
#[derive(PartialEq, Eq)]
enum Left {
    /// All that is in it ends.
    Nothing,
    /// More is to end in a later step.
    More,
    /// Something in it was given after the fence.
    Newer,
}

/// What a cascade comes to.
struct Cascade {
    tenant: TenantId,
    as_of_revision: u64,
    most: usize,
    /// In the order in which they end: what is in a pool before the pool.
    ends: Vec<End>,
    /// Reservations that go with the child pools among them: they count as blocks of the step.
    reservations: usize,
    remaining: u64,
    newer: u64,
    /// The pool itself goes.
    deleted: bool,
    /// Pools that were found, and those of them that stay.
    pools: u32,
    staying: Vec<PoolId>,
    /// Other tenants' claims and child pools, and the first of them.
    foreign: (u64, u64),
    shown: Vec<AllocationView>,
}

impl State {
    pub(super) fn pool_cascade(
        &mut self,
        who: Who<'_>,
        asked: &PoolCascade,
    ) -> Result<Outcome, Rejection> {
        let (id, plan) = self.cascade_plan(asked)?;
        let mut outcome = PoolCascaded {
            released: count(plan.ends.len()),
            remaining: plan.remaining,
            newer: plan.newer,
            deleted: plan.deleted,
            reclaimed: 0,
            pools: self.cascade_tallies(&plan.ends),
        };
        for pool in plan.staying {
            self.pool_drain(who, pool);
        }
        for end in plan.ends {
            match end {
                End::Held(id) => self.end_commit(who, id, EventKind::Released),
                End::Kept(id) => {
                    self.reclaim_commit(who, id);
                    outcome.reclaimed = outcome.reclaimed.saturating_add(1);
                }
                End::Child(id) => {
                    self.pool_delete_commit(who, id);
                }
            }
        }
        if outcome.deleted {
            self.pool_delete_commit(who, id);
        }
        Ok(Outcome::PoolCascaded(Box::new(outcome)))
    }

    fn cascade_plan(&self, asked: &PoolCascade) -> Result<(PoolId, Cascade), Rejection> {
        limit_check(asked.limit)?;
        let id = self.pool_get(&asked.tenant, &asked.pool)?;
        self.fence_check(asked.as_of_revision)?;
        let pool = self.tables.pool(id);
        if let Some(given) = asked.if_revision.filter(|given| *given != pool.revision) {
            return Err(Rejection::RevisionMismatch {
                given,
                current: pool.revision,
            });
        }
        let most = asked.limit.unwrap_or(RELEASE_BLOCKS_MAX);
        let mut plan = Cascade {
            tenant: pool.tenant,
            as_of_revision: asked.as_of_revision,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            ends: Vec::new(),
            reservations: 0,
            remaining: 0,
            newer: 0,
            deleted: false,
            pools: 0,
            staying: Vec::new(),
            foreign: (0, 0),
            shown: Vec::new(),
        };
        if pool.created_revision > asked.as_of_revision {
            // A later pool of the same name: a late repeat leaves it as it is.
            plan.newer = 1;
            return Ok((id, plan));
        }
        plan.deleted = self.cascade_pool(&mut plan, id) == Left::Nothing;
        // Where the search ended at the first pool too many, the rest of the plan says nothing.
        if plan.pools > CASCADE_POOLS_MAX {
            return Err(Rejection::TooMany {
                what: String::from("pools"),
                count: u64::from(plan.pools),
                limit: u64::from(CASCADE_POOLS_MAX),
            });
        }
        if plan.foreign != (0, 0) {
            return Err(Rejection::PoolInUse {
                pool: asked.pool.clone(),
                claims: plan.foreign.0,
                children: plan.foreign.1,
                holders: plan.shown,
            });
        }
        if asked.limit.is_none() && plan.remaining > 0 {
            return Err(Rejection::TooMany {
                what: String::from("blocks"),
                count: count(plan.ends.len())
                    .saturating_add(count(plan.reservations))
                    .saturating_add(plan.remaining),
                limit: u64::from(RELEASE_BLOCKS_MAX),
            });
        }
        Ok((id, plan))
    }

    /// Looks at all that is in a pool, unless the pools are too many by now. The recursion goes down as
    /// deep as pools nest.
    fn cascade_pool(&self, plan: &mut Cascade, id: PoolId) -> Left {
        plan.pools = plan.pools.saturating_add(1);
        let (mut more, mut newer) = (false, false);
        for trie in &self.pool_index(id).tries {
            let _end = trie.holds_from(&self.index.nodes, None, &mut |hold| {
                if plan.pools > CASCADE_POOLS_MAX {
                    return ControlFlow::Break(());
                }
                match self.cascade_hold(plan, hold) {
                    Left::Nothing => {}
                    Left::More => more = true,
                    Left::Newer => newer = true,
                }
                ControlFlow::Continue(())
            });
        }
        if !more && !newer {
            return Left::Nothing;
        }
        plan.staying.push(id);
        if newer { Left::Newer } else { Left::More }
    }

    fn cascade_hold(&self, plan: &mut Cascade, id: HoldId) -> Left {
        let hold = self.tables.hold(id);
        let given = hold.given_revision() <= plan.as_of_revision;
        match &hold.holder {
            // It goes with the pool.
            Holder::Reservation { .. } => Left::Nothing,
            Holder::Claim(claim) if claim.tenant != plan.tenant => {
                plan.foreign.0 = plan.foreign.0.saturating_add(1);
                self.cascade_foreign(plan, id)
            }
            Holder::Child { pool } if self.tables.pool(*pool).tenant != plan.tenant => {
                plan.foreign.1 = plan.foreign.1.saturating_add(1);
                self.cascade_foreign(plan, id)
            }
            Holder::Claim(_) | Holder::Child { .. } if !given => plan.stays(Left::Newer),
            Holder::Claim(_) => plan.ends(ended(id, hold)),
            Holder::Child { pool } => match self.cascade_pool(plan, *pool) {
                Left::Nothing => {
                    let left = plan.ends_child(*pool, self.pool_index(*pool).withheld.len());
                    if left != Left::Nothing {
                        plan.staying.push(*pool);
                    }
                    left
                }
                left => plan.stays(left),
            },
        }
    }

    /// Another tenant's: the whole cascade is refused.
    fn cascade_foreign(&self, plan: &mut Cascade, id: HoldId) -> Left {
        if plan.shown.len() < HOLDERS_SHOWN {
            plan.shown.push(self.allocation_view(id));
        }
        Left::Newer
    }

    /// Claims that end, by pool.
    fn cascade_tallies(&self, ends: &[End]) -> Box<[PoolTally]> {
        let mut pools: BTreeMap<PoolId, u64> = BTreeMap::new();
        for end in ends {
            if let End::Held(id) = end {
                let released = pools.entry(self.tables.hold(*id).pool).or_default();
                *released = released.saturating_add(1);
            }
        }
        self.tallies(&pools)
    }

    /// Nothing new is handed out of the pool from here on.
    fn pool_drain(&mut self, who: Who<'_>, id: PoolId) {
        let pool = self.tables.pool(id);
        if pool.spec.drain {
            return;
        }
        let pool = pool.clone();
        let (revision, wall_ms) = (self.revision_open(), self.meta.clock.wall_ms());
        let happened = Happened {
            kind: EventKind::PoolChanged,
            tenant: self.tables.tenant(pool.tenant).text,
            pool: pool.text,
            generation: 0,
            hold: 0,
            ends: false,
        };
        let drained = Pool {
            spec: Arc::new(PoolSpec {
                drain: true,
                ..PoolSpec::clone(&pool.spec)
            }),
            draining_since_ms: Some(wall_ms),
            revision,
            updated_at_ms: wall_ms,
            ..pool
        };
        self.pool_replace(id, drained);
        self.event_push(who, happened);
    }
}

fn ended(id: HoldId, hold: &Hold) -> End {
    if hold.kept().is_some() {
        End::Kept(id)
    } else {
        End::Held(id)
    }
}

impl Cascade {
    /// Something is meant: it ends in this step while there is room, else in a later one.
    fn ends(&mut self, end: End) -> Left {
        if self.ends.len().saturating_add(self.reservations) < self.most {
            self.ends.push(end);
            Left::Nothing
        } else {
            self.stays(Left::More)
        }
    }

    /// The same of a child pool with its reservations. One that has more of them than a step may end is
    /// ended in a step of its own.
    fn ends_child(&mut self, pool: PoolId, reservations: usize) -> Left {
        let ending = self.ends.len().saturating_add(self.reservations);
        let room = self.most.saturating_sub(ending);
        if reservations >= room && ending > 0 {
            return self.stays(Left::More);
        }
        self.reservations = self.reservations.saturating_add(reservations);
        self.ends.push(End::Child(pool));
        Left::Nothing
    }

    /// Something stays, for that reason.
    fn stays(&mut self, left: Left) -> Left {
        let counted = match left {
            Left::Newer => &mut self.newer,
            Left::More | Left::Nothing => &mut self.remaining,
        };
        *counted = counted.saturating_add(1);
        left
    }
}
