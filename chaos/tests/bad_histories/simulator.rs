//! Random histories of clients whose requests overlap, get lost and take effect late, against the world that keeps
//! every promise: each is right, by construction.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chaos::history::{Consistency, Held, Line, Op, Reply, Stage, What};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::world::{World, at_revision, found, held_by, pools};

/// What kind of history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) operations: u64,
    pub(crate) clients: u64,
    /// Of 100 operations, how many have no outcome.
    pub(crate) unknown_percent: u32,
    /// Names that all clients want; half of them want an exact block.
    pub(crate) contended: u64,
}

/// A history.
pub(crate) fn simulate(setup: Setup) -> Vec<Line> {
    let mut run = Run {
        setup,
        random: StdRng::seed_from_u64(setup.seed),
        world: World::default(),
        due: BinaryHeap::new(),
        asked: Vec::new(),
        lines: Vec::new(),
        now_us: 0,
        invoked: 0,
        known: BTreeMap::new(),
        least_revision: BTreeMap::new(),
        watchers: [Watcher::default(); 2],
    };
    run.begin();
    while let Some(Reverse((us, _, event))) = run.due.pop() {
        run.now_us = us;
        run.step(event);
    }
    run.end();
    run.lines
}

struct Run {
    setup: Setup,
    random: StdRng,
    world: World,
    due: BinaryHeap<Reverse<(u64, u64, Event)>>,
    asked: Vec<Asked>,
    lines: Vec<Line>,
    now_us: u64,
    invoked: u64,
    /// What clients know that names hold.
    known: BTreeMap<String, Held>,
    /// By client: what its local reads must not be behind.
    least_revision: BTreeMap<u64, u64>,
    watchers: [Watcher; 2],
}

struct Asked {
    client: u64,
    op: Op,
    end: End,
    reply: Option<Reply>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    Unknown,
    Failed,
    /// Nothing is ever said.
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(u64),
    Apply(usize),
    Answer(usize),
    Due,
    Tell(usize),
}

#[derive(Debug, Clone, Copy, Default)]
struct Watcher {
    /// Changes that were told.
    told: usize,
}

