//! Making a log, and finding out what a log holds.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::entries::{Entries, Location};
use super::format::{
    BLOCK, GROUP_HEADER, GroupBuilder, GroupHeader, HeadRecord, IdRecord, Kind, Position,
    RECORD_HEADER, SegmentHeader, VERSION, record_decode,
};
use super::vote_file::VoteFile;
use super::{Owner, Place, WalError, WalOptions, io_error, segment_number};
use crate::codec::{self, DecodeError, EntryRecord, Record, VoteRecord};
use crate::env::File;
use crate::types::{LogEntry, LogId, Vote};

/// The number of the first segment.
const FIRST: u64 = 1;

/// A log as it was found, ready to be written on.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(super) entries: Entries,
    pub(super) vote_file: VoteFile,
    pub(super) current: Arc<dyn File>,
    /// Where the next group goes. All before it is on disk.
    pub(super) end: Position,
    /// Size of the current segment's file.
    pub(super) capacity: u64,
    /// The highest index in each segment that has entries.
    pub(super) highest_in_segment: BTreeMap<u64, Option<u64>>,
}

/// Makes an empty log in an empty directory, durably.
pub(crate) fn create(place: &Place, options: &WalOptions) -> Result<(), WalError> {
    let path = place.segment(FIRST);
    let header = SegmentHeader {
        version: VERSION,
        segment: FIRST,
        owner: place.owner,
        previous_end: 0,
        capacity: options.segment_size,
    };
    let mut bytes = header.encode().to_vec();
    let mut group = GroupBuilder::new();
    group
        .add(Kind::Head, |bytes| {
            codec::encode_into(&HeadRecord::default(), bytes)
        })
        .expect("an empty head is smaller than its bound");
    let first = Position::first(FIRST);
    group.seal(first, first, &mut bytes);
    let file = place
        .fs
        .create(&path)
        .map_err(io_error("creating", &path))?;
    file.allocate(options.segment_size)
        .and_then(|()| file.write_at(0, &bytes))
        .and_then(|()| file.sync_all())
        .map_err(io_error("writing", &path))?;
    VoteFile::create(place)?;
    place
        .fs
        .sync_dir(&place.dir)
        .map_err(io_error("syncing", &place.dir))
}

/// Reads a log and decides where it ends (invariant 4 of the module).
pub(crate) fn recover(place: &Place, options: &WalOptions) -> Result<Recovered, WalError> {
    let numbers = segment_numbers(place)?;
    let mut scans = Vec::with_capacity(numbers.len());
    for &number in &numbers {
        scans.push(Scan::of(place, number)?);
    }
    let end = judge(place, &scans)?;
    let vote_file = VoteFile::open(place)?;
    let mut replay = Replay::new(place, options);
    for scan in scans.iter().filter(|scan| scan.number <= end.segment) {
        replay.segment(scan)?;
    }
    let capacity = clean(place, end, &scans)?;
    vote_file
        .sync()
        .map_err(io_error("syncing", &place.vote()))?;
    replay.finish(end, capacity, vote_file)
}

/// The numbers of the segments, in order and without a gap.
fn segment_numbers(place: &Place) -> Result<Vec<u64>, WalError> {
    let names = place
        .fs
        .list(&place.dir)
        .map_err(io_error("listing", &place.dir))?;
    let numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect();
    if numbers.is_empty() {
        return Err(WalError::SegmentMissing {
            dir: place.dir.clone(),
            missing: FIRST,
        });
    }
    for pair in numbers.windows(2) {
        if pair[0] + 1 != pair[1] {
            return Err(WalError::SegmentMissing {
                dir: place.dir.clone(),
                missing: pair[0] + 1,
            });
        }
    }
    Ok(numbers)
}

/// What can be told of a segment without looking into its records.
struct Scan {
    number: u64,
    /// `None` where it is bad: the segment was allocated ahead, or its first write was lost.
    header: Option<SegmentHeader>,
    /// Where the row of good groups ends, and what is wrong there.
    end: u64,
    problem: &'static str,
    /// Where the last byte behind the end that is not zero ends; `end` where there is none.
    rest_end: u64,
    /// Size of the file.
    size: u64,
    /// The highest place that anything in the segment says was synced.
    proven: Position,
}

