//! The second copy of the vote: a file of two slots that are written in turn.
//!
//! A crash in the middle of a write leaves the other slot; both unreadable is damage. A slot also
//! tells up to where the log was synced when it was written: the log is synced first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::format::Position;
use super::{Place, WalError, io_error};
use crate::codec::{self, Record, VoteRecord};
use crate::env::File;
use crate::types::Vote;

/// Distance of the slots: in different blocks of any disk.
const SLOT_SIZE: usize = 4_096;
const MAGIC: [u8; 8] = *b"IPAMvot\x01";
/// Bytes before the record: magic, checksum, size.
const SLOT_HEADER: usize = 16;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct SlotRecord {
    sequence: u64,
    vote: Option<VoteRecord>,
    /// All of the log before this place was on disk.
    synced_segment: u64,
    synced_offset: u64,
}

impl Record for SlotRecord {
    const VERSION: u8 = 2;
    const SIZE_MAX: usize = 128;
}

/// The open file.
#[derive(Debug)]
pub(super) struct VoteFile {
    file: Arc<dyn File>,
    sequence: u64,
    pub(super) vote: Option<Vote>,
    /// All of the log before this place is on disk.
    pub(super) synced_to: Position,
}

impl VoteFile {
    /// Makes the file, with no vote in it, and with all the space that it will ever need. The
    /// directory is for the caller to sync.
    pub(super) fn create(place: &Place) -> Result<(), WalError> {
        let path = place.vote();
        let file = place
            .fs
            .create(&path)
            .map_err(io_error("creating", &path))?;
        let mut created = Self {
            file,
            sequence: 0,
            vote: None,
            synced_to: Position::ZERO,
        };
        created
            .file
            .allocate(2 * SLOT_SIZE as u64)
            .and_then(|()| created.write(None, Position::ZERO))
            .and_then(|()| created.write(None, Position::ZERO))
            .and_then(|()| created.file.sync_all())
            .map_err(io_error("writing", &path))
    }

    /// Opens the file and reads the newer slot that is whole.
    pub(super) fn open(place: &Place) -> Result<Self, WalError> {
        let path = place.vote();
        let file = place.fs.open(&path).map_err(io_error("opening", &path))?;
        let mut newest: Option<SlotRecord> = None;
        for slot in 0..2 {
            let mut bytes = vec![0; SLOT_SIZE];
            let read = file
                .read_at(slot * SLOT_SIZE as u64, &mut bytes)
                .map_err(io_error("reading", &path))?;
            match decode(&bytes[..read]) {
                Some(record) => {
                    let newer = newest.filter(|newest| newest.sequence > record.sequence);
                    newest = newer.or(Some(record));
                }
                None if bytes.iter().any(|byte| *byte != 0) => {
                    tracing::error!(path = %path.display(), slot, "a copy of the vote is damaged; it is written anew if the log can be used");
                }
                None => {}
            }
        }
        let newest = newest.ok_or(WalError::VoteDamaged { path })?;
        Ok(Self {
            file,
            sequence: newest.sequence,
            vote: newest.vote.map(Into::into),
            synced_to: Position {
                segment: newest.synced_segment,
                offset: newest.synced_offset,
            },
        })
    }

    /// Writes both slots anew, one after the other, and makes them durable: what was read need not be
    /// on disk, and one of them may be damaged.
    pub(super) fn mend(&mut self, vote: Option<Vote>, synced_to: Position) -> std::io::Result<()> {
        for _ in 0..2 {
            self.write(vote, synced_to)?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    /// Writes a vote into the older slot, without syncing it. The log must be synced up to
    /// `synced_to`.
    pub(super) fn write(&mut self, vote: Option<Vote>, synced_to: Position) -> std::io::Result<()> {
        let sequence = self.sequence + 1;
        let record = SlotRecord {
            sequence,
            vote: vote.map(Into::into),
            synced_segment: synced_to.segment,
            synced_offset: synced_to.offset,
        };
        let payload = codec::encode(&record).expect("a vote is far smaller than its bound");
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&crc32c::crc32c(&payload).to_le_bytes());
        bytes.extend_from_slice(&[
            u8::try_from(payload.len()).expect("at most 128 bytes"),
            0,
            0,
            0,
        ]);
        bytes.extend_from_slice(&payload);
        self.file
            .write_at(sequence % 2 * SLOT_SIZE as u64, &bytes)?;
        self.sequence = sequence;
        self.vote = vote;
        self.synced_to = synced_to;
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }
}

fn decode(bytes: &[u8]) -> Option<SlotRecord> {
    let header = bytes.get(..SLOT_HEADER)?;
    if header[..8] != MAGIC {
        return None;
    }
    let sum = u32::from_le_bytes(header[8..12].try_into().ok()?);
    let size = usize::from(header[12]);
    let payload = bytes.get(SLOT_HEADER..SLOT_HEADER + size)?;
    if crc32c::crc32c(payload) != sum || header[13..16] != [0; 3] {
        return None;
    }
    codec::decode(payload).ok()
}
