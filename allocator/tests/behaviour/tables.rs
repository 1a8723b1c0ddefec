//! What is handed out, as tables: a case is data.

use crate::support::{
    Harness, TENANT, address, batch, block, bounds, child, claim, create_claim, exclude, name, root,
};
use allocator::command::Gateway;
use allocator::count::Count;
use allocator::view::Purpose;
use allocator::{answer::Rejection, filter::AllocationFilter};

#[test]
fn the_lowest_free_block_is_handed_out() {
    // CIDRs of the pool, blocks held, length asked for, block expected ("" where none is free).
    let table = [
        ("10.0.0.0/16", "", 20, "10.0.0.0/20"),
        ("10.0.0.0/16", "", 24, "10.0.0.0/24"),
        ("10.0.0.0/16", "", 28, "10.0.0.0/28"),
        ("10.0.0.0/24", "", 24, "10.0.0.0/24"),
        ("10.0.0.0/24", "10.0.0.0/24", 24, ""),
        ("10.0.0.0/22", "10.0.0.0/24 10.0.2.0/24", 24, "10.0.1.0/24"),
        ("10.0.0.0/24", "10.0.0.0/26", 26, "10.0.0.64/26"),
        ("10.0.0.0/30", "10.0.0.0/32", 32, "10.0.0.1/32"),
        ("10.0.0.0/29", "10.0.0.0/30 10.0.0.4/30", 30, ""),
        // The CIDR with the lower address first, however they were stated.
        ("10.0.0.0/16 10.1.0.0/16", "10.0.0.0/24", 24, "10.0.1.0/24"),
        ("10.1.0.0/16 10.0.0.0/16", "10.0.0.0/24", 24, "10.0.1.0/24"),
        ("10.0.0.0/29 10.1.0.0/24", "10.0.0.0/29", 25, "10.1.0.0/25"),
        ("2001:db8::/32", "", 48, "2001:db8::/48"),
        ("2001:db8::/32", "2001:db8::/48", 64, "2001:db8:1::/64"),
        (
            "2001:db8::/126",
            "2001:db8::/128 2001:db8::1/128",
            128,
            "2001:db8::2/128",
        ),
        (
            "10.0.0.0/24",
            "10.0.0.0/30 10.0.0.8/29 10.0.0.16/28 10.0.0.32/27 10.0.0.64/26",
            26,
            "10.0.0.128/26",
        ),
        (
            "10.0.0.0/24",
            "10.0.0.0/30 10.0.0.8/29 10.0.0.16/28 10.0.0.32/27 10.0.0.64/26",
            32,
            "10.0.0.4/32",
        ),
        ("::/0", "", 128, "::/128"),
        ("::/0", "::/1", 128, "8000::/128"),
        (
            "0.0.0.0/0",
            "0.0.0.0/1 128.0.0.0/2 192.0.0.0/3 224.0.0.0/4",
            32,
            "240.0.0.0/32",
        ),
    ];
    for (cidrs, held, length, expected) in table {
        let mut harness = Harness::new();
        harness.pool(root("p", cidrs));
        for (place, held) in held.split_whitespace().enumerate() {
            assert_eq!(harness.take(&format!("held-{place}"), "p", held), held);
        }
        let asked = claim("asked", "p", &length.to_string());
        if expected.is_empty() {
            let refused = harness.refused(asked);
            assert!(
                matches!(refused, Rejection::PoolExhausted { prefix_length, .. } if prefix_length == length),
                "{refused:?}"
            );
        } else {
            assert_eq!(
                harness.claim(asked).block,
                block(expected),
                "{cidrs} with {held}"
            );
        }
    }
}

#[test]
fn one_missing_block_among_two_thousand_is_found() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    let spec = |number: usize| create_claim(&format!("c{number}"), "p", "28");
    for thousand in 0..2 {
        harness.ok(batch(
            true,
            (thousand * 1_000..(thousand + 1) * 1_000)
                .map(spec)
                .collect(),
        ));
    }
    harness.release("c3");
    assert_eq!(harness.take("again", "p", "28"), "10.0.0.48/28");
}

#[test]
fn overlap_is_told_by_address_and_never_across_families() {
    // CIDR of the pool, block held, block asked for, may both be held?
    let table = [
        ("10.0.0.0/8", "10.0.0.0/25", "10.0.0.128/25", true),
        ("10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/24", false),
        ("10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/16", false),
        ("10.0.0.0/8", "10.0.0.0/16", "10.0.0.128/25", false),
        (
            "2001:db8::/32",
            "2001:db8::/49",
            "2001:db8:0:8000::/49",
            true,
        ),
        (
            "2001:db8::/32",
            "2001:db8::/48",
            "2001:db8:0:8000::/49",
            false,
        ),
    ];
    for (cidr, held, asked, both) in table {
        let mut harness = Harness::new();
        harness.pool(root("p", cidr));
        harness.take("held", "p", held);
        if both {
            assert_eq!(harness.take("asked", "p", asked), asked);
        } else {
            let refused = harness.refused(claim("asked", "p", asked));
            let Rejection::AddressTaken { cidr, held: there } = refused else {
                panic!("{refused:?}")
            };
            assert_eq!((cidr, there.cidr), (block(asked), block(held)));
            assert_eq!(there.claim, Some((name(TENANT), name("held"))));
        }
    }
}

