//! What random commands are about.

use std::collections::BTreeMap;

use allocator::command::{
    AllocationReclaim, ClaimConfirm, ClaimRenew, Command, Operation, PoolSpec, Range, Strategy,
};
use allocator::edit::PoolChange;
use allocator::life::{PoolLife, ReclaimPolicy};
use allocator::owners::{OwnedBefore, OwnerHoldings, OwnerMatch, OwnerRelease};
use allocator::prefix::{Prefix, address_number, address_of_number};
use proptest::prelude::{Just, any, prop, prop_oneof};
use proptest::strategy::Strategy as _;

use crate::support::{
    TENANT, batch, bounds, child, cidrs, claim, create_claim, exclude, exclusions, living, name,
    owner, pool_delete, pool_edit, release_claim, root, tenant,
};

/// A random command; numbers stand for names, blocks and generations that the world chooses.
#[derive(Debug, Clone)]
pub(crate) enum One {
    Claim {
        name: u8,
        pool: u8,
        length: Option<u8>,
    },
    Exact {
        name: u8,
        pool: u8,
        length: u8,
        bits: u8,
    },
    Within {
        name: u8,
        pool: u8,
        length: Option<u8>,
        ends: [u8; 2],
    },
    Release {
        name: u8,
        generation: Option<u8>,
    },
    Batch {
        atomic: bool,
        parts: Vec<One>,
    },
    Carve {
        name: u8,
        parent: u8,
        length: u8,
    },
    PoolDelete {
        name: u8,
    },
    /// A child pool with all that is under it.
    Cascade {
        name: u8,
    },
    Exclude {
        ends: [u8; 2],
    },
    Drain {
        pool: u8,
        drain: bool,
    },
    Resize {
        grow: bool,
    },
    Bound {
        min: Option<u8>,
    },
    /// What a pool hands out; it states nothing where there is none.
    HandOut {
        pool: u8,
        mtu: Option<u8>,
    },
    Owned {
        name: u8,
        owner: u8,
    },
    /// A claim with a lease and a grace of its own.
    Leased {
        name: u8,
        pool: u8,
        ttl: Option<u8>,
        grace: Option<u8>,
    },
    Confirm {
        name: u8,
        owner: Option<u8>,
        generation: Option<u8>,
    },
    Renew {
        name: u8,
        owner: Option<u8>,
        generation: Option<u8>,
        ttl: Option<u8>,
    },
    Reclaim {
        which: u8,
    },
    /// All that an owner holds, or all under it, given before some revision.
    OwnerRelease {
        owner: u8,
        prefix: bool,
        back: u8,
        limit: Option<u8>,
    },
    Expire {
        most: u32,
    },
    Later {
        seconds: u8,
    },
    Nonsense {
        which: u8,
    },
}

fn part() -> impl proptest::strategy::Strategy<Value = One> {
    let length = prop_oneof![Just(None), (0_u8..=6).prop_map(Some)];
    prop_oneof![
        4 => (0_u8..24, 0_u8..6, length).prop_map(|(name, pool, length)| One::Claim { name, pool, length }),
        2 => (0_u8..24, 0_u8..6, 0_u8..=6, any::<u8>()).prop_map(|(name, pool, length, bits)| One::Exact { name, pool, length, bits }),
        2 => (0_u8..24, 0_u8..6, prop::option::of(0_u8..=6), any::<[u8; 2]>()).prop_map(|(name, pool, length, ends)| One::Within { name, pool, length, ends }),
        4 => (0_u8..24, prop::option::of(any::<u8>())).prop_map(|(name, generation)| One::Release { name, generation }),
    ]
}

