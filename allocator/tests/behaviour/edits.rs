//! Edits of pools, tenants and claims: what changes, and that nobody is renumbered.

use allocator::answer::{Outcome, Rejection};
use allocator::command::{Command, Gateway, Strategy};
use allocator::count::Count;
use allocator::edit::{ClaimChange, ClaimEdit, LabelsChange, PoolChange, TenantChange, TenantEdit};
use allocator::filter::AllocationFilter;
use allocator::prefix::Family;
use allocator::view::{EventKind, Purpose};

use crate::support::{
    Harness, TENANT, bounds, child, cidrs, claim, exclusions, labels, name, owner, pool_delete,
    pool_edit, root,
};

/// What the pool withholds, by address.
fn withheld(harness: &Harness, pool: &str) -> String {
    let filter = AllocationFilter {
        purpose: Some(Purpose::Reservation),
        pool: Some(name(pool)),
        ..AllocationFilter::default()
    };
    let page = harness
        .state
        .allocations(&name(TENANT), &filter, None, 1_000)
        .unwrap();
    let blocks: Vec<String> = page
        .items
        .iter()
        .map(|item| item.cidr.to_string())
        .collect();
    blocks.join(" ")
}

#[test]
fn a_pool_grows_and_shrinks_by_cidr() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/30"));
    for number in 0..4 {
        harness.take(&format!("c{number}"), "p", "");
    }
    harness.refused(claim("more", "p", ""));
    let before = harness.view("p");
    assert!(before.exhausted_since_ms.is_some());
    let grown = harness.edit("p", vec![cidrs("10.0.0.0/30 10.0.1.0/30")]);
    assert!(grown.exhausted_since_ms.is_none());
    assert_eq!(
        (grown.capacity.total, grown.capacity.available),
        (Count::new(8), Count::new(4))
    );
    assert!(grown.revision > before.revision && grown.content_revision == grown.revision);
    assert_eq!(harness.take("more", "p", ""), "10.0.1.0/32");
    // Nobody was renumbered.
    assert_eq!(
        harness
            .state
            .claim(&name(TENANT), &name("c3"))
            .unwrap()
            .block
            .to_string(),
        "10.0.0.3/32"
    );
    // A block that holds something stays; one that is empty goes, and can be another's.
    let refused = harness.refused(pool_edit("p", vec![cidrs("10.0.0.0/30")]));
    let Rejection::CidrInUse { cidr, holders, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (cidr.to_string(), holders.len()),
        (String::from("10.0.1.0/30"), 1)
    );
    assert_eq!(holders[0].claim, Some((name(TENANT), name("more"))));
    harness.release("more");
    harness.edit("p", vec![cidrs("10.0.0.0/30")]);
    harness.refused(claim("more", "p", ""));
    harness.pool(root("q", "10.0.1.0/24"));
    // And comes back, in any order.
    harness.ok(pool_delete("q"));
    harness.edit("p", vec![cidrs("10.0.1.0/30 10.0.0.0/30")]);
    assert_eq!(harness.take("more", "p", ""), "10.0.1.0/32");
}

#[test]
fn what_a_pool_withholds_goes_with_its_blocks_and_comes_with_them() {
    let mut harness = Harness::new();
    let mut spec = root("p", "10.0.0.0/29");
    (spec.usable_only, spec.gateway) = (true, Some(Gateway::First));
    harness.pool(spec);
    assert_eq!(
        withheld(&harness, "p"),
        "10.0.0.0/32 10.0.0.1/32 10.0.0.7/32"
    );
    harness.edit("p", vec![cidrs("10.0.0.0/29 10.0.1.0/30")]);
    assert_eq!(
        withheld(&harness, "p"),
        "10.0.0.0/32 10.0.0.1/32 10.0.0.7/32 10.0.1.0/32 10.0.1.1/32 10.0.1.3/32"
    );
    harness.edit("p", vec![cidrs("10.0.1.0/30"), PoolChange::Gateway(None)]);
    assert_eq!(withheld(&harness, "p"), "10.0.1.0/32 10.0.1.3/32");
    harness.edit(
        "p",
        vec![
            PoolChange::UsableOnly(false),
            exclusions(&[("10.0.1.2-10.0.1.3", "x")]),
        ],
    );
    assert_eq!(withheld(&harness, "p"), "10.0.1.2/31");
    // A pool of blocks withholds no gateway.
    harness.edit(
        "p",
        vec![exclusions(&[]), PoolChange::Gateway(Some(Gateway::Last))],
    );
    assert_eq!(withheld(&harness, "p"), "10.0.1.2/32");
    harness.edit("p", vec![PoolChange::DefaultPrefixLength(Some(31))]);
    assert_eq!(withheld(&harness, "p"), "");
}

