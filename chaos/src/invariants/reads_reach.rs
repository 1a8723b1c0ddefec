//! A linearizable read shows all that anybody was told of before it began; a local one at least the revision asked for.

use anyhow::{Result, ensure};

/// The newest revision that anybody was told of.
#[derive(Debug, Default)]
pub(super) struct ReadsReach {
    newest: u64,
}

impl ReadsReach {
    /// Somebody was told.
    pub(super) fn acknowledged(&mut self, revision: u64) {
        self.newest = self.newest.max(revision);
    }

    /// What a linearizable read must reach that begins now.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// A read has shown a state.
    pub(super) fn check(wanted: u64, shown: u64) -> Result<()> {
        ensure!(
            shown >= wanted,
            "a read that had to reach revision {wanted} showed {shown}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_of_an_older_state_is_found() -> Result<()> {
        let mut invariant = ReadsReach::default();
        invariant.acknowledged(7);
        invariant.acknowledged(5);
        ReadsReach::check(invariant.newest(), 7)?;
        assert!(ReadsReach::check(invariant.newest(), 6).is_err());
        Ok(())
    }
}
