//! Three nodes on other machines than this one: with a slower network between them, and with slower disks below them.
//!
//! Delays are of a round trip between two nodes; clients are as near as ever. A proxy and a tracer cost something themselves, so
//! each has a row without a delay. One connection asks the leader, then a follower, which hands its claims on: with the network slow
//! that is another round trip. Many connections are spread over all nodes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::slow_network::SlowNetwork;
use cluster_tests::tenant::Tenant;
use serde_json::json;
use tokio::time::Instant;

use crate::clients::Clients;
use crate::compare::{Address, System, distinct};
use crate::fill;
use crate::latency::{median, median_of};
use crate::leader_kill;
use crate::load::{Claims, Client, Fixed, Target, closed};
use crate::peers::etcd::{self, Etcd};
use crate::plot::{Axis, Line, Plot, Scale};
use crate::report::{Found, Table, decimal, line, millis};
use crate::rounds::{Rounds, Series};
use crate::scrape;
use crate::surroundings::Surroundings;

/// Round trips between nodes.
const ROUND_TRIPS_MS: [u64; 4] = [0, 1, 5, 20];
/// What a sync takes more.
const SYNCS_MS: [u64; 3] = [0, 1, 5];

const CLIENTS: [Clients; 4] = [
    Clients::Leader,
    Clients::Follower,
    Clients::All(64),
    Clients::All(256),
];

/// What one system has shown to some clients.
#[derive(Debug, Default)]
struct Claiming {
    series: Series,
    commands_an_entry: Vec<f64>,
    elections: u64,
    /// Of one core, by the thread of the network.
    network_share: Vec<f64>,
}

/// What else ipamd has shown.
#[derive(Debug, Default)]
struct Rest {
    local: Series,
    of_leader: Series,
    of_follower: Series,
    syncs: Vec<Duration>,
    gaps: Vec<Duration>,
}

/// All that was seen in one kind of surroundings.
#[derive(Debug, Default)]
struct Figures {
    claiming: BTreeMap<(Clients, System), Claiming>,
    rest: Rest,
}

pub(crate) async fn measure(rounds: Rounds, etcd: Option<&Path>) -> Result<Found> {
    let mut all: Vec<(Surroundings, Figures)> = Vec::new();
    for surroundings in surroundings() {
        match surroundings.missing() {
            Some(reason) => line(&format!("{} is left out: {reason}", name(surroundings))),
            None => all.push((surroundings, Figures::default())),
        }
    }
    for round in 1..=rounds.count {
        for (surroundings, figures) in &mut all {
            let mut given = ipamd(*surroundings, rounds, figures).await?;
            if let Some(program) = etcd {
                given.push_str(&of_etcd(*surroundings, program, rounds, figures).await?);
            }
            let name = name(*surroundings);
            let count = rounds.count;
            line(&format!(
                "network, round {round} of {count}, {name}: {given}"
            ));
        }
    }
    Ok(Found {
        tables: vec![claims_table(&all), rest_table(&all)],
        plots: vec![
            plot(
                "network",
                "Claims from one pool by the round trip between nodes",
                "milliseconds of a round trip",
                &all,
                |surroundings| surroundings.round_trip,
            ),
            plot(
                "slow-sync",
                "Claims from one pool by what a sync takes more",
                "milliseconds more",
                &all,
                |surroundings| surroundings.sync,
            ),
        ],
    })
}

fn surroundings() -> Vec<Surroundings> {
    let networks = ROUND_TRIPS_MS.map(|millis| Surroundings {
        round_trip: Some(Duration::from_millis(millis)),
        ..Surroundings::default()
    });
    let disks = SYNCS_MS.map(|millis| Surroundings {
        sync: Some(Duration::from_millis(millis)),
        ..Surroundings::default()
    });
    let as_it_is = [Surroundings::default()];
    as_it_is.into_iter().chain(networks).chain(disks).collect()
}

fn name(surroundings: Surroundings) -> String {
    let mut words = Vec::new();
    if let Some(round_trip) = surroundings.round_trip {
        words.push(format!("round trip + {} ms", round_trip.as_millis()));
    }
    if let Some(longer) = surroundings.sync {
        words.push(format!("sync + {} ms", longer.as_millis()));
    }
    if words.is_empty() {
        words.push("as it is".to_owned());
    }
    words.join(", ")
}

