//! Leases: confirm, renew, expiry.

use allocator::answer::{Outcome, Rejection, Swept};
use allocator::command::{ClaimConfirm, ClaimRenew, Command};
use allocator::life::PoolLife;
use allocator::view::{ClaimView, EventKind, Phase};

use crate::support::{Harness, TENANT, claim, living, name, owner, release, root};

fn confirm(text: &str, key: Option<&str>, generation: Option<u64>) -> Command {
    Command::ClaimConfirm(ClaimConfirm {
        tenant: name(TENANT),
        name: name(text),
        owner: key.map(owner),
        generation,
    })
}

fn renew(text: &str, key: Option<&str>, generation: Option<u64>, ttl: Option<u32>) -> Command {
    Command::ClaimRenew(ClaimRenew {
        tenant: name(TENANT),
        name: name(text),
        owner: key.map(owner),
        generation,
        ttl_seconds: ttl,
    })
}

fn view(outcome: Outcome) -> ClaimView {
    match outcome {
        Outcome::ClaimConfirmed(view) | Outcome::ClaimRenewed(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn leased(max_ttl_seconds: Option<u32>) -> Harness {
    let mut harness = Harness::new();
    let life = PoolLife {
        max_ttl_seconds,
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/24"), life));
    harness
}

fn remains_ms(harness: &Harness, view: &ClaimView) -> Option<u64> {
    Some(view.expires_at_ms? - harness.state.clock().wall_ms())
}

#[test]
fn a_confirmed_claim_is_in_use_until_it_is_released() {
    let mut harness = leased(None);
    let held = harness.claim(claim("c", "p", ""));
    let used = view(harness.ok(confirm("c", None, Some(held.generation))));
    assert_eq!(used.phase, Phase::InUse);
    assert_eq!(used.in_use_at_ms, Some(harness.state.clock().wall_ms()));
    let pool = harness.view("p");
    assert_eq!((pool.claims.in_use, pool.claims.allocated), (1, 1));
    // A repeat changes nothing.
    let revision = harness.state.revision();
    assert_eq!(view(harness.ok(confirm("c", None, None))), used);
    assert_eq!(harness.state.revision(), revision);
    let ended = harness.release("c");
    assert_eq!(ended.in_use_at_ms, used.in_use_at_ms);
    assert_eq!(harness.view("p").claims.in_use, 0);
    harness.take("c", "p", "");
    assert_eq!(harness.view("p").claims.in_use, 0);
}

#[test]
fn a_lease_is_the_claims_own_or_the_pools_longest() {
    // The pool's maximum; what the claim states; what it gets.
    let table = [
        (None, None, None),
        (None, Some(60), Some(60)),
        (Some(100), None, Some(100)),
        (Some(100), Some(60), Some(60)),
        (Some(100), Some(100), Some(100)),
    ];
    for (row, (most, asked, given)) in table.into_iter().enumerate() {
        let mut harness = leased(most);
        let mut spec = claim("c", "p", "");
        spec.life.ttl_seconds = asked;
        let held = harness.claim(spec);
        assert_eq!(held.spec.life.ttl_seconds, asked);
        assert_eq!(
            remains_ms(&harness, &held),
            given.map(|seconds: u64| seconds * 1_000),
            "row {row}"
        );
    }
}

#[test]
fn a_lease_that_is_over_ends_the_claim_and_never_before() {
    let mut harness = leased(Some(100));
    let held = harness.claim(claim("c", "p", ""));
    // Ten seconds before the end it is told, once.
    harness.later(89_970);
    assert_eq!(harness.expire(), Swept::default());
    let told = Swept {
        expiring: 1,
        ..Swept::default()
    };
    harness.later(11);
    assert_eq!(harness.expire(), told);
    assert_eq!(harness.expire(), Swept::default());
    let expiring = harness.state.claim(&name(TENANT), &name("c")).unwrap();
    assert!(expiring.expiring_since_ms.is_some());
    harness.later(9_970);
    assert_eq!(harness.expire(), Swept::default());
    let expired = Swept {
        expired: 1,
        ..Swept::default()
    };
    assert_eq!(harness.expire(), expired);
    let gone = harness.state.claim(&name(TENANT), &name("c"));
    let Err(Rejection::ClaimNotFound {
        ended: Some(ended), ..
    }) = gone
    else {
        panic!("{gone:?}")
    };
    assert_eq!(
        (ended.generation, ended.phase, ended.expires_at_ms),
        (held.generation, Phase::Released, None)
    );
    // Its holder's late release is done already.
    assert!(matches!(
        harness.ok(release("c", Some(held.generation))),
        Outcome::ClaimAlreadyReleased(_)
    ));
    let kinds: Vec<EventKind> = harness
        .state
        .events(None, 100)
        .unwrap()
        .items
        .iter()
        .skip(2)
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            EventKind::Allocated,
            EventKind::Expiring,
            EventKind::Expired
        ]
    );
}

#[test]
fn a_renewal_counts_from_now() {
    let mut harness = leased(Some(100));
    let held = harness.claim(claim("c", "p", ""));
    harness.later(60_000);
    let renewed = view(harness.ok(renew("c", None, Some(held.generation), None)));
    assert_eq!(renewed.generation, held.generation);
    assert_eq!(remains_ms(&harness, &renewed), Some(100_000));
    // A shorter one is the lease from then on.
    let renewed = view(harness.ok(renew("c", None, None, Some(40))));
    assert_eq!(renewed.spec.life.ttl_seconds, Some(40));
    assert_eq!(remains_ms(&harness, &renewed), Some(40_000));
    harness.later(36_500);
    assert_eq!(harness.expire().expiring, 1);
    let renewed = view(harness.ok(renew("c", None, None, None)));
    assert_eq!(remains_ms(&harness, &renewed), Some(40_000));
    assert_eq!(renewed.expiring_since_ms, None);
    // What is over and not ended yet is still its holder's to renew.
    harness.later(90_000);
    view(harness.ok(renew("c", None, None, None)));
    assert_eq!(harness.expire(), Swept::default());
    // A claim without a lease gets one only if its length is told.
    let mut harness = leased(None);
    harness.claim(claim("c", "p", ""));
    assert!(matches!(
        harness.refused(renew("c", None, None, None)),
        Rejection::InvalidField(_)
    ));
    let renewed = view(harness.ok(renew("c", None, None, Some(7))));
    assert_eq!(remains_ms(&harness, &renewed), Some(7_000));
}

#[test]
fn an_expired_lease_has_its_grace() {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(50),
        max_ttl_seconds: Some(100),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/32"), life));
    harness.claim(claim("c", "p", ""));
    harness.later(100_000);
    // Nobody else gets the block: first the lease ends, then the grace.
    harness.refused(claim("d", "p", ""));
    assert_eq!(harness.expire().expired, 1);
    harness.later(49_900);
    harness.refused(claim("d", "p", ""));
    assert!(harness.claim(claim("c", "p", "")).returned);
    harness.release("c");
    harness.later(50_000);
    assert!(!harness.claim(claim("d", "p", "")).returned);
}

#[test]
fn a_step_is_bounded_and_takes_the_earliest_first() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/16"));
    for number in 0..20 {
        let mut spec = claim(&format!("c{number}"), "p", "");
        spec.life.ttl_seconds = Some(200 - number);
        harness.claim(spec);
    }
    harness.later(1_000_000);
    let Outcome::Expired(swept) = harness.ok(Command::Expire { holds_max: 5 }) else {
        panic!("an expiry step answers with what it did")
    };
    let five = Swept {
        expired: 5,
        more: true,
        ..Swept::default()
    };
    assert_eq!(swept, five);
    for number in 0..20 {
        let there = harness
            .state
            .claim(&name(TENANT), &name(&format!("c{number}")));
        assert_eq!(there.is_ok(), number < 15, "c{number}");
    }
    assert_eq!(harness.expire().expired, 15);
    assert_eq!(harness.state.next_due_ms(), None);
}
