//! Declared live sets.

use std::collections::{BTreeMap, BTreeSet};

use allocator::State;
use allocator::answer::{Outcome, Rejection};
use allocator::command::{ClaimConfirm, Command};
use allocator::life::PoolLife;
use allocator::reconcile::{
    EPOCH_END, Live, Reconcile, Reconciled, SCOPE_IDLE_MS, Scope, TENANT_SCOPES_MAX,
};
use allocator::view::{ClaimView, Phase};
use proptest::prelude::*;

use crate::owners::{held, listed, own};
use crate::support::{Harness, TENANT, block, claim, labels, living, name, owner, root};

/// Who is there of those under `node-1`, by the rules that most callers have.
pub(crate) fn live(owners: &str, epoch: u64, sightings: u8, grace_seconds: u32) -> Reconcile {
    Reconcile {
        tenant: name(TENANT),
        scope: Scope::OwnerPrefix(owner("node-1")),
        live: Live::Owners(owners.split_whitespace().map(owner).collect()),
        epoch,
        grace_seconds,
        sightings,
        release_at_most: None,
        as_of_revision: None,
    }
}

pub(crate) fn given(reconcile: Reconcile) -> Command {
    Command::OwnersReconcile(Box::new(reconcile))
}

fn call(harness: &mut Harness, reconcile: Reconcile) -> Reconciled {
    match harness.ok(given(reconcile)) {
        Outcome::Reconciled(reconciled) => *reconciled,
        other => panic!("{other:?}"),
    }
}

/// Suspects with their sightings, what was released, and who is missing.
fn told(found: &Reconciled) -> (String, String, String) {
    let suspects: Vec<String> = found
        .suspects
        .iter()
        .map(|one| format!("{}:{}x{}", one.holder.as_str(), one.blocks, one.sightings))
        .collect();
    let released: Vec<&str> = found
        .released
        .iter()
        .map(|one| one.claim.as_str())
        .collect();
    assert_eq!(found.suspects_total, suspects.len() as u64);
    (
        suspects.join(" "),
        released.join(" "),
        found.missing.join(" "),
    )
}

fn said(harness: &mut Harness, reconcile: Reconcile) -> (String, String, String) {
    told(&call(harness, reconcile))
}

fn words(one: &str, other: &str, last: &str) -> (String, String, String) {
    (one.to_owned(), other.to_owned(), last.to_owned())
}

fn nodes() -> Harness {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    for (text, key) in [
        ("a", "node-1/x"),
        ("b", "node-1/y"),
        ("c", "node-1/y"),
        ("d", "node-10/x"),
        ("e", "node-1"),
    ] {
        own(&mut harness, text, "p", key);
    }
    harness.take("f", "p", "");
    harness
}

#[test]
fn one_who_is_not_there_in_two_calls_and_for_long_enough_is_released() {
    let mut harness = nodes();
    let first = said(&mut harness, live("node-1 node-1/x", 7, 2, 60));
    assert_eq!(first, words("node-1/y:2x1", "", ""));
    harness.later(30_000);
    let second = said(&mut harness, live("node-1 node-1/x", 8, 2, 60));
    assert_eq!(second, words("node-1/y:2x2", "", ""));
    harness.later(30_000);
    let third = said(&mut harness, live("node-1 node-1/x", 9, 2, 60));
    assert_eq!(third, words("", "b c", ""));
    assert_eq!(held(&harness), "a d e f");
    // It holds nothing any more: as a live one it would be missing.
    let fourth = said(&mut harness, live("node-1 node-1/x node-1/y", 10, 2, 60));
    assert_eq!(fourth, words("", "", "node-1/y"));
}

#[test]
fn one_sighting_releases_at_once_and_whole_segments_only() {
    let mut harness = nodes();
    let found = call(&mut harness, live("", 1, 1, 0));
    assert_eq!(told(&found), words("", "a b c e", ""));
    assert_eq!(held(&harness), "d f");
    let holding = &found.released[0];
    assert_eq!(
        (
            holding.space.as_str(),
            holding.pool.as_str(),
            holding.cidr,
            holding.generation,
            holding.owner.clone()
        ),
        (
            "default",
            "p",
            block("10.0.0.0/32"),
            1,
            Some(owner("node-1/x"))
        )
    );
}

