//! All that can be asked, together: random commands of two tenants over shared pools. There is no model
//! here; the harness audits the state after each, and that dry runs, refusals and reloads are what they
//! promise.

#![expect(
    clippy::many_single_char_names,
    reason = "numbers that mean nothing by themselves"
)]

use allocator::State;
use allocator::cascade::PoolCascade;
use allocator::command::{
    AllocationReclaim, ChildBlock, ClaimConfirm, ClaimFrom, ClaimRelease, ClaimRenew, ClaimSpec,
    Command, Operation, PoolRef, PoolSelector, PoolSource, PoolSpec, Sharing, Strategy,
};
use allocator::edit::{ClaimChange, ClaimEdit, DnsChange, LabelsChange, PoolChange, PoolEdit};
use allocator::filter::{AllocationFilter, LabelRequirement, LabelSelector};
use allocator::handout::Handout;
use allocator::history::{HistoryFilter, Moment};
use allocator::life::{ClaimLife, PoolLife, ReclaimPolicy};
use allocator::name::Name;
use allocator::owners::{HoldingRef, OwnedBefore, OwnerHoldings, OwnerMatch, OwnerRelease};
use allocator::prefix::{Address, Prefix};
use allocator::reconcile::{Live, Reconcile, Scope};
use proptest::prelude::*;

use crate::handouts::route;
use crate::support::{Harness, TENANT, cidrs, exclusions, labels, name, owner, root, tenant};

/// The second tenant.
const OTHER: &str = "b";

/// Numbers from which a command is made; what it comes to depends on the state.
type Numbers = [u8; 8];

fn tenant_of(number: u8) -> Name {
    name(if number.is_multiple_of(2) {
        TENANT
    } else {
        OTHER
    })
}

fn pool_of(number: u8) -> PoolRef {
    let tenant = [Some(TENANT), Some(TENANT), Some(OTHER), None][usize::from(number % 4)];
    let pool = ["p0", "p0", "p0", "p1", "p2"][usize::from(number / 4 % 5)];
    PoolRef {
        tenant: tenant.map(name),
        name: name(pool),
    }
}

fn claim_of(number: u8) -> Name {
    name(&format!("c{}", number % 5))
}

fn owner_of(number: u8) -> Option<allocator::name::Owner> {
    let texts = ["n1", "n1/a", "n10/a", "n2"];
    texts.get(usize::from(number % 6)).map(|text| owner(text))
}

/// A pool that may be made, edited and removed.
fn pool_name(number: u8) -> Name {
    name(["p0", "p1", "p2"][usize::from(number % 3)])
}

/// Something that is held, as either tenant sees it: block and generation.
fn held(state: &State, number: u8) -> (Prefix, u64) {
    let mut all: Vec<(Prefix, u64)> = Vec::new();
    for tenant in [TENANT, OTHER] {
        let filter = AllocationFilter::default();
        let page = state
            .allocations(&name(tenant), &filter, None, 1_000)
            .unwrap();
        all.extend(page.items.iter().map(|item| (item.cidr, item.generation)));
    }
    let count = all.len().max(1);
    all.get(usize::from(number) % count)
        .copied()
        .unwrap_or((block_of(number, 6), 1))
}

/// A block of 10.0.0.0/26.
fn block_of(number: u8, size: u8) -> Prefix {
    let length = 26 + size % 7;
    Prefix::around(Address::from([10, 0, 0, number % 64]), length).unwrap()
}

fn life_of(number: u8) -> ClaimLife {
    ClaimLife {
        ttl_seconds: number.is_multiple_of(3).then_some(u32::from(number % 5)),
        grace_seconds: (number % 5 == 1).then_some(u32::from(number % 4)),
        reclaim_policy: (number % 11 == 2).then_some(ReclaimPolicy::Retain),
    }
}

