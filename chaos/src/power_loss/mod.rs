//! The power of all three disks is lost at one instant, under load.
//!
//! Each node's directory lies on an ext4 of its own. In each round clients claim and release; then all nodes are stopped
//! in their tracks, so that what was acknowledged is fixed, the file systems are shut down without a flush of their
//! journals, the nodes are killed, and the disks are mounted and the nodes started again. Nobody helps them: every node
//! must come back by itself, and every acknowledged claim must be there.

mod clients;
pub(crate) mod disk;
mod leftovers;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cluster_tests::TestCluster;
use cluster_tests::requirements::{Requirement, say};
use cluster_tests::tenant::Tenant;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use clients::Clients;
use disk::Disk;

/// What a machine must have.
pub const REQUIREMENTS: &[Requirement] = &[
    Requirement::Root,
    Requirement::LoopDevices,
    Requirement::Program("python3"),
    Requirement::Program("losetup"),
];

/// Clients at once.
const CLIENTS: usize = 24;
/// Acknowledged operations before the power goes, at least.
const OPERATIONS_MIN: u64 = 2_000;
/// For them to happen.
const LOAD_WITHIN: Duration = Duration::from_secs(30);

/// Runs `rounds` rounds on one cluster; the claims of all rounds stay.
///
/// # Errors
/// A claim that was lost, a node that did not come back, or a signal to end.
pub async fn run(rounds: u32) -> Result<()> {
    leftovers::remove()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Dropping the rounds ends the nodes, unmounts the disks and detaches the devices.
    tokio::select! {
        ended = run_rounds(rounds) => ended,
        _ = terminate.recv() => bail!("told to end by SIGTERM"),
        _ = interrupt.recv() => bail!("told to end by SIGINT"),
    }
}

async fn run_rounds(rounds: u32) -> Result<()> {
    let folder = TempDir::with_prefix(leftovers::prefix(std::process::id()))?;
    // Declared before the cluster, so that the nodes are ended before the disks go, on every way out.
    let mut disks: Vec<Disk> = (1..=3)
        .map(|id| Disk::make(folder.path(), &format!("disk-{id}")))
        .collect::<Result<_>>()?;
    let homes: Vec<PathBuf> = disks
        .iter()
        .map(|disk| disk.mount_point().to_owned())
        .collect();
    let mut cluster = TestCluster::prepared(3, &[], Some(&homes)).await?;
    cluster.start_all()?;
    cluster.ready_all().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "power").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.0.0.0/8"] }),
        )
        .await?;
    let mut clients = Clients::new(cluster.addresses(), tenant.clone(), "p");

    for round in 1..=rounds {
        let running = clients.start(CLIENTS);
        running.wait_for(OPERATIONS_MIN, LOAD_WITHIN).await?;
        for id in cluster.ids() {
            cluster.signal(id, Signal::STOP)?;
        }
        Disk::power_off(&disks)?;
        cluster.kill_all()?;
        let acknowledged = running.stop().await?;
        for disk in &mut disks {
            disk.unmount()?;
            disk.mount()?;
        }

        cluster.start_all()?;
        cluster
            .ready_all()
            .await
            .with_context(|| format!("round {round}: every node starts by itself"))?;
        let mut listed = None;
        for id in cluster.ids() {
            let list = tenant.claims(&mut cluster.connection(id)).await?;
            clients
                .ledger()
                .judge(&list)
                .with_context(|| format!("round {round}, as node {id} lists it"))?;
            ensure!(
                *listed.get_or_insert_with(|| list.clone()) == list,
                "round {round}: node {id} lists what the others list"
            );
        }
        let unknown = clients.ledger().unknown.len();
        let listed = listed.context("a list")?;
        say(&format!(
            "power loss, round {round} of {rounds}: {acknowledged} operations acknowledged, {unknown} in flight, \
             {} claims held, none lost",
            listed.len()
        ));
        clients.settle(listed);
    }
    Ok(())
}
