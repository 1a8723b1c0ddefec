//! Pools that other tenants may use: who may, whose the blocks are, and who sees what of them.

use std::collections::BTreeSet;

use allocator::answer::{Outcome, Rejection};
use allocator::command::{
    ClaimRelease, ClaimSpec, Command, PoolRef, PoolSource, PoolSpec, Quota, Sharing,
};
use allocator::edit::PoolChange;
use allocator::filter::AllocationFilter;
use allocator::life::PoolLife;
use allocator::name::Name;
use allocator::view::{ClaimView, Purpose, TreeNode};

use crate::support::{Harness, TENANT, block, bounds, child, living, name, release, root, tenant};

fn with(tenants: &[&str]) -> Sharing {
    Sharing::with(
        tenants
            .iter()
            .map(|text| name(text))
            .collect::<BTreeSet<Name>>(),
    )
}

/// Tenants `t` (the harness has it), `b` and `c`; pool `p` of `t`, shared with `b`.
fn harness(cidr: &str) -> Harness {
    let mut harness = Harness::new();
    for text in ["b", "c"] {
        harness.ok(Command::TenantCreate(Box::new(tenant(text))));
    }
    let mut spec = bounds(root("p", cidr), None, None, Some(32));
    spec.shared_with = with(&["b"]);
    harness.pool(spec);
    harness
}

fn shared() -> PoolRef {
    PoolRef {
        tenant: Some(name(TENANT)),
        name: name("p"),
    }
}

fn of(holder: &str, text: &str) -> ClaimSpec {
    ClaimSpec::new(name(holder), name(text), shared())
}

fn taken(harness: &mut Harness, holder: &str, text: &str) -> ClaimView {
    harness.claim(of(holder, text))
}

fn child_of(holder: &str, text: &str, length: u8) -> PoolSpec {
    PoolSpec::new(
        name(holder),
        name(text),
        PoolSource::Child {
            parent: shared(),
            block: allocator::command::ChildBlock::Length(length),
        },
    )
}

#[test]
fn a_pool_is_used_by_those_that_it_is_shared_with_and_hidden_from_the_rest() {
    let mut harness = harness("10.0.0.0/28");
    let view = taken(&mut harness, "b", "one");
    assert_eq!(
        (view.block, &view.pool_tenant, &view.spec.tenant),
        (block("10.0.0.0/32"), &name(TENANT), &name("b"))
    );
    for hidden in [
        of("c", "one"),
        ClaimSpec::new(
            name("c"),
            name("one"),
            PoolRef {
                tenant: Some(name("nobody")),
                name: name("p"),
            },
        ),
    ] {
        assert!(matches!(
            harness.refused(hidden),
            Rejection::PoolNotFound { .. }
        ));
    }
    assert!(matches!(
        harness.refused(child_of("c", "own", 30)),
        Rejection::PoolNotFound { .. }
    ));
    harness.edit("p", vec![PoolChange::SharedWith(Sharing::Everyone)]);
    taken(&mut harness, "c", "one");
}

#[test]
fn whoever_is_no_longer_on_the_list_keeps_what_it_has() {
    let mut harness = harness("10.0.0.0/28");
    taken(&mut harness, "b", "one");
    harness.edit("p", vec![PoolChange::SharedWith(Sharing::Private)]);
    assert!(matches!(
        harness.refused(of("b", "two")),
        Rejection::PoolNotFound { .. }
    ));
    // A repeat takes nothing.
    assert!(matches!(
        harness.ok(of("b", "one")),
        Outcome::ClaimRepeated(_)
    ));
    let release = ClaimRelease {
        tenant: name("b"),
        name: name("one"),
        generation: None,
    };
    assert!(matches!(
        harness.ok(Command::ClaimRelease(release)),
        Outcome::ClaimReleased(_)
    ));
}

#[test]
fn equal_names_of_two_tenants_are_two_claims_and_two_holders() {
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    let mut harness = Harness::new();
    harness.ok(Command::TenantCreate(Box::new(tenant("b"))));
    let mut spec = living(root("p", "10.0.0.0/30"), life);
    spec.shared_with = Sharing::Everyone;
    harness.pool(spec);
    let own = harness.take("same", "p", "32");
    let foreign = taken(&mut harness, "b", "same").block.to_string();
    assert_ne!(own, foreign);
    harness.release("same");
    harness.ok(Command::ClaimRelease(ClaimRelease {
        tenant: name("b"),
        name: name("same"),
        generation: None,
    }));
    // Each gets its own back.
    assert_eq!(taken(&mut harness, "b", "same").block.to_string(), foreign);
    assert_eq!(harness.take("same", "p", "32"), own);
}

