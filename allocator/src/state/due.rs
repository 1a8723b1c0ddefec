//! What is due by the log's clock: leases and graces that are over, and operators that do not wait.
//!
//! Nothing is done before its time, and what is due and not done yet is held as before.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::answer::{Outcome, Rejection};
use crate::command::{AllocationReclaim, ClaimFrom, ClaimSpec, EXPIRE_HOLDS_MAX};
use crate::planted::{Bug, planted};
use crate::record::{HoldId, PoolId};
use crate::view::EventKind;

use super::State;
use super::store::Who;

/// Holds of a full pool that a claim ends before it is refused.
const SWEEP_HOLDS_MAX: usize = 64;
/// Holds whose time has come among which those are looked for: the end of a lease frees nothing where a
/// grace follows.
const SWEEP_EXAMINED_MAX: usize = 1_000;
/// Holds that the attempts of one command may end and take back in vain.
const SWEEP_WASTED_MAX: usize = 256;

/// On whose behalf the clock does what is due.
const CLOCK: Who<'static> = Who {
    actor: "",
    source: "clock",
};

impl State {
    /// When, by the log's clock, something is to be done next; `None` while nothing waits for it.
    pub fn next_due_ms(&self) -> Option<u64> {
        let id = self.index.life.first_due(&self.tables)?;
        self.tables.hold(id).due_ms()
    }

    /// Does what is due, the earliest first and at most so much.
    pub(super) fn expire(&mut self, holds_max: u32) -> Outcome {
        for _ in 0..holds_max.min(EXPIRE_HOLDS_MAX) {
            let Some(id) = self.first_due_now() else {
                break;
            };
            self.due_do(id);
        }
        self.swept.more = self.first_due_now().is_some();
        Outcome::Expired(self.swept)
    }

    fn first_due_now(&self) -> Option<HoldId> {
        let id = self.index.life.first_due(&self.tables)?;
        let due_ms = self.tables.hold(id).due_ms();
        due_ms
            .is_some_and(|due_ms| self.is_time(due_ms))
            .then_some(id)
    }

    /// Whether a time by the log's clock is over. Stamps are cut to whole milliseconds, so what was given at a
    /// millisecond may have been given at its end: the millisecond in which it ends has to pass, too.
    fn is_time(&self, at_ms: u64) -> bool {
        let early_ms = u64::from(planted(Bug::EndedATickEarly));
        at_ms < self.meta.clock.now_ms().saturating_add(early_ms)
    }

    /// The holds of a pool whose end is due and frees their blocks, those that ended first before the
    /// others.
    fn freeable(&self, pool: PoolId) -> impl Iterator<Item = HoldId> {
        self.index
            .life
            .ends_of(&self.tables, pool)
            .take_while(|id| self.is_over(*id))
            .take(SWEEP_EXAMINED_MAX)
            .filter(|id| self.is_freed_by_its_end(*id))
            .take(SWEEP_HOLDS_MAX)
    }

    fn is_over(&self, id: HoldId) -> bool {
        let end_ms = self.tables.hold(id).end_ms();
        end_ms.is_some_and(|end_ms| self.is_time(end_ms))
    }

    /// Does what is due with one hold. The coming end of a lease that is over already is not told.
    fn due_do(&mut self, id: HoldId) {
        if !self.is_over(id) {
            let wall_ms = self.meta.clock.wall_ms();
            self.life_change(CLOCK, id, EventKind::Expiring, |_, life| {
                if let Some(lease) = &mut life.lease {
                    lease.told_at_ms = Some(wall_ms);
                }
            });
            self.swept.expiring = self.swept.expiring.saturating_add(1);
        } else if self.tables.hold(id).kept().is_some() {
            self.reclaim_commit(CLOCK, id);
            self.swept.reclaimed = self.swept.reclaimed.saturating_add(1);
        } else {
            self.release_commit(CLOCK, id, EventKind::Expired);
            self.swept.expired = self.swept.expired.saturating_add(1);
        }
    }

    /// Attempts what a pool without room refuses: there, holds of it whose time has come are ended
    /// first. Where that does not help, they stay, and the refusal changes nothing.
    pub(super) fn with_sweep(
        &mut self,
        attempt: impl Fn(&mut Self) -> Result<Outcome, Rejection>,
    ) -> Result<Outcome, Rejection> {
        let refused = match attempt(self) {
            Err(refused @ Rejection::PoolExhausted { .. }) => refused,
            other => return other,
        };
        let pool = match &refused {
            Rejection::PoolExhausted { tenant, pool, .. } => self.pool_get(tenant, pool).ok(),
            _ => None,
        };
        self.sweep_and_retry(pool, refused, &attempt)
    }