impl Run {
    fn begin(&mut self) {
        self.note(What::Run {
            format: 1,
            seed: self.setup.seed,
            nodes: vec![1, 2, 3],
            pools: pools(),
        });
        self.note(What::Leader { node: 1, term: 1 });
        for client in 0..self.setup.clients {
            let wait_us = self.random.random_range(1..20_000);
            self.later(wait_us, Event::Ask(client));
        }
        for watcher in 0..self.watchers.len() {
            self.watching(watcher);
            self.later(5_000, Event::Tell(watcher));
        }
        self.later(50_000, Event::Due);
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Ask(client) => self.ask(client),
            Event::Apply(place) => {
                let op = self.asked[place].op.clone();
                self.asked[place].reply = Some(self.apply(place, &op));
            }
            Event::Answer(place) => self.answer(place),
            Event::Due => {
                self.world.expire(self.now_us);
                if self.is_busy() {
                    let wait_us = self.random.random_range(1_000..120_000);
                    self.later(wait_us, Event::Due);
                }
            }
            Event::Tell(watcher) => {
                self.tell(watcher);
                if self.is_busy() {
                    let wait_us = self.random.random_range(1_000..60_000);
                    self.later(wait_us, Event::Tell(watcher));
                }
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.invoked < self.setup.operations
    }

    fn ask(&mut self, client: u64) {
        if !self.is_busy() {
            return;
        }
        self.invoked += 1;
        let op = self.draw(client);
        let is_read = matches!(op, Op::Get { .. } | Op::Lookup { .. });
        let drawn = self.random.random_range(0..200);
        let end = match drawn {
            _ if drawn < 2 * self.setup.unknown_percent => match drawn % 8 {
                0 => End::Silent,
                _ => End::Unknown,
            },
            198.. => End::Failed,
            _ => End::Answered,
        };
        let place = self.asked.len();
        let node = self.random.random_range(1..=3);
        self.note(What::Invoke {
            id: index(place),
            client,
            node,
            op: op.clone(),
        });
        self.asked.push(Asked {
            client,
            op,
            end,
            reply: None,
        });
        let slow = self.random.random_range(0..40) == 0;
        let most_us = if slow { 400_000 } else { 8_000 };
        let apply_us = self.random.random_range(100..most_us);
        let answer_us = apply_us + self.random.random_range(100..most_us);
        match end {
            End::Answered => self.later(apply_us, Event::Apply(place)),
            End::Failed => {}
            End::Unknown | End::Silent if is_read => {}
            End::Unknown | End::Silent => match self.random.random_range(0..3) {
                0 => {}
                1 => self.later(apply_us, Event::Apply(place)),
                _ => {
                    let late_us = self.random.random_range(0..3_000_000);
                    self.later(answer_us + late_us, Event::Apply(place));
                }
            },
        }
        self.later(answer_us, Event::Answer(place));
    }

    fn apply(&mut self, place: usize, op: &Op) -> Reply {
        let consistency = match op {
            Op::Get { consistency, .. } | Op::Lookup { consistency, .. } => *consistency,
            _ => Consistency::Linearizable,
        };
        let Consistency::Local { min_revision } = consistency else {
            return self.world.apply(op, self.now_us);
        };
        // A follower that is behind, but not behind what was asked for.
        let behind = self.random.random_range(0..20);
        let now = self.world.revision;
        let revision = now.saturating_sub(behind).max(min_revision).min(now);
        assert!(
            revision >= min_revision,
            "operation {place} is not served early"
        );
        let reply = match op {
            Op::Get { name, .. } => found(self.world.held_at(name, revision)),
            Op::Lookup { block, .. } => held_by(self.world.holder_at(block, revision)),
            _ => Reply::Nothing { revision },
        };
        at_revision(reply, revision)
    }

    fn answer(&mut self, place: usize) {
        let Asked {
            client, end, reply, ..
        } = &self.asked[place];
        let (id, client, end) = (index(place), *client, *end);
        match (end, reply.clone()) {
            (End::Answered, Some(reply)) => {
                self.learn(place, &reply);
                let least = self.least_revision.entry(client).or_default();
                *least = (*least).max(reply.revision());
                self.note(What::Ok { id, reply });
            }
            (End::Failed, _) => self.note(What::Fail {
                id,
                code: "no_leader".to_owned(),
            }),
            (End::Unknown, _) => self.note(What::Unknown {
                id,
                code: "outcome_unknown".to_owned(),
            }),
            (End::Silent | End::Answered, _) => {}
        }
        let wait_us = self.random.random_range(1..12_000);
        self.later(wait_us, Event::Ask(client));
    }

    fn learn(&mut self, place: usize, reply: &Reply) {
        let op = self.asked[place].op.clone();
        match (&op, reply) {
            (Op::Batch { operations }, Reply::Batch { replies, .. }) => {
                for (op, reply) in operations.iter().zip(replies) {
                    self.learn_one(op, reply);
                }
            }
            (op, reply) => self.learn_one(op, reply),
        }
    }

    fn learn_one(&mut self, op: &Op, reply: &Reply) {
        match (op, reply) {
            (
                Op::Claim { name, .. } | Op::Get { name, .. },
                Reply::Holds {
                    block, generation, ..
                }
                | Reply::Found {
                    block, generation, ..
                },
            ) => {
                let held = Held {
                    name: name.clone(),
                    block: block.clone(),
                    generation: *generation,
                };
                self.known.insert(name.clone(), held);
            }
            // Some ask again for the end of what has ended.
            (Op::Release { name, .. }, _) if self.random.random_bool(0.8) => {
                self.known.remove(name);
            }
            _ => {}
        }
    }

    fn draw(&mut self, client: u64) -> Op {
        let name = self.name(client);
        let known = self.known.get(&name).cloned();
        match (self.random.random_range(0..100), known) {
            (0..20, Some(held)) => release(&held),
            (20..27, Some(held)) => Op::Renew {
                name,
                generation: held.generation,
                ttl_ms: self.random.random_range(1..4) * 500,
            },
            (27..33, Some(held)) => {
                let (first, second) = (self.name(client), self.name(client));
                Op::Batch {
                    operations: vec![claim(&first), release(&held), claim(&second)],
                }
            }
            (33..45, _) => Op::Get {
                name,
                consistency: Consistency::Linearizable,
            },
            (45..55, _) => Op::Get {
                name,
                consistency: self.local(client),
            },
            (55..65, Some(held)) => {
                let is_local = self.random.random_bool(0.5);
                Op::Lookup {
                    block: held.block,
                    consistency: if is_local {
                        self.local(client)
                    } else {
                        Consistency::Linearizable
                    },
                }
            }
            _ => claim(&name),
        }
    }

    fn name(&mut self, client: u64) -> String {
        if self.random.random_bool(0.5) {
            format!("n{}", self.random.random_range(0..self.setup.contended))
        } else {
            format!("c{client}-{}", self.random.random_range(0..6))
        }
    }

    fn local(&mut self, client: u64) -> Consistency {
        let least = self.least_revision.get(&client).copied().unwrap_or(0);
        Consistency::Local {
            min_revision: if self.random.random_bool(0.7) {
                least
            } else {
                0
            },
        }
    }

    fn watching(&mut self, watcher: usize) {
        let told = self.watchers[watcher].told;
        let last = told.checked_sub(1).map(|last| &self.world.changes[last]);
        self.note(What::Watching {
            watch: index(watcher),
            node: 1,
            from_revision: last.map_or(0, |(revision, ..)| *revision),
        });
    }

    fn tell(&mut self, watcher: usize) {
        let told = self.watchers[watcher].told;
        let news: Vec<_> = self.world.changes[told..].to_vec();
        self.watchers[watcher].told += news.len();
        let is_idle = news.is_empty();
        for (revision, ordinal, change) in news {
            self.note(What::Watched {
                watch: index(watcher),
                revision,
                ordinal,
                change: Some(change),
            });
        }
        if is_idle || self.random.random_range(0..30) == 0 {
            self.note(What::Watched {
                watch: index(watcher),
                revision: self.world.revision,
                ordinal: 0,
                change: None,
            });
        }
        if self.random.random_range(0..60) == 0 {
            self.fault();
            self.watching(watcher);
        }
    }

    fn fault(&mut self) {
        let node = self.random.random_range(1..=3);
        let kind = ["kill", "partition", "slow disk"][self.random.random_range(0..3)];
        self.note(What::Fault {
            kind: kind.to_owned(),
            nodes: vec![node],
            stage: Stage::Happens,
        });
        let next = node % 3 + 1;
        let term = index(self.lines.len());
        self.note(What::Leader { node: next, term });
    }

    fn end(&mut self) {
        self.now_us += 1;
        for watcher in 0..self.watchers.len() {
            self.tell(watcher);
        }
        let claims: Vec<Held> = self.world.holds().map(|hold| hold.held.clone()).collect();
        for node in 1..=3 {
            self.note(What::Digest {
                node,
                revision: self.world.revision,
                index: 7,
                digest: format!("{:032x}", self.setup.seed),
            });
            self.note(What::Claims {
                node,
                revision: self.world.revision,
                claims: claims.clone(),
            });
        }
    }

    fn later(&mut self, wait_us: u64, event: Event) {
        // Those of one moment come in the order in which they were planned.
        let number = index(self.due.len() + self.lines.len());
        self.due
            .push(Reverse((self.now_us + wait_us, number, event)));
    }

    fn note(&mut self, what: What) {
        self.lines.push(Line {
            at_us: self.now_us,
            what,
        });
    }
}

/// All claims of one name ask for the same.
fn claim(name: &str) -> Op {
    let number: u64 = name
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let is_contended = name.starts_with('n');
    let exact = |block: String| (2, Some(block));
    let (pool, cidr) = match (is_contended, number % 4) {
        // Two names for each block, and blocks that overlap.
        (true, 0) => exact(format!("10.2.100.{}/32", number / 8 * 2)),
        (true, 1) => exact(format!("10.2.100.{}/31", number / 8 * 2)),
        (true, 2) => (0, None),
        (false, 0 | 1) => (2, None),
        _ => (1, None),
    };
    let has_lease = number.is_multiple_of(3);
    Op::Claim {
        name: name.to_owned(),
        pool: pools()[pool].name.clone(),
        cidr,
        ttl_ms: has_lease.then_some(700),
    }
}

fn release(held: &Held) -> Op {
    Op::Release {
        name: held.name.clone(),
        generation: held.generation,
    }
}

fn index(place: usize) -> u64 {
    u64::try_from(place).expect("small")
}
