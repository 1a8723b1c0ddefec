//! What a seed decides before anything happens: the size of the world, how fast its parts are, what will fail in it.

use std::time::Duration;

use raft_store::env::sim::Latency;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::faults::Kind;

/// A world before it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What everything is drawn from.
    pub seed: u64,
    /// For how long faults come and go. Before it the cluster forms, after it all is healed.
    pub duration: Duration,
    /// Which faults come; none in the twin of a world that nothing happens to.
    pub kinds: Vec<Kind>,
    pub(super) nodes: Vec<u64>,
    pub(super) tick: Duration,
    pub(super) message: (Duration, Duration),
    pub(super) disk: Latency,
    pub(super) segment_bytes: u64,
    pub(super) log_kept: u64,
    pub(super) checkpoint_every: Duration,
    pub(super) clients_a_node: u64,
    /// How long a client thinks, in milliseconds.
    pub(super) think_ms: (u64, u64),
    /// From the beginning of a fault to that of the next, in milliseconds.
    pub(super) pause_ms: (u64, u64),
}

impl Plan {
    /// The world of a seed, with all kinds of faults, or a part of them.
    pub fn draw(seed: u64, duration: Duration) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let nodes = *[3, 3, 3, 4, 5, 5].choose(&mut random).unwrap_or(&3);
        let fast = random.random_bool(0.5);
        let millis = Duration::from_millis;
        // A part of the kinds in most worlds, so that rare ones are not always drowned by the others.
        let share = *[1.0, 0.6, 0.3].choose(&mut random).unwrap_or(&1.0);
        let kinds = Kind::ALL
            .into_iter()
            .filter(|kind| kind.always() || random.random_bool(share))
            .collect();
        Self {
            seed,
            duration,
            kinds,
            nodes: (1..=nodes).collect(),
            tick: millis(*[2, 4, 8].choose(&mut random).unwrap_or(&4)),
            message: (
                Duration::from_micros(100),
                millis(if fast { 4 } else { 20 }),
            ),
            disk: Latency {
                write: (Duration::ZERO, millis(1)),
                sync: (Duration::ZERO, millis(if fast { 3 } else { 15 })),
            },
            segment_bytes: *[32 << 10, 64 << 10, 256 << 10]
                .choose(&mut random)
                .unwrap_or(&(64 << 10)),
            log_kept: *[4 << 10, 8 << 10, 32 << 10]
                .choose(&mut random)
                .unwrap_or(&(16 << 10)),
            checkpoint_every: millis(random.random_range(500..4_000)),
            clients_a_node: random.random_range(2..=4),
            think_ms: (10, random.random_range(60..300)),
            pause_ms: (50, random.random_range(500..4_000)),
        }
    }

    /// The same world without faults.
    #[must_use]
    pub fn without_faults(mut self) -> Self {
        self.kinds.clear();
        self
    }
}
