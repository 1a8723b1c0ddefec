//! Claims: taking a block, and giving it back.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::answer::{FieldProblem, Outcome, Rejection};
use crate::command::{ClaimFrom, ClaimSpec, PoolRef};
use crate::free::{CidrTrie, Span};
use crate::name::Name;
use crate::ordered::Key;
use crate::prefix::{Family, Prefix};
use crate::record::{
    Asked, Claim, Extras, Hold, HoldId, Holder, PackedLabels, Past, Pool, PoolId, TenantId,
};
use crate::view::{ClaimView, EventKind, Phase};

use super::State;
use super::index::usage_of;
use super::life::claim_life_check;
use super::pool_fields::widest;
use super::store::{Happened, Who};
use super::views::blocks_text;
use super::within;

/// What a claim wants of a pool.
pub(super) struct Wanted {
    pub(super) length: u8,
    /// Where the block is to lie.
    pub(super) spans: Vec<Span>,
}

/// What a claim comes to.
pub(super) enum ClaimPlan {
    /// It is there already.
    Repeat(HoldId),
    /// The block that is kept for the holder goes back to it.
    Return { tenant: TenantId, kept: HoldId },
    /// This block is to be taken.
    Take {
        tenant: TenantId,
        pool: PoolId,
        block: Prefix,
    },
}

impl State {
    pub(super) fn claim_create(
        &mut self,
        who: Who<'_>,
        spec: &ClaimSpec,
    ) -> Result<Outcome, Rejection> {
        self.claim_with_sweep(spec, |state| state.claim_try(who, spec))
    }

    fn claim_try(&mut self, who: Who<'_>, spec: &ClaimSpec) -> Result<Outcome, Rejection> {
        let id = match self.claim_plan(spec)? {
            ClaimPlan::Repeat(id) => {
                return Ok(Outcome::ClaimRepeated(Box::new(self.claim_view_of(id))));
            }
            ClaimPlan::Return { tenant, kept } => self.return_commit(who, spec, tenant, kept),
            ClaimPlan::Take {
                tenant,
                pool,
                block,
            } => self.claim_commit(who, spec, tenant, pool, block),
        };
        Ok(Outcome::ClaimCreated(Box::new(self.claim_view_of(id))))
    }

    fn claim_plan(&self, spec: &ClaimSpec) -> Result<ClaimPlan, Rejection> {
        if let (Some(length), Some(cidr)) = (spec.prefix_length, spec.cidr)
            && cidr.length() != length
        {
            return Err(invalid(
                "prefixLength",
                "it is not the length of cidr",
                format!("{} or absent", cidr.length()),
            ));
        }
        within::check_alone(spec)?;
        let tenant = self.tenant_find(&spec.tenant)?;
        if let Some(id) = self.claim_find(tenant, &spec.name) {
            return match self.claim_difference(id, spec) {
                None => Ok(ClaimPlan::Repeat(id)),
                Some(field) => Err(Rejection::ClaimMismatch {
                    claim: spec.name.clone(),
                    field: String::from(field),
                }),
            };
        }
        match &spec.from {
            ClaimFrom::Pool(reference) => {
                let id = self.pool_resolve(&spec.tenant, reference)?;
                self.claim_plan_in(spec, tenant, id)
            }
            ClaimFrom::Selector(selector) => self.claim_plan_among(spec, tenant, selector),
        }
    }

    /// What a claim comes to in one pool.
    pub(super) fn claim_plan_in(
        &self,
        spec: &ClaimSpec,
        tenant: TenantId,
        id: PoolId,
    ) -> Result<ClaimPlan, Rejection> {
        let asked = self.claim_check(spec, id)?;
        match self.returning(tenant, id, spec, &asked) {
            Some(kept) => Ok(ClaimPlan::Return { tenant, kept }),
            None => self.claim_plan_new(spec, tenant, id, &asked),
        }
    }