#[test]
fn measures_are_exact() {
    // CIDRs, default length, blocks held; available addresses, blocks of the default length in all
    // and available, utilization and fragmentation in ten-thousandths, largest free length.
    let table = [
        (
            "10.0.0.0/28",
            32,
            "10.0.0.3/32",
            "15",
            "16",
            "15",
            625,
            4_666,
            Some(29),
        ),
        (
            "10.0.0.0/24",
            32,
            "10.0.0.0/25",
            "128",
            "256",
            "128",
            5_000,
            0,
            Some(25),
        ),
        (
            "2001:db8::/20",
            64,
            "",
            "324518553658426726783156020576256",
            "17592186044416",
            "17592186044416",
            0,
            0,
            Some(20),
        ),
        (
            "10.0.0.0/24 10.0.1.0/24",
            27,
            "",
            "512",
            "16",
            "16",
            0,
            5_000,
            Some(24),
        ),
        (
            "10.0.0.0/30",
            32,
            "10.0.0.0/30",
            "0",
            "4",
            "0",
            10_000,
            0,
            None,
        ),
        (
            "::/0",
            128,
            "",
            "340282366920938463463374607431768211456",
            "340282366920938463463374607431768211456",
            "340282366920938463463374607431768211456",
            0,
            0,
            Some(0),
        ),
        (
            "::/0",
            128,
            "::/128",
            "340282366920938463463374607431768211455",
            "340282366920938463463374607431768211456",
            "340282366920938463463374607431768211455",
            0,
            4_999,
            Some(1),
        ),
    ];
    for (
        cidrs,
        default,
        held,
        available,
        total_blocks,
        free_blocks,
        utilization,
        fragmentation,
        largest,
    ) in table
    {
        let mut harness = Harness::new();
        let cidrs = cidrs.replace("2001:db8::/20", "2001::/20");
        harness.pool(bounds(root("p", &cidrs), None, None, Some(default)));
        for (place, held) in held.split_whitespace().enumerate() {
            harness.take(&format!("held-{place}"), "p", held);
        }
        let view = harness.view("p");
        let blocks = view.blocks.unwrap();
        assert_eq!(view.capacity.available.to_string(), available, "{cidrs}");
        assert_eq!(blocks.total.to_string(), total_blocks, "{cidrs}");
        assert_eq!(blocks.available.to_string(), free_blocks, "{cidrs}");
        assert_eq!(
            (view.utilization_e4, view.fragmentation_e4),
            (utilization, fragmentation),
            "{cidrs}"
        );
        assert_eq!(view.largest_free_prefix_length, largest, "{cidrs}");
        assert_eq!(
            view.exhausted_since_ms.is_some(),
            largest.is_none(),
            "{cidrs}"
        );
    }
}

#[test]
fn two_cidrs_give_sixteen_blocks_and_then_none() {
    let mut harness = Harness::new();
    harness.pool(bounds(
        root("p", "10.0.0.0/24 10.0.1.0/24"),
        None,
        None,
        Some(27),
    ));
    for number in 0..16 {
        assert_eq!(
            harness.view("p").blocks.unwrap().available,
            Count::new(16 - number)
        );
        harness.take(&format!("c{number}"), "p", "");
    }
    let refused = harness.refused(claim("c16", "p", ""));
    let Rejection::PoolExhausted {
        free,
        largest_free_prefix_length,
        prefix_length,
        ..
    } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (free, largest_free_prefix_length, prefix_length),
        (Count::ZERO, None, 27)
    );
    assert_eq!(harness.view("p").utilization_e4, 10_000);
}

#[test]
fn a_pool_of_single_addresses_gives_all_of_them() {
    for (cidr, count) in [
        ("10.50.1.0/29", 8),
        ("192.168.0.0/31", 2),
        ("10.0.0.9/32", 1),
        ("2001:db8::/126", 4),
    ] {
        let mut harness = Harness::new();
        harness.pool(root("p", cidr));
        let mut taken: Vec<String> = (0..count)
            .map(|number| harness.take(&format!("c{number}"), "p", ""))
            .collect();
        assert!(
            matches!(
                harness.refused(claim("more", "p", "")),
                Rejection::PoolExhausted { .. }
            ),
            "{cidr}"
        );
        harness.release("c0");
        assert_eq!(harness.take("more", "p", ""), taken[0]);
        taken.dedup();
        assert_eq!(taken.len(), count);
    }
}