#[test]
fn what_a_holder_does_shows_that_it_is_there() {
    let confirm = |harness: &mut Harness| {
        harness.ok(Command::ClaimConfirm(ClaimConfirm {
            tenant: name(TENANT),
            name: name("b"),
            owner: Some(owner("node-1/y")),
            generation: None,
        }));
    };
    let claims_more = |harness: &mut Harness| own(harness, "new", "p", "node-1/y");
    let acts: [&dyn Fn(&mut Harness); 2] = [&confirm, &claims_more];
    for act in acts {
        let mut harness = nodes();
        said(&mut harness, live("node-1 node-1/x", 1, 2, 60));
        act(&mut harness);
        harness.later(90_000);
        let second = call(&mut harness, live("node-1 node-1/x", 2, 2, 60));
        assert_eq!(second.suspects[0].sightings, 1, "{second:?}");
        assert!(second.released.is_empty());
        harness.later(60_000);
        let third = call(&mut harness, live("node-1 node-1/x", 3, 2, 60));
        let of_one = third.released.iter().map(|one| one.owner.clone());
        assert_eq!(
            of_one.collect::<BTreeSet<_>>(),
            BTreeSet::from([Some(owner("node-1/y"))])
        );
        assert!(
            !held(&harness).contains(['b', 'c', 'n']),
            "{}",
            held(&harness)
        );
    }
}

#[test]
fn one_that_comes_back_is_no_suspect_any_more() {
    let mut harness = nodes();
    said(&mut harness, live("node-1 node-1/x", 1, 2, 0));
    said(&mut harness, live("node-1 node-1/x node-1/y", 2, 2, 0));
    let third = said(&mut harness, live("node-1 node-1/x", 3, 2, 0));
    assert_eq!(third, words("node-1/y:2x1", "", ""));
}

#[test]
fn what_came_after_the_caller_looked_is_no_suspect() {
    let mut harness = nodes();
    let seen = harness.state.revision();
    own(&mut harness, "new", "p", "node-1/z");
    own(&mut harness, "more", "p", "node-1/x");
    let fenced = Reconcile {
        as_of_revision: Some(seen),
        ..live("node-1", 1, 1, 0)
    };
    assert_eq!(said(&mut harness, fenced), words("", "b c", ""));
    assert_eq!(held(&harness), "a d e f more new");
}

#[test]
fn an_epoch_counts_once_and_never_goes_back() {
    let mut harness = nodes();
    let asked = live("node-1 node-1/x", 5, 2, 0);
    said(&mut harness, asked.clone());
    let revision = harness.state.revision();
    for _ in 0..3 {
        let repeat = call(&mut harness, asked.clone());
        assert!(repeat.repeated);
        assert_eq!(told(&repeat), words("node-1/y:2x1", "", ""));
    }
    assert_eq!(harness.state.revision(), revision);
    let older = harness.refused(given(live("node-1 node-1/x", 4, 2, 0)));
    assert_eq!(crate::refusals::line(&older), "epoch_stale 4 5");
    // Each scope has epochs of its own.
    let other = Reconcile {
        scope: Scope::OwnerPrefix(owner("node-10")),
        ..live("", 1, 2, 0)
    };
    assert_eq!(said(&mut harness, other), words("node-10/x:1x1", "", ""));
    let released = call(&mut harness, live("node-1 node-1/x", 6, 2, 0));
    assert_eq!(
        (told(&released).1.as_str(), released.repeated),
        ("b c", false)
    );
    let repeat = call(&mut harness, live("node-1 node-1/x", 6, 2, 0));
    assert_eq!(told(&repeat), words("", "", ""));
}

#[test]
fn more_than_the_caller_expects_releases_nothing_and_counts_nothing() {
    let mut harness = nodes();
    let bounded = |most| Reconcile {
        release_at_most: Some(most),
        ..live("node-1", 3, 1, 0)
    };
    let refused = harness.refused(given(bounded(2)));
    assert_eq!(crate::refusals::line(&refused), "too_many_suspects 3 2");
    // The epoch was not used up.
    assert_eq!(said(&mut harness, bounded(3)), words("", "a b c", ""));
}

