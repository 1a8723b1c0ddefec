//! A look at every node after each step: what it shows goes to the invariants, which compare.

use std::collections::BTreeMap;

use allocator::view::EventId;
use anyhow::{Context, Result};
use node::replica::{MemberRole, Replica};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::clients::pools;
use super::world::mix;
use super::{Book, Run};
use crate::invariants::{Between, Glimpse, PoolCounts, Promise, Told};

/// Those who follow the changes, each at one node for a while.
const WATCHERS: u64 = 2;
/// One look in so many a watcher goes on at another node.
const MOVES_ONE_IN: u32 = 500;
/// So many revisions a node tells of again that was started.
const TOLD_AGAIN: u64 = 200;
/// Most changes that are asked for at once.
const EVENTS_MAX: usize = 1_000;

/// What was seen so far.
pub(super) struct Looks {
    random: StdRng,
    nodes: BTreeMap<u64, Seen>,
    watchers: Vec<Watcher>,
    misses_a_member: bool,
    /// The log's clock was here, or further, at the last change that anybody told of.
    told_from_ms: u64,
    /// Who voted for another in the last step.
    voter: Option<u64>,
}

/// What was last seen of a node.
struct Seen {
    glimpse: Glimpse,
    /// The last change that it told of.
    after: EventId,
}

struct Watcher {
    number: u64,
    node: u64,
    after: Option<EventId>,
}

impl Looks {
    pub(super) fn new(seed: u64) -> Self {
        let watcher = |number| Watcher {
            number,
            node: 1,
            after: None,
        };
        Self {
            random: StdRng::seed_from_u64(mix(seed, u64::MAX, 2)),
            nodes: BTreeMap::new(),
            watchers: (0..WATCHERS).map(watcher).collect(),
            misses_a_member: false,
            told_from_ms: 0,
            voter: None,
        }
    }

    /// Who voted for another in the last step.
    pub(super) fn last_voter(&self) -> Option<u64> {
        self.voter
    }

    /// Somebody who should vote does not.
    pub(super) fn misses_a_member(&self) -> bool {
        self.misses_a_member
    }
}

