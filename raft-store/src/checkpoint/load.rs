//! Reading a checkpoint back.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender};

use allocator::State;
use allocator::pages::{Page, PageKey};

use super::layout::{CurrentRecord, Key, ManifestRecord, PageVersion};
use super::{AppliedStore, CheckpointError};
use crate::applied::Loaded;
use crate::codec::{self, Record};
use crate::snapshot::format::PageRecord;
use crate::threads::{Threads, piped};

/// What a store holds.
#[derive(Debug)]
pub(crate) struct LoadedCheckpoint {
    /// The state, if a checkpoint was ever completed.
    pub(crate) loaded: Option<Loaded>,
    /// The pages of the cut that counts.
    pub(super) manifest: BTreeMap<PageKey, PageVersion>,
    /// The rows of the list of those pages.
    pub(super) manifest_rows: Vec<Vec<u8>>,
    /// The highest number of a cut that any row bears.
    pub(super) cut: u64,
    /// Rows of cuts that were never switched to, or no longer count.
    pub(super) orphans: Vec<Vec<u8>>,
}

/// Reads everything, checks it, and makes a state of it.
pub(crate) fn load(
    store: &mut dyn AppliedStore,
    instance: u128,
) -> Result<LoadedCheckpoint, CheckpointError> {
    let read = |pages| {
        let mut reading = Reading::new(pages);
        let mut failed = None;
        let scanned = store.scan(&mut |key, value| {
            if failed.is_none()
                && let Err(error) = reading.row(key, value, instance)
            {
                failed = Some(error);
            }
        });
        scanned.map_err(CheckpointError::Store)?;
        match failed {
            Some(error) => Err(error),
            None => reading.close(),
        }
    };
    let (rows, pages) = piped(read, decoded);
    // A page that is damaged ends the reading, too, and explains it.
    let pages = pages?;
    rows?.finish(pages, store.was_completed())
}

/// A page as it stands in the store.
struct Written {
    key: PageKey,
    version: PageVersion,
    bytes: Vec<u8>,
}

/// Pages that go to the thread that decodes them at once.
const CHUNK: usize = 256;

/// Checks and decodes pages as they come.
fn decoded(chunks: Receiver<Vec<Written>>) -> Result<Vec<(PageKey, Page)>, CheckpointError> {
    chunks.into_iter().flatten().map(Written::page).collect()
}

impl Written {
    fn page(self) -> Result<(PageKey, Page), CheckpointError> {
        let PageKey { table, index } = self.key;
        if self.bytes.len() != self.version.size as usize
            || crc32c::crc32c(&self.bytes) != self.version.checksum
        {
            return Err(damaged(format!(
                "page {table}/{index} is not the one that was written"
            )));
        }
        let record: PageRecord = codec::decode(&self.bytes).map_err(CheckpointError::Record)?;
        if record.key != self.key {
            return Err(damaged(format!(
                "page {table}/{index} stands under another key"
            )));
        }
        Ok((self.key, record.page))
    }
}

/// What the rows say, apart from what is in the pages: those go on to be decoded.
struct Reading {
    current: Option<CurrentRecord>,
    manifest_bytes: Vec<u8>,
    manifest_rows: Vec<Vec<u8>>,
    manifest: Option<BTreeMap<PageKey, PageVersion>>,
    pages: SyncSender<Vec<Written>>,
    chunk: Vec<Written>,
    open: Vec<u8>,
    cut: u64,
    orphans: Vec<Vec<u8>>,
}

/// What the rows said.
struct Told {
    current: Option<CurrentRecord>,
    manifest: BTreeMap<PageKey, PageVersion>,
    manifest_rows: Vec<Vec<u8>>,
    cut: u64,
    orphans: Vec<Vec<u8>>,
}

impl Reading {
    fn new(pages: SyncSender<Vec<Written>>) -> Self {
        Self {
            current: None,
            manifest_bytes: Vec::new(),
            manifest_rows: Vec::new(),
            manifest: None,
            pages,
            chunk: Vec::new(),
            open: Vec::new(),
            cut: 0,
            orphans: Vec::new(),
        }
    }

