//! The applied state: what the log has made of itself so far, served from memory.
//!
//! Invariants:
//! 1. A reader sees the state between two commands, never inside one.
//! 2. The write lock is held for at most [`SLICE_COMMANDS`] commands at a time, and given to
//!    waiting readers in between.
//! 3. A cut is taken at the end of an entry, never inside one.
//! 4. The published (index, revision) is never ahead of what [`AppliedState::read`] shows.

mod core;
mod digests;
mod lock;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use allocator::State;
use allocator::answer::Answer;
use allocator::command::Envelope;
use allocator::pages::Cut;
use parking_lot::{RwLock, RwLockWriteGuard};
use tokio::sync::watch;

pub(crate) use self::core::{Applier, ApplyCore, ApplyRequest};
pub use self::digests::{DigestAnswer, DigestMark};
pub use self::lock::{LOCK_BOUNDS, LockCounts, LockUse};
use crate::env::Env;
use crate::types::{LogId, StoredMembership};
use digests::DigestRing;
use lock::LockClock;

/// Most commands that are applied under one hold of the lock.
pub(crate) const SLICE_COMMANDS: usize = 256;

/// How far this node has applied the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AppliedAt {
    /// Index of the last entry; `None` before the first.
    pub index: Option<u64>,
    /// Revision of the state after it.
    pub revision: u64,
}

/// The state with all that belongs to one point of the log.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The state.
    pub(crate) state: State,
    /// The last entry in it.
    pub(crate) last: Option<LogId>,
    /// The membership at that entry.
    pub(crate) membership: StoredMembership,
    /// The first entry at which the state's revision was reached, as far as is known.
    pub(crate) mark: Option<DigestMark>,
}

impl Loaded {
    /// The state before the first entry.
    pub(crate) fn empty() -> Self {
        Self {
            state: State::new(),
            last: None,
            membership: StoredMembership::default(),
            mark: None,
        }
    }
}

/// A cut of the state with all that belongs to its point of the log.
#[derive(Debug)]
pub(crate) struct StateCut {
    pub(crate) cut: Cut,
    pub(crate) last: Option<LogId>,
    pub(crate) membership: StoredMembership,
    pub(crate) mark: Option<DigestMark>,
    /// Bytes of the log that had been applied at the cut, counted from the start of the process.
    pub(crate) applied_bytes: u64,
}

type CutReceiver = Box<dyn FnOnce(StateCut) + Send + Sync>;

/// The state behind its lock.
pub struct AppliedState {
    inner: RwLock<Inner>,
    at: watch::Sender<AppliedAt>,
    applied_bytes: AtomicU64,
    replaced: AtomicU64,
    lock: LockClock,
}

struct Inner {
    state: State,
    last: Option<LogId>,
    membership: StoredMembership,
    digests: DigestRing,
    /// An entry has begun and not ended.
    mid_entry: bool,
    /// A command has begun and not ended: seen by others only after a panic in the middle of it.
    mid_command: bool,
    cuts_wanted: Vec<CutReceiver>,
}

impl AppliedState {
    pub(crate) fn new(env: Arc<dyn Env>, loaded: Loaded) -> Arc<Self> {
        let Loaded {
            state,
            last,
            membership,
            mark,
        } = loaded;
        let at = AppliedAt {
            index: last.map(|id| id.index),
            revision: state.revision(),
        };
        let digests = DigestRing::starting(state.revision(), mark);
        Arc::new(Self {
            inner: RwLock::new(Inner {
                state,
                last,
                membership,
                digests,
                mid_entry: false,
                mid_command: false,
                cuts_wanted: Vec::new(),
            }),
            at: watch::Sender::new(at),
            applied_bytes: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            lock: LockClock::new(env),
        })
    }