fn from_of(number: u8) -> ClaimFrom {
    if !number.is_multiple_of(3) {
        return ClaimFrom::Pool(pool_of(number / 3));
    }
    ClaimFrom::Selector(Box::new(PoolSelector {
        tenant: number.is_multiple_of(2).then(|| tenant_of(number / 8)),
        family: None,
        labels: LabelSelector {
            requirements: vec![LabelRequirement::In("zone".into(), vec!["a".into()])],
        },
    }))
}

fn claim_spec([a, b, c, d, e, f, ..]: Numbers) -> ClaimSpec {
    let mut spec = ClaimSpec::new(tenant_of(a), claim_of(b), pool_of(c));
    spec.from = from_of(c);
    spec.reservation = d % 7 == 0;
    match d % 4 {
        0 => spec.cidr = Some(block_of(e, f)),
        1 => spec.prefix_length = Some(24 + f % 10),
        _ => {}
    }
    spec.owner = owner_of(e);
    spec.life = life_of(f);
    if b % 3 == 0 {
        spec.labels = labels(&[("app", "web")]);
    }
    spec
}

fn pool_change([a, b, c, ..]: Numbers) -> PoolChange {
    match a % 16 {
        0 => PoolChange::Drain(b % 2 == 0),
        1 => PoolChange::SharedWith(match b % 3 {
            0 => Sharing::Private,
            1 => Sharing::with([name(OTHER)].into()),
            _ => Sharing::Everyone,
        }),
        2 => PoolChange::Priority(u16::from(b)),
        3 => {
            let first = format!("10.0.0.{}-10.0.0.{}", b % 64, (b % 64).max(c % 64));
            exclusions(&[(&first, "edge")])
        }
        4 => cidrs(["10.0.0.0/26", "10.0.0.0/27", "10.0.0.0/26 10.0.1.0/28"][usize::from(b % 3)]),
        5 => PoolChange::MinPrefixLength((b % 2 == 0).then_some(26 + c % 6)),
        6 => PoolChange::GraceSeconds(Some(u32::from(b % 4))),
        7 => PoolChange::MaxTtlSeconds((b % 2 == 0).then_some(u32::from(c % 4))),
        8 => PoolChange::Labels(LabelsChange {
            clear: b % 2 == 0,
            entries: vec![("zone".into(), (c % 2 == 0).then(|| "a".into()))],
        }),
        9 => PoolChange::Strategy(Strategy::ALL[usize::from(b) % Strategy::ALL.len()]),
        10 => PoolChange::UsableOnly(b % 2 == 0),
        11 => PoolChange::AllowRetain(Some(b % 2 == 0)),
        12 => PoolChange::Mtu((b % 2 == 0).then_some(60 + u32::from(c))),
        13 => PoolChange::Routes((b % 3 != 0).then(|| {
            let dst = format!("10.{}.0.0/16", c % 4);
            vec![route(&dst, ""); usize::from(b % 3)]
        })),
        14 => PoolChange::Dns((b % 3 != 0).then(|| {
            let nameserver = Address::from([10, 0, 0, c]);
            let nameservers = vec![nameserver; usize::from(c % 18)];
            vec![
                DnsChange::Nameservers(nameservers),
                DnsChange::Domain((b % 2 == 0).then(|| "x".repeat(usize::from(c)).into())),
            ]
        })),
        _ => PoolChange::Parameters((b % 3 != 0).then(|| LabelsChange {
            clear: false,
            entries: vec![(
                format!("k{}", b % 20).into(),
                (c % 4 != 0).then(|| "v".into()),
            )],
        })),
    }
}

