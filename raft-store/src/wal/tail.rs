//! Where the log ends on disk.
//!
//! A file is written with zeros ahead of its groups. What is only allocated the file system has to note as written
//! with each sync, in its own journal; so it does once for many, and the other syncs write the groups alone.

use std::sync::Arc;

use super::format::Position;
use crate::env::File;

/// Zeros go up to the next multiple of this: 256 KiB.
const AHEAD: u64 = 256 << 10;

pub(super) struct Tail {
    /// The last segment.
    pub(super) file: Arc<dyn File>,
    pub(super) end: Position,
    pub(super) capacity: u64,
    /// All before this is on disk.
    pub(super) synced: Position,
    /// Up to here the file was written since the log was opened, with groups or with zeros ahead of them.
    written: u64,
}

impl Tail {
    /// A log whose end was found on opening: all before it is on disk.
    pub(super) fn new(file: Arc<dyn File>, end: Position, capacity: u64) -> Self {
        Self {
            file,
            end,
            capacity,
            synced: end,
            written: end.offset,
        }
    }

    /// The file is a new one, of which nothing was written.
    pub(super) fn begin(&mut self, file: Arc<dyn File>, capacity: u64) {
        self.file = file;
        self.capacity = capacity;
        self.written = 0;
    }

    /// Adds zeros to what is to be written at `offset`, where it goes beyond what was written.
    pub(super) fn go_ahead(&mut self, offset: u64, bytes: &mut Vec<u8>) {
        let size = bytes.len() as u64;
        let end = offset + size;
        if end > self.written {
            self.written = ahead(end, size, self.capacity);
            let zeros = usize::try_from(self.written - end).unwrap_or(0);
            bytes.resize(bytes.len() + zeros, 0);
        }
    }
}

/// Up to where a write of `size` bytes that ends at `end` goes on. A large one ends there: it would be twice as
/// large, and its sync costs more by itself than by what the file system notes.
fn ahead(end: u64, size: u64, capacity: u64) -> u64 {
    if size > AHEAD / 4 {
        return end;
    }
    end.next_multiple_of(AHEAD).min(capacity).max(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_write_goes_on_to_the_next_boundary_or_the_end_of_the_file() {
        let cases = [
            (512, 512, 64 << 20, AHEAD),
            (AHEAD, 512, 64 << 20, AHEAD),
            (AHEAD + 512, 512, 64 << 20, 2 * AHEAD),
            (AHEAD + 512, 1_024, AHEAD + 4_096, AHEAD + 4_096),
            (4_096, 512, 4_096, 4_096),
            (AHEAD, AHEAD / 4 + 1, 64 << 20, AHEAD),
            (AHEAD + 512, AHEAD / 4 + 1, 64 << 20, AHEAD + 512),
        ];
        for (end, size, capacity, to) in cases {
            assert_eq!(ahead(end, size, capacity), to, "{size} bytes up to {end}");
        }
    }
}
