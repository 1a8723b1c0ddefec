//! All that an owner holds, given back at once.

use allocator::answer::Outcome;
use allocator::command::{Command, PoolRef};
use allocator::filter::{AllocationFilter, PoolFilter};
use allocator::life::PoolLife;
use allocator::name::Owner;
use allocator::owners::{
    HoldingRef, OwnedBefore, OwnerHoldings, OwnerMatch, OwnerRelease, OwnerReleased,
};
use allocator::view::{AllocationView, EventKind, Phase, PoolView};

use crate::support::{Harness, TENANT, block, child, claim, living, name, owner, root};

/// What claims hold, in words.
pub(crate) fn held(harness: &Harness) -> String {
    let claims = harness
        .state
        .claims(
            &name(TENANT),
            &allocator::filter::ClaimFilter::default(),
            None,
            100,
        )
        .unwrap();
    let names: Vec<&str> = claims
        .items
        .iter()
        .map(|claim| claim.spec.name.as_str())
        .collect();
    names.join(" ")
}

/// A claim of an owner.
pub(crate) fn own(harness: &mut Harness, text: &str, pool: &str, key: &str) {
    let mut spec = claim(text, pool, "");
    spec.owner = Some(owner(key));
    harness.claim(spec);
}

pub(crate) fn owned(owners: OwnerMatch, as_of_revision: u64, limit: Option<u32>) -> Command {
    Command::OwnerRelease(Box::new(OwnerRelease {
        tenant: name(TENANT),
        what: OwnerHoldings::Owned(OwnedBefore {
            owners,
            as_of_revision,
            limit,
            pools: vec![],
        }),
    }))
}

pub(crate) fn listed(holdings: &[(&str, u64)]) -> Command {
    let holdings = holdings.iter().map(|(cidr, generation)| HoldingRef {
        tenant: None,
        space: name("default"),
        cidr: block(cidr),
        generation: *generation,
    });
    Command::OwnerRelease(Box::new(OwnerRelease {
        tenant: name(TENANT),
        what: OwnerHoldings::Listed(holdings.collect()),
    }))
}

fn exact(key: &str) -> OwnerMatch {
    OwnerMatch::Exact(owner(key))
}

fn under(key: &str) -> OwnerMatch {
    OwnerMatch::Prefix(owner(key))
}

fn release(harness: &mut Harness, command: Command) -> OwnerReleased {
    match harness.ok(command) {
        Outcome::OwnerReleased(released) => *released,
        other => panic!("{other:?}"),
    }
}

/// Released, and left for the next step.
fn step(harness: &mut Harness, owners: OwnerMatch, limit: Option<u32>) -> (u64, u64) {
    let released = release(harness, owned(owners, harness.state.revision(), limit));
    (released.released, released.remaining)
}

/// Claims of owners whose names begin alike.
fn alike() -> Harness {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    harness.pool(root("q", "10.1.0.0/24"));
    for (text, key) in [
        ("a", "node-1/net/eth1"),
        ("b", "node-1"),
        ("c", "node-1/net/eth0"),
        ("d", "node-1-old"),
        ("e", "node-10/net/eth0"),
        ("f", "node-1!"),
        ("g", "node-1.5/net"),
    ] {
        own(&mut harness, text, "p", key);
    }
    harness.take("h", "p", "");
    harness
}

#[test]
fn an_owner_is_that_one_and_a_prefix_is_whole_segments() {
    for (owners, left) in [
        (exact("node-1"), "a c d e f g h"),
        (exact("node-1/net"), "a b c d e f g h"),
        (under("node-1"), "d e f g h"),
        (under("node-1/net"), "b d e f g h"),
        (under("node-10"), "a b c d f g h"),
        (under("node"), "a b c d e f g h"),
        // A name is no owner.
        (under("h"), "a b c d e f g h"),
    ] {
        let mut harness = alike();
        let revision = harness.state.revision();
        step(&mut harness, owners.clone(), None);
        assert_eq!(held(&harness), left, "{owners:?}");
        let changed = u64::from(left != "a b c d e f g h");
        assert_eq!(harness.state.revision(), revision + changed);
    }
}