#[test]
fn what_is_taken_counts_against_the_quota_of_the_tenant_that_holds_it() {
    let mut harness = Harness::new();
    let mut spec = tenant("b");
    spec.quota = Quota {
        claims: Some(1),
        pools: Some(1),
        ..Quota::default()
    };
    harness.ok(Command::TenantCreate(Box::new(spec)));
    let mut pool = root("p", "10.0.0.0/24");
    pool.shared_with = Sharing::Everyone;
    harness.pool(pool);
    taken(&mut harness, "b", "one");
    assert!(matches!(
        harness.refused(of("b", "two")),
        Rejection::QuotaExceeded { .. }
    ));
    harness.ok(Command::PoolCreate(Box::new(child_of("b", "own", 28))));
    assert!(matches!(
        harness.refused(child_of("b", "second", 28)),
        Rejection::QuotaExceeded { .. }
    ));
    let usage = |text: &str| harness.state.tenant(&name(text)).unwrap().usage;
    assert_eq!((usage("b").claims, usage("b").pools), (1, 1));
    assert_eq!((usage(TENANT).claims, usage(TENANT).pools), (0, 1));
    // Neither tenant goes while this is held.
    assert!(matches!(
        harness.refused(Command::TenantDelete { tenant: name("b") }),
        Rejection::TenantInUse { .. }
    ));
}

#[test]
fn both_tenants_find_what_one_holds_of_the_other() {
    let mut harness = harness("10.0.0.0/24");
    harness.take("mine", "p", "32");
    taken(&mut harness, "b", "one");
    harness.ok(Command::PoolCreate(Box::new(child_of("b", "own", 28))));
    let inside = ClaimSpec::new(
        name("b"),
        name("deep"),
        PoolRef {
            tenant: None,
            name: name("own"),
        },
    );
    let mut inside = inside;
    inside.prefix_length = Some(32);
    harness.claim(inside);

    let space = name("default");
    let found = |holder: &str, cidr: &str| {
        let view = harness
            .state
            .lookup(&name(holder), &space, block(cidr))
            .unwrap();
        let pools: Vec<String> = view
            .pools
            .iter()
            .map(|(tenant, pool)| format!("{tenant}/{pool}"))
            .collect();
        let claim = view
            .claim
            .map_or_else(String::new, |claim| claim.spec.name.to_string());
        format!("{} {claim}", pools.join(" > "))
    };
    let of_t = format!("{TENANT}/p");
    let table = [
        (TENANT, "10.0.0.0/32", format!("{of_t} mine")),
        (TENANT, "10.0.0.1/32", format!("{of_t} one")),
        // What is in another tenant's pool is its own affair.
        (TENANT, "10.0.0.16/32", format!("{of_t} ")),
        ("b", "10.0.0.0/32", String::from(" ")),
        ("b", "10.0.0.1/32", format!("{of_t} one")),
        ("b", "10.0.0.16/32", format!("{of_t} > b/own deep")),
        ("b", "10.0.0.16/28", format!("{of_t} > b/own ")),
        ("b", "10.0.0.17/32", format!("{of_t} > b/own ")),
        ("c", "10.0.0.1/32", String::from(" ")),
    ];
    for (holder, cidr, expected) in table {
        assert_eq!(found(holder, cidr), expected, "{cidr} for {holder}");
    }
    let listed = |holder: &str, limit: usize| {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = harness
                .state
                .allocations(
                    &name(holder),
                    &AllocationFilter::default(),
                    after.as_ref(),
                    limit,
                )
                .unwrap();
            all.extend(
                page.items
                    .iter()
                    .map(|item| (item.cidr.to_string(), item.purpose)),
            );
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    };
    let held = |cidr: &str, purpose: Purpose| (cidr.to_string(), purpose);
    for limit in [1, 2, 100] {
        assert_eq!(
            listed("b", limit),
            [
                held("10.0.0.16/32", Purpose::Claim),
                held("10.0.0.1/32", Purpose::Claim),
                held("10.0.0.16/28", Purpose::Child),
            ],
            "its own pools first"
        );
        assert_eq!(
            listed(TENANT, limit),
            [
                held("10.0.0.0/32", Purpose::Claim),
                held("10.0.0.1/32", Purpose::Claim),
                held("10.0.0.16/28", Purpose::Child),
            ]
        );
        assert!(listed("c", limit).is_empty());
    }
}

