//! What a pool hands to its holders: whose word counts, and when.

use allocator::State;
use allocator::answer::{Outcome, Rejection};
use allocator::command::{ChildBlock, ClaimSpec, Command, PoolRef, PoolSource, PoolSpec, Sharing};
use allocator::edit::{DnsChange, LabelsChange, PoolChange};
use allocator::handout::{Dns, Handout, Route};
use allocator::view::{ClaimView, EventKind};

use crate::support::{
    Harness, TENANT, address, block, child, claim, labels, living, name, release, root, tenant,
};

pub(crate) fn route(dst: &str, gw: &str) -> Route {
    Route {
        dst: block(dst),
        gw: (!gw.is_empty()).then(|| address(gw)),
        mtu: None,
        advmss: None,
        priority: None,
        table: None,
        scope: None,
    }
}

/// A change of what is handed out.
type Change = fn(&mut Handout);

/// All four.
fn everything() -> Handout {
    Handout {
        routes: Some([route("0.0.0.0/0", "10.0.0.1"), route("10.9.0.0/16", "")].into()),
        dns: Some(
            Dns {
                nameservers: vec![address("10.0.0.53"), address("2001:db8::53")],
                domain: Some("pods.example".into()),
                search: vec!["example".into()],
                options: vec!["ndots:5".into()],
            }
            .into(),
        ),
        mtu: Some(1_450),
        parameters: Some(labels(&[("interface", "eth0"), ("vlan", "7")]).into()),
    }
}

pub(crate) fn handing(mut spec: PoolSpec, handout: Handout) -> PoolSpec {
    spec.handout = handout;
    spec
}

fn mtu(mtu: u32) -> Handout {
    Handout {
        mtu: Some(mtu),
        ..Handout::default()
    }
}

fn held(harness: &Harness, text: &str) -> ClaimView {
    harness.state.claim(&name(TENANT), &name(text)).unwrap()
}

#[test]
fn each_of_the_four_is_the_pools_own_else_that_of_the_next_pool_above_that_states_it() {
    let mut harness = Harness::new();
    harness.pool(handing(root("top", "10.0.0.0/8"), everything()));
    harness.pool(handing(child("mid", "top", "16"), mtu(9_000)));
    let own = Handout {
        routes: Some([].into()),
        parameters: Some(labels(&[("vlan", "8")]).into()),
        ..Handout::default()
    };
    let leaf = harness.pool(handing(child("leaf", "mid", "24"), own.clone()));
    assert_eq!(leaf.spec.handout, own, "what is stated is shown as stated");
    harness.pool(child("plain", "leaf", "28"));
    let of_mid = Handout {
        mtu: Some(9_000),
        ..everything()
    };
    let of_leaf = Handout {
        mtu: Some(9_000),
        dns: everything().dns,
        ..own
    };
    let expected = [
        ("top", everything()),
        ("mid", of_mid),
        ("leaf", of_leaf.clone()),
        ("plain", of_leaf),
    ];
    for (pool, handout) in expected {
        assert_eq!(harness.view(pool).handout, handout, "{pool}");
        let given = harness.claim(claim(&format!("of-{pool}"), pool, ""));
        assert_eq!(given.handout, handout, "{pool}");
        assert_eq!(held(&harness, &format!("of-{pool}")).handout, handout);
    }
}

#[test]
fn an_edit_reaches_every_holder_below_at_once_and_is_an_event_of_its_pool_only() {
    let mut harness = Harness::new();
    harness.pool(root("top", "10.0.0.0/8"));
    harness.pool(child("mid", "top", "16"));
    let leaf = harness.pool(child("leaf", "mid", "24"));
    let before = harness.claim(claim("c", "leaf", ""));
    assert_eq!(before.handout, Handout::default());
    harness.edit("top", vec![PoolChange::Mtu(Some(1_400))]);
    assert_eq!(held(&harness, "c").handout, mtu(1_400));
    harness.edit("leaf", vec![PoolChange::Mtu(Some(1_300))]);
    assert_eq!(held(&harness, "c").handout, mtu(1_300));
    // What states nothing inherits again.
    harness.edit("leaf", vec![PoolChange::Mtu(None)]);
    assert_eq!(held(&harness, "c").handout, mtu(1_400));
    harness.edit("mid", vec![PoolChange::Mtu(Some(1_200))]);
    assert_eq!(held(&harness, "c").handout, mtu(1_200));
    assert_eq!(held(&harness, "c").revision, before.revision);
    let now = harness.view("leaf");
    assert_eq!(
        (now.content_revision, now.out_of_policy),
        (leaf.content_revision + 1, 0),
        "only the claim has changed what it holds"
    );
    let events = harness.state.events(None, 100).unwrap().items;
    let changed: Vec<&str> = events
        .iter()
        .filter(|event| event.kind == EventKind::PoolChanged)
        .filter_map(|event| Some(event.pool.as_ref()?.as_str()))
        .collect();
    assert_eq!(changed, ["top", "leaf", "leaf", "mid"]);
    // The same again is no change.
    let revision = harness.state.revision();
    harness.edit("mid", vec![PoolChange::Mtu(Some(1_200))]);
    assert_eq!(harness.state.revision(), revision);
}

