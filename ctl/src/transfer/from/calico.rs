//! Calico: `kubectl get ipamblocks.crd.projectcalico.org -o json`, a claim for each address that a block has
//! given out. Its owner is `NODE/HANDLE`: all addresses of one handle are of one holder there.

use allocator::prefix::{Prefix, address_number, address_of_number};
use serde_json::Value;

use super::{claim, other_kind, owner, text};
use crate::transfer::rows::Said;

pub(super) fn claims(item: &Value) -> Vec<Said> {
    if text(item, &["kind"]) != "IPAMBlock" {
        return vec![other_kind(item)];
    }
    let spec = &item["spec"];
    if spec["deleted"] == true {
        return vec![Said::Skipped("the block is deleted".to_owned())];
    }
    let cidr = text(spec, &["cidr"]);
    let Ok(block) = cidr.parse::<Prefix>() else {
        return vec![Said::Wrong(format!(
            "spec.cidr is {cidr:?}, which is no block"
        ))];
    };
    let host = text(spec, &["affinity"])
        .strip_prefix("host:")
        .unwrap_or_default();
    let given = spec["allocations"].as_array().into_iter().flatten();
    (0_u128..)
        .zip(given)
        .filter(|(_, attribute)| !attribute.is_null())
        .map(|(ordinal, attribute)| {
            let index = attribute
                .as_u64()
                .and_then(|index| usize::try_from(index).ok());
            let Some(attribute) = index.and_then(|index| spec["attributes"].get(index)) else {
                return Said::Wrong(format!(
                    "allocations[{ordinal}] of {block} has no attributes"
                ));
            };
            let number = address_number(block.first()).checked_add(ordinal);
            let address = number.and_then(|number| address_of_number(block.family(), number));
            match address
                .map(Prefix::single)
                .filter(|single| block.contains(*single))
            {
                Some(single) => address_claim(single, host, attribute),
                None => Said::Wrong(format!("allocations[{ordinal}] lies outside of {block}")),
            }
        })
        .collect()
}

fn address_claim(single: Prefix, host: &str, attribute: &Value) -> Said {
    let of = |part: &str| text(attribute, &["secondary", part]);
    let handle = text(attribute, &["handle_id"]);
    let node = match of("node") {
        "" => host,
        node => node,
    };
    Said::Claim(claim(
        &format!("calico.{}", single.first()),
        &single.to_string(),
        &owner(&[node, handle]),
        &[
            ("namespace", of("namespace")),
            ("pod", of("pod")),
            ("node", node),
            ("type", of("type")),
        ],
    ))
}
