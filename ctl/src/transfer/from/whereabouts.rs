//! whereabouts: `kubectl get ippools.whereabouts.cni.cncf.io -A -o json`, a claim for each reservation. The
//! keys there are offsets from the address with which the range begins.

use allocator::prefix::{Address, Family, Prefix, address_number, address_of_number};
use serde_json::Value;

use super::{claim, other_kind, owner, text};
use crate::transfer::rows::Said;

pub(super) fn claims(item: &Value) -> Vec<Said> {
    if text(item, &["kind"]) != "IPPool" {
        return vec![other_kind(item)];
    }
    let (pool, range) = (
        text(item, &["metadata", "name"]),
        text(item, &["spec", "range"]),
    );
    let first = range
        .split_once('/')
        .and_then(|(first, _)| first.parse::<Address>().ok());
    let Some(first) = first else {
        return vec![Said::Wrong(format!(
            "spec.range is {range:?}, which is no CIDR"
        ))];
    };
    let reservations = item["spec"]["allocations"].as_object();
    reservations
        .into_iter()
        .flatten()
        .map(|(offset, reservation)| match at(first, offset) {
            Some(single) => reserved(pool, single, reservation),
            None => Said::Wrong(format!("allocations[{offset:?}] is no offset from {first}")),
        })
        .collect()
}

fn at(first: Address, offset: &str) -> Option<Prefix> {
    let number = address_number(first).checked_add(offset.parse().ok()?)?;
    address_of_number(Family::of(first), number).map(Prefix::single)
}

fn reserved(pool: &str, single: Prefix, reservation: &Value) -> Said {
    let of = |part: &str| text(reservation, &[part]);
    let (namespace, pod) = of("podref").split_once('/').unwrap_or(("", of("podref")));
    let holder = if pod.is_empty() { of("id") } else { pod };
    Said::Claim(claim(
        &format!("{pool}.{}", single.first()),
        &single.to_string(),
        &owner(&[namespace, holder, of("ifname")]),
        &[
            ("namespace", namespace),
            ("pod", pod),
            ("container", of("id")),
            ("interface", of("ifname")),
        ],
    ))
}
