//! The log as openraft sees it.

#![expect(
    clippy::result_large_err,
    reason = "openraft fixes the type of storage errors"
)]

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, LogState, OptionalSend, RaftLogReader, StorageIOError};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::entries::{Entries, Found, Location};
use super::format::{Kind, record_decode};
use super::keeper::{Keeper, KeeperRequest, Prepared};
use super::recovery::Recovered;
use super::watchdog::{SyncClock, Watchdog};
use super::writer::{Request, Writer, WriterParts};
use super::{Place, WalOptions};
use crate::StoreObserver;
use crate::codec::{self, EntryRecord};
use crate::durable::Durable;
use crate::env::{Bell, Core, CoreHandle, Env, File, Post, Priority, inbox};
use crate::failure::{Failures, Guarded};
use crate::types::{LogEntry, LogId, StorageError, TypeConfig, Vote};

/// Most bytes of entries that replication reads at once: a message has to reach the follower and
/// its disk within a heartbeat.
const REPLICATION_READ_MAX: u64 = 1 << 20;

/// The log: openraft's `RaftLogStorage`.
#[derive(Debug)]
pub struct LogStore {
    shared: Arc<Shared>,
    writer: Post<Request>,
}

/// Reads entries of the log, while others write. What has left the memory is read from disk on the
/// caller's thread, a mebibyte at most at a time for replication.
#[derive(Debug, Clone)]
pub struct LogReader {
    shared: Arc<Shared>,
}

/// What the log's users share.
#[derive(Debug)]
pub(crate) struct Shared {
    entries: Arc<Mutex<Entries>>,
    failures: Failures,
    durable: Arc<Durable>,
    prepared: Arc<Prepared>,
}

/// The log's running parts.
#[derive(Debug)]
pub(crate) struct LogCores(pub(crate) Vec<CoreHandle>);

/// Starts the cores of a log that was recovered.
pub(crate) fn start(
    env: &Arc<dyn Env>,
    place: &Place,
    options: WalOptions,
    recovered: Recovered,
    failures: &Failures,
    durable: &Arc<Durable>,
    observer: &Arc<dyn StoreObserver>,
) -> io::Result<(LogStore, LogCores)> {
    let current = recovered.end.segment;
    let (entries, tail) = recovered.split();
    let entries = Arc::new(Mutex::new(entries));
    let prepared = Arc::new(Prepared::new(place.clone(), options.segment_size, current));
    let sync_clock = Arc::new(SyncClock::default());

    let keeper_bell = Bell::new();
    let (keeper, keeper_inbox) = inbox(keeper_bell.clone());
    keeper.send(KeeperRequest::Prepare(current + 1));
    let keeper_core = Keeper::new(keeper_inbox, Arc::clone(&prepared));

    let watchdog_bell = Bell::new();
    let (watchdog, watchdog_inbox) = inbox(watchdog_bell.clone());

    let writer_bell = Bell::new();
    let (writer, writer_inbox) = inbox(writer_bell.clone());
    let parts = WriterParts {
        env: Arc::clone(env),
        place: place.clone(),
        options,
        inbox: writer_inbox,
        entries: Arc::clone(&entries),
        keeper,
        prepared: Arc::clone(&prepared),
        sync_clock: Arc::clone(&sync_clock),
        watchdog,
        failures: failures.clone(),
        observer: Arc::clone(observer),
    };
    let writer_core = Writer::new(parts, tail);
    let watchdog_core = Watchdog::new(
        Arc::clone(env),
        watchdog_inbox,
        sync_clock,
        options.sync_timeout,
        failures.clone(),
    );

    let spawn =
        |name, priority, bell, core: Box<dyn Core>| env.spawn_core(name, priority, bell, core);
    let cores = vec![
        spawn(
            "log-writer",
            Priority::Normal,
            writer_bell,
            guarded("log-writer", failures, writer_core),
        )?,
        spawn(
            "log-keeper",
            Priority::Background,
            keeper_bell,
            guarded("log-keeper", failures, keeper_core),
        )?,
        spawn(
            "log-watchdog",
            Priority::Normal,
            watchdog_bell,
            guarded("log-watchdog", failures, watchdog_core),
        )?,
    ];
    let shared = Arc::new(Shared {
        entries,
        failures: failures.clone(),
        durable: Arc::clone(durable),
        prepared,
    });
    Ok((LogStore { shared, writer }, LogCores(cores)))
}

fn guarded<C: Core>(name: &'static str, failures: &Failures, core: C) -> Box<dyn Core> {
    Box::new(Guarded::new(name, failures.clone(), core))
}

