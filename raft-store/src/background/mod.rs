//! The one background thread: checkpoints, snapshots, installations, one at a time, at a limited
//! rate, and none of them on the way of an acknowledgement.

mod snapshots;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::snapshots::{BuildDone, InstallJob, ReceiveJob, Retry, SnapshotJob};
use crate::StoreObserver;
use crate::applied::{AppliedState, StateCut};
use crate::checkpoint::{CheckpointJob, Checkpointer, Progress};
use crate::durable::Durable;
use crate::env::{Bell, Core, Env, Inbox, Next};
use crate::failure::{Failures, StoreFailure};
use crate::snapshot::{Naming, SnapshotError, SnapshotFile, Snapshots};
use crate::types::{LogId, SnapshotMeta};

/// When checkpoints are taken, and how fast the background writes.
#[derive(Debug, Clone, Copy)]
pub struct BackgroundOptions {
    /// A checkpoint is due after so many bytes of log,
    pub checkpoint_bytes: u64,
    /// or after so much time in which anything was applied.
    pub checkpoint_interval: Duration,
    /// Bytes a second that checkpoints and snapshots may write.
    pub bytes_per_second: u64,
    /// Bytes of log that are kept behind what is durable elsewhere.
    pub log_kept: u64,
}

impl Default for BackgroundOptions {
    fn default() -> Self {
        Self {
            checkpoint_bytes: 64 << 20,
            checkpoint_interval: Duration::from_secs(10),
            bytes_per_second: 64 << 20,
            log_kept: 64 << 20,
        }
    }
}

/// What the background is asked for.
pub(crate) enum BackgroundRequest {
    /// Write a snapshot of a cut; if that fails, of a later one.
    Snapshot { cut: Box<StateCut>, done: BuildDone },
    /// Check a snapshot that came from another node, and make it durable.
    Receive {
        meta: SnapshotMeta,
        file: SnapshotFile,
        done: oneshot::Sender<Result<SnapshotFile, SnapshotError>>,
    },
    /// Put a received snapshot in the place of the state.
    Install {
        meta: SnapshotMeta,
        file: SnapshotFile,
        done: oneshot::Sender<Result<(), SnapshotError>>,
    },
    /// Take a checkpoint now, and say when it is durable.
    Checkpoint { done: oneshot::Sender<()> },
    /// Read the newest snapshot again and say whether it is sound.
    Recheck { done: oneshot::Sender<bool> },
}

/// What the background works with.
pub(crate) struct BackgroundParts {
    pub(crate) env: Arc<dyn Env>,
    pub(crate) options: BackgroundOptions,
    pub(crate) inbox: Inbox<BackgroundRequest>,
    pub(crate) bell: Bell,
    pub(crate) applied: Arc<AppliedState>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) durable: Arc<Durable>,
    pub(crate) failures: Failures,
    pub(crate) observer: Arc<dyn StoreObserver>,
}

pub(crate) struct Background {
    parts: BackgroundParts,
    waiting: VecDeque<BackgroundRequest>,
    job: Option<Job>,
    /// Those who wait for a checkpoint that is begun after they asked.
    forced: Vec<oneshot::Sender<()>>,
    /// Where the next cut arrives.
    cut: Arc<Mutex<Option<StateCut>>>,
    cut_asked: bool,
    last_cut: Option<LastCut>,
    /// Builds that failed and are tried again, and where the cut for the oldest arrives.
    retries: VecDeque<Retry>,
    retry_cut: Arc<Mutex<Option<StateCut>>>,
    /// Not before then, to keep the rate.
    not_before: Duration,
    /// No checkpoint before then, so that a slow disk is not busy with checkpoints alone.
    rest_until: Duration,
}

struct LastCut {
    at: Duration,
    last: Option<LogId>,
    applied_bytes: u64,
}

enum Job {
    Checkpoint(Box<CheckpointJob>, Vec<oneshot::Sender<()>>),
    Snapshot(Box<SnapshotJob>),
    Receive(Box<ReceiveJob>),
    Install(Box<InstallJob>),
}

impl Background {
    pub(crate) fn new(parts: BackgroundParts) -> Self {
        Self {
            parts,
            waiting: VecDeque::new(),
            job: None,
            forced: Vec::new(),
            cut: Arc::default(),
            cut_asked: false,
            last_cut: None,
            retries: VecDeque::new(),
            retry_cut: Arc::default(),
            not_before: Duration::ZERO,
            rest_until: Duration::ZERO,
        }
    }

    /// Somebody waits, so that the rate does not matter.
    fn urgent(&self) -> bool {
        let awaited = match &self.job {
            Some(Job::Checkpoint(_, forced)) => !forced.is_empty(),
            Some(Job::Receive(_) | Job::Install(_)) => true,
            Some(Job::Snapshot(_)) | None => false,
        };
        awaited || !self.waiting.is_empty() || !self.forced.is_empty()
    }

    fn take_requests(&mut self) {
        for request in self.parts.inbox.take() {
            match request {
                BackgroundRequest::Checkpoint { done } => self.forced.push(done),
                other => self.waiting.push_back(other),
            }
        }
    }

