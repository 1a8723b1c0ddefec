//! Random commands against a model of lists and linear scans.

use std::collections::BTreeMap;

use allocator::answer::{Outcome, Rejection};
use allocator::command::{Command, Operation};
use allocator::filter::ClaimFilter;
use allocator::prefix::{Prefix, address_number, address_of_number};
use proptest::prelude::*;

use crate::support::{
    Harness, TENANT, batch, block, bounds, child, claim, create_claim, exclude, name, owner,
    pool_delete, release_claim, root, tenant,
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
    Owned {
        name: u8,
        owner: u8,
    },
    Nonsense {
        which: u8,
    },
}

fn part() -> impl Strategy<Value = One> {
    let length = prop_oneof![Just(None), (0_u8..=6).prop_map(Some)];
    prop_oneof![
        4 => (0_u8..24, 0_u8..6, length).prop_map(|(name, pool, length)| One::Claim { name, pool, length }),
        2 => (0_u8..24, 0_u8..6, 0_u8..=6, any::<u8>()).prop_map(|(name, pool, length, bits)| One::Exact { name, pool, length, bits }),
        4 => (0_u8..24, prop::option::of(any::<u8>())).prop_map(|(name, generation)| One::Release { name, generation }),
    ]
}

/// Random commands.
pub(crate) fn commands(most: usize) -> impl Strategy<Value = Vec<One>> {
    let one = prop_oneof![
        12 => part(),
        3 => (any::<bool>(), prop::collection::vec(part(), 0..6)).prop_map(|(atomic, parts)| One::Batch { atomic, parts }),
        2 => (0_u8..4, 0_u8..6, 1_u8..=4).prop_map(|(name, parent, length)| One::Carve { name, parent, length }),
        1 => (2_u8..6).prop_map(|name| One::PoolDelete { name }),
        1 => (0_u8..24, 0_u8..3).prop_map(|(name, owner)| One::Owned { name, owner }),
        1 => (0_u8..6).prop_map(|which| One::Nonsense { which }),
    ];
    prop::collection::vec(one, 1..most)
}

/// Two root pools of 64 addresses, one of each family, and room for four child pools.
#[derive(Default)]
pub(crate) struct World {
    /// The last generation seen of each claim.
    generations: BTreeMap<String, u64>,
}

impl World {
    pub(crate) fn setup() -> Vec<Command> {
        vec![
            Command::TenantCreate(Box::new(tenant(TENANT))),
            Command::PoolCreate(Box::new(exclude(
                root("pool0", "10.0.0.0/27 10.0.9.0/27"),
                &[("10.0.0.2-10.0.0.4", "edge")],
            ))),
            Command::PoolCreate(Box::new(bounds(
                root("pool1", "2001:db8::ffc0/122"),
                None,
                None,
                Some(127),
            ))),
        ]
    }

    /// The command; none where it is one of the parts of a batch only.
    pub(crate) fn command(&self, one: &One) -> Option<Command> {
        Some(match one {
            One::Claim { .. } | One::Exact { .. } => match self.operation(one)? {
                Operation::CreateClaim(spec) => Command::ClaimCreate(spec),
                Operation::ReleaseClaim(release) => Command::ClaimRelease(release),
            },
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
                Command::PoolCreate(Box::new(child(
                    &format!("pool{}", name + 2),
                    &format!("pool{parent}"),
                    &length.to_string(),
                )))
            }
            One::PoolDelete { name } => pool_delete(&format!("pool{name}")),
            One::Owned {
                name,
                owner: number,
            } => {
                let mut spec = claim(&format!("claim{name}"), "pool0", "");
                spec.owner = Some(owner(&format!("node-{number}")));
                spec.labels = crate::support::labels(&[("node", "n")]);
                Command::ClaimCreate(Box::new(spec))
            }
            One::Nonsense { which } => nonsense(*which),
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
            One::Release { name, generation } => {
                let text = format!("claim{name}");
                let known = self.generations.get(&text).copied().unwrap_or(0);
                // One in four is of another holding.
                let given = generation.map(|number| {
                    if number % 4 == 0 {
                        u64::from(number)
                    } else {
                        known
                    }
                });
                release_claim(&text, given)
            }
            One::Batch { .. }
            | One::Carve { .. }
            | One::PoolDelete { .. }
            | One::Owned { .. }
            | One::Nonsense { .. } => return None,
        })
    }
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

