//! What everybody in a run writes into: the history, with times, and what was found.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_tests::requirements::say;
use tokio::time::Instant;

use crate::history::{Line, Op, Recorder, Reply, What};

/// Findings that are told at once; the rest are only counted.
const FINDINGS_TOLD: usize = 30;

/// Written by all tasks of a run; clones are the same diary.
#[derive(Debug, Clone)]
pub(super) struct Diary(Arc<Pages>);

#[derive(Debug)]
struct Pages {
    begun: Instant,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    recorder: Recorder,
    /// When acknowledged writes were asked for and acknowledged, in order of the latter.
    acknowledged: Vec<(u64, u64)>,
    findings: Vec<String>,
}

/// A question that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    id: u64,
    at_us: u64,
    is_write: bool,
}

impl Diary {
    /// Time begins.
    pub(super) fn begin() -> Self {
        Self(Arc::new(Pages {
            begun: Instant::now(),
            written: Mutex::default(),
        }))
    }

    /// Microseconds since the run began.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Writes a line.
    pub(super) fn note(&self, what: What) {
        // The time is read under the lock, so that the lines are in order of time.
        let written = self.lock();
        written.recorder.note(self.now_us(), what);
    }

    /// Writes that a client asks; it must not have sent anything yet.
    pub(super) fn invoke(&self, client: u64, node: u64, op: Op) -> Asked {
        let written = self.lock();
        let at_us = self.now_us();
        let is_write = !matches!(op, Op::Get { .. } | Op::Lookup { .. });
        let id = written.recorder.invoke(at_us, client, node, op);
        Asked {
            id,
            at_us,
            is_write,
        }
    }

    /// Writes what the state machine answered.
    pub(super) fn ok(&self, asked: Asked, reply: Reply) {
        let mut written = self.lock();
        let now = self.now_us();
        if asked.is_write && !matches!(reply, Reply::Refused { .. }) {
            written.acknowledged.push((asked.at_us, now));
        }
        written.recorder.note(
            now,
            What::Ok {
                id: asked.id,
                reply,
            },
        );
    }

    /// Writes that it was surely not done.
    pub(super) fn fail(&self, asked: Asked, code: String) {
        self.note(What::Fail { id: asked.id, code });
    }

    /// Writes that nobody knows whether it was done.
    pub(super) fn unknown(&self, asked: Asked, code: String) {
        self.note(What::Unknown { id: asked.id, code });
    }

    /// When the first write was acknowledged that was asked for at that time or later.
    pub(super) fn served_again(&self, since_us: u64) -> Option<u64> {
        let written = self.lock();
        let later = written.acknowledged.iter().rev();
        later
            .take_while(|(_, acknowledged)| *acknowledged >= since_us)
            .filter(|(asked, _)| *asked >= since_us)
            .map(|(_, acknowledged)| *acknowledged)
            .min()
    }

    /// Something that must not be. It is told at once, and the run fails at its end.
    pub(super) fn found(&self, what: &str) {
        let number = {
            let findings = &mut self.lock().findings;
            findings.push(what.to_owned());
            findings.len()
        };
        // What is wrong is often wrong again and again.
        if number <= FINDINGS_TOLD {
            self.say(&format!("FOUND: {what}"));
        }
    }

    /// All that was found.
    pub(super) fn findings(&self) -> Vec<String> {
        self.lock().findings.clone()
    }

    /// All lines so far.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lock().recorder.lines()
    }

    /// Tells whoever watches the run.
    pub(super) fn say(&self, what: &str) {
        say(&format!("{:>7} s  {what}", seconds(self.now_us())));
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// For people.
pub(super) fn seconds(us: u64) -> String {
    format!("{:.2}", Duration::from_micros(us).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Consistency;

    #[tokio::test(start_paused = true)]
    async fn service_is_back_with_the_first_write_that_was_asked_for_afterwards() {
        let diary = Diary::begin();
        let step = || tokio::time::advance(Duration::from_micros(10));
        let release = || Op::Release {
            name: "a".to_owned(),
            generation: 1,
        };
        let released = || Reply::Released {
            generation: 1,
            revision: 1,
        };
        let before = diary.invoke(1, 1, release());
        step().await;
        let killed = diary.now_us();
        step().await;
        let read = diary.invoke(
            2,
            1,
            Op::Get {
                name: "a".to_owned(),
                consistency: Consistency::Linearizable,
            },
        );
        let refused = diary.invoke(3, 1, release());
        let after = diary.invoke(4, 1, release());
        diary.ok(before, released());
        diary.ok(read, Reply::Nothing { revision: 1 });
        diary.ok(
            refused,
            Reply::Refused {
                code: "claim_not_found".to_owned(),
                revision: 1,
            },
        );
        assert_eq!(diary.served_again(killed), None);
        step().await;
        diary.ok(after, released());
        assert_eq!(diary.served_again(killed), Some(30));
        assert_eq!(diary.served_again(31), None);
        let times: Vec<u64> = diary.lines().iter().map(|line| line.at_us).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}
