//! Putting a log's contents together from its records.

use std::collections::BTreeMap;

use super::super::entries::{Entries, Location};
use super::super::format::{
    GROUP_HEADER, GroupHeader, HeadRecord, IdRecord, Kind, Position, RECORD_HEADER, record_decode,
};
use super::super::{Place, WalError, WalOptions};
use super::read_whole;
use super::scan::{Scan, group_at};
use crate::codec::{self, DecodeError, EntryRecord, Record, VoteRecord};
use crate::types::{LogEntry, LogId};

/// What the records come to.
pub(super) struct Contents {
    pub(super) entries: Entries,
    pub(super) highest_in_segment: BTreeMap<u64, Option<u64>>,
}

/// Puts the log's contents together from its records.
pub(super) struct Replay<'a> {
    place: &'a Place,
    entries: Entries,
    highest_in_segment: BTreeMap<u64, Option<u64>>,
    /// The last entry before the first segment.
    begins_after: Option<LogId>,
    /// The index of the last entry so far, purged or not; the next entry follows it.
    last: Option<u64>,
    synced_to: Position,
}

impl<'a> Replay<'a> {
    pub(super) fn new(place: &'a Place, options: &WalOptions, synced_to: Position) -> Self {
        Self {
            place,
            entries: Entries::new(options.cache_size),
            highest_in_segment: BTreeMap::new(),
            begins_after: None,
            last: None,
            synced_to,
        }
    }

    /// Replays a segment. Its bytes, up to its end.
    pub(super) fn segment(&mut self, scan: &Scan) -> Result<Vec<u8>, WalError> {
        let first = self.highest_in_segment.is_empty();
        let path = self.place.segment(scan.number);
        let (file, mut bytes) = read_whole(self.place, &path)?;
        self.entries.segments.insert(scan.number, file);
        self.highest_in_segment.insert(scan.number, None);
        let mut at = Position::first(scan.number);
        while at.offset < scan.end {
            let (header, group) =
                group_at(&bytes, at).map_err(|problem| self.damaged(at, problem))?;
            self.group(at, header, group, first)?;
            at.offset += header.size();
        }
        bytes.truncate(usize::try_from(scan.end).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    fn group(
        &mut self,
        at: Position,
        header: GroupHeader,
        bytes: &[u8],
        first: bool,
    ) -> Result<(), WalError> {
        let mut offset = GROUP_HEADER;
        for _ in 0..header.records {
            let at = Position {
                segment: at.segment,
                offset: at.offset + offset as u64,
            };
            let damaged = || self.damaged(at, "a record's checksum does not match");
            let (kind, payload) = record_decode(&bytes[offset..], at).ok_or_else(damaged)?;
            let size = RECORD_HEADER + payload.len();
            offset += size;
            let size = u32::try_from(size).expect("a record fits into its group");
            self.record(Location { at, size }, kind, payload, first)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        location: Location,
        kind: u8,
        payload: &[u8],
        first: bool,
    ) -> Result<(), WalError> {
        let at = location.at;
        let Some(kind) = Kind::of(kind) else {
            return Err(WalError::RecordKind {
                dir: self.place.dir.clone(),
                at,
                kind,
            });
        };
        match kind {
            Kind::Head => {
                let head: HeadRecord = self.decode(at, payload)?;
                self.entries.vote = head.vote.map(Into::into);
                self.entries.committed = head.committed.map(Into::into);
                if let Some(purged) = head.purged {
                    self.entries.purge(purged.into());
                }
                if first {
                    self.begins_after = head.last.map(Into::into);
                    self.last = head.last.map(|last| last.index);
                }
            }
            Kind::Entry => {
                let entry = LogEntry::from(self.decode::<EntryRecord>(at, payload)?);
                let index = entry.log_id.index;
                if self.last.is_some_and(|last| last + 1 != index) {
                    let problem = "an entry does not follow the one before it";
                    return Err(self.damaged(at, problem));
                }
                self.last = Some(index);
                let highest = self.highest_in_segment.entry(at.segment).or_default();
                *highest = (*highest).max(Some(index));
                if self
                    .entries
                    .purged
                    .is_none_or(|purged| index > purged.index)
                {
                    self.entries.push(entry, Some(location));
                }
            }
            Kind::Vote => self.entries.vote = Some(self.decode::<VoteRecord>(at, payload)?.into()),
            Kind::Committed => {
                let IdRecord(id) = self.decode(at, payload)?;
                self.entries.committed = id.map(Into::into);
            }
            Kind::Truncate => {
                if let IdRecord(Some(id)) = self.decode(at, payload)? {
                    self.entries.truncate(id.index);
                    if self.last.is_some_and(|last| last >= id.index) {
                        self.last = id.index.checked_sub(1);
                    }
                }
            }
            Kind::Purge => {
                if let IdRecord(Some(id)) = self.decode(at, payload)? {
                    self.last = self.last.max(Some(id.index));
                    self.entries.purge(id.into());
                }
            }
        }
        Ok(())
    }

    fn decode<T: Record>(&self, at: Position, payload: &[u8]) -> Result<T, WalError> {
        let error = |source: DecodeError| WalError::Record {
            dir: self.place.dir.clone(),
            at,
            source,
        };
        codec::decode(payload).map_err(error)
    }

    pub(super) fn finish(self) -> Result<Contents, WalError> {
        let purged = self.entries.purged;
        if let Some(begins_after) = self.begins_after
            && purged.is_none_or(|purged| purged.index < begins_after.index)
        {
            return Err(WalError::EntriesMissing {
                dir: self.place.dir.clone(),
                begins_after,
                purged,
            });
        }
        Ok(Contents {
            entries: self.entries,
            highest_in_segment: self.highest_in_segment,
        })
    }

    fn damaged(&self, at: Position, problem: &'static str) -> WalError {
        WalError::Damaged {
            dir: self.place.dir.clone(),
            at,
            problem,
            synced_to: self.synced_to,
        }
    }
}
