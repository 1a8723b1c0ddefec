//! A cluster in one thread: the real replica, allocator, batcher and log over a simulated network and simulated disks.
//!
//! A seed decides everything: how many nodes there are, how fast they are, what the clients ask for, what fails and
//! when. The invariants are checked after every step. In the end all is healed: within a minute the nodes agree and
//! serve, and the history that the clients wrote down is judged as a whole. What happened is a trace, and the same seed
//! gives the same trace.

mod book;
mod clients;
mod faults;
mod figures;
mod last;
mod links;
mod look;
mod net;
mod operator;
mod plan;
mod trace;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use raft_store::Runtime;
use raft_store::env::sim::Latency;

use crate::checkers;
use crate::history::{Line, What};
use book::Book;
use faults::Faults;
pub use faults::Kind;
pub use figures::Figures;
use figures::Leaderships;
use links::{Cut, Links};
use look::Looks;
pub use plan::Plan;
pub use trace::Trace;
use world::World;

/// For the cluster to form and the clients to have pools.
const FORM_WITHIN: Duration = Duration::from_secs(30);
/// For the nodes to agree once nothing fails any more.
const CONVERGE_WITHIN: Duration = Duration::from_mins(1);
/// Of undisturbed work after the last fault.
const QUIET: Duration = Duration::from_secs(2);
/// A world in which fewer claims got a block goes on undisturbed until as many have: else it has asked too little.
const CLAIMS_MIN: u64 = 100;
/// A sync of a slow disk: longer than a follower waits for its leader.
const SLOW_SYNC: (Duration, Duration) = (Duration::from_millis(700), Duration::from_millis(900));

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// All that happened, in order.
    pub trace: Trace,
    /// How much happened.
    pub figures: Figures,
    /// What clients asked for and were told.
    pub history: Vec<Line>,
}

/// Why a run failed, with what had happened until then.
#[derive(Debug)]
pub struct Failure {
    /// What did not hold.
    pub error: anyhow::Error,
    /// All that happened, in order.
    pub trace: Trace,
}

/// Runs a world.
///
/// # Errors
/// An invariant that did not hold, a node that did not come back, or a promise to a client that was not kept.
pub fn run(plan: &Plan) -> Result<Outcome, Failure> {
    seeded(plan, |run| {
        let mut faults = Faults::new(run.world.plan.seed);
        let end = run.sim.elapsed() + run.world.plan.duration;
        while run.sim.elapsed() < end {
            faults.step(run)?;
            run.step()?;
        }
        run.end(&mut faults)
    })
}

/// Runs a world while each sync of the followers' disks takes as long as an election: the leader is well and heard, so
/// that it stays.
///
/// # Errors
/// Another leadership began, or something that [`run`] would not accept.
pub fn run_with_slow_followers(plan: &Plan) -> Result<Outcome, Failure> {
    seeded(plan, |run| {
        let leader = run.world.leader().context("somebody leads")?;
        let leaderships = run.leaderships.count();
        let slow = Latency {
            sync: SLOW_SYNC,
            ..run.world.plan.disk
        };
        for (id, machine) in run.world.machines().filter(|(id, _)| *id != leader) {
            machine.disk().set_latency(slow);
            run.note(&format!("the disk of node {id} is slow"));
        }
        run.steps(run.world.plan.duration)?;
        ensure!(
            run.leaderships.count() == leaderships,
            "another leadership began, although the leader was well"
        );
        let mut faults = Faults::new(run.world.plan.seed);
        run.end(&mut faults)
    })
}

fn seeded(plan: &Plan, live: impl FnOnce(&mut Run<'_>) -> Result<()>) -> Result<Outcome, Failure> {
    Runtime::seed_thread(plan.seed);
    let mut run = Run::new(plan.clone());
    let lived = run
        .form()
        .and_then(|()| live(&mut run))
        .with_context(|| format!("seed {}", plan.seed));
    let outcome = run.outcome();
    Runtime::unseed_thread();
    match lived {
        Ok(()) => Ok(outcome),
        Err(error) => Err(Failure {
            error,
            trace: outcome.trace,
        }),
    }
}

/// How a machine goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Killed,
    PowerLost,
    Wiped,
}

