//! Loads that are repeated; what counts is the median of the rounds.

use std::time::Duration;

use crate::latency::{median, median_of};
use crate::load::{Closed, Seen};

/// Before the figures of a closed loop count.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) count: u32,
    pub(crate) lasts: Duration,
}

impl Rounds {
    /// A closed loop of one round.
    pub(crate) fn closed(self, connections: usize) -> Closed {
        Closed {
            connections,
            warm_up: WARM_UP,
            lasts: self.lasts,
        }
    }
}

/// The rounds of one load.
#[derive(Debug, Default)]
pub(crate) struct Series(Vec<Sample>);

/// What one round has shown.
#[derive(Debug, Clone, Copy)]
struct Sample {
    rate: f64,
    times: [Duration; 3],
    generator: f64,
}

/// The medians of a load's rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Medians {
    /// Turns a second.
    pub(crate) rate: f64,
    /// p50, p95, p99.
    pub(crate) times: [Duration; 3],
    /// What the load generator took of a core.
    pub(crate) generator: f64,
}

impl Series {
    pub(crate) fn add<T>(&mut self, seen: &Seen<T>) {
        self.0.push(Sample {
            rate: seen.rate(),
            times: seen.latencies().percentiles([50, 95, 99]),
            generator: seen.generator,
        });
    }

    /// Zero where there was no round.
    pub(crate) fn medians(&self) -> Medians {
        let number = |of: fn(&Sample) -> f64| {
            let numbers: Vec<f64> = self.0.iter().map(of).collect();
            median_of(&numbers)
        };
        let time = |place: usize| median(self.0.iter().map(|sample| sample.times[place]).collect());
        Medians {
            rate: number(|sample| sample.rate),
            times: [time(0), time(1), time(2)],
            generator: number(|sample| sample.generator),
        }
    }
}
