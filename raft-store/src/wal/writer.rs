//! The one writer of the log.
//!
//! It takes all that waits, writes it as one group, syncs once, and tells those who waited. The
//! three are separate steps, between which the simulation may crash.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use allocator::planted::{Bug, planted};
use openraft::storage::LogFlushed;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::entries::{Entries, Location};
use super::format::{
    BLOCK, GROUP_BODY_MAX, GroupBuilder, HeadRecord, IdRecord, Kind, Position, SegmentHeader,
    VERSION,
};
use super::keeper::{KeeperRequest, Prepared};
use super::recovery::Recovered;
use super::tail::Tail;
use super::vote_file::VoteFile;
use super::watchdog::SyncClock;
use super::{Place, WalOptions};
use crate::StoreObserver;
use crate::codec::{self, EncodeError, EntryRecord, Record, VoteRecord};
use crate::env::{Core, Env, File, Inbox, Next, Post};
use crate::failure::{Failures, StoreFailure};
use crate::types::{LogEntry, LogId, TypeConfig, Vote};

/// What the writer is asked to write.
pub(super) enum Request {
    Append {
        entries: Vec<LogEntry>,
        callback: LogFlushed<TypeConfig>,
    },
    Vote {
        vote: Vote,
        done: oneshot::Sender<()>,
    },
    Committed(Option<LogId>),
    /// Entries from `from` on are gone; `last` is the one before, or the last purged one.
    Truncate {
        from: LogId,
        last: Option<LogId>,
    },
    Purge(LogId),
}

/// What the writer works with.
pub(super) struct WriterParts {
    pub(super) env: Arc<dyn Env>,
    pub(super) place: Place,
    pub(super) options: WalOptions,
    pub(super) inbox: Inbox<Request>,
    pub(super) entries: Arc<Mutex<Entries>>,
    pub(super) keeper: Post<KeeperRequest>,
    pub(super) prepared: Arc<Prepared>,
    pub(super) sync_clock: Arc<SyncClock>,
    #[expect(dead_code, reason = "dropped with the writer, which ends the watchdog")]
    pub(super) watchdog: Post<Infallible>,
    pub(super) failures: Failures,
    pub(super) observer: Arc<dyn StoreObserver>,
}

pub(super) struct Writer {
    parts: WriterParts,
    tail: Tail,
    vote_file: VoteFile,
    backlog: VecDeque<Request>,
    /// What a new segment would begin with: the effect of all that has been written.
    head: HeadRecord,
    highest_in_segment: BTreeMap<u64, Option<u64>>,
    phase: Phase,
    last_write: Duration,
    /// The log ends with a synced empty group.
    resting: bool,
    /// The segment whose next one the keeper was asked to make.
    prepared: u64,
}

enum Phase {
    Ready,
    Written(Waiting),
    Synced(Waiting),
}

/// Who is told when what was written is on disk.
#[derive(Default)]
struct Waiting {
    callbacks: Vec<LogFlushed<TypeConfig>>,
    votes: Vec<oneshot::Sender<()>>,
    vote: Option<Vote>,
    sync: bool,
    /// The group is the empty one of a log at rest.
    rest: bool,
    entries: usize,
    bytes: u64,
}

/// Why nothing more can be written.
enum WriteError {
    Io(&'static str, io::Error),
    Encode(EncodeError),
}

impl From<EncodeError> for WriteError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl WriteError {
    fn reason(&self) -> String {
        match self {
            Self::Io(action, error) => format!("{action}: {error}"),
            Self::Encode(error) => error.to_string(),
        }
    }
}

/// A record's id and its place within its group.
struct Placed {
    id: LogId,
    offset: u64,
    size: u32,
}

impl Writer {
    /// The recovered entries are already in `parts.entries`.
    pub(super) fn new(parts: WriterParts, recovered: RecoveredTail) -> Self {
        let RecoveredTail {
            vote_file,
            current,
            end,
            capacity,
            highest_in_segment,
        } = recovered;
        let head = {
            let entries = parts.entries.lock();
            HeadRecord {
                vote: entries.vote.map(Into::into),
                committed: entries.committed.map(Into::into),
                purged: entries.purged.map(Into::into),
                last: entries.last().map(Into::into),
            }
        };
        let last_write = parts.env.monotonic();
        Self {
            tail: Tail::new(current, end, capacity),
            vote_file,
            backlog: VecDeque::new(),
            head,
            highest_in_segment,
            phase: Phase::Ready,
            last_write,
            resting: false,
            prepared: end.segment,
            parts,
        }
    }

