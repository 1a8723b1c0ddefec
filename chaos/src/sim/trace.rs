//! What happened, as text in order of time.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::invariants::Glimpse;

/// A trace; clones write to the same one.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    last: BTreeMap<u64, Glimpse>,
}

impl Trace {
    pub(super) fn event(&self, at: Duration, what: &str) {
        self.lock()
            .lines
            .push(format!("{:>9.3} {what}", at.as_secs_f64()));
    }

    /// Notes what a node shows, where it is not what it showed before.
    pub(super) fn glimpse(&self, at: Duration, glimpse: &Glimpse) {
        let mut inner = self.lock();
        if inner.last.insert(glimpse.node, *glimpse) != Some(*glimpse) {
            let Glimpse {
                node,
                start,
                disk,
                vote: (term, candidate),
                leader,
                applied,
                revision,
                digest,
                clock_ms,
                replaced,
            } = glimpse;
            let leader = leader.unwrap_or(0);
            let index = applied.map_or(0, |applied| applied.index);
            let line = format!(
                "{:>9.3} node {node}.{disk}.{start} vote {term}-{candidate} leader {leader} applied {index} revision {revision} \
                 clock {clock_ms} snapshots {replaced} digest {digest:032x}",
                at.as_secs_f64()
            );
            inner.lines.push(line);
        }
    }

    /// A number that two traces share when, in all likelihood, they are the same.
    pub fn hash(&self) -> u64 {
        // The standard library's hasher with its fixed keys: the same in every process of one toolchain.
        let mut hasher = DefaultHasher::new();
        for line in &self.lock().lines {
            hasher.write(line.as_bytes());
            hasher.write_u8(b'\n');
        }
        hasher.finish()
    }

    /// The text, a line an event.
    pub fn text(&self) -> String {
        self.lock().lines.join("\n")
    }

    /// How many events there were.
    pub fn len(&self) -> usize {
        self.lock().lines.len()
    }

    /// Nothing happened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.lock().lines == other.lock().lines
    }
}

impl Eq for Trace {}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} events, {:016x})", self.len(), self.hash())
    }
}