    /// Looks at the state. Keep it short: applying waits meanwhile.
    ///
    /// # Panics
    /// Applying has panicked in the middle of a command; the process is on its way down.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        let inner = self.inner.read();
        let since = self.lock.now();
        inner.assert_whole();
        let seen = look(&inner.state);
        drop(inner);
        self.lock.count(LockUse::ReadHeld, since);
        seen
    }

    /// For how long the state's lock was held or waited for.
    pub fn lock_counts(&self, what: LockUse) -> LockCounts {
        self.lock.counts(what)
    }

    /// The answer that a command would get now; nothing changes.
    ///
    /// # Panics
    /// Applying has panicked in the middle of a command; the process is on its way down.
    pub fn dry_run(&self, envelope: &Envelope) -> Answer {
        let mut inner = self.inner.write();
        inner.assert_whole();
        inner.mid_command = true;
        let answer = inner.state.dry_run(envelope);
        inner.mid_command = false;
        answer
    }

    /// A consistent cut of the state as it is between two commands, for an audit that must not
    /// hold up the state. Dropping it ends the copying that it causes.
    ///
    /// # Panics
    /// Applying has panicked in the middle of a command; the process is on its way down.
    pub fn cut(&self) -> Cut {
        let mut inner = self.inner.write();
        inner.assert_whole();
        inner.state.cut()
    }

    /// Follows how far the log has been applied.
    pub fn watch(&self) -> watch::Receiver<AppliedAt> {
        self.at.subscribe()
    }

    /// How far the log has been applied.
    pub fn at(&self) -> AppliedAt {
        *self.at.borrow()
    }

    /// The last entry that has been applied.
    pub fn last(&self) -> Option<LogId> {
        self.inner.read().last
    }

    /// The last membership that has been applied.
    pub fn membership(&self) -> StoredMembership {
        self.inner.read().membership.clone()
    }

    /// The digest at the end of the first entry after which the revision is at least `revision`;
    /// the latest one where `None`.
    pub fn digest_at(&self, revision: Option<u64>) -> DigestAnswer {
        self.inner.read().digests.at(revision)
    }

    /// How often a snapshot from another node has taken this state's place since the start of the process.
    pub fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }

    /// Bytes of the log applied since the start of the process.
    pub(crate) fn applied_bytes(&self) -> u64 {
        self.applied_bytes.load(Ordering::Relaxed)
    }

    /// The last applied entry and the membership at it.
    pub(crate) fn position(&self) -> (Option<LogId>, StoredMembership) {
        let inner = self.inner.read();
        (inner.last, inner.membership.clone())
    }

    /// Takes a cut at the next end of an entry: now, when no entry is being applied.
    pub(crate) fn cut_at_boundary(&self, receive: impl FnOnce(StateCut) + Send + Sync + 'static) {
        let mut inner = self.inner.write();
        if inner.mid_entry {
            inner.cuts_wanted.push(Box::new(receive));
        } else {
            let cut = self.cut_of(&mut inner);
            drop(inner);
            receive(cut);
        }
    }

    /// Puts another state in the place of this one: a snapshot's.
    pub(crate) fn replace(&self, loaded: Loaded) {
        let Loaded {
            state,
            last,
            membership,
            mark,
        } = loaded;
        let at = AppliedAt {
            index: last.map(|id| id.index),
            revision: state.revision(),
        };
        let mut inner = self.inner.write();
        assert!(
            !inner.mid_entry,
            "a snapshot is installed between two entries"
        );
        inner.digests = DigestRing::starting(state.revision(), mark);
        let old = std::mem::replace(&mut inner.state, state);
        inner.last = last;
        inner.membership = membership;
        self.replaced.fetch_add(1, Ordering::Relaxed);
        self.at.send_replace(at);
        drop(inner);
        // Freeing a large state takes its time; nobody waits for it here.
        drop(old);
    }

    fn cut_of(&self, inner: &mut Inner) -> StateCut {
        StateCut {
            cut: inner.state.cut(),
            last: inner.last,
            membership: inner.membership.clone(),
            mark: inner.digests.reached(),
            applied_bytes: self.applied_bytes(),
        }
    }

    /// Ends an entry: all that is known at its end is kept and published.
    fn entry_ended(&self, inner: &mut RwLockWriteGuard<'_, Inner>, id: LogId, bytes: u64) -> u64 {
        inner.mid_entry = false;
        inner.last = Some(id);
        let revision = inner.state.revision();
        let digest = inner.state.digest();
        inner.digests.push(DigestMark {
            index: id.index,
            revision,
            digest,
        });
        self.applied_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.at.send_replace(AppliedAt {
            index: Some(id.index),
            revision,
        });
        for receive in std::mem::take(&mut inner.cuts_wanted) {
            receive(self.cut_of(inner));
        }
        revision
    }
}

impl Inner {
    fn assert_whole(&self) {
        assert!(!self.mid_command, "the state is between two commands");
    }
}

impl fmt::Debug for AppliedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppliedState")
            .field("at", &self.at())
            .finish_non_exhaustive()
    }
}