impl Scan {
    fn of(place: &Place, number: u64) -> Result<Self, WalError> {
        let path = place.segment(number);
        let (_, bytes) = read_whole(place, &path)?;
        let mut proven = Position {
            segment: 0,
            offset: 0,
        };
        let header = SegmentHeader::decode(&bytes, number);
        if let Some(header) = header {
            check_owner(place, &path, header)?;
            if header.previous_end > 0 {
                proven = Position {
                    segment: number - 1,
                    offset: header.previous_end,
                };
            }
        }
        let mut at = Position::first(number);
        let problem = loop {
            match group_at(&bytes, at) {
                Ok((header, _)) => {
                    proven = proven.max(header.synced_to);
                    at.offset += header.size();
                }
                Err(problem) => break problem,
            }
        };
        let rest = tail(&bytes, at).iter().rposition(|byte| *byte != 0);
        if rest.is_some() {
            // Headers behind the end still say how far the log was synced.
            let mut behind = at;
            while !tail(&bytes, behind).is_empty() {
                if let Some(header) = GroupHeader::decode(tail(&bytes, behind), behind) {
                    proven = proven.max(header.synced_to);
                }
                behind.offset += BLOCK;
            }
        }
        let end = at.offset;
        let rest_end = end + rest.map_or(0, |last| last as u64 + 1);
        Ok(Self {
            number,
            header,
            end,
            problem,
            rest_end,
            size: bytes.len() as u64,
            proven,
        })
    }
}

fn check_owner(place: &Place, path: &Path, header: SegmentHeader) -> Result<(), WalError> {
    let path = path.to_owned();
    if header.version != VERSION {
        return Err(WalError::Format {
            path,
            found: header.version,
        });
    }
    if header.owner != place.owner {
        let Owner { node, instance } = header.owner;
        return Err(WalError::Foreign {
            path,
            node,
            instance,
        });
    }
    Ok(())
}

/// Decides where the log ends: at the first place that cannot be read, unless it was synced.
fn judge(place: &Place, scans: &[Scan]) -> Result<Position, WalError> {
    let zero = Position {
        segment: 0,
        offset: 0,
    };
    let synced_to = scans.iter().map(|scan| scan.proven).max().unwrap_or(zero);
    let damaged = |at, problem| {
        Err(WalError::Damaged {
            dir: place.dir.clone(),
            at,
            problem,
            synced_to,
        })
    };
    let mut end = zero;
    for (position, scan) in scans.iter().enumerate() {
        if scan.header.is_none() {
            // Others than the first are judged by the one before them.
            let at = Position {
                segment: scan.number,
                offset: 0,
            };
            return damaged(at, "the segment's header does not check");
        }
        end = Position {
            segment: scan.number,
            offset: scan.end,
        };
        if position == 0 && scan.number > FIRST && scan.end == BLOCK {
            // Segments are deleted only when what is needed of them is synced in a later one.
            return damaged(end, scan.problem);
        }
        if scan
            .header
            .is_some_and(|header| scan.size < header.capacity)
        {
            // No crash shortens a file: its size was durable before anything was written to it.
            let at = Position {
                segment: scan.number,
                offset: scan.size,
            };
            return damaged(at, "the file is shorter than it was made");
        }
        match scans.get(position + 1).and_then(|next| next.header) {
            Some(next) if next.previous_end == scan.end => {}
            Some(_) => return damaged(end, scan.problem),
            None if synced_to > end => return damaged(end, scan.problem),
            None => break,
        }
    }
    Ok(end)
}

/// Removes what follows the end, so that it is never read as part of what is written next, and
/// makes durable what was read. The size of the last segment's file.
fn clean(place: &Place, end: Position, scans: &[Scan]) -> Result<u64, WalError> {
    let Place { fs, dir, .. } = place;
    let path = place.segment(end.segment);
    let file = fs.open(&path).map_err(io_error("opening", &path))?;
    let mut capacity = 0;
    for scan in scans {
        if scan.number == end.segment {
            capacity = scan.size;
            if scan.rest_end > scan.end {
                tracing::warn!(
                    segment = end.segment,
                    offset = end.offset,
                    problem = scan.problem,
                    "the log is cut at its unsynced end; nothing from there on was acknowledged"
                );
                zero(file.as_ref(), scan.end, scan.rest_end).map_err(io_error("cutting", &path))?;
            }
        } else if scan.number > end.segment {
            let path = place.segment(scan.number);
            fs.remove(&path).map_err(io_error("removing", &path))?;
        }
    }
    // A process may have died between a write and its sync: what was read need not be durable yet.
    file.sync_all().map_err(io_error("syncing", &path))?;
    fs.sync_dir(dir).map_err(io_error("syncing", dir))?;
    Ok(capacity)
}

