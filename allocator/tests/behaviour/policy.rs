//! What a pool withholds for its policy, and where claims want to lie.

use allocator::command::{Gateway, Strategy};
use allocator::count::Count;
use allocator::filter::AllocationFilter;
use allocator::view::Purpose;

use crate::support::{Harness, TENANT, block, child, claim, exclude, gateway, name, root, within};

#[test]
fn only_usable_addresses_are_given_where_that_is_asked_for() {
    // CIDRs, gateway, exclusions; what is withheld with its reason, and the first address given.
    let table = [
        (
            "10.50.1.0/29",
            None,
            &[][..],
            "10.50.1.0/32 network address|10.50.1.7/32 broadcast address",
            "10.50.1.1/32",
        ),
        ("192.168.0.0/31", None, &[][..], "", "192.168.0.0/32"),
        ("10.0.0.9/32", None, &[][..], "", "10.0.0.9/32"),
        (
            "2001:db8::/126",
            None,
            &[][..],
            "2001:db8::/128 subnet-router anycast address",
            "2001:db8::1/128",
        ),
        ("2001:db8::/127", None, &[][..], "", "2001:db8::/128"),
        ("2001:db8::5/128", None, &[][..], "", "2001:db8::5/128"),
        (
            "10.0.0.0/29",
            Some(Gateway::First),
            &[][..],
            "10.0.0.0/32 network address|10.0.0.1/32 gateway|10.0.0.7/32 broadcast address",
            "10.0.0.2/32",
        ),
        // What is excluded already keeps its reason.
        (
            "10.0.0.0/29",
            None,
            &[("10.0.0.0-10.0.0.1", "edge")][..],
            "10.0.0.0/31 edge|10.0.0.7/32 broadcast address",
            "10.0.0.2/32",
        ),
        (
            "10.0.0.0/30 10.0.1.0/30",
            None,
            &[][..],
            "10.0.0.0/32 network address|10.0.0.3/32 broadcast address|10.0.1.0/32 network address|10.0.1.3/32 broadcast address",
            "10.0.0.1/32",
        ),
    ];
    for (cidrs, rule, runs, withheld, next) in table {
        let mut harness = Harness::new();
        let mut spec = exclude(root("p", cidrs), runs);
        (spec.usable_only, spec.gateway) = (true, rule);
        let view = harness.pool(spec);
        let filter = AllocationFilter {
            purpose: Some(Purpose::Reservation),
            ..AllocationFilter::default()
        };
        let page = harness
            .state
            .allocations(&name(TENANT), &filter, None, 100)
            .unwrap();
        let found: Vec<String> = page
            .items
            .iter()
            .map(|item| format!("{} {}", item.cidr, item.reason.as_deref().unwrap()))
            .collect();
        assert_eq!(found.join("|"), withheld, "{cidrs}");
        let reserved = page.items.iter().fold(Count::ZERO, |sum, item| {
            sum.checked_add(item.cidr.size()).unwrap()
        });
        assert_eq!(view.capacity.reserved, reserved);
        assert_eq!(harness.take("next", "p", ""), next, "{cidrs}");
    }
}

#[test]
fn in_a_flat_network_the_ends_of_the_subnet_are_not_usable_and_those_of_the_blocks_are() {
    let mut harness = Harness::new();
    let mut spec = root("net", "10.0.0.0/24");
    spec.subnet = Some(block("10.0.0.0/24"));
    harness.pool(spec);
    let expected = [
        ("10.0.0.0/26", 1),
        ("10.0.0.64/26", 0),
        ("10.0.0.192/26", 1),
    ];
    for (place, (cidr, reserved)) in expected.into_iter().enumerate() {
        let mut spec = child(&format!("node{place}"), "net", cidr);
        spec.usable_only = true;
        assert_eq!(
            harness.pool(spec).capacity.reserved,
            Count::new(reserved),
            "{cidr}"
        );
    }
}

/// Five addresses of a /29, then none: the broadcast address is never given.
#[test]
fn a_usable_pool_with_a_gateway_gives_what_host_local_would() {
    let mut harness = Harness::new();
    let mut spec = gateway(root("p", "192.168.1.0/29"), Gateway::First);
    (spec.usable_only, spec.strategy) = (true, Strategy::NextFit);
    harness.pool(spec);
    let given: Vec<String> = (0..5)
        .map(|number| harness.take(&format!("c{number}"), "p", ""))
        .collect();
    assert_eq!(
        given,
        [
            "192.168.1.2/32",
            "192.168.1.3/32",
            "192.168.1.4/32",
            "192.168.1.5/32",
            "192.168.1.6/32"
        ]
    );
    harness.refused(claim("c5", "p", ""));
}

