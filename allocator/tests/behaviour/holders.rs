//! What a holder is handed with its block.

use crate::support::{Harness, address, block, bounds, child, claim, gateway, root};
use allocator::answer::Rejection;
use allocator::command::Gateway;
use allocator::count::Count;

#[test]
fn what_a_holder_configures() {
    // CIDR, subnet, gateway, length asked for; subnet and gateway of the holder.
    let table = [
        ("10.0.0.0/24", "", None, "", "10.0.0.0/24", ""),
        (
            "10.0.0.0/24",
            "",
            Some(Gateway::First),
            "",
            "10.0.0.0/24",
            "10.0.0.1",
        ),
        (
            "10.0.0.0/24",
            "10.0.0.0/16",
            Some(Gateway::Last),
            "",
            "10.0.0.0/16",
            "10.0.255.254",
        ),
        // A wider block gets those of itself.
        (
            "10.0.0.0/24",
            "10.0.0.0/16",
            Some(Gateway::First),
            "28",
            "10.0.0.16/28",
            "10.0.0.17",
        ),
        (
            "10.0.0.0/24",
            "",
            Some(Gateway::Address(address("10.0.0.200"))),
            "28",
            "10.0.0.0/28",
            "",
        ),
        (
            "10.0.0.0/24",
            "",
            Some(Gateway::Address(address("169.254.1.1"))),
            "28",
            "10.0.0.0/28",
            "169.254.1.1",
        ),
        (
            "2001:db8::/64",
            "",
            Some(Gateway::Address(address("fe80::1"))),
            "",
            "2001:db8::/64",
            "fe80::1",
        ),
        (
            "2001:db8::/64",
            "",
            Some(Gateway::First),
            "127",
            "2001:db8::2/127",
            "2001:db8::2",
        ),
    ];
    for (cidr, subnet, rule, length, expected_subnet, expected_gateway) in table {
        let mut harness = Harness::new();
        let mut spec = root("p", cidr);
        spec.subnet = (!subnet.is_empty()).then(|| block(subnet));
        spec.gateway = rule;
        harness.pool(spec);
        let view = harness.claim(claim("c", "p", length));
        let found = view
            .gateway
            .map(|gateway| gateway.to_string())
            .unwrap_or_default();
        assert_eq!(
            (view.subnet.to_string().as_str(), found.as_str()),
            (expected_subnet, expected_gateway),
            "{cidr} /{length}"
        );
    }
}

#[test]
fn children_inherit_the_gateway_and_share_a_stated_subnet() {
    // Subnet of the parent, gateway of the parent, of the child; subnet and gateway of the child.
    let table = [
        ("", None, None, "10.0.1.0/24", ""),
        ("", Some(Gateway::First), None, "10.0.1.0/24", "10.0.1.1"),
        (
            "",
            Some(Gateway::First),
            Some(Gateway::Last),
            "10.0.1.0/24",
            "10.0.1.254",
        ),
        // Stated for another subnet: none here.
        (
            "",
            Some(Gateway::Address(address("10.0.0.1"))),
            None,
            "10.0.1.0/24",
            "",
        ),
        // A flat network cut into blocks.
        (
            "10.0.0.0/16",
            Some(Gateway::Address(address("10.0.0.1"))),
            None,
            "10.0.0.0/16",
            "10.0.0.1",
        ),
        (
            "10.0.0.0/16",
            Some(Gateway::First),
            None,
            "10.0.0.0/16",
            "10.0.0.1",
        ),
    ];
    for (subnet, rule, own_rule, expected_subnet, expected_gateway) in table {
        let mut harness = Harness::new();
        let mut parent = bounds(root("p", "10.0.0.0/16"), Some(24), Some(24), None);
        parent.subnet = (!subnet.is_empty()).then(|| block(subnet));
        parent.gateway = rule;
        harness.pool(parent);
        let mut spec = child("kid", "p", "10.0.1.0/24");
        spec.gateway = own_rule;
        let view = harness.pool(spec).cidrs[0];
        let found = view
            .gateway
            .map(|gateway| gateway.to_string())
            .unwrap_or_default();
        assert_eq!(
            (view.subnet.to_string().as_str(), found.as_str()),
            (expected_subnet, expected_gateway)
        );
        // And the grandchild again.
        let grandchild = harness.pool(child("grandkid", "kid", "28")).cidrs[0];
        let flat = !subnet.is_empty();
        assert_eq!(grandchild.subnet == view.subnet, flat);
    }
}

#[test]
fn a_claim_without_a_length_gets_the_default_or_one_address() {
    // Minimum, maximum, default of the pool; block given ("" where a length must be named).
    let table = [
        (None, None, None, "10.0.0.0/32"),
        (None, None, Some(28), "10.0.0.0/28"),
        (Some(26), Some(28), Some(27), "10.0.0.0/27"),
        (Some(26), Some(28), None, ""),
        (Some(26), None, None, "10.0.0.0/32"),
    ];
    for (min, max, default, expected) in table {
        let mut harness = Harness::new();
        harness.pool(bounds(root("p", "10.0.0.0/24"), min, max, default));
        if expected.is_empty() {
            let refused = harness.refused(claim("c", "p", ""));
            assert!(
                matches!(
                    refused,
                    Rejection::PrefixLengthOutOfBounds {
                        asked: None,
                        min: 26,
                        max: 28,
                        ..
                    }
                ),
                "{refused:?}"
            );
        } else {
            assert_eq!(harness.take("c", "p", ""), expected);
        }
    }
}

#[test]
fn a_gateway_of_a_flat_network_is_reserved_in_the_child_that_has_it() {
    let mut harness = Harness::new();
    let mut parent = gateway(
        bounds(root("p", "10.0.0.0/16"), Some(24), Some(24), None),
        Gateway::First,
    );
    parent.subnet = Some(block("10.0.0.0/16"));
    harness.pool(parent);
    harness.pool(child("one", "p", "24"));
    harness.pool(child("two", "p", "24"));
    assert_eq!(harness.view("one").capacity.reserved, Count::new(1));
    assert_eq!(harness.view("two").capacity.reserved, Count::ZERO);
    assert_eq!(harness.take("a", "one", ""), "10.0.0.0/32");
    assert_eq!(harness.take("b", "one", ""), "10.0.0.2/32");
    assert_eq!(harness.take("c", "two", ""), "10.0.1.0/32");
}

#[test]
fn a_gateway_is_reserved_where_a_claim_without_a_length_gets_one_address() {
    // Minimum, maximum, default of the pool; addresses reserved.
    let table = [
        (None, None, None, 1),
        (Some(24), None, Some(32), 1),
        (None, None, Some(24), 0),
        (Some(16), Some(24), None, 0),
        (Some(16), Some(24), Some(24), 0),
    ];
    for (min, max, default, expected) in table {
        let mut harness = Harness::new();
        let spec = bounds(root("p", "10.0.0.0/8"), min, max, default);
        let view = harness.pool(gateway(spec, Gateway::First));
        assert_eq!(
            view.capacity.reserved,
            Count::new(expected),
            "{min:?} {max:?} {default:?}"
        );
    }
}
