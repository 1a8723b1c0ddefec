//! What a pool's blocks come to: subnets, gateways, and what is withheld. Pure arithmetic.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::command::{Exclusion, Gateway};
use crate::prefix::{Address, Family, Prefix, address_number, address_of_number};
use crate::record::PoolBlock;

use super::pool_fields::RESERVATIONS_MAX;

/// Reason of the reservation of a gateway.
pub(super) const GATEWAY_REASON: &str = "gateway";

/// What a pool hands out where nothing is said of the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Singles {
    /// Blocks: nobody configures a gateway of the pool's subnet.
    None,
    /// Single addresses, all but the gateways.
    All,
    /// The same without those that no holder can use.
    UsableOnly,
}

/// The addresses of a subnet that no holder can use, and why: in IPv4 the network and broadcast
/// addresses, except in a /31 (RFC 3021) and a /32; in IPv6 the subnet-router anycast address
/// (RFC 4291 §2.6.1), except in a /127 (RFC 6164) and a /128.
fn unusable(subnet: Prefix) -> impl Iterator<Item = (Address, &'static str)> {
    let family = subnet.family();
    let point_to_point = subnet.length() >= family.bits().saturating_sub(1);
    let (first, last) = match family {
        Family::IPv4 => ("network address", Some("broadcast address")),
        Family::IPv6 => ("subnet-router anycast address", None),
    };
    let both = [
        Some((subnet.first(), first)),
        last.map(|why| (subnet.last(), why)),
    ];
    both.into_iter().flatten().filter(move |_| !point_to_point)
}

/// The first or last usable address of a subnet. In IPv4 the network and broadcast addresses are not
/// usable, except in a /31 (RFC 3021) and a /32. In IPv6 the subnet-router anycast address, the first
/// one (RFC 4291 §2.6.1), is not, except in a /127 (RFC 6164) and a /128.
fn usable(subnet: Prefix, rule: Gateway) -> Address {
    let family = subnet.family();
    let (first, last) = (
        address_number(subnet.first()),
        address_number(subnet.last()),
    );
    let point_to_point = subnet.length() >= family.bits().saturating_sub(1);
    let number = match (rule, family) {
        (Gateway::Address(address), _) => return address,
        (Gateway::First, _) if point_to_point => first,
        (Gateway::First, _) => first.saturating_add(1),
        (Gateway::Last, Family::IPv4) if !point_to_point => last.saturating_sub(1),
        (Gateway::Last, _) => last,
    };
    address_of_number(family, number).unwrap_or_else(|| subnet.first())
}