/// Random commands.
pub(crate) fn commands(most: usize) -> impl proptest::strategy::Strategy<Value = Vec<One>> {
    let one = prop_oneof![
        12 => part(),
        3 => (any::<bool>(), prop::collection::vec(part(), 0..6)).prop_map(|(atomic, parts)| One::Batch { atomic, parts }),
        2 => (0_u8..4, 0_u8..6, 1_u8..=4).prop_map(|(name, parent, length)| One::Carve { name, parent, length }),
        1 => (2_u8..6).prop_map(|name| One::PoolDelete { name }),
        1 => (2_u8..6).prop_map(|name| One::Cascade { name }),
        2 => (0_u8..24, 0_u8..6).prop_map(|(name, owner)| One::Owned { name, owner }),
        4 => (0_u8..24, 0_u8..3, prop::option::of(0_u8..10), prop::option::of(0_u8..9)).prop_map(|(name, pool, ttl, grace)| One::Leased { name, pool, ttl, grace }),
        2 => (0_u8..24, prop::option::of(0_u8..4), prop::option::of(any::<u8>())).prop_map(|(name, owner, generation)| One::Confirm { name, owner, generation }),
        2 => (0_u8..24, prop::option::of(0_u8..4), prop::option::of(any::<u8>()), prop::option::of(0_u8..10)).prop_map(|(name, owner, generation, ttl)| One::Renew { name, owner, generation, ttl }),
        1 => any::<u8>().prop_map(|which| One::Reclaim { which }),
        1 => (0_u8..6, any::<bool>(), 0_u8..12, prop::option::of(1_u8..4)).prop_map(|(owner, prefix, back, limit)| One::OwnerRelease { owner, prefix, back, limit }),
        3 => prop_oneof![0_u32..3, Just(2_000)].prop_map(|most| One::Expire { most }),
        3 => (0_u8..6).prop_map(|seconds| One::Later { seconds }),
        1 => any::<[u8; 2]>().prop_map(|ends| One::Exclude { ends }),
        1 => (0_u8..3, prop::bool::weighted(0.3)).prop_map(|(pool, drain)| One::Drain { pool, drain }),
        1 => any::<bool>().prop_map(|grow| One::Resize { grow }),
        1 => prop::option::of(27_u8..=30).prop_map(|min| One::Bound { min }),
        1 => (0_u8..6, prop::option::of(any::<u8>())).prop_map(|(pool, mtu)| One::HandOut { pool, mtu }),
        1 => (0_u8..24, 0_u8..3).prop_map(|(name, owner)| One::Owned { name, owner }),
        1 => (0_u8..6).prop_map(|which| One::Nonsense { which }),
    ];
    prop::collection::vec(one, 1..most)
}

/// All strategies.
pub(crate) fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    prop::sample::select(&Strategy::ALL)
}

/// Two root pools of 64 addresses, one of each family, and room for four child pools, all of one
/// strategy.
#[derive(Default)]
pub(crate) struct World {
    pub(super) strategy: Strategy,
    /// The last generation seen of each claim.
    pub(super) generations: BTreeMap<String, u64>,
    /// The revision of the state.
    pub(super) revision: u64,
    /// The revision at which each claim was given last.
    pub(super) given: BTreeMap<String, u64>,
    /// Blocks that were released, with their generations.
    pub(super) kept: Vec<(Prefix, u64)>,
}

