//! The bytes of a segment. All integers are little-endian.
//!
//! ```text
//! segment  header (512 bytes), then groups
//! header   magic 8 | checksum 4 | version 2 | 0 2 | segment 8 | node 8 | instance 16 | previous_end 8 | capacity 8 | 0…
//! group    magic 8 | header checksum 4 | body checksum 4 | segment 8 | offset 8 |
//!          synced segment 8 | synced offset 8 | body size 4 | records 4 | 0 8 | body | 0… to 512
//! record   payload size 4 | checksum 4 | kind 1 | payload
//! ```

use allocator::planted::{Bug, planted};
use serde::{Deserialize, Serialize};

use super::Owner;
use crate::codec::{LogIdRecord, Record, VoteRecord};

/// Groups begin at multiples of this: what a disk writes as a whole.
pub(super) const BLOCK: u64 = 512;
/// The same, as a size in memory.
const BLOCK_SIZE: usize = 512;
/// Bytes of a group before its records.
pub(super) const GROUP_HEADER: usize = 64;
/// Bytes of a record before its payload.
pub(super) const RECORD_HEADER: usize = 9;
/// The format of segments.
pub(super) const VERSION: u16 = 1;
/// A group is closed when its records reach this size; one record may go above it.
pub(super) const GROUP_BODY_MAX: usize = 4 << 20;

const SEGMENT_MAGIC: [u8; 8] = *b"IPAMwal\x01";
const GROUP_MAGIC: [u8; 8] = *b"IPAMgrp\x01";

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The segment's number.
    pub segment: u64,
    /// Bytes from the segment's beginning.
    pub offset: u64,
}

impl Position {
    /// Before all segments.
    pub(super) const ZERO: Self = Self {
        segment: 0,
        offset: 0,
    };

    /// Where the first group of a segment is.
    pub(super) fn first(segment: u64) -> Self {
        Self {
            segment,
            offset: BLOCK,
        }
    }

    fn checksum(self, parts: [&[u8]; 2]) -> u32 {
        let seed = crc32c::crc32c(&self.segment.to_le_bytes());
        let seed = crc32c::crc32c_append(seed, &self.offset.to_le_bytes());
        let sum = crc32c::crc32c_append(seed, parts[0]);
        crc32c::crc32c_append(sum, parts[1])
    }
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) version: u16,
    pub(super) segment: u64,
    pub(super) owner: Owner,
    /// Where the groups of the segment before end; all of it was synced before this one began.
    pub(super) previous_end: u64,
    /// Bytes that the file was given before anything was written to it; it never has fewer.
    pub(super) capacity: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; BLOCK_SIZE] {
        let mut bytes = [0; BLOCK_SIZE];
        bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[12..14].copy_from_slice(&self.version.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.segment.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.owner.node.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.owner.instance.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.previous_end.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.capacity.to_le_bytes());
        let sum = Position {
            segment: self.segment,
            offset: 0,
        }
        .checksum([&bytes[12..], &[]]);
        bytes[8..12].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The header of segment `number`, if the bytes are one.
    pub(super) fn decode(bytes: &[u8], number: u64) -> Option<Self> {
        let bytes = bytes.get(..BLOCK_SIZE)?;
        let sum = Position {
            segment: number,
            offset: 0,
        }
        .checksum([&bytes[12..], &[]]);
        let sound =
            bytes[..8] == SEGMENT_MAGIC && u32_at(bytes, 8) == sum && u64_at(bytes, 16) == number;
        (sound || planted(Bug::BadChecksumAccepted)).then(|| Self {
            version: u16::from_le_bytes([bytes[12], bytes[13]]),
            segment: number,
            owner: Owner {
                node: u64_at(bytes, 24),
                instance: u128_at(bytes, 32),
            },
            previous_end: u64_at(bytes, 48),
            capacity: u64_at(bytes, 56),
        })
    }
}

/// What a group says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupHeader {
    /// Everything before this place was on disk when the group was written.
    pub(super) synced_to: Position,
    /// Bytes of the records.
    pub(super) body_size: u32,
    /// How many records there are.
    pub(super) records: u32,
    body_checksum: u32,
}

impl GroupHeader {
    /// The header of the group at `at`, if the bytes are one.
    pub(super) fn decode(bytes: &[u8], at: Position) -> Option<Self> {
        let bytes = bytes.get(..GROUP_HEADER)?;
        if bytes[..8] != GROUP_MAGIC {
            return None;
        }
        let sound = u32_at(bytes, 8) == at.checksum([&bytes[12..], &[]])
            && u64_at(bytes, 16) == at.segment
            && u64_at(bytes, 24) == at.offset;
        sound.then(|| Self {
            synced_to: Position {
                segment: u64_at(bytes, 32),
                offset: u64_at(bytes, 40),
            },
            body_size: u32_at(bytes, 48),
            records: u32_at(bytes, 52),
            body_checksum: u32_at(bytes, 12),
        })
    }

    /// Bytes of the whole group.
    pub(super) fn size(&self) -> u64 {
        group_size(self.body_size as usize)
    }

    /// Whether `group`, all of its bytes, is what was written at `at`.
    pub(super) fn body_sound(&self, group: &[u8], at: Position) -> bool {
        at.checksum([&group[GROUP_HEADER..], &[]]) == self.body_checksum
            || planted(Bug::BadChecksumAccepted)
    }
}