/// Pools and claims as lists.
#[derive(Debug, Clone, Default)]
struct Model {
    /// Name, blocks, parent, and the default length.
    pools: Vec<ModelPool>,
    /// Claim, pool, block, as asked.
    claims: Vec<(String, String, Prefix, String)>,
}

#[derive(Debug, Clone)]
struct ModelPool {
    name: String,
    blocks: Vec<Prefix>,
    parent: Option<String>,
    default: u8,
    reserved: Vec<Prefix>,
}

impl Model {
    fn pool(&self, text: &str) -> Option<&ModelPool> {
        self.pools.iter().find(|pool| pool.name == text)
    }

    /// All that is held of a pool.
    fn held(&self, pool: &ModelPool) -> Vec<Prefix> {
        let claims = self
            .claims
            .iter()
            .filter(|(_, from, ..)| *from == pool.name)
            .map(|(_, _, block, _)| *block);
        let children = self
            .pools
            .iter()
            .filter(|child| child.parent.as_ref() == Some(&pool.name))
            .map(|child| child.blocks[0]);
        claims
            .chain(children)
            .chain(pool.reserved.iter().copied())
            .collect()
    }

    /// Each block of the length, one after the other, until one is free.
    fn first_free(&self, pool: &ModelPool, length: u8) -> Option<Prefix> {
        let held = self.held(pool);
        pool.blocks
            .iter()
            .filter(|cidr| cidr.length() <= length)
            .find_map(|cidr| {
                let mut number = address_number(cidr.first());
                while number <= address_number(cidr.last()) {
                    let candidate =
                        Prefix::new(address_of_number(cidr.family(), number).unwrap(), length)
                            .unwrap();
                    if !held.iter().any(|there| there.overlaps(candidate)) {
                        return Some(candidate);
                    }
                    number = address_number(candidate.last()) + 1;
                }
                None
            })
    }

    /// Applies a claim or release; whether it is accepted, and the block.
    fn operation(
        &mut self,
        operation: &Operation,
        ended: &BTreeMap<(String, u64), Prefix>,
        current: &BTreeMap<String, u64>,
    ) -> Result<Option<Prefix>, &'static str> {
        match operation {
            Operation::CreateClaim(spec) => {
                let (text, from) = (spec.name.to_string(), spec.pool.name.to_string());
                let asked = format!(
                    "{from} {:?} {:?} {:?}",
                    spec.prefix_length, spec.cidr, spec.owner
                );
                if let Some((_, _, block, there)) =
                    self.claims.iter().find(|(there, ..)| *there == text)
                {
                    return if *there == asked {
                        Ok(Some(*block))
                    } else {
                        Err("mismatch")
                    };
                }
                let pool = self.pool(&from).ok_or("no pool")?;
                let family = pool.blocks[0].family();
                if spec.cidr.is_some_and(|cidr| cidr.family() != family) {
                    return Err("family");
                }
                let widest = pool.blocks.iter().map(|cidr| cidr.length()).min().unwrap();
                let length = spec
                    .cidr
                    .map(Prefix::length)
                    .or(spec.prefix_length)
                    .unwrap_or(pool.default);
                if length < widest || length > family.bits() {
                    return Err("length");
                }
                let block = match spec.cidr {
                    Some(cidr) if !pool.blocks.iter().any(|block| block.contains(cidr)) => {
                        return Err("outside");
                    }
                    Some(cidr) if self.held(pool).iter().any(|there| there.overlaps(cidr)) => {
                        return Err("taken");
                    }
                    Some(cidr) => cidr,
                    None => self.first_free(pool, length).ok_or("exhausted")?,
                };
                self.claims.push((text, from, block, asked));
                Ok(Some(block))
            }
            Operation::ReleaseClaim(release) => {
                let text = release.name.to_string();
                let place = self.claims.iter().position(|(there, ..)| *there == text);
                match (place, release.generation) {
                    (Some(place), None) => Ok(Some(self.claims.remove(place).2)),
                    (Some(place), Some(given)) if current.get(&text) == Some(&given) => {
                        Ok(Some(self.claims.remove(place).2))
                    }
                    (_, Some(given)) if ended.contains_key(&(text.clone(), given)) => {
                        Ok(Some(ended[&(text, given)]))
                    }
                    (Some(_), Some(_)) => Err("stale"),
                    (None, _) => Err("no claim"),
                }
            }
        }
    }
}