#[test]
fn a_pool_of_which_another_tenant_holds_something_is_not_deleted() {
    let mut harness = harness("10.0.0.0/28");
    taken(&mut harness, "b", "one");
    let delete = crate::support::pool_delete("p");
    assert!(matches!(
        harness.refused(delete.clone()),
        Rejection::PoolInUse { claims: 1, .. }
    ));
    harness.ok(Command::ClaimRelease(ClaimRelease {
        tenant: name("b"),
        name: name("one"),
        generation: None,
    }));
    harness.ok(delete);
}

#[test]
fn an_atomic_batch_that_is_undone_leaves_nothing_of_another_tenants_pool() {
    let mut harness = harness("10.0.0.0/31");
    let operations = ["one", "two", "three"]
        .map(|text| allocator::command::Operation::CreateClaim(Box::new(of("b", text))));
    harness.refused(Command::Batch {
        tenant: name("b"),
        atomic: true,
        operations: operations.to_vec(),
    });
    let page = harness
        .state
        .allocations(&name("b"), &AllocationFilter::default(), None, 10)
        .unwrap();
    assert!(page.items.is_empty());
}

#[test]
fn owners_and_labels_of_another_tenant_lead_to_nothing() {
    let mut harness = harness("10.0.0.0/28");
    let mut spec = of("b", "one");
    spec.owner = Some(crate::support::owner("node-1/eth0"));
    spec.labels = crate::support::labels(&[("app", "web")]);
    harness.claim(spec);
    let by_owner = AllocationFilter {
        owner: Some(crate::support::owner("node-1/eth0")),
        ..AllocationFilter::default()
    };
    let by_prefix = AllocationFilter {
        owner_prefix: Some(crate::support::owner("node-1")),
        ..AllocationFilter::default()
    };
    let mut by_label = AllocationFilter::default();
    by_label
        .labels
        .requirements
        .push(allocator::filter::LabelRequirement::Exists("app".into()));
    for filter in [by_owner, by_prefix, by_label] {
        let found = |tenant: &str| {
            let page = harness
                .state
                .allocations(&name(tenant), &filter, None, 10)
                .unwrap();
            page.items.len()
        };
        assert_eq!((found("b"), found(TENANT)), (1, 0), "{filter:?}");
    }
}

#[test]
fn the_past_of_a_shared_pool_is_known_to_both_and_told_by_name_to_its_holder() {
    use allocator::history::{HistoryFilter, Moment};

    let mut harness = harness("10.0.0.0/28");
    let given = taken(&mut harness, "b", "one").revision;
    taken(&mut harness, "b", "two");
    harness.ok(Command::ClaimRelease(ClaimRelease {
        tenant: name("b"),
        name: name("one"),
        generation: None,
    }));
    let space = name("default");
    let then = |tenant: &str, revision| {
        let moment = Moment::Revision(revision);
        let past = harness
            .state
            .lookup_at(&name(tenant), &space, block("10.0.0.0/32"), moment)
            .unwrap();
        past.lookup.claim.map(|claim| claim.spec.name)
    };
    assert_eq!(then("b", given), Some(name("one")));
    assert_eq!(then(TENANT, given), Some(name("one")));
    assert_eq!(then("c", given), None);
    assert_eq!(then("b", given - 1), None);

    let listed = |tenant: &str, claim: Option<&str>, limit: usize| {
        let filter = HistoryFilter {
            tenant: Some(name(tenant)),
            claim: claim.map(name),
            ..HistoryFilter::default()
        };
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = harness.state.history(&filter, after.as_ref(), limit);
            all.extend(page.items.into_iter().map(|item| item.holder.1.to_string()));
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    };
    for limit in [1, 100] {
        assert_eq!(listed("b", None, limit), ["one", "two"]);
        assert_eq!(listed(TENANT, None, limit), ["one", "two"]);
        assert_eq!(listed("b", Some("one"), limit), ["one"]);
        // Another tenant's names lead to nothing.
        assert!(listed(TENANT, Some("one"), limit).is_empty());
        assert!(listed(TENANT, Some("two"), limit).is_empty());
        assert!(listed("c", None, limit).is_empty());
    }
}

