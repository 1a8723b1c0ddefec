//! Claims and releases from more connections than a cluster takes, for a time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::http::Connection;
use crate::tenant::{Held, Tenant};

/// After a 429 a client of a flood comes back at once, but for this: it measures the server, not its own spinning.
const PAUSE: Duration = Duration::from_millis(2);

/// A flood.
#[derive(Debug, Clone)]
pub struct Flood {
    /// The nodes, over which the connections are spread.
    pub addresses: Vec<SocketAddr>,
    /// How many connections, each with one request in flight.
    pub connections: usize,
    /// For how long.
    pub lasts: Duration,
    /// Whose claims.
    pub tenant: Tenant,
    /// From which pool.
    pub pool: String,
}

/// How the requests of a flood ended.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Done as asked.
    pub taken: u64,
    /// 429, with `Retry-After`.
    pub refused: u64,
    /// Every other end, and how often.
    pub other: BTreeMap<String, u64>,
}

impl Seen {
    fn note(&mut self, end: String) {
        *self.other.entry(end).or_default() += 1;
    }
}

impl Flood {
    /// Lets it come.
    pub async fn run(&self) -> Result<Seen> {
        let until = Instant::now() + self.lasts;
        let mut clients = JoinSet::new();
        for number in 0..self.connections {
            let flood = self.clone();
            clients.spawn(async move { flood.client(number, until).await });
        }
        let mut all = Seen::default();
        while let Some(seen) = clients.join_next().await {
            let seen = seen??;
            all.taken += seen.taken;
            all.refused += seen.refused;
            for (end, count) in seen.other {
                *all.other.entry(end).or_default() += count;
            }
        }
        Ok(all)
    }

    async fn client(&self, number: usize, until: Instant) -> Result<Seen> {
        let mut connection = Connection::new(self.addresses[number % self.addresses.len()]);
        let mut seen = Seen::default();
        let mut holds: Option<(String, Held)> = None;
        let mut turn = 0_u64;
        while Instant::now() < until {
            let sent = if let Some((name, held)) = &holds {
                self.tenant
                    .release(&mut connection, name, held.generation)
                    .await
            } else {
                let claim = json!({ "name": format!("flood-{number}-{turn}"), "pool": self.pool });
                self.tenant.claim(&mut connection, &claim).await
            };
            match sent {
                Ok(reply) if reply.status == 429 => {
                    ensure!(
                        reply.headers.contains_key("retry-after"),
                        "a 429 says when to come back"
                    );
                    seen.refused += 1;
                    sleep(PAUSE).await;
                }
                Ok(reply) if reply.status < 300 => {
                    seen.taken += 1;
                    holds = match holds {
                        Some(_) => None,
                        None => Some((
                            format!("flood-{number}-{turn}"),
                            Held::from_claim(&reply.json())?,
                        )),
                    };
                    turn += 1;
                }
                Ok(reply) => seen.note(format!("{} {}", reply.status, reply.code())),
                Err(error) => seen.note(format!("{error:#}")),
            }
        }
        Ok(seen)
    }
}
