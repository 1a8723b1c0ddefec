//! What the state machine and its free space do for a claim, with few blocks held and with many.
//!
//! A command is in an entry of its own, as at rest. What it is made of is made before the time counts.

use std::hint::black_box;
use std::time::Duration;

use allocator::State;
use allocator::answer::Answer;
use allocator::command::{
    ClaimRelease, ClaimSpec, Command, Entry, Envelope, PoolCidr, PoolRef, PoolSource, PoolSpec,
    Position, Quota, Stamp, TenantSpec,
};
use allocator::free::{Block, Nodes, Trie, Wanted};
use allocator::name::{Labels, Name};
use criterion::measurement::{Measurement, WallTime};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// Claims that are timed together and then released, so that as many are held.
const TOGETHER: u64 = 256;
/// One block of so many is a hole, so that the lowest free one is found, not known.
const HOLE_EVERY: u32 = 10;
const FIRST: u32 = 10 << 24;

/// How many are held. Filling takes long where nothing is optimised, so that a mere trial has the few alone.
fn sizes() -> &'static [u32] {
    if std::env::args().any(|argument| argument == "--bench") {
        &[1_000, 1_000_000]
    } else {
        &[1_000]
    }
}

struct Filled {
    state: State,
    index: u64,
    named: u64,
}

impl Filled {
    /// `held` single addresses of a /8, with holes between them.
    fn new(held: u32) -> Self {
        let mut filled = Self {
            state: State::new(),
            index: 0,
            named: 0,
        };
        let cidr = PoolCidr {
            cidr: "10.0.0.0/8".parse().expect("a CIDR"),
            subnet: None,
            gateway: None,
        };
        let source = PoolSource::Root {
            space: None,
            cidrs: vec![cidr],
        };
        filled.decide(Command::Form { cluster_id: 1 });
        filled.decide(Command::TenantCreate(Box::new(TenantSpec {
            name: name("t"),
            labels: Labels::new(),
            annotations: Labels::new(),
            description: "".into(),
            quota: Quota::default(),
        })));
        let pool = PoolSpec::new(name("t"), name("p"), source);
        filled.decide(Command::PoolCreate(Box::new(pool)));
        for _ in 0..held {
            let claim = filled.claim(None);
            filled.decide(claim);
        }
        for hole in (1..=u64::from(held)).step_by(HOLE_EVERY as usize) {
            filled.decide(release(hole));
        }
        filled
    }

    /// The next claim: for the lowest free address, or for a certain one.
    fn claim(&mut self, address: Option<u32>) -> Command {
        self.named += 1;
        let pool = PoolRef {
            tenant: None,
            name: name("p"),
        };
        let cidr = address.map(|address| {
            let cidr = format!("{}/32", std::net::Ipv4Addr::from(address));
            cidr.parse().expect("a CIDR")
        });
        Command::ClaimCreate(Box::new(ClaimSpec {
            cidr,
            ..ClaimSpec::new(name("t"), claim_name(self.named), pool)
        }))
    }

    fn decide(&mut self, command: Command) {
        let entry = entry(command);
        self.apply(&entry);
    }

    fn apply(&mut self, entry: &Entry) -> Answer {
        self.index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index: self.index,
        };
        let answer = self.state.apply(at, entry).pop();
        let answer = answer.expect("an answer to the command");
        assert!(answer.result.is_ok(), "{:?}", answer.result);
        answer
    }

    /// Applies commands; the time that it takes.
    fn timed(&mut self, commands: impl Iterator<Item = Command>) -> Duration {
        let entries: Vec<Entry> = commands.map(entry).collect();
        let wall = WallTime;
        let started = wall.start();
        for entry in &entries {
            black_box(self.apply(entry));
        }
        wall.end(started)
    }

    /// So many claims and their releases, a few at a time; how long either took.
    fn pairs(&mut self, count: u64, exact: bool) -> [Duration; 2] {
        let mut took = [Duration::ZERO; 2];
        let mut left = count;
        while left > 0 {
            let together = left.min(TOGETHER);
            let first = self.named + 1;
            let claims: Vec<Command> = (0..together)
                .map(|number| {
                    // Far behind all that is held, and not beside each other.
                    let address = exact.then(|| FIRST + (1 << 23) + number_of(number) * 3);
                    self.claim(address)
                })
                .collect();
            took[0] += self.timed(claims.into_iter());
            took[1] += self.timed((first..first + together).map(release));
            left -= together;
        }
        took
    }
}

fn number_of(number: u64) -> u32 {
    u32::try_from(number).expect("few are timed together")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// A name of 24 bytes.
fn claim_name(number: u64) -> Name {
    name(&format!("claim-{number:018}"))
}

fn release(number: u64) -> Command {
    Command::ClaimRelease(ClaimRelease {
        tenant: name("t"),
        name: claim_name(number),
        generation: None,
    })
}

fn entry(command: Command) -> Entry {
    Entry {
        stamp: Stamp::default(),
        commands: vec![Envelope {
            actor: "".into(),
            source: "127.0.0.1".into(),
            command,
        }],
    }
}

fn state(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("state");
    for held in sizes() {
        let mut filled = Filled::new(*held);
        for (name, exact, part) in [
            ("claim", false, 0),
            ("release", false, 1),
            ("claim of a stated address", true, 0),
        ] {
            let id = BenchmarkId::new(name, held);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| filled.pairs(count, exact)[part]);
            });
        }
    }
    group.finish();
}

fn free_space(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("free space");
    for held in sizes() {
        let cidr = Block {
            address: FIRST,
            length: 8,
        };
        let (mut trie, mut nodes) = (Trie::new(cidr), Nodes::default());
        for _ in 0..*held {
            take(&mut trie, &mut nodes);
        }
        group.bench_function(BenchmarkId::new("give and take", held), |bencher| {
            let mut next = 0;
            bencher.iter(|| {
                // Far from the last one each time, without a random number's cost.
                next = (next + 7_919) % held;
                let block = Block {
                    address: FIRST + next,
                    length: 32,
                };
                trie.give(&mut nodes, block).expect("a held block");
                black_box(take(&mut trie, &mut nodes))
            });
        });
    }
    group.finish();
}

/// Takes the lowest free address.
fn take(trie: &mut Trie<u32>, nodes: &mut Nodes<u32>) -> Block<u32> {
    let found = trie.find(nodes, 32, Wanted::UpTo(32));
    let block = found.expect("a free address");
    assert!(trie.take(nodes, block, 0).is_ok(), "it was free");
    block
}

criterion_group!(benches, state, free_space);
criterion_main!(benches);
