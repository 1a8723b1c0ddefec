//! The free-space structure against a list of held blocks and linear scans.

use core::ops::ControlFlow;

use allocator::count::Count;
use allocator::free::{Block, Nodes, Refused, Trie, Wanted, Width};
use proptest::prelude::*;

/// Held blocks, and nothing else.
struct Model<A> {
    held: Vec<(Block<A>, u32)>,
}

impl<A: Width> Model<A> {
    /// The held blocks by address that overlap a block.
    fn overlapping(&self, block: Block<A>) -> Option<(Block<A>, u32)> {
        self.held
            .iter()
            .copied()
            .filter(|(there, _)| there.overlaps(block))
            .min()
    }

    /// The maximal free blocks of a CIDR: halve what is held in part, as long as need be.
    fn free(&self, cidr: Block<A>, out: &mut Vec<Block<A>>) {
        if self.held.iter().any(|(there, _)| there.contains(cidr)) {
            return;
        }
        if !self.held.iter().any(|(there, _)| there.overlaps(cidr)) {
            out.push(cidr);
            return;
        }
        let low = Block {
            address: cidr.address,
            length: cidr.length + 1,
        };
        self.free(low, out);
        self.free(low.sibling(), out);
    }

    /// The lowest free block of a length between two addresses: all candidates, one after the other.
    fn find(
        &self,
        cidr: Block<A>,
        length: u8,
        exactly: Option<u8>,
        first: A,
        last: A,
    ) -> Option<Block<A>> {
        let mut free = Vec::new();
        self.free(cidr, &mut free);
        let wanted = |whole: &&Block<A>| {
            whole.length <= length && exactly.is_none_or(|only| whole.length == only)
        };
        free.iter().filter(wanted).find_map(|whole| {
            let mut next = Some(Block::around(whole.address, length));
            while let Some(block) = next.filter(|block| whole.contains(*block)) {
                if first <= block.address && block.last() <= last {
                    return Some(block);
                }
                next = block
                    .last()
                    .next()
                    .map(|address| Block::around(address, length));
            }
            None
        })
    }
}

#[derive(Debug, Clone)]
enum Step {
    Take(u8, u16),
    TakeNext(u8),
    Give(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u8..=8, any::<u16>()).prop_map(|(length, bits)| Step::Take(length, bits)),
        (0_u8..=8).prop_map(Step::TakeNext),
        any::<u16>().prop_map(Step::Give),
    ];
    prop::collection::vec(step, 1..80)
}

/// A CIDR of 256 addresses, at the end of the address space or in its middle.
fn check<A: Width>(cidr: Block<A>, steps: &[Step], at: impl Fn(u16) -> A) {
    let mut nodes = Nodes::default();
    let mut trie = Trie::new(cidr);
    let mut model = Model { held: Vec::new() };
    for (hold, step) in (0_u32..).zip(steps) {
        let taken = match step {
            Step::Take(length, bits) => Some(Block::around(at(*bits), cidr.length + length)),
            Step::TakeNext(length) => trie.find(
                &nodes,
                cidr.length + length,
                Wanted::UpTo(cidr.length + length),
            ),
            Step::Give(place) => {
                if !model.held.is_empty() {
                    let (block, hold) = model
                        .held
                        .swap_remove(usize::from(*place) % model.held.len());
                    assert_eq!(trie.give(&mut nodes, block), Some(hold));
                    assert_eq!(
                        trie.give(&mut nodes, block),
                        None,
                        "a block is given back once"
                    );
                }
                None
            }
        };
        if let Some(block) = taken {
            let expected = model
                .overlapping(block)
                .map_or(Ok(()), |(block, hold)| Err(Refused::Taken { block, hold }));
            assert_eq!(trie.take(&mut nodes, block, hold), expected);
            if expected.is_ok() {
                model.held.push((block, hold));
            }
        }
        assert_eq!(trie.audit(&nodes), Ok(()));
    }
    compare(&trie, &nodes, &mut model, &at);
    assert_eq!(
        nodes.len(),
        (model.held.len() * 2).saturating_sub(1),
        "a leaf for each block, a branch between"
    );
}