/// One round of ipamd; how many addresses it gave, none of them twice.
async fn ipamd(
    surroundings: Surroundings,
    rounds: Rounds,
    figures: &mut Figures,
) -> Result<String> {
    let mut cluster = TestCluster::prepared(3, &[], None).await?;
    let ids = cluster.ids();
    let listening: Vec<SocketAddr> = ids.iter().map(|id| cluster.peer_address(*id)).collect();
    let network = surroundings.network(&listening)?;
    if let Some(network) = &network {
        cluster.meet_at(network.addresses());
    }
    cluster.start_by(&surroundings.starter());
    cluster.start_all()?;
    cluster.ready_all().await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    let mut addresses = Vec::new();
    for clients in CLIENTS {
        let (leader, term) = cluster.leader().await?;
        let before = scrape::batches(&cluster).await?;
        let nodes = clients.nodes(&cluster, leader);
        let claims = Claims::new(&cluster, &tenant, &["p"]).at(nodes);
        let claiming = figures.claiming.entry((clients, System::Ipamd));
        let claiming = claiming.or_default();
        addresses.extend(claim(claims, clients, rounds, network.as_ref(), claiming).await?);
        let commands = scrape::batches(&cluster).await?.an_entry_since(before);
        claiming.commands_an_entry.push(commands);
        claiming.elections += cluster.leader().await?.1 - term;
    }
    let rest = &mut figures.rest;
    rest.syncs.push(scrape::sync_mean(&cluster).await?);
    reads(&cluster, &tenant, rounds, rest).await?;
    let given = distinct(System::Ipamd, &addresses)?;
    let gap = leader_kill::gap(&mut cluster, &tenant, "gap").await?;
    rest.gaps.push(gap);
    Ok(format!("ipamd gave {given} different addresses"))
}

async fn of_etcd(
    surroundings: Surroundings,
    program: &Path,
    rounds: Rounds,
    figures: &mut Figures,
) -> Result<String> {
    let etcd = Arc::new(Etcd::start_in(program, surroundings).await?);
    let next = Arc::default();
    let mut addresses = Vec::new();
    for clients in CLIENTS {
        let (place, changes) = etcd.leader().await?;
        let nodes = clients.addresses(&etcd.addresses(), place);
        let claims = etcd::Claims::new(&etcd, &next).at(nodes);
        let claiming = figures.claiming.entry((clients, System::Etcd));
        let claiming = claiming.or_default();
        addresses.extend(claim(claims, clients, rounds, etcd.network(), claiming).await?);
        claiming.elections += etcd.leader().await?.1 - changes;
    }
    let given = distinct(System::Etcd, &addresses)?;
    let held = etcd.addresses_taken().await?;
    ensure!(
        held == given as u64,
        "{given} were answered, {held} are held"
    );
    Ok(format!(", etcd {given}"))
}

/// One round of claims; the addresses that were given.
async fn claim<T: Target>(
    target: T,
    clients: Clients,
    rounds: Rounds,
    network: Option<&SlowNetwork>,
    claiming: &mut Claiming,
) -> Result<Vec<std::net::Ipv4Addr>>
where
    <T::Client as Client>::Told: Address,
{
    let (busy, begun) = (busy(network).await?, Instant::now());
    let seen = closed(&Arc::new(target), rounds.closed(clients.connections())).await?;
    claiming.series.add(&seen);
    if let (Some(before), Some(after)) = (busy, self::busy(network).await?) {
        let share = after.saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
        claiming.network_share.push(share);
    }
    Ok(seen.told().map(Address::address).collect())
}

async fn busy(network: Option<&SlowNetwork>) -> Result<Option<Duration>> {
    match network {
        Some(network) => network.busy().await.map(Some),
        None => Ok(None),
    }
}

