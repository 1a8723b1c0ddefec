//! Claims that name no pool: which pools they match, in which order, and what happens when those are full.

use allocator::answer::{Outcome, Rejection};
use allocator::command::{ClaimFrom, ClaimSpec, Command, PoolSelector, Quota, Sharing};
use allocator::edit::{LabelsChange, PoolChange};
use allocator::filter::{LabelRequirement, LabelSelector};
use allocator::life::PoolLife;
use allocator::prefix::Family;

use crate::support::{
    Harness, TENANT, claim, from_pool, labels, living, name, owner, pool_delete, root, tenant,
};

/// `key=value`, `key=a|b`, `key!=a|b`, `key` and `!key`, divided by commas.
fn selector(text: &str) -> PoolSelector {
    let values = |text: &str| text.split('|').map(Box::from).collect();
    let requirement = |text: &str| {
        if let Some((key, list)) = text.split_once("!=") {
            LabelRequirement::NotIn(key.into(), values(list))
        } else if let Some((key, list)) = text.split_once('=') {
            LabelRequirement::In(key.into(), values(list))
        } else if let Some(key) = text.strip_prefix('!') {
            LabelRequirement::Absent(key.into())
        } else {
            LabelRequirement::Exists(text.into())
        }
    };
    PoolSelector {
        tenant: None,
        family: None,
        labels: LabelSelector {
            requirements: text
                .split(',')
                .filter(|text| !text.is_empty())
                .map(requirement)
                .collect(),
        },
    }
}

fn by(text: &str, selector: PoolSelector) -> ClaimSpec {
    let mut spec = claim(text, "unused", "32");
    spec.from = ClaimFrom::Selector(Box::new(selector));
    spec
}

/// The pool and block that a claim by a selector got, or the code-like word of its refusal.
fn got(harness: &mut Harness, text: &str, wanted: &str) -> String {
    match harness.answer(by(text, selector(wanted))).result {
        Ok(Outcome::ClaimCreated(view)) => format!("{} {}", view.pool, view.block),
        Err(Rejection::NoPoolMatches { .. }) => "none".into(),
        Err(Rejection::PoolExhausted { pool, .. }) => format!("full {pool}"),
        other => panic!("{other:?}"),
    }
}

/// Name, number, priority, labels.
type Described<'a> = (&'a str, u8, u16, &'a [(&'a str, &'a str)]);

