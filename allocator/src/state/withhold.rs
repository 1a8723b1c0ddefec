//! What a pool's policy withholds, where some of it may be held from before.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::answer::Rejection;
use crate::free::FreeNodes;
use crate::prefix::Prefix;
use crate::record::{Hold, HoldId, Holder, PoolId};
use crate::view::Phase;

use super::State;
use super::pool_fields::RESERVATIONS_MAX;
use super::pool_index::PoolIndex;
use super::tables::Tables;
use super::views::count;

impl PoolIndex {
    /// The blocks of those holds that are wanted and overlap some blocks, which are disjoint; at most
    /// one more than `most`.
    pub(super) fn holders_in<'a>(
        &self,
        nodes: &FreeNodes,
        tables: &Tables,
        blocks: impl Iterator<Item = &'a Prefix>,
        most: usize,
        wanted: impl Fn(&Hold) -> bool,
    ) -> BTreeSet<Prefix> {
        let mut holders = BTreeSet::new();
        for block in blocks {
            let Some(trie) = self.trie(*block) else {
                continue;
            };
            if let Some(id) = trie.covering(nodes, *block) {
                let hold = tables.hold(id);
                if wanted(hold) {
                    holders.insert(hold.block);
                }
                continue;
            }
            let room = most.saturating_sub(holders.len());
            let mut found = Vec::new();
            let _end = trie.holds_from(nodes, Some(block.first()), &mut |id| {
                let hold = tables.hold(id);
                if hold.block.first() > block.last() || found.len() > room {
                    return ControlFlow::Break(());
                }
                if wanted(hold) {
                    found.push(hold.block);
                }
                ControlFlow::Continue(())
            });
            holders.extend(found);
            if holders.len() > most {
                break;
            }
        }
        holders
    }
}

impl State {
    /// How many holders of a pool its present policy would not have allowed.
    pub(super) fn out_of_policy(&self, id: PoolId) -> u64 {
        let pool = self.tables.pool(id);
        let policy = &self.pool_index(id).policy;
        policy.broken(pool.min_prefix_length, pool.max_prefix_length)
    }

    /// What is to be reserved where a pool withholds some blocks: all of them, but for what is held.
    pub(super) fn reservations(
        &self,
        id: PoolId,
        withheld: &BTreeMap<Prefix, Arc<str>>,
    ) -> Result<BTreeMap<Prefix, Arc<str>>, Rejection> {
        let index = self.pool_index(id);
        let nodes = &self.index.nodes;
        let held = index.holders_in(
            nodes,
            &self.tables,
            withheld.keys(),
            RESERVATIONS_MAX,
            |hold| !hold.is_own_reservation(),
        );
        let mut reservations = BTreeMap::new();
        for (block, reason) in withheld {
            let _end = leave_out(*block, &held, &mut |part| {
                reservations.insert(part, Arc::clone(reason));
                // As many are refused: those after them need not be found.
                if reservations.len() > RESERVATIONS_MAX {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
        }
        let most = reservations.len().max(held.len());
        if most <= RESERVATIONS_MAX {
            return Ok(reservations);
        }
        Err(Rejection::TooMany {
            what: String::from("exclude"),
            count: count(most),
            limit: count(RESERVATIONS_MAX),
        })
    }

    /// Ends a hold of a claim or child pool. What of its block the pool's policy withholds by now is
    /// reserved from here on.
    pub(super) fn hold_end(&mut self, id: HoldId) {
        let hold = self.tables.hold(id);
        let (pool, block) = (hold.pool, hold.block);
        let parts: Vec<(Prefix, Arc<str>)> = self
            .pool_index(pool)
            .policy
            .withheld_in(block)
            .map(|(part, reason)| (part, Arc::clone(reason)))
            .collect();
        self.hold_remove(id);
        for (part, reason) in parts {
            self.reserve(pool, part, reason);
        }
    }

    /// Withholds a free block.
    pub(super) fn reserve(&mut self, pool: PoolId, block: Prefix, reason: Arc<str>) {
        let (revision, generation) = (self.revision_open(), self.generation_next());
        self.hold_insert(Hold {
            block,
            phase: Phase::Allocated,
            returned: false,
            pool,
            generation,
            revision,
            allocated_at_ms: self.meta.clock.wall_ms(),
            holder: Holder::Reservation { reason },
        });
    }
}

/// The largest parts of a block that overlap none of some disjoint blocks.
fn leave_out(
    block: Prefix,
    held: &BTreeSet<Prefix>,
    keep: &mut impl FnMut(Prefix) -> ControlFlow<()>,
) -> ControlFlow<()> {
    // Of those that begin at or before the last address only the last one can reach into the block.
    let last = Prefix::single(block.last());
    let Some(near) = held
        .range(..=last)
        .next_back()
        .filter(|near| near.overlaps(block))
    else {
        return keep(block);
    };
    if near.contains(block) {
        return ControlFlow::Continue(());
    }
    let length = block.length().saturating_add(1);
    for half in [block.first(), block.last()] {
        // The recursion goes down to single addresses at most.
        let half = Prefix::around(half, length).expect("a block that contains another has halves");
        leave_out(half, held, keep)?;
    }
    ControlFlow::Continue(())
}