fn command(state: &State, which: u8, numbers: Numbers) -> Command {
    let [a, b, c, d, e, f, g, h] = numbers;
    let revision = state.revision().saturating_sub(u64::from(g % 8));
    let (cidr, generation) = held(state, h);
    match which % 16 {
        0..=4 => Command::ClaimCreate(Box::new(claim_spec(numbers))),
        5 => Command::ClaimRelease(ClaimRelease {
            tenant: tenant_of(a),
            name: claim_of(b),
            generation: (c % 8 == 0).then_some(generation),
        }),
        6 => {
            let mut spec = PoolSpec::new(
                tenant_of(a),
                pool_name(b % 5),
                PoolSource::Child {
                    parent: pool_of(c % 8),
                    block: if d % 2 == 0 {
                        ChildBlock::Length(27 + d % 5)
                    } else {
                        ChildBlock::Cidr(block_of(e, f))
                    },
                },
            );
            spec.owner = owner_of(f);
            spec.handout.mtu = (h % 3 == 0).then_some(60 + u32::from(h));
            if g % 2 == 0 {
                spec.labels = labels(&[("zone", "a")]);
                spec.shared_with = Sharing::Everyone;
            }
            Command::PoolCreate(Box::new(spec))
        }
        7 => Command::PoolEdit(Box::new(PoolEdit {
            tenant: tenant_of(a),
            pool: pool_name(b),
            if_revision: None,
            changes: vec![pool_change([c, d, e, f, g, h, a, b])],
        })),
        8 => Command::PoolCascade(PoolCascade {
            tenant: tenant_of(a),
            pool: pool_name(b),
            if_revision: None,
            as_of_revision: revision,
            limit: (c % 2 == 0).then_some(1 + u32::from(d % 4)),
        }),
        9 => Command::OwnerRelease(Box::new(OwnerRelease {
            tenant: tenant_of(a),
            what: if b % 3 == 0 {
                OwnerHoldings::Listed(vec![HoldingRef {
                    tenant: (c % 2 == 0).then(|| tenant_of(d)),
                    space: name("default"),
                    cidr,
                    generation,
                }])
            } else {
                let owner = owner_of(c).unwrap_or_else(|| owner("n1"));
                OwnerHoldings::Owned(OwnedBefore {
                    owners: if d % 2 == 0 {
                        OwnerMatch::Exact(owner)
                    } else {
                        OwnerMatch::Prefix(owner)
                    },
                    as_of_revision: revision,
                    limit: (e % 2 == 0).then_some(1 + u32::from(f % 4)),
                    pools: if f % 3 == 0 { vec![pool_of(g)] } else { vec![] },
                })
            },
        })),
        10 => Command::OwnersReconcile(Box::new(Reconcile {
            tenant: tenant_of(a),
            scope: if b % 2 == 0 {
                Scope::OwnerPrefix(owner("n1"))
            } else {
                Scope::Labels(labels(&[("app", "web")]))
            },
            live: if c % 2 == 0 {
                Live::Owners(owner_of(d).into_iter().collect())
            } else {
                Live::Claims(vec![claim_of(d)])
            },
            epoch: state.revision() + u64::from(e % 3),
            grace_seconds: u32::from(f % 3),
            sightings: 1 + f % 2,
            release_at_most: (g % 4 == 0).then_some(1),
            as_of_revision: (h % 2 == 0).then_some(revision),
        })),
        11 => Command::Expire {
            holds_max: 1 + u32::from(a % 8),
        },
        12 => Command::AllocationReclaim(AllocationReclaim {
            tenant: tenant_of(a),
            space: name("default"),
            cidr,
            generation,
        }),
        13 => Command::ClaimEdit(Box::new(ClaimEdit {
            tenant: tenant_of(a),
            name: claim_of(b),
            changes: vec![match c % 3 {
                0 => ClaimChange::TtlSeconds((d % 2 == 0).then_some(1 + u32::from(e % 4))),
                1 => ClaimChange::Description(if d % 2 == 0 { "x".into() } else { "".into() }),
                _ => ClaimChange::GraceSeconds((d % 2 == 0).then_some(u32::from(e % 3))),
            }],
        })),
        14 if a % 2 == 0 => Command::ClaimConfirm(ClaimConfirm {
            tenant: tenant_of(b),
            name: claim_of(c),
            owner: owner_of(d),
            generation: None,
        }),
        14 => Command::ClaimRenew(ClaimRenew {
            tenant: tenant_of(b),
            name: claim_of(c),
            owner: owner_of(d),
            generation: None,
            ttl_seconds: (e % 2 == 0).then_some(1 + u32::from(f % 4)),
        }),
        _ => Command::Batch {
            tenant: tenant_of(a),
            atomic: b % 2 == 0,
            operations: (0..c % 4)
                .map(|step| {
                    let mut spec = claim_spec([a, d.wrapping_add(step), e, f, g, h, b, c]);
                    spec.tenant = tenant_of(a);
                    Operation::CreateClaim(Box::new(spec))
                })
                .collect(),
        },
    }
}