#[test]
fn the_resolver_and_parameters_are_edited_key_by_key() {
    let mut harness = Harness::new();
    harness.pool(handing(root("p", "10.0.0.0/24"), everything()));
    let entries = |pairs: &[(&str, Option<&str>)]| {
        let entries = pairs.iter();
        PoolChange::Parameters(Some(LabelsChange {
            clear: false,
            entries: entries
                .map(|(key, value)| ((*key).into(), value.map(Into::into)))
                .collect(),
        }))
    };
    let after = harness.edit(
        "p",
        vec![
            PoolChange::Dns(Some(vec![
                DnsChange::Domain(None),
                DnsChange::Search(vec!["a".into(), "b".into()]),
            ])),
            entries(&[("vlan", None), ("gatewayMac", Some("02:00:00:00:00:01"))]),
        ],
    );
    let expected = Dns {
        domain: None,
        search: vec!["a".into(), "b".into()],
        ..Dns::clone(everything().dns.as_ref().unwrap())
    };
    assert_eq!(after.handout.dns.as_deref(), Some(&expected));
    let parameters = labels(&[("gatewayMac", "02:00:00:00:00:01"), ("interface", "eth0")]);
    assert_eq!(after.handout.parameters.as_deref(), Some(&parameters));
    // What is taken away key by key leaves the pool's own, which is empty (RFC 7396).
    let gone = [("gatewayMac", None), ("interface", None)];
    let after = harness.edit("p", vec![entries(&gone), PoolChange::Routes(Some(vec![]))]);
    assert_eq!(after.spec.handout.parameters.as_deref(), Some(&labels(&[])));
    harness.pool(handing(child("kid", "p", "28"), mtu(1_000)));
    let kid = harness.edit("kid", vec![PoolChange::Dns(Some(vec![]))]);
    assert_eq!(kid.handout.dns.as_deref(), Some(&Dns::default()));
    let kid = harness.edit(
        "kid",
        vec![
            PoolChange::Dns(None),
            PoolChange::Mtu(None),
            PoolChange::Parameters(None),
        ],
    );
    assert_eq!(kid.spec.handout, Handout::default());
    assert_eq!(kid.handout, harness.view("p").handout);
}

#[test]
fn holders_of_another_tenants_pool_get_what_that_pool_hands_out() {
    let mut harness = Harness::new();
    harness.ok(tenant("b"));
    let mut spec = handing(root("shared", "10.0.0.0/16"), everything());
    spec.shared_with = Sharing::Everyone;
    harness.pool(spec);
    let shared = PoolRef {
        tenant: Some(name(TENANT)),
        name: name("shared"),
    };
    let given = harness.claim(ClaimSpec::new(name("b"), name("c"), shared.clone()));
    assert_eq!(given.handout, everything());
    let source = PoolSource::Child {
        parent: shared,
        block: ChildBlock::Length(24),
    };
    let own = PoolSpec::new(name("b"), name("own"), source);
    assert_eq!(harness.pool(own).handout, everything());
    harness.edit("shared", vec![PoolChange::Mtu(Some(1_200))]);
    let of_own = PoolRef {
        tenant: None,
        name: name("own"),
    };
    let given = harness.claim(ClaimSpec::new(name("b"), name("d"), of_own));
    assert_eq!(given.handout.mtu, Some(1_200));
}