    /// Begins what is next: what is asked for, or a checkpoint when it is due.
    fn begin(&mut self, now: Duration) -> Next {
        match self.waiting.pop_front() {
            Some(BackgroundRequest::Snapshot { cut, done }) => self.begin_snapshot(*cut, done, now),
            Some(BackgroundRequest::Install { meta, file, done }) => {
                self.job = Some(Job::Install(Box::new(InstallJob {
                    meta,
                    file,
                    loaded: None,
                    naming: Naming::default(),
                    done,
                })));
                Next::Again
            }
            Some(BackgroundRequest::Receive { meta, file, done }) => {
                self.job = Some(Job::Receive(Box::new(ReceiveJob {
                    meta,
                    file,
                    naming: None,
                    done,
                })));
                Next::Again
            }
            Some(BackgroundRequest::Recheck { done }) => self.recheck(done),
            Some(BackgroundRequest::Checkpoint { done }) => {
                self.forced.push(done);
                Next::Again
            }
            None => {
                let retry_in = match self.retry_snapshot(now) {
                    Ok(next) => return next,
                    Err(wait) => wait,
                };
                match self.begin_checkpoint(now) {
                    Next::Wait(due) => Next::Wait(due.into_iter().chain(retry_in).min()),
                    other => other,
                }
            }
        }
    }

    fn begin_checkpoint(&mut self, now: Duration) -> Next {
        if let Some(cut) = self.cut.lock().take() {
            self.cut_asked = false;
            self.last_cut = Some(LastCut {
                at: now,
                last: cut.last,
                applied_bytes: cut.applied_bytes,
            });
            let forced = std::mem::take(&mut self.forced);
            let job = self.parts.checkpointer.begin(cut, now);
            self.job = Some(Job::Checkpoint(Box::new(job), forced));
            return Next::Again;
        }
        if self.cut_asked {
            return Next::Wait(None);
        }
        if self.parts.inbox.is_closed() {
            return Next::Stop;
        }
        let due = self.due_in(now);
        if !due.is_zero() {
            return Next::Wait(Some(due));
        }
        self.cut_asked = true;
        let (slot, bell) = (Arc::clone(&self.cut), self.parts.bell.clone());
        self.parts.applied.cut_at_boundary(move |cut| {
            *slot.lock() = Some(cut);
            bell.ring();
        });
        Next::Again
    }

    /// How long until a checkpoint is due, or until it is worth looking again.
    fn due_in(&mut self, now: Duration) -> Duration {
        if !self.forced.is_empty() {
            return Duration::ZERO;
        }
        let last = self.parts.applied.last();
        let Some(before) = &self.last_cut else {
            // The first one after the start waits its time, too.
            self.last_cut = Some(LastCut {
                at: now,
                last: self.parts.durable.checkpoint(),
                applied_bytes: 0,
            });
            return self.parts.options.checkpoint_interval;
        };
        if before.last == last {
            // Looks again after an interval: what is applied meanwhile does not ring.
            return self.parts.options.checkpoint_interval;
        }
        let bytes = self.parts.applied.applied_bytes() - before.applied_bytes;
        let since = now.saturating_sub(before.at);
        let by_time = self.parts.options.checkpoint_interval.saturating_sub(since);
        let due = if bytes >= self.parts.options.checkpoint_bytes {
            Duration::ZERO
        } else {
            by_time
        };
        due.max(self.rest_until.saturating_sub(now))
    }

    fn step_job(&mut self, job: Job, now: Duration) -> Next {
        match job {
            Job::Checkpoint(job, forced) => self.step_checkpoint(job, forced, now),
            Job::Snapshot(job) => self.step_snapshot(job, now),
            Job::Receive(job) => self.step_receive(job),
            Job::Install(job) => self.step_install(job),
        }
    }

    fn step_checkpoint(
        &mut self,
        mut job: Box<CheckpointJob>,
        mut forced: Vec<oneshot::Sender<()>>,
        now: Duration,
    ) -> Next {
        match self.parts.checkpointer.step(&mut job) {
            Err(error) => {
                self.parts.failures.publish(StoreFailure::Checkpoint {
                    reason: error.to_string(),
                });
                return Next::Stop;
            }
            Ok(Progress::Wrote(bytes)) => self.pace(bytes, now),
            Ok(Progress::Switched) => {
                self.parts.durable.note_checkpoint(job.last);
                let took = now.saturating_sub(job.began);
                self.parts
                    .observer
                    .checkpoint_written(took, job.pages, job.bytes);
                tracing::debug!(
                    index = job.last.map(|id| id.index),
                    pages = job.pages,
                    bytes = job.bytes,
                    took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                    "a checkpoint is durable"
                );
                for done in forced.drain(..) {
                    // Who asked may be gone.
                    done.send(()).ok();
                }
            }
            Ok(Progress::Done) => {
                self.rest_until = now + now.saturating_sub(job.began);
                return Next::Again;
            }
        }
        self.job = Some(Job::Checkpoint(job, forced));
        Next::Again
    }

    fn pace(&mut self, bytes: u64, now: Duration) {
        let rate = self.parts.options.bytes_per_second.max(1);
        let time = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate);
        self.not_before = self.not_before.max(now) + time;
    }
}

impl Core for Background {
    fn step(&mut self) -> Next {
        let now = self.parts.env.monotonic();
        self.take_requests();
        if self.parts.inbox.is_closed() && self.waiting.is_empty() && self.forced.is_empty() {
            // An unfinished checkpoint leaves rows that the next start removes.
            return Next::Stop;
        }
        if self.job.is_none() {
            return self.begin(now);
        }
        let early = self.not_before.saturating_sub(now);
        if !early.is_zero() && !self.urgent() {
            return Next::Wait(Some(early));
        }
        match self.job.take() {
            Some(job) => self.step_job(job, now),
            None => Next::Again,
        }
    }
}

/// An error with what caused it, for a message that stands alone.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
