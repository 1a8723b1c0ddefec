//! A released block goes to nobody but its last holder until its grace is over, by the log's clock.

use std::collections::BTreeMap;

use allocator::view::EventKind;
use anyhow::{Result, ensure};

use super::Told;

/// The blocks that are kept for somebody.
#[derive(Debug)]
pub(super) struct NoEarlyReuse {
    grace_ms: fn(&str) -> u64,
    kept: BTreeMap<String, Kept>,
}

#[derive(Debug)]
struct Kept {
    name: String,
    /// Not before this millisecond is over.
    free_at_ms: u64,
}

impl NoEarlyReuse {
    pub(super) fn new(grace_ms: fn(&str) -> u64) -> Self {
        Self {
            grace_ms,
            kept: BTreeMap::new(),
        }
    }

    /// Takes in a change of which nobody had told before.
    pub(super) fn check(&mut self, told: &Told) -> Result<()> {
        let Some((name, block, _)) = &told.change.held else {
            return Ok(());
        };
        let block = block.to_string();
        match told.change.kind {
            EventKind::Released | EventKind::Expired => {
                let grace_ms = (self.grace_ms)(&told.change.pool);
                if grace_ms > 0 {
                    let kept = Kept {
                        name: name.clone(),
                        free_at_ms: told.clock.from_ms + grace_ms,
                    };
                    self.kept.insert(block, kept);
                }
            }
            EventKind::Allocated | EventKind::Returned | EventKind::Reclaimed => {
                if let Some(kept) = self.kept.remove(&block) {
                    let returns = told.change.kind == EventKind::Returned && kept.name == *name;
                    ensure!(
                        returns || told.clock.to_ms > kept.free_at_ms,
                        "{block} was kept for {} until {} ms, and is {:?} ({name}) at {} ms at the latest",
                        kept.name,
                        kept.free_at_ms,
                        told.change.kind,
                        told.clock.to_ms
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;

    #[test]
    fn a_block_that_goes_to_another_a_millisecond_early_is_found() -> Result<()> {
        for (name, kind, at_ms, holds) in [
            ("b", EventKind::Allocated, 1_501, true),
            ("b", EventKind::Allocated, 1_500, false),
            ("a", EventKind::Reclaimed, 1_500, false),
            ("a", EventKind::Returned, 1_001, true),
            ("b", EventKind::Returned, 1_001, false),
        ] {
            let mut invariant = NoEarlyReuse::new(|_| 500);
            let block = "10.0.0.0/32";
            invariant.check(&told(1, EventKind::Released, ("a", block, 1), 1_000))?;
            let checked = invariant.check(&told(2, kind, (name, block, 2), at_ms));
            assert_eq!(
                checked.is_ok(),
                holds,
                "{kind:?} {name} {at_ms}: {checked:?}"
            );
        }
        Ok(())
    }
}