    /// Whether the pool may hand out what is asked for.
    pub(super) fn claim_check(&self, spec: &ClaimSpec, id: PoolId) -> Result<Wanted, Rejection> {
        let pool = self.tables.pool(id);
        if spec.reservation && spec.tenant != pool.spec.tenant {
            return Err(invalid(
                "purpose",
                "what a pool withholds is for its own tenant to say",
                String::from("Claim or absent, for a pool of another tenant"),
            ));
        }
        family_check("family", spec.family, pool)?;
        family_check("cidr", spec.cidr.map(Prefix::family), pool)?;
        let spans = within::spans(&spec.within, pool)?;
        let field = if spec.cidr.is_some() {
            "cidr"
        } else {
            "prefixLength"
        };
        let asked = spec.cidr.map(Prefix::length).or(spec.prefix_length);
        let length = if spec.reservation {
            reservation_length(field, asked, pool)?
        } else {
            length_check(field, asked, pool)?
        };
        claim_life_check(spec.reservation, &spec.life, &pool.spec.life)?;
        Ok(Wanted { length, spans })
    }

    /// What a claim comes to that gets nothing back.
    pub(super) fn claim_plan_new(
        &self,
        spec: &ClaimSpec,
        tenant: TenantId,
        id: PoolId,
        wanted: &Wanted,
    ) -> Result<ClaimPlan, Rejection> {
        let pool = self.tables.pool(id);
        // Withholding more is what an operator may want of a pool that drains.
        if !spec.reservation {
            drain_check(pool)?;
        }
        let block = if let Some(cidr) = spec.cidr {
            self.exact_check("cidr", id, cidr)?;
            self.quota_check(tenant, cidr)?;
            cidr
        } else {
            self.quota_check(tenant, some_block(pool, wanted.length))?;
            self.next_free(id, wanted.length, &wanted.spans)?
        };
        Ok(ClaimPlan::Take {
            tenant,
            pool: id,
            block,
        })
    }

    fn claim_commit(
        &mut self,
        who: Who<'_>,
        spec: &ClaimSpec,
        tenant: TenantId,
        pool: PoolId,
        block: Prefix,
    ) -> HoldId {
        let revision = self.revision_open();
        let generation = self.generation_next();
        let id = self.hold_insert(Hold {
            block,
            phase: Phase::Allocated,
            returned: false,
            pool,
            generation,
            revision,
            allocated_at_ms: self.meta.clock.wall_ms(),
            holder: Holder::Claim(self.claim_record(tenant, pool, spec, None)),
        });
        if spec.cidr.is_some() {
            self.content_touch(pool);
        } else {
            self.content_hand_out(pool, block);
        }
        let (tenant, pool) = (self.tables.tenant(tenant).text, self.tables.pool(pool).text);
        self.event_push(
            who,
            Happened {
                kind: EventKind::Allocated,
                tenant,
                pool,
                generation,
                hold: id,
                ends: false,
            },
        );
        id
    }

    /// A claim as it is when its holding begins; `past` where its block came back to it.
    pub(super) fn claim_record(
        &self,
        tenant: TenantId,
        pool: PoolId,
        spec: &ClaimSpec,
        past: Option<Past>,
    ) -> Claim {
        Claim {
            tenant,
            asked: Asked {
                prefix_length: spec.prefix_length,
                cidr: spec.cidr.is_some(),
                family: spec.family.is_some(),
                reservation: spec.reservation,
            },
            name: spec.name.clone(),
            extras: extras_of(spec),
            life: self.life_begin(spec, &self.tables.pool(pool).spec.life, past),
        }
    }

