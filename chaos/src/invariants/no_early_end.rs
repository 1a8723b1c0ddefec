//! A lease does not end before its time, by the log's clock, and nothing else ends by itself.

use std::collections::BTreeMap;

use allocator::view::EventKind;
use anyhow::{Result, ensure};

use super::Told;

/// The millisecond after which each lease may end.
#[derive(Debug)]
pub(super) struct NoEarlyEnd {
    ttl_ms: fn(&str) -> Option<u64>,
    ends_at_ms: BTreeMap<u64, u64>,
}

impl NoEarlyEnd {
    pub(super) fn new(ttl_ms: fn(&str) -> Option<u64>) -> Self {
        Self {
            ttl_ms,
            ends_at_ms: BTreeMap::new(),
        }
    }

    /// Takes in a change of which nobody had told before.
    pub(super) fn check(&mut self, told: &Told) -> Result<()> {
        let Some((name, block, generation)) = &told.change.held else {
            return Ok(());
        };
        match told.change.kind {
            EventKind::Allocated | EventKind::Returned | EventKind::Renewed => {
                if let Some(ttl_ms) = (self.ttl_ms)(name) {
                    self.ends_at_ms
                        .insert(*generation, told.clock.from_ms + ttl_ms);
                }
            }
            EventKind::Expired => {
                let ends_at_ms = self.ends_at_ms.remove(generation);
                ensure!(
                    ends_at_ms.is_some_and(|ends_at_ms| told.clock.to_ms > ends_at_ms),
                    "{name}'s lease of {block} runs until {ends_at_ms:?} ms, and was ended at {} ms at the latest",
                    told.clock.to_ms
                );
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
    fn a_lease_that_ends_a_millisecond_early_is_found() -> Result<()> {
        let lease = ("l", "10.0.0.0/32", 1);
        let ends = |at_ms| -> Result<()> {
            let mut invariant = NoEarlyEnd::new(|name| (name == "l").then_some(500));
            invariant.check(&told(1, EventKind::Allocated, lease, 1_000))?;
            invariant.check(&told(2, EventKind::Renewed, lease, 1_200))?;
            invariant.check(&told(3, EventKind::Expired, lease, at_ms))
        };
        ends(1_701)?;
        assert!(ends(1_700).is_err());
        let mut invariant = NoEarlyEnd::new(|_| None);
        invariant.check(&told(1, EventKind::Allocated, lease, 1_000))?;
        assert!(
            invariant
                .check(&told(2, EventKind::Expired, lease, 9_000))
                .is_err()
        );
        Ok(())
    }
}