#[test]
fn what_is_excluded_is_reserved_and_never_handed_out() {
    // CIDR, bounds, gateway, exclusions; the reservations with their reasons, the next free address.
    let single = (None, None, None);
    let table = [
        (
            "10.0.0.0/29",
            single,
            None,
            &[("10.0.0.0-10.0.0.2", "edge")][..],
            "10.0.0.0/31 edge|10.0.0.2/32 edge",
            "10.0.0.3/32",
        ),
        (
            "10.0.0.0/29",
            single,
            Some(Gateway::First),
            &[][..],
            "10.0.0.1/32 gateway",
            "10.0.0.0/32",
        ),
        (
            "10.0.0.0/29",
            single,
            Some(Gateway::Last),
            &[("10.0.0.0", "net")][..],
            "10.0.0.0/32 net|10.0.0.6/32 gateway",
            "10.0.0.1/32",
        ),
        // A gateway that is excluded already is not reserved twice.
        (
            "10.0.0.0/29",
            single,
            Some(Gateway::First),
            &[("10.0.0.0-10.0.0.1", "edge")][..],
            "10.0.0.0/31 edge",
            "10.0.0.2/32",
        ),
        // Blocks only: the gateway is not in a pool of single addresses.
        (
            "10.0.0.0/24",
            (None, Some(28), Some(28)),
            Some(Gateway::First),
            &[][..],
            "",
            "10.0.0.0/28",
        ),
        // Link-local: not in the pool.
        (
            "10.0.0.0/29",
            single,
            Some(Gateway::Address(address("169.254.1.1"))),
            &[][..],
            "",
            "10.0.0.0/32",
        ),
        (
            "fd20:a1b:2c3d:1::/64",
            (None, Some(96), Some(96)),
            None,
            &[("fd20:a1b:2c3d:1::-fd20:a1b:2c3d:1::ffff:ffff", "first")][..],
            "fd20:a1b:2c3d:1::/96 first",
            "fd20:a1b:2c3d:1:0:1::/96",
        ),
        (
            "10.128.0.0/20",
            single,
            None,
            &[
                ("10.128.0.0-10.128.0.1", "low"),
                ("10.128.15.254-10.128.15.255", "high"),
            ][..],
            "10.128.0.0/31 low|10.128.15.254/31 high",
            "10.128.0.2/32",
        ),
        (
            "::/0",
            single,
            None,
            &[
                ("::", "first"),
                ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "last"),
            ][..],
            "::/128 first|ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 last",
            "::1/128",
        ),
        // Overlapping runs are merged; the lower one keeps what both have.
        (
            "10.0.0.0/28",
            single,
            None,
            &[("10.0.0.4-10.0.0.9", "b"), ("10.0.0.0-10.0.0.5", "a")][..],
            "10.0.0.0/30 a|10.0.0.4/31 a|10.0.0.6/31 b|10.0.0.8/31 b",
            "10.0.0.10/32",
        ),
    ];
    for (cidr, (min, max, default), rule, runs, reservations, next) in table {
        let mut harness = Harness::new();
        let mut spec = exclude(bounds(root("p", cidr), min, max, default), runs);
        spec.gateway = rule;
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
        assert_eq!(found.join("|"), reservations, "{cidr}");
        let reserved = page.items.iter().fold(Count::ZERO, |sum, item| {
            sum.checked_add(item.cidr.size()).unwrap()
        });
        assert_eq!(view.capacity.reserved, reserved);
        assert_eq!(view.utilization_e4, 0, "reservations are no use");
        assert_eq!(harness.take("next", "p", ""), next, "{cidr}");
    }
}

#[test]
fn a_run_may_cross_from_one_cidr_into_the_next() {
    let mut harness = Harness::new();
    harness.pool(exclude(
        root("p", "10.0.0.0/24 10.0.1.0/24"),
        &[("10.0.0.254-10.0.1.1", "seam")],
    ));
    assert_eq!(harness.view("p").capacity.reserved, Count::new(4));
    assert_eq!(harness.take("c", "p", "10.0.1.2/32"), "10.0.1.2/32");
    let outside = exclude(
        root("q", "10.1.0.0/24 10.1.2.0/24"),
        &[("10.1.0.254-10.1.2.1", "gap")],
    );
    assert!(
        matches!(harness.refused(outside), Rejection::InvalidField(problems) if problems[0].field == "exclude[0]")
    );
}

#[test]
fn carving_and_claiming_share_one_space() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.204.0.0/24"));
    assert_eq!(
        harness.pool(child("kid", "p", "28")).cidrs[0].cidr,
        block("10.204.0.0/28")
    );
    assert_eq!(harness.take("c", "p", "32"), "10.204.0.16/32");

    let mut harness = Harness::new();
    harness.pool(root("p", "10.204.0.0/24"));
    assert_eq!(harness.take("c", "p", "32"), "10.204.0.0/32");
    assert_eq!(
        harness.pool(child("kid", "p", "28")).cidrs[0].cidr,
        block("10.204.0.16/28")
    );
}

#[test]
fn claims_give_back_exactly_what_they_took() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.128.0.0/20"));
    let before = harness.view("p").capacity;
    assert_eq!(harness.take("one", "p", "24"), "10.128.0.0/24");
    assert_eq!(harness.take("two", "p", "24"), "10.128.1.0/24");
    let available = harness.view("p").capacity.available;
    harness.release("one");
    assert_eq!(
        harness.view("p").capacity.available,
        available.checked_add(Count::new(256)).unwrap()
    );
    harness.release("two");
    assert_eq!(harness.view("p").capacity, before);
}
