//! Lookups, room and trees.

use allocator::State;
use allocator::answer::Rejection;
use allocator::count::Count;

use crate::lists::stocked;
use crate::support::{Harness, TENANT, block, bounds, child, name, root};

#[test]
fn a_lookup_names_the_pools_and_the_holder() {
    let harness = stocked();
    // What is asked; the pools, the allocation, the claim or "in part".
    let table = [
        ("10.0.0.130/32", "p kid", "10.0.0.128/28", "b"),
        ("10.0.0.128/29", "p kid", "10.0.0.128/28", "b"),
        ("10.0.0.128/25", "p kid", "10.0.0.128/25", ""),
        ("10.0.0.250/32", "p kid", "", ""),
        ("10.0.0.1/32", "p", "10.0.0.1/32", "a"),
        ("10.0.0.0/32", "p", "10.0.0.0/32", ""),
        ("10.0.0.9/32", "p", "", ""),
        ("10.0.0.0/24", "p", "", "in part"),
        ("10.0.0.0/23", "", "", "in part"),
        ("10.0.0.2/31", "p", "", ""),
        ("192.0.2.1/32", "", "", ""),
        ("192.0.2.0/24", "", "", ""),
        ("::/0", "", "", "in part"),
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
        let claim = view.claim.map(|claim| claim.spec.name.to_string());
        let in_part = view.held_in_part.then(|| "in part".to_owned());
        assert_eq!(claim.or(in_part).unwrap_or_default(), held_by, "{query}");
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
    // No IPv4 block is that long.
    assert_eq!(
        (
            free(&harness.state, Some(33), 9).as_str(),
            count(&harness.state, Some(33))
        ),
        ("", Count::ZERO)
    );
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
