//! Clients on each simulated node: they ask its replica, and remember what they were told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use allocator::answer::{Answer, Outcome, Rejection};
use allocator::command::{
    ClaimRelease, ClaimSpec, Command, Envelope, PoolCidr, PoolRef, PoolSource, PoolSpec, Quota,
    TenantSpec,
};
use allocator::name::{Labels, Name};
use allocator::prefix::Prefix;
use anyhow::{Result, anyhow, bail};
use cluster_tests::ledger::Ledger;
use cluster_tests::tenant::Held;
use node::replica::{ProposeError, Replica};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::trace::Trace;

/// Small enough to be full much of the time.
const POOL: &str = "10.0.0.0/25";
const TENANT: &str = "sim";
const DEADLINE: Duration = Duration::from_secs(2);

/// All clients; clones share what they know.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    have_pool: bool,
    stopped: bool,
    acknowledged: u64,
    names: u64,
    ledger: Ledger,
}

impl Clients {
    pub(super) fn have_pool(&self) -> bool {
        self.lock().have_pool
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.lock().acknowledged
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.lock().ledger.clone()
    }

    /// One client of a node, until it is told to stop. Node 1's makes the tenant and the pool.
    pub(super) async fn client(
        self,
        node: u64,
        seed: u64,
        replica: Replica,
        trace: Trace,
    ) -> Result<()> {
        let mut random = StdRng::seed_from_u64(seed);
        while node == 1 && !self.have_pool() {
            if self.set_up(&replica).await? {
                self.lock().have_pool = true;
            }
        }
        loop {
            tokio::time::sleep(Duration::from_millis(random.random_range(1..40))).await;
            if self.lock().stopped {
                return Ok(());
            }
            if !self.have_pool() {
                continue;
            }
            let job = self.draw(&mut random)?;
            let answered = replica.propose(envelope(job.command()), DEADLINE).await;
            let end = self.told(&job, answered.map(|proposed| proposed.answer))?;
            trace.event(
                turmoil::sim_elapsed().unwrap_or_default(),
                &format!("client of node {node}: {} {end}", job.name()),
            );
        }
    }

    async fn set_up(&self, replica: &Replica) -> Result<bool> {
        for command in [tenant_create(), pool_create()?] {
            match replica.propose(envelope(command), DEADLINE).await {
                Ok(proposed) => proposed
                    .answer
                    .result
                    .map(drop)
                    .map_err(|rejection| anyhow!("{rejection:?}"))?,
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The next thing to ask for; from now until it is answered its outcome is unknown.
    fn draw(&self, random: &mut StdRng) -> Result<Job> {
        let mut known = self.lock();
        let free: Vec<(String, Held)> = known
            .ledger
            .held
            .iter()
            .filter(|(name, _)| !known.ledger.unknown.contains(*name))
            .map(|(name, held)| (name.clone(), held.clone()))
            .collect();
        let drawn = random.random_range(0..100);
        let job = if free.is_empty() || drawn < 60 {
            known.names += 1;
            Job::Claim {
                name: name(&format!("sim-{}", known.names))?,
                again: None,
            }
        } else {
            let (held_name, held) = free[random.random_range(..free.len())].clone();
            let name = name(&held_name)?;
            if drawn < 75 {
                Job::Claim {
                    name,
                    again: Some(held),
                }
            } else {
                Job::Release { name, held }
            }
        };
        known.ledger.unknown.insert(job.name().to_string());
        Ok(job)
    }

    fn told(&self, job: &Job, answered: Result<Answer, ProposeError>) -> Result<&'static str> {
        let mut known = self.lock();
        let name = job.name().to_string();
        let answer = match answered {
            Ok(answer) => answer,
            // It may yet happen: the name stays unknown to the end.
            Err(ProposeError::OutcomeUnknown) => return Ok("unknown"),
            // It was never proposed, so all is as it was.
            Err(ProposeError::TooBusy | ProposeError::NoLeader | ProposeError::Stopping) => {
                known.ledger.unknown.remove(&name);
                return Ok("not proposed");
            }
            Err(error @ ProposeError::TooLarge { .. }) => bail!("{name}: {error}"),
        };
        known.acknowledged += 1;
        known.ledger.unknown.remove(&name);
        match (job, answer.result) {
            (Job::Claim { again: None, .. }, Ok(Outcome::ClaimCreated(claim))) => {
                let held = Held {
                    block: claim.block.to_string(),
                    generation: claim.generation,
                };
                known.ledger.held.insert(name, held);
                Ok("holds")
            }
            (
                Job::Claim {
                    again: Some(held), ..
                },
                Ok(Outcome::ClaimRepeated(claim)),
            ) if claim.block.to_string() == held.block && claim.generation == held.generation => {
                Ok("holds as before")
            }
            (Job::Claim { again: None, .. }, Err(Rejection::PoolExhausted { .. })) => {
                Ok("found no room")
            }
            (Job::Release { held, .. }, Ok(Outcome::ClaimReleased(claim)))
                if claim.generation == held.generation =>
            {
                known.ledger.held.remove(&name);
                Ok("released")
            }
            (job, result) => bail!("{job:?} was answered {result:?}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client asks for.
#[derive(Debug)]
enum Job {
    /// A new name's claim, or that of a name that holds something.
    Claim { name: Name, again: Option<Held> },
    /// The end of a holding.
    Release { name: Name, held: Held },
}

impl Job {
    fn name(&self) -> &Name {
        match self {
            Self::Claim { name, .. } | Self::Release { name, .. } => name,
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Claim { name, .. } => Command::ClaimCreate(Box::new(ClaimSpec::new(
                tenant(),
                name.clone(),
                PoolRef {
                    tenant: None,
                    name: pool(),
                },
            ))),
            Self::Release { name, held } => Command::ClaimRelease(ClaimRelease {
                tenant: tenant(),
                name: name.clone(),
                generation: Some(held.generation),
            }),
        }
    }
}

/// The tenant of all clients.
pub(super) fn tenant() -> Name {
    Name::new(TENANT).expect("the constant is a name")
}

fn pool() -> Name {
    Name::new("p").expect("the constant is a name")
}

fn name(text: &str) -> Result<Name> {
    Name::new(text).map_err(|_| anyhow!("{text} is not a name"))
}

fn envelope(command: Command) -> Envelope {
    Envelope {
        actor: "".into(),
        source: "simulation".into(),
        command,
    }
}

fn tenant_create() -> Command {
    Command::TenantCreate(Box::new(TenantSpec {
        name: tenant(),
        labels: Labels::new(),
        annotations: Labels::new(),
        description: "".into(),
        quota: Quota::default(),
    }))
}

fn pool_create() -> Result<Command> {
    let cidr: Prefix = POOL.parse().map_err(|_| anyhow!("{POOL} is not a CIDR"))?;
    Ok(Command::PoolCreate(Box::new(PoolSpec::new(
        tenant(),
        pool(),
        PoolSource::Root {
            space: None,
            cidrs: vec![PoolCidr {
                cidr,
                subnet: None,
                gateway: None,
            }],
        },
    ))))
}