/// Overwrites a part of a file with zeros. The file keeps its size, which recovery relies on.
fn zero(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    const CHUNK: u64 = 1 << 20;
    let zeros = vec![0; 1 << 20];
    let mut offset = from;
    while offset < to {
        let size = CHUNK.min(to - offset);
        file.write_at(
            offset,
            &zeros[..usize::try_from(size).unwrap_or(zeros.len())],
        )?;
        offset += size;
    }
    Ok(())
}

/// Puts the log's contents together from its records.
struct Replay<'a> {
    place: &'a Place,
    entries: Entries,
    highest_in_segment: BTreeMap<u64, Option<u64>>,
    /// The last entry before the first segment.
    begins_after: Option<LogId>,
}

impl<'a> Replay<'a> {
    fn new(place: &'a Place, options: &WalOptions) -> Self {
        Self {
            place,
            entries: Entries::new(options.cache_size),
            highest_in_segment: BTreeMap::new(),
            begins_after: None,
        }
    }

    fn segment(&mut self, scan: &Scan) -> Result<(), WalError> {
        let first = self.highest_in_segment.is_empty();
        let path = self.place.segment(scan.number);
        let (file, bytes) = read_whole(self.place, &path)?;
        self.entries.segments.insert(scan.number, file);
        self.highest_in_segment.insert(scan.number, None);
        let mut at = Position::first(scan.number);
        while at.offset < scan.end {
            let damaged = |problem| WalError::Damaged {
                dir: self.place.dir.clone(),
                at,
                problem,
                synced_to: scan.proven,
            };
            let (header, group) = group_at(&bytes, at).map_err(damaged)?;
            self.group(at, header, group, first)?;
            at.offset += header.size();
        }
        Ok(())
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
            let damaged = || WalError::Damaged {
                dir: self.place.dir.clone(),
                at,
                problem: "a record's checksum does not match",
                synced_to: header.synced_to,
            };
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
                }
            }
            Kind::Entry => {
                let entry = LogEntry::from(self.decode::<EntryRecord>(at, payload)?);
                let index = entry.log_id.index;
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
                }
            }
            Kind::Purge => {
                if let IdRecord(Some(id)) = self.decode(at, payload)? {
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

    fn finish(
        mut self,
        end: Position,
        capacity: u64,
        vote_file: VoteFile,
    ) -> Result<Recovered, WalError> {
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
        self.entries.vote = greater(self.entries.vote, vote_file.vote);
        let current = Arc::clone(&self.entries.segments[&end.segment]);
        let highest_in_segment = self.highest_in_segment;
        Ok(Recovered {
            entries: self.entries,
            vote_file,
            current,
            end,
            capacity,
            highest_in_segment,
        })
    }
}

fn read_whole(place: &Place, path: &Path) -> Result<(Arc<dyn File>, Vec<u8>), WalError> {
    let file = place.fs.open(path).map_err(io_error("opening", path))?;
    let size = file.size().map_err(io_error("reading", path))?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    file.read_exact_at(0, &mut bytes)
        .map_err(io_error("reading", path))?;
    Ok((file, bytes))
}

/// The bytes from a place to the end of the segment.
fn tail(segment: &[u8], at: Position) -> &[u8] {
    usize::try_from(at.offset)
        .ok()
        .and_then(|start| segment.get(start..))
        .unwrap_or_default()
}

/// The group at a place with all of its bytes, or what is wrong there.
fn group_at(segment: &[u8], at: Position) -> Result<(GroupHeader, &[u8]), &'static str> {
    let bytes = tail(segment, at);
    let header = GroupHeader::decode(bytes, at).ok_or("no group's header checks there")?;
    let size = usize::try_from(header.size()).unwrap_or(usize::MAX);
    let bytes = bytes
        .get(..size)
        .ok_or("the group is longer than its segment")?;
    if header.body_sound(bytes, at) {
        Ok((header, bytes))
    } else {
        Err("the group's checksum does not match")
    }
}

/// The greater vote: of the later term, then the higher node, then a committed one.
fn greater(one: Option<Vote>, other: Option<Vote>) -> Option<Vote> {
    [one, other]
        .into_iter()
        .flatten()
        .max_by_key(|vote| VoteRecord::from(*vote))
}
