//! Commands for the allocator, drawn from the bytes of an input as the decisions of whoever asks.

use allocator::State;
use allocator::cascade::PoolCascade;
use allocator::command::{
    AllocationReclaim, ChildBlock, ClaimConfirm, ClaimRelease, ClaimRenew, ClaimSpec, Command,
    Entry, Envelope, Operation, PoolCidr, PoolRef, PoolSource, PoolSpec, Position, Quota, Stamp,
    Strategy, TenantSpec,
};
use allocator::edit::{PoolChange, PoolEdit};
use allocator::life::{ClaimLife, PoolLife, ReclaimPolicy};
use allocator::name::{Labels, Name, Owner};
use allocator::owners::{OwnedBefore, OwnerHoldings, OwnerMatch, OwnerRelease};
use allocator::prefix::Prefix;

/// Commands of one input.
const COMMANDS_MAX: usize = 48;
/// Operations of one batch.
const OPERATIONS_MAX: usize = 5;

/// Two replicas do the same commands; each answers as the other, and as it said before it did it. Both stay sound, and
/// are the same when they are read again from their pages.
pub(super) fn read(input: &[u8]) -> bool {
    let mut choices = Choices(input);
    let mut replicas = [State::new(), State::new()];
    let before = [
        tenant("a"),
        tenant("b"),
        root("p0", "10.0.0.0/26"),
        root("p1", "2001:db8::/58"),
    ];
    for (index, command) in before.into_iter().enumerate() {
        apply(&mut replicas, index + 1, command, 0);
    }
    let (mut mono_ms, mut is_taken) = (0, false);
    for index in 5.. {
        if choices.0.is_empty() || index > COMMANDS_MAX {
            break;
        }
        let command = command(&mut choices, &replicas[0]);
        mono_ms += u64::from(choices.below(4)) * 700;
        apply(&mut replicas, index, command, mono_ms);
        replicas[0].audit().expect("the state is sound");
        is_taken |= replicas[0].claims_total() > 0;
    }
    let cut = replicas[1].cut();
    State::audit_cut(&cut).expect("what is read again is sound");
    is_taken
}

fn apply(replicas: &mut [State; 2], index: usize, command: Command, mono_ms: u64) {
    let envelope = Envelope {
        actor: "".into(),
        source: "".into(),
        command,
    };
    let stamp = Stamp {
        clock_term: 1,
        clock_node: 1,
        mono_ms,
        wall_ms: Some(mono_ms),
    };
    let at = Position {
        term: 1,
        node: 1,
        index: index as u64,
    };
    let [one, other] = replicas;
    one.entry_begin(at, &stamp);
    let told = one.dry_run(&envelope);
    let answer = one.command_apply(&envelope);
    one.entry_end();
    assert_eq!(told, answer, "{:?} tried out and done", envelope.command);
    let entry = Entry {
        stamp,
        commands: vec![envelope],
    };
    assert_eq!(other.apply(at, &entry), [answer], "{:?}", entry.commands);
    assert_eq!(one.digest(), other.digest(), "{:?}", entry.commands);
}

/// Decisions, one byte each; when there are no more, all are 0.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) == 0).then(|| make(self))
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()].clone()
    }

    fn tenant(&mut self) -> Name {
        // Mostly the same one.
        let text = if self.below(5) == 4 { "b" } else { "a" };
        Name::new(text).expect("a name")
    }

    fn name(&mut self, prefix: &str, of: u8) -> Name {
        Name::new(&format!("{prefix}{}", self.below(of))).expect("a name")
    }

    fn pool(&mut self) -> PoolRef {
        PoolRef {
            tenant: self.maybe(Self::tenant),
            name: self.name("p", 4),
        }
    }

    /// A block of a space that is small enough to be full: 10.0.0.0/26, or as many /64s.
    fn block(&mut self) -> Prefix {
        let (place, length) = (u128::from(self.below(64)), 26 + self.below(7));
        let six = self.below(3) == 2;
        let around = if six {
            let number = (0x2001_0db8_u128 << 96) | (place << 64);
            Prefix::around(std::net::Ipv6Addr::from(number).into(), length + 32)
        } else {
            let number = 0x0a00_0000 | u32::try_from(place).unwrap_or(0);
            Prefix::around(std::net::Ipv4Addr::from(number).into(), length)
        };
        around.expect("the length is one of the family's")
    }

    fn length(&mut self) -> u8 {
        let length = 26 + self.below(8);
        if self.below(4) == 3 {
            length + 32
        } else {
            length
        }
    }

    fn seconds(&mut self) -> u32 {
        u32::from(self.below(6))
    }
}

