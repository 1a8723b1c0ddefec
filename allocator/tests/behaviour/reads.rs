//! Lists, lookups, room and trees.

use allocator::State;
use allocator::answer::Rejection;
use allocator::count::Count;
use allocator::filter::{
    AllocationFilter, AllocationKey, ClaimFilter, LabelRequirement, LabelSelector, PoolFilter,
};
use allocator::name::Name;
use allocator::prefix::Family;
use allocator::view::{Page, Purpose};

use crate::support::{
    Harness, TENANT, address, batch, block, bounds, child, claim, create_claim, exclude, labels,
    name, owner, root, tenant,
};

fn names(claims: &Page<allocator::view::ClaimView, Name>) -> String {
    claims
        .items
        .iter()
        .map(|claim| claim.spec.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn stocked() -> Harness {
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
        let page = harness.state.pools_everywhere(after.as_ref(), 1);
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
    let page = harness.state.tenants(None, 1);
    assert_eq!(
        (page.items[0].spec.name.as_str(), page.next),
        ("acme", Some(name("acme")))
    );
    let page = harness.state.tenants(Some(&name("acme")), 1);
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
    assert_eq!(page.next.map(|key| key.cidr), Some(block("10.0.7.207/32")));
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
    let after = AllocationKey {
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
    let gone = AllocationKey {
        pool: name("l"),
        cidr: block("10.0.0.0/8"),
    };
    let page = harness
        .state
        .allocations(&name(TENANT), &AllocationFilter::default(), Some(&gone), 1)
        .unwrap();
    assert_eq!(page.items[0].pool, name("p"));
}

#[test]
fn a_lookup_names_the_pools_and_the_holder() {
    let harness = stocked();
    // What is asked; the pools, the allocation, the claim.
    let table = [
        ("10.0.0.130/32", "p kid", "10.0.0.128/28", "b"),
        ("10.0.0.128/29", "p kid", "10.0.0.128/28", "b"),
        ("10.0.0.128/25", "p kid", "", ""),
        ("10.0.0.250/32", "p kid", "", ""),
        ("10.0.0.1/32", "p", "10.0.0.1/32", "a"),
        ("10.0.0.0/32", "p", "10.0.0.0/32", ""),
        ("10.0.0.9/32", "p", "", ""),
        ("10.0.0.0/24", "p", "", ""),
        ("10.0.0.0/23", "", "", ""),
        ("192.0.2.1/32", "", "", ""),
        ("2001:db8::/128", "six", "2001:db8::/128", "c"),
    ];
    for (query, pools, allocation, held_by) in table {
        let view = harness
            .state
            .lookup(&name(TENANT), &name("default"), block(query))
            .unwrap();
        let found: Vec<&str> = view.pools.iter().map(|(_, pool)| pool.as_str()).collect();
        assert_eq!(found.join(" "), pools, "{query}");
        assert_eq!(
            view.allocation
                .map(|held| held.cidr.to_string())
                .unwrap_or_default(),
            allocation,
            "{query}"
        );
        assert_eq!(
            view.claim
                .map(|claim| claim.spec.name.to_string())
                .unwrap_or_default(),
            held_by,
            "{query}"
        );
    }
    assert!(
        harness
            .state
            .lookup(&name(TENANT), &name("blue"), block("10.0.0.1/32"))
            .unwrap()
            .pools
            .is_empty()
    );
    let exact = |cidr: &str| {
        harness
            .state
            .allocation(&name(TENANT), &name("default"), block(cidr))
    };
    assert_eq!(
        exact("10.0.0.128/25").unwrap().child,
        Some((name(TENANT), name("kid")))
    );
    assert_eq!(
        exact("10.0.0.1/32").unwrap().claim,
        Some((name(TENANT), name("a")))
    );
    for absent in ["10.0.0.129/32", "10.0.0.9/32", "192.0.2.0/24"] {
        assert!(
            matches!(exact(absent), Err(Rejection::AllocationNotFound { .. })),
            "{absent}"
        );
    }
}

#[test]
fn room_is_listed_largest_first_or_by_length() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24 10.0.2.0/25"));
    harness.take("c", "p", "10.0.0.0/28");
    let free = |state: &State, length, limit| {
        let blocks = state
            .free_blocks(&name(TENANT), &name("p"), length, limit)
            .unwrap();
        blocks
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let count =
        |state: &State, length| state.free_count(&name(TENANT), &name("p"), length).unwrap();
    assert_eq!(
        free(&harness.state, None, 100),
        "10.0.0.128/25 10.0.2.0/25 10.0.0.64/26 10.0.0.32/27 10.0.0.16/28"
    );
    assert_eq!(free(&harness.state, None, 2), "10.0.0.128/25 10.0.2.0/25");
    assert_eq!(count(&harness.state, None), Count::new(5));
    assert_eq!(
        free(&harness.state, Some(26), 100),
        "10.0.0.64/26 10.0.0.128/26 10.0.0.192/26 10.0.2.0/26 10.0.2.64/26"
    );
    assert_eq!(
        free(&harness.state, Some(32), 2),
        "10.0.0.16/32 10.0.0.17/32"
    );
    assert_eq!(count(&harness.state, Some(26)), Count::new(5));
    assert_eq!(count(&harness.state, Some(32)), Count::new(256 - 16 + 128));
    assert_eq!(
        (
            free(&harness.state, Some(23), 9).as_str(),
            count(&harness.state, Some(23))
        ),
        ("", Count::ZERO)
    );
    assert_eq!(
        (
            free(&harness.state, Some(40), 9).as_str(),
            free(&harness.state, None, 0).as_str()
        ),
        ("", "")
    );
    harness.pool(root("all", "::/0"));
    let all = harness
        .state
        .free_blocks(&name(TENANT), &name("all"), Some(128), 2)
        .unwrap();
    assert_eq!(all, [block("::/128"), block("::1/128")]);
    assert_eq!(
        harness
            .state
            .free_count(&name(TENANT), &name("all"), Some(128)),
        Ok(Count::MAX)
    );
}

#[test]
fn a_tree_shows_what_is_really_held() {
    let mut harness = Harness::new();
    harness.pool(bounds(root("env", "10.0.0.0/16"), Some(17), Some(24), None));
    harness.pool(child("b", "env", "10.0.128.0/17"));
    harness.pool(child("a", "env", "10.0.0.0/18"));
    harness.pool(child("a1", "a", "24"));
    harness.take("c", "a1", "28");
    harness.take("d", "a", "30");
    let tree = harness.state.tree(&name(TENANT), &name("env")).unwrap();
    let held: Vec<(&str, u128)> = tree
        .children
        .iter()
        .map(|node| (node.name.as_str(), node.held_below.as_u128().unwrap()))
        .collect();
    assert_eq!(held, [("a", 20), ("b", 0)]);
    assert_eq!(tree.held_below, Count::new(20));
    assert_eq!(tree.children[0].children[0].name, name("a1"));
    assert_eq!(tree.utilization_e4, 7_500);
    harness.release("c");
    assert_eq!(
        harness
            .state
            .tree(&name(TENANT), &name("env"))
            .unwrap()
            .held_below,
        Count::new(4)
    );
}

#[test]
fn a_tree_has_at_most_a_thousand_pools() {
    let mut harness = Harness::new();
    harness.pool(root("top", "10.0.0.0/16"));
    for number in 0..1_005 {
        harness.state.command_apply(&crate::support::envelope(child(
            &format!("kid{number}"),
            "top",
            "28",
        )));
    }
    harness.state.audit().unwrap();
    let tree = harness.state.tree(&name(TENANT), &name("top")).unwrap();
    assert_eq!((tree.children.len(), tree.children_total), (999, 1_005));
    assert_eq!(tree.children[998].cidrs, [block("10.0.62.96/28")]);
}

#[test]
fn what_is_not_there_is_told() {
    let harness = stocked();
    let state = &harness.state;
    let pool = Rejection::PoolNotFound {
        tenant: name(TENANT),
        pool: name("x"),
    };
    assert_eq!(state.pool(&name(TENANT), &name("x")), Err(pool.clone()));
    assert_eq!(state.tree(&name(TENANT), &name("x")), Err(pool.clone()));
    assert_eq!(state.free_count(&name(TENANT), &name("x"), None), Err(pool));
    let tenant = Rejection::TenantNotFound { tenant: name("x") };
    assert_eq!(state.tenant(&name("x")), Err(tenant.clone()));
    assert_eq!(state.pool(&name("x"), &name("p")), Err(tenant.clone()));
    assert_eq!(state.claim(&name("x"), &name("a")), Err(tenant));
    let absent = state.claim(&name(TENANT), &name("x"));
    assert!(matches!(
        absent,
        Err(Rejection::ClaimNotFound { ended: None, .. })
    ));
}
