//! What a holder does with its block while it has it, and how it gets it back: confirm, renew, return.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use crate::answer::{Outcome, Rejection};
use crate::command::{ClaimConfirm, ClaimRenew, ClaimSpec};
use crate::history::FreedBy;
use crate::life::{ClaimLife, PoolLife, ReclaimPolicy};
use crate::name::{Name, Owner};
use crate::prefix::{Prefix, address_number};
use crate::record::{Claim, Ended, Hold, HoldId, Holder, Lease, Life, Past, PoolId, TenantId};
use crate::view::{EventKind, Phase};

use super::State;
use super::claim::{Wanted, invalid};
use super::life_index::{Holding, LifeIndex};
use super::store::{Happened, Who};

impl State {
    pub(super) fn claim_confirm(
        &mut self,
        who: Who<'_>,
        confirm: &ClaimConfirm,
    ) -> Result<Outcome, Rejection> {
        let id = self.held_by(
            &confirm.tenant,
            &confirm.name,
            confirm.owner.as_ref(),
            confirm.generation,
        )?;
        if self.tables.hold(id).phase != Phase::InUse {
            let (wall_ms, revision) = (self.meta.clock.wall_ms(), self.revision_open());
            self.life_change(who, id, EventKind::Confirmed, |phase, life| {
                *phase = Phase::InUse;
                (life.in_use_at_ms, life.in_use_revision) = (Some(wall_ms), Some(revision));
            });
        }
        Ok(Outcome::ClaimConfirmed(Box::new(self.claim_view_of(id))))
    }

    pub(super) fn claim_renew(
        &mut self,
        who: Who<'_>,
        renew: &ClaimRenew,
    ) -> Result<Outcome, Rejection> {
        let id = self.held_by(
            &renew.tenant,
            &renew.name,
            renew.owner.as_ref(),
            renew.generation,
        )?;
        let hold = self.tables.hold(id);
        let longest = self.tables.pool(hold.pool).spec.life.max_ttl_seconds;
        ttl_check(renew.ttl_seconds, longest)?;
        let required = longest.filter(|_| hold.obeys_policy());
        let present = hold.lease().map(|lease| match longest {
            Some(longest) => lease.ttl_seconds.min(longest),
            None => lease.ttl_seconds,
        });
        let Some(ttl_seconds) = renew.ttl_seconds.or(present).or(required) else {
            return Err(invalid(
                "ttlSeconds",
                "the claim has no lease to renew",
                format!("1 to {}", u32::MAX),
            ));
        };
        let lease = Lease::new(ttl_seconds, self.meta.clock.now_ms());
        self.life_change(who, id, EventKind::Renewed, |_, life| {
            life.lease = Some(lease);
            if renew.ttl_seconds.is_some() {
                life.asked.ttl_seconds = renew.ttl_seconds;
            }
        });
        Ok(Outcome::ClaimRenewed(Box::new(self.claim_view_of(id))))
    }

    /// The claim that its holder means, if it is the holder.
    fn held_by(
        &self,
        tenant: &Name,
        name: &Name,
        owner: Option<&Owner>,
        generation: Option<u64>,
    ) -> Result<HoldId, Rejection> {
        let tenant = self.tenant_find(tenant)?;
        let id = self
            .claim_find(tenant, name)
            .ok_or_else(|| self.claim_not_found(tenant, name))?;
        let hold = self.tables.hold(id);
        if hold.claim().and_then(Claim::owner) != owner {
            return Err(Rejection::NotTheHolder {
                claim: name.clone(),
            });
        }
        match generation {
            Some(given) if given != hold.generation => Err(Rejection::GenerationStale {
                given,
                current: Some(hold.generation),
            }),
            Some(_) | None => Ok(id),
        }
    }

    /// Changes the life of a claim's hold, and tells it.
    pub(super) fn life_change(
        &mut self,
        who: Who<'_>,
        id: HoldId,
        kind: EventKind,
        change: impl FnOnce(&mut Phase, &mut Life),
    ) {
        let revision = self.revision_open();
        let mut hold = self.tables.hold(id).clone();
        let mut life = hold.life_to_change();
        let (pool, generation) = (hold.pool, hold.generation);
        let Holder::Claim(claim) = &mut hold.holder else {
            return;
        };
        let tenant = claim.tenant;
        change(&mut hold.phase, &mut life);
        claim.life = Some(Arc::new(life));
        hold.revision = revision;
        self.hold_replace(id, hold);
        self.content_touch(pool);
        let happened = Happened {
            kind,
            tenant: self.tables.tenant(tenant).text,
            pool: self.tables.pool(pool).text,
            generation,
            hold: id,
            ends: false,
        };
        self.event_push(who, happened);
    }

    /// What is kept of a claim's life when its holding begins; `None` where there is nothing.
    pub(super) fn life_begin(
        &self,
        spec: &ClaimSpec,
        pool: &PoolLife,
        past: Option<Past>,
    ) -> Option<Arc<Life>> {
        let required = pool.max_ttl_seconds.filter(|_| !spec.reservation);
        let ttl_seconds = spec.life.ttl_seconds.or(required);
        let life = Life {
            asked: spec.life,
            lease: ttl_seconds.map(|ttl| Lease::new(ttl, self.meta.clock.now_ms())),
            returned: past,
            ..Life::default()
        };
        (life != Life::default()).then(|| Arc::new(life))
    }