fn tenant(name: &str) -> Command {
    Command::TenantCreate(Box::new(TenantSpec {
        name: Name::new(name).expect("a name"),
        labels: Labels::new(),
        annotations: Labels::new(),
        description: "".into(),
        quota: Quota::default(),
    }))
}

fn root(pool: &str, cidr: &str) -> Command {
    let cidrs = vec![PoolCidr {
        cidr: cidr.parse().expect("a block"),
        subnet: None,
        gateway: None,
    }];
    let source = PoolSource::Root { space: None, cidrs };
    let name = |text| Name::new(text).expect("a name");
    Command::PoolCreate(Box::new(PoolSpec::new(name("a"), name(pool), source)))
}

fn command(choices: &mut Choices<'_>, state: &State) -> Command {
    match choices.below(16) {
        0 | 1 => Command::PoolCreate(Box::new(pool(choices))),
        2 => Command::PoolEdit(Box::new(edit(choices))),
        3 => Command::PoolDelete {
            tenant: choices.tenant(),
            pool: choices.name("p", 4),
            if_revision: None,
        },
        4 => Command::PoolCascade(PoolCascade {
            tenant: choices.tenant(),
            pool: choices.name("p", 4),
            if_revision: None,
            as_of_revision: state.revision().saturating_sub(choices.below(4).into()),
            limit: choices.maybe(|choices| u32::from(choices.below(4)) + 1),
        }),
        5 | 6 => Command::ClaimRelease(release(choices, state)),
        7 => Command::ClaimConfirm(ClaimConfirm {
            tenant: choices.tenant(),
            name: choices.name("c", 8),
            owner: None,
            generation: None,
        }),
        8 => Command::ClaimRenew(ClaimRenew {
            tenant: choices.tenant(),
            name: choices.name("c", 8),
            owner: None,
            generation: None,
            ttl_seconds: choices.maybe(Choices::seconds),
        }),
        9 => Command::AllocationReclaim(AllocationReclaim {
            tenant: choices.tenant(),
            space: Name::new("default").expect("a name"),
            cidr: choices.block(),
            generation: state.generation().saturating_sub(choices.below(8).into()),
        }),
        10 => Command::ClockAdvance {
            ms: u64::from(choices.byte()) * 20,
        },
        11 => Command::Expire {
            holds_max: choices.below(4).into(),
        },
        12 => Command::OwnerRelease(Box::new(OwnerRelease {
            tenant: choices.tenant(),
            what: OwnerHoldings::Owned(OwnedBefore {
                owners: if choices.below(2) == 0 {
                    OwnerMatch::Exact(owner(choices))
                } else {
                    OwnerMatch::Prefix(owner(choices))
                },
                as_of_revision: state.revision().saturating_sub(choices.below(4).into()),
                limit: choices.maybe(|choices| u32::from(choices.below(4)) + 1),
                pools: choices
                    .maybe(|choices| vec![choices.pool()])
                    .unwrap_or_default(),
            }),
        })),
        13 => Command::Batch {
            tenant: choices.tenant(),
            atomic: choices.below(2) == 0,
            operations: operations(choices, state),
        },
        _ => Command::ClaimCreate(Box::new(claim(choices))),
    }
}

