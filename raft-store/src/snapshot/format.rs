//! The bytes of a snapshot file. Integers are little-endian.
//!
//! ```text
//! magic 8 | header size 4 | header | pages | 0xFFFF_FFFF 4 | pages 8 | checksum of all before 4
//! page    size 4 | record
//! ```

use std::io;
use std::path::Path;
use std::sync::Arc;

use allocator::State;
use allocator::pages::{Page, PageKey};
use serde::{Deserialize, Serialize};

use super::{SnapshotError, SnapshotFile};
use crate::applied::{DigestMark, Loaded};
use crate::codec::{self, DecodeError, Record, SnapshotMetaRecord};
use crate::env::File;
use crate::threads::Threads;
use crate::types::SnapshotMeta;

const MAGIC: [u8; 8] = *b"IPAMsnp\x01";
/// Stands in the place of a page's size after the last page.
const END: u32 = u32::MAX;
/// How much is read at once.
const READ: usize = 1 << 20;

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeaderRecord {
    pub(super) meta: SnapshotMetaRecord,
    /// The first entry at which the state's revision was reached.
    pub(super) mark: Option<DigestMark>,
    /// Digest of the state.
    pub(super) digest: u128,
}

impl Record for HeaderRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 2 << 20;
}

/// One page with its key, as it stands in snapshots and checkpoints.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PageRecord {
    pub(crate) key: PageKey,
    pub(crate) page: Page,
}

impl Record for PageRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 16 << 20;
}

/// Writes a snapshot's file, page by page.
#[derive(Debug)]
pub(crate) struct SnapshotWriter {
    file: Arc<dyn File>,
    offset: u64,
    pages: u64,
    checksum: u32,
    buffer: Vec<u8>,
}

impl SnapshotWriter {
    /// Begins an empty file.
    pub(crate) fn begin(
        file: Arc<dyn File>,
        meta: &SnapshotMeta,
        mark: Option<DigestMark>,
        digest: u128,
    ) -> io::Result<Self> {
        let header = HeaderRecord {
            meta: meta.clone().into(),
            mark,
            digest,
        };
        let header = codec::encode(&header).map_err(io::Error::other)?;
        let mut writer = Self {
            file,
            offset: 0,
            pages: 0,
            checksum: 0,
            buffer: MAGIC.to_vec(),
        };
        writer.framed(&header);
        writer.flush()?;
        Ok(writer)
    }

    /// Adds a page; it is on its way to the file after the next [`SnapshotWriter::flush`].
    pub(crate) fn page(&mut self, key: PageKey, page: Page) -> io::Result<()> {
        let record = codec::encode(&PageRecord { key, page }).map_err(io::Error::other)?;
        self.framed(&record);
        self.pages += 1;
        Ok(())
    }

    /// Bytes that wait for the next flush.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.checksum = crc32c::crc32c_append(self.checksum, &self.buffer);
        self.file.write_at(self.offset, &self.buffer)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the end. The file is for the caller to sync.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.buffer.extend_from_slice(&END.to_le_bytes());
        self.buffer.extend_from_slice(&self.pages.to_le_bytes());
        self.flush()?;
        self.file
            .write_at(self.offset, &self.checksum.to_le_bytes())
    }

    fn framed(&mut self, record: &[u8]) {
        let size =
            u32::try_from(record.len()).expect("a record's size is bounded, far below 4 GiB");
        self.buffer.extend_from_slice(&size.to_le_bytes());
        self.buffer.extend_from_slice(record);
    }
}

/// Reads a file in order, and its checksum with it.
struct Reading<'a> {
    file: &'a dyn File,
    path: &'a Path,
    offset: u64,
    buffer: Vec<u8>,
    start: usize,
    checksum: u32,
}

impl<'a> Reading<'a> {
    fn new(snapshot: &'a SnapshotFile) -> Self {
        Self {
            file: snapshot.file(),
            path: snapshot.path(),
            offset: 0,
            buffer: Vec::new(),
            start: 0,
            checksum: 0,
        }
    }

