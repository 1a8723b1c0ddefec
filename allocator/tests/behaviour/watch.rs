//! What a watch tells: every event once, in order, from any place on; what it concerns as it was.

use allocator::State;
use allocator::command::{ClaimConfirm, ClaimRenew, ClaimSpec, Command, Position};
use allocator::edit::PoolChange;
use allocator::filter::{LabelRequirement, LabelSelector};
use allocator::life::{ClaimLife, PoolLife};
use allocator::view::{EventId, EventKind, Phase};
use allocator::watch::{EventFilter, WatchedEvent, WatchedKind, WatchedObject};

use crate::support::{
    Given, Harness, TENANT, batch, claim, create_claim, entry, labels, living, name, owner,
    pool_delete, release, release_claim, root, tenant,
};

/// All events after a place, page after page.
fn all(state: &State, after: EventId, filter: &EventFilter, limit: usize) -> Vec<WatchedEvent> {
    let (mut told, mut after) = (Vec::new(), after);
    loop {
        let page = state.watch(after, filter, limit).unwrap();
        assert!(page.items.len() <= limit && page.reached >= after);
        told.extend(page.items);
        after = page.reached;
        if page.is_end {
            return told;
        }
    }
}

fn everything() -> EventFilter {
    EventFilter::default()
}

const START: EventId = EventId {
    revision: 0,
    ordinal: 0,
};

fn confirm(text: &str) -> Command {
    Command::ClaimConfirm(ClaimConfirm {
        tenant: name(TENANT),
        name: name(text),
        owner: None,
        generation: None,
    })
}

/// Three commands: one event, three of one revision, two of one revision.
fn round(number: u64) -> [Command; 3] {
    let (one, two) = (format!("a{number}"), format!("b{number}"));
    let pair = vec![
        create_claim(&two, "p", ""),
        release_claim(&one, None),
        create_claim(&one, "p", ""),
    ];
    let both = vec![release_claim(&one, None), release_claim(&two, None)];
    [
        Given::from(claim(&one, "p", "")).0,
        batch(true, pair),
        batch(true, both),
    ]
}

#[test]
fn a_watcher_cut_off_at_any_of_10_000_revisions_goes_on_with_the_next_event_on_any_node() {
    let mut state = State::new();
    let mut index = 0;
    let mut apply = |state: &mut State, command: Command| {
        index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index,
        };
        let answers = state.apply(at, &entry(index, vec![command]));
        assert!(answers[0].result.is_ok(), "{answers:?}");
    };
    apply(&mut state, Given::from(tenant(TENANT)).0);
    apply(&mut state, Given::from(root("p", "10.0.0.0/24")).0);
    let (mut live, mut seen) = (Vec::new(), START);
    for number in 0..3_333 {
        for command in round(number) {
            apply(&mut state, command);
            // One that follows has each revision as a whole, at once.
            let page = state.watch(seen, &everything(), 100).unwrap();
            assert!(page.is_end && page.reached == EventId::end_of(state.revision()));
            live.extend(page.items.iter().map(|event| (event.id, event.kind)));
            seen = page.reached;
        }
    }
    assert!(state.revision() >= 10_000, "{}", state.revision());
    // Another node, which has all that from a snapshot.
    let other = State::from_pages(state.cut().pages()).unwrap();
    let told = all(&state, START, &everything(), 1_000);
    let ids: Vec<(EventId, EventKind)> = told.iter().map(|event| (event.id, event.kind)).collect();
    assert_eq!(ids, live);
    assert!(ids.is_sorted_by(|one, two| one.0 < two.0));
    assert_eq!(all(&other, START, &everything(), 997), told);
    for revision in 0..=state.revision() {
        let after = EventId::end_of(revision);
        let next = told.partition_point(|event| event.id <= after);
        let page = other.watch(after, &everything(), 2).unwrap();
        let expected: Vec<WatchedEvent> = told.iter().skip(next).take(2).cloned().collect();
        assert_eq!(page.items, expected, "after revision {revision}");
    }
    for (place, event) in told.iter().enumerate() {
        let page = other.watch(event.id, &everything(), 1).unwrap();
        assert_eq!(
            page.items.first(),
            told.get(place + 1),
            "after {:?}",
            event.id
        );
    }
    let later = other
        .watch(EventId::end_of(u64::MAX), &everything(), 1)
        .unwrap();
    assert!(later.items.is_empty() && later.is_end && later.reached.revision == u64::MAX);
}