fn owner(choices: &mut Choices<'_>) -> Owner {
    let text = choices.one_of(&["r", "r/1", "r/2", "s"]);
    Owner::new(text).expect("an owner")
}

fn life(choices: &mut Choices<'_>) -> PoolLife {
    PoolLife {
        grace_seconds: choices.maybe(Choices::seconds),
        reclaim_policy: choices
            .maybe(|choices| choices.one_of(&[ReclaimPolicy::Delete, ReclaimPolicy::Retain])),
        max_grace_seconds: choices.maybe(Choices::seconds),
        allow_retain: choices.maybe(|choices| choices.below(2) == 0),
        max_ttl_seconds: choices.maybe(Choices::seconds),
    }
}

fn cidr(choices: &mut Choices<'_>) -> PoolCidr {
    PoolCidr {
        cidr: choices.block(),
        subnet: None,
        gateway: None,
    }
}

fn pool(choices: &mut Choices<'_>) -> PoolSpec {
    let (tenant, name) = (choices.tenant(), choices.name("p", 4));
    let source = match choices.below(3) {
        0 => PoolSource::Child {
            parent: choices.pool(),
            block: if choices.below(2) == 0 {
                ChildBlock::Length(choices.length())
            } else {
                ChildBlock::Cidr(choices.block())
            },
        },
        more => PoolSource::Root {
            space: None,
            cidrs: (0..more).map(|_| cidr(choices)).collect(),
        },
    };
    let mut spec = PoolSpec::new(tenant, name, source);
    spec.strategy = choices.one_of(&Strategy::ALL);
    spec.usable_only = choices.below(4) == 0;
    spec.default_prefix_length = choices.maybe(Choices::length);
    spec.max_prefix_length = choices.maybe(Choices::length);
    spec.life = life(choices);
    spec
}

fn edit(choices: &mut Choices<'_>) -> PoolEdit {
    let change = match choices.below(5) {
        0 => PoolChange::Strategy(choices.one_of(&Strategy::ALL)),
        1 => PoolChange::Drain(choices.below(2) == 0),
        2 => PoolChange::UsableOnly(choices.below(2) == 0),
        3 => PoolChange::MaxPrefixLength(choices.maybe(Choices::length)),
        more => PoolChange::Cidrs((3..more).map(|_| cidr(choices)).collect()),
    };
    PoolEdit {
        tenant: choices.tenant(),
        pool: choices.name("p", 4),
        if_revision: None,
        changes: vec![change],
    }
}

fn claim(choices: &mut Choices<'_>) -> ClaimSpec {
    let mut spec = ClaimSpec::new(choices.tenant(), choices.name("c", 8), choices.pool());
    match choices.below(3) {
        0 => spec.cidr = Some(choices.block()),
        1 => spec.prefix_length = Some(choices.length()),
        _ => {}
    }
    spec.reservation = choices.below(6) == 5;
    spec.within = choices
        .maybe(|choices| vec![choices.block().into()])
        .unwrap_or_default();
    spec.owner = choices.maybe(owner);
    spec.life = ClaimLife {
        ttl_seconds: choices.maybe(Choices::seconds),
        grace_seconds: choices.maybe(Choices::seconds),
        reclaim_policy: None,
    };
    spec
}

fn release(choices: &mut Choices<'_>, state: &State) -> ClaimRelease {
    let newest = state.generation();
    ClaimRelease {
        tenant: choices.tenant(),
        name: choices.name("c", 8),
        generation: choices.maybe(|choices| newest.saturating_sub(choices.below(8).into())),
    }
}

fn operations(choices: &mut Choices<'_>, state: &State) -> Vec<Operation> {
    let count = usize::from(choices.byte()) % OPERATIONS_MAX + 1;
    (0..count)
        .map(|_| match choices.below(3) {
            0 => Operation::ReleaseClaim(release(choices, state)),
            _ => Operation::CreateClaim(Box::new(claim(choices))),
        })
        .collect()
}
