//! One watcher: what it is told next, when it has room for it.

use std::pin::Pin;
use std::time::Duration;

use allocator::State;
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
            return Some(self.bookmark().await);
        }
        if self.timer.is_elapsed() {
            // A new one, since a timer stays with the runtime where it was made.
            self.timer = Box::pin(sleep_until(self.bookmark_at));
        }
        tokio::select! {
            _ = self.wakes.changed() => {}
            () = self.timer.as_mut() => {}
        }
        None
    }

    /// What `look` sees of the state, on the threads of the requests: nobody of low priority, as this thread
    /// may be, is to hold the state's lock. Where nothing can be looked at any more, the watch ends.
    async fn look<T: Send + 'static>(
        &mut self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Option<T> {
        let replica = self.replica.clone();
        let looking = self
            .callers
            .spawn(async move { replica.applied().read(look) });
        let seen = looking.await;
        if let Err(error) = &seen {
            self.ended = true;
            if error.is_panic() {
                tracing::error!(%error, "a watch ends, since the state could not be read");
            }
        }
        seen.ok()
    }

    /// All up to a revision was told; of one that has not come yet, or was told in part, there is nothing to
    /// say.
    async fn bookmark(&mut self) -> Bytes {
        let seen = self
            .look(|state| (state.revision(), state.clock().wall_ms()))
            .await;
        let Some((applied, wall_ms)) = seen else {
            return Bytes::new();
        };
        let revision = self.after.revision;
        if revision > applied || self.after != EventId::end_of(revision) {
            return Bytes::from_static(COMMENT);
        }
        let mut bytes = Vec::new();
        WatchEvent::bookmark(revision, wall_ms).write(Some(self.after), &mut bytes);
        bytes.into()
    }

    /// A page from the ring itself; the last word where the ring does not reach back so far.
    async fn read_behind(&mut self) -> Bytes {
        let (after, filter) = (self.after, self.lens.filter.clone());
        let seen = self.look(move |state| {
            let read = state.watch(after, &filter, PAGE_EVENTS);
            (read, state.clock().wall_ms())
        });
        let Some((read, wall_ms)) = seen.await else {
            return Bytes::new();
        };
        match read {
            Ok(page) => {
                self.reach(page.reached);
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
