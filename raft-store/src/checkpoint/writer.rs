//! Writing a checkpoint, a batch at a time.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use std::vec;

use allocator::pages::{PageChange, PageKey};
use allocator::planted::{Bug, planted};

use super::layout::{CurrentRecord, Key, ManifestRecord, PageVersion, parts};
use super::{AppliedStore, LoadedCheckpoint, RowChange};
use crate::applied::StateCut;
use crate::codec;
use crate::snapshot::format::PageRecord;
use crate::types::LogId;

/// A batch is written when it has this many bytes,
const BATCH_SIZE: usize = 1 << 20;
/// or this many rows: sled's batches slow down with their number.
const BATCH_ROWS: usize = 200;

/// The store, and what is in it.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    store: Box<dyn AppliedStore>,
    instance: u128,
    /// The pages of the cut that counts, or that will count after the running job.
    manifest: BTreeMap<PageKey, PageVersion>,
    /// The number of the last cut that was begun.
    cut: u64,
    /// The manifest rows of the cut that counts.
    manifest_rows: Vec<Vec<u8>>,
    /// The epoch of the state in memory that the manifest stands for; `None` after the state was
    /// replaced, when all pages have to be written.
    epoch: Option<u64>,
    /// Rows that no longer count.
    garbage: Vec<Vec<u8>>,
}

/// A checkpoint on its way.
#[derive(Debug)]
pub(crate) struct CheckpointJob {
    stage: Stage,
    epoch: u64,
    current: CurrentRecord,
    /// Encoded manifest rows, when their time has come.
    rows: vec::IntoIter<RowChange>,
    manifest_rows: Vec<Vec<u8>>,
    pub(crate) last: Option<LogId>,
    pub(crate) began: Duration,
    pub(crate) pages: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
enum Stage {
    Pages(vec::IntoIter<PageChange>),
    Manifest,
    Switch,
    SyncSwitch,
    Garbage,
    Done,
}

/// What a step of a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many bytes were written.
    Wrote(u64),
    /// The cut counts from now on.
    Switched,
    /// Nothing is left to do.
    Done,
}

impl Checkpointer {
    /// A checkpointer that goes on from what was loaded. `used` tells whether the state in memory is
    /// the one that was loaded from here.
    pub(crate) fn new(
        store: Box<dyn AppliedStore>,
        instance: u128,
        loaded: LoadedCheckpoint,
        used: bool,
    ) -> Self {
        let LoadedCheckpoint {
            manifest,
            manifest_rows,
            cut,
            orphans,
            ..
        } = loaded;
        let epoch = used.then_some(allocator::pages::LOADED);
        Self {
            store,
            instance,
            manifest,
            manifest_rows,
            cut,
            epoch,
            garbage: orphans,
        }
    }

    /// The state in memory was replaced: the next checkpoint writes all of it.
    pub(crate) fn state_replaced(&mut self) {
        self.epoch = None;
    }

    /// Begins a checkpoint of a cut.
    pub(crate) fn begin(&mut self, cut: StateCut, now: Duration) -> CheckpointJob {
        self.cut += 1;
        let changes: Vec<PageChange> = if let Some(epoch) = self.epoch {
            cut.cut.pages_since(epoch).collect()
        } else {
            let pages: BTreeMap<_, _> = cut.cut.pages().collect();
            let gone = self
                .manifest
                .keys()
                .filter(|key| !pages.contains_key(key))
                .copied();
            let gone: Vec<_> = gone.map(PageChange::Removed).collect();
            pages
                .into_iter()
                .map(|(key, page)| PageChange::Put(key, page))
                .chain(gone)
                .collect()
        };
        let current = CurrentRecord {
            instance: self.instance,
            cut: self.cut,
            manifest_size: 0,
            manifest_checksum: 0,
            last: cut.last.map(split).map(Into::into),
            membership: cut.membership.into(),
            mark: cut.mark,
            digest: cut.cut.digest(),
        };
        CheckpointJob {
            stage: Stage::Pages(changes.into_iter()),
            epoch: cut.cut.epoch(),
            current,
            rows: Vec::new().into_iter(),
            manifest_rows: Vec::new(),
            last: cut.last,
            began: now,
            pages: 0,
            bytes: 0,
        }
    }

