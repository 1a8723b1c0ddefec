//! Claims of one address each: from three durable nodes of ipamd, and from its peers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use serde_json::json;

use crate::compare::{Address, Load, Samples, System, distinct, put_under};
use crate::latency::median_of;
use crate::load::{Claimed, Claims};
use crate::peers::{Peer, etcd, postgres};
use crate::plot::{Axis, Line, Plot, Scale};
use crate::report::{Found, Table, decimal, line, millis};
use crate::rounds::Rounds;
use crate::scrape;
use crate::verdict::Verdicts;

const LOADS: [Load; 8] = [
    one_pool(1),
    one_pool(16),
    MANY,
    one_pool(256),
    MANY_OF_MANY_POOLS,
    offered(1_000),
    offered(2_000),
    offered(5_000),
];
/// The highest rate that is offered to etcd, which does not do the next one.
const OFFERED_TO_ETCD_MAX: u32 = 2_000;
/// The load by which systems are compared.
const MANY: Load = one_pool(64);
const MANY_OF_MANY_POOLS: Load = Load {
    offered: None,
    connections: MANY.connections,
    pools: postgres::POOLS,
};
/// Loads that PostgreSQL is put under: its rows are locked one after the other, whoever waits.
const FOR_POSTGRES: [Load; 2] = [MANY, MANY_OF_MANY_POOLS];

const fn one_pool(connections: usize) -> Load {
    Load {
        offered: None,
        connections,
        pools: 1,
    }
}

const fn offered(rate: u32) -> Load {
    Load {
        offered: Some(rate),
        ..MANY
    }
}

/// The peers that there are, with their programs.
pub(crate) type Programs = [(Peer, PathBuf)];

pub(crate) async fn measure(rounds: Rounds, peers: &Programs) -> Result<Found> {
    let mut samples = Samples::default();
    let mut commands_an_entry = BTreeMap::new();
    let program = |wanted| peers.iter().find(|(peer, _)| *peer == wanted);
    for round in 1..=rounds.count {
        let mut told = ipamd(rounds, &mut samples, &mut commands_an_entry).await?;
        if let Some((_, program)) = program(Peer::Etcd) {
            told.push_str(&etcd(program, rounds, &mut samples).await?);
        }
        if let Some((_, programs)) = program(Peer::Postgres) {
            told.push_str(&postgres(programs, rounds, &mut samples).await?);
        }
        line(&format!(
            "claims, round {round} of {}: {told}",
            rounds.count
        ));
    }
    Ok(Found {
        tables: vec![table(&samples, &commands_an_entry), judge(&samples)],
        plots: vec![plot(&samples)],
    })
}

/// One round of ipamd; how many addresses it gave, none of them twice.
async fn ipamd(
    rounds: Rounds,
    samples: &mut Samples,
    commands_an_entry: &mut BTreeMap<Load, Vec<f64>>,
) -> Result<String> {
    let cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "bench").await?;
    let pools: Vec<String> = (0..postgres::POOLS)
        .map(|pool| format!("p{pool}"))
        .collect();
    for (number, pool) in pools.iter().enumerate() {
        // A pool of four million addresses each, none of which another has.
        let (second, third) = (number % 4 * 64, 10 + number / 4);
        let pool = json!({ "name": pool, "cidrs": [format!("{third}.{second}.0.0/10")] });
        tenant.pool_create(&mut connection, &pool).await?;
    }
    let mut addresses = Vec::new();
    for load in LOADS {
        let from: Vec<&str> = pools.iter().take(load.pools).map(String::as_str).collect();
        let before = scrape::batches(&cluster).await?;
        let claims = Claims::new(&cluster, &tenant, &from);
        addresses.extend(put_under(load, System::Ipamd, claims, rounds, samples).await?);
        let after = scrape::batches(&cluster).await?;
        let commands = after.an_entry_since(before);
        commands_an_entry.entry(load).or_default().push(commands);
    }
    let given = distinct(System::Ipamd, &addresses)?;
    let mut held = 0;
    for pool in &pools {
        let pool = tenant.pool(&mut connection, pool).await?;
        held += pool["status"]["claims"]["allocated"]
            .as_u64()
            .with_context(|| format!("a pool's count of claims: {pool}"))?;
    }
    ensure!(
        held == given as u64,
        "{given} were answered, {held} are held"
    );
    Ok(format!("ipamd gave {given} different addresses"))
}

async fn etcd(program: &Path, rounds: Rounds, samples: &mut Samples) -> Result<String> {
    let etcd = Arc::new(etcd::Etcd::start(program).await?);
    let next = Arc::default();
    let mut addresses = Vec::new();
    let can = |load: &Load| {
        let rate = load.offered.unwrap_or(0);
        load.pools == 1 && rate <= OFFERED_TO_ETCD_MAX
    };
    for load in LOADS.into_iter().filter(can) {
        let claims = etcd::Claims::new(&etcd, &next);
        addresses.extend(put_under(load, System::Etcd, claims, rounds, samples).await?);
    }
    let given = distinct(System::Etcd, &addresses)?;
    let held = etcd.addresses_taken().await?;
    ensure!(
        held == given as u64,
        "{given} were answered, {held} are held"
    );
    Ok(format!(", etcd {given}"))
}

