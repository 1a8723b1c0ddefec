//! Editing tenants and claims: what they say of themselves.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::answer::{FieldProblem, Outcome, Rejection};
use crate::command::{ClaimFrom, PoolRef, TenantSpec};
use crate::edit::{ClaimChange, ClaimEdit, TenantChange, TenantEdit};
use crate::life::ClaimLife;
use crate::name::LABELS_MAX;
use crate::record::{Claim, Extras, Hold, HoldId, Holder, Tenant};
use crate::view::EventKind;

use super::State;
use super::claim::extras_of;
use super::life::claim_life_check;
use super::pool_difference::same_pool;
use super::store::{Happened, Who};
use super::within;

/// Collects the immutable fields that would change.
#[derive(Default)]
pub(super) struct Fixed(Vec<FieldProblem>);

impl Fixed {
    /// A field that cannot change, and whether it stays: it is as it was asked for, or says what is there.
    pub(super) fn field(&mut self, field: &str, same: bool) {
        if !same {
            self.0.push(FieldProblem {
                field: String::from(field),
                problem: String::from("it cannot be changed"),
                allowed: String::from("absent, or the value that it has"),
            });
        }
    }

    pub(super) fn check(self) -> Result<(), Rejection> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Rejection::InvalidField(self.0))
        }
    }
}

/// There are not too many labels after an edit.
pub(super) fn labels_check(counts: &[(&str, usize)]) -> Result<(), Rejection> {
    let problems: Vec<FieldProblem> = counts
        .iter()
        .filter(|(_, count)| *count > LABELS_MAX)
        .map(|(field, count)| FieldProblem {
            field: String::from(*field),
            problem: format!("it would have {count} entries"),
            allowed: format!("at most {LABELS_MAX}"),
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Rejection::InvalidField(problems))
    }
}

impl State {
    pub(super) fn tenant_edit(
        &mut self,
        who: Who<'_>,
        edit: &TenantEdit,
    ) -> Result<Outcome, Rejection> {
        let id = self.tenant_find(&edit.tenant)?;
        let tenant = self.tables.tenant(id);
        let spec = tenant_changed(&tenant.spec, &edit.changes)?;
        if spec != *tenant.spec {
            let tenant = tenant.clone();
            let revision = self.revision_open();
            let text = tenant.text;
            self.tenant_replace(
                id,
                Tenant {
                    spec: Arc::new(spec),
                    revision,
                    updated_at_ms: self.meta.clock.wall_ms(),
                    ..tenant
                },
            );
            self.event_push(
                who,
                Happened {
                    kind: EventKind::TenantChanged,
                    tenant: text,
                    pool: None,
                    generation: 0,
                    hold: 0,
                    ends: false,
                },
            );
        }
        Ok(Outcome::TenantEdited(Box::new(self.tenant_view(id))))
    }

    pub(super) fn claim_edit(
        &mut self,
        who: Who<'_>,
        edit: &ClaimEdit,
    ) -> Result<Outcome, Rejection> {
        let tenant = self.tenant_find(&edit.tenant)?;
        let id = self
            .claim_find(tenant, &edit.name)
            .ok_or_else(|| self.claim_not_found(tenant, &edit.name))?;
        let (extras, asked) = self.claim_changed(id, &edit.changes)?;
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("a claim's name leads to a claim");
        if extras != claim.extras || asked != claim.life_asked() {
            let (hold, claim) = (hold.clone(), claim.clone());
            let life = Some(self.life_edited(&hold, &asked));
            let pool = self.tables.pool(hold.pool).text;
            let happened = Happened {
                kind: EventKind::ClaimChanged,
                tenant: self.tables.tenant(tenant).text,
                pool,
                generation: hold.generation,
                hold: id,
                ends: false,
            };
            let revision = self.revision_open();
            self.hold_replace(
                id,
                Hold {
                    revision,
                    holder: Holder::Claim(Claim {
                        extras,
                        life,
                        ..claim
                    }),
                    ..hold
                },
            );
            self.event_push(who, happened);
        }
        Ok(Outcome::ClaimEdited(Box::new(self.claim_view_of(id))))
    }

