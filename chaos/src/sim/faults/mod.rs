//! What goes wrong, and when: faults of every kind come, overlap and go, as the seed draws them.

mod kinds;

use std::time::Duration;

use anyhow::{Result, ensure};
use raft_store::env::sim::Latency;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::Run;
use super::links::Cut;
use super::net::Weather;
use super::operator::Order;
use super::world::mix;
pub use kinds::Kind;

/// Most faults at a time.
const AT_ONCE: usize = 3;
/// Faults come for so long, in milliseconds,
const WILD_MS: (u64, u64) = (5_000, 15_000);
/// and then none comes for so long.
const CALM_MS: (u64, u64) = (500, 3_000);
/// A node notices that its disk has failed it, be it by a sync that hung, so long afterwards at the latest.
const NOTICED_WITHIN: Duration = Duration::from_secs(13);
/// A node that has stopped by itself is started again after so long, in milliseconds.
const SUPERVISED_MS: (u64, u64) = (200, 1_500);

/// The faults of one world.
pub(super) struct Faults {
    random: StdRng,
    active: Vec<Active>,
    next_at: Duration,
    /// From then on nothing begins until all is over, so that every world has times in which it works.
    calm_at: Duration,
    /// The next node that votes for another loses its power.
    voters_doomed: bool,
}

/// A fault that lasts.
struct Active {
    kind: Kind,
    until: Duration,
    undo: Undo,
}

