//! Keeps segment files: makes the next one before it is needed, deletes those that are not needed
//! any more. Both can take long, and neither may hold up the writer.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Place;
use crate::env::{Core, File, Inbox, Next};

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
        }
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
        self.place.fs.remove(&self.place.segment(number))?;
        // One by one: a later segment must not be gone while an earlier one is still there.
        self.place.fs.sync_dir(&self.place.dir)
    }
}

/// Runs the keeper's requests.
pub(super) struct Keeper {
    inbox: Inbox<KeeperRequest>,
    prepared: Arc<Prepared>,
}

impl Keeper {
    pub(super) fn new(inbox: Inbox<KeeperRequest>, prepared: Arc<Prepared>) -> Self {
        Self { inbox, prepared }
    }
}

impl Core for Keeper {
    fn step(&mut self) -> Next {
        let Some(request) = self.inbox.pop() else {
            return if self.inbox.is_closed() {
                Next::Stop
            } else {
                Next::Wait(None)
            };
        };
        let result = match request {
            KeeperRequest::Prepare(number) => self.prepared.prepare(number),
            KeeperRequest::Delete(number) => self.prepared.delete(number),
        };
        if let Err(error) = result {
            // The writer makes the segment itself when it comes to that, and fails if it cannot;
            // a segment that stays is deleted after the next start.
            tracing::warn!(?request, %error, "a log segment could not be made or deleted ahead of time");
        }
        Next::Again
    }
}
