//! Lists over all tenants: order, filters, bounds, and pages of them while everything changes.

use std::collections::{BTreeMap, BTreeSet};

use allocator::answer::Outcome;
use allocator::command::{ClaimSpec, Command, PoolSource, PoolSpec, Sharing};
use allocator::filter::{
    AllocationFilter, ClaimFilter, LabelRequirement, LabelSelector, PoolFilter, TenantFilter,
    TenantKey,
};
use allocator::life::PoolLife;
use allocator::name::Name;
use allocator::prefix::Family;
use allocator::view::{AllocationView, Page, PoolPhase, Purpose};
use proptest::prelude::*;

use crate::support::{
    Harness, bounds, child, claim, exclude, from_pool, labels, living, name, owner, release, root,
    tenant,
};

/// All pages of a list, each of at most so many items.
fn walked<T, K>(mut page: impl FnMut(Option<&K>) -> Page<T, K>) -> Vec<T> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let next = page(after.as_ref());
        items.extend(next.items);
        after = next.next;
        if after.is_none() {
            return items;
        }
    }
}

fn of_tenant<T>(mut spec: T, text: &str, tenant_of: impl Fn(&mut T) -> &mut Name) -> T {
    *tenant_of(&mut spec) = name(text);
    spec
}

fn pool_of(tenant: &str, spec: PoolSpec) -> PoolSpec {
    of_tenant(spec, tenant, |spec| &mut spec.tenant)
}

fn claim_of(tenant: &str, text: &str, pool: &str) -> ClaimSpec {
    let mut spec = of_tenant(claim(text, "p", ""), tenant, |spec| &mut spec.tenant);
    spec.from = from_pool(pool);
    spec
}

/// Tenant, pool's tenant and pool, block and holder's name.
fn line(view: &AllocationView) -> String {
    let holder = view.claim.as_ref().or(view.child.as_ref());
    let (tenant, holder) = holder.map_or((&view.tenant, "-"), |(tenant, name)| {
        (tenant, name.as_str())
    });
    format!(
        "{tenant} {}/{} {} {holder}",
        view.tenant, view.pool, view.cidr
    )
}

/// `acme` shares a pool of which `b` has a claim and a child, and `c` nothing.
fn shared() -> Harness {
    let mut harness = Harness::new();
    for text in ["c", "b", "empty"] {
        harness.ok(tenant(text));
    }
    let mut p = exclude(root("p", "10.0.0.0/24"), &[("10.0.0.9", "edge")]);
    p.shared_with = Sharing::with([name("b")].into());
    p.labels = labels(&[("zone", "x")]);
    harness.pool(bounds(p, Some(24), Some(32), Some(32)));
    harness.pool(pool_of("b", root("p", "10.0.0.0/31")));
    harness.pool(pool_of("c", root("six", "2001:db8::/64")));
    let mut kid = pool_of("b", child("kid", "p", "10.0.0.128/25"));
    if let PoolSource::Child { parent, .. } = &mut kid.source {
        parent.tenant = Some(name("acme"));
    }
    kid.owner = Some(owner("n1"));
    harness.pool(kid);
    for (tenant, text, pool, owned) in [
        ("acme", "own", "p", "n1/a"),
        ("b", "guest", "acme/p", "n1/b"),
        ("b", "home", "p", ""),
        ("b", "inner", "kid", "n2"),
        ("c", "six", "six", "n1"),
    ] {
        let mut spec = claim_of(tenant, text, pool);
        spec.owner = (!owned.is_empty()).then(|| owner(owned));
        harness.claim(spec);
    }
    let mut withheld = claim_of("c", "spare", "six");
    withheld.reservation = true;
    harness.claim(withheld);
    harness
}

