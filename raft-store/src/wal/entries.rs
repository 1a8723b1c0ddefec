//! What is known in memory about the log's entries: their ids, their places on disk, and the most
//! recent of them as values.
//!
//! Invariants:
//! 1. Slots stand in order of index; the cached entries are those of the last slots.
//! 2. A slot that is not cached has a place on disk.
//! 3. `end_bytes` grows from slot to slot, purged ones counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use openraft::EntryPayload;

use super::format::Position;
use crate::env::File;
use crate::types::{LogEntry, LogId, Vote};

/// What an entry takes in memory beside its payload.
const ENTRY_OVERHEAD: usize = 128;

/// Where an entry's record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) at: Position,
    pub(super) size: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) id: LogId,
    /// `None` until the writer has put it somewhere.
    pub(super) location: Option<Location>,
    /// Bytes of this entry and all before it, as entries are counted.
    pub(super) end_bytes: u64,
}

/// The log as it is seen from outside, what is not yet written included.
#[derive(Debug, Default)]
pub(super) struct Entries {
    slots: VecDeque<Slot>,
    cache: VecDeque<LogEntry>,
    cache_bytes: usize,
    cache_size: usize,
    /// `end_bytes` of the last entry that there ever was before the first slot.
    start_bytes: u64,
    pub(super) purged: Option<LogId>,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    /// Open segments, to read what is not cached.
    pub(super) segments: BTreeMap<u64, Arc<dyn File>>,
}

/// An entry that was asked for.
#[derive(Debug)]
pub(super) enum Found {
    Cached(LogEntry),
    OnDisk {
        id: LogId,
        location: Location,
        file: Arc<dyn File>,
    },
}

/// Bytes by which an entry counts.
pub(super) fn weight(entry: &LogEntry) -> usize {
    ENTRY_OVERHEAD
        + match &entry.payload {
            EntryPayload::Normal(payload) => payload.bytes().len(),
            EntryPayload::Blank | EntryPayload::Membership(_) => 0,
        }
}

impl Entries {
    pub(super) fn new(cache_size: usize) -> Self {
        Self {
            cache_size,
            ..Self::default()
        }
    }

    /// The last entry, or the last purged one where there is none.
    pub(super) fn last(&self) -> Option<LogId> {
        self.slots.back().map(|slot| slot.id).or(self.purged)
    }

    /// The first entry.
    pub(super) fn first(&self) -> Option<LogId> {
        self.slots.front().map(|slot| slot.id)
    }

    /// Adds an entry at the end. Its index must be above that of the last.
    pub(super) fn push(&mut self, entry: LogEntry, location: Option<Location>) {
        let weight = weight(&entry);
        let end_bytes = self.end_bytes() + weight as u64;
        self.slots.push_back(Slot {
            id: entry.log_id,
            location,
            end_bytes,
        });
        self.cache.push_back(entry);
        self.cache_bytes += weight;
        self.evict();
    }

    /// Removes the entries from `index` on.
    pub(super) fn truncate(&mut self, index: u64) {
        while self.slots.back().is_some_and(|slot| slot.id.index >= index) {
            self.slots.pop_back();
            if let Some(entry) = self.cache.pop_back() {
                self.cache_bytes -= weight(&entry);
            }
        }
    }

    /// Removes the entries up to and including `id`.
    pub(super) fn purge(&mut self, id: LogId) {
        while let Some(slot) = self.slots.front()
            && slot.id.index <= id.index
        {
            self.start_bytes = slot.end_bytes;
            if self.cache.len() == self.slots.len()
                && let Some(entry) = self.cache.pop_front()
            {
                self.cache_bytes -= weight(&entry);
            }
            self.slots.pop_front();
        }
        if self.purged.is_none_or(|purged| purged.index < id.index) {
            self.purged = Some(id);
        }
    }

    /// Notes where the entry `id` was written, if it is still wanted.
    pub(super) fn written(&mut self, id: LogId, location: Location) {
        let position = self.slots.partition_point(|slot| slot.id.index < id.index);
        if let Some(slot) = self.slots.get_mut(position)
            && slot.id == id
        {
            slot.location = Some(location);
        }
    }

    /// Drops the oldest cached entries until the cache is within its size.
    pub(super) fn evict(&mut self) {
        while self.cache_bytes > self.cache_size {
            let oldest = self.slots.len() - self.cache.len();
            if self
                .slots
                .get(oldest)
                .is_none_or(|slot| slot.location.is_none())
            {
                return;
            }
            if let Some(entry) = self.cache.pop_front() {
                self.cache_bytes -= weight(&entry);
            }
        }
    }

