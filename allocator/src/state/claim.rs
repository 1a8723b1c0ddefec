//! Claims: taking a block, and giving it back.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;

use crate::answer::{FieldProblem, Outcome, Rejection};
use crate::command::{ClaimRelease, ClaimSpec, PoolRef};
use crate::free::CidrTrie;
use crate::name::Name;
use crate::ordered::Key;
use crate::prefix::{Family, Prefix};
use crate::record::{
    Asked, Claim, Ended, EndedHolder, Extras, Hold, HoldId, Holder, PackedLabels, Pool, PoolId,
    TenantId,
};
use crate::view::{ClaimView, EventKind, Phase};

use super::State;
use super::index::usage_of;
use super::store::{Happened, Who};
use super::views::{Named, blocks_text, ended_claim_view};
use super::within;

/// What a claim comes to.
enum ClaimPlan {
    /// It is there already.
    Repeat(HoldId),
    /// This block is to be taken.
    Take {
        tenant: TenantId,
        pool: PoolId,
        block: Prefix,
    },
}

/// What a release comes to.
enum ReleasePlan {
    /// This hold is to end.
    End(HoldId),
    /// That holding ended before.
    EndedBefore(Box<ClaimView>),
}

impl State {
    pub(super) fn claim_create(
        &mut self,
        who: Who<'_>,
        spec: &ClaimSpec,
    ) -> Result<Outcome, Rejection> {
        match self.claim_plan(spec)? {
            ClaimPlan::Repeat(id) => Ok(Outcome::ClaimRepeated(Box::new(self.claim_view_of(id)))),
            ClaimPlan::Take {
                tenant,
                pool,
                block,
            } => {
                let id = self.claim_commit(who, spec, tenant, pool, block);
                Ok(Outcome::ClaimCreated(Box::new(self.claim_view_of(id))))
            }
        }
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
        let id = self.pool_resolve(&spec.tenant, &spec.pool)?;
        let pool = self.tables.pool(id);
        family_check("family", spec.family, pool)?;
        family_check("cidr", spec.cidr.map(Prefix::family), pool)?;
        let spans = within::spans(&spec.within, pool)?;
        let field = if spec.cidr.is_some() {
            "cidr"
        } else {
            "prefixLength"
        };
        let length = length_check(
            field,
            spec.cidr.map(Prefix::length).or(spec.prefix_length),
            pool,
        )?;
        drain_check(pool)?;
        let block = if let Some(cidr) = spec.cidr {
            self.exact_check("cidr", id, cidr)?;
            self.quota_check(tenant, cidr)?;
            cidr
        } else {
            self.quota_check(tenant, some_block(pool, length))?;
            self.next_free(id, length, &spans)?
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
            holder: Holder::Claim(Claim {
                tenant,
                asked: Asked {
                    prefix_length: spec.prefix_length,
                    cidr: spec.cidr.is_some(),
                    family: spec.family.is_some(),
                },
                name: spec.name.clone(),
                extras: extras_of(spec),
            }),
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
            },
        );
        id
    }

    /// The first field, in the order of the contract, in which a claim differs from what is asked.
    fn claim_difference(&self, id: HoldId, spec: &ClaimSpec) -> Option<&'static str> {
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("a claim's name leads to a claim");
        let pool = &self.tables.pool(hold.pool).spec;
        let same_pool = pool.name == spec.pool.name
            && pool.tenant == *spec.pool.tenant.as_ref().unwrap_or(&spec.tenant);
        let family = claim.asked.family.then_some(hold.block.family());
        let fields = [
            ("pool", same_pool),
            (
                "prefixLength",
                claim.asked.prefix_length == spec.prefix_length,
            ),
            ("cidr", claim.asked.cidr.then_some(hold.block) == spec.cidr),
            ("within", within::same(claim.within(), &spec.within)),
            ("family", family == spec.family),
            ("owner", claim.owner() == spec.owner.as_ref()),
        ];
        fields
            .into_iter()
            .find(|(_, same)| !same)
            .map(|(field, _)| field)
    }

    pub(super) fn claim_release(
        &mut self,
        who: Who<'_>,
        release: &ClaimRelease,
    ) -> Result<Outcome, Rejection> {
        match self.release_plan(release)? {
            ReleasePlan::EndedBefore(view) => Ok(Outcome::ClaimAlreadyReleased(view)),
            ReleasePlan::End(id) => Ok(Outcome::ClaimReleased(Box::new(
                self.release_commit(who, id),
            ))),
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

    fn release_commit(&mut self, who: Who<'_>, id: HoldId) -> ClaimView {
        let revision = self.revision_open();
        let hold = self.tables.hold(id);
        let claim = hold.claim().expect("a claim's name leads to a claim");
        let tenant = self.tables.tenant(claim.tenant);
        let pool_id = hold.pool;
        let pool = self.tables.pool(pool_id);
        let (subnet, gateway) = self.holder_network(hold);
        let ended = Ended {
            block: hold.block,
            subnet_length: subnet.length(),
            gateway,
            returned: hold.returned,
            generation: hold.generation,
            revision,
            allocated_at_ms: hold.allocated_at_ms,
            until_ms: self.meta.clock.wall_ms(),
            tenant_serial: tenant.serial,
            tenant: tenant.text,
            pool_tenant: self.tables.tenant(pool.tenant).text,
            pool: pool.text,
            holder: EndedHolder::Claim {
                asked: claim.asked,
                name: claim.name.clone(),
                extras: claim.extras.clone(),
            },
        };
        let named = Named {
            tenant: &tenant.spec.name,
            name: &claim.name,
            pool_tenant: &pool.spec.tenant,
            pool: &pool.spec.name,
        };
        let view = ended_claim_view(&ended, &named).expect("the holding is of a claim");
        let happened = Happened {
            kind: EventKind::Released,
            tenant: ended.tenant,
            pool: ended.pool,
            generation: ended.generation,
            hold: id,
        };
        self.ended_push(ended);
        self.hold_end(id);
        self.content_touch(pool_id);
        self.event_push(who, happened);
        view
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

    /// The holding of that name and generation, if it has ended and events reach back to that.
    fn ended_claim(&self, tenant: TenantId, name: &Name, generation: u64) -> Option<ClaimView> {
        let ended = self
            .tables
            .ended_of(self.index.ended.of_generation(&self.tables, generation)?);
        let same = ended.tenant_serial == self.tables.tenant(tenant).serial && ended.name() == name;
        if same { self.ended_view(ended) } else { None }
    }

    /// There is no claim of that name; what is known of the last one.
    pub(super) fn claim_not_found(&self, tenant: TenantId, name: &Name) -> Rejection {
        let serial = self.tables.tenant(tenant).serial;
        let newest = self.index.ended.newest(&self.tables, serial, name);
        Rejection::ClaimNotFound {
            tenant: self.tenant_name(tenant).clone(),
            claim: name.clone(),
            ended: newest
                .and_then(|id| self.ended_view(self.tables.ended_of(id)))
                .map(Box::new),
        }
    }

    /// The pool that a reference means to a caller of that tenant. Another tenant's pool is not to be
    /// seen.
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
        if tenant != caller {
            return Err(hidden());
        }
        let id = self.tenant_find(tenant)?;
        self.pool_find(id, &reference.name).ok_or_else(hidden)
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
        && spec.labels.is_empty()
        && spec.annotations.is_empty()
        && spec.description.is_empty();
    (!plain).then(|| {
        Arc::new(Extras {
            owner: spec.owner.clone(),
            within: Box::from(&*spec.within),
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
