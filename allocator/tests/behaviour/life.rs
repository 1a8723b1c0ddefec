//! The life of tenants, pools and claims.

use allocator::answer::Outcome;
use allocator::command::{Command, PoolSource};
use allocator::count::Count;
use allocator::filter::ClaimFilter;
use allocator::view::{EventKind, Phase};

use crate::support::{
    Harness, TENANT, batch, block, bounds, child, claim, create_claim, exclude, labels, name,
    owner, pool_delete, release, release_claim, root, tenant,
};

#[test]
fn a_repeated_claim_returns_the_same_block() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    let first = harness.claim(claim("c", "p", "28"));
    let revision = harness.state.revision();
    let mut again = claim("c", "p", "28");
    // Not compared: they are edited, not asked for again.
    again.labels = labels(&[("app", "web")]);
    again.description = Box::from("other");
    match harness.ok(again) {
        Outcome::ClaimRepeated(view) => assert_eq!(*view, first),
        other => panic!("{other:?}"),
    }
    assert_eq!(harness.state.revision(), revision);
    // Also when the pool is full, and when its length is what the default would be.
    harness.take("rest", "p", "10.0.0.128/25");
    assert!(matches!(
        harness.ok(claim("c", "p", "28")),
        Outcome::ClaimRepeated(_)
    ));
}

#[test]
fn what_was_asked_for_is_what_is_shown() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    let mut spec = claim("c", "p", "10.0.0.16/28");
    spec.owner = Some(owner("node-1/podnet"));
    spec.labels = labels(&[("app", "web"), ("zone", "a")]);
    spec.annotations = labels(&[("note", "")]);
    spec.description = Box::from("for the web");
    let view = harness.claim(spec.clone());
    assert_eq!(view.spec, spec);
    assert_eq!(
        (view.phase, view.released_at_ms, view.returned),
        (Phase::Allocated, None, false)
    );
    let ended = harness.release("c");
    assert_eq!(ended.spec, spec);
    assert_eq!(
        (ended.phase, ended.block, ended.generation),
        (Phase::Released, view.block, view.generation)
    );
    assert_eq!(ended.released_at_ms, Some(harness.state.clock().wall_ms()));
    assert_eq!(ended.allocated_at_ms, view.allocated_at_ms);
    assert_eq!(ended.revision, harness.state.revision());
}

#[test]
fn a_release_that_is_repeated_with_its_generation_leaves_the_next_holder_alone() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/32"));
    let first = harness.claim(claim("one", "p", ""));
    let ended = harness.release("one");
    let next = harness.claim(claim("two", "p", ""));
    assert_eq!(next.block, first.block);
    assert!(next.generation > first.generation);
    let revision = harness.state.revision();
    match harness.ok(release("one", Some(first.generation))) {
        Outcome::ClaimAlreadyReleased(view) => assert_eq!(*view, ended),
        other => panic!("{other:?}"),
    }
    assert_eq!(harness.state.revision(), revision);
    assert_eq!(
        harness.state.claim(&name(TENANT), &name("two")).unwrap(),
        next
    );
    // The same name again is another holding; the first one's end is still told.
    harness.release("two");
    let again = harness.claim(claim("one", "p", ""));
    match harness.ok(release("one", Some(first.generation))) {
        Outcome::ClaimAlreadyReleased(view) => assert_eq!(*view, ended),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        harness.state.claim(&name(TENANT), &name("one")).unwrap(),
        again
    );
}

#[test]
fn an_atomic_batch_is_one_revision_and_the_other_is_one_for_each() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/30"));
    let operations = || {
        vec![
            create_claim("a", "p", ""),
            create_claim("b", "p", ""),
            release_claim("a", None),
            create_claim("c", "p", ""),
        ]
    };
    let revision = harness.state.revision();
    let Outcome::Batch(results) = harness.ok(batch(true, operations())) else {
        panic!()
    };
    assert_eq!(harness.state.revision(), revision + 1);
    let Ok(Outcome::ClaimCreated(last)) = &results[3] else {
        panic!("{results:?}")
    };
    assert_eq!(
        (last.block, last.revision),
        (block("10.0.0.0/32"), revision + 1)
    );
    let events = harness.state.events(None, 100).unwrap().items;
    let batch_events: Vec<_> = events
        .iter()
        .filter(|event| event.id.revision == revision + 1)
        .collect();
    assert_eq!(
        batch_events
            .iter()
            .map(|event| event.id.ordinal)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert_eq!(batch_events[2].kind, EventKind::Released);

    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/31"));
    let revision = harness.state.revision();
    let operations = vec![
        create_claim("a", "p", ""),
        create_claim("b", "p", ""),
        create_claim("c", "p", ""),
        create_claim("a", "p", ""),
        release_claim("b", None),
    ];
    let answer = harness.answer(batch(false, operations));
    let Ok(Outcome::Batch(results)) = answer.result else {
        panic!()
    };
    let fine: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, true, false, true, true]);
    assert_eq!(answer.revision, revision + 3);
}

