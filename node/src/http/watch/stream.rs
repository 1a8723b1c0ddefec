//! One watcher: what it is told next, when it has room for it.

use std::pin::Pin;
use std::time::Duration;

use allocator::view::EventId;
use api::problem::Problem;
use api::views::WatchEvent;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

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
    /// Where requests are worked on.
    callers: Handle,
    wakes: watch::Receiver<EventId>,
    lens: Lens,
    /// All up to here has been told.
    after: EventId,
    /// When it is told that nothing has happened.
    bookmark_at: Instant,
    /// Ends then or before: it is not set anew for each event.
    timer: Pin<Box<Sleep>>,
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
        let bookmark_at = if begins_now {
            now
        } else {
            now + bookmark_every
        };
        Self {
            replica,
            callers: Handle::current(),
            wakes: seat.wakes(),
            seat,
            lens,
            after,
            bookmark_at,
            timer: Box::pin(sleep_until(bookmark_at)),
            bookmark_every,
            ended: false,
        }
    }

    /// The next bytes of the stream; `None` at its end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            // What comes from here on wakes it, the end of all streams too.
            self.wakes.borrow_and_update();
            if self.ended || self.seat.feed().ended().is_cancelled() {
                return None;
            }
            let bytes = match self.seat.feed().next(self.after, &self.lens) {
                Next::Told(told) => {
                    self.reach(told.reached);
                    told.bytes
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
        if self.timer.is_elapsed() {
            self.timer.as_mut().reset(self.bookmark_at);
        }
        tokio::select! {
            _ = self.wakes.changed() => {}
            () = self.timer.as_mut() => {}
        }
        None
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
        let (after, lens, replica) = (self.after, self.lens.clone(), self.replica.clone());
        // Whoever holds the state's lock must not be of low priority, as this thread may be.
        let reading = self.callers.spawn(async move {
            let (read, wall_ms) = replica.applied().read(|state| {
                let read = state.watch(after, &lens.filter, PAGE_EVENTS);
                (read, state.clock().wall_ms())
            });
            let read = read.map(|page| (page.reached, lens.encode(page.items.iter())));
            (read, wall_ms)
        });
        let Ok((read, wall_ms)) = reading.await else {
            // The runtime is ending.
            self.ended = true;
            return Bytes::new();
        };
        match read {
            Ok((reached, bytes)) => {
                self.reach(reached);
                bytes
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
