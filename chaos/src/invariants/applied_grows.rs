//! What a node has applied never shrinks while it runs.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::Glimpse;

/// How far each start of each node has come.
#[derive(Debug, Default)]
pub(super) struct AppliedGrows {
    reached: BTreeMap<(u64, u64), (Option<u64>, u64)>,
}

impl AppliedGrows {
    /// Compares with the step before.
    pub(super) fn check(&mut self, glimpse: &Glimpse) -> Result<()> {
        let now = (glimpse.applied.map(|id| id.index), glimpse.revision);
        let before = self.reached.insert((glimpse.node, glimpse.start), now);
        if let Some(before) = before {
            ensure!(
                before.0 <= now.0 && before.1 <= now.1,
                "node {} had applied {before:?} (index, revision), now {now:?}",
                glimpse.node
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::{entry, glimpse};

    #[test]
    fn a_state_that_goes_back_is_found_unless_the_node_was_started_again() -> Result<()> {
        let mut invariant = AppliedGrows::default();
        let far = Glimpse {
            applied: Some(entry(5)),
            revision: 4,
            ..glimpse(1)
        };
        invariant.check(&far)?;
        invariant.check(&Glimpse {
            start: 2,
            ..glimpse(1)
        })?;
        invariant.check(&Glimpse {
            applied: Some(entry(6)),
            ..far
        })?;
        assert!(invariant.check(&far).is_err());
        Ok(())
    }
}
