//! Kept blocks: for whom, until when, and that nobody else gets them.

use allocator::answer::Rejection;
use allocator::command::{AllocationReclaim, ClaimSpec, Command, Quota};
use allocator::filter::AllocationFilter;
use allocator::life::{PoolLife, ReclaimPolicy};
use allocator::view::{ClaimView, EventKind, Phase};

use crate::support::{
    Harness, TENANT, block, bounds, claim, from_pool, living, name, owner, pool_delete, release,
    root, tenant,
};

/// A day.
const DAY_S: u32 = 86_400;
const DAY_MS: u64 = 86_400_000;

fn grace(seconds: u32) -> PoolLife {
    PoolLife {
        grace_seconds: Some(seconds),
        ..PoolLife::default()
    }
}

/// A pool of /24s with a grace of a day: as many as `cidr` has.
fn slice(cidr: &str) -> Harness {
    let mut harness = Harness::new();
    let spec = bounds(root("p", cidr), None, None, Some(24));
    harness.pool(living(spec, grace(DAY_S)));
    harness
}

fn owned(text: &str, key: &str) -> ClaimSpec {
    let mut spec = claim(text, "p", "");
    spec.owner = Some(owner(key));
    spec
}

fn gone(harness: &Harness, text: &str) -> Option<ClaimView> {
    match harness.state.claim(&name(TENANT), &name(text)) {
        Err(Rejection::ClaimNotFound { ended, .. }) => ended.map(|view| *view),
        other => panic!("{other:?}"),
    }
}

fn reclaim(cidr: &str, generation: u64) -> Command {
    Command::AllocationReclaim(AllocationReclaim {
        tenant: name(TENANT),
        space: name("default"),
        cidr: block(cidr),
        generation,
    })
}

/// Steps of a cluster's life and the block that each comes to (`research/seeds.md` §1C and §3,
/// Retain): `+a` claims for owner `a`, `-a` releases its claim, `~60` lets a minute pass, `!` does
/// what is due, `full` is the refusal.
#[test]
fn kept_subnets() {
    let table = [
        // A cluster that comes back within the grace has its subnet back.
        ("10.1.0.0/16", "+a=0 +b=1 -a ~80000 +a=0 +c=2"),
        // Nobody else gets it meanwhile, although it is the lowest.
        ("10.1.0.0/16", "+a=0 -a +b=1 +c=2 +a=0"),
        (
            "10.1.0.0/23",
            "+a=0 +b=1 -a +c=full ~86399 ! +c=full ~1 +c=0",
        ),
        // What is due and not swept is still its holder's until another needs it.
        ("10.1.0.0/23", "+a=0 -a ~100000 +b=1 +a=0"),
        ("10.1.0.0/23", "+a=0 -a ~100000 ! +b=0 +a=1"),
        ("10.1.0.0/23", "+a=0 +b=1 -a -b ~86400 +c=0 +b=1"),
        // The block that was released last comes back first.
        ("10.1.0.0/22", "+a=0 +b=1 -a ~1 -b ~1 +b=1 -b +b=1"),
        // The grace counts from the release, not from the claim, and anew after a return.
        (
            "10.1.0.0/24",
            "+a=0 ~90000 -a ~86399 +b=full +a=0 -a ~86399 +b=full ~1 +b=0",
        ),
    ];
    for (cidr, steps) in table {
        let mut harness = slice(cidr);
        for step in steps.split_whitespace() {
            let (what, rest) = step.split_at(1);
            match what {
                "~" => harness.later(rest.parse::<u64>().unwrap() * 1_000),
                "-" => {
                    harness.release(rest);
                }
                "!" => {
                    harness.expire();
                }
                _ => {
                    let (who, expected) = rest.split_once('=').unwrap();
                    let answer = harness.answer(owned(who, who)).result;
                    let found = match answer {
                        Ok(_) => {
                            let held = harness.state.claim(&name(TENANT), &name(who)).unwrap();
                            let text = held.block.to_string();
                            text.split('.').nth(2).unwrap().to_string()
                        }
                        Err(Rejection::PoolExhausted { .. }) => "full".to_string(),
                        Err(other) => panic!("{steps}: {other:?}"),
                    };
                    assert_eq!(found, expected, "{step} of {steps}");
                }
            }
        }
    }
}