#[test]
fn holders_that_the_new_policy_would_not_have_allowed_stay_and_are_counted() {
    let mut harness = Harness::new();
    harness.pool(bounds(root("p", "10.0.0.0/24"), None, None, Some(28)));
    harness.take("wide", "p", "10.0.0.0/26");
    harness.take("a", "p", "10.0.0.64/28");
    harness.take("b", "p", "10.0.0.80/28");
    harness.pool(child("kid", "p", "10.0.0.96/28"));
    let count = |harness: &Harness| {
        let view = harness.view("p");
        assert_eq!(
            view.out_of_policy > 0,
            view.out_of_policy_since_ms.is_some()
        );
        view.out_of_policy
    };
    assert_eq!(count(&harness), 0);
    // By length.
    harness.edit("p", vec![PoolChange::MinPrefixLength(Some(28))]);
    assert_eq!(count(&harness), 1);
    // By what is withheld: in part, as a whole, a child. Who is out for two reasons counts once.
    harness.edit(
        "p",
        vec![exclusions(&[
            ("10.0.0.60-10.0.0.70", "x"),
            ("10.0.0.96-10.0.0.100", "y"),
        ])],
    );
    assert_eq!(count(&harness), 3);
    assert_eq!(withheld(&harness, "p"), "", "all of it is held");
    let available = harness.view("p").capacity.available;
    // What is given back there is not handed out again.
    harness.release("a");
    assert_eq!(count(&harness), 2);
    assert_eq!(
        withheld(&harness, "p"),
        "10.0.0.64/30 10.0.0.68/31 10.0.0.70/32"
    );
    assert_eq!(
        harness.view("p").capacity.available,
        available.checked_add(Count::new(9)).unwrap()
    );
    harness.ok(pool_delete("kid"));
    assert_eq!(count(&harness), 1);
    harness.release("wide");
    assert_eq!(count(&harness), 0);
    assert_eq!(
        withheld(&harness, "p"),
        "10.0.0.60/30 10.0.0.64/30 10.0.0.68/31 10.0.0.70/32 10.0.0.96/30 10.0.0.100/32"
    );
    // The exclusion goes: all of it is free again.
    harness.edit("p", vec![exclusions(&[])]);
    assert_eq!(withheld(&harness, "p"), "");
    assert_eq!(harness.view("p").capacity.available, Count::new(240));
}

#[test]
fn a_run_around_a_holder_is_withheld_on_both_sides() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/28"));
    harness.take("c", "p", "10.0.0.5/32");
    let view = harness.edit("p", vec![exclusions(&[("10.0.0.0-10.0.0.9", "x")])]);
    assert_eq!(
        (view.out_of_policy, view.capacity.reserved),
        (1, Count::new(9))
    );
    assert_eq!(
        withheld(&harness, "p"),
        "10.0.0.0/30 10.0.0.4/32 10.0.0.6/31 10.0.0.8/31"
    );
    // Another edit of the same pool neither loses nor doubles any of it.
    harness.edit("p", vec![PoolChange::Description("d".into())]);
    assert_eq!(
        withheld(&harness, "p"),
        "10.0.0.0/30 10.0.0.4/32 10.0.0.6/31 10.0.0.8/31"
    );
    harness.release("c");
    assert_eq!(harness.view("p").capacity.reserved, Count::new(10));
    harness.edit("p", vec![exclusions(&[("10.0.0.0-10.0.0.9", "y")])]);
    assert_eq!(withheld(&harness, "p"), "10.0.0.0/29 10.0.0.8/31");
}

