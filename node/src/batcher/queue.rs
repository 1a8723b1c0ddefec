//! Which commands go into the next entry: a queue without a clock, a task or a lock of its own.
//!
//! Invariants:
//! 1. Commands leave in the order in which they came, each once: into a batch, or as expired.
//! 2. A batch has at least one command, at most [`COMMANDS_MAX`], and at most [`BYTES_MAX`] bytes
//!    unless it is a single command.
//! 3. At most [`IN_FLIGHT_MAX`] batches are out at a time. There is no timer: while two are out,
//!    the queue grows into the next, so that one sync of the disk serves many.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Most commands in an entry.
pub(crate) const COMMANDS_MAX: usize = allocator::command::ENTRY_COMMANDS_MAX;
/// Most encoded bytes of commands in an entry, unless it is one command alone.
pub(crate) const BYTES_MAX: usize = 256 << 10;
/// Most entries that are proposed and not yet applied. More would split the batches, and each
/// entry costs a sync.
pub(crate) const IN_FLIGHT_MAX: usize = 2;

/// A command that waits.
#[derive(Debug)]
pub(crate) struct Item<T> {
    /// Its encoded size.
    pub(crate) bytes: usize,
    /// When nobody waits for it any more.
    pub(crate) deadline: Instant,
    /// The command, and where its answer goes.
    pub(crate) command: T,
}

/// The commands that wait, and how many batches are out.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    items: VecDeque<Item<T>>,
    in_flight: usize,
    /// No item's deadline is before this; `None` when nothing waits.
    first_deadline: Option<Instant>,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub(crate) fn new() -> Queue<T> {
        Queue {
            items: VecDeque::new(),
            in_flight: 0,
            first_deadline: None,
        }
    }

    /// Adds a command. The caller bounds how many wait.
    pub(crate) fn push(&mut self, item: Item<T>) {
        self.first_deadline = Some(
            self.first_deadline
                .map_or(item.deadline, |first| first.min(item.deadline)),
        );
        self.items.push_back(item);
    }

    /// Whether a batch may be taken now.
    pub(crate) fn is_ready(&self) -> bool {
        self.in_flight < IN_FLIGHT_MAX && !self.items.is_empty()
    }

    /// Takes the next batch, which is then out. `None` when nothing waits or two are out already.
    /// The commands must not be past their deadlines: see [`Queue::expire`].
    pub(crate) fn take(&mut self) -> Option<Vec<Item<T>>> {
        if !self.is_ready() {
            return None;
        }
        let mut bytes = 0;
        let count = self
            .items
            .iter()
            .take(COMMANDS_MAX)
            .take_while(|item| {
                bytes += item.bytes;
                bytes <= BYTES_MAX
            })
            .count()
            .max(1);
        self.in_flight += 1;
        let batch = self.items.drain(..count).collect();
        if self.items.is_empty() {
            self.first_deadline = None;
        }
        Some(batch)
    }

    /// A batch that never waited here is out.
    pub(crate) fn begin(&mut self) {
        self.in_flight += 1;
    }

    /// A batch is no longer out.
    pub(crate) fn finish(&mut self) {
        assert!(self.in_flight > 0, "a batch that ends was out");
        self.in_flight -= 1;
    }

    /// No batch is out any more: the leadership under which they were proposed has ended.
    pub(crate) fn forget_in_flight(&mut self) {
        self.in_flight = 0;
    }

    /// Takes out what nobody waits for any more.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Item<T>> {
        if self.first_deadline.is_none_or(|first| first > now) {
            return Vec::new();
        }
        let (expired, waiting): (VecDeque<_>, VecDeque<_>) =
            self.items.drain(..).partition(|item| item.deadline <= now);
        self.items = waiting;
        self.first_deadline = self.items.iter().map(|item| item.deadline).min();
        Vec::from(expired)
    }

    /// Takes out everything.
    pub(crate) fn drain(&mut self) -> Vec<Item<T>> {
        self.first_deadline = None;
        self.items.drain(..).collect()
    }

    /// No command that waits has its deadline before this.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn queue(sizes: &[usize]) -> Queue<usize> {
        let mut queue = Queue::new();
        let deadline = Instant::now() + Duration::from_secs(5);
        for (number, bytes) in sizes.iter().enumerate() {
            queue.push(Item {
                bytes: *bytes,
                deadline,
                command: number,
            });
        }
        queue
    }

    fn sizes_of_batches(queue: &mut Queue<usize>) -> Vec<usize> {
        let mut sizes = Vec::new();
        let mut next = 0;
        while let Some(batch) = queue.take() {
            for item in &batch {
                assert_eq!(
                    item.command, next,
                    "commands leave in the order in which they came"
                );
                next += 1;
            }
            sizes.push(batch.len());
            queue.finish();
        }
        sizes
    }

    #[test]
    fn batches_are_bounded_by_count_and_bytes() {
        let small = vec![100; 2_500];
        let cases: [(&str, &[usize], &[usize]); 7] = [
            ("nothing", &[], &[]),
            ("one", &[10], &[1]),
            ("by count", &small, &[1_024, 1_024, 452]),
            (
                "exactly the bytes",
                &[BYTES_MAX / 2, BYTES_MAX / 2, 1],
                &[2, 1],
            ),
            (
                "one byte too many",
                &[BYTES_MAX / 2, BYTES_MAX / 2 + 1, 1],
                &[1, 2],
            ),
            (
                "larger than an entry, alone",
                &[BYTES_MAX * 4, 1, 1],
                &[1, 2],
            ),
            ("a large one ends a batch", &[1, 1, BYTES_MAX], &[2, 1]),
        ];
        for (name, sizes, expected) in cases {
            assert_eq!(sizes_of_batches(&mut queue(sizes)), expected, "{name}");
        }
    }

    #[test]
    fn while_two_are_out_the_queue_grows_into_the_next() {
        let mut queue = queue(&[1]);
        assert_eq!(queue.take().map(|batch| batch.len()), Some(1));
        let deadline = Instant::now() + Duration::from_secs(5);
        queue.push(Item {
            bytes: 1,
            deadline,
            command: 1,
        });
        assert_eq!(queue.take().map(|batch| batch.len()), Some(1));
        for number in 0..10 {
            queue.push(Item {
                bytes: 1,
                deadline,
                command: number,
            });
        }
        assert!(queue.take().is_none());
        queue.finish();
        assert_eq!(queue.take().map(|batch| batch.len()), Some(10));
        assert!(queue.take().is_none(), "two are out again");
    }

    #[test]
    fn what_is_past_its_deadline_is_never_in_a_batch() {
        let now = Instant::now();
        let mut queue = Queue::new();
        for (number, seconds) in [1, 9, 2, 8].into_iter().enumerate() {
            queue.push(Item {
                bytes: 1,
                deadline: now + Duration::from_secs(seconds),
                command: number,
            });
        }
        assert_eq!(queue.next_deadline(), Some(now + Duration::from_secs(1)));
        assert!(queue.expire(now).is_empty());
        let expired: Vec<usize> = queue
            .expire(now + Duration::from_secs(2))
            .into_iter()
            .map(|item| item.command)
            .collect();
        assert_eq!(expired, [0, 2]);
        let batch: Vec<usize> = queue
            .take()
            .expect("two wait")
            .into_iter()
            .map(|item| item.command)
            .collect();
        assert_eq!(batch, [1, 3]);
    }
}
