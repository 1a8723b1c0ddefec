//! The rows of a checkpoint.
//!
//! ```text
//! c                                   checksum 4 | CurrentRecord
//! m | cut 8 | part 4                  a part of the manifest of that cut
//! p | table 1 | index 8 | cut 8 | part 4   a part of a page as it was written in that cut
//! ```
//! Integers in keys are big-endian, so that rows stand in order of their numbers.

use allocator::pages::PageKey;
use serde::{Deserialize, Serialize};

use crate::applied::DigestMark;
use crate::codec::{LogIdRecord, Record, StoredMembershipRecord};

/// Most bytes of a value: sled keeps larger ones in files that it never syncs.
pub(super) const PART_SIZE: u32 = 32 << 10;

/// The row that names the cut that counts.
pub(super) const CURRENT: &[u8] = b"c";

/// The cut that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CurrentRecord {
    /// The data directory.
    pub(super) instance: u128,
    /// Number of the cut.
    pub(super) cut: u64,
    /// Size of the encoded manifest.
    pub(super) manifest_size: u64,
    /// Its checksum.
    pub(super) manifest_checksum: u32,
    /// The last entry in the cut.
    pub(super) last: Option<LogIdRecord>,
    /// The membership at that entry.
    pub(super) membership: StoredMembershipRecord,
    /// The first entry at which the state's revision was reached.
    pub(super) mark: Option<DigestMark>,
    /// Digest of the state.
    pub(super) digest: u128,
}

impl Record for CurrentRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 2 << 20;
}

/// All pages of a cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ManifestRecord {
    /// In order of their keys.
    pub(super) pages: Vec<(PageKey, PageVersion)>,
}

impl Record for ManifestRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 256 << 20;
}

/// A page as it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PageVersion {
    /// The cut in which it was written.
    pub(super) cut: u64,
    /// Its encoded size.
    pub(super) size: u32,
    /// Checksum of its encoded form.
    pub(super) checksum: u32,
}

impl PageVersion {
    pub(super) fn parts(self) -> u32 {
        self.size.div_ceil(PART_SIZE)
    }
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Current,
    Manifest { cut: u64, part: u32 },
    Page { key: PageKey, cut: u64, part: u32 },
}

impl Key {
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Current => CURRENT.to_vec(),
            Self::Manifest { cut, part } => {
                [b"m", &cut.to_be_bytes()[..], &part.to_be_bytes()[..]].concat()
            }
            Self::Page { key, cut, part } => {
                let PageKey { table, index } = key;
                [
                    b"p",
                    &[table][..],
                    &index.to_be_bytes()[..],
                    &cut.to_be_bytes()[..],
                    &part.to_be_bytes()[..],
                ]
                .concat()
            }
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (b'c', []) => Some(Self::Current),
            (b'm', rest) if rest.len() == 12 => Some(Self::Manifest {
                cut: u64_at(rest, 0)?,
                part: u32_at(rest, 8)?,
            }),
            (b'p', [table, rest @ ..]) if rest.len() == 20 => Some(Self::Page {
                key: PageKey {
                    table: *table,
                    index: u64_at(rest, 0)?,
                },
                cut: u64_at(rest, 8)?,
                part: u32_at(rest, 16)?,
            }),
            _ => None,
        }
    }
}

/// The parts of a value with their numbers.
pub(super) fn parts(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    (0..).zip(bytes.chunks(PART_SIZE as usize))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_and_stand_in_order() {
        let page = |table, index, cut, part| Key::Page {
            key: PageKey { table, index },
            cut,
            part,
        };
        let keys = [
            Key::Current,
            Key::Manifest { cut: 1, part: 256 },
            Key::Manifest { cut: 256, part: 0 },
            page(0, 1, 2, 3),
            page(0, 256, 1, 0),
            page(1, 0, 0, 0),
        ];
        for pair in keys.windows(2) {
            assert!(
                pair[0].encode() < pair[1].encode(),
                "{:?} stands before {:?}",
                pair[0],
                pair[1]
            );
        }
        for key in keys {
            assert_eq!(Key::decode(&key.encode()), Some(key));
        }
        assert_eq!(Key::decode(b"m123"), None);
        assert_eq!(Key::decode(b""), None);
    }
}
