//! Pools that are removed with what is under them.

use allocator::answer::Outcome;
use allocator::cascade::{PoolCascade, PoolCascaded};
use allocator::command::Command;
use allocator::life::{PoolLife, ReclaimPolicy};
use allocator::view::EventKind;

use crate::owners::held;
use crate::support::{Harness, TENANT, child, claim, exclude, living, name, root};

pub(crate) fn cascade(pool: &str, as_of_revision: u64, limit: Option<u32>) -> Command {
    Command::PoolCascade(PoolCascade {
        tenant: name(TENANT),
        pool: name(pool),
        if_revision: None,
        as_of_revision,
        limit,
    })
}

fn step(harness: &mut Harness, command: Command) -> PoolCascaded {
    match harness.ok(command) {
        Outcome::PoolCascaded(cascaded) => *cascaded,
        other => panic!("{other:?}"),
    }
}

/// Released, remaining, newer, and whether the pool is gone.
fn now(harness: &mut Harness, pool: &str, limit: Option<u32>) -> (u64, u64, u64, bool) {
    let command = cascade(pool, harness.state.revision(), limit);
    figures(&step(harness, command))
}

fn figures(found: &PoolCascaded) -> (u64, u64, u64, bool) {
    (found.released, found.remaining, found.newer, found.deleted)
}

fn pools(harness: &Harness) -> String {
    let filter = allocator::filter::PoolFilter::default();
    let page = harness
        .state
        .pools(&name(TENANT), &filter, None, 100)
        .unwrap();
    let names: Vec<&str> = page
        .items
        .iter()
        .map(|pool| pool.spec.name.as_str())
        .collect();
    names.join(" ")
}

/// `top` with a claim before and one after a child, which has a claim and a child of its own.
fn nested() -> Harness {
    let mut harness = Harness::new();
    harness.pool(exclude(
        root("top", "10.0.0.0/16"),
        &[("10.0.255.0-10.0.255.255", "edge")],
    ));
    harness.pool(root("other", "10.1.0.0/16"));
    harness.take("a", "top", "10.0.0.0/32");
    harness.pool(child("mid", "top", "10.0.1.0/24"));
    harness.take("b", "mid", "10.0.1.0/32");
    harness.pool(child("low", "mid", "10.0.1.128/25"));
    harness.take("c", "low", "10.0.1.200/32");
    harness.take("d", "top", "10.0.2.0/32");
    harness.take("elsewhere", "other", "");
    harness
}

