//! The background's work on snapshots: building them, taking them in, putting one in the place of
//! the state.
//!
//! A snapshot that another node sent is checked whole and made durable before openraft hears of it:
//! openraft purges the log up to a snapshot's end while the snapshot is still being installed, and
//! takes a damaged one for a failure of this node's storage.

use std::io;
use std::time::Duration;
use std::vec;

use allocator::pages::{Page, PageKey};
use tokio::sync::oneshot;

use super::{Background, Job, LastCut, chain};
use crate::applied::{Loaded, StateCut};
use crate::env::Next;
use crate::failure::StoreFailure;
use crate::snapshot::{self, Naming, SnapshotError, SnapshotFile, SnapshotWriter};
use crate::types::{Snapshot, SnapshotMeta};

/// How much of a snapshot is written at once.
const SNAPSHOT_BATCH: usize = 1 << 20;
/// Pause after the first failed attempt to build a snapshot, doubled after each further one up to
/// the second.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

pub(super) type BuildDone = oneshot::Sender<Result<Snapshot, SnapshotError>>;

pub(super) struct SnapshotJob {
    meta: SnapshotMeta,
    file: SnapshotFile,
    stage: SnapshotStage,
    began: Duration,
    done: BuildDone,
    /// How long to wait before the next attempt, should this one fail.
    pause: Duration,
}

enum SnapshotStage {
    Pages(SnapshotWriter, vec::IntoIter<(PageKey, Page)>),
    Naming(Naming),
}

/// A build that failed and is wanted all the same.
pub(super) struct Retry {
    pub(super) at: Duration,
    /// The cut for the next attempt has been asked for.
    pub(super) asked: bool,
    pause: Duration,
    done: BuildDone,
}

pub(super) struct ReceiveJob {
    pub(super) meta: SnapshotMeta,
    pub(super) file: SnapshotFile,
    /// `None` until the file is checked.
    pub(super) naming: Option<Naming>,
    pub(super) done: oneshot::Sender<Result<SnapshotFile, SnapshotError>>,
}

pub(super) struct InstallJob {
    pub(super) meta: SnapshotMeta,
    pub(super) file: SnapshotFile,
    pub(super) loaded: Option<Loaded>,
    pub(super) naming: Naming,
    pub(super) done: oneshot::Sender<Result<(), SnapshotError>>,
}

impl Background {
    pub(super) fn begin_snapshot(&mut self, cut: StateCut, done: BuildDone, now: Duration) -> Next {
        self.attempt_snapshot(cut, done, RETRY.0, now)
    }

    fn attempt_snapshot(
        &mut self,
        cut: StateCut,
        done: BuildDone,
        pause: Duration,
        now: Duration,
    ) -> Next {
        let meta = SnapshotMeta {
            last_log_id: cut.last,
            last_membership: cut.membership,
            snapshot_id: self.parts.snapshots.new_id(cut.last),
        };
        let begin = || -> io::Result<_> {
            let file = self.parts.snapshots.create()?;
            let writer = SnapshotWriter::begin(file.shared(), &meta, cut.mark, cut.cut.digest())?;
            Ok((file, writer))
        };
        match begin() {
            Ok((file, writer)) => {
                // The pages hold on to what they need; the cut itself need not live on.
                let pages: Vec<_> = cut.cut.pages().collect();
                self.job = Some(Job::Snapshot(Box::new(SnapshotJob {
                    meta,
                    file,
                    stage: SnapshotStage::Pages(writer, pages.into_iter()),
                    began: now,
                    done,
                    pause,
                })));
                Next::Again
            }
            Err(source) => {
                let path = std::path::PathBuf::from("a new snapshot");
                let error = SnapshotError::Io {
                    action: "creating",
                    path,
                    source,
                };
                self.build_failed(&error, done, pause, now)
            }
        }
    }

    pub(super) fn step_snapshot(&mut self, mut job: Box<SnapshotJob>, now: Duration) -> Next {
        match self.snapshot_stage(&mut job, now) {
            Ok(None) => {
                self.job = Some(Job::Snapshot(job));
                Next::Again
            }
            Ok(Some(snapshot)) => {
                // Openraft may have stopped waiting; the file is there all the same.
                drop(job.done.send(Ok(snapshot)));
                Next::Again
            }
            Err(error) => self.build_failed(&error, job.done, job.pause, now),
        }
    }

    fn snapshot_stage(
        &mut self,
        job: &mut SnapshotJob,
        now: Duration,
    ) -> Result<Option<Snapshot>, SnapshotError> {
        let path = job.file.path().to_owned();
        let failed = |source| SnapshotError::Io {
            action: "writing",
            path: path.clone(),
            source,
        };
        match &mut job.stage {
            SnapshotStage::Pages(writer, pages) => {
                while writer.waiting() < SNAPSHOT_BATCH {
                    let Some((key, page)) = pages.next() else {
                        writer.finish().map_err(failed)?;
                        job.stage = SnapshotStage::Naming(Naming::default());
                        return Ok(None);
                    };
                    writer.page(key, page).map_err(failed)?;
                }
                let bytes = writer.waiting() as u64;
                writer.flush().map_err(failed)?;
                self.pace(bytes, now);
                Ok(None)
            }
            SnapshotStage::Naming(naming) => {
                let named = self
                    .parts
                    .snapshots
                    .step(naming, &job.file, &job.meta, false)?;
                let Some(current) = named else {
                    return Ok(None);
                };
                self.parts.durable.note_snapshot(current.meta.last_log_id);
                let took = now.saturating_sub(job.began);
                self.parts.observer.snapshot_written(took, current.size);
                tracing::info!(
                    index = current.meta.last_log_id.map(|id| id.index),
                    bytes = current.size,
                    took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                    "a snapshot is durable"
                );
                Ok(Some(Snapshot {
                    meta: current.meta,
                    snapshot: Box::new(current.file),
                }))
            }
        }
    }

