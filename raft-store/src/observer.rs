//! Who is told how long things took: the node's metrics.

use std::fmt;
use std::time::Duration;

/// Hears of what the store has done. Called on the store's threads; it must not block.
pub trait StoreObserver: Send + Sync + fmt::Debug + 'static {
    /// A sync of the log has come back; it covered so many entries and bytes.
    fn log_synced(&self, took: Duration, entries: usize, bytes: u64);

    /// A checkpoint is durable.
    fn checkpoint_written(&self, took: Duration, pages: u64, bytes: u64);

    /// A snapshot is durable.
    fn snapshot_written(&self, took: Duration, bytes: u64);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct SilentObserver;

impl StoreObserver for SilentObserver {
    fn log_synced(&self, _took: Duration, _entries: usize, _bytes: u64) {}

    fn checkpoint_written(&self, _took: Duration, _pages: u64, _bytes: u64) {}

    fn snapshot_written(&self, _took: Duration, _bytes: u64) {}
}
