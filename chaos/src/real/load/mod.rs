//! The load: clients that ask for a mixture of everything, and watchers.

mod answer;
mod client;
mod draw;
mod known;
mod names;
mod watcher;

use std::sync::Arc;

use anyhow::{Context, Result};
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::diary::Diary;
use super::world;
use client::Client;
use known::Known;
pub(super) use names::{LEASES, is_contended, pools};
pub(super) use watcher::Watchers;

/// Whose everything is.
const TENANT: &str = "chaos";
/// Clients at once.
const CLIENTS: u64 = 24;

/// The clients at work.
#[derive(Debug)]
pub(super) struct Load {
    clients: JoinSet<()>,
    stop: CancellationToken,
}

/// Makes the tenant and the pools; the revision after it.
pub(super) async fn prepare(connection: &mut Connection) -> Result<(Tenant, u64)> {
    let tenant = Tenant::create(connection, TENANT).await?;
    for pool in pools() {
        let document = json!({
            "name": pool.name,
            "cidrs": pool.cidrs,
            "graceSeconds": pool.grace_ms / 1_000,
        });
        tenant.pool_create(connection, &document).await?;
    }
    let status = connection
        .get("/v1/cluster?consistency=linearizable")
        .await?
        .expect(200)?;
    let revision = status["revision"].as_u64().context("the revision")?;
    Ok((tenant, revision))
}

impl Load {
    /// Clients, spread over the nodes.
    pub(super) fn start(
        nodes: &[u64],
        tenant: &Tenant,
        diary: &Diary,
        random: &mut StdRng,
    ) -> Self {
        let stop = CancellationToken::new();
        let known = Arc::new(Known::default());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = Client::new(
                number,
                nodes.to_vec(),
                tenant.clone(),
                Arc::clone(&known),
                diary.clone(),
                rand::SeedableRng::from_rng(random),
            );
            clients.spawn(client.run(stop.clone()));
        }
        Self { clients, stop }
    }

    /// Ends the clients, each when it has its answer.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended?;
        }
        Ok(())
    }
}

/// A node's HTTP, by a client's own connection.
fn connection(node: u64) -> Connection {
    Connection::new(world::http(node))
}