    /// Writes what waits, if anything does.
    fn ready(&mut self) -> Result<Next, WriteError> {
        self.backlog.append(&mut self.parts.inbox.take());
        if self.backlog.is_empty() {
            return self.quiet();
        }
        let mut waiting = Waiting::default();
        let mut placed = Vec::new();
        let before = self.head;
        let mut group = self.begin_group()?;
        while group.body_size() < GROUP_BODY_MAX
            && let Some(request) = self.backlog.pop_front()
        {
            if let Err(error) = self.add(request, &mut group, &mut placed, &mut waiting) {
                self.phase = Phase::Written(waiting);
                return Err(error);
            }
        }
        waiting.entries = placed.len();
        waiting.bytes = group.size();
        // What nobody waits for does not put the rest off, but for a log that had it already.
        let rested = std::mem::take(&mut self.resting);
        if waiting.sync || rested {
            self.last_write = self.parts.env.monotonic();
        }
        let written = self.write(group, &placed, &before);
        self.phase = Phase::Written(waiting);
        written.map(|()| Next::Again)
    }

    /// Nothing waits: after a while the log is given a proven end (invariant 5 of the module).
    fn quiet(&mut self) -> Result<Next, WriteError> {
        let closed = self.parts.inbox.is_closed();
        if self.resting {
            return Ok(if closed { Next::Stop } else { Next::Wait(None) });
        }
        let quiet = self.parts.env.monotonic().saturating_sub(self.last_write);
        if quiet < self.parts.options.idle && !closed {
            return Ok(Next::Wait(Some(
                self.parts.options.idle.saturating_sub(quiet),
            )));
        }
        let mut waiting = Waiting {
            sync: true,
            ..Waiting::default()
        };
        if self.tail.synced == self.tail.end {
            let group = self.begin_group()?;
            let before = self.head;
            self.write(group, &[], &before)?;
            waiting.rest = true;
        }
        self.phase = Phase::Written(waiting);
        Ok(Next::Again)
    }

    /// A new group; with the segment's head in it where the segment has none yet.
    fn begin_group(&self) -> Result<GroupBuilder, WriteError> {
        let mut group = GroupBuilder::new();
        if self.tail.end.offset == BLOCK {
            group.add(Kind::Head, |bytes| codec::encode_into(&self.head, bytes))?;
        }
        Ok(group)
    }

    fn add(
        &mut self,
        request: Request,
        group: &mut GroupBuilder,
        placed: &mut Vec<Placed>,
        waiting: &mut Waiting,
    ) -> Result<(), WriteError> {
        match request {
            Request::Append { entries, callback } => {
                waiting.sync = true;
                waiting.callbacks.push(callback);
                for entry in entries {
                    let id = entry.log_id;
                    let (offset, size) = put(group, Kind::Entry, &EntryRecord::from(entry))?;
                    placed.push(Placed { id, offset, size });
                    self.head.last = Some(id.into());
                }
            }
            Request::Vote { vote, done } => {
                waiting.votes.push(done);
                if !planted(Bug::VoteNotSynced) {
                    waiting.sync = true;
                    waiting.vote = Some(vote);
                }
                let record = VoteRecord::from(vote);
                put(group, Kind::Vote, &record)?;
                self.head.vote = Some(record);
            }
            Request::Committed(id) => {
                let id = id.map(Into::into);
                put(group, Kind::Committed, &IdRecord(id))?;
                self.head.committed = id;
            }
            Request::Truncate { from, last } => {
                put(group, Kind::Truncate, &IdRecord(Some(from.into())))?;
                self.head.last = last.map(Into::into);
            }
            Request::Purge(id) => {
                waiting.sync = true;
                let noted = (!planted(Bug::PurgedForgotten)).then_some(id.into());
                put(group, Kind::Purge, &IdRecord(noted))?;
                self.head.purged = Some(id.into());
                if self.head.last.is_none_or(|last| last.index < id.index) {
                    self.head.last = Some(id.into());
                }
            }
        }
        Ok(())
    }