async fn postgres(programs: &Path, rounds: Rounds, samples: &mut Samples) -> Result<String> {
    let postgres = Arc::new(postgres::Postgres::start(programs).await?);
    let mut addresses = Vec::new();
    for load in FOR_POSTGRES {
        let claims = postgres::Claims::new(&postgres, load.pools);
        addresses.extend(put_under(load, System::Postgres, claims, rounds, samples).await?);
    }
    let given = distinct(System::Postgres, &addresses)?;
    Ok(format!(", PostgreSQL {given}"))
}

impl Address for Claimed {
    fn address(&self) -> std::net::Ipv4Addr {
        self.address
    }
}

fn table(samples: &Samples, commands_an_entry: &BTreeMap<Load, Vec<f64>>) -> Table {
    let mut table = Table::new(
        "claims",
        &[
            "offered/s",
            "connections",
            "pools",
            "system",
            "claims/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "commands an entry",
            "ipamd does",
        ],
    );
    for (load, system) in samples.keys() {
        let medians = samples.medians(load, system);
        let ours = samples.medians(load, System::Ipamd);
        let Some((medians, ours)) = medians.zip(ours) else {
            continue;
        };
        let [half, most, nearly_all] = medians.times;
        table.row([
            load.offered
                .map_or_else(String::new, |rate| rate.to_string()),
            load.connections.to_string(),
            load.pools.to_string(),
            system.name().to_owned(),
            decimal(medians.rate, 0),
            millis(half),
            millis(most),
            millis(nearly_all),
            match (system, commands_an_entry.get(&load)) {
                (System::Ipamd, Some(rounds)) => decimal(median_of(rounds), 1),
                _ => String::new(),
            },
            match (system, load.offered) {
                (System::Ipamd, _) | (_, Some(_)) => String::new(),
                _ => format!("{} times as many", decimal(ours.rate / medians.rate, 1)),
            },
        ]);
    }
    table
}

/// How long a claim takes at each rate that was reached, from one connection to many.
fn plot(samples: &Samples) -> Plot {
    let mut lines: Vec<Line> = Vec::new();
    for (place, percentile) in [(0, "p50"), (2, "p99")] {
        for system in [System::Ipamd, System::Etcd] {
            let loads = LOADS.into_iter();
            let loads = loads.filter(|load| load.pools == 1 && load.offered.is_none());
            let points = loads.filter_map(|load| {
                let medians = samples.medians(load, system)?;
                Some((medians.rate, medians.times[place].as_secs_f64() * 1_000.0))
            });
            let points: Vec<(f64, f64)> = points.collect();
            if !points.is_empty() {
                let name = format!("{}, {percentile}", system.name());
                lines.push(Line { name, points });
            }
        }
    }
    Plot {
        name: "claims",
        title: "Claims from one pool: 1, 16, 64 and 256 connections",
        x: Axis {
            label: "claims a second",
            scale: Scale::Linear,
        },
        y: Axis {
            label: "milliseconds",
            scale: Scale::Logarithmic,
        },
        lines,
    }
}

/// The budgets of the first rows.
fn judge(samples: &Samples) -> Table {
    let mut verdicts = Verdicts::new("claims, by budget");
    let compare = |load, with| {
        samples
            .medians(load, System::Ipamd)
            .zip(samples.medians(load, with))
    };
    for (load, with, times) in [
        (MANY, System::Etcd, 10.0),
        (MANY, System::Postgres, 10.0),
        (MANY_OF_MANY_POOLS, System::Postgres, 4.0),
    ] {
        if let Some((ours, theirs)) = compare(load, with) {
            verdicts.judge(
                &format!(
                    "claims/s at {} connections, {} pools: ipamd, {}",
                    load.connections,
                    load.pools,
                    with.name()
                ),
                format!(
                    "{}, {}: {} times",
                    decimal(ours.rate, 0),
                    decimal(theirs.rate, 0),
                    decimal(ours.rate / theirs.rate, 1)
                ),
                format!("{times} times"),
                ours.rate >= theirs.rate * times,
            );
        }
    }
    if let Some((ours, theirs)) = compare(MANY, System::Etcd) {
        verdicts.at_most(
            "p99 of ipamd, a fifth of etcd's p50",
            ours.times[2],
            theirs.times[0] / 5,
        );
    }
    if let Some((ours, theirs)) = compare(one_pool(1), System::Etcd) {
        verdicts.at_most(
            "one client: p50 of ipamd, of etcd",
            ours.times[0],
            theirs.times[0],
        );
    }
    verdicts.table()
}