    /// The entries of the indexes from `start`, inclusive, to `end`, exclusive, as far as they
    /// are there; at most so many that their weights stay within `limit`, but at least one.
    pub(super) fn find(&self, start: u64, end: u64, limit: u64) -> Vec<Found> {
        let from = self.slots.partition_point(|slot| slot.id.index < start);
        let before = if from == 0 {
            self.start_bytes
        } else {
            self.slots[from - 1].end_bytes
        };
        let uncached = self.slots.len() - self.cache.len();
        let mut found = Vec::new();
        for (position, slot) in self.slots.iter().enumerate().skip(from) {
            let over = slot.end_bytes - before > limit && !found.is_empty();
            if slot.id.index >= end || over {
                break;
            }
            if position >= uncached {
                found.push(Found::Cached(self.cache[position - uncached].clone()));
            } else {
                let location = slot
                    .location
                    .expect("an entry is evicted only after it was written");
                let file = &self.segments[&location.at.segment];
                found.push(Found::OnDisk {
                    id: slot.id,
                    location,
                    file: Arc::clone(file),
                });
            }
        }
        found
    }

    /// The id of the entry at `index`, if it is there.
    pub(super) fn id_at(&self, index: u64) -> Option<LogId> {
        let position = self.slots.partition_point(|slot| slot.id.index < index);
        self.slots
            .get(position)
            .map(|slot| slot.id)
            .filter(|id| id.index == index)
    }

    /// Bytes of the entries after `id`; of all where `None`.
    pub(super) fn bytes_after(&self, id: Option<LogId>) -> u64 {
        let index = id.map_or(0, |id| id.index + 1);
        let position = self.slots.partition_point(|slot| slot.id.index < index);
        let before = if position == 0 {
            self.start_bytes
        } else {
            self.slots[position - 1].end_bytes
        };
        self.end_bytes() - before
    }

    /// The last entry such that the entries after it, up to and including `upto`, weigh at least
    /// `keep`.
    pub(super) fn keeping(&self, upto: LogId, keep: u64) -> Option<LogId> {
        let end = self
            .slots
            .partition_point(|slot| slot.id.index <= upto.index);
        let limit = self
            .slots
            .get(end.checked_sub(1)?)?
            .end_bytes
            .checked_sub(keep)?;
        let position = self.slots.partition_point(|slot| slot.end_bytes <= limit);
        self.slots.get(position.checked_sub(1)?).map(|slot| slot.id)
    }

    /// How many entries there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    fn end_bytes(&self) -> u64 {
        self.slots
            .back()
            .map_or(self.start_bytes, |slot| slot.end_bytes)
    }
}

#[cfg(test)]
mod tests {
    use openraft::CommittedLeaderId;

    use super::*;
    use crate::types::Payload;

    fn entry(index: u64, size: usize) -> LogEntry {
        LogEntry {
            log_id: LogId::new(CommittedLeaderId::new(1, 1), index),
            payload: EntryPayload::Normal(Payload::from_bytes(vec![0; size].into())),
        }
    }

    fn ten_of(size: usize) -> Entries {
        let mut entries = Entries::new(usize::MAX);
        for index in 1..=10 {
            entries.push(entry(index, size - ENTRY_OVERHEAD), None);
        }
        entries
    }

    fn indexes(found: &[Found]) -> Vec<u64> {
        let index = |found: &Found| match found {
            Found::Cached(entry) => entry.log_id.index,
            Found::OnDisk { id, .. } => id.index,
        };
        found.iter().map(index).collect()
    }

    #[test]
    fn a_limited_read_gives_what_fits_and_at_least_one() {
        let entries = ten_of(1_000);
        let cases = [
            (0, vec![3]),
            (999, vec![3]),
            (2_000, vec![3, 4]),
            (2_999, vec![3, 4]),
        ];
        for (limit, expected) in cases {
            assert_eq!(
                indexes(&entries.find(3, 9, limit)),
                expected,
                "limit {limit}"
            );
        }
        assert_eq!(indexes(&entries.find(3, 6, u64::MAX)), [3, 4, 5]);
        assert_eq!(indexes(&entries.find(11, 20, u64::MAX)), [0; 0]);
    }

    #[test]
    fn bytes_are_counted_across_purges_and_truncations() {
        let mut entries = ten_of(1_000);
        let id = |index| entry(index, 0).log_id;
        assert_eq!(entries.bytes_after(None), 10_000);
        entries.purge(id(4));
        assert_eq!(entries.bytes_after(None), 6_000);
        assert_eq!(entries.bytes_after(Some(id(7))), 3_000);
        entries.truncate(9);
        assert_eq!(entries.bytes_after(Some(id(7))), 1_000);
        entries.purge(id(20));
        assert_eq!(entries.bytes_after(None), 0);
        assert_eq!(entries.last(), Some(id(20)));
    }

    #[test]
    fn what_is_kept_back_is_counted_from_the_limit() {
        let entries = ten_of(1_000);
        let id = |index| entry(index, 0).log_id;
        assert_eq!(entries.keeping(id(8), 3_000), Some(id(5)));
        assert_eq!(entries.keeping(id(8), 2_999), Some(id(5)));
        assert_eq!(entries.keeping(id(8), 8_000), None);
        assert_eq!(entries.keeping(id(8), 0), Some(id(8)));
    }

    #[test]
    fn an_entry_without_a_place_on_disk_is_never_evicted() {
        let mut entries = Entries::new(0);
        entries.push(entry(1, 10), None);
        assert!(matches!(
            entries.find(1, 2, u64::MAX)[..],
            [Found::Cached(_)]
        ));
    }
}