    /// Rows come in order of their keys: the current one, manifests, pages.
    fn row(&mut self, key: &[u8], value: &[u8], instance: u128) -> Result<(), CheckpointError> {
        match Key::decode(key) {
            Some(Key::Current) => self.current = Some(current(value, instance)?),
            Some(Key::Manifest { cut, .. }) => {
                self.cut = self.cut.max(cut);
                if self
                    .current
                    .as_ref()
                    .is_some_and(|current| current.cut == cut)
                {
                    self.manifest_bytes.extend_from_slice(value);
                    self.manifest_rows.push(key.to_vec());
                } else {
                    self.orphans.push(key.to_vec());
                }
            }
            Some(Key::Page {
                key: page,
                cut,
                part,
            }) => {
                self.cut = self.cut.max(cut);
                self.close_manifest()?;
                let version = self
                    .manifest
                    .as_ref()
                    .and_then(|manifest| manifest.get(&page))
                    .copied();
                match version {
                    Some(version) if version.cut == cut => self.part(page, version, part, value)?,
                    _ => self.orphans.push(key.to_vec()),
                }
            }
            None => return Err(damaged(format!("a row has the unknown key {key:02x?}"))),
        }
        Ok(())
    }

    /// All parts of the manifest have been seen.
    fn close_manifest(&mut self) -> Result<(), CheckpointError> {
        if self.manifest.is_some() {
            return Ok(());
        }
        let Some(current) = &self.current else {
            return Ok(());
        };
        let bytes = std::mem::take(&mut self.manifest_bytes);
        if bytes.len() as u64 != current.manifest_size
            || crc32c::crc32c(&bytes) != current.manifest_checksum
        {
            return Err(damaged(
                "the list of its pages is not the one that was written".to_owned(),
            ));
        }
        let record: ManifestRecord = codec::decode(&bytes).map_err(CheckpointError::Record)?;
        self.manifest = Some(record.pages.into_iter().collect());
        Ok(())
    }

    fn part(
        &mut self,
        key: PageKey,
        version: PageVersion,
        part: u32,
        value: &[u8],
    ) -> Result<(), CheckpointError> {
        if part == 0 {
            self.open.clear();
        }
        self.open.extend_from_slice(value);
        if part + 1 < version.parts() {
            return Ok(());
        }
        self.chunk.push(Written {
            key,
            version,
            bytes: std::mem::take(&mut self.open),
        });
        if self.chunk.len() == CHUNK {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), CheckpointError> {
        let chunk = std::mem::take(&mut self.chunk);
        // Who decodes ends early only where a page is damaged, and says which.
        self.pages
            .send(chunk)
            .map_err(|_| damaged("a page is damaged".to_owned()))
    }

    /// All rows have been seen.
    fn close(mut self) -> Result<Told, CheckpointError> {
        self.close_manifest()?;
        self.send()?;
        Ok(Told {
            current: self.current,
            manifest: self.manifest.unwrap_or_default(),
            manifest_rows: self.manifest_rows,
            cut: self.cut,
            orphans: self.orphans,
        })
    }
}

impl Told {
    fn finish(
        self,
        pages: Vec<(PageKey, Page)>,
        completed: bool,
    ) -> Result<LoadedCheckpoint, CheckpointError> {
        let Self {
            current,
            manifest,
            manifest_rows,
            cut,
            orphans,
        } = self;
        if pages.len() != manifest.len() {
            return Err(damaged(format!(
                "{} of {} pages are missing",
                manifest.len() - pages.len(),
                manifest.len()
            )));
        }
        let Some(current) = current else {
            if completed {
                return Err(damaged("the row that names the cut is missing".to_owned()));
            }
            return Ok(LoadedCheckpoint {
                loaded: None,
                manifest,
                manifest_rows,
                cut,
                orphans,
            });
        };
        let state = State::from_pages_together(pages, &Threads).map_err(CheckpointError::State)?;
        if state.digest() != current.digest {
            return Err(damaged(
                "its state has another digest than was written".to_owned(),
            ));
        }
        let loaded = Loaded {
            state,
            last: current.last.map(Into::into),
            membership: current.membership.into(),
            mark: current.mark,
        };
        let cut = cut.max(current.cut);
        Ok(LoadedCheckpoint {
            loaded: Some(loaded),
            manifest,
            manifest_rows,
            cut,
            orphans,
        })
    }
}

fn current(value: &[u8], instance: u128) -> Result<CurrentRecord, CheckpointError> {
    let record = value
        .split_at_checked(4)
        .filter(|(sum, record)| crc32c::crc32c(record).to_le_bytes() == **sum);
    let (_, record) =
        record.ok_or_else(|| damaged("the row that names the cut is damaged".to_owned()))?;
    debug_assert!(
        record.len() <= CurrentRecord::SIZE_MAX,
        "the row was written by us"
    );
    let current: CurrentRecord = codec::decode(record).map_err(CheckpointError::Record)?;
    if current.instance == instance {
        Ok(current)
    } else {
        Err(CheckpointError::Foreign {
            found: current.instance,
        })
    }
}

fn damaged(problem: String) -> CheckpointError {
    CheckpointError::Damaged { problem }
}