    /// Does the next piece of a job.
    pub(crate) fn step(&mut self, job: &mut CheckpointJob) -> io::Result<Progress> {
        match &mut job.stage {
            Stage::Pages(changes) => {
                let (batch, size, pages) = self.page_batch(changes, job.current.cut)?;
                job.pages += pages;
                if batch.is_empty() {
                    let rows = self.manifest_rows(&mut job.current)?;
                    job.manifest_rows = rows.iter().map(|(key, _)| key.clone()).collect();
                    job.rows = rows.into_iter();
                    job.stage = Stage::Manifest;
                    return Ok(Progress::Wrote(0));
                }
                self.write_synced(job, batch, size)
            }
            Stage::Manifest => {
                let batch: Vec<_> = job
                    .rows
                    .by_ref()
                    .take(BATCH_SIZE / super::layout::PART_SIZE as usize)
                    .collect();
                if batch.is_empty() {
                    job.stage = Stage::Switch;
                    return Ok(Progress::Wrote(0));
                }
                let size = batch
                    .iter()
                    .map(|(_, value)| value.as_ref().map_or(0, Vec::len))
                    .sum();
                self.write_synced(job, batch, size)
            }
            Stage::Switch => {
                let record = codec::encode(&job.current).map_err(io::Error::other)?;
                let value = [&crc32c::crc32c(&record).to_le_bytes()[..], &record].concat();
                self.store
                    .write(vec![(Key::Current.encode(), Some(value))])?;
                job.stage = Stage::SyncSwitch;
                Ok(Progress::Wrote(record.len() as u64))
            }
            Stage::SyncSwitch => {
                self.store.sync()?;
                self.store.completed()?;
                self.epoch = Some(job.epoch);
                let before = std::mem::replace(
                    &mut self.manifest_rows,
                    std::mem::take(&mut job.manifest_rows),
                );
                self.garbage.extend(before);
                job.stage = Stage::Garbage;
                Ok(Progress::Switched)
            }
            Stage::Garbage => {
                let from = self.garbage.len().saturating_sub(BATCH_ROWS);
                let batch: Vec<_> = self.garbage.drain(from..).map(|key| (key, None)).collect();
                if batch.is_empty() {
                    job.stage = Stage::Done;
                    return Ok(Progress::Done);
                }
                self.store.write(batch)?;
                self.store.sync()?;
                Ok(Progress::Wrote(0))
            }
            Stage::Done => Ok(Progress::Done),
        }
    }

    fn write_synced(
        &mut self,
        job: &mut CheckpointJob,
        batch: Vec<RowChange>,
        size: usize,
    ) -> io::Result<Progress> {
        self.store.write(batch)?;
        // Never a long tail that is not synced: sled loses all of its log when a crash hits one.
        self.store.sync()?;
        job.bytes += size as u64;
        Ok(Progress::Wrote(size as u64))
    }

    /// Encodes the next pages, up to a batch, and notes them in the manifest.
    fn page_batch(
        &mut self,
        changes: &mut vec::IntoIter<PageChange>,
        cut: u64,
    ) -> io::Result<(Vec<RowChange>, usize, u64)> {
        let mut batch = Vec::new();
        let mut size = 0;
        let mut pages = 0;
        while size < BATCH_SIZE
            && batch.len() < BATCH_ROWS
            && let Some(change) = changes.next()
        {
            match change {
                PageChange::Put(key, page) => {
                    let bytes =
                        codec::encode(&PageRecord { key, page }).map_err(io::Error::other)?;
                    let version = PageVersion {
                        cut,
                        size: u32::try_from(bytes.len()).map_err(io::Error::other)?,
                        checksum: crc32c::crc32c(&bytes),
                    };
                    for (part, bytes) in parts(&bytes) {
                        batch.push((Key::Page { key, cut, part }.encode(), Some(bytes.to_vec())));
                    }
                    size += bytes.len();
                    pages += 1;
                    let before = self.manifest.insert(key, version);
                    self.discard(key, before);
                }
                PageChange::Removed(key) => {
                    let before = self.manifest.remove(&key);
                    self.discard(key, before);
                }
                PageChange::RemovedBefore(key) => {
                    let first = PageKey {
                        table: key.table,
                        index: 0,
                    };
                    let gone: Vec<_> = self
                        .manifest
                        .range(first..key)
                        .map(|(key, _)| *key)
                        .collect();
                    for key in gone {
                        let before = self.manifest.remove(&key);
                        self.discard(key, before);
                    }
                }
            }
        }
        Ok((batch, size, pages))
    }

    /// The rows of a page that no longer counts once the job is done.
    fn discard(&mut self, key: PageKey, version: Option<PageVersion>) {
        if let Some(version) = version {
            let row = |part| {
                Key::Page {
                    key,
                    cut: version.cut,
                    part,
                }
                .encode()
            };
            self.garbage.extend((0..version.parts()).map(row));
        }
    }

    fn manifest_rows(&mut self, current: &mut CurrentRecord) -> io::Result<Vec<RowChange>> {
        let pages = self
            .manifest
            .iter()
            .map(|(key, version)| (*key, *version))
            .collect();
        let bytes = codec::encode(&ManifestRecord { pages }).map_err(io::Error::other)?;
        current.manifest_size = bytes.len() as u64;
        current.manifest_checksum = crc32c::crc32c(&bytes);
        let row = |part, bytes: &[u8]| {
            (
                Key::Manifest {
                    cut: current.cut,
                    part,
                }
                .encode(),
                Some(bytes.to_vec()),
            )
        };
        Ok(parts(&bytes)
            .map(|(part, bytes)| row(part, bytes))
            .collect())
    }
}

/// Where a checkpoint says that it ends: where it does, but for the planted bug.
fn split(last: LogId) -> LogId {
    let back = u64::from(planted(Bug::CheckpointSplit));
    LogId {
        index: last.index.saturating_sub(back),
        ..last
    }
}
