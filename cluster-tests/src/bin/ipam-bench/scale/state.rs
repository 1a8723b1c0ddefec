//! The state machine alone, with so many blocks held: what each thing takes, and how much memory a held block.

use std::collections::VecDeque;
use std::hint::black_box;

use allocator::answer::{Answer, Outcome, Rejection};
use allocator::command::{Command, SPACE_DEFAULT};
use allocator::filter::{AllocationFilter, AllocationKey, ClaimFilter};
use allocator::name::Name;
use allocator::prefix::Prefix;
use allocator::view::MapView;
use anyhow::{Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use super::figure::{Figure, Figures};
use super::shape::Scene;
use crate::entries::{Applying, TENANT, name};
use crate::latency::median_of;
use crate::usage;

/// The figures are medians of so many rounds.
const ROUNDS: usize = 41;
/// Commands of an entry, all of one kind.
const ENTRY: usize = 64;
/// Released before the first round, so that exact claims have blocks to ask for.
const HOLES: usize = 256;
/// Reads of one row in a round, and of a page.
const LOOKUPS: usize = 100;
const PAGES: usize = 10;
/// Rows of a page.
const PAGE: usize = 100;
/// Runs of a map, the most there may be.
const RUNS: usize = 1_000;

pub(super) fn measure(scene: Scene) -> Result<Figures> {
    let mut figures = Figures::default();
    let before = usage::resident(std::process::id())?;
    let applying = applied(scene)?;
    let grown = usage::resident(std::process::id())? - before;
    figures.tell(Figure::Resident, grown / f64::from(scene.held));
    let mut filled = Filled::new(scene, applying);
    filled.churn(&mut figures)?;
    filled.read(&mut figures)?;
    filled.keep(&mut figures);
    Ok(figures)
}

struct Filled {
    scene: Scene,
    applying: Applying,
    /// Numbers of the claims that hold something.
    held: Vec<u32>,
    /// The number of the next claim.
    next: u32,
    /// Free blocks with the number of a claim from their pool, the one that is free for the longest time first.
    holes: VecDeque<(u32, Prefix)>,
    random: StdRng,
}

/// A claim and what it holds.
struct Held {
    name: Name,
    pool: Name,
    block: Prefix,
}

fn applied(scene: Scene) -> Result<Applying> {
    let mut applying = Applying::default();
    for commands in scene.entries()? {
        let (answers, _) = applying.apply(commands?);
        for answer in answers {
            done(answer)?;
        }
    }
    let held = applying.state.claims_total();
    ensure!(held == u64::from(scene.held), "{held} are held");
    Ok(applying)
}

impl Filled {
    fn new(scene: Scene, applying: Applying) -> Self {
        Self {
            scene,
            applying,
            held: scene.numbers().collect(),
            next: scene.named(),
            holes: VecDeque::new(),
            random: StdRng::seed_from_u64(7),
        }
    }

    /// As many claims as releases, so that as much is held after each round as before it.
    fn churn(&mut self, figures: &mut Figures) -> Result<()> {
        self.release(HOLES)?;
        let [mut claims, mut releases, mut exact] = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            exact.push(self.claim_exactly()?);
            claims.push(self.claim()?);
            releases.push(self.release(2 * ENTRY)?);
        }
        figures.took(Figure::Claim, median_of(&claims));
        figures.took(Figure::Release, median_of(&releases));
        figures.took(Figure::ExactClaim, median_of(&exact));
        Ok(())
    }

    /// Claims any block; the time for each.
    fn claim(&mut self) -> Result<f64> {
        let mut commands = Vec::with_capacity(ENTRY);
        for _ in 0..ENTRY {
            commands.push(self.scene.claim(self.next, None)?);
            self.held.push(self.next);
            self.next += 1;
        }
        let (answers, took) = self.apply(commands)?;
        let taken = |hole: &(u32, Prefix)| answers.iter().any(|block| block.overlaps(hole.1));
        self.holes.retain(|hole| !taken(hole));
        Ok(took)
    }

    /// Claims blocks that were released in an earlier round; the time for each.
    fn claim_exactly(&mut self) -> Result<f64> {
        ensure!(self.holes.len() >= ENTRY, "there are holes");
        let mut commands = Vec::with_capacity(ENTRY);
        for (number, block) in self.holes.drain(..ENTRY) {
            self.next = self.scene.next_of_pool(self.next, number);
            commands.push(self.scene.claim(self.next, Some(block))?);
            self.held.push(self.next);
            self.next += 1;
        }
        let (_, took) = self.apply(commands)?;
        Ok(took)
    }

    /// Releases any claims; the time for each.
    fn release(&mut self, count: usize) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..count / ENTRY {
            let mut numbers = Vec::with_capacity(ENTRY);
            let mut commands = Vec::with_capacity(ENTRY);
            for _ in 0..ENTRY {
                let place = self.random.random_range(..self.held.len());
                let number = self.held.swap_remove(place);
                numbers.push(number);
                commands.push(Scene::release(number)?);
            }
            let (answers, took) = self.apply(commands)?;
            self.holes.extend(numbers.into_iter().zip(answers));
            times.push(took);
        }
        Ok(times.iter().sum::<f64>() / f64::from(u32::try_from(times.len())?))
    }

    /// Applies an entry: the blocks that its claims have or had, and the time for each command.
    fn apply(&mut self, commands: Vec<Command>) -> Result<(Vec<Prefix>, f64)> {
        let count = u32::try_from(commands.len())?;
        let (answers, took) = self.applying.apply(commands);
        let blocks: Vec<_> = answers.into_iter().map(done).collect::<Result<_>>()?;
        let blocks = blocks.into_iter().flatten().collect();
        Ok((blocks, took.as_secs_f64() / f64::from(count)))
    }

    fn read(&mut self, figures: &mut Figures) -> Result<()> {
        let (tenant, space) = (name(TENANT)?, name(SPACE_DEFAULT)?);
        let lookups = self.any(LOOKUPS)?;
        let pages = self.any(PAGES)?;
        let state = &self.applying.state;
        for held in &lookups[0] {
            let view = state.lookup(&tenant, &space, held.block);
            let found = view.ok().and_then(|view| view.claim);
            ensure!(
                found.is_some_and(|claim| claim.spec.name == held.name),
                "{} is found by its block",
                held.name
            );
        }
        let (claims, allocations) = (ClaimFilter::default(), AllocationFilter::default());
        let mut took = |figure, seconds| figures.took(figure, seconds);
        took(
            Figure::Lookup,
            each(&lookups, |held| state.lookup(&tenant, &space, held.block)),
        );
        took(
            Figure::ClaimsFirst,
            each(&pages, |_| state.claims(&tenant, &claims, None, PAGE)),
        );
        took(
            Figure::ClaimsFar,
            each(&pages, |held| {
                state.claims(&tenant, &claims, Some(&held.name), PAGE)
            }),
        );
        took(
            Figure::AllocationsFirst,
            each(&pages, |_| {
                state.allocations(&tenant, &allocations, None, PAGE)
            }),
        );
        let keys: Vec<Vec<AllocationKey>> = pages
            .iter()
            .map(|round| round.iter().map(Held::key).collect())
            .collect();
        took(
            Figure::AllocationsFar,
            each(&keys, |key| {
                state.allocations(&tenant, &allocations, Some(key), PAGE)
            }),
        );
        let single = self.scene.shape.family().bits();
        took(
            Figure::FreeLargest,
            each(&pages, |held| {
                state.free_blocks(&tenant, &held.pool, None, PAGE)
            }),
        );
        took(
            Figure::FreeSingles,
            each(&pages, |held| {
                state.free_blocks(&tenant, &held.pool, Some(single), PAGE)
            }),
        );
        took(
            Figure::FreeCount,
            each(&pages, |held| {
                state.free_count(&tenant, &held.pool, Some(single))
            }),
        );
        let cells = self.scene.cells_length();
        let whole = |held: &Held| state.map(&tenant, &held.pool, Some(cells), None, RUNS);
        took(Figure::Map, each(&pages, whole));
        let far = |held: &Held| {
            let from = Some(held.block.first());
            state.map(&tenant, &held.pool, Some(single), from, RUNS)
        };
        took(Figure::MapPiece, each_piece(&pages, far)?);
        took(Figure::Digest, each(&lookups, |_| state.digest()));
        Ok(())
    }

    /// Cuts of the state.
    fn keep(&mut self, figures: &mut Figures) {
        let cuts = (0..ROUNDS).map(|_| {
            let started = Instant::now();
            let cut = self.applying.state.cut();
            let took = started.elapsed();
            drop(cut);
            took.as_secs_f64()
        });
        figures.took(Figure::Cut, median_of(&cuts.collect::<Vec<_>>()));
    }

    /// Claims that hold something, for each round so many.
    fn any(&mut self, count: usize) -> Result<Vec<Vec<Held>>> {
        let tenant = name(TENANT)?;
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let mut round = Vec::with_capacity(count);
            for _ in 0..count {
                let number = self.held[self.random.random_range(..self.held.len())];
                let name = Scene::claim_name(number)?;
                let Ok(view) = self.applying.state.claim(&tenant, &name) else {
                    bail!("{name} holds nothing");
                };
                round.push(Held {
                    name,
                    pool: view.pool,
                    block: view.block,
                });
            }
            rounds.push(round);
        }
        Ok(rounds)
    }
}