/// Pools of two addresses each.
fn harness(pools: &[Described<'_>]) -> Harness {
    let mut harness = Harness::new();
    for (text, number, priority, pairs) in pools {
        let mut spec = root(text, &format!("10.0.{number}.0/31"));
        spec.priority = *priority;
        spec.labels = labels(pairs);
        harness.pool(spec);
    }
    harness
}

#[test]
fn a_selector_finds_pools_by_their_labels() {
    let consumer: &[(&str, &str)] = &[("environment", "consumer"), ("region", "us-east")];
    let table = [
        (
            "environment=consumer,region=us-east",
            "selector-pool-consumer-b",
        ),
        ("environment=producer", "producer"),
        ("environment", "consumer-a"),
        (
            "environment=consumer|producer,region",
            "selector-pool-consumer-b",
        ),
        ("environment!=consumer,environment", "producer"),
        ("!environment", "unlabelled"),
        ("environment!=consumer|producer", "unlabelled"),
        ("", "consumer-a"),
        ("environment=staging", "none"),
        ("environment=consumer,!environment", "none"),
    ];
    for (wanted, expected) in table {
        let mut harness = harness(&[
            ("selector-pool-consumer-b", 2, 100, consumer),
            ("consumer-a", 1, 100, &[("environment", "consumer")]),
            ("producer", 3, 100, &[("environment", "producer")]),
            ("unlabelled", 4, 100, &[]),
        ]);
        let found = got(&mut harness, "c", wanted);
        let pool = found.split(' ').next().unwrap();
        assert_eq!(pool, expected, "{wanted}");
    }
}

#[test]
fn candidates_are_tried_by_priority_and_name_and_full_ones_are_passed_over() {
    let zone: &[(&str, &str)] = &[("zone", "a")];
    let mut harness = harness(&[
        ("z-first", 1, 0, zone),
        ("b", 2, 100, zone),
        ("a", 3, 100, zone),
        ("last", 4, 1_000, zone),
    ]);
    let order: Vec<String> = (0..9)
        .map(|number| got(&mut harness, &format!("c{number}"), "zone=a"))
        .collect();
    assert_eq!(
        order,
        [
            "z-first 10.0.1.0/32",
            "z-first 10.0.1.1/32",
            "a 10.0.3.0/32",
            "a 10.0.3.1/32",
            "b 10.0.2.0/32",
            "b 10.0.2.1/32",
            "last 10.0.4.0/32",
            "last 10.0.4.1/32",
            "full z-first",
        ]
    );
    // What is freed anywhere serves the next one.
    harness.release("c5");
    assert_eq!(got(&mut harness, "again", "zone=a"), "b 10.0.2.1/32");
}

#[test]
fn pools_that_refuse_for_another_reason_are_passed_over_too() {
    let zone: &[(&str, &str)] = &[("zone", "a")];
    let mut harness = harness(&[
        ("draining", 1, 0, zone),
        ("wide", 2, 1, zone),
        ("v6", 3, 2, zone),
    ]);
    harness.edit("draining", vec![PoolChange::Drain(true)]);
    harness.edit("wide", vec![PoolChange::MaxPrefixLength(Some(31))]);
    let mut six = root("six", "2001:db8::/126");
    six.labels = labels(zone);
    six.priority = 3;
    harness.pool(six);
    assert_eq!(got(&mut harness, "c", "zone=a"), "v6 10.0.3.0/32");
    let mut of_six = selector("zone=a");
    of_six.family = Some(Family::IPv6);
    let mut spec = by("d", of_six.clone());
    spec.prefix_length = Some(128);
    assert_eq!(harness.claim(spec).pool, name("six"));
    // Where none can, the first reason is told.
    let spec = by("e", of_six);
    assert!(matches!(
        harness.refused(spec),
        Rejection::PrefixLengthOutOfBounds { .. }
    ));
}

#[test]
fn a_pool_that_keeps_a_block_for_the_holder_comes_first() {
    let zone: &[(&str, &str)] = &[("zone", "a")];
    let mut harness = harness(&[("first", 1, 0, zone)]);
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    let mut second = living(root("second", "10.0.9.0/31"), life);
    second.labels = labels(zone);
    harness.pool(second);
    let mut spec = claim("c", "second", "32");
    spec.owner = Some(owner("node-1"));
    harness.claim(spec.clone());
    harness.release("c");
    spec.from = ClaimFrom::Selector(Box::new(selector("zone=a")));
    let back = harness.claim(spec);
    assert_eq!((back.pool, back.returned), (name("second"), true));
}

#[test]
fn a_repeat_has_the_same_selector() {
    let mut harness = harness(&[("p", 1, 100, &[("zone", "a")])]);
    let first = harness.claim(by("c", selector("zone=a")));
    // Its pool no longer matches: the claim is the same.
    let relabel = LabelsChange {
        clear: true,
        entries: Vec::new(),
    };
    harness.edit("p", vec![PoolChange::Labels(relabel)]);
    match harness.ok(by("c", selector("zone=a"))) {
        Outcome::ClaimRepeated(view) => {
            assert_eq!((view.generation, view.spec), (first.generation, first.spec));
        }
        other => panic!("{other:?}"),
    }
    for (other, expected) in [
        (by("c", selector("zone=b")), "poolSelector"),
        (claim("c", "p", "32"), "pool"),
    ] {
        match harness.refused(other) {
            Rejection::ClaimMismatch { field, .. } => assert_eq!(field, expected),
            other => panic!("{other:?}"),
        }
    }
    let mut named = claim("d", "p", "32");
    harness.claim(named.clone());
    named.from = ClaimFrom::Selector(Box::new(selector("")));
    assert!(matches!(
        harness.refused(named),
        Rejection::ClaimMismatch { field, .. } if field == "pool"
    ));
}

#[test]
fn edited_labels_and_priorities_count_from_then_on() {
    let mut harness = harness(&[("a", 1, 100, &[("zone", "a")]), ("b", 2, 100, &[])]);
    let set = |value: &str| {
        vec![PoolChange::Labels(LabelsChange {
            clear: false,
            entries: vec![("zone".into(), Some(value.into()))],
        })]
    };
    harness.edit("b", set("a"));
    harness.edit("b", vec![PoolChange::Priority(1)]);
    assert_eq!(got(&mut harness, "c", "zone=a"), "b 10.0.2.0/32");
    harness.edit("b", set("other"));
    assert_eq!(got(&mut harness, "d", "zone=a"), "a 10.0.1.0/32");
    harness.release("d");
    harness.ok(pool_delete("a"));
    assert_eq!(got(&mut harness, "e", "zone=a"), "none");
}

#[test]
fn a_selector_reaches_what_is_shared_and_nothing_else() {
    let mut harness = harness(&[
        ("private", 1, 0, &[("zone", "a")]),
        ("shared", 2, 100, &[("zone", "a")]),
    ]);
    harness.ok(Command::TenantCreate(Box::new(tenant("b"))));
    harness.edit("shared", vec![PoolChange::SharedWith(Sharing::Everyone)]);
    let of_b = |text: &str, of: Option<&str>| {
        let mut wanted = selector("zone=a");
        wanted.tenant = of.map(name);
        let mut spec = by(text, wanted);
        spec.tenant = name("b");
        spec
    };
    assert_eq!(harness.claim(of_b("c", Some(TENANT))).pool, name("shared"));
    for hidden in [None, Some("b"), Some("nobody")] {
        assert!(matches!(
            harness.refused(of_b("d", hidden)),
            Rejection::NoPoolMatches { .. }
        ));
    }
}

#[test]
fn a_full_quota_is_told_as_such() {
    let mut harness = Harness::new();
    let mut spec = tenant("b");
    spec.quota = Quota {
        claims: Some(0),
        ..Quota::default()
    };
    harness.ok(Command::TenantCreate(Box::new(spec)));
    let mut pool = root("p", "10.0.0.0/31");
    pool.tenant = name("b");
    harness.pool(pool);
    let mut spec = by("c", selector(""));
    spec.tenant = name("b");
    assert!(matches!(
        harness.refused(spec),
        Rejection::QuotaExceeded { .. }
    ));
}

#[test]
fn a_pool_that_is_named_has_nothing_to_do_with_labels() {
    let mut harness = harness(&[("p", 1, 100, &[])]);
    let mut spec = claim("c", "p", "32");
    spec.from = from_pool("p");
    assert_eq!(harness.claim(spec).pool, name("p"));
}

#[test]
fn where_every_pool_is_full_what_is_over_is_ended_in_each_of_them_in_turn() {
    let zone: &[(&str, &str)] = &[("zone", "a")];
    let mut harness = harness(&[("first", 1, 0, zone)]);
    for (text, cidr) in [("second", "10.0.8.0/31"), ("third", "10.0.9.0/31")] {
        let life = PoolLife {
            grace_seconds: Some(60),
            ..PoolLife::default()
        };
        let mut pool = living(root(text, cidr), life);
        pool.labels = labels(zone);
        harness.pool(pool);
    }
    for number in 0..6 {
        got(&mut harness, &format!("c{number}"), "zone=a");
    }
    // In the second one half is over, in the third all of it; the first holds what does not end.
    for text in ["c3", "c4", "c5"] {
        harness.release(text);
    }
    harness.later(59_000);
    assert_eq!(got(&mut harness, "early", "zone=a"), "full first");
    harness.later(1_000);
    let mut wide = by("wide", selector("zone=a"));
    wide.prefix_length = Some(31);
    assert_eq!(harness.claim(wide.clone()).pool, name("third"));
    // What did not help the claim is kept as before.
    assert_eq!(harness.view("second").claims.released, 1);
    wide.name = name("wider");
    let revision = harness.state.revision();
    assert!(matches!(
        harness.refused(wide),
        Rejection::PoolExhausted { .. }
    ));
    assert_eq!(harness.state.revision(), revision);
    assert_eq!(harness.view("second").claims.released, 1);
    assert_eq!(got(&mut harness, "late", "zone=a"), "second 10.0.8.1/32");
}

#[test]
fn a_quota_that_one_pool_would_pass_does_not_keep_another_from_being_tried() {
    let mut harness = Harness::new();
    let mut spec = tenant("b");
    spec.quota = Quota {
        ipv4_addresses: Some(100),
        ..Quota::default()
    };
    harness.ok(Command::TenantCreate(Box::new(spec)));
    for (text, cidr, length, priority) in [
        ("wide", "10.0.0.0/16", 24, 1),
        ("narrow", "10.1.0.0/16", 28, 2),
    ] {
        let mut pool = crate::support::bounds(root(text, cidr), None, None, Some(length));
        (pool.tenant, pool.priority) = (name("b"), priority);
        harness.pool(pool);
    }
    let of_b = |text: &str| {
        let mut spec = by(text, selector(""));
        (spec.tenant, spec.prefix_length) = (name("b"), None);
        spec
    };
    for text in ["1", "2", "3", "4", "5", "6"] {
        assert_eq!(harness.claim(of_b(text)).pool, name("narrow"));
    }
    // What is told where no pool fits is the quota that the first of them would have passed.
    match harness.refused(of_b("7")) {
        Rejection::QuotaExceeded { asked, used, .. } => assert_eq!((asked, used), (256, 96)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_pool_is_swept_though_another_is_beyond_the_quota() {
    let mut harness = Harness::new();
    let mut spec = tenant("b");
    spec.quota = Quota {
        ipv4_addresses: Some(100),
        ..Quota::default()
    };
    harness.ok(Command::TenantCreate(Box::new(spec)));
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    let full = living(root("full", "10.0.0.0/32"), life);
    let wide = crate::support::bounds(root("wide", "10.1.0.0/16"), None, None, Some(24));
    for mut pool in [full, wide] {
        pool.tenant = name("b");
        harness.pool(pool);
    }
    let of_b = |text: &str| {
        let mut spec = by(text, selector(""));
        (spec.tenant, spec.prefix_length) = (name("b"), None);
        spec
    };
    harness.claim(of_b("first"));
    let mut release = crate::support::release("first", None);
    release.tenant = name("b");
    harness.ok(Command::ClaimRelease(release));
    assert!(matches!(
        harness.refused(of_b("early")),
        Rejection::PoolExhausted { .. }
    ));
    harness.later(61_000);
    assert_eq!(harness.claim(of_b("late")).pool, name("full"));
}
