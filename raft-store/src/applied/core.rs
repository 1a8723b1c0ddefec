//! The core that applies: on a thread of its own, so that neither Raft's runtime nor HTTP's waits
//! for a large entry. A small one is applied where it comes from, if nobody looks at the state just
//! then: that spares waking the thread, and being woken by it.

use std::fmt;
use std::sync::Arc;
use std::vec;

use allocator::answer::Answer;
use allocator::command::{Command, Entry, Position};
use allocator::planted::{Bug, planted};
use openraft::EntryPayload;
use parking_lot::RwLockWriteGuard;
use thiserror::Error;
use tokio::sync::oneshot;

use super::{AppliedState, LockUse, SLICE_COMMANDS};
use crate::codec::DecodeError;
use crate::env::{Bell, Core, Inbox, Next, Post, Shared};
use crate::failure::{Failures, Guarded, StoreFailure};
use crate::types::{Applied, LogEntry, LogId, Membership, StoredMembership};

/// An entry that cannot be applied. It is never skipped: to go on would be to diverge.
#[derive(Debug, Error)]
#[error("entry {index} cannot be applied")]
pub(crate) struct ApplyError {
    pub(crate) index: u64,
    #[source]
    pub(crate) source: DecodeError,
}

/// Most entries that are applied where they come from, one after the other.
const SMALL_ENTRIES: usize = 2;
/// Most encoded bytes of one of them.
const SMALL_BYTES: usize = 4 << 10;
/// Most commands of one of them.
const SMALL_COMMANDS: usize = 8;
/// Where something is due so soon, a claim may have to end it first, and many others with it.
const DUE_SOON_MS: u64 = 10_000;

/// Where entries are handed in.
#[derive(Clone)]
pub(crate) struct Applier {
    requests: Post<ApplyRequest>,
    core: Shared<Guarded<ApplyCore>>,
}

/// Entries to apply, in order, and where their results go.
#[derive(Debug)]
pub(crate) struct ApplyRequest {
    pub(crate) entries: Vec<LogEntry>,
    pub(crate) done: oneshot::Sender<Result<Vec<Applied>, ApplyError>>,
}

/// Applies what comes, a slice at a time.
pub(crate) struct ApplyCore {
    inbox: Inbox<ApplyRequest>,
    applied: Arc<AppliedState>,
    failures: Failures,
    /// Rung when a checkpoint is due by the bytes applied.
    checkpoint: Bell,
    checkpoint_bytes: u64,
    /// What has been applied since the checkpointer was last woken.
    bytes_since_ring: u64,
    work: Option<Work>,
}

struct Work {
    entries: vec::IntoIter<LogEntry>,
    open: Option<OpenEntry>,
    results: Vec<Applied>,
    done: oneshot::Sender<Result<Vec<Applied>, ApplyError>>,
}

struct OpenEntry {
    id: LogId,
    entry: Entry,
    /// Encoded size.
    bytes: u64,
    answers: Vec<Answer>,
}

/// An entry as it is to be applied.
enum Step {
    Commands(OpenEntry),
    Membership(LogId, Membership),
    Blank(LogId),
}

impl Applier {
    /// The core's two ends: one for those who hand in, one for its driver.
    pub(crate) fn new(
        requests: Post<ApplyRequest>,
        core: Guarded<ApplyCore>,
    ) -> (Self, Shared<Guarded<ApplyCore>>) {
        let core = Shared::new(core);
        let driven = core.clone();
        (Self { requests, core }, driven)
    }

    /// Applies entries, or has them applied. The result comes in both cases as the request says.
    pub(crate) fn apply(&self, request: ApplyRequest) {
        let is_small =
            request.entries.len() <= SMALL_ENTRIES && request.entries.iter().all(is_small);
        self.requests.put(request);
        if !(is_small && self.core.step_here(|core| core.core().is_brief())) {
            self.requests.ring();
        }
    }
}

impl fmt::Debug for Applier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applier").finish_non_exhaustive()
    }
}

impl ApplyCore {
    pub(crate) fn new(
        inbox: Inbox<ApplyRequest>,
        applied: Arc<AppliedState>,
        failures: Failures,
        checkpoint: Bell,
        checkpoint_bytes: u64,
    ) -> Self {
        Self {
            inbox,
            applied,
            failures,
            checkpoint,
            checkpoint_bytes,
            bytes_since_ring: 0,
            work: None,
        }
    }

    /// Whether the next step on a small entry is over soon, and hardly waits for anybody: one who looks at the
    /// state may come in between, for as long as a look takes.
    fn is_brief(&self) -> bool {
        let Some(open) = self.work.as_ref().and_then(|work| work.open.as_ref()) else {
            return true;
        };
        let commands = &open.entry.commands;
        if commands.len() > SMALL_COMMANDS
            || !commands.iter().all(|envelope| is_brief(&envelope.command))
        {
            return false;
        }
        let Some(inner) = self.applied.inner.try_write() else {
            return false;
        };
        let soon = inner.state.clock().now_ms().saturating_add(DUE_SOON_MS);
        inner.state.next_due_ms().is_none_or(|due| due > soon)
    }

    fn next_work(&mut self) -> Option<Work> {
        let request = self.inbox.pop()?;
        Some(Work {
            results: Vec::with_capacity(request.entries.len()),
            entries: request.entries.into_iter(),
            open: None,
            done: request.done,
        })
    }