    /// The same for a claim, which may have tried several pools: they are swept one after the other,
    /// in the order in which they were tried, until one has room.
    pub(super) fn claim_with_sweep(
        &mut self,
        spec: &ClaimSpec,
        attempt: impl Fn(&mut Self) -> Result<Outcome, Rejection>,
    ) -> Result<Outcome, Rejection> {
        let ClaimFrom::Selector(selector) = &spec.from else {
            return self.with_sweep(attempt);
        };
        match attempt(self) {
            Err(refused @ Rejection::PoolExhausted { .. }) => {
                let pools = self.candidates(&spec.tenant, selector);
                self.sweep_and_retry(pools, refused, &attempt)
            }
            other => other,
        }
    }

    /// Ends what is over in one pool after the other, in the order of their ends and no more than it takes;
    /// what ended at one moment goes together.
    fn sweep_and_retry(
        &mut self,
        pools: impl IntoIterator<Item = PoolId>,
        refused: Rejection,
        attempt: &impl Fn(&mut Self) -> Result<Outcome, Rejection>,
    ) -> Result<Outcome, Rejection> {
        for pool in pools {
            let room = SWEEP_WASTED_MAX.saturating_sub(self.swept_in_vain);
            let holds: Vec<HoldId> = self.freeable(pool).take(room).collect();
            if holds.is_empty() {
                continue;
            }
            let savepoint = self.savepoint();
            let end_ms = |id: &HoldId| self.tables.hold(*id).end_ms();
            let moments: Vec<&[HoldId]> = holds
                .chunk_by(|one, next| end_ms(one) == end_ms(next))
                .collect();
            for moment in moments {
                for id in moment {
                    self.due_do(*id);
                }
                if let Ok(outcome) = attempt(self) {
                    self.savepoint_keep(&savepoint);
                    return Ok(outcome);
                }
            }
            self.savepoint_restore(&savepoint);
            self.swept_in_vain = self.swept_in_vain.saturating_add(holds.len());
        }
        Err(refused)
    }

    pub(super) fn allocation_reclaim(
        &mut self,
        who: Who<'_>,
        reclaim: &AllocationReclaim,
    ) -> Result<Outcome, Rejection> {
        let id = self.reclaim_plan(reclaim)?;
        let view = self.allocation_view(id);
        self.reclaim_commit(who, id);
        Ok(Outcome::AllocationReclaimed(Box::new(view)))
    }

    /// A block may be held on several levels: the generation tells which is meant.
    fn reclaim_plan(&self, reclaim: &AllocationReclaim) -> Result<HoldId, Rejection> {
        let tenant = self.tenant_find(&reclaim.tenant)?;
        let mut exact = self
            .chains(tenant, &reclaim.space, reclaim.cidr)
            .flat_map(|(_, holds)| holds.into_iter().rev())
            // It is the pool's operator who reclaims.
            .filter(|id| {
                let hold = self.tables.hold(*id);
                hold.block == reclaim.cidr && self.tables.pool(hold.pool).tenant == tenant
            })
            .peekable();
        let Some(innermost) = exact.peek().copied() else {
            return Err(Rejection::AllocationNotFound {
                tenant: reclaim.tenant.clone(),
                space: reclaim.space.clone(),
                cidr: reclaim.cidr,
            });
        };
        let meant = exact.find(|id| self.tables.hold(*id).generation == reclaim.generation);
        let Some(id) = meant else {
            return Err(Rejection::GenerationStale {
                given: reclaim.generation,
                current: Some(self.tables.hold(innermost).generation),
            });
        };
        if self.tables.hold(id).kept().is_none() {
            return Err(Rejection::NotReleased {
                held: Box::new(self.allocation_view(id)),
            });
        }
        Ok(id)
    }

    pub(super) fn clock_advance(&mut self, ms: u64) -> Outcome {
        if ms > 0 {
            self.revision_open();
            self.meta.clock.advance_by(ms);
        }
        Outcome::ClockAdvanced {
            advanced_ms: self.meta.clock.advanced_ms(),
        }
    }
}
