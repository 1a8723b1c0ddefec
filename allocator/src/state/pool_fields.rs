//! The fields of a pool: what is allowed, and what they come to. Pure: nothing here looks at the
//! state.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Display;

use crate::answer::{FieldProblem, Rejection};
use crate::command::{Gateway, PoolCidr, PoolSource, PoolSpec, SPACE_DEFAULT};
use crate::name::Name;
use crate::prefix::{Address, Family, Prefix, address_number};
use crate::record::{Pool, PoolBlock};

use super::claim::invalid;
use super::layout::{self, Singles};
use super::pool_life::check_life;
use super::views::{blocks_text, count};

/// Most CIDRs of a pool.
pub(super) const CIDRS_MAX: usize = 256;
/// Most pools from a root down to a leaf.
pub(super) const DEPTH_MAX: u8 = 16;
/// Most exclusions of a pool.
pub(super) const EXCLUSIONS_MAX: usize = 1_000;
/// Most blocks that a pool's exclusions and gateways may come to.
pub(super) const RESERVATIONS_MAX: usize = 10_000;

/// What the fields of a pool come to.
pub(super) struct Resolved {
    pub(super) space: Name,
    pub(super) family: Family,
    pub(super) depth: u8,
    pub(super) blocks: Vec<PoolBlock>,
    pub(super) bounds: Bounds,
}

/// Lengths that may be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) min: u8,
    pub(super) max: u8,
    pub(super) default: Option<u8>,
}

/// What a child pool has from its parent.
pub(super) struct Parent<'a> {
    pub(super) space: &'a Name,
    /// The block of the parent that it is carved from.
    pub(super) block: &'a PoolBlock,
    pub(super) depth: u8,
}

/// Collects all that is wrong, so that one answer tells it.
#[derive(Default)]
pub(super) struct Problems(Vec<FieldProblem>);

impl Problems {
    pub(super) fn add(&mut self, field: &dyn Display, problem: &str, allowed: &dyn Display) {
        self.0.push(FieldProblem {
            field: field.to_string(),
            problem: String::from(problem),
            allowed: allowed.to_string(),
        });
    }

    pub(super) fn check(self) -> Result<(), Rejection> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Rejection::InvalidField(self.0))
        }
    }
}

/// What can be told without the state and without the family.
pub(super) fn check_alone(spec: &PoolSpec) -> Result<(), Rejection> {
    let mut problems = Problems::default();
    if let PoolSource::Root { cidrs, .. } = &spec.source {
        if cidrs.is_empty() || cidrs.len() > CIDRS_MAX {
            problems.add(
                &"cidrs",
                "their number is not allowed",
                &format_args!("1 to {CIDRS_MAX} of them"),
            );
        }
        if spec.owner.is_some() {
            problems.add(
                &"owner",
                "a root pool has no holder",
                &"absent, or a pool with a parent",
            );
        }
    }
    if spec.exclude.len() > EXCLUSIONS_MAX {
        problems.add(
            &"exclude",
            "their number is not allowed",
            &format_args!("at most {EXCLUSIONS_MAX} of them"),
        );
    }
    check_life(&spec.life, &mut problems);
    for (place, exclusion) in spec.exclude.iter().enumerate().take(EXCLUSIONS_MAX) {
        let ordered = Family::of(exclusion.first) == Family::of(exclusion.last)
            && address_number(exclusion.first) <= address_number(exclusion.last);
        if !ordered {
            problems.add(
                &format_args!("exclude[{place}]"),
                "its last address is before its first",
                &"first-last of one family",
            );
        }
    }
    problems.check()
}

/// One more pool fits below the parent.
pub(super) fn check_depth(parent: &Pool) -> Result<(), Rejection> {
    if parent.depth < DEPTH_MAX {
        return Ok(());
    }
    Err(invalid(
        "parent",
        "the pool would be nested too deep",
        format!("at most {DEPTH_MAX} pools from the root down"),
    ))
}