    /// What is kept of a claim's life once it says otherwise of it: another time limit begins now.
    pub(super) fn life_edited(&self, hold: &Hold, asked: &ClaimLife) -> Arc<Life> {
        let mut life = hold.life_to_change();
        if life.asked.ttl_seconds != asked.ttl_seconds {
            let longest = self.tables.pool(hold.pool).spec.life.max_ttl_seconds;
            let required = longest.filter(|_| hold.obeys_policy());
            let ttl_seconds = asked.ttl_seconds.or(required);
            life.lease = ttl_seconds.map(|ttl| Lease::new(ttl, self.meta.clock.now_ms()));
        }
        life.asked = *asked;
        Arc::new(life)
    }

    /// The kept block that a claim gets back: of its holder and length, the one released last that
    /// lies in what it allows, or exactly the one that it names. What the pool withholds by now does
    /// not go back.
    pub(super) fn returning(
        &self,
        tenant: TenantId,
        pool: PoolId,
        spec: &ClaimSpec,
        wanted: &Wanted,
    ) -> Option<HoldId> {
        // Nothing is kept for who withholds.
        if spec.reservation {
            return None;
        }
        let index = self.pool_index(pool);
        let will_do = |block: Prefix| {
            let (first, last) = (address_number(block.first()), address_number(block.last()));
            wanted
                .spans
                .iter()
                .any(|span| span.first <= first && last <= span.last)
                && !index.policy.withholds(block)
        };
        let holding = Holding {
            tenant,
            pool,
            owned: spec.owner.is_some(),
            text: spec
                .owner
                .as_ref()
                .map_or_else(|| spec.name.as_str(), Owner::as_str),
        };
        let Some(cidr) = spec.cidr else {
            return self
                .index
                .life
                .kept_for(&self.tables, &holding, wanted.length, will_do);
        };
        let trie = index.trie(cidr)?;
        let id = trie.overlapping(&self.index.nodes, cidr)?;
        let hold = self.tables.hold(id);
        (hold.block == cidr && will_do(cidr) && LifeIndex::is_kept_for(hold, &holding))
            .then_some(id)
    }

    /// Gives a kept block back to its holder, as a holding of its own.
    pub(super) fn return_commit(
        &mut self,
        who: Who<'_>,
        spec: &ClaimSpec,
        tenant: TenantId,
        id: HoldId,
    ) -> HoldId {
        let revision = self.revision_open();
        let generation = self.generation_next();
        let kept = self.tables.hold(id);
        let pool = kept.pool;
        let claim = kept.claim().expect("only a claim's block is kept");
        let before = claim.life.as_ref().and_then(|life| life.returned);
        let past = Past {
            first_allocated_at_ms: before
                .map_or(kept.allocated_at_ms, |past| past.first_allocated_at_ms),
            released_at_ms: kept
                .kept()
                .map_or(kept.allocated_at_ms, |kept| kept.released_at_ms),
        };
        let released = kept.revision;
        let hold = Hold {
            phase: Phase::Allocated,
            returned: true,
            generation,
            revision,
            allocated_at_ms: self.meta.clock.wall_ms(),
            holder: Holder::Claim(self.claim_record(tenant, pool, spec, Some(past))),
            ..kept.clone()
        };
        let space = self.space_text(pool);
        let ended = Ended {
            freed: Some(FreedBy::Return),
            ..self.ended_of(id, released, space)
        };
        self.ended_push(ended);
        self.hold_replace(id, hold);
        self.content_touch(pool);
        let happened = Happened {
            kind: EventKind::Returned,
            tenant: self.tables.tenant(tenant).text,
            pool: self.tables.pool(pool).text,
            generation,
            hold: id,
            ends: true,
        };
        self.event_push(who, happened);
        id
    }
}

/// What a claim states of its life is within what the pool allows.
pub(super) fn claim_life_check(
    reservation: bool,
    asked: &ClaimLife,
    pool: &PoolLife,
) -> Result<(), Rejection> {
    let kept = [
        ("graceSeconds", asked.grace_seconds.is_some()),
        ("reclaimPolicy", asked.reclaim_policy.is_some()),
    ];
    if let Some((field, _)) = kept.iter().find(|(_, stated)| reservation && *stated) {
        return Err(invalid(
            field,
            "a reservation is not kept for anybody",
            String::from("absent beside purpose Reservation"),
        ));
    }
    ttl_check(asked.ttl_seconds, pool.max_ttl_seconds)?;
    if asked
        .grace_seconds
        .is_some_and(|grace| grace > pool.grace_max())
    {
        return Err(invalid(
            "graceSeconds",
            "it is above the pool's bound",
            format!("0 to {}", pool.grace_max()),
        ));
    }
    if asked.reclaim_policy == Some(ReclaimPolicy::Retain) && !pool.retain_allowed() {
        return Err(invalid(
            "reclaimPolicy",
            "the pool does not allow Retain",
            String::from("Delete or absent"),
        ));
    }
    Ok(())
}

/// A stated lease lasts, and no longer than the pool allows.
fn ttl_check(asked: Option<u32>, longest: Option<u32>) -> Result<(), Rejection> {
    let longest = longest.unwrap_or(u32::MAX);
    match asked {
        Some(ttl) if ttl == 0 || ttl > longest => Err(invalid(
            "ttlSeconds",
            "it is outside of what the pool allows",
            format!("1 to {longest}"),
        )),
        Some(_) | None => Ok(()),
    }
}