#[test]
fn an_atomic_batch_counts_a_release_that_was_done_before() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/31"));
    let generation = harness.claim(claim("a", "p", "")).generation;
    harness.release("a");
    let Outcome::Batch(results) = harness.ok(batch(
        true,
        vec![
            release_claim("a", Some(generation)),
            create_claim("b", "p", ""),
        ],
    )) else {
        panic!()
    };
    assert!(matches!(results[0], Ok(Outcome::ClaimAlreadyReleased(_))));
    let revision = harness.state.revision();
    harness.ok(batch(
        true,
        vec![
            release_claim("a", Some(generation)),
            create_claim("b", "p", ""),
        ],
    ));
    harness.ok(batch(true, Vec::new()));
    assert_eq!(harness.state.revision(), revision, "nothing changed");
}

#[test]
fn a_child_pool_is_carved_and_given_back_in_one_write() {
    let mut harness = Harness::new();
    harness.pool(bounds(
        root("env", "10.32.0.0/11"),
        Some(12),
        Some(16),
        None,
    ));
    let before = harness.view("env");
    let one = harness.pool(child("region-1", "env", "12"));
    let two = harness.pool(child("region-2", "env", "12"));
    assert_eq!(
        (one.cidrs[0].cidr, two.cidrs[0].cidr),
        (block("10.32.0.0/12"), block("10.48.0.0/12"))
    );
    assert_eq!(harness.view("env").capacity.available, Count::ZERO);
    assert_eq!(harness.view("env").children, 2);
    assert_eq!(harness.take("leaf", "region-1", "24"), "10.32.0.0/24");
    assert_eq!(
        harness.view("env").capacity.allocated,
        before.capacity.total,
        "a child's block is allocated as a whole"
    );
    harness.refused(pool_delete("region-1"));
    harness.release("leaf");
    let revision = harness.state.revision();
    let Outcome::PoolDeleted(view) = harness.ok(pool_delete("region-1")) else {
        panic!()
    };
    assert_eq!(view.spec.name, name("region-1"));
    assert_eq!(harness.state.revision(), revision + 1);
    let after = harness.view("env");
    assert_eq!((after.children, after.content_revision), (1, revision + 1));
    assert_eq!(after.capacity.available, block("10.32.0.0/12").size());
    assert_eq!(
        after.revision, before.revision,
        "its own fields have not changed"
    );
    harness.ok(pool_delete("region-2"));
    assert_eq!(harness.view("env").capacity, before.capacity);
}

#[test]
fn a_pool_goes_with_its_reservations() {
    let mut harness = Harness::new();
    harness.pool(exclude(
        root("p", "10.0.0.0/24"),
        &[("10.0.0.0-10.0.0.9", "edge")],
    ));
    harness.pool(exclude(child("kid", "p", "26"), &[("10.0.0.64", "first")]));
    assert_eq!(harness.view("p").capacity.reserved, Count::new(10));
    harness.ok(pool_delete("kid"));
    harness.ok(pool_delete("p"));
    harness.pool(root("again", "10.0.0.0/24"));
    assert_eq!(harness.take("c", "again", ""), "10.0.0.0/32");
}