/// A run under way.
struct Run<'a> {
    sim: turmoil::Sim<'a>,
    world: World,
    links: Links,
    looks: Looks,
    leaderships: Leaderships,
    figures: Figures,
    /// The machines that are down, each with the links that are cut for it.
    down: BTreeMap<u64, Cut>,
    /// The nodes whose disk has failed them since they were last started, and until when they may stop for it.
    blamed: BTreeMap<u64, Duration>,
    /// The nodes whose disk fails them now.
    broken: BTreeSet<u64>,
    /// Machines that have got an empty disk.
    wiped: u64,
}

impl Run<'_> {
    fn new(plan: Plan) -> Self {
        let (shortest, longest) = plan.message;
        let mut sim = turmoil::Builder::new()
            .rng_seed(plan.seed)
            .tick_duration(plan.tick)
            .min_message_latency(shortest)
            .max_message_latency(longest)
            .simulation_duration(Duration::from_hours(24))
            .build();
        let world = World::new(plan);
        for (id, machine) in world.machines() {
            machine.disk().set_latency(world.plan.disk);
            world.host(&mut sim, id);
        }
        Self {
            sim,
            looks: Looks::new(world.plan.seed),
            world,
            links: Links::default(),
            leaderships: Leaderships::default(),
            figures: Figures::default(),
            down: BTreeMap::new(),
            blamed: BTreeMap::new(),
            broken: BTreeSet::new(),
            wiped: 0,
        }
    }

    /// The nodes find each other, and the clients make their pools.
    fn form(&mut self) -> Result<()> {
        let what = What::Run {
            format: 1,
            seed: self.world.plan.seed,
            nodes: self.world.plan.nodes.clone(),
            pools: clients::pools::facts(),
        };
        self.world.book.lock().history.note(0, what);
        self.until("the clients have their pools", FORM_WITHIN, |world| {
            world.book.lock().have_pools
        })
    }

    /// One tick of time, and a look at every node.
    fn step(&mut self) -> Result<()> {
        self.sim.step().map_err(|error| anyhow!("{error}"))?;
        self.look()
    }

    fn steps(&mut self, time: Duration) -> Result<()> {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            self.step()?;
        }
        Ok(())
    }

    fn until(
        &mut self,
        what: &str,
        within: Duration,
        holds: impl Fn(&World) -> bool,
    ) -> Result<()> {
        let end = self.sim.elapsed() + within;
        while !holds(&self.world) {
            ensure!(
                self.sim.elapsed() < end,
                "not within {within:?}: {what}: {}",
                self.world.describe()
            );
            self.step()?;
        }
        Ok(())
    }

    /// All is healed; some undisturbed work, then everybody serves and agrees, and what clients wrote down is true.
    fn end(&mut self, faults: &mut Faults) -> Result<()> {
        self.note("all is healed");
        faults.heal(self)?;
        // A node that waits for a sync of before, or that found its disk broken, stops now and is started again.
        let end = self.sim.elapsed() + CONVERGE_WITHIN;
        let quiet = self.sim.elapsed() + QUIET;
        while self.sim.elapsed() < quiet
            || !self.world.all_serve()
            || self.is_replacing()
            || self.world.book.lock().claims < CLAIMS_MIN
        {
            ensure!(
                self.sim.elapsed() < end,
                "not within {CONVERGE_WITHIN:?} after all was healed: all nodes serve and agree, and {CLAIMS_MIN} claims \
                 have got a block: {}",
                self.world.describe()
            );
            faults.end_over(self)?;
            self.step()?;
        }
        self.world.book.lock().closed = true;
        let end = self.sim.elapsed() + CONVERGE_WITHIN;
        let quiet = self.sim.elapsed() + QUIET;
        while self.sim.elapsed() < quiet || !self.world.has_converged() {
            ensure!(
                self.sim.elapsed() < end,
                "not within {CONVERGE_WITHIN:?} after the last request: the nodes agree: {}",
                self.world.describe()
            );
            faults.end_over(self)?;
            self.step()?;
        }
        self.world.audit()?;
        self.world.book.lock().invariants.settle_all()?;
        self.note_last()
    }

    /// What each node says in the end belongs to the history, too, which then is judged as a whole.
    fn note_last(&self) -> Result<()> {
        let at = u64::try_from(self.sim.elapsed().as_micros())?;
        for (node, replica) in self.world.replicas() {
            let (revision, claims) = last::claims(&replica)?;
            let digest = last::digest(node, revision, &replica)?;
            let claims = What::Claims {
                node,
                revision,
                claims,
            };
            let book = self.world.book.lock();
            book.history.note(at, claims);
            book.history.note(at, digest);
        }
        let verdict = checkers::check(&self.world.book.lock().history.lines());
        let findings: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
        ensure!(
            verdict.is_ok(),
            "the history: {}",
            if findings.is_empty() {
                "undecided".to_owned()
            } else {
                findings.join("; ")
            }
        );
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        let book = self.world.book.lock();
        let frames = self.world.air.frames();
        let figures = Figures {
            elections: self.leaderships.count(),
            frames: (frames.lost, frames.twice, frames.late),
            acknowledged: book.acknowledged,
            claims: book.claims,
            unanswered: (book.unknown, book.not_proposed),
            ..self.figures.clone()
        };
        Outcome {
            trace: book.trace.clone(),
            figures,
            history: book.history.lines(),
        }
    }

    fn note(&self, what: &str) {
        self.world.book.lock().trace.event(self.sim.elapsed(), what);
    }

    /// The nodes whose machines are up.
    fn up(&self) -> Vec<u64> {
        let nodes = self.world.plan.nodes.iter().copied();
        nodes.filter(|id| !self.down.contains_key(id)).collect()
    }

    /// A member's directory is gone and it has not been replaced yet.
    fn is_replacing(&self) -> bool {
        self.wiped > 0 && (self.world.book.lock().order.is_some() || self.looks.misses_a_member())
    }

    /// Whatever becomes of the node, its disk may be the reason.
    fn blame(&mut self, node: u64) {
        self.blamed.insert(node, Duration::MAX);
        self.broken.insert(node);
    }

    /// Machines go down at one instant.
    fn take_down(&mut self, nodes: &[u64], ending: Ending) {
        let all = self.world.plan.nodes.clone();
        let up = self.up();
        let nodes: Vec<u64> = nodes.iter().copied().filter(|id| up.contains(id)).collect();
        for id in &nodes {
            // A machine without power says nothing: without this, what is dropped with the runtime would still send
            // its farewells, in an order that Tokio takes from a counter of the process. The disk goes before the
            // process for the same reason: what it would write on its way down must not count.
            let cut = links::between(&[*id], &all);
            self.links.cut(&self.sim, &cut);
            self.down.insert(*id, cut);
            let machine = self.world.machine(*id);
            match ending {
                Ending::Killed => machine.kill(),
                Ending::PowerLost => {
                    self.figures.power_losses += 1;
                    machine.power_off();
                }
                Ending::Wiped => {
                    self.wiped += 1;
                    machine.wipe(self.world.plan.seed);
                    machine.disk().set_latency(self.world.plan.disk);
                }
            }
        }
        for id in nodes {
            self.sim.crash(world::host_name(id));
        }
    }

    /// Machines that are down come up, and their nodes start.
    fn start(&mut self, nodes: &[u64]) {
        for id in nodes {
            if let Some(cut) = self.down.remove(id) {
                if !self.broken.contains(id) {
                    self.blamed.remove(id);
                }
                self.links.mend(&self.sim, &cut);
                self.sim.bounce(world::host_name(*id));
            }
        }
    }
}