    /// Applies one slice of the open entry. When the entry has ended, the revision after it.
    fn slice(&mut self, open: &mut OpenEntry) -> Option<u64> {
        let lock = &self.applied.lock;
        let asked = lock.now();
        let mut inner = self.applied.inner.write();
        let since = lock.count(LockUse::ApplyWaited, asked);
        let first = open.answers.len();
        if first == 0 {
            let leader = open.id.leader_id;
            let at = Position {
                term: leader.term,
                node: leader.node_id,
                index: open.id.index,
            };
            inner.mid_entry = true;
            inner.mid_command = true;
            inner.state.entry_begin(at, &open.entry.stamp);
            inner.mid_command = false;
        }
        let last = (first + SLICE_COMMANDS).min(open.entry.commands.len());
        inner.state.look_ahead(&open.entry.commands[first..last]);
        for envelope in &open.entry.commands[first..last] {
            inner.mid_command = true;
            let is_last_of_many = first + 1 < open.entry.commands.len()
                && open.answers.len() + 1 == open.entry.commands.len();
            if planted(Bug::AppliedTwice) && self.applied.applied_bytes() == 0 {
                inner.state.command_apply(envelope);
            }
            let answer = if is_last_of_many && planted(Bug::LastCommandSkipped) {
                inner.state.dry_run(envelope)
            } else {
                inner.state.command_apply(envelope)
            };
            inner.mid_command = false;
            open.answers.push(answer);
        }
        let mut ended = None;
        if open.answers.len() == open.entry.commands.len() {
            inner.mid_command = true;
            inner.state.entry_end();
            inner.mid_command = false;
            ended = Some(self.applied.entry_ended(&mut inner, open.id, open.bytes));
        }
        RwLockWriteGuard::unlock_fair(inner);
        lock.count(LockUse::ApplyHeld, since);
        ended
    }

    fn other(&self, step: &Step) -> Applied {
        let mut inner = self.applied.inner.write();
        let id = match step {
            Step::Membership(id, membership) => {
                inner.membership = StoredMembership::new(Some(*id), membership.clone());
                *id
            }
            Step::Blank(id) => *id,
            Step::Commands(open) => open.id,
        };
        let revision = self.applied.entry_ended(&mut inner, id, 0);
        Applied {
            index: id.index,
            revision,
            answers: Vec::new(),
        }
    }

    fn count_bytes(&mut self, bytes: u64) {
        self.bytes_since_ring += bytes;
        if self.bytes_since_ring >= self.checkpoint_bytes {
            self.bytes_since_ring = 0;
            self.checkpoint.ring();
        }
    }

    fn fail(&mut self, work: Work, error: ApplyError) -> Next {
        let reason = error.source.to_string();
        self.failures.publish(StoreFailure::Apply {
            index: error.index,
            reason,
        });
        // Who asked may be gone; the failure is published either way.
        drop(work.done.send(Err(error)));
        Next::Stop
    }
}

impl Core for ApplyCore {
    fn step(&mut self) -> Next {
        let Some(mut work) = self.work.take().or_else(|| self.next_work()) else {
            return if self.inbox.is_closed() {
                Next::Stop
            } else {
                Next::Wait(None)
            };
        };
        if let Some(mut open) = work.open.take() {
            if let Some(revision) = self.slice(&mut open) {
                self.count_bytes(open.bytes);
                work.results.push(Applied {
                    index: open.id.index,
                    revision,
                    answers: open.answers,
                });
            } else {
                work.open = Some(open);
            }
        } else {
            match work.entries.next().map(decode).transpose() {
                Err(error) => return self.fail(work, error),
                Ok(None) => {
                    // Openraft may have stopped waiting; the state has moved on all the same.
                    drop(work.done.send(Ok(work.results)));
                    return Next::Again;
                }
                Ok(Some(Step::Commands(open))) => work.open = Some(open),
                Ok(Some(step)) => {
                    let result = self.other(&step);
                    work.results.push(result);
                }
            }
        }
        self.work = Some(work);
        Next::Again
    }
}

/// Whether an entry is quickly decoded, and changes no membership.
fn is_small(entry: &LogEntry) -> bool {
    matches!(&entry.payload, EntryPayload::Normal(payload) if payload.bytes().len() <= SMALL_BYTES)
}

/// Whether a command touches one claim, however much there is in the state, while nothing is due.
fn is_brief(command: &Command) -> bool {
    matches!(
        command,
        Command::Tick
            | Command::ClaimCreate(_)
            | Command::ClaimRelease(_)
            | Command::ClaimConfirm(_)
            | Command::ClaimRenew(_)
    )
}

fn decode(entry: LogEntry) -> Result<Step, ApplyError> {
    let id = entry.log_id;
    match entry.payload {
        EntryPayload::Blank => Ok(Step::Blank(id)),
        EntryPayload::Membership(membership) => Ok(Step::Membership(id, membership)),
        EntryPayload::Normal(payload) => {
            let entry = payload.decode().map_err(|source| ApplyError {
                index: id.index,
                source,
            })?;
            let answers = Vec::with_capacity(entry.commands.len());
            let bytes = payload.bytes().len() as u64;
            Ok(Step::Commands(OpenEntry {
                id,
                entry,
                bytes,
                answers,
            }))
        }
    }
}
