//! Declared live sets: what is held in a scope by a holder that is not there is a suspect, and is
//! released once it was one in enough calls and for long enough.
//!
//! 1. What a live holder has is never released, nor what was given, or changed by its holder, after the
//!    holder was first seen not to be there: that begins its suspicion anew.
//! 2. Of a holder, all that it has in the scope is released at once, or nothing.
//! 3. A call counts once: only one of a later epoch than the last counts at all.
//!
//! Costs in proportion to what is held in the scope; in a scope of labels, to the tenant's claims.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::answer::{Outcome, Rejection};
use crate::name::Labels;
use crate::ordered::Key;
use crate::owners::{OwnerMatch, RELEASE_BLOCKS_MAX};
use crate::prefix::Prefix;
use crate::reconcile::{
    EPOCH_END, LIVE_MAX, Live, Reconcile, Reconciled, ReleasedHolding, SCOPE_BYTES_MAX,
    SCOPE_IDLE_MS, SCOPES_MAX, SUSPECTS_MAX, SUSPECTS_SHOWN, Scope, SuspectHolder, SuspectView,
    TENANT_SCOPES_MAX, TENANT_SUSPECTS_MAX,
};
use crate::record::{Claim, HoldId, ScopeId, ScopeRecord, Suspect, SuspectId, TenantId, ms};

use super::State;
use super::claim::invalid;
use super::store::Who;
use super::suspect_index::scope_form;
use super::views::count;

/// Scopes that one call forgets.
const FORGOTTEN_MAX: usize = 16;

/// What one holder has in the scope.
#[derive(Default)]
struct Group {
    holds: Vec<HoldId>,
    /// The last revision at which any of it changed.
    changed: u64,
}

/// What a call comes to.
struct ReconcilePlan {
    scope: Option<ScopeId>,
    forget: Vec<ScopeId>,
    /// Suspects of the scope that are none any longer.
    cleared: Vec<SuspectId>,
    kept: Vec<(SuspectId, Suspect)>,
    new: Vec<Suspect>,
    shown: Vec<SuspectView>,
    suspects: u64,
    /// By address.
    release: BTreeSet<(Prefix, HoldId)>,
}

impl State {
    pub(super) fn owners_reconcile(
        &mut self,
        who: Who<'_>,
        asked: &Reconcile,
    ) -> Result<Outcome, Rejection> {
        reconcile_check(asked)?;
        let tenant = self.tenant_find(&asked.tenant)?;
        if let Some(revision) = asked.as_of_revision {
            self.fence_check(revision)?;
        }
        let scope = self
            .index
            .suspects
            .scope_of(&self.tables, tenant, &asked.scope);
        // One that was not named for so long counts as new: its epochs begin again.
        let (scope, stale) = match scope {
            Some(id) if self.is_idle(self.tables.scope(id).seen_ms) => (None, Some(id)),
            scope => (scope, None),
        };
        let last = scope.map(|id| self.tables.scope(id).epoch);
        if let Some(current) = last.filter(|last| *last > asked.epoch) {
            return Err(Rejection::EpochStale {
                given: asked.epoch,
                current,
            });
        }
        let missing = self.missing(tenant, &asked.live);
        if let (Some(id), true) = (scope, last == Some(asked.epoch)) {
            return Ok(self.reconcile_repeat(tenant, asked, id, missing));
        }
        let plan = self.reconcile_plan(tenant, asked, scope, stale)?;
        Ok(self.reconcile_commit(who, tenant, asked, plan, missing))
    }

    /// Who is there and holds nothing, in the scope or outside of it.
    fn missing(&self, tenant: TenantId, live: &Live) -> Vec<Box<str>> {
        match live {
            Live::Owners(owners) => {
                let holds_nothing = |owner: &&crate::name::Owner| {
                    let index = &self.index.owners;
                    let mut holds = index.held.of_owner(&self.tables, tenant, owner);
                    holds.next().is_none()
                };
                let missing = owners.iter().filter(holds_nothing);
                missing.map(|owner| Box::from(owner.as_str())).collect()
            }
            Live::Claims(claims) => {
                let missing = claims
                    .iter()
                    .filter(|name| self.claim_find(tenant, name).is_none());
                missing.map(|name| Box::from(name.as_str())).collect()
            }
        }
    }