/// The word of the model for a refusal.
fn word(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::ClaimMismatch { .. } => "mismatch",
        Rejection::PoolNotFound { .. } => "no pool",
        Rejection::FamilyMismatch { .. } => "family",
        Rejection::PrefixLengthOutOfBounds { .. } => "length",
        Rejection::InvalidField(_) => "outside",
        Rejection::AddressTaken { .. } => "taken",
        Rejection::PoolExhausted { .. } => "exhausted",
        Rejection::GenerationStale { .. } => "stale",
        Rejection::ClaimNotFound { .. } => "no claim",
        other => panic!("{other:?}"),
    }
}

fn block_of(outcome: &Outcome) -> Prefix {
    match outcome {
        Outcome::ClaimCreated(view)
        | Outcome::ClaimRepeated(view)
        | Outcome::ClaimReleased(view)
        | Outcome::ClaimAlreadyReleased(view) => view.block,
        other => panic!("{other:?}"),
    }
}

/// Both sides of a run.
struct Run {
    harness: Harness,
    model: Model,
    world: World,
    ended: BTreeMap<(String, u64), Prefix>,
}

impl Run {
    fn new() -> Self {
        let world = World::default();
        let mut harness = Harness::default();
        for command in World::setup() {
            harness.ok(command);
        }
        let reserved = vec![block("10.0.0.2/31"), block("10.0.0.4/32")];
        let pools = vec![
            ModelPool {
                name: "pool0".into(),
                blocks: vec![block("10.0.0.0/27"), block("10.0.9.0/27")],
                parent: None,
                default: 32,
                reserved,
            },
            ModelPool {
                name: "pool1".into(),
                blocks: vec![block("2001:db8::ffc0/122")],
                parent: None,
                default: 127,
                reserved: vec![],
            },
        ];
        Self {
            harness,
            model: Model {
                pools,
                claims: Vec::new(),
            },
            world,
            ended: BTreeMap::new(),
        }
    }