#[test]
fn claims_that_are_there_keep_their_owner_and_those_without_one_stand_alone() {
    let mut harness = Harness::new();
    harness.pool(root("p", "10.0.0.0/24"));
    for (text, key, tier) in [
        ("a", "x", "web"),
        ("b", "x", "web"),
        ("c", "y", "web"),
        ("d", "", "web"),
        ("e", "", "web"),
        ("f", "", "db"),
    ] {
        let mut spec = claim(text, "p", "");
        spec.owner = (!key.is_empty()).then(|| owner(key));
        spec.labels = labels(&[("tier", tier), ("app", "shop")]);
        harness.claim(spec);
    }
    let scope = Scope::Labels(labels(&[("app", "shop"), ("tier", "web")]));
    let owners = Reconcile {
        scope: scope.clone(),
        ..live("y", 1, 2, 0)
    };
    // What has no owner cannot be declared by owners: it is left alone.
    assert_eq!(said(&mut harness, owners), words("x:2x1", "", ""));
    let claims = Reconcile {
        scope,
        live: Live::Claims(vec![name("b"), name("d"), name("gone")]),
        ..live("", 2, 1, 0)
    };
    assert_eq!(said(&mut harness, claims), words("", "c e", "gone"));
    assert_eq!(held(&harness), "a b d f");
}

#[test]
fn a_suspect_is_released_as_its_claims_would_be() {
    let mut harness = Harness::new();
    let life = PoolLife {
        grace_seconds: Some(60),
        ..PoolLife::default()
    };
    harness.pool(living(root("p", "10.0.0.0/24"), life));
    own(&mut harness, "a", "p", "node-1/x");
    let found = call(&mut harness, live("", 1, 1, 0));
    let kept = harness
        .state
        .allocation(&name(TENANT), &name("default"), block("10.0.0.0/32"))
        .unwrap();
    assert_eq!(kept.phase, Phase::Released);
    // What is kept is not held: no suspect, and a report of it is done already.
    assert_eq!(said(&mut harness, live("", 2, 1, 0)), words("", "", ""));
    let generation = found.released[0].generation;
    let Outcome::OwnerReleased(applied) = harness.ok(listed(&[("10.0.0.0/32", generation)])) else {
        panic!("a release")
    };
    assert_eq!((applied.released, applied.already_ended), (0, 1));
}

#[test]
fn scopes_go_with_their_tenant_and_after_a_week_without_a_call() {
    let mut harness = nodes();
    said(&mut harness, live("", 9, 2, 0));
    harness.later(SCOPE_IDLE_MS + 1_000);
    let other = Reconcile {
        scope: Scope::OwnerPrefix(owner("other")),
        ..live("", 1, 2, 0)
    };
    said(&mut harness, other);
    // Forgotten: an epoch from before is as good as any, and nothing was sighted.
    let first = call(&mut harness, live("node-1 node-1/x", 1, 2, 0));
    assert_eq!(told(&first), words("node-1/y:2x1", "", ""));
    for text in ["a", "b", "c", "d", "e", "f"] {
        harness.release(text);
    }
    harness.ok(crate::support::pool_delete("p"));
    harness.ok(Command::TenantDelete {
        tenant: name(TENANT),
    });
    harness.ok(crate::support::tenant(TENANT));
    let anew = call(&mut harness, live("", 1, 2, 0));
    assert!(!anew.repeated);
}

#[test]
fn a_scope_that_was_not_named_for_a_week_begins_anew_with_any_epoch() {
    let mut harness = nodes();
    said(&mut harness, live("", EPOCH_END - 1, 2, 0));
    harness.later(SCOPE_IDLE_MS - 1_000);
    let too_early = harness.refused(given(live("node-1 node-1/x", 1, 2, 0)));
    assert!(matches!(too_early, Rejection::EpochStale { .. }));
    harness.later(1_000);
    let first = call(&mut harness, live("node-1 node-1/x", 1, 2, 0));
    assert_eq!(told(&first), words("node-1/y:2x1", "", ""));
}

