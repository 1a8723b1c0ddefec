//! The newest events, read from the state once for all who watch.
//!
//! 1. The window is a run of events without a gap. Whoever is behind it reads the ring itself, a page
//!    at a time and when it has room for it: no reader, however slow, has anything kept for it.
//! 2. While nobody watches, nothing is read.
//! 3. However many entries are applied: every [`STEP`] one group of the watchers is woken, and each
//!    watcher at most once in a round of the groups. Few watchers are one group and are told at
//!    once; many are spread over the round, so that what they cost comes evenly and no request waits
//!    for all of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allocator::view::EventId;
use allocator::watch::EventFilter;
use bytes::Bytes;
use parking_lot::Mutex;
use raft_store::AppliedState;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::page::{Lens, Page};

/// Least time between two looks at the state, and between waking one group and the next.
const STEP: Duration = Duration::from_millis(4);
/// Most groups: a round of them is 48 ms, so that an event is at a watcher some 50 ms after it was applied at
/// the latest, where the machine keeps up. Waking costs the same for one event and for many, and is what
/// watchers cost.
const GROUPS_MAX: usize = 12;
/// Watchers of one group, before there are more of them.
const GROUP_WATCHERS: usize = 32;
/// Most events read under one hold of the state's lock.
pub(super) const PAGE_EVENTS: usize = 128;
/// Events in the window: what a watcher may lie behind without reading by itself.
const WINDOW_EVENTS: usize = 1_024;
/// Most ways of telling the newest events that are kept; what is beyond is put together for whoever asks.
const TELLINGS_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub(in crate::http) struct Feed {
    window: Mutex<Window>,
    /// For each slot, the place up to which those who sit there were woken.
    woken: [watch::Sender<EventId>; GROUPS_MAX],
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
    /// What was told since the window last grew: those who are woken together are told the same.
    tellings: Vec<Telling>,
}

/// What all who were at one place, and are told the same, are told next.
#[derive(Debug)]
struct Telling {
    identity: Arc<str>,
    after: EventId,
    told: Told,
}

