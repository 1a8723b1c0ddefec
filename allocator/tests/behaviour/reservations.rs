//! Claims that withhold a block: outside of the pool's bounds, counted as reserved, kept for nobody.

use allocator::answer::{Outcome, Rejection};
use allocator::command::ClaimSpec;
use allocator::edit::PoolChange;
use allocator::filter::AllocationFilter;
use allocator::life::{PoolLife, ReclaimPolicy};
use allocator::view::Purpose;

use crate::support::{
    Harness, TENANT, block, bounds, claim, exclusions, living, name, pool_delete, root,
};

/// A /24 from which claims get /28s, with a grace and a longest lease.
fn harness() -> Harness {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(60),
        max_ttl_seconds: Some(600),
        ..PoolLife::default()
    };
    let spec = bounds(root("p", "10.0.0.0/24"), Some(28), Some(28), None);
    harness.pool(living(spec, life));
    harness
}

fn reservation(text: &str, wanted: &str) -> ClaimSpec {
    let mut spec = claim(text, "p", wanted);
    spec.reservation = true;
    spec
}

#[test]
fn a_reservation_withholds_its_block_whatever_the_pools_bounds_are() {
    let mut harness = harness();
    for (text, wanted, expected) in [
        ("gateway", "10.0.0.1/32", "10.0.0.1/32"),
        ("half", "10.0.0.128/25", "10.0.0.128/25"),
        ("next", "30", "10.0.0.4/30"),
    ] {
        let view = harness.claim(reservation(text, wanted));
        assert_eq!(view.block, block(expected));
        assert_eq!(view.expires_at_ms, None, "the longest lease is for claims");
    }
    let view = harness.view("p");
    assert_eq!(view.capacity.reserved.as_u128(), Some(1 + 128 + 4));
    assert_eq!(view.capacity.allocated.as_u128(), Some(0));
    assert_eq!(view.out_of_policy, 0);
    assert_eq!(harness.take("c", "p", "28"), "10.0.0.16/28");
    let filter = AllocationFilter {
        purpose: Some(Purpose::Reservation),
        ..AllocationFilter::default()
    };
    let page = harness
        .state
        .allocations(&name(TENANT), &filter, None, 10)
        .unwrap();
    let held: Vec<_> = page
        .items
        .iter()
        .map(|item| item.claim.as_ref().map(|(_, name)| name.to_string()))
        .collect();
    assert_eq!(
        held,
        ["gateway", "next", "half"].map(|text| Some(text.to_string()))
    );
}

#[test]
fn a_reservation_that_is_released_is_free_at_once() {
    let mut harness = harness();
    harness.claim(reservation("r", "10.0.0.0/28"));
    assert_eq!(harness.take("c", "p", "28"), "10.0.0.16/28");
    harness.release("r");
    let view = harness.view("p");
    assert_eq!(
        (view.claims.released, view.capacity.reserved.as_u128()),
        (0, Some(0))
    );
    assert_eq!(harness.take("d", "p", "28"), "10.0.0.0/28");
}

#[test]
fn what_a_reservation_cannot_ask_for_is_told_by_its_field() {
    let mut harness = harness();
    let mut kept = reservation("r", "28");
    kept.life.grace_seconds = Some(0);
    let mut retained = reservation("r", "28");
    retained.life.reclaim_policy = Some(ReclaimPolicy::Retain);
    for (spec, field) in [(kept, "graceSeconds"), (retained, "reclaimPolicy")] {
        assert!(matches!(
            harness.refused(spec),
            Rejection::InvalidField(fields) if fields[0].field == field
        ));
    }
    assert!(matches!(
        harness.refused(reservation("r", "23")),
        Rejection::PrefixLengthOutOfBounds {
            min: 24,
            max: 32,
            ..
        }
    ));
    harness.claim(reservation("r", "24"));
    // A repeat is one of the same purpose.
    assert!(matches!(
        harness.ok(reservation("r", "24")),
        Outcome::ClaimRepeated(_)
    ));
    assert!(matches!(
        harness.refused(claim("r", "p", "24")),
        Rejection::ClaimMismatch { field, .. } if field == "purpose"
    ));
}

#[test]
fn a_reservation_may_have_a_lease_and_ends_with_it() {
    let mut harness = harness();
    let mut spec = reservation("window", "10.0.0.0/28");
    spec.life.ttl_seconds = Some(10);
    harness.claim(spec);
    harness.later(10_000);
    harness.expire();
    assert_eq!(harness.take("c", "p", "28"), "10.0.0.0/28");
}

#[test]
fn an_operator_may_withhold_more_of_a_pool_that_drains_and_has_to_give_it_back_before_it_goes() {
    let mut harness = harness();
    harness.edit("p", vec![PoolChange::Drain(true)]);
    harness.claim(reservation("r", "32"));
    // The pool's own reservations change around it.
    harness.edit("p", vec![exclusions(&[("10.0.0.0-10.0.0.3", "edge")])]);
    assert_eq!(harness.view("p").out_of_policy, 0);
    assert!(matches!(
        harness.refused(pool_delete("p")),
        Rejection::PoolInUse { claims: 1, holders, .. } if holders.len() == 1
    ));
    harness.release("r");
    assert_eq!(harness.view("p").capacity.reserved.as_u128(), Some(4));
    harness.ok(pool_delete("p"));
}

#[test]
fn a_renewal_does_not_give_a_reservation_the_lease_that_claims_need() {
    let mut harness = harness();
    harness.claim(reservation("r", "28"));
    let renew = allocator::command::Command::ClaimRenew(allocator::command::ClaimRenew {
        tenant: name(TENANT),
        name: name("r"),
        owner: None,
        generation: None,
        ttl_seconds: None,
    });
    assert!(matches!(
        harness.refused(renew),
        Rejection::InvalidField(fields) if fields[0].field == "ttlSeconds"
    ));
}