#[test]
fn a_late_repeat_frees_nothing_that_was_given_since() {
    let mut harness = alike();
    let seen = harness.state.revision();
    assert_eq!(step(&mut harness, under("node-1"), None), (3, 0));
    own(&mut harness, "b", "p", "node-1");
    own(&mut harness, "new", "p", "node-1/net/eth0");
    let repeat = owned(under("node-1"), seen, None);
    let repeated = release(&mut harness, repeat);
    assert_eq!((repeated.released, repeated.remaining), (0, 0));
    assert_eq!(held(&harness), "b d e f g h new");
    // The revision at which a holding began counts, not that of its last change.
    let mut harness = alike();
    let seen = harness.state.revision();
    harness.ok(Command::ClaimConfirm(allocator::command::ClaimConfirm {
        tenant: name(TENANT),
        name: name("b"),
        owner: Some(owner("node-1")),
        generation: None,
    }));
    let change = allocator::edit::ClaimChange::Description("edited".into());
    harness.ok(Command::ClaimEdit(Box::new(allocator::edit::ClaimEdit {
        tenant: name(TENANT),
        name: name("c"),
        changes: vec![change],
    })));
    let released = release(&mut harness, owned(under("node-1"), seen, None));
    assert_eq!(released.released, 3);
}

#[test]
fn a_returned_block_is_a_holding_of_its_own() {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/24"), life));
    own(&mut harness, "a", "p", "node-1");
    let seen = harness.state.revision();
    harness.release("a");
    own(&mut harness, "a", "p", "node-1");
    let released = release(&mut harness, owned(exact("node-1"), seen, None));
    assert_eq!((released.released, held(&harness).as_str()), (0, "a"));
    // What is kept is not held: it is not released again, and is there for its holder.
    assert_eq!(step(&mut harness, exact("node-1"), None), (1, 0));
    assert_eq!(step(&mut harness, exact("node-1"), None), (0, 0));
    let kept = harness
        .state
        .allocation(&name(TENANT), &name("default"), block("10.0.0.0/32"));
    assert_eq!(kept.unwrap().phase, Phase::Released);
}

#[test]
fn steps_go_by_address_and_tell_what_is_left() {
    let mut harness = alike();
    own(&mut harness, "z", "q", "node-1");
    assert_eq!(step(&mut harness, under("node-1"), Some(2)), (2, 2));
    assert_eq!(held(&harness), "c d e f g h z");
    assert_eq!(step(&mut harness, under("node-1"), Some(2)), (2, 0));
    assert_eq!(step(&mut harness, under("node-1"), Some(2)), (0, 0));
}

#[test]
fn only_the_pools_that_are_named() {
    let mut harness = alike();
    own(&mut harness, "z", "q", "node-1");
    let mut command = owned(under("node-1"), harness.state.revision(), None);
    if let Command::OwnerRelease(release) = &mut command
        && let OwnerHoldings::Owned(owned) = &mut release.what
    {
        owned.pools = vec![PoolRef {
            tenant: None,
            name: name("q"),
        }];
    }
    let released = release(&mut harness, command);
    let tally: Vec<(&str, u64)> = released
        .pools
        .iter()
        .map(|tally| (tally.pool.as_str(), tally.released))
        .collect();
    assert_eq!(tally, [("q", 1)]);
    assert_eq!(held(&harness), "a b c d e f g h");
}

#[test]
fn each_holding_has_its_event_and_all_of_them_one_revision() {
    let mut harness = alike();
    let before = harness.state.revision();
    step(&mut harness, under("node-1"), None);
    let events = harness.state.events(None, 100).unwrap().items;
    let told: Vec<(EventKind, u64, u32)> = events
        .iter()
        .filter(|event| event.id.revision == before + 1)
        .map(|event| (event.kind, event.generation.unwrap(), event.id.ordinal))
        .collect();
    let released = EventKind::Released;
    assert_eq!(told, [(released, 1, 0), (released, 2, 1), (released, 3, 2)]);
}