#[test]
fn epochs_and_scopes_have_bounds() {
    let mut harness = nodes();
    let labelled = |bytes: usize| Reconcile {
        scope: Scope::Labels(labels(&[
            ("k", &"v".repeat(255)),
            ("l", &"v".repeat(255)),
            ("m", &"v".repeat(255)),
            ("n", &"v".repeat(bytes - 769)),
        ])),
        ..live("", 1, 2, 0)
    };
    let accepted = [live("", EPOCH_END - 1, 2, 0), labelled(1_024)];
    let refused = [
        (live("", EPOCH_END, 2, 0), "invalid_field epoch"),
        (labelled(1_025), "invalid_field scope.labels"),
    ];
    for (one, (other, expected)) in accepted.into_iter().zip(refused) {
        call(&mut harness, one);
        let refusal = harness.refused(given(other));
        assert_eq!(crate::refusals::line(&refusal), expected);
    }
}

#[test]
fn one_tenant_does_not_take_the_scopes_of_all() {
    let mut harness = nodes();
    harness.ok(Command::TenantCreate(Box::new(crate::support::tenant("b"))));
    let of = |holder: &str, number: usize| {
        given(Reconcile {
            tenant: name(holder),
            scope: Scope::OwnerPrefix(owner(&format!("n{number}"))),
            ..live("", 1, 2, 0)
        })
    };
    let commands: Vec<Command> = (0..TENANT_SCOPES_MAX).map(|n| of(TENANT, n)).collect();
    harness.together(commands);
    let refusal = harness.refused(of(TENANT, TENANT_SCOPES_MAX));
    assert_eq!(
        crate::refusals::line(&refusal),
        "too_many scopes 10001 10000"
    );
    harness.ok(of("b", TENANT_SCOPES_MAX));
    // A scope that is there takes no further place.
    let again = Reconcile {
        scope: Scope::OwnerPrefix(owner("n0")),
        ..live("", 2, 2, 0)
    };
    call(&mut harness, again);
}

#[test]
fn suspects_outlive_a_restart() {
    let mut harness = nodes();
    said(&mut harness, live("node-1 node-1/x", 1, 2, 60));
    let cut = harness.state.cut();
    State::audit_cut(&cut).unwrap();
    harness.state = State::from_pages(cut.pages()).unwrap();
    harness.later(60_000);
    let older = harness.refused(given(live("", 0, 2, 0)));
    assert_eq!(crate::refusals::line(&older), "epoch_stale 0 1");
    let second = said(&mut harness, live("node-1 node-1/x", 2, 2, 60));
    assert_eq!(second, words("", "b c", ""));
}

