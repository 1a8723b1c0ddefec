//! Which commands go into the next entry: a queue without a clock, a task or a lock of its own.
//!
//! Invariants:
//! 1. Commands leave in the order in which they came, each once: into a batch, or as expired.
//! 2. A batch has at least one command, at most [`COMMANDS_MAX`], and at most [`BYTES_MAX`] bytes
//!    unless it is a single command.
//! 3. While an entry is out, what comes waits for the next, so that one sync of each disk serves many. A second
//!    one goes out beside it when it is large itself, or when the first takes longer than [`PATIENCE`]: then a
//!    disk or a network is slow, and waiting costs more than an entry. A third and further ones, up to
//!    [`ENTRIES_MAX`], follow only that slowly, so that a distant quorum is kept busy and a near one is not flooded.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Most commands in an entry.
pub(crate) const COMMANDS_MAX: usize = allocator::command::ENTRY_COMMANDS_MAX;
/// Most encoded bytes of commands in an entry, unless it is one command alone.
pub(crate) const BYTES_MAX: usize = 256 << 10;
/// Most entries that are proposed and not yet applied: as many as go out, one each [`PATIENCE`], while a
/// round trip of 45 ms lasts.
const ENTRIES_MAX: usize = 16;
/// So many commands are worth an entry of their own although one other is out: what it costs on three nodes
/// is then little beside what they cost themselves.
const WORTH_AN_ENTRY: usize = 128;
/// How long the next entry waits for the one before it.
pub(crate) const PATIENCE: Duration = Duration::from_millis(3);

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
    /// Entries that are out, and when the latest went.
    entries: usize,
    latest_at: Option<Instant>,
    /// No item's deadline is before this; `None` when nothing waits.
    first_deadline: Option<Instant>,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub(crate) fn new() -> Queue<T> {
        Queue {
            items: VecDeque::new(),
            entries: 0,
            latest_at: None,
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

    /// Whether an entry may go out now.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        self.ready_at(now).is_some_and(|at| at <= now)
    }

    /// When an entry may go out: now, at a later time, or `None` where nothing waits or as many are out as may be.
    pub(crate) fn ready_at(&self, now: Instant) -> Option<Instant> {
        match (self.items.len(), self.entries) {
            (0, _) | (_, ENTRIES_MAX..) => None,
            (_, 0) | (WORTH_AN_ENTRY.., 1) => Some(now),
            _ => Some(self.latest_at.map_or(now, |at| at + PATIENCE)),
        }
    }

    /// Takes the commands of the next entry, which is then out. `None` when none may go now.
    /// The commands must not be past their deadlines: see [`Queue::expire`].
    pub(crate) fn take_entry(&mut self, now: Instant) -> Option<Vec<Item<T>>> {
        if !self.is_ready(now) {
            return None;
        }
        self.begin(now);
        self.take()
    }

    /// Takes what goes together, first come first; `None` when nothing waits.
    pub(crate) fn take(&mut self) -> Option<Vec<Item<T>>> {
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
            .max(1)
            .min(self.items.len());
        let batch: Vec<_> = self.items.drain(..count).collect();
        if self.items.is_empty() {
            self.first_deadline = None;
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// An entry is out.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.entries += 1;
        self.latest_at = Some(now);
    }

    /// An entry is no longer out.
    pub(crate) fn finish(&mut self) {
        assert!(self.entries > 0, "an entry that ends was out");
        self.entries -= 1;
    }

    /// No entry is out any more: the leadership under which they were proposed has ended.
    pub(crate) fn forget_entries(&mut self) {
        self.entries = 0;
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

    fn waits(queue: &mut Queue<usize>, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(5);
        for command in 0..count {
            queue.push(Item {
                bytes: 1,
                deadline,
                command,
            });
        }
    }

    fn taken(queue: &mut Queue<usize>, at: Instant) -> Option<usize> {
        queue.take_entry(at).map(|batch| batch.len())
    }

    #[test]
    fn what_comes_while_an_entry_is_out_waits_for_its_end() {
        let now = Instant::now();
        let mut queue = queue(&[1]);
        assert_eq!(taken(&mut queue, now), Some(1));
        assert_eq!(queue.ready_at(now), None, "nothing waits");
        waits(&mut queue, 10);
        assert_eq!(queue.ready_at(now), Some(now + PATIENCE));
        assert_eq!(taken(&mut queue, now), None);
        queue.finish();
        assert_eq!(taken(&mut queue, now), Some(10));
    }

    #[test]
    fn a_second_entry_goes_out_when_the_first_takes_long_or_many_wait() {
        let now = Instant::now();
        let mut queue = queue(&[1]);
        assert_eq!(taken(&mut queue, now), Some(1));
        waits(&mut queue, 2);
        let before = now + PATIENCE.saturating_sub(Duration::from_micros(1));
        assert_eq!(taken(&mut queue, before), None);
        assert_eq!(taken(&mut queue, now + PATIENCE), Some(2));
        waits(&mut queue, WORTH_AN_ENTRY);
        assert_eq!(taken(&mut queue, now), None, "two are out");
        queue.finish();
        assert_eq!(taken(&mut queue, now), Some(WORTH_AN_ENTRY));
    }

    #[test]
    fn entries_follow_each_other_while_a_distant_quorum_answers_none_of_them() {
        let now = Instant::now();
        let mut queue = queue(&[]);
        let mut went = Vec::new();
        for millisecond in 0..100 {
            let at = now + Duration::from_millis(millisecond);
            waits(&mut queue, 1);
            if let Some(commands) = taken(&mut queue, at) {
                went.push((millisecond, commands));
            }
        }
        assert_eq!(went.len(), ENTRIES_MAX);
        assert_eq!(went[..3], [(0, 1), (3, 3), (6, 3)]);
        assert_eq!(queue.ready_at(now), None, "as many are out as may be");
        queue.finish();
        assert!(queue.is_ready(now + Duration::from_millis(100)));
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
