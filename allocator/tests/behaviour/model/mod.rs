//! Random commands against a model of lists and linear scans.

mod naive;
mod owned;
mod world;

use std::collections::BTreeMap;

use allocator::answer::{Outcome, Rejection};
use allocator::command::{Command, Operation, Strategy};
use allocator::edit::{PoolChange, PoolEdit};
use allocator::filter::ClaimFilter;
use allocator::life::PoolLife;
use allocator::prefix::Prefix;
use proptest::prelude::*;

use crate::support::{Harness, TENANT, block, name};

use naive::{EndedBlocks, Model, ModelPool};
pub(crate) use world::{One, World, commands, strategies};

/// The word of the model for a refusal.
fn word(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::ClaimMismatch { .. } => "mismatch",
        Rejection::PoolNotFound { .. } => "no pool",
        Rejection::FamilyMismatch { .. } => "family",
        Rejection::PrefixLengthOutOfBounds { .. } => "length",
        Rejection::InvalidField(_) => "outside",
        Rejection::AddressTaken { .. } => "taken",
        Rejection::PoolDraining { .. } => "draining",
        Rejection::PoolExhausted { .. } => "exhausted",
        Rejection::GenerationStale { .. } => "stale",
        Rejection::ClaimNotFound { .. } => "no claim",
        Rejection::NotTheHolder { .. } => "not the holder",
        other => panic!("{other:?}"),
    }
}

fn block_of(outcome: &Outcome) -> Prefix {
    match outcome {
        Outcome::ClaimCreated(view)
        | Outcome::ClaimRepeated(view)
        | Outcome::ClaimReleased(view)
        | Outcome::ClaimConfirmed(view)
        | Outcome::ClaimRenewed(view)
        | Outcome::ClaimAlreadyReleased(view) => view.block,
        other => panic!("{other:?}"),
    }
}

/// Both sides of a run.
struct Run {
    harness: Harness,
    model: Model,
    world: World,
    ended: EndedBlocks,
}

impl Run {
    fn new(strategy: Strategy) -> Self {
        let world = World::new(strategy);
        let mut harness = Harness::default();
        for command in world.setup() {
            harness.ok(command);
        }
        let withheld = (2..=4)
            .map(|last| block(&format!("10.0.0.{last}/32")))
            .collect();
        let pools = vec![
            ModelPool {
                name: "pool0".into(),
                blocks: vec![block("10.0.0.0/27"), block("10.0.9.0/27")],
                parent: None,
                default: 32,
                withheld,
                drain: false,
                min: None,
                cursor: None,
                life: World::lives()[0],
                mtu: None,
            },
            ModelPool {
                name: "pool1".into(),
                blocks: vec![block("2001:db8::ffc0/122")],
                parent: None,
                default: 127,
                withheld: vec![],
                drain: false,
                min: None,
                cursor: None,
                life: World::lives()[1],
                mtu: None,
            },
        ];
        Self {
            harness,
            model: Model {
                strategy,
                pools,
                ..Model::default()
            },
            world,
            ended: BTreeMap::new(),
        }
    }

