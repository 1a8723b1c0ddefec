//! The store's figures as metrics.

use std::time::Duration;

use raft_store::StoreObserver;

/// Records how long the store's work took.
#[derive(Debug)]
pub(super) struct MetricsObserver;

impl StoreObserver for MetricsObserver {
    fn log_synced(&self, took: Duration, _entries: usize, _bytes: u64) {
        metrics::histogram!("ipam_raft_fsync_seconds").record(took.as_secs_f64());
    }

    fn checkpoint_written(&self, took: Duration, _pages: u64, _bytes: u64) {
        metrics::histogram!("ipam_raft_checkpoint_seconds").record(took.as_secs_f64());
    }

    fn snapshot_written(&self, took: Duration, _bytes: u64) {
        metrics::histogram!("ipam_raft_snapshot_seconds").record(took.as_secs_f64());
    }
}