#[test]
fn an_edit_that_says_what_is_there_changes_nothing() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    let before = harness.state.revision();
    let view = harness.edit(
        "p",
        vec![
            PoolChange::Strategy(Strategy::FirstFit),
            cidrs("10.0.0.0/24"),
        ],
    );
    assert_eq!((harness.state.revision(), view.revision), (before, before));
    // What it says of itself does not touch what it holds.
    let set = LabelsChange {
        clear: false,
        entries: vec![
            ("a".into(), Some("b".into())),
            ("c".into(), Some("d".into())),
        ],
    };
    let view = harness.edit("p", vec![PoolChange::Labels(set)]);
    assert_eq!((view.revision, view.content_revision), (before + 1, before));
    let reset = LabelsChange {
        clear: false,
        entries: vec![("a".into(), None), ("c".into(), Some("e".into()))],
    };
    assert_eq!(
        harness
            .edit("p", vec![PoolChange::Labels(reset)])
            .spec
            .labels,
        labels(&[("c", "e")])
    );
    let clear = LabelsChange {
        clear: true,
        entries: vec![],
    };
    assert!(
        harness
            .edit("p", vec![PoolChange::Labels(clear)])
            .spec
            .labels
            .is_empty()
    );
}

#[test]
fn draining_begins_and_ends_by_an_edit() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    harness.take("c", "p", "");
    let since = harness
        .edit("p", vec![PoolChange::Drain(true)])
        .draining_since_ms;
    assert!(since.is_some());
    assert!(matches!(
        harness.refused(claim("d", "p", "")),
        Rejection::PoolDraining { .. }
    ));
    // Who has a block keeps it, can ask for it again and give it back.
    assert!(matches!(
        harness.ok(claim("c", "p", "")),
        Outcome::ClaimRepeated(_)
    ));
    let view = harness.edit("p", vec![PoolChange::Description("still".into())]);
    assert_eq!(view.draining_since_ms, since);
    harness.release("c");
    assert_eq!(
        harness
            .edit("p", vec![PoolChange::Drain(false)])
            .draining_since_ms,
        None
    );
    harness.take("d", "p", "");
}

#[test]
fn a_strategy_begins_with_what_is_held() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24 10.0.1.0/24"));
    harness.take("a", "p", "25");
    harness.edit("p", vec![PoolChange::Strategy(Strategy::LeastUtilized)]);
    assert_eq!(harness.take("b", "p", ""), "10.0.1.0/32");
    harness.edit("p", vec![PoolChange::Strategy(Strategy::NextFit)]);
    assert_eq!(harness.take("c", "p", ""), "10.0.0.128/32");
    harness.release("c");
    assert_eq!(harness.take("d", "p", ""), "10.0.0.129/32");
    // A cursor is not kept for later.
    harness.edit("p", vec![PoolChange::Strategy(Strategy::FirstFit)]);
    harness.edit("p", vec![PoolChange::Strategy(Strategy::NextFit)]);
    assert_eq!(harness.take("e", "p", ""), "10.0.0.128/32");
}

#[test]
fn a_child_keeps_what_it_took_from_its_parent() {
    let mut harness = Harness::new();
    let mut spec = root("p", "10.0.0.0/16");
    spec.gateway = Some(Gateway::First);
    harness.pool(spec);
    let mut kid = child("kid", "p", "24");
    kid.owner = Some(owner("node-1"));
    harness.pool(kid);
    let gateway = |harness: &Harness| {
        harness.view("kid").cidrs[0]
            .gateway
            .map(|gateway| gateway.to_string())
    };
    assert_eq!(gateway(&harness).as_deref(), Some("10.0.1.1"));
    harness.edit("p", vec![PoolChange::Gateway(Some(Gateway::Last))]);
    harness.edit("kid", vec![PoolChange::Description("d".into())]);
    assert_eq!(gateway(&harness).as_deref(), Some("10.0.1.1"));
    harness.edit("kid", vec![PoolChange::Gateway(Some(Gateway::First))]);
    harness.edit("kid", vec![PoolChange::Gateway(None)]);
    assert_eq!(
        gateway(&harness).as_deref(),
        Some("10.0.1.254"),
        "stated no more, it is the parent's"
    );
}