    /// Notes what an outcome says of generations.
    fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::ClaimCreated(view) => {
                let text = view.spec.name.to_string();
                self.world.given.insert(text.clone(), view.revision);
                self.world.generations.insert(text, view.generation);
            }
            Outcome::ClaimReleased(view) => {
                self.ended
                    .insert((view.spec.name.to_string(), view.generation), view.block);
                self.world.kept.push((view.block, view.generation));
            }
            Outcome::Batch(results) => results.iter().flatten().for_each(|one| self.note(one)),
            _ => {}
        }
    }

    fn step(&mut self, one: &One) {
        self.world.revision = self.harness.state.revision();
        let Some(mut command) = self.world.command(one) else {
            return;
        };
        // Which of two that are due at one moment goes first is not the model's business.
        if let Command::Expire { holds_max } = &mut command
            && *holds_max > 0
            && self.model.has_ties()
        {
            *holds_max = 1_000;
        }
        let result = self.harness.answer(command.clone()).result;
        self.model.now_ms = self.harness.state.clock().now_ms();
        match &command {
            Command::ClockAdvance { .. } => assert!(result.is_ok(), "{result:?}"),
            Command::Expire { holds_max } => {
                let expected =
                    self.model
                        .expire(*holds_max, &mut self.ended, &self.world.generations);
                let Ok(Outcome::Expired(found)) = &result else {
                    panic!("{result:?}")
                };
                assert_eq!(
                    (found.expiring, found.expired, found.reclaimed, found.more),
                    expected
                );
            }
            Command::ClaimConfirm(confirm) => {
                let expected = self.model.confirm(confirm, &self.world.generations);
                assert_eq!(result.as_ref().map(block_of).map_err(word), expected);
            }
            Command::ClaimRenew(renew) => {
                let expected = self.model.renew(renew, &self.world.generations);
                assert_eq!(result.as_ref().map(block_of).map_err(word), expected);
            }
            Command::AllocationReclaim(reclaim) => {
                // The same block may be kept again, as another holding: by the generation it is told.
                let view = self.harness.state.events(None, 10_000).unwrap();
                let last = view.items.last().unwrap();
                let kept = self
                    .model
                    .kept
                    .iter()
                    .position(|kept| kept.block == reclaim.cidr);
                if result.is_ok() {
                    self.model
                        .kept
                        .remove(kept.expect("only what is kept is reclaimed"));
                    assert_eq!(last.generation, Some(reclaim.generation));
                } else if kept.is_some() {
                    let stale = matches!(result, Err(Rejection::GenerationStale { .. }));
                    assert!(stale, "{result:?}");
                }
            }
            Command::PoolCascade(cascade) => self.compare_cascade(cascade, &result),
            Command::OwnerRelease(release) => self.compare_owner_release(release, &result),
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
            Command::PoolEdit(edit) => self.compare_edit(edit, &result),
            Command::PoolDelete { pool, .. } => {
                let held = self
                    .model
                    .pool(pool.as_str())
                    .map(|pool| self.model.holders(pool).len());
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
            .operation(operation, &mut self.ended, &self.world.generations);
        let found = result.as_ref().map(block_of).map_err(word);
        assert_eq!(found, expected, "{operation:?}");
        if let Ok(Outcome::ClaimCreated(view)) = result {
            let claim = self.model.claim(view.spec.name.as_str()).unwrap();
            assert_eq!(view.returned, claim.returned);
            assert_eq!(view.previously_released_at_ms.is_some(), claim.returned);
        }
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
                            .operation(operation, &mut self.ended, &self.world.generations);
                    if let (Ok(block), Operation::ReleaseClaim(release)) = (&expected, operation) {
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
                            .any(|claim| claim.name == spec.name.as_str())
                    {
                        self.world
                            .generations
                            .insert(spec.name.to_string(), u64::MAX);
                    }
                    assert!(expected.is_ok(), "{operation:?}: {expected:?}");
                }
                let expected = self.model.operation(
                    &operations[failed],
                    &mut self.ended,
                    &self.world.generations,
                );
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
            let same = there.parent.as_ref() == Some(&parent_name)
                && there.blocks[0].length() == *length
                && !there.drain
                && there.mtu == spec.handout.mtu;
            assert_eq!(result.is_ok(), same, "{result:?}");
            return;
        }
        let parent = self.model.pool(&parent_name);
        let widest =
            parent.and_then(|parent| parent.blocks.iter().map(|block| block.length()).min());
        let family_bits = parent.map(|parent| parent.blocks[0].family().bits());
        let allowed = parent.is_some_and(|parent| !parent.drain)
            && parent.is_some_and(|parent| parent.min.is_none_or(|min| min <= *length))
            && widest.is_some_and(|widest| widest <= *length)
            && family_bits.is_some_and(|bits| *length <= bits);
        let free = if allowed {
            self.model.choose_or_sweep(
                &parent_name,
                *length,
                &[],
                &mut self.ended,
                &self.world.generations,
            )
        } else {
            None
        };
        match (free, result) {
            (Some(free), Ok(Outcome::PoolCreated(view))) => {
                assert_eq!(view.cidrs[0].cidr, free);
                let default = free.family().bits();
                self.model.handed_out(&parent_name, free);
                self.model.pools.push(ModelPool {
                    name: text,
                    blocks: vec![free],
                    parent: Some(parent_name),
                    default,
                    withheld: vec![],
                    drain: false,
                    min: None,
                    cursor: None,
                    life: PoolLife::default(),
                    mtu: None,
                });
            }
            (None, Err(_)) => {}
            (free, result) => panic!("{free:?} {result:?}"),
        }
    }

    fn compare_edit(&mut self, edit: &PoolEdit, result: &Result<Outcome, Rejection>) {
        let Some(place) = self
            .model
            .pools
            .iter()
            .position(|pool| pool.name == edit.pool.as_str())
        else {
            assert!(matches!(result, Err(Rejection::PoolNotFound { .. })));
            return;
        };
        let mut pool = self.model.pools[place].clone();
        for change in &edit.changes {
            match change {
                PoolChange::Drain(drain) => pool.drain = *drain,
                PoolChange::Mtu(mtu) => pool.mtu = *mtu,
                PoolChange::MinPrefixLength(min) => pool.min = *min,
                PoolChange::Cidrs(cidrs) => {
                    pool.blocks = cidrs.iter().map(|one| one.cidr).collect();
                }
                PoolChange::Exclude(exclude) => {
                    let inside = |address: &Prefix| {
                        let first = address.first();
                        exclude
                            .iter()
                            .any(|run| run.first <= first && first <= run.last)
                    };
                    pool.withheld = (0..32)
                        .map(|last| block(&format!("10.0.0.{last}/32")))
                        .filter(inside)
                        .collect();
                }
                other => panic!("{other:?}"),
            }
        }
        let kept = |held: &Prefix| pool.blocks.iter().any(|block| block.contains(*held));
        let allowed = self.model.holders(&pool).iter().all(kept);
        assert_eq!(result.is_ok(), allowed, "{result:?}");
        if allowed {
            self.model.pools[place] = pool;
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
            .map(|claim| (claim.name.clone(), claim.block))
            .collect();
        expected.sort();
        let found: Vec<(String, Prefix)> = page
            .items
            .iter()
            .map(|view| (view.spec.name.to_string(), view.block))
            .collect();
        assert_eq!(found, expected);
        for view in &page.items {
            let expected = self.model.mtu_of(view.pool.as_str());
            assert_eq!(view.handout.mtu, expected, "{}", view.spec.name);
        }
        for pool in &self.model.pools {
            let available: u128 = pool
                .blocks
                .iter()
                .map(|block| block.size().as_u128().unwrap() - self.model.used(pool, *block))
                .sum();
            let of_pool = |from: &String| *from == pool.name;
            let claims = self.model.claims.iter().filter(|one| of_pool(&one.pool));
            let kept = self.model.kept.iter().filter(|one| of_pool(&one.pool));
            let view = self.harness.view(&pool.name);
            let counts = view.claims;
            assert_eq!(
                (counts.allocated, counts.in_use, counts.released),
                (
                    claims.clone().count() as u64,
                    claims.filter(|claim| claim.in_use).count() as u64,
                    kept.count() as u64
                )
            );
            assert_eq!(view.capacity.available.as_u128(), Some(available));
            assert_eq!(view.out_of_policy, self.model.out_of_policy(pool));
            assert_eq!(view.handout.mtu, self.model.mtu_of(&pool.name));
        }
    }
}

proptest! {
    // About 106,000 commands: 39.5 a case on average.
    #![proptest_config(ProptestConfig { cases: 2_700, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_commands_do_what_a_list_of_blocks_would_do(commands in commands(80), strategy in strategies()) {
        let mut run = Run::new(strategy);
        for one in &commands {
            run.step(one);
        }
        run.finish();
    }
}