#[test]
fn what_another_tenants_pool_withholds_is_not_for_a_guest_to_say() {
    let mut harness = harness("10.0.0.0/24");
    let mut spec = of("b", "all");
    spec.reservation = true;
    spec.prefix_length = Some(24);
    assert!(matches!(
        harness.refused(spec),
        Rejection::InvalidField(fields) if fields[0].field == "purpose"
    ));
    let mut own = of(TENANT, "own");
    own.reservation = true;
    harness.claim(own);
}

#[test]
fn a_root_of_its_own_does_not_hide_what_a_tenant_holds_elsewhere() {
    use allocator::owners::{HoldingRef, OwnerHoldings, OwnerRelease};

    let mut harness = harness("10.0.0.0/24");
    let mut own = root("wide", "10.0.0.0/8");
    own.tenant = name("b");
    harness.pool(own);
    harness.ok(Command::PoolCreate(Box::new(child_of("b", "kid", 28))));
    let mut deep = ClaimSpec::new(
        name("b"),
        name("deep"),
        PoolRef {
            tenant: None,
            name: name("kid"),
        },
    );
    deep.prefix_length = Some(32);
    let held = harness.claim(deep);
    let space = name("default");
    let shown = harness
        .state
        .allocation(&name("b"), &space, held.block)
        .unwrap();
    assert_eq!(shown.generation, held.generation);
    let listed = OwnerHoldings::Listed(vec![HoldingRef {
        tenant: None,
        space,
        cidr: held.block,
        generation: held.generation,
    }]);
    match harness.ok(Command::OwnerRelease(Box::new(OwnerRelease {
        tenant: name("b"),
        what: listed,
    }))) {
        Outcome::OwnerReleased(released) => assert_eq!(released.released, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tree_ends_where_another_tenants_pool_begins() {
    let mut harness = harness("10.0.0.0/24");
    harness.pool(child("own", "p", "26"));
    harness.pool(child("inner", "own", "27"));
    harness.ok(Command::PoolCreate(Box::new(child_of("b", "kid", 28))));
    let mut grandchild = child("grandchild", "kid", "29");
    grandchild.tenant = name("b");
    harness.pool(grandchild);
    let lines = |top: &TreeNode| {
        let mut open = vec![top];
        let mut lines = Vec::new();
        while let Some(node) = open.pop() {
            lines.push(format!("{} {}", node.name, node.children_total));
            open.extend(node.children.iter().rev());
        }
        lines.join(", ")
    };
    let tree = harness.state.tree(&name(TENANT), &name("p")).unwrap();
    assert_eq!(lines(&tree), "p 2, own 1, inner 0, kid 1");
    let of_holder = harness.state.tree(&name("b"), &name("kid")).unwrap();
    assert_eq!(lines(&of_holder), "kid 1, grandchild 0");
}

#[test]
fn a_block_in_which_a_tenant_holds_something_of_another_is_held_in_part() {
    let mut harness = harness("10.0.0.0/24");
    let before = harness.state.revision();
    taken(&mut harness, "b", "c");
    let held = harness.state.revision();
    let query = block("10.0.0.0/16");
    let space = name("default");
    let lookup = harness.state.lookup(&name("b"), &space, query).unwrap();
    assert!(lookup.held_in_part && lookup.pools.is_empty());
    for ended in [false, true] {
        if ended {
            let mut release = release("c", None);
            release.tenant = name("b");
            harness.ok(Command::ClaimRelease(release));
        }
        for (revision, expected) in [(before, false), (held, true)] {
            let moment = allocator::history::Moment::Revision(revision);
            let past = harness.state.lookup_at(&name("b"), &space, query, moment);
            assert_eq!(past.unwrap().lookup.held_in_part, expected, "{ended}");
        }
    }
    let lookup = harness.state.lookup(&name("c"), &space, query).unwrap();
    assert!(!lookup.held_in_part);
}