/// What a watcher is told next, in one piece: each costs a chunk of its own.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Empty where nothing concerns it.
    pub(super) bytes: Bytes,
    /// All up to here is in it, or was told before.
    pub(super) reached: EventId,
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
    /// This.
    Told(Told),
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
                tellings: Vec::new(),
            }),
            woken: std::array::from_fn(|_| watch::Sender::new(nowhere)),
            count: watch::Sender::new(0),
            seats: Arc::new(Semaphore::new(watchers_max.min(Semaphore::MAX_PERMITS))),
            positions: Mutex::default(),
            end: CancellationToken::new(),
        })
    }

    /// Ends all streams, and lets none begin.
    pub(in crate::http) fn end(&self) {
        self.end.cancel();
        for slot in &self.woken {
            slot.send_modify(|_| {});
        }
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

    /// What comes behind a place, for one who looks through `lens`.
    pub(super) fn next(&self, after: EventId, lens: &Lens) -> Next {
        let (pages, reached) = {
            let window = self.window.lock();
            if after >= window.end {
                return Next::Head;
            }
            if after < window.start {
                return Next::Behind;
            }
            if let Some(told) = window.telling(after, &lens.identity) {
                return Next::Told(told.clone());
            }
            window.pages_behind(after)
        };
        let told = Told {
            bytes: concat(pages.iter().map(|page| page.tell(lens, after))),
            reached,
        };
        self.window.lock().keep(Telling {
            identity: Arc::clone(&lens.identity),
            after,
            told: told.clone(),
        });
        Next::Told(told)
    }

    /// Follows the state for as long as it is polled.
    pub(in crate::http) async fn run(&self, applied: &AppliedState) {
        let (mut changes, mut watchers) = (applied.watch(), self.count.subscribe());
        loop {
            if watchers.wait_for(|count| *count > 0).await.is_err() {
                return;
            }
            self.restart(applied);
            let (mut turn, mut stepped, mut steps) = (0, Instant::now(), interval(STEP));
            steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                steps.tick().await;
                let count = *watchers.borrow_and_update();
                if count == 0 {
                    break;
                }
                changes.borrow_and_update();
                self.follow(applied).await;
                let groups = (count / GROUP_WATCHERS).clamp(1, GROUPS_MAX);
                // On a busy machine a step comes late; the round is not to last longer for that.
                let late = stepped.elapsed().as_millis() / STEP.as_millis();
                let due = usize::try_from(late).unwrap_or(groups).clamp(1, groups);
                stepped = Instant::now();
                let ahead = |slot: usize| (slot + groups - turn % groups) % groups;
                self.wake((0..GROUPS_MAX).filter(|slot| ahead(*slot) < due));
                turn = (turn + due) % groups;
                if self.all_are_woken() {
                    tokio::select! {
                        Ok(()) = changes.changed() => {}
                        Ok(()) = watchers.changed() => {}
                        else => return,
                    }
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
        self.wake(0..GROUPS_MAX);
    }

    /// Reads what is new.
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
            self.window.lock().extend(Page::new(after, read));
            if is_end {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Wakes those of some slots for whom there is something that they were not woken for.
    fn wake(&self, slots: impl Iterator<Item = usize>) {
        let end = self.window.lock().end;
        for slot in slots {
            self.woken[slot].send_if_modified(|woken| std::mem::replace(woken, end) != end);
        }
    }

    fn all_are_woken(&self) -> bool {
        let end = self.window.lock().end;
        self.woken.iter().all(|woken| *woken.borrow() == end)
    }
}

impl Window {
    fn empty(&mut self) {
        self.pages.clear();
        self.tellings.clear();
        self.events = 0;
        self.start = self.end;
    }

    fn extend(&mut self, page: Page) {
        self.end = page.reached();
        if page.len() == 0 {
            return;
        }
        self.tellings.clear();
        self.events += page.len();
        self.pages.push_back(Arc::new(page));
        while self.events > WINDOW_EVENTS
            && let Some(page) = self.pages.pop_front()
        {
            self.events -= page.len();
            self.start = page.reached();
        }
    }

    /// The pages behind a place, as far as they make one piece, and up to where all is in them.
    fn pages_behind(&self, after: EventId) -> (Vec<Arc<Page>>, EventId) {
        let first = self.pages.partition_point(|page| page.reached() <= after);
        let mut events = 0;
        let fits = |page: &&Arc<Page>| {
            let is_first = events == 0;
            events += page.len();
            is_first || events <= PAGE_EVENTS
        };
        let behind = self.pages.iter().skip(first);
        let pages: Vec<_> = behind.take_while(fits).map(Arc::clone).collect();
        let next = self.pages.get(first + pages.len());
        // Behind the last page there is nothing up to the end.
        let reached = next.map_or(self.end, |next| next.after());
        (pages, reached)
    }

    fn telling(&self, after: EventId, identity: &str) -> Option<&Told> {
        let mut tellings = self.tellings.iter();
        let same = |kept: &&Telling| kept.after == after && *kept.identity == *identity;
        tellings.find(same).map(|kept| &kept.told)
    }

    fn keep(&mut self, telling: Telling) {
        let known = self.telling(telling.after, &telling.identity).is_some();
        if self.tellings.len() < TELLINGS_MAX && !known {
            self.tellings.push(telling);
        }
    }
}

/// Pieces as one; a single one is not copied.
fn concat(pieces: impl Iterator<Item = Bytes>) -> Bytes {
    let pieces: Vec<Bytes> = pieces.collect();
    match pieces.as_slice() {
        [piece] => piece.clone(),
        pieces => pieces.concat().into(),
    }
}

impl Seat {
    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Tells when there may be something new for whoever sits here.
    pub(super) fn wakes(&self) -> watch::Receiver<EventId> {
        let slots = self.feed.woken.iter().cycle();
        let mut own = slots.skip(usize::try_from(self.number % GROUPS_MAX as u64).unwrap_or(0));
        own.next().expect("there are slots").subscribe()
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