/// Bytes of a group whose records take `body` bytes.
pub(super) fn group_size(body: usize) -> u64 {
    ((GROUP_HEADER + body) as u64).next_multiple_of(BLOCK)
}

/// A group in the making: records first, their place last.
#[derive(Debug)]
pub(super) struct GroupBuilder {
    /// Header, records with zero checksums, and later the padding.
    bytes: Vec<u8>,
    records: u32,
}

impl GroupBuilder {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; GROUP_HEADER],
            records: 0,
        }
    }

    /// Adds a record whose payload `encode` appends, and tells where the record begins, counted
    /// from the beginning of the group, and its size.
    pub(super) fn add<E>(
        &mut self,
        kind: Kind,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(u64, u32), E> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; RECORD_HEADER]);
        self.bytes[start + 8] = kind as u8;
        if let Err(error) = encode(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let payload = self.bytes.len() - start - RECORD_HEADER;
        let size = u32::try_from(payload)
            .expect("a record's size is bounded by its codec, far below 4 GiB");
        self.bytes[start..start + 4].copy_from_slice(&size.to_le_bytes());
        self.records += 1;
        let whole = u32::try_from(self.bytes.len() - start).expect("checked above");
        Ok((start as u64, whole))
    }

    pub(super) fn body_size(&self) -> usize {
        self.bytes.len() - GROUP_HEADER
    }

    /// Bytes that the group will take.
    pub(super) fn size(&self) -> u64 {
        group_size(self.body_size())
    }

    /// Gives the group its place, appending it to `target`.
    pub(super) fn seal(mut self, at: Position, synced_to: Position, target: &mut Vec<u8>) {
        let body_size = self.body_size();
        let mut offset = GROUP_HEADER;
        while offset < self.bytes.len() {
            let size = RECORD_HEADER + u32_at(&self.bytes, offset) as usize;
            let place = Position {
                segment: at.segment,
                offset: at.offset + offset as u64,
            };
            let record = &self.bytes[offset..offset + size];
            let sum = place.checksum([&record[..4], &record[8..]]);
            self.bytes[offset + 4..offset + 8].copy_from_slice(&sum.to_le_bytes());
            offset += size;
        }
        let whole = usize::try_from(group_size(body_size)).expect("a group fits into memory");
        self.bytes.resize(whole, 0);
        let body_sum = at.checksum([&self.bytes[GROUP_HEADER..], &[]]);
        let header = &mut self.bytes[..GROUP_HEADER];
        header[..8].copy_from_slice(&GROUP_MAGIC);
        header[12..16].copy_from_slice(&body_sum.to_le_bytes());
        header[16..24].copy_from_slice(&at.segment.to_le_bytes());
        header[24..32].copy_from_slice(&at.offset.to_le_bytes());
        header[32..40].copy_from_slice(&synced_to.segment.to_le_bytes());
        header[40..48].copy_from_slice(&synced_to.offset.to_le_bytes());
        let body_size =
            u32::try_from(body_size).expect("a group's size is bounded, far below 4 GiB");
        header[48..52].copy_from_slice(&body_size.to_le_bytes());
        header[52..56].copy_from_slice(&self.records.to_le_bytes());
        let sum = at.checksum([&header[12..], &[]]);
        header[8..12].copy_from_slice(&sum.to_le_bytes());
        target.extend_from_slice(&self.bytes);
    }
}

/// The payload of the record at `at`, if the bytes are a whole record.
pub(super) fn record_decode(bytes: &[u8], at: Position) -> Option<(u8, &[u8])> {
    let size = RECORD_HEADER.checked_add(u32_at_checked(bytes, 0)? as usize)?;
    let record = bytes.get(..size)?;
    let sound = u32_at(record, 4) == at.checksum([&record[..4], &record[8..]]);
    sound.then(|| (record[8], &record[RECORD_HEADER..]))
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// What is still needed from earlier segments; the first record of each.
    Head = 1,
    /// An entry.
    Entry = 2,
    /// A vote.
    Vote = 3,
    /// The last committed id.
    Committed = 4,
    /// Entries from an id on are gone.
    Truncate = 5,
    /// Entries up to an id are no longer needed.
    Purge = 6,
}

impl Kind {
    pub(super) fn of(byte: u8) -> Option<Self> {
        [
            Self::Head,
            Self::Entry,
            Self::Vote,
            Self::Committed,
            Self::Truncate,
            Self::Purge,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// What is still needed from earlier segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeadRecord {
    /// The vote.
    pub(super) vote: Option<VoteRecord>,
    /// The last committed id.
    pub(super) committed: Option<LogIdRecord>,
    /// The last purged id.
    pub(super) purged: Option<LogIdRecord>,
    /// The last entry before this segment.
    pub(super) last: Option<LogIdRecord>,
}

impl Record for HeadRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 256;
}

/// The id in a record of kind `Committed`, `Truncate` or `Purge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdRecord(pub(super) Option<LogIdRecord>);

impl Record for IdRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 64;
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(
        bytes[at..at + 4]
            .try_into()
            .expect("the range has four bytes"),
    )
}

fn u32_at_checked(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|_| u32_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(
        bytes[at..at + 8]
            .try_into()
            .expect("the range has eight bytes"),
    )
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(
        bytes[at..at + 16]
            .try_into()
            .expect("the range has sixteen bytes"),
    )
}
