//! Clients that claim and release until their node stops answering, and remember exactly what they were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use cluster_tests::http::Connection;
use cluster_tests::ledger::Ledger;
use cluster_tests::tenant::{Held, Tenant};
use cluster_tests::wait;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// One operation of this many is a release.
const RELEASE_EVERY: u64 = 3;
/// A connection that has not answered by then has lost its node.
const DEADLINE: Duration = Duration::from_secs(15);

/// The clients of all rounds, with one ledger.
#[derive(Debug)]
pub(super) struct Clients {
    addresses: Vec<SocketAddr>,
    tenant: Tenant,
    pool: String,
    ledger: Arc<Mutex<Ledger>>,
    /// Numbers names across rounds, so that none is used twice.
    names: Arc<AtomicU64>,
}

/// The clients of one round.
#[derive(Debug)]
pub(super) struct Running {
    tasks: JoinSet<Result<()>>,
    acknowledged: Arc<AtomicU64>,
}

impl Clients {
    pub(super) fn new(addresses: Vec<SocketAddr>, tenant: Tenant, pool: &str) -> Self {
        Self {
            addresses,
            tenant,
            pool: pool.to_owned(),
            ledger: Arc::default(),
            names: Arc::default(),
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was in flight has its end now: the list is the truth from which the next round goes on.
    pub(super) fn settle(&mut self, listed: BTreeMap<String, Held>) {
        let mut ledger = self.ledger();
        ledger.held = listed;
        ledger.unknown.clear();
    }

    pub(super) fn start(&self, count: usize) -> Running {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let client = Client {
                connection: Connection::new(self.addresses[number % self.addresses.len()])
                    .with_deadline(DEADLINE),
                tenant: self.tenant.clone(),
                pool: self.pool.clone(),
                ledger: self.ledger.clone(),
                names: self.names.clone(),
                acknowledged: acknowledged.clone(),
                own: Vec::new(),
            };
            tasks.spawn(client.run());
        }
        Running {
            tasks,
            acknowledged,
        }
    }
}

impl Running {
    /// Waits until so many operations were acknowledged.
    pub(super) async fn wait_for(&self, operations: u64, within: Duration) -> Result<()> {
        wait::until("the clients have done their operations", within, || async {
            (self.acknowledged.load(Ordering::Relaxed) >= operations).then_some(())
        })
        .await
    }

    /// Ends the clients, whose nodes are gone; how many operations were acknowledged.
    pub(super) async fn stop(mut self) -> Result<u64> {
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(self.acknowledged.load(Ordering::Relaxed))
    }
}

struct Client {
    connection: Connection,
    tenant: Tenant,
    pool: String,
    ledger: Arc<Mutex<Ledger>>,
    names: Arc<AtomicU64>,
    acknowledged: Arc<AtomicU64>,
    own: Vec<(String, Held)>,
}

impl Client {
    /// Works until the connection breaks, which leaves its last operation unknown.
    async fn run(mut self) -> Result<()> {
        loop {
            let number = self.names.fetch_add(1, Ordering::Relaxed);
            let release = number
                .is_multiple_of(RELEASE_EVERY)
                .then(|| self.own.pop())
                .flatten();
            let (name, sent) = if let Some((name, held)) = release {
                self.pending(&name);
                let sent = self
                    .tenant
                    .release(&mut self.connection, &name, held.generation)
                    .await;
                (name, sent)
            } else {
                let name = format!("power-{number}");
                self.pending(&name);
                let claim = json!({ "name": name, "pool": self.pool });
                let sent = self.tenant.claim(&mut self.connection, &claim).await;
                (name, sent)
            };
            match sent {
                Ok(reply) if reply.status == 201 => {
                    let held = Held::from_claim(&reply.json())?;
                    self.own.push((name.clone(), held.clone()));
                    self.told(&name, Some(held));
                }
                Ok(reply) if reply.status == 200 => self.told(&name, None),
                // May yet happen, or did not: the name stays unknown.
                Ok(reply) if [429, 503, 504].contains(&reply.status) => {
                    sleep(Duration::from_millis(5)).await;
                }
                Ok(reply) => bail!(
                    "{name}: {}: {}",
                    reply.status,
                    String::from_utf8_lossy(&reply.body)
                ),
                Err(_) => return Ok(()),
            }
        }
    }

    fn pending(&self, name: &str) {
        self.lock().unknown.insert(name.to_owned());
    }

    fn told(&self, name: &str, held: Option<Held>) {
        let mut ledger = self.lock();
        ledger.unknown.remove(name);
        match held {
            Some(held) => ledger.held.insert(name.to_owned(), held),
            None => ledger.held.remove(name),
        };
        drop(ledger);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