#[test]
fn a_page_looks_at_a_bounded_number_of_events() {
    let mut state = State::new();
    let mut commands = vec![
        Given::from(tenant(TENANT)).0,
        Given::from(root("p", "10.0.0.0/24")).0,
    ];
    commands.extend((0..1_500).flat_map(round));
    let at = Position {
        term: 1,
        node: 1,
        index: 1,
    };
    state.apply(at, &entry(1, commands));
    let filter = EventFilter {
        kind: Some(WatchedKind::Tenant),
        ..everything()
    };
    let page = state.watch(EventId::end_of(1), &filter, 10).unwrap();
    assert!(page.items.is_empty() && !page.is_end);
    assert!(page.reached < EventId::end_of(state.revision()));
    assert!(all(&state, EventId::end_of(1), &filter, 10).is_empty());
}

/// Two tenants with a pool `p` each, claims with owners and labels in them, all events of a life.
fn lived() -> Harness {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    let mut pool = living(root("p", "10.0.0.0/30"), life);
    pool.labels = labels(&[("tier", "db")]);
    harness.pool(pool.clone());
    harness.ok(tenant("other"));
    pool.tenant = name("other");
    harness.pool(pool);
    let mut theirs = claim("theirs", "p", "");
    theirs.tenant = name("other");
    harness.claim(theirs);
    harness.claim(ClaimSpec {
        owner: Some(owner("node-1")),
        labels: labels(&[("app", "web")]),
        life: ClaimLife {
            ttl_seconds: Some(100),
            ..ClaimLife::default()
        },
        ..claim("web", "p", "")
    });
    harness.claim(claim("plain", "p", ""));
    harness.ok(confirm("plain"));
    harness.ok(Command::ClaimRenew(ClaimRenew {
        tenant: name(TENANT),
        name: name("web"),
        owner: Some(owner("node-1")),
        generation: None,
        ttl_seconds: None,
    }));
    harness.later(95_000);
    harness.expire();
    harness.later(10_000);
    harness.expire();
    harness.ok(release("plain", None));
    harness.claim(claim("plain", "p", ""));
    harness.later(60_000);
    harness.expire();
    harness.edit("p", vec![PoolChange::Description("edited".into())]);
    harness.ok(release("plain", None));
    harness.later(60_000);
    harness.expire();
    harness.ok(pool_delete("p"));
    harness
}