    fn reconcile_plan(
        &self,
        tenant: TenantId,
        asked: &Reconcile,
        scope: Option<ScopeId>,
        stale: Option<ScopeId>,
    ) -> Result<ReconcilePlan, Rejection> {
        let mut plan = ReconcilePlan {
            scope,
            forget: self.idle_scopes(stale),
            cleared: Vec::new(),
            kept: Vec::new(),
            new: Vec::new(),
            shown: Vec::new(),
            suspects: 0,
            release: BTreeSet::new(),
        };
        for (holder, group) in self.absent(tenant, asked) {
            let later = |revision| group.changed > revision;
            if asked.as_of_revision.is_some_and(later) {
                continue;
            }
            self.suspicion(&mut plan, asked, holder, &group);
        }
        if let Some(id) = scope {
            let kept: BTreeSet<SuspectId> = plan.kept.iter().map(|(id, _)| *id).collect();
            let there = self.index.suspects.suspects_of(&self.tables, id);
            plan.cleared = there.filter(|id| !kept.contains(id)).collect();
        }
        let blocks = plan.release.len();
        if let Some(limit) = asked.release_at_most.filter(|most| *most < count(blocks)) {
            return Err(Rejection::TooManySuspects {
                count: count(blocks),
                limit,
            });
        }
        let most = usize::try_from(RELEASE_BLOCKS_MAX).unwrap_or(usize::MAX);
        too_many("blocks", blocks, most)?;
        self.remembered_check(tenant, &plan)?;
        Ok(plan)
    }

    /// What holders have in the scope that are not there.
    fn absent(&self, tenant: TenantId, asked: &Reconcile) -> BTreeMap<SuspectHolder, Group> {
        let mut groups: BTreeMap<(bool, &str), Group> = BTreeMap::new();
        let live = self.live_holders(tenant, &asked.live);
        let unowned = matches!(asked.live, Live::Claims(_));
        for id in self.scope_holds(tenant, &asked.scope) {
            let hold = self.tables.hold(id);
            let Some(claim) = hold.claim() else { continue };
            // What is withheld is not held by anybody who could be absent.
            if claim.asked.reservation {
                continue;
            }
            let holder = holder_of(claim);
            if live.contains(&holder) || !(holder.0 || unowned) {
                continue;
            }
            let group = groups.entry(holder).or_default();
            group.holds.push(id);
            group.changed = group.changed.max(hold.revision);
        }
        let named = |group: Group| {
            let first = group.holds.first()?;
            let claim = self.tables.hold(*first).claim()?;
            let holder = claim.owner().map_or_else(
                || SuspectHolder::Claim(claim.name.clone()),
                |owner| SuspectHolder::Owner(owner.clone()),
            );
            Some((holder, group))
        };
        groups.into_values().filter_map(named).collect()
    }