/// 169.254.0.0/16 (RFC 3927) or `fe80::/10` (RFC 4291).
fn is_link_local(address: Address) -> bool {
    match address {
        Address::V4(v4) => v4.is_link_local(),
        Address::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// An address can be the gateway of a subnet.
pub(super) fn gateway_fits(address: Address, subnet: Prefix) -> bool {
    Family::of(address) == subnet.family()
        && (subnet.contains_address(address) || is_link_local(address))
}

/// The gateway of a subnet by a rule. An address that cannot be its gateway (it was stated above, for
/// another subnet) is none.
pub(super) fn gateway_of(subnet: Prefix, rule: Option<Gateway>) -> Option<Address> {
    let address = usable(subnet, rule?);
    gateway_fits(address, subnet).then_some(address)
}

/// What the holder of a block configures: a single address the subnet and gateway of the pool's
/// block, a wider block those of itself.
pub(super) fn for_holder(pool: &PoolBlock, block: Prefix) -> (Prefix, Option<Address>) {
    if block.is_single() {
        (pool.subnet, pool.gateway)
    } else {
        (block, gateway_of(block, pool.rule))
    }
}

/// A run of addresses that is withheld, both ends inclusive, and which exclusion says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) exclusion: usize,
}

/// The exclusions as disjoint runs by address. Where they overlap, the one that begins lower (of two
/// that begin together the one stated first) keeps the shared part.
pub(super) fn runs(exclusions: &[Exclusion]) -> Vec<Run> {
    let mut stated: Vec<Run> = exclusions
        .iter()
        .enumerate()
        .map(|(exclusion, one)| Run {
            first: address_number(one.first),
            last: address_number(one.last),
            exclusion,
        })
        .collect();
    stated.sort_by_key(|run| (run.first, run.exclusion));
    let mut runs: Vec<Run> = Vec::with_capacity(stated.len());
    for run in stated {
        match runs.last() {
            Some(before) if before.last >= run.last => {}
            Some(before) => runs.push(Run {
                first: run.first.max(before.last.saturating_add(1)),
                ..run
            }),
            None => runs.push(run),
        }
    }
    runs
}

/// The fewest aligned blocks that make up a run: at most two for each bit of the address.
pub(super) fn blocks_of(family: Family, first: u128, last: u128) -> Vec<Prefix> {
    let mut blocks = Vec::new();
    let mut next = Some(first);
    while let Some(start) = next
        && start <= last
        && let Some(address) = address_of_number(family, start)
    {
        // As wide as the address is aligned, and no wider than what is left.
        let aligned = start.trailing_zeros().min(u32::from(family.bits()));
        let left = match last.saturating_sub(start).checked_add(1) {
            Some(left) => left.ilog2(),
            None => 128,
        };
        let host_bits = u8::try_from(aligned.min(left)).unwrap_or(0);
        let length = family.bits().saturating_sub(host_bits);
        let Some(block) = Prefix::around(address, length) else {
            break;
        };
        blocks.push(block);
        next = address_number(block.last()).checked_add(1);
    }
    blocks
}

/// Whether every address of a run lies in one of the blocks.
pub(super) fn run_within(blocks: &[PoolBlock], first: u128, last: u128) -> bool {
    let mut bounds: Vec<(u128, u128)> = blocks
        .iter()
        .map(|block| {
            (
                address_number(block.cidr.first()),
                address_number(block.cidr.last()),
            )
        })
        .collect();
    bounds.sort_unstable();
    let mut next = first;
    for (low, high) in bounds {
        if low <= next && next <= high {
            match high.checked_add(1) {
                Some(after) if after <= last => next = after,
                _ => return true,
            }
        }
    }
    false
}

/// What a pool withholds: its exclusions, and of single addresses its gateways and what is not usable.
/// Disjoint blocks with their reasons, by address; where they are more than [`RESERVATIONS_MAX`], not all.
pub(super) fn withheld(
    blocks: &[PoolBlock],
    family: Family,
    singles: Singles,
    exclusions: &[Exclusion],
) -> BTreeMap<Prefix, Arc<str>> {
    let mut withheld = BTreeMap::new();
    let reasons: Vec<Arc<str>> = exclusions
        .iter()
        .map(|one| Arc::from(&*one.reason))
        .collect();
    let runs = runs(exclusions);
    for run in &runs {
        if let Some(reason) = reasons.get(run.exclusion) {
            for part in parts(blocks, run.first, run.last) {
                withheld.extend(
                    blocks_of(family, part.0, part.1)
                        .into_iter()
                        .map(|block| (block, Arc::clone(reason))),
                );
                // The caller refuses as many: those after them need not be found.
                if withheld.len() > RESERVATIONS_MAX {
                    return withheld;
                }
            }
        }
    }
    let gateways = blocks
        .iter()
        .filter_map(|block| Some((block.gateway?, GATEWAY_REASON)))
        .filter(|_| singles != Singles::None);
    let unusable = blocks
        .iter()
        .flat_map(|block| unusable(block.subnet))
        .filter(|_| singles == Singles::UsableOnly);
    for (address, reason) in gateways.chain(unusable) {
        let number = address_number(address);
        let in_pool = blocks
            .iter()
            .any(|block| block.cidr.contains_address(address));
        let place = runs.partition_point(|run| run.last < number);
        let excluded = runs.get(place).is_some_and(|run| run.first <= number);
        if in_pool && !excluded {
            withheld
                .entry(Prefix::single(address))
                .or_insert_with(|| Arc::from(reason));
        }
    }
    withheld
}

/// The parts of a run in each of the pool's blocks: a reservation lies in one of them.
fn parts(blocks: &[PoolBlock], first: u128, last: u128) -> impl Iterator<Item = (u128, u128)> {
    blocks.iter().filter_map(move |block| {
        let low = address_number(block.cidr.first()).max(first);
        let high = address_number(block.cidr.last()).min(last);
        (low <= high).then_some((low, high))
    })
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::string::ToString;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn exclusion(first: &str, last: &str, reason: &str) -> Exclusion {
        Exclusion {
            first: address(first),
            last: address(last),
            reason: Box::from(reason),
            text: Box::from(""),
        }
    }

    #[test]
    fn first_and_last_usable_addresses() {
        let table = [
            ("10.0.0.0/24", "10.0.0.1", "10.0.0.254"),
            ("10.0.0.0/30", "10.0.0.1", "10.0.0.2"),
            ("10.0.0.0/31", "10.0.0.0", "10.0.0.1"),
            ("10.0.0.7/32", "10.0.0.7", "10.0.0.7"),
            (
                "2001:db8::/64",
                "2001:db8::1",
                "2001:db8::ffff:ffff:ffff:ffff",
            ),
            ("2001:db8::/126", "2001:db8::1", "2001:db8::3"),
            ("2001:db8::/127", "2001:db8::", "2001:db8::1"),
            ("2001:db8::9/128", "2001:db8::9", "2001:db8::9"),
            ("::/0", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ];
        for (subnet, first, last) in table {
            assert_eq!(
                gateway_of(prefix(subnet), Some(Gateway::First)),
                Some(address(first)),
                "{subnet}"
            );
            assert_eq!(
                gateway_of(prefix(subnet), Some(Gateway::Last)),
                Some(address(last)),
                "{subnet}"
            );
        }
    }

    #[test]
    fn a_run_is_made_up_of_the_fewest_blocks() {
        let table = [
            ("10.0.0.0", "10.0.0.255", "10.0.0.0/24"),
            (
                "10.0.0.1",
                "10.0.0.6",
                "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32",
            ),
            ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
            ("10.0.0.3", "10.0.0.3", "10.0.0.3/32"),
            ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
            (
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
            ),
        ];
        for (first, last, blocks) in table {
            let (first, last) = (address(first), address(last));
            let found: Vec<_> = blocks_of(
                Family::of(first),
                address_number(first),
                address_number(last),
            )
            .iter()
            .map(ToString::to_string)
            .collect();
            assert_eq!(found.join(" "), blocks);
        }
    }

    #[test]
    fn overlapping_exclusions_are_merged_and_the_lower_one_keeps_what_both_have() {
        let stated = [
            exclusion("10.0.0.8", "10.0.0.20", "high"),
            exclusion("10.0.0.0", "10.0.0.9", "low"),
            exclusion("10.0.0.4", "10.0.0.5", "inside"),
            exclusion("10.0.0.0", "10.0.0.3", "same start"),
            exclusion("10.0.0.12", "10.0.0.20", "same end"),
        ];
        let low = address_number(address("10.0.0.0"));
        assert_eq!(
            runs(&stated),
            [
                Run {
                    first: low,
                    last: low + 9,
                    exclusion: 1
                },
                Run {
                    first: low + 10,
                    last: low + 20,
                    exclusion: 0
                }
            ]
        );
    }
}
