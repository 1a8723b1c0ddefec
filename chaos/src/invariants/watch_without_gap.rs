//! A watcher is told of every change after the one where it began, once and in order, wherever it goes on.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::Told;
use super::one_history::OneHistory;

/// How far each watcher has come.
#[derive(Debug, Default)]
pub(super) struct WatchWithoutGap {
    last: BTreeMap<u64, (u64, u32)>,
}

impl WatchWithoutGap {
    /// What a watcher is told next must be what happened next.
    pub(super) fn check(&mut self, watcher: u64, told: &Told, history: &OneHistory) -> Result<()> {
        let last = self.last.entry(watcher).or_default();
        let (id, change) = history.after(*last).with_context(|| {
            format!("watcher {watcher} is told of {told:?}, which no node knows")
        })?;
        ensure!(
            id == told.id && *change == told.change,
            "watcher {watcher} is told of {told:?} after {last:?}, where {id:?} {change:?} comes next"
        );
        *last = id;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;
    use allocator::view::EventKind;

    #[test]
    fn what_is_left_out_told_twice_or_told_otherwise_is_found() -> Result<()> {
        let mut history = OneHistory::default();
        let held = ("a", "10.0.0.0/32", 1);
        let events: Vec<Told> = (1..=3)
            .map(|revision| told(revision, EventKind::Renewed, held, 0))
            .collect();
        for event in &events {
            history.check(event)?;
        }
        let mut watches = WatchWithoutGap::default();
        watches.check(1, &events[0], &history)?;
        assert!(watches.check(1, &events[0], &history).is_err(), "twice");
        assert!(watches.check(1, &events[2], &history).is_err(), "a gap");
        let other = Told {
            id: events[1].id,
            ..told(2, EventKind::Released, held, 0)
        };
        assert!(watches.check(1, &other, &history).is_err(), "otherwise");
        watches.check(1, &events[1], &history)?;
        watches.check(1, &events[2], &history)
    }
}
