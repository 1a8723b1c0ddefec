//! Where the answer to a command goes: to whoever waits for this one, or for several that came together.
//!
//! Invariant: each command ends once. One that is dropped without having been ended was lost on the way, and its
//! outcome is unknown.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Answered, Unanswered};

/// What comes of one command.
pub(super) type Ended = Result<Answered, Unanswered>;

/// The place that waits for what comes of a command.
#[derive(Debug)]
pub(super) struct Done(Option<To>);

#[derive(Debug)]
enum To {
    One(oneshot::Sender<Ended>),
    Part(Arc<Gathering>, usize),
}

impl Done {
    /// The end of one command.
    pub(super) fn one() -> (Done, oneshot::Receiver<Ended>) {
        let (done, ended) = oneshot::channel();
        (Done(Some(To::One(done))), ended)
    }

    /// The ends of `count` commands, gathered.
    pub(super) fn many(count: usize) -> (Vec<Done>, Gathered) {
        let (all, complete) = oneshot::channel();
        let gathering = Arc::new(Gathering(Mutex::new(Ends {
            ended: vec![Err(Unanswered::OutcomeUnknown); count],
            left: count,
            all: Some(all),
        })));
        let part = |place| Done(Some(To::Part(Arc::clone(&gathering), place)));
        let parts = (0..count).map(part).collect();
        (
            parts,
            Gathered {
                gathering,
                complete,
            },
        )
    }

    /// Ends the command.
    pub(super) fn end(mut self, ended: Ended) {
        self.tell(ended);
    }

    fn tell(&mut self, ended: Ended) {
        match self.0.take() {
            // Whoever waited may have given up.
            Some(To::One(done)) => drop(done.send(ended)),
            Some(To::Part(gathering, place)) => gathering.put(place, ended),
            None => {}
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        self.tell(Err(Unanswered::OutcomeUnknown));
    }
}

#[derive(Debug)]
struct Gathering(Mutex<Ends>);

#[derive(Debug)]
struct Ends {
    ended: Vec<Ended>,
    left: usize,
    all: Option<oneshot::Sender<()>>,
}

impl Gathering {
    fn put(&self, place: usize, ended: Ended) {
        let mut ends = self.0.lock();
        // Past the deadline they have been told already.
        if let Some(slot) = ends.ended.get_mut(place) {
            *slot = ended;
        }
        ends.left -= 1;
        if ends.left == 0
            && let Some(all) = ends.all.take()
        {
            // Whoever waited may have given up.
            all.send(()).ok();
        }
    }
}

/// Waits for the ends of several commands.
#[derive(Debug)]
pub(super) struct Gathered {
    gathering: Arc<Gathering>,
    complete: oneshot::Receiver<()>,
}

impl Gathered {
    /// All of them, each at its place; what has not ended by the deadline is unknown.
    pub(super) async fn by(self, deadline: Instant) -> Vec<Ended> {
        // Either way what there is is what is told.
        drop(timeout_at(deadline, self.complete).await);
        std::mem::take(&mut self.gathering.0.lock().ended)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::peers::wire::NotProposed;

    const BUSY: Ended = Err(Unanswered::NotProposed(NotProposed::TooBusy));
    const LATE: Ended = Err(Unanswered::NotProposed(NotProposed::Late));
    const UNKNOWN: Ended = Err(Unanswered::OutcomeUnknown);

    #[tokio::test(start_paused = true)]
    async fn each_command_of_several_ends_at_its_own_place() {
        let (mut parts, gathered) = Done::many(3);
        let (last, first) = (parts.pop().unwrap(), parts.remove(0));
        last.end(LATE);
        first.end(BUSY);
        drop(parts);
        let begun = Instant::now();
        let ended = gathered.by(begun + Duration::from_secs(1)).await;
        assert_eq!(
            ended,
            [BUSY, UNKNOWN, LATE],
            "the one in the middle was lost"
        );
        assert_eq!(begun.elapsed(), Duration::ZERO, "all have ended");
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_after_the_deadline_is_unknown() {
        let (mut parts, gathered) = Done::many(2);
        parts.remove(0).end(BUSY);
        let begun = Instant::now();
        let wait = Duration::from_secs(1);
        assert_eq!(gathered.by(begun + wait).await, [BUSY, UNKNOWN]);
        assert_eq!(begun.elapsed(), wait);
        parts.remove(0).end(LATE);
    }

    #[tokio::test]
    async fn one_that_is_dropped_is_unknown() {
        let (done, ended) = Done::one();
        drop(done);
        assert_eq!(ended.await, Ok(UNKNOWN));
        let (done, ended) = Done::one();
        done.end(LATE);
        assert_eq!(ended.await, Ok(LATE));
    }
}
