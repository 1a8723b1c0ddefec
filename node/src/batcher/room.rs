//! How much may wait for the log: so many commands, and so many bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for commands that wait.
#[derive(Debug, Clone)]
pub(super) struct Room {
    commands: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// A place in it, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _command: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Room {
    /// Room for so many commands that have no more bytes than that together.
    pub(super) fn new(commands_max: usize, bytes_max: usize) -> Room {
        Room {
            commands: Arc::new(Semaphore::new(commands_max.min(Semaphore::MAX_PERMITS))),
            bytes: Arc::new(Semaphore::new(bytes_max.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// A place for a command of so many bytes, if there is one. Nobody waits for one.
    pub(super) fn place(&self, bytes: usize) -> Option<Place> {
        let bytes = u32::try_from(bytes).ok()?;
        Some(Place {
            _command: Arc::clone(&self.commands).try_acquire_owned().ok()?,
            _bytes: Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_by_count_and_by_bytes() {
        let room = Room::new(3, 100);
        let large = room.place(99);
        assert!(large.is_some());
        let small = room.place(1);
        assert!(small.is_some());
        assert!(room.place(1).is_none(), "no bytes are left");
        drop(large);
        let (one, two) = (room.place(1), room.place(1));
        assert!(one.is_some() && two.is_some());
        assert!(room.place(1).is_none(), "no place is left");
        drop(small);
        assert!(room.place(97).is_some(), "a refusal keeps nothing");
        assert!(room.place(usize::MAX).is_none());
    }
}