#[test]
fn a_released_block_is_kept_and_shown_as_such() {
    let mut harness = slice("10.1.0.0/22");
    let held = harness.claim(owned("c", "node-1"));
    let released = harness.release("c");
    assert_eq!(released.phase, Phase::Released);
    let wall_ms = harness.state.clock().wall_ms();
    assert_eq!(released.released_at_ms, Some(wall_ms));
    assert_eq!(released.reclaim_at_ms, Some(wall_ms + DAY_MS));
    // The claim is gone, and what is known of it is told.
    assert_eq!(gone(&harness, "c"), Some(released.clone()));
    let claims = harness.state.claims(
        &name(TENANT),
        &allocator::filter::ClaimFilter::default(),
        None,
        10,
    );
    assert!(claims.unwrap().items.is_empty());
    assert_eq!(harness.state.claims_total(), 0);
    // The allocation is there, with the names.
    let filter = AllocationFilter {
        phase: Some(Phase::Released),
        ..AllocationFilter::default()
    };
    let listed = harness
        .state
        .allocations(&name(TENANT), &filter, None, 10)
        .unwrap()
        .items;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].claim, Some((name(TENANT), name("c"))));
    assert_eq!(listed[0].owner, Some(owner("node-1")));
    assert_eq!(listed[0].reclaim_at_ms, released.reclaim_at_ms);
    assert_eq!(listed[0].generation, held.generation);
    let looked = harness
        .state
        .lookup(&name(TENANT), &name("default"), held.block)
        .unwrap();
    assert_eq!(looked.allocation.as_ref(), Some(&listed[0]));
    assert_eq!(looked.claim, None);
    let pool = harness.view("p");
    assert_eq!(pool.capacity.released.as_u128(), Some(256));
    assert_eq!(pool.capacity.allocated.as_u128(), Some(0));
    assert_eq!(pool.claims.released, 1);
    assert_eq!(pool.utilization_e4, 2_500);
    // A release of that generation is repeated, also once the name has a new holder.
    harness.claim(owned("c", "node-2"));
    let again = harness.ok(release("c", Some(held.generation)));
    assert_eq!(
        again,
        allocator::answer::Outcome::ClaimAlreadyReleased(Box::new(ClaimView {
            reclaim_at_ms: harness.state.claims_total().checked_sub(1).map(|_| harness
                .state
                .clock()
                .wall_ms()
                + DAY_MS
                - 20),
            ..released
        }))
    );
    // It counts as held.
    harness.release("c");
    match harness.refused(pool_delete("p")) {
        Rejection::PoolInUse {
            claims, holders, ..
        } => assert_eq!((claims, holders.len()), (2, 2)),
        other => panic!("{other:?}"),
    }
    harness.refused(Command::TenantDelete {
        tenant: name(TENANT),
    });
    harness.later(DAY_MS);
    assert_eq!(harness.expire().reclaimed, 2);
    let last = gone(&harness, "c").unwrap();
    assert_eq!((last.phase, last.reclaim_at_ms), (Phase::Released, None));
    harness.ok(pool_delete("p"));
}

#[test]
fn a_return_is_a_new_holding_of_the_same_block() {
    let mut harness = slice("10.1.0.0/22");
    let first = harness.claim(owned("c", "node-1"));
    let released = harness.release("c");
    harness.later(5_000);
    // By the owner, whatever the claim's name.
    let second = harness.claim(owned("d", "node-1"));
    assert_eq!(second.block, first.block);
    assert!(second.returned && second.generation > first.generation);
    assert_eq!(second.previously_released_at_ms, released.released_at_ms);
    assert_eq!(second.first_allocated_at_ms, first.allocated_at_ms);
    assert_ne!(second.allocated_at_ms, first.allocated_at_ms);
    assert_eq!(second.phase, Phase::Allocated);
    assert_eq!((second.released_at_ms, second.reclaim_at_ms), (None, None));
    // A third time, the first time is still known.
    let released = harness.release("d");
    let third = harness.claim(owned("e", "node-1"));
    assert_eq!(third.first_allocated_at_ms, first.allocated_at_ms);
    assert_eq!(third.previously_released_at_ms, released.released_at_ms);
    // Each holding that was is known by its name and generation.
    assert_eq!(gone(&harness, "c").unwrap().generation, first.generation);
    assert_eq!(gone(&harness, "d").unwrap().generation, second.generation);
    let kinds: Vec<(EventKind, u64)> = harness
        .state
        .events(None, 100)
        .unwrap()
        .items
        .iter()
        .skip(2)
        .map(|event| (event.kind, event.claim.as_ref().unwrap().generation))
        .collect();
    let (one, two, three) = (first.generation, second.generation, third.generation);
    assert_eq!(
        kinds,
        [
            (EventKind::Allocated, one),
            (EventKind::Released, one),
            (EventKind::Returned, two),
            (EventKind::Released, two),
            (EventKind::Returned, three),
        ]
    );
}

