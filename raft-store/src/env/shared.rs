//! A core that its driver steps, and whoever has a little work for it as well: that spares waking a
//! thread for that little, and being woken by it again.

use std::sync::Arc;

use parking_lot::Mutex;

use super::core::{Core, Next};

/// See the module. Clones are the same core.
pub(crate) struct Shared<C>(Arc<Mutex<Option<C>>>);

impl<C> Clone for Shared<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Core> Shared<C> {
    pub(crate) fn new(core: C) -> Self {
        Self(Arc::new(Mutex::new(Some(core))))
    }

    /// Steps the core on this thread while `goes_on`, unless another steps it just now. Whether all it had
    /// to do is done; if not, its bell has to be rung.
    pub(crate) fn step_here(&self, goes_on: impl Fn(&C) -> bool) -> bool {
        let Some(mut slot) = self.0.try_lock() else {
            return false;
        };
        while let Some(core) = slot.as_mut() {
            if !goes_on(core) {
                return false;
            }
            match core.step() {
                Next::Again => {}
                Next::Wait(None) => return true,
                Next::Wait(Some(_)) => return false,
                Next::Stop => *slot = None,
            }
        }
        // It has stopped; its driver has to learn that.
        false
    }
}

impl<C: Core> Core for Shared<C> {
    fn step(&mut self) -> Next {
        let mut slot = self.0.lock();
        let Some(core) = slot.as_mut() else {
            return Next::Stop;
        };
        let next = core.step();
        if next == Next::Stop {
            *slot = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::super::{Bell, Env, Inbox, Post, Priority, RealEnv, inbox};
    use super::*;

    /// Takes numbers down; waits as long as it is told to.
    struct Clerk {
        inbox: Inbox<u32>,
        seen: Arc<Mutex<Vec<u32>>>,
        waits: Option<Duration>,
    }

    impl Core for Clerk {
        fn step(&mut self) -> Next {
            match self.inbox.pop() {
                Some(number) => self.seen.lock().push(number),
                None if self.inbox.is_closed() => return Next::Stop,
                None => return Next::Wait(self.waits),
            }
            Next::Again
        }
    }

    fn clerk(waits: Option<Duration>) -> (Post<u32>, Bell, Clerk, Arc<Mutex<Vec<u32>>>) {
        let bell = Bell::new();
        let (post, inbox) = inbox(bell.clone());
        let seen = Arc::default();
        let clerk = Clerk {
            inbox,
            seen: Arc::clone(&seen),
            waits,
        };
        (post, bell, clerk, seen)
    }

    /// How long it takes until as many are seen; at most ten seconds.
    fn waited_for(seen: &Mutex<Vec<u32>>, count: usize) -> Duration {
        let env = RealEnv::new();
        let begun = env.monotonic();
        let waited = || env.monotonic().saturating_sub(begun);
        while seen.lock().len() < count && waited() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(seen.lock().len(), count);
        waited()
    }

    #[test]
    fn what_is_put_is_done_where_it_came_from_and_the_driver_does_the_rest() {
        let (post, bell, clerk, seen) = clerk(None);
        let shared = Shared::new(clerk);
        post.put(1);
        post.put(2);
        assert!(
            shared.step_here(|_| true),
            "it waits, with nothing left to do"
        );
        assert_eq!(*seen.lock(), [1, 2]);

        post.put(3);
        assert!(
            !shared.step_here(|_| false),
            "left to the driver, which is not there yet"
        );
        let driven = Box::new(shared.clone());
        let handle = RealEnv::new().spawn_core("clerk", Priority::Normal, bell, driven);
        let handle = handle.expect("a thread");
        waited_for(&seen, 3);
        post.send(4);
        waited_for(&seen, 4);
        drop(post);
        handle.stopped_blocking();
        assert!(!shared.step_here(|_| true), "it has stopped");
    }

    #[test]
    fn a_core_that_another_steps_just_now_is_left_to_it() {
        let (post, _, clerk, seen) = clerk(None);
        let shared = Shared::new(clerk);
        let other = shared.0.lock();
        post.put(1);
        assert!(!shared.step_here(|_| true));
        drop(other);
        assert!(seen.lock().is_empty());
        assert!(shared.step_here(|_| true));
        assert_eq!(*seen.lock(), [1]);
    }

    #[test]
    fn what_is_left_wakes_nobody_but_one_who_would_sleep_on() {
        let nap = Duration::from_secs(2);
        let (post, bell, clerk, seen) = clerk(Some(nap));
        let env = RealEnv::new();
        let handle = env.spawn_core("naps", Priority::Normal, bell, Box::new(clerk));
        let handle = handle.expect("a thread");
        post.send(1);
        waited_for(&seen, 1);
        // It naps now, or is about to.
        std::thread::sleep(nap / 8);
        post.leave(2);
        let waited = waited_for(&seen, 2);
        assert!(
            waited > nap / 2,
            "it was woken after {waited:?} for what could wait"
        );
        drop(post);
        handle.stopped_blocking();

        let (post, bell, clerk, seen) = self::clerk(None);
        let handle = env.spawn_core("sleeps", Priority::Normal, bell, Box::new(clerk));
        let handle = handle.expect("a thread");
        for number in 1..=1_000 {
            // Whether it sleeps already or is about to.
            post.leave(number);
            if number % 3 == 0 {
                std::thread::yield_now();
            }
        }
        waited_for(&seen, 1_000);
        drop(post);
        handle.stopped_blocking();
    }
}