#[test]
fn a_pool_goes_with_all_that_is_under_it() {
    let mut harness = nested();
    let before = harness.state.revision();
    assert_eq!(now(&mut harness, "top", None), (6, 0, 0, true));
    assert_eq!(
        (held(&harness).as_str(), pools(&harness).as_str()),
        ("elsewhere", "other")
    );
    let events = harness.state.events(None, 100).unwrap().items;
    let told: Vec<(EventKind, String)> = events
        .iter()
        .filter(|event| event.id.revision == before + 1)
        .map(|event| (event.kind, event.pool.as_ref().unwrap().to_string()))
        .collect();
    let expected = [
        (EventKind::Released, "top"),
        (EventKind::Released, "mid"),
        (EventKind::Released, "low"),
        (EventKind::PoolDeleted, "low"),
        (EventKind::PoolDeleted, "mid"),
        (EventKind::Released, "top"),
        (EventKind::PoolDeleted, "top"),
    ];
    let expected = expected.map(|(kind, pool)| (kind, pool.to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn a_child_goes_back_to_its_parent() {
    let mut harness = nested();
    assert_eq!(now(&mut harness, "mid", None), (3, 0, 0, true));
    assert_eq!(held(&harness), "a d elsewhere");
    assert_eq!(harness.view("top").children, 0);
    assert_eq!(harness.take("again", "top", "10.0.1.0/24"), "10.0.1.0/24");
}

#[test]
fn steps_drain_first_and_end_what_is_in_a_pool_before_it() {
    let mut harness = nested();
    let seen = harness.state.revision();
    let first = step(&mut harness, cascade("top", seen, Some(2)));
    assert_eq!(figures(&first), (2, 4, 0, false));
    assert_eq!(held(&harness), "c d elsewhere");
    for pool in ["top", "mid", "low"] {
        assert!(harness.view(pool).spec.drain, "{pool}");
    }
    assert_eq!(
        crate::refusals::line(&harness.refused(claim("late", "low", ""))),
        "pool_draining acme low"
    );
    let second = step(&mut harness, cascade("top", seen, Some(2)));
    assert_eq!(figures(&second), (2, 2, 0, false));
    assert_eq!(pools(&harness), "mid other top");
    let third = step(&mut harness, cascade("top", seen, Some(1)));
    assert_eq!(figures(&third), (1, 1, 0, false));
    let last = step(&mut harness, cascade("top", seen, Some(1)));
    assert_eq!(figures(&last), (1, 0, 0, true));
    assert_eq!(pools(&harness), "other");
}

#[test]
fn what_was_given_since_stays_with_the_pools_around_it() {
    let mut harness = nested();
    let seen = harness.state.revision();
    harness.take("new", "mid", "10.0.1.1/32");
    harness.pool(child("fresh", "top", "10.0.4.0/24"));
    harness.take("in-fresh", "fresh", "");
    let found = step(&mut harness, cascade("top", seen, None));
    // a, b, c, d and low go; new, mid around it, and fresh stay.
    assert_eq!(figures(&found), (5, 0, 3, false));
    assert_eq!(held(&harness), "elsewhere in-fresh new");
    assert_eq!(pools(&harness), "fresh mid other top");
    assert!(harness.view("top").spec.drain && harness.view("mid").spec.drain);
    assert!(!harness.view("fresh").spec.drain);
    // A repeat changes nothing more.
    let revision = harness.state.revision();
    let repeat = step(&mut harness, cascade("top", seen, None));
    assert_eq!(figures(&repeat), (0, 0, 3, false));
    assert_eq!(harness.state.revision(), revision);
    assert_eq!(now(&mut harness, "top", None), (4, 0, 0, true));
}

#[test]
fn a_late_repeat_leaves_a_later_pool_of_that_name_alone() {
    let mut harness = nested();
    let seen = harness.state.revision();
    step(&mut harness, cascade("top", seen, None));
    harness.pool(root("top", "10.0.0.0/16"));
    let repeat = step(&mut harness, cascade("top", seen, None));
    assert_eq!(figures(&repeat), (0, 0, 1, false));
    assert!(!harness.view("top").spec.drain);
    // An edit does not make a pool newer.
    let seen = harness.state.revision();
    harness.edit("top", vec![allocator::edit::PoolChange::Drain(true)]);
    assert_eq!(
        figures(&step(&mut harness, cascade("top", seen, None))),
        (0, 0, 0, true)
    );
}

#[test]
fn nothing_is_kept_under_a_pool_that_goes() {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(3_600),
        allow_retain: Some(true),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/24"), life));
    let mut spec = claim("retained", "p", "");
    spec.life.reclaim_policy = Some(ReclaimPolicy::Retain);
    harness.claim(spec);
    harness.take("left", "p", "");
    harness.take("held", "p", "");
    harness.release("retained");
    harness.release("left");
    let seen = harness.state.revision();
    let found = step(&mut harness, cascade("p", seen, None));
    assert_eq!(
        (found.released, found.reclaimed, found.deleted),
        (3, 2, true)
    );
    let tally: Vec<u64> = found.pools.iter().map(|tally| tally.released).collect();
    assert_eq!(tally, [1]);
    harness.pool(root("p", "10.0.0.0/24"));
    assert_eq!(harness.take("next", "p", ""), "10.0.0.0/32");
}

#[test]
fn more_than_a_command_may_touch_is_told() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    for from in (0..10_005).step_by(667) {
        let operations = (from..from + 667).map(|number| {
            let spec = claim(&format!("c{number}"), "p", "");
            allocator::command::Operation::CreateClaim(Box::new(spec))
        });
        harness.ok(Command::Batch {
            tenant: name(TENANT),
            atomic: true,
            operations: operations.collect(),
        });
    }
    let seen = harness.state.revision();
    assert_eq!(
        crate::refusals::line(&harness.refused(cascade("p", seen, None))),
        "too_many blocks 10005 10000"
    );
    assert_eq!(now(&mut harness, "p", Some(10_000)), (10_000, 5, 0, false));
    assert_eq!(now(&mut harness, "p", None), (5, 0, 0, true));
}

#[test]
fn reservations_of_a_child_count_as_blocks_of_the_step_that_ends_it() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    let odd = ["10.0.0.1", "10.0.0.3", "10.0.0.5", "10.0.0.7"];
    for (text, block) in [("a", 0), ("b", 1), ("c", 2)] {
        let there: Vec<String> = odd
            .iter()
            .map(|address| address.replace("10.0.0.", &format!("10.0.{block}.")))
            .collect();
        let excluded: Vec<(&str, &str)> = there.iter().map(|address| (&**address, "")).collect();
        harness.pool(exclude(child(text, "p", "24"), &excluded));
    }
    // One child and its reservations are five; a step of its own ends one that is larger than a step.
    assert_eq!(now(&mut harness, "p", Some(10)), (2, 1, 0, false));
    assert_eq!(now(&mut harness, "p", Some(3)), (1, 0, 0, true));
}
