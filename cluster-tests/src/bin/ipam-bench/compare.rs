//! Systems under the same load, in turn and in rounds; what counts is the median of the rounds.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::load::{Client, Open, Seen, Target, closed, open};
use crate::rounds::{Medians, Rounds, Series};

/// A load that every system is put under which can take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    /// So many turns begin in a second; `None` where each connection asks again as soon as it was answered.
    pub(crate) offered: Option<u32>,
    pub(crate) connections: usize,
    /// Over which the connections are spread.
    pub(crate) pools: usize,
}

/// All samples, by load and system.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<(Load, System), Series>);

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

impl Samples {
    fn add<T>(&mut self, load: Load, system: System, seen: &Seen<T>) {
        self.0.entry((load, system)).or_default().add(seen);
    }

    /// Every load with every system that was put under it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Load, System)> {
        self.0.keys().copied()
    }

    pub(crate) fn medians(&self, load: Load, system: System) -> Option<Medians> {
        self.0.get(&(load, system)).map(Series::medians)
    }
}

/// Puts a system under a load; the addresses that it gave.
pub(crate) async fn put_under<T: Target>(
    load: Load,
    system: System,
    target: T,
    rounds: Rounds,
    samples: &mut Samples,
) -> Result<Vec<Ipv4Addr>>
where
    <T::Client as Client>::Told: Address,
{
    let (target, connections) = (Arc::new(target), load.connections);
    let seen = match load.offered {
        None => closed(&target, rounds.closed(connections)).await?,
        Some(rate) => {
            let load = Open {
                connections,
                rate,
                lasts: rounds.lasts,
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
