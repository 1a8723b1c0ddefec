//! `State::apply` alone: held claims at random are released, others claimed, in entries as the log has them.

use std::time::Duration;

use allocator::answer::{Answer, Outcome};
use allocator::command::{ClaimRelease, ClaimSpec, Command, PoolRef, PoolSpec, Strategy};
use allocator::name::Name;
use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::entries::{Applying, TENANT, name, root_pool, tenant};
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
    applying: Applying,
    named: u64,
    held: Vec<(Name, u64)>,
    random: StdRng,
}

impl Filled {
    fn new(cidr: &str, strategy: Strategy, held: usize) -> Result<Self> {
        let mut filled = Self {
            applying: Applying::default(),
            named: 0,
            held: Vec::new(),
            random: StdRng::seed_from_u64(7),
        };
        let pool = PoolSpec {
            strategy,
            ..root_pool("p", cidr.parse().ok().context("a CIDR")?)?
        };
        filled.apply(vec![
            Command::Form { cluster_id: 1 },
            tenant()?,
            Command::PoolCreate(Box::new(pool)),
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
                let (claim, generation) = self.held.swap_remove(place);
                let release = ClaimRelease {
                    tenant: name(TENANT)?,
                    name: claim,
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
        let (answers, took) = self.applying.apply(commands);
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
            name(TENANT)?,
            name(&format!("claim-{:018}", self.named))?,
            PoolRef {
                tenant: None,
                name: name("p")?,
            },
        ))))
    }
}