    /// Writes a group at the end, in a new segment if it does not fit; `before` is what that one
    /// begins with.
    fn write(
        &mut self,
        group: GroupBuilder,
        placed: &[Placed],
        before: &HeadRecord,
    ) -> Result<(), WriteError> {
        let fits = self.tail.end.offset + group.size() <= self.tail.capacity;
        let at = if fits || self.tail.end.offset == BLOCK {
            let at = self.tail.end;
            let size = group.size();
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            group.seal(at, self.tail.synced, &mut bytes);
            self.tail.go_ahead(at.offset, &mut bytes);
            // A write can hang as a sync can. In a group that is synced the clock runs on into it.
            self.parts.sync_clock.begin(self.parts.env.monotonic());
            let written = self.tail.file.write_at(at.offset, &bytes);
            written.map_err(|error| WriteError::Io("writing a group", error))?;
            self.tail.end.offset += size;
            at
        } else {
            self.rotate(group, before)?
        };
        let mut entries = self.parts.entries.lock();
        let highest = self.highest_in_segment.entry(at.segment).or_default();
        for Placed { id, offset, size } in placed {
            let place = Position {
                segment: at.segment,
                offset: at.offset + offset,
            };
            entries.written(
                *id,
                Location {
                    at: place,
                    size: *size,
                },
            );
            *highest = (*highest).max(Some(id.index));
        }
        entries.evict();
        Ok(())
    }

    /// Begins the next segment with its head and then `group`, whose place is returned.
    fn rotate(&mut self, group: GroupBuilder, before: &HeadRecord) -> Result<Position, WriteError> {
        // Making a segment syncs, too, where the keeper has not done it ahead of time.
        self.parts.sync_clock.begin(self.parts.env.monotonic());
        // Invariant 2: the segment that is left is on disk before the next one says so.
        if self.tail.synced < self.tail.end {
            self.sync_log()?;
        }
        let number = self.tail.end.segment + 1;
        let mut head = GroupBuilder::new();
        put(&mut head, Kind::Head, before)?;
        let first = Position::first(number);
        let at = Position {
            segment: number,
            offset: first.offset + head.size(),
        };
        let end = Position {
            segment: number,
            offset: at.offset + group.size(),
        };
        let failed = |error| WriteError::Io("beginning a segment", error);
        let (file, capacity) = self
            .parts
            .prepared
            .take(number, end.offset)
            .map_err(failed)?;
        let header = SegmentHeader {
            version: VERSION,
            segment: number,
            owner: self.parts.place.owner,
            previous_end: self.tail.end.offset,
            capacity,
        };
        let mut bytes = header.encode().to_vec();
        head.seal(first, self.tail.synced, &mut bytes);
        group.seal(at, self.tail.synced, &mut bytes);
        self.tail.begin(Arc::clone(&file), capacity);
        self.tail.go_ahead(0, &mut bytes);
        file.write_at(0, &bytes).map_err(failed)?;
        self.parts.entries.lock().segments.insert(number, file);
        self.highest_in_segment.insert(number, None);
        self.tail.end = end;
        Ok(at)
    }

    /// Makes what was written durable: the log, then the second copy of the vote.
    fn sync(&mut self, waiting: &Waiting) -> Result<(), WriteError> {
        self.sync_log()?;
        if let Some(vote) = waiting.vote {
            self.parts.sync_clock.begin(self.parts.env.monotonic());
            let synced = self
                .vote_file
                .write(Some(vote), self.tail.synced)
                .and_then(|()| self.vote_file.sync());
            synced.map_err(|error| WriteError::Io("writing the vote", error))?;
        }
        Ok(())
    }

    fn sync_log(&mut self) -> Result<(), WriteError> {
        self.parts.sync_clock.begin(self.parts.env.monotonic());
        self.tail
            .file
            .sync_data()
            .map_err(|error| WriteError::Io("syncing", error))?;
        self.tail.synced = self.tail.end;
        Ok(())
    }