#[test]
fn listed_holdings_end_and_those_that_have_ended_count_as_done() {
    let mut harness = alike();
    harness.release("a");
    own(&mut harness, "again", "p", "node-1");
    let command = listed(&[
        // Held by another generation by now: the one that is meant has ended.
        ("10.0.0.0/32", 1),
        ("10.0.0.1/32", 2),
        ("10.0.0.1/32", 2),
        ("10.0.0.3/32", 4),
        ("10.9.9.9/32", 1),
    ]);
    let released = release(&mut harness, command.clone());
    assert_eq!(
        (
            released.released,
            released.already_ended,
            released.remaining
        ),
        (2, 2, 0)
    );
    assert_eq!(held(&harness), "again c e f g h");
    let repeated = release(&mut harness, command);
    assert_eq!((repeated.released, repeated.already_ended), (0, 4));
    // One that goes on, but elsewhere, has not ended: nothing of that command is done.
    let elsewhere = harness.refused(listed(&[("10.0.0.4/32", 5), ("10.9.9.9/32", 3)]));
    assert_eq!(
        crate::refusals::line(&elsewhere),
        "invalid_field holdings[1].cidr"
    );
    assert_eq!(held(&harness), "again c e f g h");
}

#[test]
fn a_child_pool_of_the_owner_stays() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    let mut spec = child("node-1", "p", "24");
    spec.owner = Some(owner("node-1"));
    harness.pool(spec);
    own(&mut harness, "pod", "node-1", "node-1/pod");
    assert_eq!(step(&mut harness, under("node-1"), None), (1, 0));
    assert_eq!(harness.view("node-1").claims.allocated, 0);
}

/// How many claims a list of that owner has, each once and in order.
fn listed_under(harness: &Harness, key: &str) -> usize {
    let filter = allocator::filter::ClaimFilter {
        owner_prefix: Some(owner(key)),
        ..Default::default()
    };
    let mut names = Vec::new();
    loop {
        let after = names.last();
        let page = harness.state.claims(&name(TENANT), &filter, after, 1_000);
        let page = page.unwrap();
        names.extend(page.items.into_iter().map(|claim| claim.spec.name));
        if page.next.is_none() {
            break;
        }
    }
    assert!(names.is_sorted());
    names.len()
}

#[test]
fn a_list_by_owner_examines_what_the_owner_holds_alone() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    for text in ["z", "m", "a"] {
        own(&mut harness, text, "p", "node-1/eth0");
    }
    for number in 0..3 {
        let operations = (0..999).map(|other| {
            let spec = claim(&format!("b{number}-{other}"), "p", "");
            allocator::command::Operation::CreateClaim(Box::new(spec))
        });
        harness.ok(Command::Batch {
            tenant: name(TENANT),
            atomic: true,
            operations: operations.collect(),
        });
    }
    let filter = allocator::filter::ClaimFilter {
        owner_prefix: Some(owner("node-1")),
        ..Default::default()
    };
    // One page, although more rows lie between them than a call examines.
    let page = harness.state.claims(&name(TENANT), &filter, None, 100);
    let page = page.unwrap();
    let names: Vec<&str> = page
        .items
        .iter()
        .map(|one| one.spec.name.as_str())
        .collect();
    assert_eq!((names, page.next), (vec!["a", "m", "z"], None));
    assert_eq!(listed_under(&harness, "node-1"), 3);
}