/// Sizes and ids that decide about snapshots and purges.
impl Shared {
    /// The last entry, or the last purged one.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.entries.lock().last()
    }

    /// The last purged entry.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.entries.lock().purged
    }

    /// The last committed id that was saved.
    pub(crate) fn committed(&self) -> Option<LogId> {
        self.entries.lock().committed
    }

    /// Bytes of entries after `id`.
    pub(crate) fn bytes_after(&self, id: Option<LogId>) -> u64 {
        self.entries.lock().bytes_after(id)
    }

    /// The last entry such that at least `keep` bytes stay up to and including `upto`, and the bytes
    /// of the entries up to it.
    pub(crate) fn keeping(&self, upto: LogId, keep: u64) -> Option<(LogId, u64)> {
        let entries = self.entries.lock();
        let last = entries.keeping(upto, keep)?;
        let all = entries.bytes_after(None);
        Some((last, all.saturating_sub(entries.bytes_after(Some(last)))))
    }

    /// Why the next segment cannot be made, while that is so.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.prepared.trouble()
    }

    /// How many entries the log has.
    pub(crate) fn count(&self) -> usize {
        self.entries.lock().count()
    }

    /// What replication sends at once: entries from `start` on, or none where that one is not there.
    fn read_from(&self, start: u64, end: u64) -> Result<Vec<LogEntry>, StorageError> {
        let mut entries = self.read(start, end, REPLICATION_READ_MAX)?;
        if entries
            .first()
            .is_some_and(|first| first.log_id.index != start)
        {
            // Purged in the meantime; others after it would leave a gap in the follower's log.
            entries.clear();
        }
        Ok(entries)
    }

    fn check(&self) -> Result<(), StorageError> {
        match self.failures.first() {
            None => Ok(()),
            Some(failure) => Err(StorageIOError::write_logs(AnyError::new(&failure)).into()),
        }
    }

    /// Finds entries under the lock and reads those that are not in memory without it.
    fn read(&self, start: u64, end: u64, limit: u64) -> Result<Vec<LogEntry>, StorageError> {
        let found = self.entries.lock().find(start, end, limit);
        let entry = |found| match found {
            Found::Cached(entry) => Ok(entry),
            Found::OnDisk { id, location, file } => read_entry(id, location, file.as_ref()),
        };
        found.into_iter().map(entry).collect()
    }
}

fn read_entry(id: LogId, location: Location, file: &dyn File) -> Result<LogEntry, StorageError> {
    let failed = |error: AnyError| StorageIOError::read_log_entry(id, error);
    let mut bytes = vec![0; location.size as usize];
    file.read_exact_at(location.at.offset, &mut bytes)
        .map_err(|error| failed(AnyError::new(&error)))?;
    let bad = || {
        failed(AnyError::error(
            "the record on disk is not the one that was written",
        ))
    };
    let (kind, payload) = record_decode(&bytes, location.at).ok_or_else(bad)?;
    if kind != Kind::Entry as u8 {
        return Err(bad().into());
    }
    let record: EntryRecord =
        codec::decode(payload).map_err(|error| failed(AnyError::new(&error)))?;
    let entry = LogEntry::from(record);
    if entry.log_id == id {
        Ok(entry)
    } else {
        Err(bad().into())
    }
}

impl LogStore {
    /// A reader of this log.
    pub fn reader(&self) -> LogReader {
        LogReader {
            shared: Arc::clone(&self.shared),
        }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Makes the log begin after `id`, the last entry of an installed snapshot, without the entries
    /// that it had: they are in the snapshot, or contradict it.
    pub(crate) fn begin_after(&self, id: LogId) {
        let mut entries = self.shared.entries.lock();
        if let Some(first) = entries.first() {
            entries.truncate(first.index);
            self.writer.send(Request::Truncate {
                from: first,
                last: entries.purged,
            });
        }
        entries.purge(id);
        self.writer.send(Request::Purge(id));
    }
}

/// The first index inside and the first outside of a range.
fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, StorageError> {
        let (start, end) = bounds(&range);
        self.shared.read(start, end, u64::MAX)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<LogEntry>, StorageError> {
        self.shared.read_from(start, end)
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, StorageError> {
        let (start, end) = bounds(&range);
        self.shared.read(start, end, u64::MAX)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<LogEntry>, StorageError> {
        self.shared.read_from(start, end)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        let entries = self.shared.entries.lock();
        Ok(LogState {
            last_purged_log_id: entries.purged,
            last_log_id: entries.last(),
        })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        self.reader()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.shared.check()?;
        let (done, written) = oneshot::channel();
        self.shared.entries.lock().vote = Some(*vote);
        self.writer.send(Request::Vote { vote: *vote, done });
        written.await.map_err(|_| {
            StorageIOError::write_vote(AnyError::error("the log's writer has stopped")).into()
        })
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.shared.entries.lock().vote)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        self.shared.check()?;
        self.shared.entries.lock().committed = committed;
        // Worth no write of its own: it goes with the next entries, or with what gives a log at rest its end.
        self.writer.leave(Request::Committed(committed));
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.shared.entries.lock().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.shared.check()?;
        let mut entries: Vec<LogEntry> = entries.into_iter().collect();
        {
            let mut known = self.shared.entries.lock();
            // What a snapshot has made superfluous need not be kept again.
            let purged = known.purged.map(|id| id.index);
            entries.retain(|entry| Some(entry.log_id.index) > purged);
            for entry in &entries {
                if known
                    .last()
                    .is_some_and(|last| last.index + 1 != entry.log_id.index)
                {
                    let error =
                        AnyError::error("an entry is appended that does not follow the last one");
                    return Err(StorageIOError::write_log_entry(entry.log_id, error).into());
                }
                known.push(entry.clone(), None);
            }
        }
        self.writer.send(Request::Append { entries, callback });
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.shared.check()?;
        let last = {
            let mut entries = self.shared.entries.lock();
            entries.truncate(log_id.index);
            entries.last()
        };
        self.writer.send(Request::Truncate { from: log_id, last });
        Ok(())
    }

    /// Openraft purges up to the end of a snapshot that is still being installed: what is purged
    /// before it is durable elsewhere would be lost in a crash, so the purge waits for that.
    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let Shared {
            durable, failures, ..
        } = self.shared.as_ref();
        if !durable.reaches(log_id.index, failures).await {
            tracing::error!(%log_id, "the log is not purged: nothing durable reaches as far");
        }
        self.shared.check()?;
        self.shared.entries.lock().purge(log_id);
        self.writer.send(Request::Purge(log_id));
        Ok(())
    }
}