#[test]
fn what_is_made_again_with_the_same_content_is_there() {
    let mut harness = Harness::new();
    let spec = || {
        let runs = [("10.0.0.0-10.0.0.9", "edge"), ("10.0.2.1", "")];
        let mut spec = exclude(root("p", "10.0.0.0/24 10.0.2.0/25"), &runs);
        spec.labels = labels(&[("env", "test")]);
        spec
    };
    let view = harness.pool(spec());
    let revision = harness.state.revision();
    harness.take("c", "p", "");
    let mut same = spec();
    same.family = Some(allocator::prefix::Family::IPv4);
    if let PoolSource::Root { space, cidrs } = &mut same.source {
        *space = Some(name("default"));
        cidrs.reverse();
    }
    same.exclude.reverse();
    // What is stated is what the default is.
    same = bounds(same, Some(24), Some(32), Some(32));
    let Outcome::PoolRepeated(again) = harness.ok(same) else {
        panic!()
    };
    assert_eq!((again.spec, again.revision), (view.spec, revision));
    assert!(matches!(
        harness.ok(tenant(TENANT)),
        Outcome::TenantRepeated(_)
    ));
    harness.pool(child("kid", "p", "26"));
    assert!(matches!(
        harness.ok(child("kid", "p", "26")),
        Outcome::PoolRepeated(_)
    ));
    for change in [1, 2, 3, 4, 5] {
        let mut other = spec();
        match change {
            1 => other.labels.clear(),
            2 => other.description = Box::from("other"),
            3 => other = bounds(other, Some(25), None, None),
            4 => other = bounds(other, None, Some(31), None),
            _ => other.exclude.clear(),
        }
        harness.refused(other);
    }
    let mut other = tenant(TENANT);
    other.quota.pools = Some(3);
    harness.refused(other);
}

#[test]
fn spaces_and_tenants_have_their_own_addresses() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.250.0.0/24"));
    let mut spec = root("q", "10.250.0.0/24");
    if let PoolSource::Root { space, .. } = &mut spec.source {
        *space = Some(name("blue"));
    }
    assert_eq!(harness.pool(spec).space, name("blue"));
    harness.refused(root("r", "10.250.0.0/25"));
    harness.ok(tenant("other"));
    let mut spec = root("p", "10.250.0.0/24");
    spec.tenant = name("other");
    harness.pool(spec);
    let mut theirs = claim("c", "p", "");
    theirs.tenant = name("other");
    assert_eq!(harness.claim(theirs).block, block("10.250.0.0/32"));
    assert_eq!(harness.take("c", "p", ""), "10.250.0.0/32");
    assert_eq!(harness.take("d", "q", ""), "10.250.0.0/32");
    let claims = harness
        .state
        .claims(&name("other"), &ClaimFilter::default(), None, 10)
        .unwrap();
    assert_eq!(claims.items.len(), 1, "a tenant sees its own");
}

#[test]
fn a_tenant_that_comes_again_does_not_see_what_another_had() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    let generation = harness.claim(claim("c", "p", "")).generation;
    harness.release("c");
    harness.ok(pool_delete("p"));
    harness.ok(Command::TenantDelete {
        tenant: name(TENANT),
    });
    harness.ok(tenant(TENANT));
    harness.refused(release("c", Some(generation)));
}

#[test]
fn events_tell_what_happened_to_whom_and_by_whom() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    let mut spec = claim("c", "p", "");
    spec.owner = Some(owner("node-1"));
    harness.claim(spec);
    harness.release("c");
    harness.ok(pool_delete("p"));
    harness.ok(Command::TenantDelete {
        tenant: name(TENANT),
    });
    let page = harness.state.events(None, 100).unwrap();
    assert_eq!(page.next, None);
    let kinds: Vec<EventKind> = page.items.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            EventKind::TenantCreated,
            EventKind::PoolCreated,
            EventKind::Allocated,
            EventKind::Released,
            EventKind::PoolDeleted,
            EventKind::TenantDeleted
        ]
    );
    for event in &page.items {
        assert_eq!(
            (&*event.actor, &*event.source, &event.tenant),
            ("tester", "192.0.2.1", &name(TENANT))
        );
    }
    // Pool and tenant are gone; who had the block is still told, at its beginning and at its end.
    for event in &page.items[2..4] {
        let holding = event.claim.as_ref().unwrap();
        assert_eq!(
            (holding.spec.name.as_str(), holding.block),
            ("c", block("10.0.0.0/32"))
        );
        assert_eq!(holding.spec.owner, Some(owner("node-1")));
        assert_eq!(event.pool, Some(name("p")));
    }
    let first = harness.state.events(None, 2).unwrap();
    let rest = harness.state.events(first.next, 100).unwrap();
    assert_eq!([first.items, rest.items].concat(), page.items);
}
