//! A command changes the state at one revision or at none: it is never done a second time.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::Told;

/// The revision of each command that changed something. A client's `source` is its own
/// number and that of the command, with a dot between.
#[derive(Debug, Default)]
pub(super) struct CommandsOnce {
    done_at: BTreeMap<String, u64>,
}

impl CommandsOnce {
    /// Takes in a change of which nobody had told before.
    pub(super) fn check(&mut self, told: &Told) -> Result<()> {
        let source = &told.change.source;
        if !source.contains('.') {
            // The node's own: what the clock brings.
            return Ok(());
        }
        let first = *self.done_at.entry(source.clone()).or_insert(told.id.0);
        ensure!(
            first == told.id.0,
            "the command {source} was done at revision {first}, and again at {}: {:?}",
            told.id.0,
            told.change
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;
    use allocator::view::EventKind;

    #[test]
    fn a_command_that_is_done_twice_is_found() -> Result<()> {
        let mut invariant = CommandsOnce::default();
        let renewed = |revision| told(revision, EventKind::Renewed, ("a", "10.0.0.0/32", 1), 0);
        let mut first = renewed(1);
        first.change.source = "7.1".to_owned();
        invariant.check(&first)?;
        invariant.check(&Told {
            id: (1, 1),
            ..first.clone()
        })?;
        invariant.check(&renewed(2))?;
        assert!(
            invariant
                .check(&Told {
                    id: (3, 0),
                    ..first
                })
                .is_err()
        );
        Ok(())
    }
}
