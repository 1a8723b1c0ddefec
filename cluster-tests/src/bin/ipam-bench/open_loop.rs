//! Claims that begin at their times, however long those before them take: what a client waits for its
//! turn counts, so that a stall of the server is seen by all who come in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use hyper::Method;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::latency::Latencies;

/// Connections over which claims go out; a claim that finds none free waits, and the wait counts.
const CONNECTIONS: u32 = 64;

/// Claims of one address each from the pool `p`, at a rate.
#[derive(Debug, Clone)]
pub(crate) struct OpenLoop {
    /// The nodes, over which the connections are spread.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) tenant: Tenant,
    /// Claims a second.
    pub(crate) rate: u32,
}

/// A claim that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// When it was to begin.
    pub(crate) intended: Instant,
    /// From then on till its answer.
    pub(crate) took: Duration,
    /// The revision that it made.
    pub(crate) revision: u64,
}

/// The times of claims.
pub(crate) fn latencies(sent: &[Sent]) -> Latencies {
    let mut latencies = Latencies::default();
    for sent in sent {
        latencies.push(sent.took);
    }
    latencies
}

impl OpenLoop {
    /// Sends claims whose names begin with `prefix` for some time. All have to be answered 201.
    pub(crate) async fn run(&self, prefix: &str, lasts: Duration) -> Result<Vec<Sent>> {
        let period = Duration::from_secs(1) / self.rate;
        let total = u32::try_from(lasts.as_micros() / period.as_micros())?;
        let (next, turns) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
        let start = Instant::now() + Duration::from_millis(20);
        let mut clients = JoinSet::new();
        for address in self.addresses.iter().cycle().take(CONNECTIONS as usize) {
            let mut client = Client {
                connection: Connection::new(*address),
                path: self.tenant.path("claims"),
                prefix: prefix.to_owned(),
            };
            let (next, turns) = (Arc::clone(&next), Arc::clone(&turns));
            clients.spawn(async move {
                let mut sent = Vec::new();
                loop {
                    turns.acquire().await?.forget();
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return anyhow::Ok(sent);
                    }
                    sent.push(client.claim(number, start + period * number).await?);
                }
            });
        }
        let pacing = pace(start, period, total, turns)?;
        let mut all = Vec::with_capacity(total as usize);
        while let Some(client) = clients.join_next().await {
            all.extend(client??);
        }
        ensure!(pacing.join().is_ok(), "the thread that paces has ended");
        Ok(all)
    }
}

/// Gives each claim its turn at its time. A thread, since the runtime's timers tell milliseconds at best.
fn pace(
    start: Instant,
    period: Duration,
    total: u32,
    turns: Arc<Semaphore>,
) -> Result<std::thread::JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("pace".to_owned());
    thread
        .spawn(move || {
            for number in 0..total {
                std::thread::sleep(
                    (start + period * number).saturating_duration_since(Instant::now()),
                );
                turns.add_permits(1);
            }
            turns.add_permits(CONNECTIONS as usize);
        })
        .context("a thread")
}

struct Client {
    connection: Connection,
    path: String,
    prefix: String,
}

impl Client {
    async fn claim(&mut self, number: u32, intended: Instant) -> Result<Sent> {
        let body = format!(r#"{{"name":"{}-{number:012}","pool":"p"}}"#, self.prefix);
        let reply = self
            .connection
            .send(Method::POST, &self.path, Some(Bytes::from(body)))
            .await?;
        let took = intended.elapsed();
        ensure!(
            reply.status == 201,
            "{}: {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        Ok(Sent {
            intended,
            took,
            revision: reply.header_number("ipam-revision").context("a revision")?,
        })
    }
}
