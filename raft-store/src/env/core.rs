//! Cores and how they are woken: a core is a synchronous state machine, a driver steps it.
//!
//! The same core runs on a thread of its own in production and in a task of the simulation. What
//! others want from it they post to its [`Inbox`], which rings its [`Bell`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, oneshot};

/// A synchronous state machine that a driver steps.
pub trait Core: Send + 'static {
    /// Does one bounded piece of work.
    ///
    /// A piece of work ends where a crash makes a difference: a core that writes and then syncs
    /// does so in two steps, so that the simulation can crash between them.
    fn step(&mut self) -> Next;
}

/// What a core wants after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another step at once.
    Again,
    /// A step when the bell rings or, with a duration, at the latest after it.
    Wait(Option<Duration>),
    /// No further step.
    Stop,
}

/// How urgent a core's work is to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Somebody waits for it.
    Normal,
    /// Nobody waits for it; it gives way to what is normal.
    Background,
}

/// Wakes a core. A ring while the core works is kept until it waits.
#[derive(Clone, Default)]
pub struct Bell(Arc<BellInner>);

#[derive(Default)]
struct BellInner {
    state: Mutex<BellState>,
    thread: Condvar,
    task: Notify,
}

#[derive(Default)]
struct BellState {
    rung: bool,
    /// Something was left since the core last woke.
    left: bool,
    /// The core waits, and nothing but a ring ends that.
    sleeps: bool,
}

impl Bell {
    /// A bell that nobody waits for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the core, now or as soon as it waits.
    pub fn ring(&self) {
        let mut state = self.0.state.lock();
        if !state.rung {
            state.rung = true;
            self.0.thread.notify_one();
            self.0.task.notify_one();
        }
    }

    /// Tells a core that wakes by itself within some time of what it finds then; any other is woken.
    fn leave(&self) {
        let sleeps = {
            let mut state = self.0.state.lock();
            state.left = true;
            state.sleeps
        };
        if sleeps {
            self.ring();
        }
    }

    /// Blocks the thread until the bell has been rung, at most `limit`.
    pub(super) fn wait_thread(&self, limit: Option<Duration>) {
        let mut state = self.0.state.lock();
        if !state.waits(limit) {
            return;
        }
        match limit {
            Some(limit) => {
                self.0.thread.wait_for(&mut state, limit);
            }
            None => self.0.thread.wait(&mut state),
        }
        *state = BellState::default();
    }

    /// Waits in a task until the bell has been rung, at most `limit`.
    pub(super) async fn wait_task(&self, limit: Option<Duration>) {
        if !self.0.state.lock().waits(limit) {
            return;
        }
        let rung = async {
            while !self.0.state.lock().rung {
                self.0.task.notified().await;
            }
        };
        match limit {
            // Woken late or not at all, the core looks for what there is.
            Some(limit) => drop(tokio::time::timeout(limit, rung).await),
            None => rung.await,
        }
        *self.0.state.lock() = BellState::default();
    }
}

impl BellState {
    /// Begins to wait, unless there is something for the core already.
    fn waits(&mut self, limit: Option<Duration>) -> bool {
        let sleeps = limit.is_none();
        let ready = self.rung || (self.left && sleeps);
        *self = Self {
            sleeps: sleeps && !ready,
            ..Self::default()
        };
        !ready
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}

/// Makes the two ends of a core's inbox. The bell rings at each post, and when the last poster
/// is gone.
pub fn inbox<T>(bell: Bell) -> (Post<T>, Inbox<T>) {
    let queue = Arc::new(Queue {
        items: Mutex::new(Some(VecDeque::new())),
        closed: AtomicBool::new(false),
        bell,
    });
    (Post(Arc::new(Poster(Arc::clone(&queue)))), Inbox(queue))
}

struct Queue<T> {
    /// `None` once the inbox is gone.
    items: Mutex<Option<VecDeque<T>>>,
    closed: AtomicBool,
    bell: Bell,
}

struct Poster<T>(Arc<Queue<T>>);

impl<T> Drop for Poster<T> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.bell.ring();
    }
}

/// The sending end of an inbox.
pub struct Post<T>(Arc<Poster<T>>);

impl<T> Post<T> {
    /// Adds a message in order of call and rings the bell. When the core is gone the message is
    /// dropped, and with it whatever would have carried the answer.
    ///
    /// Bounded by its users: each awaits the answer to its message, or is itself bounded.
    pub fn send(&self, message: T) {
        self.put(message);
        self.ring();
    }

    /// The first half of [`Post::send`]: the core is not woken.
    pub(crate) fn put(&self, message: T) {
        if let Some(items) = &mut *self.0.0.items.lock() {
            items.push_back(message);
        }
    }

    /// The second half.
    pub(crate) fn ring(&self) {
        self.0.0.bell.ring();
    }

    /// As [`Post::send`], but a core that wakes by itself within some time is not woken for it.
    pub fn leave(&self, message: T) {
        self.put(message);
        self.0.0.bell.leave();
    }
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Post<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

/// The receiving end of an inbox.
pub struct Inbox<T>(Arc<Queue<T>>);

impl<T> Inbox<T> {
    /// All messages that have come, in order.
    pub fn take(&self) -> VecDeque<T> {
        self.0
            .items
            .lock()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The oldest message.
    pub fn pop(&self) -> Option<T> {
        self.0.items.lock().as_mut()?.pop_front()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.0.items.lock().as_ref().is_none_or(VecDeque::is_empty)
    }

    /// Whether all posters are gone. Messages may still wait.
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        // Outside the lock: dropping a message may run code that posts another.
        let left = self.0.items.lock().take();
        drop(left);
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// Tells when a core has stopped.
#[derive(Debug)]
pub struct CoreHandle {
    name: &'static str,
    stopped: oneshot::Receiver<()>,
}

impl CoreHandle {
    /// The handle, and the sender that the driver drops when the core is gone.
    pub(super) fn new(name: &'static str) -> (Self, oneshot::Sender<()>) {
        let (sender, stopped) = oneshot::channel();
        (Self { name, stopped }, sender)
    }

    /// The core's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Waits until the core has stopped and been dropped.
    pub async fn stopped(self) {
        // The driver only ever drops the sender; either way the core is gone.
        drop(self.stopped.await);
    }

    /// Blocks until the core has stopped and been dropped. Not for use inside a runtime.
    pub fn stopped_blocking(self) {
        drop(self.stopped.blocking_recv());
    }
}
