//! `State::apply` alone: held claims at random are released, others claimed, in entries as the log has them.

use std::time::Duration;

use allocator::answer::{Answer, Outcome};
use allocator::command::{ClaimRelease, Command, PoolSpec, Strategy};
use allocator::name::Name;
use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::entries::{Applying, TENANT, claim, name, root_pool, tenant};
use crate::held_bytes;
use crate::latency::median;
use crate::report::{Found, Table, decimal, per_second};
use crate::verdict::Verdicts;

const HELD_LEAST: usize = 1_000;
const HELD: [usize; 3] = [HELD_LEAST, 100_000, HELD_MOST];
const HELD_MOST: usize = 1_000_000;
/// Releases and claims in one entry, half and half.
const ENTRY: usize = 512;
/// Pairs of a round, in whole entries, and rounds of which the one in the middle counts.
const PAIRS: u32 = 102_400;
const ROUNDS: usize = 3;
/// Pairs a second while the fewest are held.
const BUDGET: f64 = 300_000.0;
/// So many times more a pair may cost while the most are held.
const SLOWER_MAX: f64 = 3.0;

pub(crate) fn measure() -> Result<Found> {
    let mut table = Table::new(
        "apply",
        &["family", "strategy", "held", "claim + release pairs/s"],
    );
    let mut verdicts = Verdicts::new("apply, by budget");
    for (family, cidr) in [
        ("IPv4 /32 of a /8", "10.0.0.0/8"),
        ("IPv6 /128 of a /32", "2001:db8::/32"),
    ] {
        let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
        let first_fit = HELD.map(|held| (Strategy::FirstFit, held));
        let others = [Strategy::BestFit, Strategy::NextFit].map(|strategy| (strategy, HELD_MOST));
        for (strategy, held) in first_fit.into_iter().chain(others) {
            let mut filled = Filled::new(cidr, strategy, held)?;
            let rounds: Result<Vec<Duration>> = (0..ROUNDS).map(|_| filled.churn()).collect();
            let took = median(rounds?);
            table.row([
                family.to_owned(),
                strategy.to_string(),
                held.to_string(),
                per_second(PAIRS.into(), took),
            ]);
            match (strategy, held) {
                (Strategy::FirstFit, HELD_LEAST) => least = took,
                (Strategy::FirstFit, HELD_MOST) => most = took,
                _ => {}
            }
        }
        judge(&mut verdicts, family, least, most);
    }
    held_bytes::judge(&mut verdicts)?;
    Ok(Found {
        tables: vec![table, verdicts.table()],
        plots: Vec::new(),
    })
}

/// By the time that a round took while the fewest and while the most were held.
fn judge(verdicts: &mut Verdicts, family: &str, least: Duration, most: Duration) {
    let rate = f64::from(PAIRS) / least.as_secs_f64();
    verdicts.judge(
        &format!("{family}: pairs/s with {HELD_LEAST} held"),
        decimal(rate, 0),
        decimal(BUDGET, 0),
        rate >= BUDGET,
    );
    let slower = most.as_secs_f64() / least.as_secs_f64();
    verdicts.judge(
        &format!("{family}: a pair with {HELD_MOST} held against {HELD_LEAST}"),
        format!("{} times", decimal(slower, 2)),
        format!("{} times", decimal(SLOWER_MAX, 2)),
        slower <= SLOWER_MAX,
    );
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

    /// The time that apply took for all pairs of a round.
    fn churn(&mut self) -> Result<Duration> {
        let mut took = Duration::ZERO;
        for _ in (0..PAIRS).step_by(ENTRY / 2) {
            let mut commands = Vec::with_capacity(ENTRY);
            for _ in 0..ENTRY / 2 {
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
        let spec = claim("p", &format!("claim-{:018}", self.named))?;
        Ok(Command::ClaimCreate(Box::new(spec)))
    }
}
