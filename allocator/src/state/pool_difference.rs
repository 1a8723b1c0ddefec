//! In what a pool differs from what is asked for under its name.

use alloc::collections::BTreeSet;

use crate::command::{
    ChildBlock, Exclusion, PoolCidr, PoolRef, PoolSource, PoolSpec, SPACE_DEFAULT,
};
use crate::name::Name;
use crate::prefix::Address;
use crate::record::Pool;

use super::pool_fields::{Bounds, widest};
use super::pool_life::life_difference;

/// The first field in which a pool differs from what is asked; defaults that are stated are the same
/// as defaults that are not.
pub(super) fn difference(pool: &Pool, spec: &PoolSpec) -> Option<&'static str> {
    let there = &*pool.spec;
    if let Some(field) = source_difference(there, spec) {
        return Some(field);
    }
    let Bounds { min, max, default } = Bounds::resolved(
        spec,
        pool.family,
        widest(pool.blocks.iter().map(|block| block.cidr)),
    );
    let life = life_difference(&there.life, &spec.life);
    let fields = [
        (
            "family",
            spec.family.is_none_or(|family| family == pool.family),
        ),
        ("owner", there.owner == spec.owner),
        ("minPrefixLength", min == pool.min_prefix_length),
        ("maxPrefixLength", max == pool.max_prefix_length),
        ("defaultPrefixLength", default == pool.default_prefix_length),
        ("strategy", there.strategy == spec.strategy),
        ("usableOnly", there.usable_only == spec.usable_only),
        ("privateOnly", there.private_only == spec.private_only),
        ("drain", there.drain == spec.drain),
        ("sharedWith", there.shared_with == spec.shared_with),
        ("priority", there.priority == spec.priority),
        ("exclude", same_exclusions(&there.exclude, &spec.exclude)),
        ("subnet", there.subnet == spec.subnet),
        ("gateway", there.gateway == spec.gateway),
        ("routes", there.handout.routes == spec.handout.routes),
        ("dns", there.handout.dns == spec.handout.dns),
        ("mtu", there.handout.mtu == spec.handout.mtu),
        (
            "parameters",
            there.handout.parameters == spec.handout.parameters,
        ),
        (life.unwrap_or_default(), life.is_none()),
        ("labels", there.labels == spec.labels),
        ("annotations", there.annotations == spec.annotations),
        ("description", there.description == spec.description),
    ];
    fields
        .into_iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| field)
}

fn source_difference(there: &PoolSpec, spec: &PoolSpec) -> Option<&'static str> {
    match (&there.source, &spec.source) {
        (
            PoolSource::Root { space, cidrs },
            PoolSource::Root {
                space: asked_space,
                cidrs: asked,
            },
        ) => {
            let same_space = space_of(space.as_ref()) == space_of(asked_space.as_ref());
            [("space", same_space), ("cidrs", same_cidrs(cidrs, asked))]
                .into_iter()
                .find(|(_, same)| !same)
                .map(|(field, _)| field)
        }
        (
            PoolSource::Child { parent, block },
            PoolSource::Child {
                parent: asked_parent,
                block: asked,
            },
        ) => {
            let block_field = match asked {
                ChildBlock::Length(_) => "prefixLength",
                ChildBlock::Cidr(_) => "cidr",
            };
            let same_parent = same_pool(parent, asked_parent, &there.tenant);
            [("parent", same_parent), (block_field, block == asked)]
                .into_iter()
                .find(|(_, same)| !same)
                .map(|(field, _)| field)
        }
        (PoolSource::Root { .. }, PoolSource::Child { .. })
        | (PoolSource::Child { .. }, PoolSource::Root { .. }) => Some("parent"),
    }
}

pub(super) fn same_pool(one: &PoolRef, other: &PoolRef, tenant: &Name) -> bool {
    let tenant_of =
        |reference: &PoolRef| reference.tenant.clone().unwrap_or_else(|| tenant.clone());
    one.name == other.name && tenant_of(one) == tenant_of(other)
}

/// The same CIDRs, in whatever order.
fn same_cidrs(one: &[PoolCidr], other: &[PoolCidr]) -> bool {
    let sorted = |cidrs: &[PoolCidr]| {
        let mut sorted = cidrs.to_vec();
        sorted.sort_by_key(|one| one.cidr);
        sorted
    };
    sorted(one) == sorted(other)
}

/// The same runs for the same reasons; in which order and how they were written does not matter.
fn same_exclusions(one: &[Exclusion], other: &[Exclusion]) -> bool {
    fn content(exclusions: &[Exclusion]) -> BTreeSet<(Address, Address, &str)> {
        exclusions
            .iter()
            .map(|one| (one.first, one.last, &*one.reason))
            .collect()
    }
    content(one) == content(other)
}

fn space_of(space: Option<&Name>) -> &str {
    space.map_or(SPACE_DEFAULT, Name::as_str)
}