#[test]
fn what_the_root_says_reaches_the_deepest_pool_that_there_can_be() {
    let mut harness = Harness::new();
    harness.pool(handing(root("p8", "10.0.0.0/8"), everything()));
    for length in 9..24 {
        let parent = format!("p{}", length - 1);
        harness.pool(child(&format!("p{length}"), &parent, &length.to_string()));
    }
    assert!(matches!(
        harness.refused(child("p24", "p23", "24")),
        Rejection::InvalidField(_)
    ));
    assert_eq!(harness.claim(claim("c", "p23", "")).handout, everything());
}

#[test]
fn a_holding_that_has_ended_is_handed_nothing_and_one_that_is_kept_still_is() {
    let mut harness = Harness::new();
    let life = allocator::life::PoolLife {
        max_grace_seconds: Some(60),
        ..Default::default()
    };
    harness.pool(handing(living(root("p", "10.0.0.0/24"), life), mtu(1_400)));
    let mut kept = claim("kept", "p", "");
    kept.life.grace_seconds = Some(60);
    for spec in [kept, claim("gone", "p", "")] {
        assert_eq!(harness.claim(spec).handout, mtu(1_400));
    }
    assert_eq!(harness.release("kept").handout, mtu(1_400));
    let gone = harness.release("gone");
    assert_eq!(gone.handout, Handout::default());
    // A late repeat has the same answer.
    match harness.ok(release("gone", Some(gone.generation))) {
        Outcome::ClaimAlreadyReleased(view) => assert_eq!(view.handout, Handout::default()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pool_that_is_made_again_is_compared_in_each_of_the_four() {
    let mut harness = Harness::new();
    let spec = || handing(root("p", "10.0.0.0/24"), everything());
    harness.pool(spec());
    assert!(matches!(harness.ok(spec()), Outcome::PoolRepeated(_)));
    let table: [(&str, Change); 6] = [
        ("routes", |handout| handout.routes = None),
        // A holder adds them in order: one may be reached through the one before it.
        ("routes", |handout| {
            handout.routes =
                Some([route("10.9.0.0/16", ""), route("0.0.0.0/0", "10.0.0.1")].into());
        }),
        ("dns", |handout| {
            handout.dns = Some(Dns::default().into());
        }),
        ("mtu", |handout| handout.mtu = Some(1_451)),
        ("mtu", |handout| handout.mtu = None),
        ("parameters", |handout| handout.parameters = None),
    ];
    for (field, change) in table {
        let mut other = spec();
        change(&mut other.handout);
        match harness.refused(other) {
            Rejection::AlreadyExists { field: found, .. } => assert_eq!(found, field),
            refusal => panic!("{refusal:?}"),
        }
    }
}

#[test]
fn it_is_in_the_digest_and_in_the_pages() {
    let made = |handout: Handout| {
        let mut harness = Harness::new();
        harness.pool(handing(root("p", "10.0.0.0/24"), handout));
        harness.state
    };
    let mut state = made(everything());
    assert_eq!(state.digest(), made(everything()).digest());
    let mut others = vec![Handout::default()];
    for change in [
        |handout: &mut Handout| handout.mtu = None,
        |handout: &mut Handout| handout.routes = Some([].into()),
        |handout: &mut Handout| handout.dns = None,
        |handout: &mut Handout| handout.parameters = None,
    ] {
        let mut other = everything();
        change(&mut other);
        others.push(other);
    }
    for other in others {
        assert_ne!(made(other).digest(), state.digest());
    }
    let loaded = State::from_pages(state.cut().pages()).unwrap();
    assert_eq!(loaded.digest(), state.digest());
    let view = loaded.pool(&name(TENANT), &name("p")).unwrap();
    assert_eq!(view.handout, everything());
}

#[test]
fn a_dry_run_of_an_edit_shows_it_and_changes_nothing() {
    let mut harness = Harness::new();
    harness.pool(handing(root("p", "10.0.0.0/24"), everything()));
    let edit = crate::support::pool_edit("p", vec![PoolChange::Routes(None)]);
    let answer = harness.state.dry_run(&crate::support::envelope(edit));
    match answer.result {
        Ok(Outcome::PoolEdited(view)) => assert_eq!(view.handout.routes, None),
        other => panic!("{other:?}"),
    }
    assert_eq!(harness.view("p").handout, everything());
    let stale = Command::PoolEdit(Box::new(allocator::edit::PoolEdit {
        tenant: name(TENANT),
        pool: name("p"),
        if_revision: Some(1),
        changes: vec![PoolChange::Routes(None)],
    }));
    assert!(matches!(
        harness.refused(stale),
        Rejection::RevisionMismatch { given: 1, .. }
    ));
}