    /// The first field, in the order of the contract, in which a claim differs from what is asked.
    fn claim_difference(&self, id: HoldId, spec: &ClaimSpec) -> Option<&'static str> {
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("a claim's name leads to a claim");
        let pool = &self.tables.pool(hold.pool).spec;
        let selector = claim.selector();
        let (same_pool, same_selector) = match &spec.from {
            ClaimFrom::Pool(asked) => (
                selector.is_none()
                    && pool.name == asked.name
                    && pool.tenant == *asked.tenant.as_ref().unwrap_or(&spec.tenant),
                true,
            ),
            ClaimFrom::Selector(asked) => (selector.is_some(), selector == Some(&**asked)),
        };
        let family = claim.asked.family.then_some(hold.block.family());
        let asked = claim.life_asked();
        let fields = [
            ("pool", same_pool),
            ("poolSelector", same_selector),
            ("purpose", claim.asked.reservation == spec.reservation),
            (
                "prefixLength",
                claim.asked.prefix_length == spec.prefix_length,
            ),
            ("cidr", claim.asked.cidr.then_some(hold.block) == spec.cidr),
            ("within", within::same(claim.within(), &spec.within)),
            ("family", family == spec.family),
            ("owner", claim.owner() == spec.owner.as_ref()),
            (
                "graceSeconds",
                asked.grace_seconds == spec.life.grace_seconds,
            ),
            (
                "reclaimPolicy",
                asked.reclaim_policy == spec.life.reclaim_policy,
            ),
        ];
        fields
            .into_iter()
            .find(|(_, same)| !same)
            .map(|(field, _)| field)
    }

    /// The claim of that name.
    pub(super) fn claim_find(&self, tenant: TenantId, name: &Name) -> Option<HoldId> {
        self.index.claim_names.get(
            Key::text(u64::from(tenant), name.as_str()),
            self.tables.claim_keys(),
        )
    }

    pub(super) fn claim_view_of(&self, id: HoldId) -> ClaimView {
        let hold = self.tables.hold(id);
        self.claim_view(hold, hold.claim().expect("a claim's name leads to a claim"))
    }

    /// The pool that a reference means to a caller of that tenant. Another tenant's pool is to be seen
    /// where it is shared with the caller.
    pub(super) fn pool_resolve(
        &self,
        caller: &Name,
        reference: &PoolRef,
    ) -> Result<PoolId, Rejection> {
        let tenant = reference.tenant.as_ref().unwrap_or(caller);
        let hidden = || Rejection::PoolNotFound {
            tenant: tenant.clone(),
            pool: reference.name.clone(),
        };
        if tenant == caller {
            let id = self.tenant_find(tenant)?;
            return self.pool_find(id, &reference.name).ok_or_else(hidden);
        }
        let id = self.tenant_find(tenant).map_err(|_| hidden())?;
        let shared = |id: &PoolId| self.tables.pool(*id).spec.shared_with.allows(caller);
        self.pool_find(id, &reference.name)
            .filter(shared)
            .ok_or_else(hidden)
    }

    /// A block lies in the pool; the trie of the CIDR that it lies in.
    pub(super) fn inside_check(
        &self,
        field: &str,
        pool: PoolId,
        cidr: Prefix,
    ) -> Result<&CidrTrie, Rejection> {
        let blocks = &self.tables.pool(pool).blocks;
        self.pool_index(pool).trie(cidr).ok_or_else(|| {
            invalid(
                field,
                "it does not lie in the pool",
                format!("a block inside {}", blocks_text(blocks)),
            )
        })
    }

    /// An exact block can be taken.
    pub(super) fn exact_check(
        &self,
        field: &str,
        pool: PoolId,
        cidr: Prefix,
    ) -> Result<(), Rejection> {
        let trie = self.inside_check(field, pool, cidr)?;
        match trie.overlapping(&self.index.nodes, cidr) {
            None => Ok(()),
            Some(id) => Err(Rejection::AddressTaken {
                cidr,
                held: Box::new(self.allocation_view(id)),
            }),
        }
    }

    /// The tenant may hold one more claim of that size.
    fn quota_check(&self, tenant: TenantId, block: Prefix) -> Result<(), Rejection> {
        let quota = &self.tables.tenant(tenant).spec.quota;
        let used = self.index.usage(tenant).copied().unwrap_or_default();
        let asked = usage_of(block);
        limit_check(
            "claims",
            quota.claims.map(u128::from),
            used.claims.into(),
            1,
        )?;
        match block.family() {
            Family::IPv4 => limit_check(
                "ipv4Addresses",
                quota.ipv4_addresses.map(u128::from),
                used.ipv4_addresses.into(),
                asked.ipv4_addresses.into(),
            ),
            Family::IPv6 => limit_check(
                "ipv6Prefixes64",
                quota.ipv6_prefixes_64,
                used.ipv6_prefixes_64,
                asked.ipv6_prefixes_64,
            ),
        }
    }
}