#[test]
fn only_the_same_key_length_and_pool_bring_a_block_back() {
    let mut harness = slice("10.1.0.0/20");
    harness.pool(living(
        bounds(root("q", "10.2.0.0/20"), None, None, Some(24)),
        grace(DAY_S),
    ));
    let block_of = |view: ClaimView| view.block.to_string();
    assert_eq!(block_of(harness.claim(owned("a", "x"))), "10.1.0.0/24");
    let mut wide = owned("wide", "x");
    wide.prefix_length = Some(23);
    assert_eq!(block_of(harness.claim(wide.clone())), "10.1.2.0/23");
    harness.release("a");
    harness.release("wide");
    // Another owner; a claim whose name is that owner; the claim's name without its owner.
    assert_eq!(block_of(harness.claim(owned("b", "y"))), "10.1.1.0/24");
    assert_eq!(harness.take("x", "p", ""), "10.1.4.0/24");
    assert_eq!(harness.take("a", "p", ""), "10.1.5.0/24");
    // Another pool, another length.
    let mut elsewhere = owned("c", "x");
    elsewhere.from = from_pool("q");
    assert_eq!(block_of(harness.claim(elsewhere)), "10.2.0.0/24");
    let mut long = owned("d", "x");
    long.prefix_length = Some(25);
    assert_eq!(block_of(harness.claim(long)), "10.1.6.0/25");
    // Exactly another block; exactly the kept one, by its holder only.
    let exact = |text: &str, key: &str, cidr: &str| {
        let mut spec = claim(text, "p", cidr);
        spec.owner = Some(owner(key));
        spec
    };
    assert!(!harness.claim(exact("e", "x", "10.1.7.0/24")).returned);
    match harness.refused(exact("f", "z", "10.1.2.0/23")) {
        Rejection::AddressTaken { held, .. } => assert_eq!(held.phase, Phase::Released),
        other => panic!("{other:?}"),
    }
    let back = harness.claim(exact("f", "x", "10.1.2.0/23"));
    assert!(back.returned);
    // And without naming it, by the length.
    assert!(harness.claim(owned("g", "x")).returned);
    // Without an owner it is the claim's name.
    assert_eq!(harness.release("a").block.to_string(), "10.1.5.0/24");
    assert!(harness.claim(claim("a", "p", "")).returned);
}

#[test]
fn full_quotas_do_not_refuse_a_return() {
    let mut harness = Harness::default();
    let mut spec = tenant(TENANT);
    spec.quota = Quota {
        claims: Some(1),
        ipv4_addresses: Some(256),
        ..Quota::default()
    };
    harness.ok(spec);
    harness.pool(living(
        bounds(root("p", "10.1.0.0/22"), None, None, Some(24)),
        grace(DAY_S),
    ));
    harness.claim(owned("a", "x"));
    harness.release("a");
    // A released block counts as used.
    assert!(matches!(
        harness.refused(owned("b", "y")),
        Rejection::QuotaExceeded { .. }
    ));
    assert!(harness.claim(owned("b", "x")).returned);
}

/// `research/seeds.md` §3, Retain.
#[test]
fn what_is_retained_waits_for_an_operator() {
    for (policy, next, released) in [
        (ReclaimPolicy::Delete, "10.0.0.0/32", 0),
        (ReclaimPolicy::Retain, "10.0.0.1/32", 1),
    ] {
        let mut harness = Harness::new();
        let life = PoolLife {
            reclaim_policy: Some(policy),
            ..PoolLife::default()
        };
        harness.pool(living(root("p", "10.0.0.0/31"), life));
        let first = harness.claim(claim("a", "p", ""));
        let view = harness.release("a");
        let freed = (policy == ReclaimPolicy::Delete).then_some(view.released_at_ms);
        assert_eq!(view.reclaim_at_ms, freed.flatten());
        harness.later(1_000 * DAY_MS);
        harness.expire();
        let used = harness.view("p").capacity.released.as_u128();
        assert_eq!(used, Some(released), "{policy:?}");
        assert_eq!(harness.take("b", "p", ""), next);
        if policy == ReclaimPolicy::Retain {
            assert!(matches!(
                harness.refused(claim("c", "p", "")),
                Rejection::PoolExhausted { .. }
            ));
            // Events of its time are long gone; it is known all the same.
            assert_eq!(gone(&harness, "a").unwrap().generation, first.generation);
            harness.ok(reclaim("10.0.0.0/32", first.generation));
            assert_eq!(harness.take("c", "p", ""), "10.0.0.0/32");
        }
    }
}

