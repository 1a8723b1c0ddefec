//! What the log does with an entry: writes and syncs it on a real file, and reads it back.
//!
//! Appending includes waking the thread that writes and being woken by it, as it does for Raft. Entries are read out of the
//! memory that keeps recent ones, and from the file where that keeps none.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use openraft::storage::RaftLogStorageExt;
use openraft::{CommittedLeaderId, EntryPayload, RaftLogReader};
use raft_store::env::{Env, RealEnv};
use raft_store::types::{LogEntry, LogId, Payload};
use raft_store::{Store, StoreOptions, open};
use tokio::runtime::Runtime;

#[path = "claims/mod.rs"]
mod claims;

use claims::{ENTRIES, joined};

/// Entries that are read in turn.
const READ: u64 = 64;

/// An open log on the disk that has the target folder, which is seldom one in memory.
struct Log {
    runtime: Runtime,
    store: Store,
    last: u64,
    _folder: tempfile::TempDir,
}

impl Log {
    fn open(cache_size: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = tempfile::tempdir_in(target).expect("a folder");
        let mut options = StoreOptions::new(folder.path().join("data"), 1);
        options.wal.cache_size = cache_size;
        let env: Arc<dyn Env> = Arc::new(RealEnv::new());
        let store = {
            let _context = runtime.enter();
            open(&env, options).expect("a new directory opens")
        };
        Self {
            runtime,
            store,
            last: 0,
            _folder: folder,
        }
    }

    fn append(&mut self, payload: Payload) {
        self.last += 1;
        let entry = LogEntry {
            log_id: LogId::new(CommittedLeaderId::new(1, 1), self.last),
            payload: EntryPayload::Normal(payload),
        };
        let appended = self.store.log.blocking_append([entry]);
        self.runtime.block_on(appended).expect("the log is sound");
    }

    fn read(&mut self, index: u64) -> Vec<LogEntry> {
        let read = self.store.log.try_get_log_entries(index..=index);
        self.runtime.block_on(read).expect("the log is sound")
    }
}

fn log(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log");
    // Some hundred megabytes of entries at most, of which nothing is purged.
    group
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    let kept = StoreOptions::new("", 1).wal.cache_size;
    for commands in ENTRIES {
        let payload = joined(0..commands);
        let mut log = Log::open(kept);
        let id = BenchmarkId::new("append and sync an entry", commands);
        group.bench_function(id, |bencher| bencher.iter(|| log.append(payload.clone())));
        for (from, cache_size) in [("memory", kept), ("the file", 0)] {
            let mut log = Log::open(cache_size);
            for _ in 0..READ {
                log.append(payload.clone());
            }
            let mut index = 0;
            let id = BenchmarkId::new(format!("read an entry from {from}"), commands);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    index = index % READ + 1;
                    let read = log.read(index);
                    assert_eq!(read.len(), 1, "the entry is there");
                    black_box(read)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, log);
criterion_main!(benches);
