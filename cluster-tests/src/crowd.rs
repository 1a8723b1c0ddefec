//! Many clients at once, each on a connection of its own, that repeat what was not answered.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::http::{Connection, Reply};
use crate::tenant::{Held, Tenant};

/// For one job, its repeats included: longer than any fault in a test lasts.
const JOB_WITHIN: Duration = Duration::from_mins(1);
/// After a refusal that may be repeated.
const PAUSE: Duration = Duration::from_millis(20);

/// What one client does.
#[derive(Debug, Clone)]
pub enum Job {
    /// Claims one address for a name.
    Claim(String),
    /// Releases a name's holding.
    Release(String, Held),
}

/// How it ended.
#[derive(Debug, Clone)]
pub enum Done {
    /// The name holds this.
    Holds(String, Held),
    /// The name holds nothing any more.
    Released(String),
    /// The pool had nothing left for the name.
    Exhausted(String),
}

/// Where the crowd claims.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// The nodes, over which the clients are spread.
    pub addresses: Vec<SocketAddr>,
    /// How many clients, each with one connection.
    pub clients: usize,
    /// Whose claims.
    pub tenant: Tenant,
    /// From which pool.
    pub pool: String,
}

impl Crowd {
    /// Does all jobs, each until it has a definite answer; any refusal that should not be is an error.
    pub async fn work(&self, jobs: &[Job]) -> Result<Vec<Done>> {
        let mut clients = JoinSet::new();
        for number in 0..self.clients {
            let own: Vec<Job> = jobs
                .iter()
                .skip(number)
                .step_by(self.clients)
                .cloned()
                .collect();
            let mut client = Client {
                crowd: self.clone(),
                at: number,
                connection: None,
            };
            clients.spawn(async move {
                let mut done = Vec::with_capacity(own.len());
                for job in own {
                    done.push(
                        client
                            .finish(&job)
                            .await
                            .with_context(|| format!("{job:?}"))?,
                    );
                }
                anyhow::Ok(done)
            });
        }
        let mut all = Vec::with_capacity(jobs.len());
        while let Some(client) = clients.join_next().await {
            all.extend(client??);
        }
        ensure!(all.len() == jobs.len(), "every job has its end");
        Ok(all)
    }
}

struct Client {
    crowd: Crowd,
    at: usize,
    connection: Option<Connection>,
}

impl Client {
    async fn finish(&mut self, job: &Job) -> Result<Done> {
        let deadline = Instant::now() + JOB_WITHIN;
        loop {
            match self.attempt(job).await {
                Ok(reply) if [429, 503, 504].contains(&reply.status) => sleep(PAUSE).await,
                Ok(reply) => return conclude(job, &reply),
                Err(_) => {
                    // The node may be gone: the same name goes to the next one.
                    self.at += 1;
                    self.connection = None;
                    sleep(PAUSE).await;
                }
            }
            if Instant::now() >= deadline {
                bail!("no definite answer within {JOB_WITHIN:?}");
            }
        }
    }

    async fn attempt(&mut self, job: &Job) -> Result<Reply> {
        let address = self.crowd.addresses[self.at % self.crowd.addresses.len()];
        let connection = self
            .connection
            .get_or_insert_with(|| Connection::new(address));
        match job {
            Job::Claim(name) => {
                let claim = json!({ "name": name, "pool": self.crowd.pool, "prefixLength": 32 });
                self.crowd.tenant.claim(connection, &claim).await
            }
            Job::Release(name, held) => {
                self.crowd
                    .tenant
                    .release(connection, name, held.generation)
                    .await
            }
        }
    }
}

fn conclude(job: &Job, reply: &Reply) -> Result<Done> {
    match (job, reply.status) {
        (Job::Claim(name), 200 | 201) => {
            Ok(Done::Holds(name.clone(), Held::from_claim(&reply.json())?))
        }
        (Job::Claim(name), 507) => Ok(Done::Exhausted(name.clone())),
        (Job::Release(name, _), 200) => Ok(Done::Released(name.clone())),
        (_, status) => bail!("{status}: {}", String::from_utf8_lossy(&reply.body)),
    }
}