    fn claim_changed(
        &self,
        id: HoldId,
        changes: &[ClaimChange],
    ) -> Result<(Option<Arc<Extras>>, ClaimLife), Rejection> {
        let mut spec = self.claim_view_of(id).spec;
        let hold = self.tables.hold(id);
        let held_in = &self.tables.pool(hold.pool).spec;
        let mut fixed = Fixed::default();
        for change in changes {
            match change {
                ClaimChange::Name(name) => fixed.field("name", name.as_ref() == Some(&spec.name)),
                ClaimChange::Pool(pool) => {
                    let same = match pool {
                        Some(pool) => {
                            let there = PoolRef {
                                tenant: Some(held_in.tenant.clone()),
                                name: held_in.name.clone(),
                            };
                            same_pool(pool, &there, &spec.tenant)
                        }
                        None => matches!(spec.from, ClaimFrom::Selector(_)),
                    };
                    fixed.field("pool", same);
                }
                ClaimChange::PoolSelector(selector) => {
                    let same = match &spec.from {
                        ClaimFrom::Pool(_) => selector.is_none(),
                        ClaimFrom::Selector(there) => selector.as_ref() == Some(there),
                    };
                    fixed.field("poolSelector", same);
                }
                ClaimChange::Reservation(reservation) => {
                    fixed.field("purpose", *reservation == spec.reservation);
                }
                ClaimChange::PrefixLength(length) => {
                    let same = restated(*length, spec.prefix_length, hold.block.length());
                    fixed.field("prefixLength", same);
                }
                ClaimChange::Cidr(cidr) => {
                    fixed.field("cidr", restated(*cidr, spec.cidr, hold.block));
                }
                ClaimChange::Within(ranges) => {
                    fixed.field("within", within::same(ranges, &spec.within));
                }
                ClaimChange::Family(family) => {
                    let same = restated(*family, spec.family, hold.block.family());
                    fixed.field("family", same);
                }
                ClaimChange::Owner(owner) => fixed.field("owner", *owner == spec.owner),
                ClaimChange::TtlSeconds(ttl) => spec.life.ttl_seconds = *ttl,
                ClaimChange::GraceSeconds(grace) => spec.life.grace_seconds = *grace,
                ClaimChange::ReclaimPolicy(policy) => spec.life.reclaim_policy = *policy,
                ClaimChange::Labels(labels) => labels.apply(&mut spec.labels),
                ClaimChange::Annotations(annotations) => annotations.apply(&mut spec.annotations),
                ClaimChange::Description(description) => spec.description.clone_from(description),
            }
        }
        fixed.check()?;
        labels_check(&[
            ("labels", spec.labels.len()),
            ("annotations", spec.annotations.len()),
        ])?;
        if hold
            .claim()
            .is_none_or(|claim| claim.life_asked() != spec.life)
        {
            claim_life_check(spec.reservation, &spec.life, &held_in.life)?;
        }
        Ok((extras_of(&spec), spec.life))
    }
}

/// What was left to the pool may be stated later as what came of it: a claim that was imported by its block
/// is described by the same document as one that was asked for by length.
fn restated<T: PartialEq + Copy>(stated: Option<T>, asked: Option<T>, there: T) -> bool {
    stated == asked || stated == Some(there)
}

fn tenant_changed(there: &TenantSpec, changes: &[TenantChange]) -> Result<TenantSpec, Rejection> {
    let mut spec = there.clone();
    let mut fixed = Fixed::default();
    for change in changes {
        match change {
            TenantChange::Name(name) => fixed.field("name", name.as_ref() == Some(&spec.name)),
            TenantChange::Labels(labels) => labels.apply(&mut spec.labels),
            TenantChange::Annotations(annotations) => annotations.apply(&mut spec.annotations),
            TenantChange::Description(description) => spec.description.clone_from(description),
            TenantChange::QuotaPools(limit) => spec.quota.pools = *limit,
            TenantChange::QuotaClaims(limit) => spec.quota.claims = *limit,
            TenantChange::QuotaIpv4Addresses(limit) => spec.quota.ipv4_addresses = *limit,
            TenantChange::QuotaIpv6Prefixes64(limit) => spec.quota.ipv6_prefixes_64 = *limit,
        }
    }
    fixed.check()?;
    labels_check(&[
        ("labels", spec.labels.len()),
        ("annotations", spec.annotations.len()),
    ])?;
    Ok(spec)
}