impl Held {
    fn key(&self) -> AllocationKey {
        AllocationKey::Own {
            pool: self.pool.clone(),
            cidr: self.block,
        }
    }
}

/// The block of a claim that was made or released.
fn done(answer: Answer) -> Result<Option<Prefix>> {
    match answer.result {
        Ok(Outcome::ClaimCreated(claim) | Outcome::ClaimReleased(claim)) => Ok(Some(claim.block)),
        Ok(_) => Ok(None),
        Err(rejection) => bail!("{rejection:?}"),
    }
}

/// Seconds that a map takes for each piece of the layout that it looks at: neighbours of one kind are one run of it, so
/// that there are more in a run where more is held.
fn each_piece(
    rounds: &[Vec<Held>],
    map: impl Fn(&Held) -> Result<MapView, Rejection>,
) -> Result<f64> {
    let mut times = Vec::with_capacity(rounds.len());
    for round in rounds {
        let started = Instant::now();
        let maps: Vec<_> = round.iter().map(&map).collect();
        let took = started.elapsed().as_secs_f64();
        let mut pieces = 0;
        for map in maps {
            let Ok(map) = map else {
                bail!("a map of a pool that is there");
            };
            pieces += map.runs.iter().map(|run| run.holds.max(1)).sum::<u64>();
        }
        times.push(took / f64::from(u32::try_from(pieces)?));
    }
    Ok(median_of(&times))
}

/// Seconds that something takes: the median of the rounds' means.
fn each<T, R>(rounds: &[Vec<T>], mut act: impl FnMut(&T) -> R) -> f64 {
    let times = rounds.iter().map(|round| {
        let started = Instant::now();
        for one in round {
            black_box(act(one));
        }
        let count = u32::try_from(round.len()).unwrap_or(u32::MAX);
        started.elapsed().as_secs_f64() / f64::from(count)
    });
    median_of(&times.collect::<Vec<_>>())
}