/// What the holders of a pool get, by the views of the pools above it.
fn handout_of(state: &State, tenant: &Name, pool: &Name) -> Handout {
    let view = state.pool(tenant, pool).unwrap();
    let own = view.spec.handout;
    let above = match view.spec.source {
        PoolSource::Root { .. } => return own,
        PoolSource::Child { parent, .. } => {
            let above = parent.tenant.unwrap_or_else(|| tenant.clone());
            handout_of(state, &above, &parent.name)
        }
    };
    Handout {
        routes: own.routes.or(above.routes),
        dns: own.dns.or(above.dns),
        mtu: own.mtu.or(above.mtu),
        parameters: own.parameters.or(above.parameters),
    }
}

/// Every read that walks an index, for both tenants: none may fail.
fn read(state: &State) {
    for tenant in [name(TENANT), name(OTHER)] {
        let filter = AllocationFilter::default();
        let page = state.allocations(&tenant, &filter, None, 1_000).unwrap();
        let owned = AllocationFilter {
            owner_prefix: Some(owner("n1")),
            ..filter
        };
        let some = state.allocations(&tenant, &owned, None, 1_000).unwrap();
        assert!(some.items.len() <= page.items.len());
        for item in page.items {
            let space = item.space.clone();
            let found = state.lookup(&tenant, &space, item.cidr).unwrap();
            assert!(found.allocation.is_some(), "{} of {tenant}", item.cidr);
            if let Some(claim) = found.claim {
                let handout = handout_of(state, &claim.pool_tenant, &claim.pool);
                assert_eq!(claim.handout, handout, "{} of {tenant}", item.cidr);
            }
            state
                .lookup_at(
                    &tenant,
                    &space,
                    item.cidr,
                    Moment::Revision(state.revision()),
                )
                .unwrap();
        }
        let history = HistoryFilter {
            tenant: Some(tenant.clone()),
            ..HistoryFilter::default()
        };
        state.history(&history, None, 1_000);
        for number in 0..3 {
            let pool = pool_name(number);
            if let Ok(view) = state.pool(&tenant, &pool) {
                assert_eq!(view.handout, handout_of(state, &tenant, &pool));
                state.map(&tenant, &pool, None, None, 1_000).unwrap();
                state.tree(&tenant, &pool).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_the_state_audits_clean(
        asked in prop::collection::vec((any::<u8>(), any::<Numbers>(), 0_u64..1_500), 1..90),
        strategy in prop::sample::select(&Strategy::ALL),
    ) {
        let mut harness = Harness::new();
        harness.ok(Command::TenantCreate(Box::new(tenant(OTHER))));
        let mut spec = root("p0", "10.0.0.0/26");
        spec.strategy = strategy;
        spec.shared_with = Sharing::Everyone;
        spec.labels = labels(&[("zone", "a")]);
        spec.life = PoolLife {
            max_grace_seconds: Some(3),
            allow_retain: Some(true),
            ..PoolLife::default()
        };
        harness.pool(spec);
        for (which, numbers, later_ms) in asked {
            harness.later(later_ms);
            let command = command(&harness.state, which, numbers);
            harness.answer(command);
        }
        read(&harness.state);
        let cut = harness.state.cut();
        State::audit_cut(&cut).unwrap();
        prop_assert_eq!(cut.digest(), harness.state.digest());
    }
}