#[test]
fn each_strategy_chooses_inside_the_ranges() {
    use Strategy::{BestFit, FirstFit, LeastUtilized, NextFit};
    // Strategy, CIDRs, blocks held, ranges, length; the blocks given one after the other.
    let table = [
        (
            FirstFit,
            "10.0.0.0/24",
            "",
            "10.0.0.10-10.0.0.12",
            32,
            "10.0.0.10/32 10.0.0.11/32 10.0.0.12/32 -",
        ),
        (
            FirstFit,
            "10.0.0.0/24",
            "",
            "10.0.0.9 10.0.0.3",
            32,
            "10.0.0.3/32 10.0.0.9/32 -",
        ),
        (
            FirstFit,
            "10.0.0.0/24",
            "",
            "10.0.0.1-10.0.0.10",
            30,
            "10.0.0.4/30 -",
        ),
        // Ranges that touch are one.
        (
            FirstFit,
            "10.0.0.0/24",
            "",
            "10.0.0.4/31 10.0.0.6-10.0.0.7",
            30,
            "10.0.0.4/30 -",
        ),
        // Across CIDRs, and beyond the pool.
        (
            FirstFit,
            "10.0.0.0/30 10.0.1.0/30",
            "",
            "10.0.0.3-10.0.1.0 10.9.0.0/16",
            32,
            "10.0.0.3/32 10.0.1.0/32 -",
        ),
        (
            FirstFit,
            "0.0.0.0/0",
            "",
            "255.255.255.254-255.255.255.255",
            32,
            "255.255.255.254/32 255.255.255.255/32 -",
        ),
        (
            FirstFit,
            "::/0",
            "",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
            128,
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 -",
        ),
        // The smallest hole is .80/28; that outside of the range does not count.
        (
            BestFit,
            "10.0.0.0/24",
            "10.0.0.64/28 10.0.0.200/29",
            "10.0.0.0/25",
            30,
            "10.0.0.80/30 10.0.0.84/30",
        ),
        (
            BestFit,
            "10.0.0.0/24",
            "10.0.0.64/28 10.0.0.200/29",
            "10.0.0.128/25",
            30,
            "10.0.0.192/30",
        ),
        // A hole that reaches into the range only by less than the block does not count.
        (
            BestFit,
            "10.0.0.0/24",
            "10.0.0.0/26 10.0.0.64/27",
            "10.0.0.126-10.0.0.255",
            30,
            "10.0.0.128/30",
        ),
        (
            NextFit,
            "10.0.0.0/24",
            "",
            "10.0.0.10-10.0.0.12",
            32,
            "10.0.0.10/32 10.0.0.11/32 10.0.0.12/32 -",
        ),
        (
            LeastUtilized,
            "10.0.0.0/24 10.0.1.0/24",
            "10.0.0.0/32",
            "10.0.0.0/31 10.0.1.0/32",
            32,
            "10.0.1.0/32 10.0.0.1/32 -",
        ),
    ];
    for (strategy, cidrs, held, ranges, length, expected) in table {
        let mut harness = Harness::new();
        let mut spec = root("p", cidrs);
        spec.strategy = strategy;
        harness.pool(spec);
        for (place, held) in held.split_whitespace().enumerate() {
            harness.take(&format!("held-{place}"), "p", held);
        }
        let found: Vec<String> = (0..expected.split_whitespace().count())
            .map(|place| {
                let asked = within(
                    claim(&format!("c{place}"), "p", &length.to_string()),
                    ranges,
                );
                match harness.answer(asked).result {
                    Ok(allocator::answer::Outcome::ClaimCreated(view)) => view.block.to_string(),
                    Err(allocator::answer::Rejection::PoolExhausted { within: true, .. }) => {
                        String::from("-")
                    }
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert_eq!(found.join(" "), expected, "{strategy} {cidrs} {ranges}");
    }
}

#[test]
fn next_fit_goes_round_inside_the_ranges_and_shares_one_cursor() {
    let mut harness = Harness::new();
    let mut spec = root("p", "10.0.0.0/24");
    spec.strategy = Strategy::NextFit;
    harness.pool(spec);
    let mut take = |text: &str, ranges: &str| {
        let block = harness
            .claim(within(claim(text, "p", ""), ranges))
            .block
            .to_string();
        harness.release(text);
        block
    };
    let range = "10.0.0.10-10.0.0.12 10.0.0.20-10.0.0.21";
    let round: Vec<String> = (0..7).map(|_| take("c", range)).collect();
    assert_eq!(
        round,
        [
            "10.0.0.10/32",
            "10.0.0.11/32",
            "10.0.0.12/32",
            "10.0.0.20/32",
            "10.0.0.21/32",
            "10.0.0.10/32",
            "10.0.0.11/32"
        ]
    );
    assert_eq!(take("c", "10.0.0.0/24"), "10.0.0.12/32");
    assert_eq!(take("c", "10.0.0.0/29"), "10.0.0.0/32");
}

#[test]
fn a_claim_shows_its_ranges_again() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    let view = harness.claim(within(
        claim("c", "p", ""),
        "10.0.0.16/28 10.0.0.9 10.0.0.1-10.0.0.5",
    ));
    let shown: Vec<String> = view.spec.within.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.16/28", "10.0.0.9", "10.0.0.1-10.0.0.5"]);
}