#[test]
fn an_operator_reclaims_by_generation_and_only_what_was_released() {
    let mut harness = slice("10.1.0.0/22");
    let held = harness.claim(owned("a", "x"));
    let cidr = "10.1.0.0/24";
    match harness.refused(reclaim(cidr, held.generation)) {
        Rejection::NotReleased { held } => assert_eq!(held.phase, Phase::Allocated),
        other => panic!("{other:?}"),
    }
    harness.release("a");
    for stale in [0, held.generation - 1, held.generation + 1] {
        assert_eq!(
            harness.refused(reclaim(cidr, stale)),
            Rejection::GenerationStale {
                given: stale,
                current: Some(held.generation)
            }
        );
    }
    for elsewhere in ["10.1.0.0/25", "10.1.0.0/23", "10.1.1.0/24", "10.9.0.0/24"] {
        assert!(matches!(
            harness.refused(reclaim(elsewhere, held.generation)),
            Rejection::AllocationNotFound { .. }
        ));
    }
    // It came back to its holder meanwhile: the generation says so.
    let back = harness.claim(owned("a", "x"));
    assert!(matches!(
        harness.refused(reclaim(cidr, held.generation)),
        Rejection::GenerationStale { .. }
    ));
    harness.release("a");
    harness.ok(reclaim(cidr, back.generation));
    assert!(matches!(
        harness.refused(reclaim(cidr, back.generation)),
        Rejection::AllocationNotFound { .. }
    ));
    assert!(!harness.claim(owned("a", "x")).returned);
    let events = harness.state.events(None, 100).unwrap().items;
    let reclaimed = events
        .iter()
        .find(|event| event.kind == EventKind::Reclaimed)
        .unwrap();
    assert_eq!(reclaimed.generation, Some(back.generation));
    assert_eq!(&*reclaimed.actor, "tester");
    assert_eq!(reclaimed.claim.as_ref().unwrap().spec.name, name("a"));
}

#[test]
fn a_claim_states_its_own_grace_within_the_pools_bound() {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(10),
        max_grace_seconds: Some(20),
        allow_retain: Some(true),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/24"), life));
    let table = [
        (None, None, Some(10)),
        (Some(0), None, Some(0)),
        (Some(20), None, Some(20)),
        (Some(5), Some(ReclaimPolicy::Delete), Some(5)),
    ];
    for (row, (grace_seconds, reclaim_policy, kept_s)) in table.into_iter().enumerate() {
        let mut spec = claim(&format!("c{row}"), "p", "");
        (spec.life.grace_seconds, spec.life.reclaim_policy) = (grace_seconds, reclaim_policy);
        assert_eq!(harness.claim(spec.clone()).spec, spec);
        let view = harness.release(&format!("c{row}"));
        let wall_ms = harness.state.clock().wall_ms();
        assert_eq!(view.spec, spec);
        assert_eq!(
            view.reclaim_at_ms,
            kept_s.map(|seconds| wall_ms + seconds * 1_000),
            "row {row}"
        );
    }
}

#[test]
fn a_claim_without_room_ends_a_bounded_number_of_what_is_over() {
    // 128 blocks of one address, all kept until the same moment: 64 of them are ended, which is
    // enough for an address and for a /26, not for a /25.
    let fill = || {
        let mut harness = Harness::new();
        harness.pool(living(root("p", "10.0.0.0/25"), grace(10)));
        for number in 0..128 {
            harness.take(&format!("c{number}"), "p", "");
        }
        for number in 0..128 {
            harness.release(&format!("c{number}"));
        }
        harness
    };
    let mut harness = fill();
    harness.later(60_000);
    let digest_before = harness.state.revision();
    assert!(matches!(
        harness.refused(claim("wide", "p", "25")),
        Rejection::PoolExhausted { .. }
    ));
    assert_eq!(harness.state.revision(), digest_before);
    assert_eq!(harness.view("p").claims.released, 128);
    assert_eq!(harness.take("some", "p", "26"), "10.0.0.0/26");
    assert_eq!(harness.view("p").claims.released, 64);
    // The one that is kept for a holder is its own while nobody has needed it.
    assert!(harness.claim(claim("c127", "p", "")).returned);
}

#[test]
fn leases_that_end_in_a_grace_do_not_hide_a_block_whose_grace_is_over() {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(3_600),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/24"), life));
    for number in 0..256 {
        let mut spec = claim(&format!("c{number}"), "p", "");
        if number < 200 {
            spec.life.ttl_seconds = Some(1_800);
        }
        harness.claim(spec);
    }
    harness.release("c255");
    // 200 leases were over long before that block's grace was; their own has not begun yet.
    harness.later(3_599_000);
    let revision = harness.state.revision();
    assert!(matches!(
        harness.refused(claim("early", "p", "")),
        Rejection::PoolExhausted { .. }
    ));
    assert_eq!(harness.state.revision(), revision);
    harness.later(1_000);
    assert_eq!(harness.take("next", "p", ""), "10.0.0.255/32");
    assert_eq!(harness.view("p").claims.allocated, 256);
}