#[test]
fn edits_of_tenants_and_claims_change_what_they_say_of_themselves() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    harness.take("c", "p", "");
    let tenant_edit = Command::TenantEdit(Box::new(TenantEdit {
        tenant: name(TENANT),
        changes: vec![
            TenantChange::QuotaClaims(Some(1)),
            TenantChange::Description("d".into()),
        ],
    }));
    let Outcome::TenantEdited(view) = harness.ok(tenant_edit.clone()) else {
        panic!()
    };
    assert_eq!(
        (view.spec.quota.claims, &*view.spec.description),
        (Some(1), "d")
    );
    assert!(matches!(
        harness.refused(claim("d", "p", "")),
        Rejection::QuotaExceeded { .. }
    ));
    let before = harness.state.revision();
    harness.ok(tenant_edit);
    assert_eq!(harness.state.revision(), before);
    let set = LabelsChange {
        clear: false,
        entries: vec![("app".into(), Some("web".into()))],
    };
    let claim_edit = Command::ClaimEdit(Box::new(ClaimEdit {
        tenant: name(TENANT),
        name: name("c"),
        changes: vec![ClaimChange::Labels(set)],
    }));
    let Outcome::ClaimEdited(view) = harness.ok(claim_edit) else {
        panic!()
    };
    assert_eq!(
        (view.spec.labels.clone(), view.revision),
        (labels(&[("app", "web")]), before + 1)
    );
    // A repeat compares what was asked for, not what it says of itself.
    assert!(matches!(
        harness.ok(claim("c", "p", "")),
        Outcome::ClaimRepeated(_)
    ));
    assert_eq!(harness.release("c").spec.labels, labels(&[("app", "web")]));
    let kinds: Vec<EventKind> = harness
        .state
        .events(None, 100)
        .unwrap()
        .items
        .iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        kinds[3..],
        [
            EventKind::TenantChanged,
            EventKind::ClaimChanged,
            EventKind::Released
        ]
    );
}

#[test]
fn a_cidr_that_is_replaced_by_a_wider_or_narrower_one_takes_its_reservations_along() {
    for after in ["10.0.0.0/23", "10.0.0.0/25", "10.0.0.0/24 10.0.2.0/24"] {
        let mut harness = Harness::new();
        let mut spec = root("p", "10.0.0.0/24");
        spec.gateway = Some(Gateway::First);
        harness.pool(spec);
        harness.edit("p", vec![exclusions(&[("10.0.0.9-10.0.0.9", "edge")])]);
        let view = harness.edit("p", vec![cidrs(after)]);
        let count = 2 + u128::from(after.contains(' '));
        assert_eq!(view.capacity.reserved.as_u128(), Some(count), "{after}");
        assert_eq!(harness.take("c", "p", "32"), "10.0.0.0/32");
        assert_eq!(harness.take("d", "p", "32"), "10.0.0.2/32");
    }
}

#[test]
fn a_pool_keeps_its_family_however_empty_it_is() {
    let mut harness = Harness::new();
    harness.pool(root("p", "2001:db8::/58"));
    harness.pool(root("q", "10.1.0.0/24"));
    for (pool, others, place) in [
        ("p", "10.0.0.48/28", 0),
        ("p", "2001:db8::/58 10.0.0.48/28", 1),
        ("q", "2001:db8:1::/64", 0),
    ] {
        let before = harness.view(pool);
        let refused = harness.refused(pool_edit(pool, vec![cidrs(others)]));
        assert_eq!(
            refused,
            Rejection::FamilyMismatch {
                field: format!("cidrs[{place}]"),
                asked: if pool == "p" {
                    Family::IPv4
                } else {
                    Family::IPv6
                },
                pool: before.family,
            }
        );
        assert_eq!(harness.view(pool), before);
    }
}