/// What ends it.
enum Undo {
    /// The nodes start.
    Start(Vec<u64>),
    /// The links are whole again.
    Mend(Cut),
    /// The disk works again.
    Disk(u64),
    /// The weather clears up.
    Clear(Vec<u64>),
    /// The disk is as fast, and the weather as fair, as before.
    Speed(u64),
    /// The member whose directory is gone is replaced.
    Replace(u64),
    /// Nothing has to be done.
    Nothing,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(mix(seed, u64::MAX, 1)),
            active: Vec::new(),
            next_at: Duration::ZERO,
            calm_at: Duration::ZERO,
            voters_doomed: false,
        }
    }

    /// Ends what is over and begins what is next.
    pub(super) fn step(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.end_over(run)?;
        let now = run.sim.elapsed();
        self.doom_voter(run);
        if self.calm_at.is_zero() {
            self.calm_at = now + self.between(WILD_MS.0, WILD_MS.1);
        }
        if now >= self.calm_at {
            if self.active.is_empty() {
                self.next_at = now + self.between(CALM_MS.0, CALM_MS.1);
                self.calm_at = self.next_at + self.between(WILD_MS.0, WILD_MS.1);
            }
        } else if now >= self.next_at {
            if self.active.len() < AT_ONCE
                && let Some(kind) = run.world.plan.kinds.choose(&mut self.random).copied()
            {
                self.begin(run, kind);
            }
            let (from, to) = run.world.plan.pause_ms;
            self.next_at = now + self.between(from, to);
        }
        Ok(())
    }

    /// Where that is wanted, whoever has just voted for another loses its power.
    fn doom_voter(&mut self, run: &mut Run<'_>) {
        if !self.voters_doomed {
            return;
        }
        if let Some(voter) = run.looks.last_voter() {
            self.voters_doomed = false;
            run.take_down(&[voter], super::Ending::PowerLost);
            run.note(&format!("node {voter} has voted, and loses its power"));
            let until = run.sim.elapsed() + self.between(20, 400);
            self.active.push(Active {
                kind: Kind::VoterPowerLoss,
                until,
                undo: Undo::Start(vec![voter]),
            });
        }
    }

    /// Ends what is over, and starts nodes again that have stopped by themselves.
    pub(super) fn end_over(&mut self, run: &mut Run<'_>) -> Result<()> {
        let now = run.sim.elapsed();
        for over in self.active.extract_if(.., |active| active.until <= now) {
            end(run, &over);
        }
        self.restart_stopped(run)
    }

    /// Ends all faults and starts all nodes.
    pub(super) fn heal(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.voters_doomed = false;
        for over in self.active.drain(..) {
            end(run, &over);
        }
        for id in run.world.plan.nodes.clone() {
            heal_disk(run, id);
        }
        self.restart_stopped(run)
    }

    /// A node whose disk failed it stops by itself, and a supervisor starts it again. One that stops for no such
    /// reason breaks a promise.
    fn restart_stopped(&mut self, run: &mut Run<'_>) -> Result<()> {
        let ended: Vec<(u64, String)> = run
            .world
            .machines()
            .filter_map(|(id, machine)| Some((id, machine.ended()?)))
            .collect();
        for (id, reason) in ended {
            run.note(&format!("node {id} has stopped: {reason}"));
            ensure!(
                run.blamed
                    .get(&id)
                    .is_some_and(|until| run.sim.elapsed() <= *until),
                "node {id} stopped by itself, though nothing was wrong with its disk: {reason}"
            );
            run.figures.stops += 1;
            run.take_down(&[id], super::Ending::Killed);
            let until = run.sim.elapsed() + self.between(SUPERVISED_MS.0, SUPERVISED_MS.1);
            self.active.push(Active {
                kind: Kind::Crash,
                until,
                undo: Undo::Start(vec![id]),
            });
        }
        Ok(())
    }

    fn begin(&mut self, run: &mut Run<'_>, kind: Kind) {
        let Some((lasts, nodes, undo)) = self.inflict(run, kind) else {
            return;
        };
        run.figures.fault(kind);
        run.note(&format!("{kind} of {nodes:?} for {lasts:?}"));
        self.active.push(Active {
            kind,
            until: run.sim.elapsed() + lasts,
            undo,
        });
    }

    /// Does it; for how long, to whom, and what ends it. `None` where there is nobody to do it to.
    fn inflict(&mut self, run: &mut Run<'_>, kind: Kind) -> Option<(Duration, Vec<u64>, Undo)> {
        let all = run.world.plan.nodes.clone();
        let up = run.up();
        let one = *up.choose(&mut self.random)?;
        let leader = run.world.leader().filter(|id| up.contains(id));
        let lasts = |this: &mut Self, from, to| this.between(from, to);
        Some(match kind {
            Kind::Crash | Kind::LeaderCrash => {
                let victim = if kind == Kind::Crash { one } else { leader? };
                run.take_down(&[victim], super::Ending::Killed);
                let lasts = lasts(self, 100, 3_000);
                (lasts, vec![victim], Undo::Start(vec![victim]))
            }
            Kind::PowerLoss | Kind::PowerLossOfAll => {
                let victims: Vec<u64> = if kind == Kind::PowerLoss {
                    let count = self.random.random_range(1..=up.len());
                    up.choose_multiple(&mut self.random, count)
                        .copied()
                        .collect()
                } else {
                    up
                };
                run.take_down(&victims, super::Ending::PowerLost);
                let lasts = lasts(self, 100, 2_000);
                (lasts, victims.clone(), Undo::Start(victims))
            }
            Kind::VoterPowerLoss => {
                let leader = leader?;
                run.take_down(&[leader], super::Ending::Killed);
                self.voters_doomed = true;
                let lasts = lasts(self, 500, 3_000);
                (lasts, vec![leader], Undo::Start(vec![leader]))
            }
            Kind::LongAbsence => {
                run.take_down(&[one], super::Ending::Killed);
                let lasts = lasts(self, 6_000, 15_000);
                (lasts, vec![one], Undo::Start(vec![one]))
            }
            Kind::NewDisk => {
                if run.wiped > 0 || up.len() < all.len() {
                    return None;
                }
                run.take_down(&[one], super::Ending::Wiped);
                run.start(&[one]);
                let lasts = lasts(self, 1_000, 6_000);
                (lasts, vec![one], Undo::Replace(one))
            }
            _ => return self.inflict_softly(run, kind, one, leader),
        })
    }

    /// Faults that take nobody down.
    fn inflict_softly(
        &mut self,
        run: &mut Run<'_>,
        kind: Kind,
        one: u64,
        leader: Option<u64>,
    ) -> Option<(Duration, Vec<u64>, Undo)> {
        let all = run.world.plan.nodes.clone();
        let others =
            |id: u64| -> Vec<u64> { all.iter().copied().filter(|other| *other != id).collect() };
        let is_disk = matches!(
            kind,
            Kind::WriteError
                | Kind::ShortWrite
                | Kind::SyncError
                | Kind::DiskFull
                | Kind::SlowSync
                | Kind::SlowNode
        );
        let is_weather = matches!(
            kind,
            Kind::Loss
                | Kind::Duplication
                | Kind::Reordering
                | Kind::Break
                | Kind::Delay
                | Kind::Stall
                | Kind::SlowNode
        );
        // Two faults of one thing would end with the first of them.
        let taken = self.active.iter().any(|active| match &active.undo {
            Undo::Disk(node) => is_disk && *node == one,
            Undo::Speed(node) => is_weather || is_disk && *node == one,
            Undo::Clear(_) => is_weather,
            _ => false,
        });
        if taken {
            return None;
        }
        let disk = run.world.machine(one).disk();
        let short = self.between(300, 3_000);
        let long = self.between(1_000, 6_000);
        Some(match kind {
            Kind::WriteError | Kind::ShortWrite | Kind::SyncError | Kind::DiskFull => {
                run.blame(one);
                let count = self.random.random_range(1..=3);
                match kind {
                    Kind::WriteError => disk.fail_writes(count),
                    Kind::ShortWrite => disk.cut_writes(count),
                    Kind::SyncError => disk.fail_syncs(count),
                    _ => disk.set_capacity(Some(disk.used() + self.random.random_range(0..4_096))),
                }
                (long, vec![one], Undo::Disk(one))
            }
            Kind::SlowSync => {
                run.blame(one);
                disk.set_latency(Latency {
                    sync: (Duration::from_millis(200), self.between(500, 12_000)),
                    ..run.world.plan.disk
                });
                (long, vec![one], Undo::Disk(one))
            }
            Kind::SlowNode => {
                let slow = self.between(20, 120);
                disk.set_latency(Latency {
                    write: (Duration::ZERO, slow / 4),
                    sync: (Duration::ZERO, slow),
                });
                let weather = Weather {
                    delay: slow,
                    ..Weather::default()
                };
                run.world.air.set(one, weather);
                (long, vec![one], Undo::Speed(one))
            }
            Kind::Isolated | Kind::LeaderIsolated => {
                let victim = if kind == Kind::Isolated { one } else { leader? };
                cut(
                    run,
                    long,
                    vec![victim],
                    super::links::between(&[victim], &others(victim)),
                )
            }
            Kind::Split => {
                let size = self.random.random_range(1..all.len());
                let half: Vec<u64> = all
                    .choose_multiple(&mut self.random, size)
                    .copied()
                    .collect();
                let rest: Vec<u64> = all
                    .iter()
                    .copied()
                    .filter(|id| !half.contains(id))
                    .collect();
                cut(run, long, half.clone(), super::links::between(&half, &rest))
            }
            Kind::OneWay => {
                let victim = if self.random.random_bool(0.5) {
                    leader?
                } else {
                    one
                };
                let rest = others(victim);
                let directions = if self.random.random_bool(0.5) {
                    super::links::one_way(&[victim], &rest)
                } else {
                    super::links::one_way(&rest, &[victim])
                };
                cut(run, long, vec![victim], directions)
            }
            Kind::AroundLeader => {
                // The leader reaches all but one, which reaches all but the leader.
                let leader = leader?;
                let other = *others(leader).choose(&mut self.random)?;
                cut(
                    run,
                    long,
                    vec![leader, other],
                    super::links::between(&[leader], &[other]),
                )
            }
            Kind::Loss | Kind::Duplication | Kind::Reordering | Kind::Break | Kind::Delay => {
                let rate = self.random.random_range(10..250);
                let mut weather = Weather::default();
                match kind {
                    Kind::Loss => weather.lost = rate / 2,
                    Kind::Duplication => weather.twice = rate * 2,
                    Kind::Reordering => weather.late = rate,
                    Kind::Break => weather.broken = rate / 5,
                    _ => weather.delay = self.between(5, 150),
                }
                for id in &all {
                    run.world.air.set(*id, weather);
                }
                (long, all.clone(), Undo::Clear(all))
            }
            Kind::Stall => {
                let weather = Weather {
                    stalled: true,
                    ..Weather::default()
                };
                run.world.air.set(one, weather);
                (short, vec![one], Undo::Clear(vec![one]))
            }
            Kind::WallClock => {
                let by_s: i64 = *[-3, 5, 70, -4_000, 40_000_000, -2_000_000_000, 2_000_000_000]
                    .choose(&mut self.random)?;
                run.world.machine(one).wall_jump(by_s * 1_000);
                (Duration::ZERO, vec![one], Undo::Nothing)
            }
            _ => return None,
        })
    }

    fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(self.random.random_range(from_ms..to_ms))
    }
}

