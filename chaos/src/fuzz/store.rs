//! A store on a simulated machine, for one input.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use raft_store::checkpoint::MemoryBackend;
use raft_store::env::sim::{SimEnv, SimFs};
use raft_store::env::{Env, Fs};
use raft_store::{OpenError, Store, StoreOptions};

const DIR: &str = "/node/data";
/// Small, so that an input can be all of a segment.
const SEGMENT_BYTES: u64 = 16 << 10;
/// All that is random on the machine follows from it.
const SEED: u64 = 1;

/// A machine, which outlives the processes on it.
#[derive(Debug)]
pub(super) struct Machine {
    disk: SimFs,
    applied: MemoryBackend,
}

impl Machine {
    /// One on which a store was opened once, and closed.
    pub(super) fn with_an_empty_store() -> Self {
        let machine = Self {
            disk: SimFs::new(SEED),
            applied: MemoryBackend::new(SEED),
        };
        process(async {
            close(machine.open().expect("a new directory opens")).await;
        });
        machine
    }

    /// Opens the store. To be called inside [`process`].
    pub(super) fn open(&self) -> Result<Store, OpenError> {
        let mut options = StoreOptions::new(DIR, 1);
        options.wal.segment_size = SEGMENT_BYTES;
        options.wal.cache_size = 2 << 10;
        options.applied = Some(Arc::new(self.applied.clone()));
        let env: Arc<dyn Env> = Arc::new(SimEnv::new(SEED, self.disk.clone()));
        raft_store::open(&env, options)
    }

    /// The only segment of the log: its path and its bytes.
    pub(super) fn segment(&self) -> (PathBuf, Vec<u8>) {
        let (path, size) = self
            .disk
            .files()
            .into_iter()
            .find(|(path, _)| path.extension().is_some_and(|ending| ending == "wal"))
            .expect("a log has a segment");
        let mut bytes = vec![0; usize::try_from(size).expect("it is small")];
        let file = self.disk.open(&path).expect("it is there");
        file.read_exact_at(0, &mut bytes).expect("it has its size");
        (path, bytes)
    }

    /// Puts a file in the place of another.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) {
        self.disk.remove(path).expect("it is there");
        let file = self.disk.create(path).expect("there is room");
        file.write_at(0, bytes).expect("there is room");
        file.sync_all().expect("the disk is sound");
    }
}

/// Runs one process of a machine: its tasks end with it, and its time passes at once.
pub(super) fn process<R>(process: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO can be built");
    runtime.block_on(async {
        let bounded = tokio::time::timeout(Duration::from_hours(1), process);
        bounded.await.expect("the store comes to an end")
    })
}

/// Ends a process in good order.
pub(super) async fn close(store: Store) {
    let Store {
        identity,
        log,
        machine,
        applied,
        control,
        tasks,
    } = store;
    drop((identity, log, machine, applied, control));
    tasks.stopped().await;
}
