//! The newest events, read from the state once for all who watch.
//!
//! 1. The window is a run of events without a gap. Whoever is behind it reads the ring itself, a page
//!    at a time and when it has room for it: no reader, however slow, has anything kept for it.
//! 2. While nobody watches, nothing is read.
//! 3. Watchers are woken at most once in [`PACE`], however many entries are applied.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allocator::view::EventId;
use allocator::watch::EventFilter;
use parking_lot::Mutex;
use raft_store::AppliedState;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::page::Page;

/// Least time between two wake-ups.
const PACE: Duration = Duration::from_millis(20);
/// Most events read under one hold of the state's lock.
pub(super) const PAGE_EVENTS: usize = 128;
/// Events in the window: what a watcher may lie behind without reading by itself.
const WINDOW_EVENTS: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub(in crate::http) struct Feed {
    window: Mutex<Window>,
    /// Counts the times at which the window moved.
    moved: watch::Sender<u64>,
    /// How many watch.
    count: watch::Sender<usize>,
    seats: Arc<Semaphore>,
    positions: Mutex<Positions>,
    /// All streams are to end.
    end: CancellationToken,
}

#[derive(Debug)]
struct Window {
    pages: VecDeque<Arc<Page>>,
    events: usize,
    /// It has all events behind this place …
    start: EventId,
    /// … up to this one.
    end: EventId,
}

/// How far each watcher has come.
#[derive(Debug, Default)]
struct Positions {
    next: u64,
    revisions: BTreeMap<u64, Arc<AtomicU64>>,
}

/// What comes behind a place.
#[derive(Debug)]
pub(super) enum Next {
    /// Events in this page.
    Page(Arc<Page>),
    /// No event up to this place.
    Nothing(EventId),
    /// Nothing is known yet.
    Head,
    /// Something that the window has no more.
    Behind,
}

/// A place among those who watch.
#[derive(Debug)]
pub(super) struct Seat {
    feed: Arc<Feed>,
    number: u64,
    revision: Arc<AtomicU64>,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    pub(in crate::http) fn new(watchers_max: usize) -> Arc<Self> {
        let nowhere = EventId::end_of(0);
        Arc::new(Self {
            window: Mutex::new(Window {
                pages: VecDeque::new(),
                events: 0,
                start: nowhere,
                end: nowhere,
            }),
            moved: watch::Sender::new(0),
            count: watch::Sender::new(0),
            seats: Arc::new(Semaphore::new(watchers_max.min(Semaphore::MAX_PERMITS))),
            positions: Mutex::default(),
            end: CancellationToken::new(),
        })
    }

    /// Ends all streams, and lets none begin.
    pub(in crate::http) fn end(&self) {
        self.end.cancel();
    }

    pub(super) fn ended(&self) -> &CancellationToken {
        &self.end
    }

    /// How many watch, and how many revisions the last of them has yet to be told.
    pub(in crate::http) fn lag(&self, revision: u64) -> (usize, u64) {
        let positions = self.positions.lock();
        let told = positions.revisions.values();
        let last = told.map(|told| told.load(Ordering::Relaxed)).min();
        let lag = last.map_or(0, |last| revision.saturating_sub(last));
        (positions.revisions.len(), lag)
    }

    /// A place for one more; `None` when all are taken.
    pub(super) fn seat(self: &Arc<Self>, after: EventId) -> Option<Seat> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let revision = Arc::new(AtomicU64::new(after.revision));
        let number = {
            let mut positions = self.positions.lock();
            positions.next += 1;
            let number = positions.next;
            positions.revisions.insert(number, Arc::clone(&revision));
            number
        };
        self.count.send_modify(|count| *count += 1);
        Some(Seat {
            feed: Arc::clone(self),
            number,
            revision,
            _permit: permit,
        })
    }

    /// Tells when the window moves.
    pub(super) fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// What comes behind a place.
    pub(super) fn next(&self, after: EventId) -> Next {
        let window = self.window.lock();
        if after >= window.end {
            return Next::Head;
        }
        if after < window.start {
            return Next::Behind;
        }
        let page = window.pages.partition_point(|page| page.reached() <= after);
        match window.pages.get(page) {
            Some(page) => Next::Page(Arc::clone(page)),
            None => Next::Nothing(window.end),
        }
    }

    /// Follows the state for as long as it is polled.
    pub(in crate::http) async fn run(&self, applied: &AppliedState) {
        let (mut changes, mut watchers) = (applied.watch(), self.count.subscribe());
        loop {
            if watchers.wait_for(|count| *count > 0).await.is_err() {
                return;
            }
            self.restart(applied);
            while *watchers.borrow_and_update() > 0 {
                changes.borrow_and_update();
                self.follow(applied).await;
                tokio::time::sleep(PACE).await;
                tokio::select! {
                    Ok(()) = changes.changed() => {}
                    Ok(()) = watchers.changed() => {}
                    else => return,
                }
            }
            self.window.lock().empty();
        }
    }

    /// Begins anew: what follows comes behind all that has happened.
    fn restart(&self, applied: &AppliedState) {
        let end = applied.read(allocator::State::events_end);
        let mut window = self.window.lock();
        window.end = end;
        window.empty();
        drop(window);
        self.moved.send_modify(|moved| *moved += 1);
    }

    /// Reads what is new, and wakes those who wait for it.
    async fn follow(&self, applied: &AppliedState) {
        loop {
            let after = self.window.lock().end;
            let everything = EventFilter::default();
            let read = applied.read(|state| state.watch(after, &everything, PAGE_EVENTS));
            let Ok(read) = read else {
                // A snapshot was installed whose events begin later.
                return self.restart(applied);
            };
            let is_end = read.is_end;
            let is_new = read.reached > after;
            self.window.lock().extend(Page::new(after, read));
            if is_new {
                self.moved.send_modify(|moved| *moved += 1);
            }
            if is_end {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Window {
    fn empty(&mut self) {
        self.pages.clear();
        self.events = 0;
        self.start = self.end;
    }

    fn extend(&mut self, page: Page) {
        self.end = page.reached();
        if page.len() == 0 {
            return;
        }
        self.events += page.len();
        self.pages.push_back(Arc::new(page));
        while self.events > WINDOW_EVENTS
            && let Some(page) = self.pages.pop_front()
        {
            self.events -= page.len();
            self.start = page.reached();
        }
    }
}

impl Seat {
    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The watcher has been told all up to that revision.
    pub(super) fn told(&self, revision: u64) {
        self.revision.store(revision, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.feed.positions.lock().revisions.remove(&self.number);
        self.feed.count.send_modify(|count| *count -= 1);
    }
}