impl Run<'_> {
    /// Looks at every node.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn look(&mut self) -> Result<()> {
        let at = self.sim.elapsed();
        let at_ms = u64::try_from(at.as_millis())?;
        let promises = self.world.air.promises();
        let voter = promises.iter().find(|(node, vote)| vote.1 != *node);
        self.looks.voter = voter.map(|(node, _)| *node);
        {
            let mut book = self.world.book.lock();
            for (node, vote) in promises {
                let start = self.world.machine(node).start();
                book.invariants.promised(Promise { node, start, vote })?;
            }
        }
        for glimpse in self.world.glimpses() {
            if glimpse.leader == Some(glimpse.node) {
                self.leaderships.saw(glimpse.vote);
            }
            {
                let mut book = self.world.book.lock();
                book.trace.glimpse(at, &glimpse);
                book.invariants.look(at_ms, &glimpse)?;
            }
            self.look_at_changes(glimpse)?;
        }
        self.watch()
    }

    fn look_at_changes(&mut self, glimpse: Glimpse) -> Result<()> {
        let node = glimpse.node;
        let Some(replica) = self.world.machine(node).replica() else {
            return Ok(());
        };
        let before = self.looks.nodes.get(&node);
        let before = before.filter(|seen| seen.glimpse.start == glimpse.start);
        if before.is_some_and(|seen| seen.glimpse == glimpse) {
            return Ok(());
        }
        let (after, mut clock) = if let Some(seen) = before {
            (seen.after, between(&seen.glimpse, &glimpse))
        } else {
            // It tells the latest part of its story again, which must be the one that is known.
            let clock = Between {
                from_ms: 0,
                to_ms: glimpse.clock_ms,
            };
            let known = self.world.book.lock().invariants.told_up_to();
            let from = known.min(glimpse.revision).saturating_sub(TOLD_AGAIN);
            (EventId::end_of(from), clock)
        };
        clock.from_ms = clock.from_ms.max(self.looks.told_from_ms);
        let installed = before.map_or(glimpse.replaced, |seen| {
            glimpse.replaced - seen.glimpse.replaced
        });
        self.figures.snapshot_installs += installed;
        let known = self.world.book.lock().invariants.told_up_to();
        let after = if after.revision < glimpse.revision {
            tell(&self.world.book, &replica, after, clock)?
        } else {
            after
        };
        if known < glimpse.revision {
            self.looks.told_from_ms = clock.from_ms;
        }
        self.looks.nodes.insert(node, Seen { glimpse, after });
        let is_newest = glimpse.revision == self.world.book.lock().invariants.told_up_to();
        let counts = if is_newest {
            counts(&replica)?
        } else {
            Vec::new()
        };
        let mut book = self.world.book.lock();
        book.invariants.counts(&counts)?;
        book.invariants.settle()?;
        drop(book);
        if self.wiped > 0 {
            let members = replica.status().members;
            let voters = members
                .iter()
                .filter(|member| member.role == MemberRole::Voter);
            self.looks.misses_a_member = voters.count() < self.world.plan.nodes.len();
        }
        Ok(())
    }

    /// Watchers follow the changes, at whichever node they are.
    fn watch(&mut self) -> Result<()> {
        let nodes = self.world.plan.nodes.clone();
        for watcher in &mut self.looks.watchers {
            if self.looks.random.random_ratio(1, MOVES_ONE_IN) {
                watcher.node = nodes[self.looks.random.random_range(..nodes.len())];
            }
            let Some(replica) = self.world.machine(watcher.node).replica() else {
                continue;
            };
            let from = watcher.after.map_or(0, |after| after.revision);
            if replica.applied().at().revision <= from {
                continue;
            }
            let page = replica
                .applied()
                .read(|state| state.events(watcher.after, EVENTS_MAX))
                .map_err(|gone| anyhow::anyhow!("{gone:?}"))
                .context("a watch has no gap")?;
            let mut book = self.world.book.lock();
            for event in page.items {
                watcher.after = Some(event.id);
                let clock = Between {
                    from_ms: 0,
                    to_ms: u64::MAX,
                };
                book.invariants
                    .watched(watcher.number, &Told::of(event, clock))?;
            }
        }
        Ok(())
    }
}

/// When, by the log's clock, that happened which was not there at the look before: exactly, where only one entry came.
fn between(before: &Glimpse, now: &Glimpse) -> Between {
    let index = |glimpse: &Glimpse| glimpse.applied.map_or(0, |applied| applied.index);
    let one_entry = before.replaced == now.replaced && index(now) == index(before) + 1;
    Between {
        from_ms: if one_entry {
            now.clock_ms
        } else {
            before.clock_ms
        },
        to_ms: now.clock_ms,
    }
}

/// Has a node tell of all that came after a change; the last one.
fn tell(book: &Book, replica: &Replica, mut after: EventId, clock: Between) -> Result<EventId> {
    loop {
        let page = replica
            .applied()
            .read(|state| state.events(Some(after), EVENTS_MAX))
            .map_err(|gone| anyhow::anyhow!("{gone:?}"))
            .context("one history")?;
        let mut book = book.lock();
        for event in page.items {
            after = event.id;
            book.invariants.told(&Told::of(event, clock))?;
        }
        if page.next.is_none() {
            return Ok(after);
        }
    }
}

/// What a node counts in its pools.
fn counts(replica: &Replica) -> Result<Vec<PoolCounts>> {
    replica.applied().read(|state| {
        let mut counts = Vec::new();
        for pool in pools::names() {
            // Before it is made, there is nothing to count.
            if let Ok(view) = state.pool(&pools::tenant(), &pools::name(pool)?) {
                counts.push(PoolCounts {
                    pool: pool.to_owned(),
                    held: view.claims.allocated,
                    kept: view.claims.released,
                });
            }
        }
        Ok(counts)
    })
}