    /// Tells those who waited, and lets go of what is no longer needed.
    fn synced(&mut self, waiting: Waiting) {
        // The clock runs until here, because in the simulation a sync takes its time between steps.
        if let Some(began) = self.parts.sync_clock.end()
            && waiting.sync
        {
            let took = self.parts.env.monotonic().saturating_sub(began);
            self.parts
                .observer
                .log_synced(took, waiting.entries, waiting.bytes);
        }
        self.resting = waiting.rest;
        if self.prepared < self.tail.end.segment
            && self.tail.synced.segment == self.tail.end.segment
        {
            // Only now: so only the last file can have lost its header in a crash.
            self.prepared = self.tail.end.segment;
            let next = KeeperRequest::Prepare(self.tail.end.segment + 1);
            self.parts.keeper.send(next);
        }
        for callback in waiting.callbacks {
            callback.log_io_completed(Ok(()));
        }
        for done in waiting.votes {
            // Who asked may be gone; the vote is on disk all the same.
            done.send(()).ok();
        }
        self.delete_purged();
    }

    /// Deletes the first segments as long as all of their entries are purged.
    fn delete_purged(&mut self) {
        let Some(purged) = self.head.purged else {
            return;
        };
        // What is still needed of earlier segments stands at the beginning of this one, which must be
        // on disk before they go.
        if self.tail.synced.segment != self.tail.end.segment {
            return;
        }
        while let Some(first) = self.highest_in_segment.first_entry()
            && *first.key() < self.tail.end.segment
            && first.get().is_none_or(|highest| highest <= purged.index)
        {
            let (number, _) = first.remove_entry();
            self.parts.entries.lock().segments.remove(&number);
            self.parts.keeper.send(KeeperRequest::Delete(number));
        }
    }

    /// Nothing more is written, and nothing that was waiting is acknowledged.
    fn fail(&mut self, error: &WriteError) -> Next {
        let reason = error.reason();
        self.parts.sync_clock.end();
        self.parts.failures.publish(StoreFailure::Log {
            reason: reason.clone(),
        });
        let waiting = match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Ready => Waiting::default(),
            Phase::Written(waiting) | Phase::Synced(waiting) => waiting,
        };
        for callback in waiting.callbacks {
            callback.log_io_completed(Err(io::Error::other(reason.clone())));
        }
        Next::Stop
    }
}

impl Core for Writer {
    fn step(&mut self) -> Next {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Ready => self.ready().unwrap_or_else(|error| self.fail(&error)),
            Phase::Written(waiting) => {
                let is_awaited = !waiting.callbacks.is_empty() || !waiting.votes.is_empty();
                let skips = is_awaited && planted(Bug::AcknowledgedBeforeSync);
                let synced = if waiting.sync && !skips {
                    self.sync(&waiting)
                } else {
                    Ok(())
                };
                self.phase = Phase::Synced(waiting);
                match synced {
                    Ok(()) => Next::Again,
                    Err(error) => self.fail(&error),
                }
            }
            Phase::Synced(waiting) => {
                self.synced(waiting);
                Next::Again
            }
        }
    }
}

/// The part of [`Recovered`] that the writer goes on from.
pub(super) struct RecoveredTail {
    vote_file: VoteFile,
    current: Arc<dyn File>,
    end: Position,
    capacity: u64,
    highest_in_segment: BTreeMap<u64, Option<u64>>,
}

impl Recovered {
    pub(super) fn split(self) -> (Entries, RecoveredTail) {
        let Self {
            entries,
            vote_file,
            current,
            end,
            capacity,
            highest_in_segment,
        } = self;
        (
            entries,
            RecoveredTail {
                vote_file,
                current,
                end,
                capacity,
                highest_in_segment,
            },
        )
    }
}

fn put<T: Record>(
    group: &mut GroupBuilder,
    kind: Kind,
    record: &T,
) -> Result<(u64, u32), EncodeError> {
    group.add(kind, |bytes| codec::encode_into(record, bytes))
}
