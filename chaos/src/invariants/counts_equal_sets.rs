//! The counts that a pool keeps are those of the holdings that its events tell of.

use std::collections::BTreeMap;

use allocator::view::EventKind;
use anyhow::{Result, ensure};

use super::Told;

/// What a pool says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolCounts {
    /// Its name.
    pub pool: String,
    /// Claims that hold something.
    pub held: u64,
    /// Blocks that are kept for those who left.
    pub kept: u64,
}

/// What each pool's events come to.
#[derive(Debug)]
pub(super) struct CountsEqualSets {
    grace_ms: fn(&str) -> u64,
    /// By pool and block: held, or kept.
    blocks: BTreeMap<(String, String), bool>,
}

impl CountsEqualSets {
    pub(super) fn new(grace_ms: fn(&str) -> u64) -> Self {
        Self {
            grace_ms,
            blocks: BTreeMap::new(),
        }
    }

    /// Takes in a change of which nobody had told before.
    pub(super) fn told(&mut self, told: &Told) {
        let Some((_, block, _)) = &told.change.held else {
            return;
        };
        let key = (told.change.pool.clone(), block.to_string());
        let is_kept = (self.grace_ms)(&told.change.pool) > 0;
        match told.change.kind {
            EventKind::Allocated | EventKind::Returned => {
                self.blocks.insert(key, true);
            }
            EventKind::Released | EventKind::Expired if is_kept => {
                self.blocks.insert(key, false);
            }
            EventKind::Released | EventKind::Expired | EventKind::Reclaimed => {
                self.blocks.remove(&key);
            }
            _ => {}
        }
    }

    /// Compares with what a node shows.
    pub(super) fn check(&self, counts: &[PoolCounts]) -> Result<()> {
        for PoolCounts { pool, held, kept } in counts {
            let count = |is_held: bool| {
                let of_pool = self
                    .blocks
                    .iter()
                    .filter(|((of, _), held)| of == pool && **held == is_held);
                of_pool.count() as u64
            };
            let (holds, keeps) = (count(true), count(false));
            ensure!(
                (*held, *kept) == (holds, keeps),
                "pool {pool} counts {held} held and {kept} kept; its events come to {holds} and {keeps}"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;

    #[test]
    fn a_count_that_drifts_is_found() -> Result<()> {
        let mut invariant = CountsEqualSets::new(|_| 500);
        let (a, b) = (("a", "10.0.0.0/32", 1), ("b", "10.0.0.1/32", 2));
        let shows = |held, kept| {
            [PoolCounts {
                pool: "p".to_owned(),
                held,
                kept,
            }]
        };
        for (kind, held, after) in [
            (EventKind::Allocated, a, (1, 0)),
            (EventKind::Allocated, b, (2, 0)),
            (EventKind::Released, a, (1, 1)),
            (EventKind::Expired, b, (0, 2)),
            (EventKind::Reclaimed, b, (0, 1)),
            (EventKind::Returned, a, (1, 0)),
        ] {
            invariant.told(&told(1, kind, held, 0));
            invariant.check(&shows(after.0, after.1))?;
            assert!(invariant.check(&shows(after.0 + 1, after.1)).is_err());
            assert!(invariant.check(&shows(after.0, after.1 + 1)).is_err());
        }
        Ok(())
    }
}
