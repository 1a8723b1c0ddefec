//! The log's clock never counts more time than has passed: what runs on it may come late, never early.

use anyhow::{Result, ensure};

use super::Glimpse;

/// Remembers nothing: time has one beginning.
#[derive(Debug)]
pub(super) struct ClockNotAhead;

impl ClockNotAhead {
    /// Compares with the time since the world began.
    #[expect(clippy::unused_self, reason = "as its neighbours")]
    pub(super) fn check(&self, at_ms: u64, glimpse: &Glimpse) -> Result<()> {
        ensure!(
            glimpse.clock_ms <= at_ms,
            "the log's clock of node {} has counted {} ms, {at_ms} ms after the world began",
            glimpse.node,
            glimpse.clock_ms
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::glimpse;

    #[test]
    fn a_clock_that_counts_twice_is_found() -> Result<()> {
        let at = |clock_ms| Glimpse {
            clock_ms,
            ..glimpse(1)
        };
        ClockNotAhead.check(500, &at(500))?;
        assert!(ClockNotAhead.check(500, &at(501)).is_err());
        Ok(())
    }
}
