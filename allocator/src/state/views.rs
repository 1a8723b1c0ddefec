//! Records as readers see them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::command::{ClaimFrom, ClaimSpec, PoolRef, TenantSpec};
use crate::count::Count;
use crate::handout::Handout;
use crate::life::ClaimLife;
use crate::name::{Labels, Name};
use crate::prefix::Prefix;
use crate::record::{
    Asked, Claim, Ended, EndedHolder, Extras, Hold, HoldId, Holder, Kept, PoolBlock, PoolId,
    TenantId, TextId,
};
use crate::view::{
    AllocationView, Blocks, Capacity, ClaimView, Phase, PoolCidrView, PoolView, TenantView,
};

use super::State;
use super::layout::for_holder;
use super::pool_index::{PoolIndex, minus, plus};

impl State {
    pub(super) fn pool_index(&self, id: PoolId) -> &PoolIndex {
        self.index.pool(id).expect("each pool is indexed")
    }

    pub(super) fn tenant_name(&self, id: TenantId) -> &Name {
        &self.tables.tenant(id).spec.name
    }

    pub(super) fn pool_names(&self, id: PoolId) -> (Name, Name) {
        let spec = &self.tables.pool(id).spec;
        (spec.tenant.clone(), spec.name.clone())
    }

    /// A name that was interned.
    pub(super) fn text_name(&self, id: TextId) -> Name {
        Name::new(self.tables.text(id)).expect("the text was a name when it was interned")
    }

    pub(super) fn tenant_view(&self, id: TenantId) -> TenantView {
        let tenant = self.tables.tenant(id);
        TenantView {
            spec: TenantSpec::clone(&tenant.spec),
            usage: self.index.usage(id).copied().unwrap_or_default(),
            revision: tenant.revision,
            created_at_ms: tenant.created_at_ms,
            updated_at_ms: tenant.updated_at_ms,
        }
    }

    pub(super) fn pool_view(&self, id: PoolId) -> PoolView {
        let pool = self.tables.pool(id);
        let index = self.pool_index(id);
        let capacity = capacity(index);
        let largest = index.largest(&self.index.nodes);
        PoolView {
            spec: crate::command::PoolSpec::clone(&pool.spec),
            space: pool.space.clone(),
            cidrs: pool.blocks.iter().map(cidr_view).collect(),
            family: pool.family,
            min_prefix_length: pool.min_prefix_length,
            max_prefix_length: pool.max_prefix_length,
            default_prefix_length: pool.default_prefix_length,
            handout: self.handout_in_force(pool),
            capacity,
            blocks: pool.default_prefix_length.map(|prefix_length| Blocks {
                prefix_length,
                total: blocks_total(&pool.blocks, prefix_length),
                available: index.blocks_available(prefix_length),
            }),
            utilization_e4: utilization_e4(&capacity),
            fragmentation_e4: fragmentation_e4(pool.family.bits(), capacity.available, largest),
            largest_free_prefix_length: largest,
            out_of_policy: self.out_of_policy(id),
            out_of_policy_since_ms: self
                .tables
                .contents
                .get(id)
                .and_then(|content| content.out_of_policy_since_ms),
            draining_since_ms: pool.draining_since_ms,
            exhausted_since_ms: self
                .tables
                .contents
                .get(id)
                .and_then(|content| content.exhausted_since_ms),
            children: count(index.children.len()),
            claims: index.claims,
            revision: pool.revision,
            content_revision: self
                .tables
                .contents
                .get(id)
                .map_or(pool.revision, |content| content.revision),
            created_at_ms: pool.created_at_ms,
            updated_at_ms: pool.updated_at_ms,
        }
    }