/// The fields of a root pool.
pub(super) fn root(
    spec: &PoolSpec,
    space: Option<&Name>,
    cidrs: &[PoolCidr],
) -> Result<Resolved, Rejection> {
    let family = cidrs
        .first()
        .map(|one| one.cidr.family())
        .expect("the number of CIDRs was checked");
    mismatch("family", spec.family, family)?;
    for (place, one) in cidrs.iter().enumerate() {
        mismatch(&format!("cidrs[{place}]"), Some(one.cidr.family()), family)?;
    }
    check_disjoint(cidrs)?;
    for (place, one) in cidrs.iter().enumerate() {
        check_private(&format!("cidrs[{place}]"), one.cidr, spec)?;
    }
    let widest = widest(cidrs.iter().map(|one| one.cidr));
    let bounds = Bounds::of(spec, family, widest)?;
    let mut blocks = Vec::with_capacity(cidrs.len());
    for (place, one) in cidrs.iter().enumerate() {
        let (subnet_field, stated) = match one.subnet {
            Some(subnet) => (format!("cidrs[{place}].subnet"), Some(subnet)),
            None => (String::from("subnet"), spec.subnet),
        };
        check_subnet(&subnet_field, one.cidr, stated)?;
        let subnet = stated.unwrap_or(one.cidr);
        let (gateway_field, rule) = match one.gateway {
            Some(rule) => (format!("cidrs[{place}].gateway"), Some(rule)),
            None => (String::from("gateway"), spec.gateway),
        };
        check_gateway(&gateway_field, subnet, rule)?;
        let gateway = layout::gateway_of(subnet, rule);
        blocks.push(PoolBlock {
            cidr: one.cidr,
            subnet,
            flat: stated.is_some(),
            rule,
            gateway,
        });
    }
    let space = space.cloned().unwrap_or_else(default_space);
    Ok(Resolved {
        space,
        family,
        depth: 1,
        blocks,
        bounds,
    })
}

/// The fields of a child pool on its block. The subnet is the block itself, unless it is stated or
/// the parent is a flat network; the gateway is the stated one, else the parent's rule.
pub(super) fn child(
    spec: &PoolSpec,
    parent: &Parent<'_>,
    cidr: Prefix,
) -> Result<Resolved, Rejection> {
    let bounds = Bounds::of(spec, cidr.family(), cidr.length())?;
    check_private("cidr", cidr, spec)?;
    check_subnet("subnet", cidr, spec.subnet)?;
    let inherited = parent.block.flat.then_some(parent.block.subnet);
    let stated = spec.subnet.or(inherited);
    let subnet = stated.unwrap_or(cidr);
    check_gateway("gateway", subnet, spec.gateway)?;
    let rule = spec.gateway.or(parent.block.rule);
    let gateway = layout::gateway_of(subnet, rule);
    let block = PoolBlock {
        cidr,
        subnet,
        flat: stated.is_some(),
        rule,
        gateway,
    };
    Ok(Resolved {
        space: parent.space.clone(),
        family: cidr.family(),
        depth: parent.depth.saturating_add(1),
        blocks: alloc::vec![block],
        bounds,
    })
}

impl Bounds {
    /// The bounds in force in a pool whose widest block has a length. Where none are stated: from that
    /// length to single addresses, and a claim that names none gets a single address.
    pub(super) fn of(spec: &PoolSpec, family: Family, widest: u8) -> Result<Self, Rejection> {
        let bits = family.bits();
        let Self { min, max, default } = Self::resolved(spec, family, widest);
        let mut problems = Problems::default();
        if min < widest || min > bits {
            problems.add(
                &"minPrefixLength",
                "no CIDR of the pool holds a block of it",
                &format_args!("{widest} to {bits}"),
            );
        } else if max < min || max > bits {
            problems.add(
                &"maxPrefixLength",
                "it is outside of what is possible here",
                &format_args!("{min} to {bits}"),
            );
        } else if default.is_some_and(|default| default < min || default > max) {
            problems.add(
                &"defaultPrefixLength",
                "it is outside of the pool's bounds",
                &format_args!("{min} to {max}"),
            );
        }
        problems.check()?;
        Ok(Self { min, max, default })
    }

    /// What is stated, and the defaults for what is not.
    pub(super) fn resolved(spec: &PoolSpec, family: Family, widest: u8) -> Self {
        let bits = family.bits();
        let max = spec.max_prefix_length.unwrap_or(bits);
        Self {
            min: spec.min_prefix_length.unwrap_or(widest),
            max,
            default: spec.default_prefix_length.or((max == bits).then_some(bits)),
        }
    }
}

/// The length of the widest of a pool's blocks.
pub(super) fn widest(cidrs: impl Iterator<Item = Prefix>) -> u8 {
    cidrs.map(Prefix::length).min().unwrap_or(0)
}

/// What a pool withholds that was made or edited before: its fields were judged then.
pub(super) fn withheld_of(pool: &Pool) -> BTreeMap<Prefix, Arc<str>> {
    let single_addresses = pool.default_prefix_length == Some(pool.family.bits());
    let singles = match (single_addresses, pool.spec.usable_only) {
        (true, true) => Singles::UsableOnly,
        (true, false) => Singles::All,
        (false, _) => Singles::None,
    };
    layout::withheld(&pool.blocks, pool.family, singles, &pool.spec.exclude)
}