/// What happens between calls.
#[derive(Debug, Clone)]
enum Step {
    Claim(u8, u8),
    Release(u8),
    Confirm(u8),
    Later(u8),
    Call {
        live: Vec<u8>,
        back: bool,
        sightings: u8,
        grace: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let call = (
        prop::collection::vec(0_u8..6, 0..5),
        prop::bool::weighted(0.2),
        1_u8..=2,
        0_u8..4,
    );
    let step = prop_oneof![
        4 => (0_u8..12, 0_u8..6).prop_map(|(text, key)| Step::Claim(text, key)),
        1 => (0_u8..12).prop_map(Step::Release),
        1 => (0_u8..12).prop_map(Step::Confirm),
        2 => (0_u8..4).prop_map(Step::Later),
        5 => call.prop_map(|(live, back, sightings, grace)| Step::Call { live, back, sightings, grace }),
    ];
    prop::collection::vec(step, 1..60)
}

const KEYS: [&str; 6] = [
    "node-1",
    "node-1/x",
    "node-1/x/y",
    "node-1-x",
    "node-10/x",
    "node-1/z",
];

fn in_scope(key: &str) -> bool {
    key == "node-1" || key.starts_with("node-1/")
}

/// A list of suspects: when and at which revision each was seen first, and how often.
#[derive(Default)]
struct Naive {
    epoch: u64,
    suspects: BTreeMap<String, (u64, u64, u32)>,
}

impl Naive {
    /// The claims that a call of a new epoch releases.
    fn call(
        &mut self,
        held: &[ClaimView],
        live: &[&str],
        (now_ms, revision): (u64, u64),
        (sightings, grace_ms): (u32, u64),
    ) -> BTreeSet<String> {
        let key = |claim: &ClaimView| claim.spec.owner.as_ref().unwrap().to_string();
        let mut released = BTreeSet::new();
        let mut suspects = BTreeMap::new();
        let absent: BTreeSet<String> = held
            .iter()
            .map(key)
            .filter(|key| in_scope(key) && !live.contains(&key.as_str()))
            .collect();
        for absent in absent {
            let of_one: Vec<&ClaimView> = held.iter().filter(|one| key(one) == absent).collect();
            let changed = of_one.iter().map(|one| one.revision).max().unwrap();
            let (first_ms, first_revision, seen) = match self.suspects.get(&absent) {
                Some((ms, first, seen)) if changed <= *first => (*ms, *first, seen + 1),
                _ => (now_ms, revision, 1),
            };
            if seen >= sightings && now_ms - first_ms >= grace_ms {
                released.extend(of_one.iter().map(|one| one.spec.name.to_string()));
            } else {
                suspects.insert(absent, (first_ms, first_revision, seen));
            }
        }
        self.suspects = suspects;
        released
    }
}

fn claims(harness: &Harness) -> Vec<ClaimView> {
    let filter = allocator::filter::ClaimFilter::default();
    let page = harness.state.claims(&name(TENANT), &filter, None, 1_000);
    page.unwrap().items
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_live_owner_loses_a_block_and_a_dead_one_loses_all_or_none(steps in steps()) {
        let mut harness = Harness::new();
        harness.pool(root("p", "10.0.0.0/24"));
        let mut naive = Naive::default();
        for step in steps {
            match step {
                Step::Claim(text, key) => {
                    let mut spec = claim(&format!("c{text}"), "p", "");
                    spec.owner = Some(owner(KEYS[usize::from(key)]));
                    harness.answer(spec);
                }
                Step::Release(text) => {
                    harness.answer(crate::support::release(&format!("c{text}"), None));
                }
                Step::Confirm(text) => {
                    let text = name(&format!("c{text}"));
                    let of = claims(&harness).into_iter().find(|one| one.spec.name == text);
                    harness.answer(Command::ClaimConfirm(ClaimConfirm {
                        tenant: name(TENANT),
                        name: text,
                        owner: of.and_then(|claim| claim.spec.owner),
                        generation: None,
                    }));
                }
                Step::Later(seconds) => harness.later(u64::from(seconds) * 1_000),
                Step::Call { live: keys, back, sightings, grace } => {
                    let alive: Vec<&str> = keys.iter().map(|key| KEYS[usize::from(*key)]).collect();
                    let epoch = if back { naive.epoch } else { naive.epoch + 1 };
                    let before = claims(&harness);
                    let revision = harness.state.revision();
                    let asked = live(&alive.join(" "), epoch, sightings, u32::from(grace));
                    let found = call(&mut harness, asked);
                    let now = (harness.state.clock().now_ms(), revision);
                    let repeated = back && found.repeated;
                    let expected = if repeated {
                        BTreeSet::new()
                    } else {
                        naive.epoch = epoch;
                        naive.call(&before, &alive, now, (u32::from(sightings), u64::from(grace) * 1_000))
                    };
                    let released: BTreeSet<String> = found.released.iter().map(|one| one.claim.to_string()).collect();
                    prop_assert_eq!(&released, &expected);
                    for one in &found.released {
                        let key = one.owner.as_ref().unwrap().to_string();
                        prop_assert!(in_scope(&key) && !alive.contains(&key.as_str()));
                    }
                    let suspects: BTreeSet<String> = found.suspects.iter().map(|one| one.holder.as_str().to_owned()).collect();
                    let left: BTreeSet<String> = claims(&harness).iter().map(|one| one.spec.owner.as_ref().unwrap().to_string()).collect();
                    let known = naive.suspects.keys().filter(|key| left.contains(*key) && !(repeated && alive.contains(&key.as_str())));
                    prop_assert_eq!(suspects, known.cloned().collect::<BTreeSet<_>>());
                }
            }
        }
    }
}