#[test]
fn what_is_held_is_listed_once_with_its_holders_tenant() {
    let harness = shared();
    for limit in [1, 2, 100] {
        let all = walked(|after| {
            let filter = AllocationFilter::default();
            harness.state.allocations_everywhere(&filter, after, limit)
        });
        assert_eq!(
            all.iter().map(line).collect::<Vec<_>>(),
            [
                "acme acme/p 10.0.0.0/32 own",
                "acme acme/p 10.0.0.9/32 -",
                "b b/kid 10.0.0.128/32 inner",
                "b b/p 10.0.0.0/32 home",
                "b acme/p 10.0.0.1/32 guest",
                "b acme/p 10.0.0.128/25 kid",
                "c c/six 2001:db8::/128 six",
                "c c/six 2001:db8::1/128 spare",
            ],
            "{limit}"
        );
    }
}

#[test]
fn filters_mean_all_tenants() {
    let harness = shared();
    let held = |filter: &AllocationFilter| {
        let all = walked(|after| harness.state.allocations_everywhere(filter, after, 2));
        let names = all.iter().map(line);
        let names = names.map(|line| line.split(' ').next_back().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    let none = AllocationFilter::default;
    let table = [
        (
            AllocationFilter {
                pool: Some(name("p")),
                ..none()
            },
            "own - home guest kid",
        ),
        (
            AllocationFilter {
                owner_prefix: Some(owner("n1")),
                ..none()
            },
            "own guest kid six",
        ),
        (
            AllocationFilter {
                owner_prefix: Some(owner("n1")),
                pool: Some(name("p")),
                ..none()
            },
            "own guest kid",
        ),
        (
            AllocationFilter {
                purpose: Some(Purpose::Reservation),
                ..none()
            },
            "- spare",
        ),
        (
            AllocationFilter {
                family: Some(Family::IPv6),
                ..none()
            },
            "six spare",
        ),
    ];
    for (filter, expected) in table {
        assert_eq!(held(&filter), expected, "{filter:?}");
    }
    let claims = |filter: &ClaimFilter| {
        let all = walked(|after| harness.state.claims_everywhere(filter, after, 2));
        let names = all.iter().map(|claim| claim.spec.name.as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    let none = ClaimFilter::default;
    let table = [
        (none(), "own guest home inner six spare"),
        (
            ClaimFilter {
                pool: Some(name("p")),
                ..none()
            },
            "own guest home",
        ),
        (
            ClaimFilter {
                purpose: Some(Purpose::Reservation),
                ..none()
            },
            "spare",
        ),
        (
            ClaimFilter {
                owner: Some(owner("n1")),
                ..none()
            },
            "six",
        ),
    ];
    for (filter, expected) in table {
        assert_eq!(claims(&filter), expected, "{filter:?}");
    }
    let pools = |filter: &PoolFilter| {
        let all = walked(|after| harness.state.pools_everywhere(filter, after, 1));
        let names = all
            .iter()
            .map(|pool| format!("{}/{}", pool.spec.tenant, pool.spec.name));
        names.collect::<Vec<_>>().join(" ")
    };
    let none = PoolFilter::default;
    let table = [
        (none(), "acme/p b/kid b/p c/six"),
        (
            PoolFilter {
                parent: Some(name("p")),
                ..none()
            },
            "b/kid",
        ),
        (
            PoolFilter {
                owner: Some(owner("n1")),
                ..none()
            },
            "b/kid",
        ),
        (
            PoolFilter {
                labels: zone("x"),
                ..none()
            },
            "acme/p",
        ),
    ];
    for (filter, expected) in table {
        assert_eq!(pools(&filter), expected, "{filter:?}");
    }
    // In its own list a tenant's pool is told from another one's of the same name.
    let of_b = |filter: &ClaimFilter| {
        let page = harness.state.claims(&name("b"), filter, None, 100).unwrap();
        page.items.len()
    };
    let p = ClaimFilter {
        pool: Some(name("p")),
        ..ClaimFilter::default()
    };
    assert_eq!(of_b(&p), 1);
}

fn zone(value: &str) -> LabelSelector {
    LabelSelector {
        requirements: vec![LabelRequirement::In("zone".into(), vec![value.into()])],
    }
}

#[test]
fn pools_are_found_by_phase_and_tenants_by_labels() {
    let mut harness = shared();
    harness.claim(claim_of("b", "last", "p"));
    harness.edit("p", vec![allocator::edit::PoolChange::Drain(true)]);
    for (phase, expected) in [
        (PoolPhase::Ready, "b/kid c/six"),
        (PoolPhase::Draining, "acme/p"),
        (PoolPhase::Exhausted, "b/p"),
    ] {
        let filter = PoolFilter {
            phase: Some(phase),
            ..PoolFilter::default()
        };
        let all = walked(|after| harness.state.pools_everywhere(&filter, after, 100));
        for pool in &all {
            let told = PoolPhase::of(pool.draining_since_ms, pool.exhausted_since_ms);
            assert_eq!(told, phase, "{pool:?}");
        }
        let names = all
            .iter()
            .map(|pool| format!("{}/{}", pool.spec.tenant, pool.spec.name));
        assert_eq!(names.collect::<Vec<_>>().join(" "), expected);
    }
    let mut spec = tenant("zoo");
    spec.labels = labels(&[("zone", "x")]);
    harness.ok(spec);
    let filter = TenantFilter { labels: zone("x") };
    let found = walked(|after| harness.state.tenants(&filter, after, 1));
    let names: Vec<&str> = found.iter().map(|one| one.spec.name.as_str()).collect();
    assert_eq!(names, ["zoo"]);
}

#[test]
fn one_call_examines_a_bounded_number_of_tenants() {
    let mut harness = Harness::new();
    for number in 0..4_500 {
        let spec = Command::TenantCreate(Box::new(tenant(&format!("t{number:04}"))));
        harness.state.command_apply(&crate::support::envelope(spec));
    }
    let filter = ClaimFilter::default();
    let (mut calls, mut after) = (0, None);
    loop {
        let page = harness.state.claims_everywhere(&filter, after.as_ref(), 10);
        assert_eq!(page.items, []);
        calls += 1;
        after = page.next;
        let Some(TenantKey { tenant, key }) = &after else {
            break;
        };
        assert_eq!((tenant.as_str().len(), key), (5, &None));
    }
    assert_eq!(calls, 3);
}

#[test]
fn a_list_goes_on_where_its_tenant_is_gone() {
    let mut harness = shared();
    let filter = ClaimFilter::default();
    let after = TenantKey {
        tenant: name("b"),
        key: Some(name("guest")),
    };
    let next = |harness: &Harness, after: &TenantKey<Name>| {
        let page = harness.state.claims_everywhere(&filter, Some(after), 1);
        page.items[0].spec.name.to_string()
    };
    assert_eq!(next(&harness, &after), "home");
    for text in ["guest", "home", "inner"] {
        let mut gone = release(text, None);
        gone.tenant = name("b");
        harness.ok(gone);
    }
    for pool in ["kid", "p"] {
        harness.ok(Command::PoolDelete {
            tenant: name("b"),
            pool: name(pool),
            if_revision: None,
        });
    }
    harness.ok(Command::TenantDelete { tenant: name("b") });
    assert_eq!(next(&harness, &after), "six");
}

/// What there is, kept beside the state from the answers alone.
#[derive(Default)]
struct Naive {
    /// By tenant and name, what tells one from another of the same name.
    claims: BTreeMap<(Name, Name), u64>,
    pools: BTreeMap<(Name, Name), u64>,
    /// By the pool that it is held from and block: the holder's tenant, and what tells it from another.
    held: BTreeMap<(Name, Name, String), (Name, u64)>,
}

/// What must be listed if it is there throughout: whose it is, and what it is.
type Things = BTreeSet<String>;

impl Naive {
    fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::ClaimCreated(view) => {
                let key = (view.spec.tenant.clone(), view.spec.name.clone());
                self.claims.insert(key, view.generation);
                let place = (view.pool_tenant.clone(), view.pool.clone());
                let place = (place.0, place.1, view.block.to_string());
                let holding = (view.spec.tenant.clone(), view.generation);
                self.held.insert(place, holding);
            }
            Outcome::ClaimReleased(view) => {
                let key = (view.spec.tenant.clone(), view.spec.name.clone());
                self.claims.remove(&key);
                let place = (view.pool_tenant.clone(), view.pool.clone());
                if view.reclaim_at_ms == view.released_at_ms {
                    let place = (place.0, place.1, view.block.to_string());
                    self.held.remove(&place);
                }
            }
            Outcome::PoolCreated(view) => {
                let spec = &view.spec;
                let key = (spec.tenant.clone(), spec.name.clone());
                self.pools.insert(key, view.revision);
                if let PoolSource::Child { parent, .. } = &spec.source {
                    let from = parent.tenant.clone().unwrap_or(spec.tenant.clone());
                    let block = view.cidrs[0].cidr.to_string();
                    let holding = (spec.tenant.clone(), view.revision);
                    self.held
                        .insert((from, parent.name.clone(), block), holding);
                }
            }
            Outcome::PoolDeleted(view) => {
                let spec = &view.spec;
                self.pools.remove(&(spec.tenant.clone(), spec.name.clone()));
                if let PoolSource::Child { parent, .. } = &spec.source {
                    let from = parent.tenant.clone().unwrap_or(spec.tenant.clone());
                    let block = view.cidrs[0].cidr.to_string();
                    self.held.remove(&(from, parent.name.clone(), block));
                }
            }
            other => panic!("not one of this test's commands: {other:?}"),
        }
    }

    fn things(&self, which: Which) -> BTreeMap<String, u64> {
        match which {
            Which::Claims => self
                .claims
                .iter()
                .map(|((tenant, name), one)| (format!("{tenant} {name}"), *one))
                .collect(),
            Which::Pools => self
                .pools
                .iter()
                .map(|((tenant, name), one)| (format!("{tenant} {name}"), *one))
                .collect(),
            Which::Allocations => self
                .held
                .iter()
                .map(|((from, pool, block), (tenant, one))| {
                    (format!("{tenant} {from}/{pool} {block}"), *one)
                })
                .collect(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Claims,
    Pools,
    Allocations,
}

/// The lists, each at the page that it has come to.
struct Walk {
    which: Which,
    claims: Option<TenantKey<Name>>,
    allocations: Option<TenantKey<allocator::filter::AllocationKey>>,
    begun: bool,
}

impl Walk {
    /// The next page: whose each item is and what it is, and its generation or revision where equal
    /// names could be two things; `None` at the end.
    fn next(&mut self, harness: &Harness, limit: usize) -> Option<Vec<(String, u64)>> {
        let state = &harness.state;
        let ended = self.claims.is_none() && self.allocations.is_none();
        if self.begun && ended {
            return None;
        }
        self.begun = true;
        let after = self.claims.take();
        Some(match self.which {
            Which::Claims => {
                let page = state.claims_everywhere(&ClaimFilter::default(), after.as_ref(), limit);
                self.claims = page.next;
                let items = page.items.iter().map(|view| {
                    let text = format!("{} {}", view.spec.tenant, view.spec.name);
                    (text, view.generation)
                });
                items.collect()
            }
            Which::Pools => {
                let page = state.pools_everywhere(&PoolFilter::default(), after.as_ref(), limit);
                self.claims = page.next;
                let items = page.items.iter().map(|view| {
                    let text = format!("{} {}", view.spec.tenant, view.spec.name);
                    (text, view.revision)
                });
                items.collect()
            }
            Which::Allocations => {
                let after = self.allocations.take();
                let filter = AllocationFilter::default();
                let page = state.allocations_everywhere(&filter, after.as_ref(), limit);
                self.allocations = page.next;
                let items = page.items.iter().map(|view| {
                    let line = line(view);
                    let (text, _) = line.rsplit_once(' ').unwrap();
                    (text.to_owned(), view.generation)
                });
                items.collect()
            }
        })
    }
}

const TENANTS: [&str; 4] = ["acme", "b", "c", "d"];

/// A change by one of the tenants: a claim or child pool of an own or a shared pool comes or goes.
fn change([a, b, c, d]: [u8; 4]) -> Command {
    let tenant = TENANTS[usize::from(a % 4)];
    let text = format!("x{}", b % 12);
    let pool = ["p", "acme/p", "acme/p", "k0", "k1"][usize::from(c % 5)];
    match d % 6 {
        0..=2 => Command::ClaimCreate(Box::new(claim_of(tenant, &text, pool))),
        3 | 4 if d % 2 == 0 => {
            let mut spec = pool_of(tenant, child(&format!("k{}", b % 3), "p", "29"));
            if let PoolSource::Child { parent, .. } = &mut spec.source {
                parent.tenant = (c % 2 == 0).then(|| name("acme"));
            }
            Command::PoolCreate(Box::new(bounds(spec, Some(29), Some(32), Some(32))))
        }
        3 | 4 => {
            let mut gone = release(&text, None);
            gone.tenant = name(tenant);
            Command::ClaimRelease(gone)
        }
        _ => Command::PoolDelete {
            tenant: name(tenant),
            pool: name(&format!("k{}", b % 3)),
            if_revision: None,
        },
    }
}

fn apply(harness: &mut Harness, naive: &mut Naive, command: Command) {
    if let Ok(outcome) = harness.answer(command).result {
        match outcome {
            Outcome::ClaimRepeated(_) | Outcome::PoolRepeated(_) => {}
            done => naive.note(&done),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_over_all_tenants_stay_right_while_things_change(
        before in prop::collection::vec(any::<[u8; 4]>(), 0..60),
        pages in prop::collection::vec((1_usize..6, prop::collection::vec(any::<[u8; 4]>(), 0..4)), 1..40),
        grace in prop::sample::select(vec![0_u32, 60]),
        which in prop::sample::select(vec![Which::Claims, Which::Pools, Which::Allocations]),
    ) {
        let (mut harness, mut naive) = (Harness::new(), Naive::default());
        for text in &TENANTS[1..] {
            harness.ok(tenant(text));
        }
        for text in TENANTS {
            let mut spec = pool_of(text, root("p", "10.0.0.0/26"));
            spec.shared_with = if text == "acme" { Sharing::Everyone } else { Sharing::Private };
            let life = PoolLife { grace_seconds: Some(grace), ..PoolLife::default() };
            let spec = living(bounds(spec, Some(26), Some(32), Some(32)), life);
            naive.note(&Outcome::PoolCreated(Box::new(harness.pool(spec))));
        }
        for numbers in before {
            apply(&mut harness, &mut naive, change(numbers));
        }
        // Without changes, the pages together are the whole.
        let mut still = Walk { which, claims: None, allocations: None, begun: false };
        let mut all = Vec::new();
        while let Some(page) = still.next(&harness, 3) {
            all.extend(page.into_iter().map(|(text, _)| text));
        }
        let listed: Things = all.iter().cloned().collect();
        prop_assert_eq!(listed.len(), all.len(), "nothing is listed twice");
        prop_assert_eq!(&listed, &naive.things(which).into_keys().collect::<Things>());
        prop_assert!(all.is_sorted_by_key(|text| text.split(' ').next().map(str::to_owned)));

        // With changes between pages, what is there throughout is listed, and nothing twice.
        let mut throughout = naive.things(which);
        let mut seen: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let mut walk = Walk { which, claims: None, allocations: None, begun: false };
        let mut steps = pages.into_iter();
        loop {
            let (limit, changes) = steps.next().unwrap_or((50, Vec::new()));
            let now = naive.things(which);
            throughout.retain(|text, one| now.get(text) == Some(one));
            let Some(page) = walk.next(&harness, limit) else { break };
            prop_assert!(page.len() <= limit);
            for (text, one) in page {
                prop_assert!(now.contains_key(&text), "{text} is listed and not there");
                prop_assert!(seen.entry(text.clone()).or_default().insert(one), "{text} is listed twice");
            }
            for numbers in changes {
                apply(&mut harness, &mut naive, change(numbers));
            }
        }
        for text in throughout.keys() {
            prop_assert!(seen.contains_key(text), "{text} is missed");
        }
    }
}