impl World {
    pub(crate) fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            ..Self::default()
        }
    }

    /// What the two root pools say of leases and grace.
    pub(crate) fn lives() -> [PoolLife; 2] {
        let first = PoolLife {
            max_grace_seconds: Some(6),
            allow_retain: Some(true),
            ..PoolLife::default()
        };
        let second = PoolLife {
            grace_seconds: Some(3),
            max_ttl_seconds: Some(8),
            ..PoolLife::default()
        };
        [first, second]
    }

    pub(crate) fn setup(&self) -> Vec<Command> {
        let [first, second] = Self::lives();
        vec![
            Command::TenantCreate(Box::new(tenant(TENANT))),
            self.pool(living(
                exclude(
                    root("pool0", "10.0.0.0/27 10.0.9.0/27"),
                    &[("10.0.0.2-10.0.0.4", "edge")],
                ),
                first,
            )),
            self.pool(living(
                bounds(root("pool1", "2001:db8::ffc0/122"), None, None, Some(127)),
                second,
            )),
        ]
    }

    fn pool(&self, spec: PoolSpec) -> Command {
        Command::PoolCreate(Box::new(PoolSpec {
            strategy: self.strategy,
            ..spec
        }))
    }

    /// The command; none where it is one of the parts of a batch only.
    pub(crate) fn command(&self, one: &One) -> Option<Command> {
        Some(match one {
            One::Claim { .. } | One::Exact { .. } | One::Within { .. } => {
                match self.operation(one)? {
                    Operation::CreateClaim(spec) => Command::ClaimCreate(spec),
                    Operation::ReleaseClaim(release) => Command::ClaimRelease(release),
                }
            }
            One::Release { .. } => match self.operation(one)? {
                Operation::ReleaseClaim(release) => Command::ClaimRelease(release),
                Operation::CreateClaim(spec) => Command::ClaimCreate(spec),
            },
            One::Batch { atomic, parts } => batch(
                *atomic,
                parts
                    .iter()
                    .filter_map(|part| self.operation(part))
                    .collect(),
            ),
            One::Carve {
                name,
                parent,
                length,
            } => {
                let length = length + if parent % 2 == 0 { 26 } else { 122 };
                self.pool(child(
                    &format!("pool{}", name + 2),
                    &format!("pool{parent}"),
                    &length.to_string(),
                ))
            }
            One::Exclude { ends } => {
                let run = format!(
                    "10.0.0.{}-10.0.0.{}",
                    ends[0].min(ends[1]) % 32,
                    ends[0].min(ends[1]) % 32 + ends[1] % (32 - ends[0].min(ends[1]) % 32)
                );
                pool_edit("pool0", vec![exclusions(&[(&run, "edge")])])
            }
            One::Drain { pool, drain } => {
                pool_edit(&format!("pool{pool}"), vec![PoolChange::Drain(*drain)])
            }
            One::Resize { grow } => {
                let blocks = if *grow {
                    "10.0.0.0/27 10.0.9.0/27"
                } else {
                    "10.0.0.0/27"
                };
                pool_edit("pool0", vec![cidrs(blocks)])
            }
            One::Bound { min } => pool_edit("pool0", vec![PoolChange::MinPrefixLength(*min)]),
            One::HandOut { pool, mtu } => {
                let mtu = mtu.map(|more| 1_280 + u32::from(more));
                pool_edit(&format!("pool{pool}"), vec![PoolChange::Mtu(mtu)])
            }
            One::PoolDelete { name } => pool_delete(&format!("pool{name}")),
            One::Cascade { name } => {
                crate::cascade::cascade(&format!("pool{name}"), self.revision, None)
            }
            One::Owned {
                name,
                owner: number,
            } => {
                let mut spec = claim(&format!("claim{name}"), "pool0", "");
                spec.owner = node(Some(*number));
                spec.labels = crate::support::labels(&[("node", "n")]);
                spec.life.grace_seconds = Some(u32::from(number % 3) * 2);
                Command::ClaimCreate(Box::new(spec))
            }
            One::Leased {
                name,
                pool,
                ttl,
                grace,
            } => {
                let mut spec = claim(&format!("claim{name}"), &format!("pool{pool}"), "");
                spec.life.ttl_seconds = ttl.map(u32::from);
                match grace {
                    Some(8) => spec.life.reclaim_policy = Some(ReclaimPolicy::Retain),
                    grace => spec.life.grace_seconds = grace.map(u32::from),
                }
                Command::ClaimCreate(Box::new(spec))
            }
            One::Confirm {
                name,
                owner,
                generation,
            } => Command::ClaimConfirm(ClaimConfirm {
                tenant: crate::support::name(TENANT),
                name: crate::support::name(&format!("claim{name}")),
                owner: node(*owner),
                generation: self.generation(&format!("claim{name}"), *generation),
            }),
            One::Renew {
                name,
                owner,
                generation,
                ttl,
            } => Command::ClaimRenew(ClaimRenew {
                tenant: crate::support::name(TENANT),
                name: crate::support::name(&format!("claim{name}")),
                owner: node(*owner),
                generation: self.generation(&format!("claim{name}"), *generation),
                ttl_seconds: ttl.map(u32::from),
            }),
            One::Reclaim { which } => {
                let place = usize::from(*which).checked_rem(self.kept.len())?;
                let (cidr, generation) = *self.kept.get(place)?;
                Command::AllocationReclaim(AllocationReclaim {
                    tenant: name(TENANT),
                    space: name("default"),
                    cidr,
                    generation,
                })
            }
            One::OwnerRelease {
                owner,
                prefix,
                back,
                limit,
            } => {
                let owner = node(Some(*owner))?;
                let newest = self.given.values().max().copied().unwrap_or(0);
                let what = OwnedBefore {
                    owners: if *prefix {
                        OwnerMatch::Prefix(owner)
                    } else {
                        OwnerMatch::Exact(owner)
                    },
                    as_of_revision: newest.saturating_sub(u64::from(*back)),
                    limit: limit.map(u32::from),
                    pools: vec![],
                };
                Command::OwnerRelease(Box::new(OwnerRelease {
                    tenant: name(TENANT),
                    what: OwnerHoldings::Owned(what),
                }))
            }
            One::Expire { most } => Command::Expire { holds_max: *most },
            One::Later { seconds } => Command::ClockAdvance {
                ms: u64::from(*seconds) * 1_000,
            },
            One::Nonsense { which } => nonsense(*which),
        })
    }

    /// A generation of a claim: one in four is of another holding.
    fn generation(&self, text: &str, given: Option<u8>) -> Option<u64> {
        let known = self.generations.get(text).copied().unwrap_or(0);
        given.map(|number| {
            if number % 4 == 0 {
                u64::from(number)
            } else {
                known
            }
        })
    }

    fn operation(&self, one: &One) -> Option<Operation> {
        Some(match one {
            One::Claim { name, pool, length } => {
                let bits = if pool % 2 == 0 { 26 } else { 122 };
                let wanted = length.map_or_else(String::new, |length| (bits + length).to_string());
                create_claim(&format!("claim{name}"), &format!("pool{pool}"), &wanted)
            }
            One::Exact {
                name,
                pool,
                length,
                bits,
            } => {
                let (base, least) = if pool % 2 == 0 {
                    ("10.0.0.0", 26)
                } else {
                    ("2001:db8::ffc0", 122)
                };
                let base: allocator::prefix::Address = base.parse().unwrap();
                let number = address_number(base) + u128::from(bits % 64);
                let address =
                    address_of_number(allocator::prefix::Family::of(base), number).unwrap();
                let cidr = Prefix::around(address, least + length).unwrap();
                create_claim(
                    &format!("claim{name}"),
                    &format!("pool{pool}"),
                    &cidr.to_string(),
                )
            }
            One::Within {
                name,
                pool,
                length,
                ends,
            } => {
                let (base, bits) = if pool % 2 == 0 {
                    ("10.0.0.0", 26)
                } else {
                    ("2001:db8::ffc0", 122)
                };
                let base: allocator::prefix::Address = base.parse().unwrap();
                let end = |bits: u8| {
                    let number = address_number(base) + u128::from(bits % 64);
                    address_of_number(allocator::prefix::Family::of(base), number).unwrap()
                };
                let wanted = length.map_or_else(String::new, |length| (bits + length).to_string());
                let mut spec = claim(&format!("claim{name}"), &format!("pool{pool}"), &wanted);
                spec.within = vec![Range {
                    first: end(ends[0]).min(end(ends[1])),
                    last: end(ends[0]).max(end(ends[1])),
                }];
                Operation::CreateClaim(Box::new(spec))
            }
            One::Release { name, generation } => {
                let text = format!("claim{name}");
                release_claim(&text, self.generation(&text, *generation))
            }
            One::Batch { .. }
            | One::Carve { .. }
            | One::Exclude { .. }
            | One::Drain { .. }
            | One::HandOut { .. }
            | One::Resize { .. }
            | One::Bound { .. }
            | One::PoolDelete { .. }
            | One::Cascade { .. }
            | One::Owned { .. }
            | One::Leased { .. }
            | One::Confirm { .. }
            | One::Renew { .. }
            | One::Reclaim { .. }
            | One::OwnerRelease { .. }
            | One::Expire { .. }
            | One::Later { .. }
            | One::Nonsense { .. } => return None,
        })
    }
}

/// The holder of a claim: a node, a part of one, or one whose name begins like another's.
fn node(number: Option<u8>) -> Option<allocator::name::Owner> {
    number.map(|number| match number {
        4 => owner("node-1/eth0"),
        5 => owner("node-10"),
        number => owner(&format!("node-{number}")),
    })
}

/// Commands that are refused whatever the state is.
fn nonsense(which: u8) -> Command {
    match which {
        0 => Command::TenantDelete {
            tenant: name(TENANT),
        },
        1 => Command::PoolCreate(Box::new(root("other", "10.0.0.0/8"))),
        2 => Command::ClaimCreate(Box::new(claim("claim99", "pool0", "99"))),
        3 => Command::ActivateVersion { version: 9 },
        4 => Command::PoolCreate(Box::new(exclude(
            root("other", "10.1.0.0/24"),
            &[("10.2.0.0", "")],
        ))),
        _ => Command::ClaimCreate(Box::new(claim("claim99", "nothing", ""))),
    }
}