#[test]
fn more_than_a_command_may_touch_goes_in_steps() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    // Past the audit of each command: ten thousand claims and one, in batches.
    let batch = |from: u32| {
        let operations = (from..from + 667).map(|number| {
            let mut spec = claim(&format!("c{number}"), "p", "");
            spec.owner = Some(owner("node-1"));
            allocator::command::Operation::CreateClaim(Box::new(spec))
        });
        Command::Batch {
            tenant: name(TENANT),
            atomic: true,
            operations: operations.collect(),
        }
    };
    for from in (0..10_005).step_by(667) {
        harness.ok(batch(from));
    }
    assert_eq!(listed_under(&harness, "node-1"), 10_005);
    let seen = harness.state.revision();
    assert_eq!(
        crate::refusals::line(&harness.refused(owned(exact("node-1"), seen, None))),
        "too_many blocks 10005 10000"
    );
    assert_eq!(
        step(&mut harness, exact("node-1"), Some(10_000)),
        (10_000, 5)
    );
    assert_eq!(step(&mut harness, exact("node-1"), None), (5, 0));
}

/// What owners have, of every kind: held, kept, carved, in several pools.
fn possessions() -> Harness {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    for (text, cidr) in [("z", "10.0.0.0/16"), ("a", "10.1.0.0/16")] {
        harness.pool(living(root(text, cidr), life));
        for (part, key) in [(1, "node-1"), (2, "node-1/x"), (3, "node-10")] {
            own(&mut harness, &format!("{text}{part}"), text, key);
            own(&mut harness, &format!("left-{text}{part}"), text, key);
            harness.release(&format!("left-{text}{part}"));
            let mut spec = child(&format!("kid-{text}{part}"), text, "24");
            spec.owner = Some(owner(key));
            harness.pool(spec);
        }
        harness.take(&format!("nobody-{text}"), text, "");
    }
    harness
}

#[test]
fn lists_by_owner_are_the_lists_without_one_and_less() {
    let harness = possessions();
    let tenant = name(TENANT);
    let everything = |filter: &AllocationFilter, limit| {
        let mut items: Vec<AllocationView> = Vec::new();
        let mut after = None;
        loop {
            let page = harness
                .state
                .allocations(&tenant, filter, after.as_ref(), limit);
            let page = page.unwrap();
            items.extend(page.items);
            after = page.next;
            if after.is_none() {
                return items;
            }
        }
    };
    let pools = |filter: &PoolFilter, limit| {
        let mut items: Vec<PoolView> = Vec::new();
        loop {
            let after = items.last().map(|view| view.spec.name.clone());
            let page = harness.state.pools(&tenant, filter, after.as_ref(), limit);
            let page = page.unwrap();
            items.extend(page.items);
            if page.next.is_none() {
                return items;
            }
        }
    };
    let all = everything(&AllocationFilter::default(), 100);
    let all_pools = pools(&PoolFilter::default(), 100);
    let mut found = 0;
    for key in ["node-1", "node-1/x", "node-10", "node"] {
        for limit in [1, 2, 100] {
            for prefix in [false, true] {
                let wanted = owner(key);
                let (exact, under) = if prefix {
                    (None, Some(wanted.clone()))
                } else {
                    (Some(wanted.clone()), None)
                };
                let has = |there: Option<&Owner>| {
                    there.is_some_and(|there| {
                        *there == wanted || prefix && there.as_str().starts_with(&format!("{key}/"))
                    })
                };
                let filter = AllocationFilter {
                    owner: exact.clone(),
                    owner_prefix: under.clone(),
                    ..AllocationFilter::default()
                };
                let expected: Vec<AllocationView> = all
                    .iter()
                    .filter(|view| has(view.owner.as_ref()))
                    .cloned()
                    .collect();
                found += expected.len();
                assert_eq!(
                    everything(&filter, limit),
                    expected,
                    "{key} {limit} {prefix}"
                );
                let filter = PoolFilter {
                    owner: exact,
                    owner_prefix: under,
                    ..PoolFilter::default()
                };
                let expected: Vec<PoolView> = all_pools
                    .iter()
                    .filter(|view| has(view.spec.owner.as_ref()))
                    .cloned()
                    .collect();
                assert_eq!(pools(&filter, limit), expected, "{key} {limit} {prefix}");
            }
        }
    }
    // Two pools, three kinds: 6 of each owner; by prefix node-1 has those of node-1/x too.
    assert_eq!(found, 3 * (6 * 3 + 6 * 4));
}
