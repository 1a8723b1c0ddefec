//! Systems under the same load, in turn and in rounds; what counts is the median of the rounds.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::latency::{median, median_of};
use crate::load::{Client, Closed, Open, Seen, Target, closed, open};

/// Before the figures count.
const WARM_UP: Duration = Duration::from_secs(1);

/// A load that every system is put under which can take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    /// So many turns begin in a second; `None` where each connection asks again as soon as it was answered.
    pub(crate) offered: Option<u32>,
    pub(crate) connections: usize,
    /// Over which the connections are spread.
    pub(crate) pools: usize,
}

/// What one round has shown.
#[derive(Debug, Clone, Copy)]
struct Sample {
    rate: f64,
    /// p50, p95, p99.
    times: [Duration; 3],
}

/// All samples, by load and system.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<(Load, System), Vec<Sample>>);

/// Who is under load, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Ipamd,
    Etcd,
    Postgres,
}

impl System {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ipamd => "ipamd",
            Self::Etcd => "etcd",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// The medians of a system's rounds under a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Medians {
    pub(crate) rate: f64,
    /// p50, p95, p99.
    pub(crate) times: [Duration; 3],
}

impl Samples {
    fn add<T>(&mut self, load: Load, system: System, seen: &Seen<T>) {
        let sample = Sample {
            rate: seen.rate(),
            times: seen.latencies().percentiles([50, 95, 99]),
        };
        self.0.entry((load, system)).or_default().push(sample);
    }

    /// Every load with every system that was put under it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Load, System)> {
        self.0.keys().copied()
    }

    pub(crate) fn medians(&self, load: Load, system: System) -> Option<Medians> {
        let samples = self.0.get(&(load, system))?;
        let rates: Vec<f64> = samples.iter().map(|sample| sample.rate).collect();
        let time =
            |place: usize| median(samples.iter().map(|sample| sample.times[place]).collect());
        Some(Medians {
            rate: median_of(&rates),
            times: [time(0), time(1), time(2)],
        })
    }
}

/// Puts a system under a load; the addresses that it gave.
pub(crate) async fn put_under<T: Target>(
    load: Load,
    system: System,
    target: T,
    lasts: Duration,
    samples: &mut Samples,
) -> Result<Vec<Ipv4Addr>>
where
    <T::Client as Client>::Told: Address,
{
    let (target, connections) = (Arc::new(target), load.connections);
    let seen = match load.offered {
        None => {
            let load = Closed {
                connections,
                warm_up: WARM_UP,
                lasts,
            };
            closed(&target, load).await?
        }
        Some(rate) => {
            let load = Open {
                connections,
                rate,
                lasts,
            };
            open(&target, load).await?
        }
    };
    samples.add(load, system, &seen);
    Ok(seen.told().map(Address::address).collect())
}

/// What an answer says of the address that was given.
pub(crate) trait Address {
    fn address(&self) -> Ipv4Addr;
}

impl Address for Ipv4Addr {
    fn address(&self) -> Ipv4Addr {
        *self
    }
}

/// That no address was given twice; how many there are.
pub(crate) fn distinct(system: System, addresses: &[Ipv4Addr]) -> Result<usize> {
    let different: HashSet<&Ipv4Addr> = addresses.iter().collect();
    ensure!(
        different.len() == addresses.len(),
        "{}: {} claims were answered, with {} addresses",
        system.name(),
        addresses.len(),
        different.len()
    );
    Ok(different.len())
}
