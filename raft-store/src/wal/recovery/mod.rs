//! Making a log, and finding out what a log holds.
//!
//! Finding out and setting right are two steps: nothing in the directory is changed before all of it
//! has been judged. What was read is then written once more where nothing proves that it is on disk:
//! after a failed sync the system may hold bytes in memory that it will never write by itself.

mod replay;
mod scan;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use self::replay::Replay;
use self::scan::{Scan, judge};
use super::entries::Entries;
use super::format::{GroupBuilder, HeadRecord, Kind, Position, SegmentHeader, VERSION};
use super::vote_file::VoteFile;
use super::{Place, WalError, WalOptions, io_error, segment_number};
use crate::codec::{self, VoteRecord};
use crate::env::File;
use crate::types::{LogId, Vote};

/// The number of the first segment.
const FIRST: u64 = 1;

/// A log as it was found. Nothing has been changed yet.
#[derive(Debug)]
pub(crate) struct Examined {
    place: Place,
    entries: Entries,
    vote_file: VoteFile,
    highest_in_segment: BTreeMap<u64, Option<u64>>,
    end: Position,
    /// All before this is on disk for certain.
    synced_to: Position,
    /// Size of the file in which the log ends, and where what is in it ends.
    capacity: u64,
    rest_end: u64,
    problem: &'static str,
    /// The bytes of that file, up to the end.
    bytes: Vec<u8>,
    /// Segments that are not part of the log, and whether anything was written to them.
    superfluous: Vec<(u64, bool)>,
}

/// A log ready to be written on.
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
pub(crate) fn examine(place: &Place, options: &WalOptions) -> Result<Examined, WalError> {
    let numbers = segment_numbers(place)?;
    // A gap is left where segments were deleted in another order than asked for; what stands before
    // it was to be deleted, too, if what stands after it is complete in itself.
    let gap = numbers
        .windows(2)
        .rposition(|pair| pair[0] + 1 != pair[1])
        .map_or(0, |before| before + 1);
    let (before_gap, numbers) = numbers.split_at(gap);
    let mut scans = Vec::with_capacity(numbers.len());
    for &number in numbers {
        scans.push(Scan::of(place, number)?);
    }
    let vote_file = VoteFile::open(place)?;
    let proven = scans.iter().map(|scan| scan.proven).max();
    let synced_to = proven.unwrap_or(Position::ZERO).max(vote_file.synced_to);
    let end = judge(place, &scans, synced_to)?;
    let mut replay = Replay::new(place, options, synced_to);
    let mut superfluous: Vec<_> = before_gap.iter().map(|number| (*number, true)).collect();
    let mut last = None;
    for scan in scans {
        if scan.number <= end.segment {
            let bytes = replay.segment(&scan)?;
            last = Some((scan, bytes));
        } else {
            superfluous.push((scan.number, !scan.blank));
        }
    }
    let (last, bytes) = last.expect("the log ends in one of its segments");
    let contents = replay.finish().map_err(|error| match before_gap.last() {
        Some(before) => WalError::SegmentMissing {
            dir: place.dir.clone(),
            missing: before + 1,
        },
        None => error,
    })?;
    let mut entries = contents.entries;
    entries.vote = greater(entries.vote, vote_file.vote);
    Ok(Examined {
        place: place.clone(),
        entries,
        vote_file,
        highest_in_segment: contents.highest_in_segment,
        end,
        synced_to,
        capacity: last.size,
        rest_end: last.rest_end,
        problem: last.problem,
        bytes,
        superfluous,
    })
}

/// The numbers of the segments, in order.
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
    Ok(numbers)
}

impl Examined {
    /// The last entry, or the last purged one.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.entries.last()
    }

    /// The last purged entry.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.entries.purged
    }

    /// The id of the entry at `index`, if the log has it.
    pub(crate) fn id_at(&self, index: u64) -> Option<LogId> {
        self.entries.id_at(index)
    }

    /// Removes what is not part of the log, so that it is never read as part of what is written
    /// next, and makes durable what was read.
    pub(crate) fn settle(self) -> Result<Recovered, WalError> {
        let Place { fs, dir, .. } = &self.place;
        for (number, written) in &self.superfluous {
            let path = self.place.segment(*number);
            if *written {
                tracing::warn!(
                    segment = number,
                    ends_in = self.end.segment,
                    "a log segment that is not part of the log is removed"
                );
            } else {
                tracing::info!(segment = number, "a log segment made ahead is removed");
            }
            fs.remove(&path).map_err(io_error("removing", &path))?;
            // One by one: a later one must not be gone while an earlier one is still there.
            fs.sync_dir(dir).map_err(io_error("syncing", dir))?;
        }
        let path = self.place.segment(self.end.segment);
        let file = Arc::clone(&self.entries.segments[&self.end.segment]);
        if self.rest_end > self.end.offset {
            tracing::warn!(
                segment = self.end.segment,
                offset = self.end.offset,
                problem = self.problem,
                "the log is cut at its unsynced end; nothing from there on was acknowledged"
            );
            zero(file.as_ref(), self.end.offset, self.rest_end)
                .map_err(io_error("cutting", &path))?;
        }
        let from = if self.synced_to.segment == self.end.segment {
            usize::try_from(self.synced_to.offset).unwrap_or(0)
        } else {
            0
        };
        if let Some(unproven) = self.bytes.get(from..).filter(|bytes| !bytes.is_empty()) {
            file.write_at(from as u64, unproven)
                .map_err(io_error("writing", &path))?;
        }
        file.sync_all().map_err(io_error("syncing", &path))?;
        fs.sync_dir(dir).map_err(io_error("syncing", dir))?;
        let mut vote_file = self.vote_file;
        vote_file
            .mend(self.entries.vote, self.end)
            .map_err(io_error("writing", &self.place.vote()))?;
        Ok(Recovered {
            entries: self.entries,
            vote_file,
            current: file,
            end: self.end,
            capacity: self.capacity,
            highest_in_segment: self.highest_in_segment,
        })
    }
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

fn read_whole(place: &Place, path: &Path) -> Result<(Arc<dyn File>, Vec<u8>), WalError> {
    let file = place.fs.open(path).map_err(io_error("opening", path))?;
    let size = file.size().map_err(io_error("reading", path))?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    file.read_exact_at(0, &mut bytes)
        .map_err(io_error("reading", path))?;
    Ok((file, bytes))
}

/// The greater vote: of the later term, then the higher node, then a committed one.
fn greater(one: Option<Vote>, other: Option<Vote>) -> Option<Vote> {
    [one, other]
        .into_iter()
        .flatten()
        .max_by_key(|vote| VoteRecord::from(*vote))
}
