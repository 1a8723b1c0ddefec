//! The end of a holding: a claim gives its block back, or its lease is over. Where a grace keeps the
//! block, its hold stays, and is gone with the grace; the record of it is made when it goes.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::answer::{Outcome, Rejection};
use crate::command::ClaimRelease;
use crate::handout::Handout;
use crate::history::{EndReason, FreedBy};
use crate::life::{PoolLife, ReclaimPolicy};
use crate::name::Name;
use crate::record::{
    Claim, Ended, EndedHolder, Hold, HoldId, Holder, Kept, Life, Pool, TenantId, TextId, ms,
};
use crate::view::{ClaimView, EventKind, Phase};

use super::State;
use super::store::{Happened, Who};

/// What a release comes to.
enum ReleasePlan {
    /// This hold is to end.
    End(HoldId),
    /// That holding ended before.
    EndedBefore(Box<ClaimView>),
}

impl State {
    pub(super) fn claim_release(
        &mut self,
        who: Who<'_>,
        release: &ClaimRelease,
    ) -> Result<Outcome, Rejection> {
        match self.release_plan(release)? {
            ReleasePlan::EndedBefore(view) => Ok(Outcome::ClaimAlreadyReleased(view)),
            ReleasePlan::End(id) => {
                let mut view = Box::new(self.claim_view_of(id));
                self.release_commit(who, id, EventKind::Released);
                self.released_view(id, &mut view);
                Ok(Outcome::ClaimReleased(view))
            }
        }
    }

    fn release_plan(&self, release: &ClaimRelease) -> Result<ReleasePlan, Rejection> {
        let tenant = self.tenant_find(&release.tenant)?;
        let held = self.claim_find(tenant, &release.name);
        let current = held.map(|id| self.tables.hold(id).generation);
        if let Some(id) = held
            && release
                .generation
                .is_none_or(|given| Some(given) == current)
        {
            return Ok(ReleasePlan::End(id));
        }
        if let Some(given) = release.generation {
            if let Some(view) = self.ended_claim(tenant, &release.name, given) {
                return Ok(ReleasePlan::EndedBefore(Box::new(view)));
            }
            if held.is_some() {
                return Err(Rejection::GenerationStale { given, current });
            }
        }
        Err(self.claim_not_found(tenant, &release.name))
    }

    /// Takes the view of a claim that was just released to what it is now, or as it last was.
    fn released_view(&self, id: HoldId, view: &mut ClaimView) {
        let hold = self.tables.holds.get(id);
        let kept = hold.filter(|hold| hold.generation == view.generation);
        if let Some((hold, claim)) = kept.and_then(|hold| Some((hold, hold.claim()?))) {
            *view = self.claim_view(hold, claim);
            return;
        }
        view.phase = Phase::Released;
        view.expires_at_ms = None;
        view.expiring_since_ms = None;
        view.released_at_ms = Some(self.meta.clock.wall_ms());
        view.reclaim_at_ms = Some(self.meta.clock.wall_ms());
        view.revision = self.meta.revision;
        view.handout = Handout::default();
    }

    /// Ends a claim's holding: its block is kept for the holder, or free. `kind` tells why.
    pub(super) fn release_commit(&mut self, who: Who<'_>, id: HoldId, kind: EventKind) {
        let revision = self.revision_open();
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("a claim's hold is released");
        let pool = self.tables.pool(hold.pool);
        let kept_for = kept_for(claim, pool);
        if kept_for == Some(0) {
            self.end_commit(who, id, kind);
        } else {
            let now_ms = self.meta.clock.now_ms();
            let reclaim_ms = kept_for.map(|grace| now_ms.saturating_add(ms(grace)));
            let happened = Happened {
                kind,
                tenant: self.tables.tenant(claim.tenant).text,
                pool: pool.text,
                generation: hold.generation,
                hold: id,
                ends: false,
            };
            let pool = hold.pool;
            let kept = Kept {
                released_at_ms: self.meta.clock.wall_ms(),
                expired: kind == EventKind::Expired,
                reclaim_ms,
                // Each release has an event, and no two events have one number.
                serial: self.tables.events.end(),
            };
            let life = Life {
                lease: None,
                kept: Some(kept),
                ..hold.life_to_change()
            };
            let claim = Claim {
                life: Some(Arc::new(life)),
                ..claim.clone()
            };
            let hold = Hold {
                phase: Phase::Released,
                revision,
                holder: Holder::Claim(claim),
                ..hold.clone()
            };
            self.hold_replace(id, hold);
            self.content_touch(pool);
            self.event_push(who, happened);
        }
    }

    /// The next end of a hold frees its block: that of its grace, or that of its lease without one.
    pub(super) fn is_freed_by_its_end(&self, id: HoldId) -> bool {
        let hold = self.tables.hold(id);
        let pool = self.tables.pool(hold.pool);
        hold.kept().is_some()
            || hold
                .claim()
                .is_some_and(|claim| kept_for(claim, pool) == Some(0))
    }