    fn live_holders<'a>(&'a self, tenant: TenantId, live: &'a Live) -> BTreeSet<(bool, &'a str)> {
        match live {
            Live::Owners(owners) => owners.iter().map(|owner| (true, owner.as_str())).collect(),
            Live::Claims(claims) => claims
                .iter()
                .filter_map(|name| self.claim_find(tenant, name))
                .filter_map(|id| self.tables.hold(id).claim().map(holder_of))
                .collect(),
        }
    }

    /// What claims hold in a scope.
    fn scope_holds<'s>(
        &'s self,
        tenant: TenantId,
        scope: &'s Scope,
    ) -> Box<dyn Iterator<Item = HoldId> + 's> {
        match scope {
            Scope::OwnerPrefix(prefix) => {
                self.owned_holds(tenant, &OwnerMatch::Prefix(prefix.clone()))
            }
            Scope::Labels(labels) => {
                let first = Key::text(u64::from(tenant), "");
                let claims = self
                    .index
                    .claim_names
                    .after(first, self.tables.claim_keys());
                let claim = |id: &HoldId| self.tables.hold(*id).claim();
                Box::new(
                    claims
                        .take_while(move |id| claim(id).is_some_and(|one| one.tenant == tenant))
                        .filter(move |id| claim(id).is_some_and(|one| has_labels(one, labels))),
                )
            }
        }
    }

    /// What becomes of a holder that is not there: it is released, or it is a suspect.
    fn suspicion(
        &self,
        plan: &mut ReconcilePlan,
        asked: &Reconcile,
        holder: SuspectHolder,
        group: &Group,
    ) {
        let now_ms = self.meta.clock.now_ms();
        let there = plan.scope.and_then(|scope| {
            let index = &self.index.suspects;
            let id = index.suspect_of(&self.tables, scope, &holder)?;
            Some((id, self.tables.suspect(id)))
        });
        // What it did since it was seen first shows that it was there then.
        let goes_on = there.filter(|(_, suspect)| group.changed <= suspect.first_revision);
        let suspect = match goes_on {
            Some((_, suspect)) => Suspect {
                sightings: suspect.sightings.saturating_add(1),
                ..suspect.clone()
            },
            None => Suspect {
                // Of a scope that is new the id is known when it is made.
                scope: plan.scope.unwrap_or_default(),
                holder,
                first_ms: now_ms,
                first_revision: self.meta.revision,
                sightings: 1,
            },
        };
        let age_ms = now_ms.saturating_sub(suspect.first_ms);
        if suspect.sightings >= u32::from(asked.sightings) && age_ms >= ms(asked.grace_seconds) {
            let blocks = group.holds.iter();
            plan.release
                .extend(blocks.map(|id| (self.tables.hold(*id).block, *id)));
            return;
        }
        plan.suspects = plan.suspects.saturating_add(1);
        if plan.shown.len() < SUSPECTS_SHOWN {
            plan.shown.push(SuspectView {
                holder: suspect.holder.clone(),
                blocks: count(group.holds.len()),
                sightings: suspect.sightings,
                age_ms,
            });
        }
        match there {
            Some((id, _)) => plan.kept.push((id, suspect)),
            None => plan.new.push(suspect),
        }
    }

    fn is_idle(&self, seen_ms: u64) -> bool {
        seen_ms.saturating_add(SCOPE_IDLE_MS) <= self.meta.clock.now_ms()
    }

    /// The scopes that no call has named for long: the one that the call at hand begins anew, then those
    /// that were named longest ago.
    fn idle_scopes(&self, own: Option<ScopeId>) -> Vec<ScopeId> {
        let seen = self.index.suspects.seen.iter();
        let others = seen
            .take_while(|(seen_ms, _)| self.is_idle(*seen_ms))
            .map(|(_, id)| *id)
            .filter(|id| Some(*id) != own);
        own.into_iter().chain(others).take(FORGOTTEN_MAX).collect()
    }

    /// The state can remember what is to be remembered.
    fn remembered_check(&self, tenant: TenantId, plan: &ReconcilePlan) -> Result<(), Rejection> {
        let index = &self.index.suspects;
        let forgotten = |id: &ScopeId| index.suspects_of(&self.tables, *id).count();
        // What is forgotten may be another tenant's: that leaves the tenant's own share as it is.
        let is_own = |id: &&ScopeId| self.tables.scope(**id).tenant == tenant;
        let (scopes, suspects) = index.of_tenant(tenant);
        let suspects = suspects
            .saturating_sub(plan.forget.iter().filter(is_own).map(forgotten).sum())
            .saturating_sub(plan.cleared.len())
            .saturating_add(plan.new.len());
        too_many("suspects", suspects, TENANT_SUSPECTS_MAX)?;
        let scopes = scopes
            .saturating_sub(plan.forget.iter().filter(is_own).count())
            .saturating_add(usize::from(plan.scope.is_none()));
        too_many("scopes", scopes, TENANT_SCOPES_MAX)?;
        let gone: usize = plan.forget.iter().map(forgotten).sum();
        let suspects = index
            .count
            .saturating_sub(gone)
            .saturating_sub(plan.cleared.len())
            .saturating_add(plan.new.len());
        too_many("suspects", suspects, SUSPECTS_MAX)?;
        let scopes = index
            .seen
            .len()
            .saturating_sub(plan.forget.len())
            .saturating_add(usize::from(plan.scope.is_none()));
        too_many("scopes", scopes, SCOPES_MAX)
    }

    fn reconcile_commit(
        &mut self,
        who: Who<'_>,
        tenant: TenantId,
        asked: &Reconcile,
        plan: ReconcilePlan,
        missing: Vec<Box<str>>,
    ) -> Outcome {
        self.revision_open();
        for id in plan.cleared {
            self.suspect_remove(id);
        }
        for id in plan.forget {
            self.scope_forget(id);
        }
        let scope = match plan.scope {
            Some(id) => {
                self.scope_seen(id, asked.epoch);
                id
            }
            None => self.scope_insert(ScopeRecord {
                tenant,
                key: scope_form(&asked.scope).into_boxed_str(),
                epoch: asked.epoch,
                seen_ms: self.meta.clock.now_ms(),
            }),
        };
        for (id, suspect) in plan.kept {
            self.suspect_replace(id, suspect);
        }
        for suspect in plan.new {
            self.suspect_insert(Suspect { scope, ..suspect });
        }
        let holds: Vec<HoldId> = plan.release.into_iter().map(|(_, id)| id).collect();
        let released = holds.iter().map(|id| self.released_holding(*id)).collect();
        let pools = self.holds_release(who, &holds);
        Outcome::Reconciled(Box::new(Reconciled {
            repeated: false,
            suspects: plan.shown,
            suspects_total: plan.suspects,
            released,
            missing,
            pools,
        }))
    }

    /// A repeat of the last call: how it stands now, and nothing is done.
    fn reconcile_repeat(
        &self,
        tenant: TenantId,
        asked: &Reconcile,
        scope: ScopeId,
        missing: Vec<Box<str>>,
    ) -> Outcome {
        let now_ms = self.meta.clock.now_ms();
        let absent = self.absent(tenant, asked);
        let index = &self.index.suspects;
        let mut suspects: Vec<SuspectView> = index
            .suspects_of(&self.tables, scope)
            .filter_map(|id| {
                let suspect = self.tables.suspect(id);
                let group = absent.get(&suspect.holder)?;
                Some(SuspectView {
                    holder: suspect.holder.clone(),
                    blocks: count(group.holds.len()),
                    sightings: suspect.sightings,
                    age_ms: now_ms.saturating_sub(suspect.first_ms),
                })
            })
            .collect();
        let suspects_total = count(suspects.len());
        suspects.truncate(SUSPECTS_SHOWN);
        Outcome::Reconciled(Box::new(Reconciled {
            repeated: true,
            suspects,
            suspects_total,
            released: Vec::new(),
            missing,
            pools: Box::default(),
        }))
    }

    fn released_holding(&self, id: HoldId) -> ReleasedHolding {
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("a suspect holds by claims");
        let (pool_tenant, pool) = self.pool_names(hold.pool);
        ReleasedHolding {
            claim: claim.name.clone(),
            owner: claim.owner().cloned(),
            pool_tenant,
            pool,
            space: self.tables.pool(hold.pool).space.clone(),
            cidr: hold.block,
            generation: hold.generation,
        }
    }

    /// Forgets a scope with its suspects.
    fn scope_forget(&mut self, id: ScopeId) {
        let index = &self.index.suspects;
        let suspects: Vec<SuspectId> = index.suspects_of(&self.tables, id).collect();
        for suspect in suspects {
            self.suspect_remove(suspect);
        }
        self.scope_remove(id);
    }

    /// Forgets the scopes of a tenant that goes.
    pub(super) fn scopes_forget(&mut self, tenant: TenantId) {
        let index = &self.index.suspects;
        let scopes: Vec<ScopeId> = index.scopes_of(&self.tables, tenant).collect();
        for scope in scopes {
            self.scope_forget(scope);
        }
    }
}