fn compare<A: Width>(
    trie: &Trie<A>,
    nodes: &Nodes<A>,
    model: &mut Model<A>,
    at: &impl Fn(u16) -> A,
) {
    let cidr = trie.cidr();
    model.held.sort_unstable();
    let mut free = Vec::new();
    model.free(cidr, &mut free);
    let mut found = Vec::new();
    let visited = trie.free(nodes, Wanted::UpTo(A::BITS), &mut |block| {
        found.push(block);
        ControlFlow::Continue(())
    });
    assert!(visited.is_continue());
    assert_eq!(found, free);
    let mut holds = Vec::new();
    let visited = trie.holds(nodes, at(40), at(200), &mut |block, hold| {
        holds.push((block, hold));
        ControlFlow::Continue(())
    });
    assert!(visited.is_continue());
    let expected: Vec<_> = model
        .held
        .iter()
        .copied()
        .filter(|(block, _)| at(40) <= block.address && block.address <= at(200))
        .collect();
    assert_eq!(holds, expected);
    assert_eq!(
        trie.largest(nodes),
        free.iter().map(|block| block.length).min()
    );
    for length in cidr.length..=A::BITS {
        let expected = free
            .iter()
            .filter(|block| block.length <= length)
            .map(|block| 1_u64 << (length - block.length))
            .sum::<u64>();
        assert_eq!(trie.available(length), Count::from(expected));
        let same_length = free.iter().filter(|block| block.length == length).count();
        assert_eq!(trie.count(length) as usize, same_length);
        assert_eq!(
            trie.find(nodes, length, Wanted::UpTo(length)),
            model.find(cidr, length, None, cidr.address, cidr.last())
        );
        for (first, last) in [
            (at(0), at(255)),
            (at(3), at(250)),
            (at(100), at(101)),
            (at(64), at(191)),
            (at(129), at(129)),
        ] {
            let wanted = Wanted::UpTo(length);
            assert_eq!(
                trie.find_within(nodes, length, wanted, first, last),
                model.find(cidr, length, None, first, last)
            );
            let tightest = (cidr.length..=length)
                .rev()
                .find(|only| model.find(cidr, length, Some(*only), first, last).is_some());
            assert_eq!(trie.tightest_within(nodes, length, first, last), tightest);
            for only in cidr.length..=length {
                let wanted = Wanted::Exactly(only);
                assert_eq!(
                    trie.find_within(nodes, length, wanted, first, last),
                    model.find(cidr, length, Some(only), first, last)
                );
            }
        }
    }
    for bits in 0..=255 {
        for length in [0, 4, 7, 8] {
            let block = Block::around(at(bits), cidr.length + length);
            assert_eq!(trie.overlapping(nodes, block), model.overlapping(block));
            let covering = model
                .held
                .iter()
                .copied()
                .find(|(there, _)| there.contains(block));
            assert_eq!(trie.covering(nodes, block), covering);
            assert_eq!(
                trie.get(nodes, block),
                covering
                    .filter(|(there, _)| *there == block)
                    .map(|(_, hold)| hold)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trie_of_ipv4_is_a_list_of_blocks(steps in steps()) {
        check(Block { address: 0x0a00_0100_u32, length: 24 }, &steps, |bits| 0x0a00_0100 | u32::from(bits & 255));
    }

    #[test]
    fn a_trie_at_the_end_of_ipv6_is_a_list_of_blocks(steps in steps()) {
        check(Block { address: u128::MAX << 8, length: 120 }, &steps, |bits| u128::MAX << 8 | u128::from(bits & 255));
    }

    #[test]
    fn what_is_taken_in_any_order_and_given_back_leaves_nothing(order in Just((0_u32..64).collect::<Vec<_>>()).prop_shuffle()) {
        let cidr = Block { address: 0_u32, length: 26 };
        let (mut nodes, mut trie) = (Nodes::default(), Trie::new(Block { address: 0_u32, length: 26 }));
        for address in &order {
            trie.take(&mut nodes, Block { address: *address, length: 32 }, *address).unwrap();
        }
        prop_assert_eq!(trie.find(&nodes, 32, Wanted::UpTo(32)), None);
        for address in &order {
            prop_assert_eq!(trie.give(&mut nodes, Block { address: *address, length: 32 }), Some(*address));
        }
        prop_assert!(trie.is_empty() && nodes.is_empty());
        prop_assert_eq!(trie.find(&nodes, 26, Wanted::UpTo(26)), Some(cidr));
    }
}

#[test]
fn the_whole_of_a_family_is_a_cidr() {
    let whole = Block {
        address: 0_u128,
        length: 0,
    };
    let (mut nodes, mut trie) = (Nodes::default(), Trie::new(whole));
    assert_eq!(trie.available(128), Count::MAX);
    assert_eq!(trie.largest(&nodes), Some(0));
    assert_eq!(trie.find(&nodes, 0, Wanted::Exactly(0)), Some(whole));
    let last = Block {
        address: u128::MAX,
        length: 128,
    };
    trie.take(&mut nodes, last, 1).unwrap();
    assert_eq!(trie.available(128), Count::new(u128::MAX));
    assert_eq!(trie.largest(&nodes), Some(1));
    assert_eq!(trie.find(&nodes, 0, Wanted::UpTo(0)), None);
    assert_eq!(
        trie.find_within(&nodes, 128, Wanted::UpTo(128), u128::MAX - 1, u128::MAX),
        Some(Block {
            address: u128::MAX - 1,
            length: 128
        })
    );
    assert_eq!(
        trie.take(&mut nodes, whole, 2),
        Err(Refused::Taken {
            block: last,
            hold: 1
        })
    );
    assert_eq!(trie.give(&mut nodes, last), Some(1));
    trie.take(&mut nodes, whole, 3).unwrap();
    assert_eq!(trie.available(128), Count::ZERO);
    assert_eq!(trie.largest(&nodes), None);
    assert_eq!(trie.give(&mut nodes, whole), Some(3));
    assert_eq!(trie.audit(&nodes), Ok(()));
}

#[test]
fn a_block_outside_of_the_cidr_is_refused() {
    let (mut nodes, mut trie) = (
        Nodes::default(),
        Trie::new(Block {
            address: 0x0a00_0000_u32,
            length: 16,
        }),
    );
    for (address, length, inside) in [
        (0x0a00_0000, 16, true),
        (0x0a01_0000, 24, false),
        (0x0a00_0000, 15, false),
    ] {
        let block = Block { address, length };
        assert_eq!(trie.take(&mut nodes, block, 0).is_ok(), inside);
        assert_eq!(trie.give(&mut nodes, block).is_some(), inside);
    }
}