    /// The next `size` bytes.
    fn take(&mut self, size: usize) -> Result<&[u8], SnapshotError> {
        if self.buffer.len() - self.start < size {
            self.buffer.drain(..self.start);
            self.start = 0;
            let have = self.buffer.len();
            self.buffer.resize(have + READ.max(size), 0);
            let read = self.file.read_at(self.offset, &mut self.buffer[have..]);
            let read = read.map_err(|source| SnapshotError::Io {
                action: "reading",
                path: self.path.to_owned(),
                source,
            })?;
            self.offset += read as u64;
            self.buffer.truncate(have + read);
            if self.buffer.len() < size {
                return Err(self.damaged("it is cut short"));
            }
        }
        let start = self.start;
        self.start += size;
        let bytes = &self.buffer[start..self.start];
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, SnapshotError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(
            bytes.try_into().expect("four bytes were taken"),
        ))
    }

    fn header(&mut self) -> Result<HeaderRecord, SnapshotError> {
        if self.take(MAGIC.len())? != MAGIC {
            return Err(self.damaged("it does not begin as a snapshot"));
        }
        let size = self.u32()? as usize;
        if size > HeaderRecord::SIZE_MAX {
            return Err(self.damaged("its header is too large"));
        }
        let record = codec::decode(self.take(size)?);
        record.map_err(|source| self.record(source))
    }

    /// The next page's bytes; `None` after the last, when count and checksum are right.
    fn page(&mut self, pages_before: u64) -> Result<Option<&[u8]>, SnapshotError> {
        let size = self.u32()?;
        if size == END {
            let pages = self.take(8)?;
            let pages = u64::from_le_bytes(pages.try_into().expect("eight bytes were taken"));
            let checksum = self.checksum;
            return if self.u32()? != checksum {
                Err(self.damaged("its checksum does not match"))
            } else if pages != pages_before {
                Err(self.damaged("it has another number of pages than it says"))
            } else if self.buffer.len() > self.start || self.more_follows()? {
                Err(self.damaged("something follows its end"))
            } else {
                Ok(None)
            };
        }
        if size as usize > PageRecord::SIZE_MAX {
            return Err(self.damaged("a page is too large"));
        }
        self.take(size as usize).map(Some)
    }

    fn more_follows(&self) -> Result<bool, SnapshotError> {
        let read = self.file.read_at(self.offset, &mut [0]);
        read.map(|read| read > 0)
            .map_err(|source| SnapshotError::Io {
                action: "reading",
                path: self.path.to_owned(),
                source,
            })
    }

    fn damaged(&self, problem: &'static str) -> SnapshotError {
        SnapshotError::Damaged {
            path: self.path.to_owned(),
            problem,
        }
    }

    fn record(&self, source: DecodeError) -> SnapshotError {
        SnapshotError::Record {
            path: self.path.to_owned(),
            source,
        }
    }
}

/// Reads a whole file and checks it, without making a state of it.
pub(super) fn verify(snapshot: &SnapshotFile) -> Result<HeaderRecord, SnapshotError> {
    let mut reading = Reading::new(snapshot);
    let header = reading.header()?;
    let mut pages = 0;
    while reading.page(pages)?.is_some() {
        pages += 1;
    }
    Ok(header)
}

/// Reads a whole file, checks it and makes a state of it.
pub(crate) fn load(snapshot: &SnapshotFile) -> Result<(SnapshotMeta, Loaded), SnapshotError> {
    let mut reading = Reading::new(snapshot);
    let HeaderRecord { meta, mark, digest } = reading.header()?;
    let mut read = 0;
    let mut failed = None;
    let pages = std::iter::from_fn(|| {
        let record = match reading.page(read) {
            Ok(None) => return None,
            Ok(Some(bytes)) => codec::decode::<PageRecord>(bytes),
            Err(error) => {
                failed = Some(error);
                return None;
            }
        };
        read += 1;
        match record {
            Ok(PageRecord { key, page }) => Some((key, page)),
            Err(source) => {
                failed = Some(reading.record(source));
                None
            }
        }
    });
    let state = State::from_pages_together(pages, &Threads);
    // What stopped the reading explains what is missing from the state.
    if let Some(error) = failed {
        return Err(error);
    }
    let path = || snapshot.path().to_owned();
    let state = state.map_err(|source| SnapshotError::State {
        path: path(),
        source,
    })?;
    if state.digest() != digest {
        return Err(SnapshotError::Damaged {
            path: path(),
            problem: "its state has another digest than it says",
        });
    }
    let meta = SnapshotMeta::from(meta);
    let loaded = Loaded {
        state,
        last: meta.last_log_id,
        membership: meta.last_membership.clone(),
        mark,
    };
    Ok((meta, loaded))
}