/// What can be told of a live set alone.
fn reconcile_check(asked: &Reconcile) -> Result<(), Rejection> {
    if !(1..=2).contains(&asked.sightings) {
        let allowed = String::from("1 or 2");
        return Err(invalid("sightings", "it is outside of its bounds", allowed));
    }
    if matches!(&asked.scope, Scope::Labels(labels) if labels.is_empty()) {
        let allowed = String::from("at least one label");
        return Err(invalid("scope.labels", "it is empty", allowed));
    }
    if let Scope::Labels(labels) = &asked.scope {
        let bytes = labels.iter().fold(0_usize, |sum, (key, value)| {
            sum.saturating_add(key.len()).saturating_add(value.len())
        });
        if bytes > SCOPE_BYTES_MAX {
            let allowed = format!("at most {SCOPE_BYTES_MAX} bytes of keys and values");
            return Err(invalid("scope.labels", "they are too long", allowed));
        }
    }
    if asked.epoch >= EPOCH_END {
        let allowed = format!("0 to {}", EPOCH_END.saturating_sub(1));
        return Err(invalid("epoch", "it is outside of its bounds", allowed));
    }
    let (what, live) = match &asked.live {
        Live::Owners(owners) => ("live", owners.len()),
        Live::Claims(claims) => ("liveClaims", claims.len()),
    };
    too_many(what, live, LIVE_MAX)
}

/// The owner of a claim (`true`), or else its name: what groups the blocks of one holder.
fn holder_of(claim: &Claim) -> (bool, &str) {
    claim.owner().map_or_else(
        || (false, claim.name.as_str()),
        |owner| (true, owner.as_str()),
    )
}

fn has_labels(claim: &Claim, labels: &Labels) -> bool {
    labels
        .iter()
        .all(|(key, value)| claim.label(key) == Some(&**value))
}

fn too_many(what: &str, found: usize, limit: usize) -> Result<(), Rejection> {
    if found <= limit {
        return Ok(());
    }
    Err(Rejection::TooMany {
        what: what.to_owned(),
        count: count(found),
        limit: count(limit),
    })
}
