//! Kept blocks whose pool is edited meanwhile, and edits of how long blocks are held and kept.

use allocator::answer::{Outcome, Rejection};
use allocator::command::{ClaimFrom, Command, PoolRef, PoolSelector};
use allocator::edit::{ClaimChange, ClaimEdit, PoolChange};
use allocator::filter::LabelSelector;
use allocator::life::{PoolLife, ReclaimPolicy};
use allocator::prefix::Family;
use allocator::view::{ClaimView, Phase};

use crate::support::{
    Harness, TENANT, block, claim, exclusions, living, name, pool_edit, root, within,
};

/// A pool of four addresses with a grace of 60 s, at most as long for a claim.
fn harness() -> Harness {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/30"), life));
    harness
}

fn claim_edit(text: &str, changes: Vec<ClaimChange>) -> Command {
    Command::ClaimEdit(Box::new(ClaimEdit {
        tenant: name(TENANT),
        name: name(text),
        changes,
    }))
}

fn edited(harness: &mut Harness, text: &str, changes: Vec<ClaimChange>) -> ClaimView {
    match harness.ok(claim_edit(text, changes)) {
        Outcome::ClaimEdited(view) => *view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_holder_gets_back_only_what_lies_where_its_claim_wants_it() {
    let mut harness = harness();
    assert_eq!(harness.take("a", "p", "32"), "10.0.0.0/32");
    harness.release("a");
    let elsewhere = harness.claim(within(claim("a", "p", "32"), "10.0.0.2-10.0.0.3"));
    assert_eq!(
        (elsewhere.block, elsewhere.returned),
        (block("10.0.0.2/32"), false)
    );
    harness.release("a");
    let back = harness.claim(within(claim("a", "p", "32"), "10.0.0.0/31"));
    assert_eq!((back.block, back.returned), (block("10.0.0.0/32"), true));
}

#[test]
fn what_a_pool_withholds_by_now_does_not_go_back_to_its_holder() {
    let mut harness = harness();
    harness.take("a", "p", "32");
    harness.release("a");
    harness.edit("p", vec![exclusions(&[("10.0.0.0-10.0.0.0", "router")])]);
    assert_eq!(harness.view("p").out_of_policy, 1);
    assert_eq!(harness.take("a", "p", "32"), "10.0.0.1/32");
    // Once its grace is over it is reserved, and not handed out.
    harness.later(60_000);
    harness.expire();
    let view = harness.view("p");
    assert_eq!(view.out_of_policy, 0);
    assert_eq!(view.capacity.reserved.as_u128(), Some(1));
    assert_eq!(harness.take("b", "p", "32"), "10.0.0.2/32");
}

#[test]
fn a_holder_gets_its_block_back_from_a_pool_that_drains() {
    let mut harness = harness();
    harness.take("a", "p", "32");
    harness.release("a");
    harness.edit("p", vec![PoolChange::Drain(true)]);
    assert!(matches!(
        harness.refused(claim("b", "p", "32")),
        Rejection::PoolDraining { .. }
    ));
    assert!(harness.claim(claim("a", "p", "32")).returned);
}

#[test]
fn an_edited_grace_counts_for_what_is_released_from_then_on() {
    let mut harness = harness();
    for text in ["a", "b"] {
        harness.take(text, "p", "32");
    }
    harness.release("a");
    harness.edit("p", vec![PoolChange::GraceSeconds(Some(5))]);
    harness.release("b");
    harness.later(5_000);
    harness.expire();
    let view = harness.view("p");
    assert_eq!(
        view.claims.released, 1,
        "the grace of the first was fixed at its release"
    );
    assert_eq!(harness.take("c", "p", "32"), "10.0.0.1/32");
}

#[test]
fn what_an_edited_pool_says_of_grace_and_leases_does_not_contradict_itself() {
    let mut harness = harness();
    let table = [
        (vec![PoolChange::MaxGraceSeconds(Some(60))], None),
        (
            vec![PoolChange::MaxGraceSeconds(Some(59))],
            Some("graceSeconds"),
        ),
        (
            vec![
                PoolChange::ReclaimPolicy(Some(ReclaimPolicy::Retain)),
                PoolChange::AllowRetain(Some(true)),
            ],
            None,
        ),
        (
            vec![PoolChange::AllowRetain(Some(false))],
            Some("reclaimPolicy"),
        ),
        (vec![PoolChange::MaxTtlSeconds(Some(1))], None),
        (
            vec![PoolChange::MaxTtlSeconds(Some(0))],
            Some("maxTtlSeconds"),
        ),
    ];
    for (changes, field) in table {
        match field {
            None => {
                harness.edit("p", changes);
            }
            Some(field) => match harness.refused(pool_edit("p", changes)) {
                Rejection::InvalidField(fields) => assert_eq!(fields[0].field, field),
                other => panic!("{other:?}"),
            },
        }
    }
}

#[test]
fn another_time_limit_of_a_claim_begins_when_it_is_edited() {
    let mut harness = harness();
    harness.take("a", "p", "32");
    harness.later(10_000);
    let leased = edited(&mut harness, "a", vec![ClaimChange::TtlSeconds(Some(30))]);
    assert!(leased.expires_at_ms.is_some());
    harness.later(10_000);
    // The same again changes nothing: a lease is renewed by its own request.
    let same = edited(&mut harness, "a", vec![ClaimChange::TtlSeconds(Some(30))]);
    assert_eq!(same.revision, leased.revision);
    let shorter = edited(&mut harness, "a", vec![ClaimChange::TtlSeconds(Some(5))]);
    assert!(shorter.expires_at_ms < leased.expires_at_ms);
    harness.later(4_900);
    harness.expire();
    assert_eq!(harness.view("p").claims.allocated, 1);
    let none = edited(&mut harness, "a", vec![ClaimChange::TtlSeconds(None)]);
    assert_eq!(none.expires_at_ms, None);
    harness.later(1_000_000);
    harness.expire();
    harness.edit("p", vec![PoolChange::MaxTtlSeconds(Some(100))]);
    let bounded = edited(&mut harness, "a", vec![ClaimChange::TtlSeconds(Some(100))]);
    assert_eq!(bounded.phase, Phase::Allocated);
    assert!(matches!(
        harness.refused(claim_edit("a", vec![ClaimChange::TtlSeconds(Some(101))])),
        Rejection::InvalidField(fields) if fields[0].field == "ttlSeconds"
    ));
}

#[test]
fn an_edited_claim_says_how_long_its_block_is_kept() {
    let mut harness = harness();
    harness.take("a", "p", "32");
    edited(&mut harness, "a", vec![ClaimChange::GraceSeconds(Some(7))]);
    assert!(matches!(
        harness.refused(claim_edit("a", vec![ClaimChange::GraceSeconds(Some(61))])),
        Rejection::InvalidField(fields) if fields[0].field == "graceSeconds"
    ));
    assert!(matches!(
        harness.refused(claim_edit(
            "a",
            vec![ClaimChange::ReclaimPolicy(Some(ReclaimPolicy::Retain))]
        )),
        Rejection::InvalidField(fields) if fields[0].field == "reclaimPolicy"
    ));
    harness.release("a");
    harness.later(6_900);
    harness.expire();
    assert_eq!(harness.view("p").claims.released, 1);
    harness.later(100);
    harness.expire();
    assert_eq!(harness.view("p").claims.released, 0);
}

#[test]
fn what_cannot_be_changed_can_be_restated_as_it_was_asked_for_or_as_it_came_out() {
    let pool = |tenant: Option<&str>, text: &str| {
        ClaimChange::Pool(Some(PoolRef {
            tenant: tenant.map(name),
            name: name(text),
        }))
    };
    let length = |length| ClaimChange::PrefixLength(Some(length));
    let family = |family| ClaimChange::Family(Some(family));
    let cidr = |text: &str| ClaimChange::Cidr(Some(block(text)));
    let any = || {
        Box::new(PoolSelector {
            tenant: None,
            family: None,
            labels: LabelSelector::default(),
        })
    };
    let by_selector = |text: &str| {
        let mut spec = claim(text, "unused", "32");
        spec.from = ClaimFrom::Selector(any());
        spec
    };
    // How it was asked for, what is stated later, and the field that is refused.
    let table = [
        // By its block, as an import asks.
        (claim("c", "p", "10.0.0.0/32"), length(32), None),
        (
            claim("c", "p", "10.0.0.0/32"),
            length(31),
            Some("prefixLength"),
        ),
        (claim("c", "p", "10.0.0.0/32"), family(Family::IPv4), None),
        (
            claim("c", "p", "10.0.0.0/32"),
            family(Family::IPv6),
            Some("family"),
        ),
        (claim("c", "p", "10.0.0.0/32"), cidr("10.0.0.0/32"), None),
        (
            claim("c", "p", "10.0.0.0/32"),
            ClaimChange::Cidr(None),
            Some("cidr"),
        ),
        // By its length, or by nothing.
        (claim("c", "p", "32"), cidr("10.0.0.0/32"), None),
        (claim("c", "p", "32"), cidr("10.0.0.1/32"), Some("cidr")),
        (
            claim("c", "p", "32"),
            ClaimChange::PrefixLength(None),
            Some("prefixLength"),
        ),
        (claim("c", "p", ""), length(32), None),
        (claim("c", "p", ""), ClaimChange::PrefixLength(None), None),
        (claim("c", "p", ""), ClaimChange::Family(None), None),
        // From a pool, or from one of several.
        (claim("c", "p", ""), pool(None, "p"), None),
        (claim("c", "p", ""), pool(Some(TENANT), "p"), None),
        (claim("c", "p", ""), pool(None, "q"), Some("pool")),
        (claim("c", "p", ""), pool(Some("other"), "p"), Some("pool")),
        (claim("c", "p", ""), ClaimChange::Pool(None), Some("pool")),
        (
            claim("c", "p", ""),
            ClaimChange::PoolSelector(Some(any())),
            Some("poolSelector"),
        ),
        (
            by_selector("c"),
            ClaimChange::PoolSelector(Some(any())),
            None,
        ),
        (
            by_selector("c"),
            ClaimChange::PoolSelector(None),
            Some("poolSelector"),
        ),
        (by_selector("c"), ClaimChange::Pool(None), None),
        (by_selector("c"), pool(None, "p"), None),
        (by_selector("c"), pool(None, "q"), Some("pool")),
    ];
    for (asked, stated, refused) in table {
        let mut harness = harness();
        let before = harness.claim(asked.clone());
        let revision = harness.state.revision();
        let case = format!("{asked:?} {stated:?}");
        let answer = harness.answer(claim_edit("c", vec![stated])).result;
        match (answer, refused) {
            (Ok(Outcome::ClaimEdited(view)), None) => assert_eq!(*view, before, "{case}"),
            (Err(Rejection::InvalidField(problems)), Some(field)) => {
                let fields: Vec<&str> = problems.iter().map(|one| &*one.field).collect();
                assert_eq!(fields, [field], "{case}");
            }
            (other, _) => panic!("{case}: {other:?}"),
        }
        assert_eq!(harness.state.revision(), revision, "{case}");
    }
}