/// Cuts links.
fn cut(
    run: &mut Run<'_>,
    lasts: Duration,
    nodes: Vec<u64>,
    cut: Cut,
) -> (Duration, Vec<u64>, Undo) {
    run.links.cut(&run.sim, &cut);
    (lasts, nodes, Undo::Mend(cut))
}

fn end(run: &mut Run<'_>, over: &Active) {
    let Active { kind, undo, .. } = over;
    match undo {
        Undo::Nothing => return,
        Undo::Start(nodes) => run.start(nodes),
        Undo::Mend(cut) => run.links.mend(&run.sim, cut),
        Undo::Disk(node) => heal_disk(run, *node),
        Undo::Speed(node) => {
            heal_disk(run, *node);
            run.world.air.set(*node, Weather::default());
        }
        Undo::Clear(nodes) => {
            for node in nodes {
                run.world.air.set(*node, Weather::default());
            }
        }
        Undo::Replace(node) => run.world.book.lock().order = Some(Order::new(*node)),
    }
    run.note(&format!("{kind} is over"));
}

/// Its disk does what it is told, as fast as before. What it has forgotten stays forgotten.
fn heal_disk(run: &mut Run<'_>, node: u64) {
    run.broken.remove(&node);
    let now = run.sim.elapsed();
    if let Some(until) = run.blamed.get_mut(&node) {
        *until = (*until).min(now + NOTICED_WITHIN);
    }
    let disk = run.world.machine(node).disk();
    disk.fail_writes(0);
    disk.cut_writes(0);
    disk.fail_syncs(0);
    disk.set_capacity(None);
    disk.set_latency(run.world.plan.disk);
}
