//! `State::apply` alone: held claims at random are released, others claimed, in entries as the log has them.

use std::time::Duration;

use allocator::State;
use allocator::answer::{Answer, Outcome};
use allocator::command::{
    ClaimRelease, ClaimSpec, Command, Entry, Envelope, PoolCidr, PoolRef, PoolSource, PoolSpec,
    Position, Quota, Stamp, Strategy, TenantSpec,
};
use allocator::name::{Labels, Name};
use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::report::{Table, per_second};

const HELD: [usize; 3] = [1_000, 100_000, HELD_MOST];
const HELD_MOST: usize = 1_000_000;
const PAIRS: u64 = 300_000;
/// Releases and claims in one entry, half and half.
const ENTRY: usize = 512;

pub(crate) fn measure() -> Result<Table> {
    let mut table = Table::new(
        "apply",
        &["family", "strategy", "held", "claim + release pairs/s"],
    );
    for (family, cidr) in [
        ("IPv4 /32 of a /8", "10.0.0.0/8"),
        ("IPv6 /128 of a /32", "2001:db8::/32"),
    ] {
        let first_fit = HELD.map(|held| (Strategy::FirstFit, held));
        let others = [Strategy::BestFit, Strategy::NextFit].map(|strategy| (strategy, HELD_MOST));
        for (strategy, held) in first_fit.into_iter().chain(others) {
            let mut filled = Filled::new(cidr, strategy, held)?;
            let took = filled.churn()?;
            table.row([
                family.to_owned(),
                strategy.to_string(),
                held.to_string(),
                per_second(PAIRS, took),
            ]);
        }
    }
    Ok(table)
}

struct Filled {
    state: State,
    index: u64,
    named: u64,
    held: Vec<(Name, u64)>,
    random: StdRng,
}

impl Filled {
    fn new(cidr: &str, strategy: Strategy, held: usize) -> Result<Self> {
        let random = StdRng::seed_from_u64(7);
        let mut filled = Self {
            state: State::new(),
            index: 0,
            named: 0,
            held: Vec::new(),
            random,
        };
        filled.apply(vec![
            Command::Form { cluster_id: 1 },
            tenant()?,
            pool(cidr, strategy)?,
        ])?;
        while filled.held.len() < held {
            let claims = (0..ENTRY.min(held - filled.held.len()))
                .map(|_| filled.claim())
                .collect::<Result<_>>()?;
            filled.apply(claims)?;
        }
        Ok(filled)
    }

    /// The time that apply took for all pairs.
    fn churn(&mut self) -> Result<Duration> {
        let mut took = Duration::ZERO;
        let pairs_an_entry = ENTRY / 2;
        let mut pairs = 0;
        while pairs < PAIRS {
            let mut commands = Vec::with_capacity(ENTRY);
            for _ in 0..pairs_an_entry.min(self.held.len()) {
                let place = self.random.random_range(..self.held.len());
                let (name, generation) = self.held.swap_remove(place);
                let release = ClaimRelease {
                    tenant: Name::new("t").ok().context("a name")?,
                    name,
                    generation: Some(generation),
                };
                commands.push(Command::ClaimRelease(release));
            }
            // Released first, so that the claims find holes all over the pool.
            for _ in 0..commands.len() {
                commands.push(self.claim()?);
            }
            pairs += commands.len() as u64 / 2;
            took += self.apply(commands)?;
        }
        Ok(took)
    }

    fn apply(&mut self, commands: Vec<Command>) -> Result<Duration> {
        let envelopes = commands
            .into_iter()
            .map(|command| Envelope {
                actor: "".into(),
                source: "".into(),
                command,
            })
            .collect();
        let stamp = Stamp {
            clock_term: 1,
            clock_node: 1,
            mono_ms: self.index,
            wall_ms: Some(self.index),
        };
        let entry = Entry {
            stamp,
            commands: envelopes,
        };
        self.index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index: self.index,
        };
        let started = Instant::now();
        let answers = self.state.apply(at, &entry);
        let took = started.elapsed();
        for answer in answers {
            self.note(answer)?;
        }
        Ok(took)
    }

    fn note(&mut self, answer: Answer) -> Result<()> {
        match answer.result {
            Ok(Outcome::ClaimCreated(claim)) => self.held.push((claim.spec.name, claim.generation)),
            Ok(_) => {}
            Err(rejection) => bail!("{rejection:?}"),
        }
        Ok(())
    }

    /// A claim with a name of 24 bytes.
    fn claim(&mut self) -> Result<Command> {
        self.named += 1;
        Ok(Command::ClaimCreate(Box::new(ClaimSpec::new(
            Name::new("t").ok().context("a name")?,
            Name::new(&format!("claim-{:018}", self.named))
                .ok()
                .context("a name")?,
            PoolRef {
                tenant: None,
                name: Name::new("p").ok().context("a name")?,
            },
        ))))
    }
}

fn tenant() -> Result<Command> {
    Ok(Command::TenantCreate(Box::new(TenantSpec {
        name: Name::new("t").ok().context("a name")?,
        labels: Labels::new(),
        annotations: Labels::new(),
        description: "".into(),
        quota: Quota::default(),
    })))
}

fn pool(cidr: &str, strategy: Strategy) -> Result<Command> {
    let cidr = PoolCidr {
        cidr: cidr.parse().ok().context("a CIDR")?,
        subnet: None,
        gateway: None,
    };
    Ok(Command::PoolCreate(Box::new(PoolSpec {
        strategy,
        ..PoolSpec::new(
            Name::new("t").ok().context("a name")?,
            Name::new("p").ok().context("a name")?,
            PoolSource::Root {
                space: None,
                cidrs: vec![cidr],
            },
        )
    })))
}