fn kinds(events: &[WatchedEvent]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn a_filter_lets_through_what_it_names_and_nothing_else() {
    use EventKind::{
        Allocated, Confirmed, Expired, Expiring, PoolChanged, PoolCreated, PoolDeleted, Reclaimed,
        Released, Renewed, Returned, TenantCreated,
    };
    let harness = lived();
    let selector = |requirement| LabelSelector {
        requirements: vec![requirement],
    };
    let web = LabelRequirement::In("app".into(), vec!["web".into()]);
    let acme = EventFilter {
        tenant: Some(name(TENANT)),
        ..everything()
    };
    let of_web = vec![Allocated, Renewed, Expiring, Expired, Reclaimed];
    let table: Vec<(&str, EventFilter, Vec<EventKind>)> = vec![
        (
            "a tenant",
            acme.clone(),
            vec![
                TenantCreated,
                PoolCreated,
                Allocated,
                Allocated,
                Confirmed,
                Renewed,
                Expiring,
                Expired,
                Released,
                Returned,
                Reclaimed,
                PoolChanged,
                Released,
                Reclaimed,
                PoolDeleted,
            ],
        ),
        (
            "another tenant",
            EventFilter {
                tenant: Some(name("other")),
                ..everything()
            },
            vec![TenantCreated, PoolCreated, Allocated],
        ),
        (
            "a tenant that never was",
            EventFilter {
                tenant: Some(name("nobody")),
                ..everything()
            },
            vec![],
        ),
        (
            "pools",
            EventFilter {
                kind: Some(WatchedKind::Pool),
                ..acme.clone()
            },
            vec![PoolCreated, PoolChanged, PoolDeleted],
        ),
        (
            "tenants",
            EventFilter {
                kind: Some(WatchedKind::Tenant),
                ..everything()
            },
            vec![TenantCreated, TenantCreated],
        ),
        (
            "a pool that never was",
            EventFilter {
                pool: Some(name("q")),
                ..everything()
            },
            vec![],
        ),
        (
            "claims of a pool",
            EventFilter {
                pool: Some(name("p")),
                kind: Some(WatchedKind::Claim),
                tenant: Some(name("other")),
                ..everything()
            },
            vec![Allocated],
        ),
        (
            "an owner; a deletion is told to all",
            EventFilter {
                owner: Some(owner("node-1")),
                ..acme.clone()
            },
            [of_web.clone(), vec![PoolDeleted]].concat(),
        ),
        (
            "labels of claims",
            EventFilter {
                labels: selector(web),
                kind: Some(WatchedKind::Claim),
                ..acme
            },
            of_web,
        ),
        (
            "labels of pools",
            EventFilter {
                labels: selector(LabelRequirement::Exists("tier".into())),
                ..everything()
            },
            vec![PoolCreated, PoolDeleted],
        ),
    ];
    for (what, filter, expected) in table {
        for limit in [1, 100] {
            assert_eq!(
                kinds(&all(&harness.state, START, &filter, limit)),
                expected,
                "{what}"
            );
        }
    }
}

#[test]
fn an_event_tells_the_holding_as_far_as_it_had_come() {
    let harness = lived();
    let filter = EventFilter {
        tenant: Some(name(TENANT)),
        kind: Some(WatchedKind::Claim),
        ..everything()
    };
    let told = all(&harness.state, START, &filter, 100);
    let lines: Vec<String> = told
        .iter()
        .map(|event| {
            let WatchedObject::Claim(claim) = &event.object else {
                panic!("{event:?}")
            };
            assert_eq!(claim.revision, event.id.revision);
            assert_eq!(
                claim.phase == Phase::Released,
                claim.released_at_ms.is_some()
            );
            let used = if claim.in_use_at_ms.is_some() {
                " used"
            } else {
                ""
            };
            format!(
                "{:?} {} {} {:?}{used}",
                event.kind, claim.spec.name, claim.block, claim.phase
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "Allocated web 10.0.0.0/32 Allocated",
            "Allocated plain 10.0.0.1/32 Allocated",
            "Confirmed plain 10.0.0.1/32 InUse used",
            "Renewed web 10.0.0.0/32 Allocated",
            "Expiring web 10.0.0.0/32 Allocated",
            "Expired web 10.0.0.0/32 Released",
            "Released plain 10.0.0.1/32 Released used",
            "Returned plain 10.0.0.1/32 Allocated",
            "Reclaimed web 10.0.0.0/32 Released",
            "Released plain 10.0.0.1/32 Released",
            "Reclaimed plain 10.0.0.1/32 Released",
        ]
    );
    let pools = EventFilter {
        kind: Some(WatchedKind::Pool),
        ..everything()
    };
    let told = all(&harness.state, START, &pools, 100);
    let there: Vec<bool> = told
        .iter()
        .map(|event| matches!(event.object, WatchedObject::Pool(_)))
        .collect();
    assert_eq!(
        there,
        [false, true, false, false],
        "only other's pool is left"
    );
}

#[test]
fn a_pool_that_was_made_again_is_not_the_one_of_an_earlier_event() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/30"));
    harness.ok(pool_delete("p"));
    harness.pool(root("p", "10.9.0.0/30"));
    let told = all(&harness.state, EventId::end_of(1), &everything(), 100);
    let objects: Vec<Option<String>> = told
        .iter()
        .map(|event| match &event.object {
            WatchedObject::Pool(pool) => Some(pool.cidrs[0].cidr.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(objects, [None, None, Some("10.9.0.0/30".to_owned())]);
}

#[test]
fn names_of_other_things_than_tenants_are_not_known_as_tenants() {
    let mut harness = Harness::new();
    harness.pool(root("secret-vpc", "10.0.0.0/30"));
    harness.take("c", "secret-vpc", "");
    harness.release("c");
    harness.ok(Command::TenantCreate(Box::new(tenant("left"))));
    let gone = name("left");
    harness.ok(Command::TenantDelete {
        tenant: gone.clone(),
    });
    assert!(harness.state.tenant_is_known(&name(TENANT)));
    assert!(harness.state.tenant_is_known(&gone), "its events are kept");
    for other in [
        "secret-vpc",
        "c",
        "default",
        "tester",
        "192.0.2.1",
        "nobody",
    ] {
        assert!(!harness.state.tenant_is_known(&name(other)), "{other}");
    }
}

#[test]
fn a_pool_that_was_made_again_at_the_same_wall_time_is_another_one() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/30"));
    let made = harness.state.revision();
    harness.together(vec![
        crate::support::pool_edit("p", vec![PoolChange::Drain(true)]),
        pool_delete("p"),
        Given::from(root("p", "10.9.0.0/30")).0,
    ]);
    let told = all(&harness.state, EventId::end_of(made), &everything(), 100);
    let gone: Vec<bool> = told
        .iter()
        .map(|event| event.object == WatchedObject::Gone)
        .collect();
    assert_eq!(gone, [true, true, false]);
}