    /// The claim that a hold is by.
    pub(super) fn claim_view(&self, hold: &Hold, claim: &Claim) -> ClaimView {
        let pool = self.tables.pool(hold.pool);
        let (subnet, gateway) = self.holder_network(hold);
        let tenant = self.tenant_name(claim.tenant);
        let life = claim.life.as_deref();
        let past = life.and_then(|life| life.returned);
        let (lease, kept) = (hold.lease(), hold.kept());
        let named = Named {
            tenant,
            name: &claim.name,
            pool_tenant: &pool.spec.tenant,
            pool: &pool.spec.name,
        };
        ClaimView {
            spec: claim_spec(
                &named,
                hold.block,
                claim.asked,
                claim.extras.as_deref(),
                claim.life_asked(),
            ),
            pool_tenant: pool.spec.tenant.clone(),
            pool: pool.spec.name.clone(),
            phase: hold.phase,
            block: hold.block,
            subnet,
            gateway,
            handout: self.handout_in_force(pool),
            generation: hold.generation,
            returned: hold.returned,
            allocated_at_ms: hold.allocated_at_ms,
            first_allocated_at_ms: past
                .map_or(hold.allocated_at_ms, |past| past.first_allocated_at_ms),
            previously_released_at_ms: past.map(|past| past.released_at_ms),
            in_use_at_ms: life.and_then(|life| life.in_use_at_ms),
            expires_at_ms: lease.map(|lease| self.meta.clock.wall_at(lease.expires_ms)),
            expiring_since_ms: lease.and_then(|lease| lease.told_at_ms),
            released_at_ms: kept.map(|kept| kept.released_at_ms),
            reclaim_at_ms: self.reclaim_at_ms(kept),
            revision: hold.revision,
        }
    }

    fn reclaim_at_ms(&self, kept: Option<&Kept>) -> Option<u64> {
        Some(self.meta.clock.wall_at(kept?.reclaim_ms?))
    }

    /// What the holder of a block configures.
    pub(super) fn holder_network(&self, hold: &Hold) -> (Prefix, Option<crate::prefix::Address>) {
        let block = self
            .tables
            .pool(hold.pool)
            .block_of(hold.block)
            .expect("a hold lies in its pool");
        for_holder(block, hold.block)
    }

    /// A holding of a claim that has ended, as it last was; `None` for that of a child pool.
    pub(super) fn ended_view(&self, ended: &Ended) -> Option<ClaimView> {
        let tenant = self.text_name(ended.tenant);
        let (pool_tenant, pool) = (
            self.text_name(ended.pool_tenant),
            self.text_name(ended.pool),
        );
        let named = Named {
            tenant: &tenant,
            name: ended.name(),
            pool_tenant: &pool_tenant,
            pool: &pool,
        };
        ended_claim_view(ended, &named)
    }

    pub(super) fn allocation_view(&self, id: HoldId) -> AllocationView {
        let hold = self.tables.hold(id);
        let pool = self.tables.pool(hold.pool);
        let (claim, child, reason, owner) = match &hold.holder {
            Holder::Claim(claim) => {
                let names = (self.tenant_name(claim.tenant).clone(), claim.name.clone());
                (Some(names), None, None, claim.owner().cloned())
            }
            Holder::Child { pool } => {
                let owner = self.tables.pool(*pool).spec.owner.clone();
                (None, Some(self.pool_names(*pool)), None, owner)
            }
            Holder::Reservation { reason } => {
                let reason = Some(&**reason).filter(|reason| !reason.is_empty());
                (None, None, reason.map(String::from), None)
            }
        };
        AllocationView {
            cidr: hold.block,
            space: pool.space.clone(),
            tenant: pool.spec.tenant.clone(),
            pool: pool.spec.name.clone(),
            purpose: hold.purpose(),
            claim,
            child,
            reason,
            owner,
            phase: hold.phase,
            generation: hold.generation,
            allocated_at_ms: hold.allocated_at_ms,
            expires_at_ms: hold
                .lease()
                .map(|lease| self.meta.clock.wall_at(lease.expires_ms)),
            released_at_ms: hold.kept().map(|kept| kept.released_at_ms),
            reclaim_at_ms: self.reclaim_at_ms(hold.kept()),
            revision: hold.revision,
        }
    }
}

/// The names around a claim.
pub(super) struct Named<'a> {
    pub(super) tenant: &'a Name,
    pub(super) name: &'a Name,
    pub(super) pool_tenant: &'a Name,
    pub(super) pool: &'a Name,
}

