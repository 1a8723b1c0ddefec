//! Keeps segment files: makes the next one before it is needed, deletes those that are not needed
//! any more. Both can take long, and neither may hold up the writer.
//!
//! What fails is tried again. Segments are deleted in order, so that those that are left follow each
//! other; and while the next segment cannot be made, others are told ([`Prepared::trouble`]), since
//! the log ends for good when the current one is full.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Place;
use crate::env::{Core, File, Inbox, Next};

/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// What the keeper is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeeperRequest {
    /// Make segment number so-and-so.
    Prepare(u64),
    /// Delete it. Sent in order of number.
    Delete(u64),
}

/// The segment that was made ahead, if it is ready.
#[derive(Debug)]
pub(super) struct Prepared {
    place: Place,
    size: u64,
    state: Mutex<PreparedState>,
    trouble: Mutex<Option<String>>,
}

#[derive(Debug)]
struct PreparedState {
    ready: Option<(u64, Arc<dyn File>)>,
    /// The highest number that the writer has taken.
    taken: u64,
}

impl Prepared {
    pub(super) fn new(place: Place, size: u64, current: u64) -> Self {
        Self {
            place,
            size,
            state: Mutex::new(PreparedState {
                ready: None,
                taken: current,
            }),
            trouble: Mutex::default(),
        }
    }

    /// Why the next segment cannot be made, while that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// The file of segment `number`, at least `size` bytes long, with its name durable. Waits for
    /// the keeper when it is just making it.
    pub(super) fn take(&self, number: u64, size: u64) -> io::Result<(Arc<dyn File>, u64)> {
        let mut state = self.state.lock();
        state.taken = number;
        let size = size.max(self.size);
        match state.ready.take() {
            Some((ready, file)) if ready == number => {
                if size > self.size {
                    file.allocate(size)?;
                    file.sync_all()?;
                }
                Ok((file, size))
            }
            _ => Ok((self.make(number, size)?, size)),
        }
    }

    fn prepare(&self, number: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        if number > state.taken && state.ready.is_none() {
            state.ready = Some((number, self.make(number, self.size)?));
        }
        Ok(())
    }

    fn make(&self, number: u64, size: u64) -> io::Result<Arc<dyn File>> {
        let Place { fs, dir, .. } = &self.place;
        let path = self.place.segment(number);
        if fs.exists(&path)? {
            // Left by an attempt that failed half way; nothing was written into it.
            fs.remove(&path)?;
        }
        let file = fs.create(&path)?;
        file.allocate(size)?;
        file.sync_all()?;
        fs.sync_dir(dir)?;
        Ok(file)
    }

    fn delete(&self, number: u64) -> io::Result<()> {
        match self.place.fs.remove(&self.place.segment(number)) {
            // Removed by the attempt before, whose sync failed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        // One by one: a later segment must not be gone while an earlier one is still there.
        self.place.fs.sync_dir(&self.place.dir)
    }
}

/// Runs the keeper's requests.
pub(super) struct Keeper {
    inbox: Inbox<KeeperRequest>,
    prepared: Arc<Prepared>,
    prepare: Option<u64>,
    /// In order of number; none is deleted while one before it is there.
    delete: VecDeque<u64>,
}

impl Keeper {
    pub(super) fn new(inbox: Inbox<KeeperRequest>, prepared: Arc<Prepared>) -> Self {
        Self {
            inbox,
            prepared,
            prepare: None,
            delete: VecDeque::new(),
        }
    }

    /// Makes the segment that is wanted; false when that failed.
    fn try_prepare(&mut self) -> bool {
        let Some(number) = self.prepare else {
            return true;
        };
        let result = self.prepared.prepare(number);
        let mut trouble = self.prepared.trouble.lock();
        match result {
            Ok(()) => {
                if trouble.take().is_some() {
                    tracing::info!(number, "the next log segment is made after all");
                }
                self.prepare = None;
                true
            }
            Err(error) => {
                if trouble.is_none() {
                    tracing::error!(number, %error, "the next log segment cannot be made; this node stops when the current one is full");
                }
                *trouble = Some(error.to_string());
                false
            }
        }
    }

    /// Deletes what is to be deleted, as far as it goes; false when that failed.
    fn try_delete(&mut self) -> bool {
        while let Some(number) = self.delete.front() {
            if let Err(error) = self.prepared.delete(*number) {
                tracing::warn!(number, %error, "a log segment could not be deleted; it is tried again");
                return false;
            }
            self.delete.pop_front();
        }
        true
    }
}

impl Core for Keeper {
    fn step(&mut self) -> Next {
        for request in self.inbox.take() {
            match request {
                KeeperRequest::Prepare(number) => self.prepare = Some(number),
                KeeperRequest::Delete(number) => self.delete.push_back(number),
            }
        }
        let prepared = self.try_prepare();
        let deleted = self.try_delete();
        if self.inbox.is_closed() && self.inbox.is_empty() {
            // What is left is deleted after the next start.
            Next::Stop
        } else {
            Next::Wait((!prepared || !deleted).then_some(RETRY))
        }
    }
}
