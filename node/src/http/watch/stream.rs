//! One watcher: what it is told next, when it has room for it.

use std::time::Duration;

use allocator::view::EventId;
use api::problem::Problem;
use api::views::WatchEvent;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::feed::{Next, PAGE_EVENTS, Seat};
use super::page::Lens;
use crate::replica::Replica;

/// A line that a reader of events passes over: the connection is alive.
const COMMENT: &[u8] = b": nothing yet\n\n";

/// A watcher between two things that it is told.
#[derive(Debug)]
pub(super) struct Watcher {
    replica: Replica,
    seat: Seat,
    wakes: watch::Receiver<EventId>,
    lens: Lens,
    /// All up to here has been told.
    after: EventId,
    /// When it is told that nothing has happened.
    bookmark_at: Instant,
    bookmark_every: Duration,
    ended: bool,
}

impl Watcher {
    /// One that begins behind a place; with a bookmark where `begins_now`.
    pub(super) fn new(
        replica: Replica,
        seat: Seat,
        lens: Lens,
        after: EventId,
        begins_now: bool,
        bookmark_every: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            replica,
            wakes: seat.wakes(),
            seat,
            lens,
            after,
            bookmark_at: if begins_now {
                now
            } else {
                now + bookmark_every
            },
            bookmark_every,
            ended: false,
        }
    }

    /// The next bytes of the stream; `None` at its end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.ended || self.seat.feed().ended().is_cancelled() {
                return None;
            }
            self.wakes.borrow_and_update();
            let bytes = match self.seat.feed().next(self.after) {
                Next::Page(page) => {
                    let bytes = page.tell(&self.lens, self.after);
                    self.reach(page.reached());
                    bytes
                }
                Next::Nothing(end) => {
                    self.reach(end);
                    continue;
                }
                Next::Behind => self.read_behind().await,
                Next::Head => match self.wait().await {
                    Some(bytes) => bytes,
                    None => continue,
                },
            };
            if !bytes.is_empty() {
                self.bookmark_at = Instant::now() + self.bookmark_every;
                return Some(bytes);
            }
        }
    }

    fn reach(&mut self, place: EventId) {
        self.after = place;
        self.seat.told(place.revision);
    }

    /// Waits until there may be something to tell, or it is time to tell that there is nothing.
    async fn wait(&mut self) -> Option<Bytes> {
        if Instant::now() >= self.bookmark_at {
            return Some(self.bookmark());
        }
        let ended = self.seat.feed().ended().clone();
        tokio::select! {
            () = ended.cancelled() => None,
            _ = self.wakes.changed() => None,
            () = sleep_until(self.bookmark_at) => Some(self.bookmark()),
        }
    }

    /// All up to a revision was told; of one that has not come yet there is nothing to say.
    fn bookmark(&self) -> Bytes {
        let (applied, wall_ms) = self
            .replica
            .applied()
            .read(|state| (state.revision(), state.clock().wall_ms()));
        let revision = self.after.revision;
        if revision > applied {
            return Bytes::from_static(COMMENT);
        }
        let mut bytes = Vec::new();
        WatchEvent::bookmark(revision, wall_ms).write(Some(EventId::end_of(revision)), &mut bytes);
        bytes.into()
    }

    /// A page from the ring itself; the last word where the ring does not reach back so far.
    async fn read_behind(&mut self) -> Bytes {
        let (after, filter) = (self.after, &self.lens.filter);
        let (read, wall_ms) = self.replica.applied().read(|state| {
            let read = state.watch(after, filter, PAGE_EVENTS);
            (read, state.clock().wall_ms())
        });
        match read {
            Ok(page) => {
                self.reach(page.reached);
                // Others want the thread as well.
                tokio::task::yield_now().await;
                self.lens.encode(page.items.iter())
            }
            Err(compacted) => {
                self.ended = true;
                let problem = Problem::compacted(after.revision, compacted.oldest);
                let mut bytes = Vec::new();
                WatchEvent::compacted(after.revision, wall_ms, problem).write(None, &mut bytes);
                bytes.into()
            }
        }
    }
}