    /// A snapshot that could not be built harms nothing: the log is kept, and it is tried again.
    fn build_failed(
        &mut self,
        error: &SnapshotError,
        done: BuildDone,
        pause: Duration,
        now: Duration,
    ) -> Next {
        tracing::error!(
            error = %chain(error),
            retry_in_s = pause.as_secs(),
            "a snapshot could not be built; the log cannot be purged until one is"
        );
        self.retries.push_back(Retry {
            at: now + pause,
            asked: false,
            pause: (pause * 2).min(RETRY.1),
            done,
        });
        Next::Again
    }

    /// Begins the oldest retry when its time and its cut have come; otherwise the time until then.
    pub(super) fn retry_snapshot(&mut self, now: Duration) -> Result<Next, Option<Duration>> {
        let cut = self.retry_cut.lock().take();
        if let Some(cut) = cut
            && let Some(Retry { pause, done, .. }) = self.retries.pop_front()
        {
            return Ok(self.attempt_snapshot(cut, done, pause, now));
        }
        let Some(retry) = self.retries.front_mut() else {
            return Err(None);
        };
        if now < retry.at {
            return Err(Some(retry.at.saturating_sub(now)));
        }
        if !retry.asked {
            retry.asked = true;
            let (slot, bell) = (self.retry_cut.clone(), self.parts.bell.clone());
            self.parts.applied.cut_at_boundary(move |cut| {
                *slot.lock() = Some(cut);
                bell.ring();
            });
            return Ok(Next::Again);
        }
        Err(None)
    }

    /// Four steps: check, sync, name, make the name durable. What does not check is the sender's
    /// affair, and leaves nothing here.
    pub(super) fn step_receive(&mut self, mut job: Box<ReceiveJob>) -> Next {
        let stepped = match &mut job.naming {
            None => self
                .checked(&mut job.file, &job.meta)
                .map(|_| job.naming = Some(Naming::default()))
                .map(|()| None),
            Some(naming) => self
                .parts
                .snapshots
                .step(naming, &job.file, &job.meta, true),
        };
        match stepped {
            Ok(None) => {
                self.job = Some(Job::Receive(job));
                return Next::Again;
            }
            Ok(Some(current)) => {
                let ours = current.meta.last_log_id == job.meta.last_log_id;
                self.parts.durable.note_snapshot(current.meta.last_log_id);
                // One that is older than what is here is not kept, but may be installed.
                let file = if ours { current.file } else { job.file };
                drop(job.done.send(Ok(file)));
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a received snapshot is refused");
                drop(job.done.send(Err(error)));
            }
        }
        Next::Again
    }

    /// Reads and checks; then makes durable what is not yet; then swaps.
    pub(super) fn step_install(&mut self, mut job: Box<InstallJob>) -> Next {
        let Some(loaded) = job.loaded.take() else {
            return match self.checked(&mut job.file, &job.meta) {
                Ok(loaded) => {
                    job.loaded = Some(loaded);
                    self.job = Some(Job::Install(job));
                    Next::Again
                }
                Err(error) => self.install_failed(error, job.done),
            };
        };
        if !job.file.is_complete() {
            let named = self
                .parts
                .snapshots
                .step(&mut job.naming, &job.file, &job.meta, true);
            match named {
                Ok(None) => {
                    job.loaded = Some(loaded);
                    self.job = Some(Job::Install(job));
                    return Next::Again;
                }
                Ok(Some(current)) => self.parts.durable.note_snapshot(current.meta.last_log_id),
                Err(error) => return self.install_failed(error, job.done),
            }
        }
        tracing::info!(
            index = loaded.last.map(|id| id.index),
            "a received snapshot is installed"
        );
        self.parts.applied.replace(loaded);
        self.parts.checkpointer.state_replaced();
        // A cut of the state before is of no use; the one of this state is wanted soon.
        self.cut_asked = false;
        drop(self.cut.lock().take());
        self.last_cut = Some(LastCut {
            at: Duration::ZERO,
            last: None,
            applied_bytes: 0,
        });
        drop(job.done.send(Ok(())));
        Next::Again
    }

    /// Reads a received file, checks it and that it is what was announced.
    fn checked(
        &self,
        file: &mut SnapshotFile,
        announced: &SnapshotMeta,
    ) -> Result<Loaded, SnapshotError> {
        *file = self.parts.snapshots.adopt(file.clone())?;
        let (meta, loaded) = snapshot::load(file)?;
        if meta.last_log_id != announced.last_log_id
            || meta.last_membership != announced.last_membership
        {
            return Err(SnapshotError::OtherThanAnnounced {
                path: file.path().to_owned(),
                found: meta.to_string(),
                announced: announced.to_string(),
            });
        }
        Ok(loaded)
    }

    /// Openraft counts on what it hands over for installation: without it this node cannot go on.
    fn install_failed(
        &mut self,
        error: SnapshotError,
        done: oneshot::Sender<Result<(), SnapshotError>>,
    ) -> Next {
        self.parts.failures.publish(StoreFailure::Snapshot {
            reason: chain(&error),
        });
        drop(done.send(Err(error)));
        Next::Stop
    }

    /// Reads the newest snapshot again, which a receiver has refused. Whether it is sound.
    pub(super) fn recheck(&self, done: oneshot::Sender<bool>) -> Next {
        let sound = self.parts.snapshots.recheck();
        if !sound {
            self.parts.durable.note_snapshot(None);
        }
        // Who asked may be gone; a damaged one is known as such from now on.
        done.send(sound).ok();
        Next::Again
    }
}
