//! The free-space structure alone: a held address at random is given back, the lowest free one taken.

use allocator::free::{Block, Nodes, Trie, Wanted, Width};
use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::report::{Table, per_second};

const HELD: [usize; 3] = [1_000, 100_000, 1_000_000];
const PAIRS: u64 = 2_000_000;
/// One address of so many is a hole, so that the lowest free one is not always the one just given.
const HOLE_EVERY: usize = 10;

pub(crate) fn measure() -> Result<Table> {
    let mut table = Table::new("free-space", &["family", "held", "take + give pairs/s"]);
    for held in HELD {
        let cidr = Block {
            address: 10_u32 << 24,
            length: 8,
        };
        table.row([
            "IPv4 /32 of a /8".to_owned(),
            held.to_string(),
            pairs(cidr, held)?,
        ]);
    }
    for held in HELD {
        let cidr = Block {
            address: 0x2001_0db8_u128 << 96,
            length: 32,
        };
        table.row([
            "IPv6 /128 of a /32".to_owned(),
            held.to_string(),
            pairs(cidr, held)?,
        ]);
    }
    Ok(table)
}

fn pairs<A: Width>(cidr: Block<A>, held: usize) -> Result<String> {
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
    Ok(per_second(PAIRS, started.elapsed()))
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
