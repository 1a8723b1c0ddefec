//! The free-space structure alone: a held address at random is given back, the lowest free one taken.

use allocator::free::{Block, Nodes, Trie, Wanted, Width};
use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::report::{Found, Table, decimal};
use crate::verdict::Verdicts;

const HELD: [usize; 3] = [1_000, 100_000, 1_000_000];
const PAIRS: u32 = 2_000_000;
/// Pairs a second, at the least.
const BUDGET: f64 = 1_000_000.0;
/// One address of so many is a hole, so that the lowest free one is not always the one just given.
const HOLE_EVERY: usize = 10;

pub(crate) fn measure() -> Result<Found> {
    let of_ipv4 = Block {
        address: 10_u32 << 24,
        length: 8,
    };
    let of_ipv6 = Block {
        address: 0x2001_0db8_u128 << 96,
        length: 32,
    };
    let mut found = Vec::new();
    for held in HELD {
        found.push(("IPv4 /32 of a /8", held, pairs(of_ipv4, held)?));
    }
    for held in HELD {
        found.push(("IPv6 /128 of a /32", held, pairs(of_ipv6, held)?));
    }
    let mut table = Table::new("free-space", &["family", "held", "take + give pairs/s"]);
    for (family, held, pairs) in &found {
        table.row([(*family).to_owned(), held.to_string(), decimal(*pairs, 0)]);
    }
    let least = found.iter().map(|(_, _, pairs)| *pairs);
    let least = least.fold(f64::INFINITY, f64::min);
    let mut verdicts = Verdicts::new("free-space, by budget");
    verdicts.judge(
        "take + give pairs/s, the fewest",
        decimal(least, 0),
        decimal(BUDGET, 0),
        least >= BUDGET,
    );
    Ok(Found {
        tables: vec![table, verdicts.table()],
        plots: Vec::new(),
    })
}

/// Pairs a second.
fn pairs<A: Width>(cidr: Block<A>, held: usize) -> Result<f64> {
    let mut nodes = Nodes::default();
    let mut trie = Trie::new(cidr);
    let mut blocks = Vec::new();
    for _ in 0..held + held / HOLE_EVERY {
        blocks.push(take(&mut trie, &mut nodes)?);
    }
    let mut random = StdRng::seed_from_u64(7);
    while blocks.len() > held {
        let block = blocks.swap_remove(random.random_range(..blocks.len()));
        trie.give(&mut nodes, block).context("a held block")?;
    }
    let started = Instant::now();
    for _ in 0..PAIRS {
        let place = random.random_range(..held);
        trie.give(&mut nodes, blocks[place])
            .context("a held block")?;
        blocks[place] = take(&mut trie, &mut nodes)?;
    }
    Ok(f64::from(PAIRS) / started.elapsed().as_secs_f64())
}

fn take<A: Width>(trie: &mut Trie<A>, nodes: &mut Nodes<A>) -> Result<Block<A>> {
    let block = trie
        .find(nodes, A::BITS, Wanted::UpTo(A::BITS))
        .context("a free address")?;
    trie.take(nodes, block, 0)
        .ok()
        .context("a free address can be taken")?;
    Ok(block)
}