/// One round of reads of one claim, by one connection.
async fn reads(
    cluster: &TestCluster,
    tenant: &Tenant,
    rounds: Rounds,
    rest: &mut Rest,
) -> Result<()> {
    let claim = json!({ "name": "read", "pool": "p" });
    let mut connection = cluster.connection(1);
    tenant.claim(&mut connection, &claim).await?.expect(201)?;
    let (leader, _) = cluster.leader().await?;
    let local = tenant.path("claims/read");
    let linearizable = format!("{local}?consistency=linearizable");
    // A local read costs the same on every node that has the claim; the leader surely has it.
    for (clients, path, series) in [
        (Clients::Leader, &local, &mut rest.local),
        (Clients::Leader, &linearizable, &mut rest.of_leader),
        (Clients::Follower, &linearizable, &mut rest.of_follower),
    ] {
        let target = Fixed {
            addresses: clients.nodes(cluster, leader),
            method: "GET",
            path: path.clone(),
            body: None,
            status: 200,
        };
        let load = rounds.closed(clients.connections());
        series.add(&closed(&Arc::new(target), load).await?);
    }
    Ok(())
}

fn claims_table(all: &[(Surroundings, Figures)]) -> Table {
    let mut table = Table::new(
        "network",
        &[
            "surroundings",
            "clients",
            "system",
            "claims/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "commands an entry",
            "elections",
            "network's share of a core",
            "ipamd does",
        ],
    );
    let median_if_any = |numbers: &[f64], digits| match numbers {
        [] => String::new(),
        numbers => decimal(median_of(numbers), digits),
    };
    for (surroundings, figures) in all {
        for ((clients, system), claiming) in &figures.claiming {
            let medians = claiming.series.medians();
            let [half, most, nearly_all] = medians.times;
            let ours = figures.claiming.get(&(*clients, System::Ipamd));
            let ours = ours.map(|ours| ours.series.medians());
            table.row([
                name(*surroundings),
                clients.name(),
                system.name().to_owned(),
                decimal(medians.rate, 0),
                millis(half),
                millis(most),
                millis(nearly_all),
                median_if_any(&claiming.commands_an_entry, 1),
                claiming.elections.to_string(),
                median_if_any(&claiming.network_share, 2),
                match (system, ours) {
                    (System::Ipamd, _) | (_, None) => String::new(),
                    (_, Some(ours)) => {
                        format!("{} times as many", decimal(ours.rate / medians.rate, 1))
                    }
                },
            ]);
        }
    }
    table
}

fn rest_table(all: &[(Surroundings, Figures)]) -> Table {
    let mut table = Table::new(
        "network, the rest of ipamd",
        &[
            "surroundings",
            "a sync, mean ms",
            "local read, p50 ms",
            "linearizable, leader",
            "linearizable, follower",
            "leader killed: ms without service",
        ],
    );
    for (surroundings, Figures { rest, .. }) in all {
        let half = |series: &Series| millis(series.medians().times[0]);
        table.row([
            name(*surroundings),
            millis(median(rest.syncs.clone())),
            half(&rest.local),
            half(&rest.of_leader),
            half(&rest.of_follower),
            millis(median(rest.gaps.clone())),
        ]);
    }
    table
}

/// How much is done by many clients, by one kind of delay.
fn plot(
    name: &'static str,
    title: &'static str,
    label: &'static str,
    all: &[(Surroundings, Figures)],
    delay: fn(&Surroundings) -> Option<Duration>,
) -> Plot {
    let mut lines = Vec::new();
    for clients in CLIENTS {
        for system in [System::Ipamd, System::Etcd] {
            let points = all.iter().filter_map(|(surroundings, figures)| {
                let delay = delay(surroundings)?.as_secs_f64() * 1_000.0;
                let claiming = figures.claiming.get(&(clients, system))?;
                Some((delay, claiming.series.medians().rate))
            });
            let points: Vec<(f64, f64)> = points.collect();
            if matches!(clients, Clients::All(_)) && !points.is_empty() {
                let name = format!("{}, {}", system.name(), clients.name());
                lines.push(Line { name, points });
            }
        }
    }
    Plot {
        name,
        title,
        x: Axis {
            label,
            scale: Scale::Linear,
        },
        y: Axis {
            label: "claims a second",
            scale: Scale::Linear,
        },
        lines,
    }
}