/// What the pool withholds. Gateways only in a pool of single addresses: one where a claim that names
/// no length gets one address.
pub(super) fn withheld(
    spec: &PoolSpec,
    fields: &Resolved,
) -> Result<BTreeMap<Prefix, Arc<str>>, Rejection> {
    for (place, exclusion) in spec.exclude.iter().enumerate() {
        mismatch(
            &format!("exclude[{place}]"),
            Some(Family::of(exclusion.first)),
            fields.family,
        )?;
    }
    let mut problems = Problems::default();
    for (place, exclusion) in spec.exclude.iter().enumerate() {
        let (first, last) = (
            address_number(exclusion.first),
            address_number(exclusion.last),
        );
        if !layout::run_within(&fields.blocks, first, last) {
            let allowed = format!("addresses inside {}", blocks_text(&fields.blocks));
            problems.add(
                &format_args!("exclude[{place}]"),
                "it does not lie in the pool",
                &allowed,
            );
        }
    }
    problems.check()?;
    let single_addresses = fields.bounds.default == Some(fields.family.bits());
    let singles = match (single_addresses, spec.usable_only) {
        (true, true) => Singles::UsableOnly,
        (true, false) => Singles::All,
        (false, false) => Singles::None,
        (false, true) => {
            return Err(invalid(
                "usableOnly",
                "it is for pools of single addresses",
                format!("false, or a default length of {}", fields.family.bits()),
            ));
        }
    };
    let withheld = layout::withheld(&fields.blocks, fields.family, singles, &spec.exclude);
    if withheld.len() > RESERVATIONS_MAX {
        return Err(Rejection::TooMany {
            what: String::from("exclude"),
            count: count(withheld.len()),
            limit: count(RESERVATIONS_MAX),
        });
    }
    Ok(withheld)
}

fn default_space() -> Name {
    Name::new(SPACE_DEFAULT).expect("the default space has a proper name")
}

fn mismatch(field: &str, asked: Option<Family>, pool: Family) -> Result<(), Rejection> {
    match asked {
        Some(asked) if asked != pool => Err(Rejection::FamilyMismatch {
            field: String::from(field),
            asked,
            pool,
        }),
        Some(_) | None => Ok(()),
    }
}

/// No two CIDRs of the pool overlap. In order of address only neighbours can.
fn check_disjoint(cidrs: &[PoolCidr]) -> Result<(), Rejection> {
    let mut sorted: Vec<(Prefix, usize)> = cidrs
        .iter()
        .enumerate()
        .map(|(place, one)| (one.cidr, place))
        .collect();
    sorted.sort_unstable();
    let mut problems = Problems::default();
    for (one, other) in sorted.iter().zip(sorted.iter().skip(1)) {
        if one.0.overlaps(other.0) {
            let problem = format!("it overlaps cidrs[{}], {}", one.1, one.0);
            problems.add(
                &format_args!("cidrs[{}]", other.1),
                &problem,
                &"blocks that do not overlap",
            );
        }
    }
    problems.check()
}

/// A pool of private addresses only has no others: RFC 1918 and RFC 4193. No block of other addresses
/// begins and ends with private ones.
pub(super) fn check_private(field: &str, cidr: Prefix, spec: &PoolSpec) -> Result<(), Rejection> {
    let private = |address| match address {
        Address::V4(v4) => v4.is_private(),
        Address::V6(v6) => v6.is_unique_local(),
    };
    if !spec.private_only || (private(cidr.first()) && private(cidr.last())) {
        return Ok(());
    }
    Err(Rejection::NotPrivate {
        field: String::from(field),
        cidr,
    })
}

fn check_subnet(field: &str, cidr: Prefix, subnet: Option<Prefix>) -> Result<(), Rejection> {
    match subnet {
        Some(subnet) if subnet.family() != cidr.family() => {
            mismatch(field, Some(subnet.family()), cidr.family())
        }
        Some(subnet) if !subnet.contains(cidr) => Err(invalid(
            field,
            "the CIDR does not lie in it",
            format!("a block that contains {cidr}"),
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_gateway(field: &str, subnet: Prefix, rule: Option<Gateway>) -> Result<(), Rejection> {
    let Some(Gateway::Address(gateway)) = rule else {
        return Ok(());
    };
    mismatch(field, Some(Family::of(gateway)), subnet.family())?;
    if layout::gateway_fits(gateway, subnet) {
        return Ok(());
    }
    Err(Rejection::GatewayNotInSubnet {
        field: String::from(field),
        gateway,
        subnet,
    })
}
