//! What of the log is durable elsewhere, too: in the checkpoint, or in the newest snapshot.

use tokio::sync::watch;

use crate::failure::Failures;
use crate::types::LogId;

/// What is durable beside the log, as the others see it.
#[derive(Debug)]
pub(crate) struct Durable(watch::Sender<Known>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    checkpoint: Option<LogId>,
    snapshot: Option<LogId>,
}

impl Durable {
    pub(crate) fn new(checkpoint: Option<LogId>, snapshot: Option<LogId>) -> Self {
        Self(watch::Sender::new(Known {
            checkpoint,
            snapshot,
        }))
    }

    /// The last entry in the checkpoint that counts.
    pub(crate) fn checkpoint(&self) -> Option<LogId> {
        self.0.borrow().checkpoint
    }

    pub(crate) fn note_checkpoint(&self, last: Option<LogId>) {
        self.0.send_modify(|known| known.checkpoint = last);
    }

    pub(crate) fn note_snapshot(&self, last: Option<LogId>) {
        self.0.send_modify(|known| known.snapshot = last);
    }

    /// Waits until a checkpoint or a snapshot reaches as far as an index; false when the store has
    /// failed meanwhile, so that this will never be.
    pub(crate) async fn reaches(&self, index: u64, failures: &Failures) -> bool {
        let mut known = self.0.subscribe();
        let mut failed = failures.watch();
        let reached = |known: &Known| {
            let furthest = known.checkpoint.max(known.snapshot);
            furthest.is_some_and(|last| last.index >= index)
        };
        tokio::select! {
            biased;
            reached = known.wait_for(reached) => reached.is_ok(),
            _ = failed.wait_for(Option::is_some) => false,
        }
    }
}
