//! Lists: filters, order, pages.

use allocator::answer::Rejection;
use allocator::filter::{
    AllocationFilter, AllocationKey, ClaimFilter, LabelRequirement, LabelSelector, PoolFilter,
    TenantFilter,
};
use allocator::name::Name;
use allocator::prefix::Family;
use allocator::view::{Page, Purpose};

use crate::support::{
    Harness, TENANT, address, batch, block, child, claim, create_claim, exclude, labels, name,
    owner, root, tenant,
};

fn names(claims: &Page<allocator::view::ClaimView, Name>) -> String {
    claims
        .items
        .iter()
        .map(|claim| claim.spec.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn stocked() -> Harness {
    let mut harness = Harness::new();
    harness.pool(exclude(root("p", "10.0.0.0/24"), &[("10.0.0.0", "net")]));
    harness.pool(root("six", "2001:db8::/64"));
    let mut kid = child("kid", "p", "10.0.0.128/25");
    kid.owner = Some(owner("node-1"));
    kid.labels = labels(&[("tier", "node")]);
    harness.pool(kid);
    for (text, pool, wanted, held_by, zone) in [
        ("a", "p", "", "node-1/eth0", "x"),
        ("b", "kid", "28", "node-1/eth1", "y"),
        ("c", "six", "", "node-10/eth0", "x"),
        ("d", "kid", "", "", ""),
    ] {
        let mut spec = claim(text, pool, wanted);
        spec.owner = (!held_by.is_empty()).then(|| owner(held_by));
        spec.labels = if zone.is_empty() {
            labels(&[])
        } else {
            labels(&[("zone", zone)])
        };
        harness.claim(spec);
    }
    harness
}

#[test]
fn claims_are_listed_by_name_and_filtered() {
    let harness = stocked();
    let requirement = |requirement| LabelSelector {
        requirements: vec![requirement],
    };
    let none = ClaimFilter::default;
    let table = [
        (none(), "a b c d"),
        (
            ClaimFilter {
                pool: Some(name("kid")),
                ..none()
            },
            "b d",
        ),
        (
            ClaimFilter {
                pool: Some(name("nothing")),
                ..none()
            },
            "",
        ),
        (
            ClaimFilter {
                space: Some(name("default")),
                ..none()
            },
            "a b c d",
        ),
        (
            ClaimFilter {
                space: Some(name("blue")),
                ..none()
            },
            "",
        ),
        (
            ClaimFilter {
                family: Some(Family::IPv6),
                ..none()
            },
            "c",
        ),
        (
            ClaimFilter {
                phase: Some(allocator::view::Phase::InUse),
                ..none()
            },
            "",
        ),
        (
            ClaimFilter {
                owner: Some(owner("node-1")),
                ..none()
            },
            "",
        ),
        (
            ClaimFilter {
                owner: Some(owner("node-1/eth1")),
                ..none()
            },
            "b",
        ),
        (
            ClaimFilter {
                owner_prefix: Some(owner("node-1")),
                ..none()
            },
            "a b",
        ),
        (
            ClaimFilter {
                within: Some(block("10.0.0.128/25")),
                ..none()
            },
            "b d",
        ),
        (
            ClaimFilter {
                contains: Some(address("10.0.0.130")),
                ..none()
            },
            "b",
        ),
        (
            ClaimFilter {
                allocated_before_ms: Some(0),
                ..none()
            },
            "",
        ),
        (
            ClaimFilter {
                labels: requirement(LabelRequirement::In(
                    Box::from("zone"),
                    vec![Box::from("x")],
                )),
                ..none()
            },
            "a c",
        ),
        (
            ClaimFilter {
                labels: requirement(LabelRequirement::NotIn(
                    Box::from("zone"),
                    vec![Box::from("x")],
                )),
                ..none()
            },
            "b d",
        ),
        (
            ClaimFilter {
                labels: requirement(LabelRequirement::Exists(Box::from("zone"))),
                ..none()
            },
            "a b c",
        ),
        (
            ClaimFilter {
                labels: requirement(LabelRequirement::Absent(Box::from("zone"))),
                ..none()
            },
            "d",
        ),
    ];
    for (filter, expected) in table {
        let page = harness
            .state
            .claims(&name(TENANT), &filter, None, 100)
            .unwrap();
        assert_eq!(names(&page), expected, "{filter:?}");
        assert_eq!(page.next, None);
    }
    let nobody = harness.state.claims(&name("nobody"), &none(), None, 1);
    assert_eq!(
        nobody,
        Err(Rejection::TenantNotFound {
            tenant: name("nobody")
        })
    );
}

#[test]
fn pools_are_listed_by_name_and_filtered() {
    let mut harness = stocked();
    let none = PoolFilter::default;
    let table = [
        (none(), "kid p six"),
        (
            PoolFilter {
                parent: Some(name("p")),
                ..none()
            },
            "kid",
        ),
        (
            PoolFilter {
                family: Some(Family::IPv4),
                ..none()
            },
            "kid p",
        ),
        (
            PoolFilter {
                owner_prefix: Some(owner("node-1")),
                ..none()
            },
            "kid",
        ),
        (
            PoolFilter {
                owner: Some(owner("node")),
                ..none()
            },
            "",
        ),
        (
            PoolFilter {
                within: Some(block("10.0.0.0/24")),
                ..none()
            },
            "kid p",
        ),
        (
            PoolFilter {
                contains: Some(address("10.0.0.200")),
                ..none()
            },
            "kid p",
        ),
        (
            PoolFilter {
                space: Some(name("blue")),
                ..none()
            },
            "",
        ),
        (
            PoolFilter {
                labels: LabelSelector {
                    requirements: vec![LabelRequirement::Exists(Box::from("tier"))],
                },
                ..none()
            },
            "kid",
        ),
    ];
    for (filter, expected) in table {
        let page = harness
            .state
            .pools(&name(TENANT), &filter, None, 100)
            .unwrap();
        let found: Vec<&str> = page
            .items
            .iter()
            .map(|pool| pool.spec.name.as_str())
            .collect();
        assert_eq!(found.join(" "), expected, "{filter:?}");
    }
    harness.ok(tenant("zoo"));
    let mut spec = root("animals", "10.0.0.0/24");
    spec.tenant = name("zoo");
    harness.pool(spec);
    let mut after = None;
    let mut found = Vec::new();
    loop {
        let filter = PoolFilter::default();
        let page = harness.state.pools_everywhere(&filter, after.as_ref(), 1);
        found.extend(
            page.items
                .iter()
                .map(|pool| format!("{}/{}", pool.spec.tenant, pool.spec.name)),
        );
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, ["acme/kid", "acme/p", "acme/six", "zoo/animals"]);
    let page = harness.state.tenants(&TenantFilter::default(), None, 1);
    assert_eq!(
        (page.items[0].spec.name.as_str(), page.next),
        ("acme", Some(name("acme")))
    );
    let page = harness
        .state
        .tenants(&TenantFilter::default(), Some(&name("acme")), 1);
    assert_eq!((page.items[0].spec.name.as_str(), page.next), ("zoo", None));
    assert_eq!(harness.state.tenant(&name("acme")).unwrap().usage.claims, 4);
}

#[test]
fn allocations_are_listed_by_pool_and_address_and_filtered() {
    let harness = stocked();
    let none = AllocationFilter::default;
    let all = "10.0.0.128/28 10.0.0.144/32 10.0.0.0/32 10.0.0.1/32 10.0.0.128/25 2001:db8::/128";
    let table = [
        (none(), all),
        (
            AllocationFilter {
                pool: Some(name("kid")),
                ..none()
            },
            "10.0.0.128/28 10.0.0.144/32",
        ),
        (
            AllocationFilter {
                purpose: Some(Purpose::Reservation),
                ..none()
            },
            "10.0.0.0/32",
        ),
        (
            AllocationFilter {
                purpose: Some(Purpose::Child),
                ..none()
            },
            "10.0.0.128/25",
        ),
        (
            AllocationFilter {
                family: Some(Family::IPv6),
                ..none()
            },
            "2001:db8::/128",
        ),
        (
            AllocationFilter {
                owner: Some(owner("node-1")),
                ..none()
            },
            "10.0.0.128/25",
        ),
        (
            AllocationFilter {
                owner_prefix: Some(owner("node-1")),
                ..none()
            },
            "10.0.0.128/28 10.0.0.1/32 10.0.0.128/25",
        ),
        (
            AllocationFilter {
                within: Some(block("10.0.0.144/28")),
                ..none()
            },
            "10.0.0.144/32",
        ),
        (
            AllocationFilter {
                contains: Some(address("10.0.0.130")),
                ..none()
            },
            "10.0.0.128/28 10.0.0.128/25",
        ),
        (
            AllocationFilter {
                space: Some(name("blue")),
                ..none()
            },
            "",
        ),
        (
            AllocationFilter {
                allocated_before_ms: Some(0),
                ..none()
            },
            "",
        ),
        (
            AllocationFilter {
                labels: LabelSelector {
                    requirements: vec![LabelRequirement::Exists(Box::from("tier"))],
                },
                ..none()
            },
            "10.0.0.128/25",
        ),
    ];
    for (filter, expected) in table {
        for limit in [1, 2, 100] {
            let mut found: Vec<String> = Vec::new();
            let mut after: Option<AllocationKey> = None;
            loop {
                let page = harness
                    .state
                    .allocations(&name(TENANT), &filter, after.as_ref(), limit)
                    .unwrap();
                found.extend(page.items.iter().map(|item| item.cidr.to_string()));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found.join(" "), expected, "{filter:?}");
        }
    }
}

#[test]
fn a_list_examines_a_bounded_number_of_rows_and_goes_on_after_its_last_key() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    for thousand in 0..5 {
        let operations = (0..1_000)
            .map(|number| create_claim(&format!("c{thousand}-{number:03}"), "p", ""))
            .collect();
        harness.ok(batch(true, operations));
    }
    let last = ClaimFilter {
        contains: Some(address("10.0.19.135")),
        ..ClaimFilter::default()
    };
    let first = harness
        .state
        .claims(&name(TENANT), &last, None, 10)
        .unwrap();
    assert_eq!(
        (first.items.len(), first.next.as_ref().map(Name::as_str)),
        (0, Some("c1-999"))
    );
    let second = harness
        .state
        .claims(&name(TENANT), &last, first.next.as_ref(), 10)
        .unwrap();
    assert_eq!(
        (second.items.len(), second.next.as_ref().map(Name::as_str)),
        (0, Some("c3-999"))
    );
    let third = harness
        .state
        .claims(&name(TENANT), &last, second.next.as_ref(), 10)
        .unwrap();
    assert_eq!((names(&third).as_str(), third.next), ("c4-999", None));
    let all = harness
        .state
        .claims(&name(TENANT), &ClaimFilter::default(), None, usize::MAX)
        .unwrap();
    assert_eq!(all.items.len(), 2_000);
    let held = AllocationFilter {
        contains: Some(address("10.0.19.135")),
        ..AllocationFilter::default()
    };
    let page = harness
        .state
        .allocations(&name(TENANT), &held, None, 10)
        .unwrap();
    assert!(matches!(
        page.next,
        Some(AllocationKey::Own { cidr, .. }) if cidr == block("10.0.7.207/32")
    ));
}

#[test]
fn a_list_goes_on_where_its_key_is_gone() {
    let mut harness = stocked();
    harness.release("b");
    let page = harness
        .state
        .claims(
            &name(TENANT),
            &ClaimFilter::default(),
            Some(&name("b")),
            100,
        )
        .unwrap();
    assert_eq!(names(&page), "c d");
    // The block of the key is held in parts now: those that begin with it come again.
    harness.take("part", "kid", "10.0.0.128/32");
    let after = AllocationKey::Own {
        pool: name("kid"),
        cidr: block("10.0.0.128/28"),
    };
    let page = harness
        .state
        .allocations(&name(TENANT), &AllocationFilter::default(), Some(&after), 2)
        .unwrap();
    let found: Vec<String> = page
        .items
        .iter()
        .map(|item| item.cidr.to_string())
        .collect();
    assert_eq!(found, ["10.0.0.128/32", "10.0.0.144/32"]);
    let gone = AllocationKey::Own {
        pool: name("l"),
        cidr: block("10.0.0.0/8"),
    };
    let page = harness
        .state
        .allocations(&name(TENANT), &AllocationFilter::default(), Some(&gone), 1)
        .unwrap();
    assert_eq!(page.items[0].pool, name("p"));
}