/// See [`State::ended_view`]; for names that are at hand.
pub(super) fn ended_claim_view(ended: &Ended, named: &Named<'_>) -> Option<ClaimView> {
    let EndedHolder::Claim {
        asked,
        extras,
        life,
        ..
    } = &ended.holder
    else {
        return None;
    };
    let life = life.as_deref();
    let past = life.and_then(|life| life.returned);
    let subnet = Prefix::around(ended.block.first(), ended.subnet_length);
    Some(ClaimView {
        spec: claim_spec(
            named,
            ended.block,
            *asked,
            extras.as_deref(),
            life.map_or_else(ClaimLife::default, |life| life.asked),
        ),
        pool_tenant: named.pool_tenant.clone(),
        pool: named.pool.clone(),
        phase: Phase::Released,
        block: ended.block,
        subnet: subnet.unwrap_or(ended.block),
        gateway: ended.gateway,
        handout: Handout::default(),
        generation: ended.generation,
        returned: ended.returned,
        allocated_at_ms: ended.allocated_at_ms,
        first_allocated_at_ms: past
            .map_or(ended.allocated_at_ms, |past| past.first_allocated_at_ms),
        previously_released_at_ms: past.map(|past| past.released_at_ms),
        in_use_at_ms: life.and_then(|life| life.in_use_at_ms),
        expires_at_ms: None,
        expiring_since_ms: None,
        released_at_ms: Some(ended.until_ms),
        // What was kept has been reclaimed, or went back to its holder.
        reclaim_at_ms: life
            .is_none_or(|life| life.kept.is_none())
            .then_some(ended.until_ms),
        revision: ended.revision,
    })
}

/// A claim as it was asked for, from what is kept of that.
fn claim_spec(
    named: &Named<'_>,
    block: Prefix,
    asked: Asked,
    extras: Option<&Extras>,
    life: ClaimLife,
) -> ClaimSpec {
    let foreign = named.pool_tenant != named.tenant;
    ClaimSpec {
        tenant: named.tenant.clone(),
        name: named.name.clone(),
        from: match extras.and_then(|extras| extras.selector.clone()) {
            Some(selector) => ClaimFrom::Selector(selector),
            None => ClaimFrom::Pool(PoolRef {
                tenant: foreign.then(|| named.pool_tenant.clone()),
                name: named.pool.clone(),
            }),
        },
        reservation: asked.reservation,
        prefix_length: asked.prefix_length,
        cidr: asked.cidr.then_some(block),
        within: extras.map_or_else(Vec::new, |extras| extras.within.to_vec()),
        family: asked.family.then_some(block.family()),
        owner: extras.and_then(|extras| extras.owner.clone()),
        life,
        labels: extras.map_or_else(Labels::new, |extras| extras.labels.to_labels()),
        annotations: extras.map_or_else(Labels::new, |extras| extras.annotations.to_labels()),
        description: extras.map_or_else(|| Box::from(""), |extras| extras.description.clone()),
    }
}

fn cidr_view(block: &PoolBlock) -> PoolCidrView {
    PoolCidrView {
        cidr: block.cidr,
        subnet: block.subnet,
        gateway: block.gateway,
    }
}

/// The addresses of a pool.
pub(super) fn capacity(index: &PoolIndex) -> Capacity {
    Capacity {
        total: index.total,
        allocated: index.allocated,
        in_use: index.in_use,
        released: index.released,
        reserved: index.reserved,
        available: index.available(),
    }
}

/// (allocated + released) / (total − reserved) in ten-thousandths, rounded down.
pub(super) fn utilization_e4(capacity: &Capacity) -> u32 {
    plus(capacity.allocated, capacity.released).ratio_e4(minus(capacity.total, capacity.reserved))
}

/// 1 − largest free block / free in ten-thousandths, rounded down: what is not in the largest block.
fn fragmentation_e4(bits: u8, free: Count, largest: Option<u8>) -> u32 {
    let largest = largest.and_then(|length| Count::power_of_two(bits.saturating_sub(length)));
    largest.map_or(0, |largest| minus(free, largest).ratio_e4(free))
}

/// How many blocks of a length the pool's blocks have in all.
fn blocks_total(blocks: &[PoolBlock], length: u8) -> Count {
    let each = blocks
        .iter()
        .filter_map(|block| Count::power_of_two(length.checked_sub(block.cidr.length())?));
    each.fold(Count::ZERO, plus)
}

/// A number of things in memory.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Blocks as a list for a message: the first few of them.
pub(super) fn blocks_text(blocks: &[PoolBlock]) -> String {
    const SHOWN: usize = 4;
    let mut texts: Vec<String> = blocks
        .iter()
        .take(SHOWN)
        .map(|block| alloc::format!("{}", block.cidr))
        .collect();
    if blocks.len() > SHOWN {
        texts.push(String::from("…"));
    }
    texts.join(", ")
}