    /// Ends a claim's holding, and its block is free at once. `kind` tells why.
    pub(super) fn end_commit(&mut self, who: Who<'_>, id: HoldId, kind: EventKind) {
        let revision = self.revision_open();
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("a claim's hold is released");
        let pool = hold.pool;
        let happened = Happened {
            kind,
            tenant: self.tables.tenant(claim.tenant).text,
            pool: self.tables.pool(pool).text,
            generation: hold.generation,
            hold: id,
            ends: true,
        };
        let space = self.space_text(pool);
        let ended = Ended {
            reason: end_reason(kind),
            ..self.ended_of(id, revision, space)
        };
        self.ended_push(ended);
        self.hold_end(id);
        self.content_touch(pool);
        self.event_push(who, happened);
    }

    /// The block that was kept is free.
    pub(super) fn reclaim_commit(&mut self, who: Who<'_>, id: HoldId) {
        self.revision_open();
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("only a claim's block is kept");
        let pool = hold.pool;
        let happened = Happened {
            kind: EventKind::Reclaimed,
            tenant: self.tables.tenant(claim.tenant).text,
            pool: self.tables.pool(pool).text,
            generation: hold.generation,
            hold: id,
            ends: true,
        };
        let released = hold.revision;
        let space = self.space_text(pool);
        let ended = Ended {
            freed: Some(FreedBy::Reclaim),
            ..self.ended_of(id, released, space)
        };
        self.ended_push(ended);
        self.hold_end(id);
        self.content_touch(pool);
        self.event_push(who, happened);
    }

    /// The record of a claim's holding that ended at a revision (of one that was kept: when it was
    /// released) and whose block is kept no longer.
    pub(super) fn ended_of(&self, id: HoldId, revision: u64, space: TextId) -> Ended {
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("it is a claim's holding");
        let (subnet, gateway) = self.holder_network(hold);
        let tenant = self.tables.tenant(claim.tenant);
        let pool = self.tables.pool(hold.pool);
        Ended {
            block: hold.block,
            subnet_length: subnet.length(),
            gateway,
            returned: hold.returned,
            generation: hold.generation,
            revision,
            gone: self.meta.revision,
            reason: match hold.kept() {
                Some(kept) if kept.expired => EndReason::Expired,
                Some(_) | None => EndReason::Released,
            },
            freed: None,
            allocated_at_ms: hold.allocated_at_ms,
            until_ms: hold
                .kept()
                .map_or(self.meta.clock.wall_ms(), |kept| kept.released_at_ms),
            tenant_serial: tenant.serial,
            tenant: tenant.text,
            pool_tenant: self.tables.tenant(pool.tenant).text,
            pool: pool.text,
            space,
            holder: EndedHolder::Claim {
                asked: claim.asked,
                name: claim.name.clone(),
                extras: claim.extras.clone(),
                life: claim.life.clone(),
            },
        }
    }

    /// The holding of that name and generation, if it has ended and is kept, or events reach back to
    /// its end.
    fn ended_claim(&self, tenant: TenantId, name: &Name, generation: u64) -> Option<ClaimView> {
        let kept = self
            .index
            .life
            .kept_of_generation(&self.tables, generation)
            .map(|id| self.tables.hold(id));
        if let Some((hold, claim)) = kept.and_then(|hold| Some((hold, hold.claim()?))) {
            let same = claim.tenant == tenant && claim.name == *name;
            return same.then(|| self.claim_view(hold, claim));
        }
        let ended = self
            .tables
            .ended_of(self.index.ended.of_generation(&self.tables, generation)?);
        let same = ended.tenant_serial == self.tables.tenant(tenant).serial && ended.name() == name;
        if same { self.ended_view(ended) } else { None }
    }

    /// There is no claim of that name; what is known of the last one.
    pub(super) fn claim_not_found(&self, tenant: TenantId, name: &Name) -> Rejection {
        let serial = self.tables.tenant(tenant).serial;
        let kept = self
            .index
            .life
            .kept_of_name(&self.tables, tenant, name)
            .map(|id| self.claim_view_of(id));
        let ended = self
            .index
            .ended
            .newest(&self.tables, serial, name)
            .and_then(|id| self.ended_view(self.tables.ended_of(id)));
        let last = [kept, ended]
            .into_iter()
            .flatten()
            .max_by_key(|view| view.generation);
        Rejection::ClaimNotFound {
            tenant: self.tenant_name(tenant).clone(),
            claim: name.clone(),
            ended: last.map(Box::new),
        }
    }
}

/// For how many seconds a claim's block is kept after its end; `None` until an operator reclaims it.
fn kept_for(claim: &Claim, pool: &Pool) -> Option<u32> {
    let asked = claim.life_asked();
    // A reservation is kept for nobody.
    let pool_life = if claim.asked.reservation {
        PoolLife::default()
    } else {
        pool.spec.life
    };
    match asked.reclaim_policy.unwrap_or_else(|| pool_life.policy()) {
        ReclaimPolicy::Retain => None,
        ReclaimPolicy::Delete => Some(asked.grace_seconds.unwrap_or_else(|| pool_life.grace())),
    }
}

/// Why a holding ends that an event of that kind ends.
fn end_reason(kind: EventKind) -> EndReason {
    match kind {
        EventKind::Expired => EndReason::Expired,
        _ => EndReason::Released,
    }
}