    /// Notes what an outcome says of generations.
    fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::ClaimCreated(view) => {
                self.world
                    .generations
                    .insert(view.spec.name.to_string(), view.generation);
            }
            Outcome::ClaimReleased(view) => {
                self.ended
                    .insert((view.spec.name.to_string(), view.generation), view.block);
            }
            Outcome::Batch(results) => results.iter().flatten().for_each(|one| self.note(one)),
            _ => {}
        }
    }

    fn step(&mut self, one: &One) {
        let Some(command) = self.world.command(one) else {
            return;
        };
        let result = self.harness.answer(command.clone()).result;
        match &command {
            Command::ClaimCreate(spec) => {
                self.compare(&Operation::CreateClaim(spec.clone()), &result);
            }
            Command::ClaimRelease(release) => {
                self.compare(&Operation::ReleaseClaim(release.clone()), &result);
            }
            Command::Batch {
                atomic: false,
                operations,
                ..
            } => {
                let Ok(Outcome::Batch(results)) = &result else {
                    panic!("{result:?}")
                };
                for (operation, result) in operations.iter().zip(results) {
                    self.compare(operation, result);
                }
            }
            Command::Batch { operations, .. } => self.compare_atomic(operations, &result),
            Command::PoolCreate(spec) => self.compare_carve(spec, &result),
            Command::PoolDelete { pool, .. } => {
                let held = self
                    .model
                    .pool(pool.as_str())
                    .map(|pool| self.model.held(pool).len() - pool.reserved.len());
                assert_eq!(result.is_ok(), held == Some(0), "{result:?}");
                if result.is_ok() {
                    self.model.pools.retain(|there| there.name != pool.as_str());
                }
            }
            _ => assert!(result.is_err(), "{result:?}"),
        }
        if let Ok(outcome) = &result {
            self.note(outcome);
        }
    }

    fn compare(&mut self, operation: &Operation, result: &Result<Outcome, Rejection>) {
        let expected = self
            .model
            .operation(operation, &self.ended, &self.world.generations);
        let found = result
            .as_ref()
            .map(|outcome| Some(block_of(outcome)))
            .map_err(word);
        assert_eq!(found, expected, "{operation:?}");
        if let Ok(outcome) = result {
            self.note(outcome);
        }
    }

    fn compare_atomic(&mut self, operations: &[Operation], result: &Result<Outcome, Rejection>) {
        match result {
            Ok(Outcome::Batch(results)) => {
                for (operation, result) in operations.iter().zip(results) {
                    self.compare(operation, result);
                }
            }
            Err(Rejection::BatchRefused {
                failed_index,
                reasons,
            }) => {
                let failed = *failed_index as usize;
                let kept = (
                    self.model.clone(),
                    self.ended.clone(),
                    self.world.generations.clone(),
                );
                for operation in &operations[..failed] {
                    // Generations within a batch that is taken back are not told: those that need them
                    // are not compared.
                    let expected =
                        self.model
                            .operation(operation, &self.ended, &self.world.generations);
                    if let (Ok(Some(block)), Operation::ReleaseClaim(release)) =
                        (&expected, operation)
                    {
                        let generation = self
                            .world
                            .generations
                            .get(release.name.as_str())
                            .copied()
                            .unwrap_or(0);
                        self.ended
                            .insert((release.name.to_string(), generation), *block);
                    }
                    if let (Ok(_), Operation::CreateClaim(spec)) = (&expected, operation)
                        && !kept
                            .0
                            .claims
                            .iter()
                            .any(|(there, ..)| there == spec.name.as_str())
                    {
                        self.world
                            .generations
                            .insert(spec.name.to_string(), u64::MAX);
                    }
                    assert!(expected.is_ok(), "{operation:?}: {expected:?}");
                }
                let expected =
                    self.model
                        .operation(&operations[failed], &self.ended, &self.world.generations);
                assert_eq!(Err(word(&reasons[failed])), expected);
                (self.model, self.ended, self.world.generations) = kept;
            }
            other => panic!("{other:?}"),
        }
    }

    fn compare_carve(
        &mut self,
        spec: &allocator::command::PoolSpec,
        result: &Result<Outcome, Rejection>,
    ) {
        let (
            text,
            allocator::command::PoolSource::Child {
                parent,
                block: allocator::command::ChildBlock::Length(length),
            },
        ) = (spec.name.to_string(), &spec.source)
        else {
            assert!(result.is_err(), "{result:?}");
            return;
        };
        let parent_name = parent.name.to_string();
        if let Some(there) = self.model.pool(&text) {
            let same =
                there.parent.as_ref() == Some(&parent_name) && there.blocks[0].length() == *length;
            assert_eq!(result.is_ok(), same, "{result:?}");
            return;
        }
        let parent = self.model.pool(&parent_name);
        let widest =
            parent.and_then(|parent| parent.blocks.iter().map(|block| block.length()).min());
        let family_bits = parent.map(|parent| parent.blocks[0].family().bits());
        let allowed = widest.is_some_and(|widest| widest <= *length)
            && family_bits.is_some_and(|bits| *length <= bits);
        let free = parent
            .filter(|_| allowed)
            .and_then(|parent| self.model.first_free(parent, *length));
        match (free, result) {
            (Some(free), Ok(Outcome::PoolCreated(view))) => {
                assert_eq!(view.cidrs[0].cidr, free);
                let default = free.family().bits();
                self.model.pools.push(ModelPool {
                    name: text,
                    blocks: vec![free],
                    parent: Some(parent_name),
                    default,
                    reserved: vec![],
                });
            }
            (None, Err(_)) => {}
            (free, result) => panic!("{free:?} {result:?}"),
        }
    }

    /// What is left in the end is what the model has.
    fn finish(&self) {
        let page = self
            .harness
            .state
            .claims(&name(TENANT), &ClaimFilter::default(), None, 1_000)
            .unwrap();
        let mut expected: Vec<(String, Prefix)> = self
            .model
            .claims
            .iter()
            .map(|(text, _, block, _)| (text.clone(), *block))
            .collect();
        expected.sort();
        let found: Vec<(String, Prefix)> = page
            .items
            .iter()
            .map(|view| (view.spec.name.to_string(), view.block))
            .collect();
        assert_eq!(found, expected);
        for pool in &self.model.pools {
            let held: u128 = self
                .model
                .held(pool)
                .iter()
                .map(|block| block.size().as_u128().unwrap())
                .sum();
            let total: u128 = pool
                .blocks
                .iter()
                .map(|block| block.size().as_u128().unwrap())
                .sum();
            assert_eq!(
                self.harness.view(&pool.name).capacity.available.as_u128(),
                Some(total - held)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_commands_do_what_a_list_of_blocks_would_do(commands in commands(80)) {
        let mut run = Run::new();
        for one in &commands {
            run.step(one);
        }
        run.finish();
    }
}