/// A block of a length as the pool hands them out: any of them counts the same against a quota.
fn some_block(pool: &Pool, length: u8) -> Prefix {
    let first = pool.blocks.first().expect("a pool has a block").cidr;
    Prefix::around(first.first(), length).unwrap_or(first)
}

/// What not every claim has; `None` for one that has nothing of it.
pub(super) fn extras_of(spec: &ClaimSpec) -> Option<Arc<Extras>> {
    let plain = spec.owner.is_none()
        && spec.within.is_empty()
        && matches!(spec.from, ClaimFrom::Pool(_))
        && spec.labels.is_empty()
        && spec.annotations.is_empty()
        && spec.description.is_empty();
    (!plain).then(|| {
        Arc::new(Extras {
            owner: spec.owner.clone(),
            within: Box::from(&*spec.within),
            selector: match &spec.from {
                ClaimFrom::Pool(_) => None,
                ClaimFrom::Selector(selector) => Some(selector.clone()),
            },
            labels: PackedLabels::new(&spec.labels),
            annotations: PackedLabels::new(&spec.annotations),
            description: spec.description.clone(),
        })
    })
}

/// A stated family is the pool's.
pub(super) fn family_check(
    field: &str,
    asked: Option<Family>,
    pool: &Pool,
) -> Result<(), Rejection> {
    match asked {
        Some(asked) if asked != pool.family => Err(Rejection::FamilyMismatch {
            field: String::from(field),
            asked,
            pool: pool.family,
        }),
        Some(_) | None => Ok(()),
    }
}

/// The length asked for, or the pool's default, within the pool's bounds.
pub(super) fn length_check(field: &str, asked: Option<u8>, pool: &Pool) -> Result<u8, Rejection> {
    let (min, max) = (pool.min_prefix_length, pool.max_prefix_length);
    let length = asked
        .or(pool.default_prefix_length)
        .filter(|length| (min..=max).contains(length));
    length.ok_or_else(|| Rejection::PrefixLengthOutOfBounds {
        field: String::from(field),
        asked,
        min,
        max,
    })
}

/// The length of a reservation, which the pool's bounds do not concern: where none is asked for, the
/// pool's default, or else a single address.
fn reservation_length(field: &str, asked: Option<u8>, pool: &Pool) -> Result<u8, Rejection> {
    let widest = widest(pool.blocks.iter().map(|block| block.cidr));
    let bits = pool.family.bits();
    let length = asked.or(pool.default_prefix_length).unwrap_or(bits);
    if (widest..=bits).contains(&length) {
        return Ok(length);
    }
    Err(Rejection::PrefixLengthOutOfBounds {
        field: String::from(field),
        asked,
        min: widest,
        max: bits,
    })
}

/// The pool hands out what is new.
pub(super) fn drain_check(pool: &Pool) -> Result<(), Rejection> {
    if !pool.spec.drain {
        return Ok(());
    }
    Err(Rejection::PoolDraining {
        tenant: pool.spec.tenant.clone(),
        pool: pool.spec.name.clone(),
    })
}

/// Used and asked together are within a limit.
pub(super) fn limit_check(
    quota: &str,
    limit: Option<u128>,
    used: u128,
    asked: u128,
) -> Result<(), Rejection> {
    match limit {
        Some(limit) if used.checked_add(asked).is_none_or(|sum| sum > limit) => {
            Err(Rejection::QuotaExceeded {
                quota: String::from(quota),
                limit,
                used,
                asked,
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// One field is wrong.
pub(super) fn invalid(field: &str, problem: &str, allowed: String) -> Rejection {
    Rejection::InvalidField(vec![FieldProblem {
        field: String::from(field),
        problem: String::from(problem),
        allowed,
    }])
}
