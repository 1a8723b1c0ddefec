//! A simulated machine with one store on it.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use allocator::command::{Command, Entry, Envelope, Quota, Stamp, TenantSpec};
use allocator::name::Name;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::{CommittedLeaderId, EntryPayload, RaftLogReader, RaftSnapshotBuilder};
use raft_store::checkpoint::MemoryBackend;
use raft_store::env::sim::{SimEnv, SimFs};
use raft_store::env::{Env, Fs};
use raft_store::types::{LogEntry, LogId, Payload, Snapshot, StorageError, Vote};
use raft_store::{OpenError, SnapshotFile, Store, StoreOptions, open};

/// Where the store is.
pub(crate) const DIR: &str = "/node/data";

/// A machine: what outlives its processes.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) disk: SimFs,
    pub(crate) applied: MemoryBackend,
    pub(crate) seed: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            disk: SimFs::new(seed),
            applied: MemoryBackend::new(seed),
            seed,
        }
    }

    /// The same machine, which goes its own way from here on. Its applied store is empty.
    pub(crate) fn fork(&self) -> Self {
        Self {
            disk: self.disk.fork(self.seed),
            applied: MemoryBackend::new(self.seed),
            seed: self.seed,
        }
    }

    /// The same machine with its applied store, as both are; what it loses follows from `seed`.
    pub(crate) fn twin(&self, seed: u64) -> Self {
        Self {
            disk: self.disk.fork(seed),
            applied: self.applied.fork(seed),
            seed,
        }
    }

    /// Small sizes, so that segments, checkpoints and purges come often.
    pub(crate) fn options(&self) -> StoreOptions {
        let mut options = StoreOptions::new(DIR, 1);
        options.wal.segment_size = 8 << 10;
        options.wal.cache_size = 2 << 10;
        options.background.checkpoint_bytes = 8 << 10;
        options.background.checkpoint_interval = Duration::from_millis(500);
        options.background.log_kept = 4 << 10;
        options.applied = Some(Arc::new(self.applied.clone()));
        options
    }

    /// Opens the store. To be called inside [`simulate`].
    pub(crate) fn open(&self) -> Result<Store, OpenError> {
        self.open_with(self.options())
    }

    pub(crate) fn open_with(&self, options: StoreOptions) -> Result<Store, OpenError> {
        // Each process draws other numbers, as it would from the machine.
        let seed = self.seed << 32 | self.disk.syncs();
        let env: Arc<dyn Env> = Arc::new(SimEnv::new(seed, self.disk.clone()));
        open(&env, options)
    }

    /// The power goes.
    pub(crate) fn crash(&self) {
        self.disk.crash();
        self.applied.crash();
    }

    /// Paths of the log's segments, in order.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let files = self.disk.files().into_iter().map(|(path, _)| path);
        files
            .filter(|path| path.extension().is_some_and(|ending| ending == "wal"))
            .collect()
    }

    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let file = self.disk.open(path).expect("the file is there");
        let mut bytes = vec![
            0;
            usize::try_from(file.size().expect("the handle is alive"))
                .expect("it is small")
        ];
        file.read_exact_at(0, &mut bytes)
            .expect("the file has its size");
        bytes
    }
}

/// Runs one process: its tasks end with it, wherever they are.
pub(crate) fn simulate<R>(process: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO can be built");
    runtime.block_on(process)
}

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term, 1), index)
}

/// The commands of an entry that makes tenants of these names.
pub(crate) fn tenants(names: &[String]) -> Payload {
    let command = |name: &String| Envelope {
        actor: "".into(),
        source: "".into(),
        command: Command::TenantCreate(Box::new(TenantSpec {
            name: Name::new(name).expect("the test's names are names"),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            description: "".into(),
            quota: Quota::default(),
        })),
    };
    let entry = Entry {
        stamp: Stamp::default(),
        commands: names.iter().map(command).collect(),
    };
    Payload::encode(&entry).expect("a few tenants fit into an entry")
}

/// An entry that makes one tenant, named by term and index.
pub(crate) fn entry(term: u64, index: u64) -> LogEntry {
    let payload = EntryPayload::Normal(tenants(&[format!("t{term}-{index}")]));
    LogEntry {
        log_id: log_id(term, index),
        payload,
    }
}

pub(crate) async fn append(store: &mut Store, entries: impl IntoIterator<Item = LogEntry> + Send) {
    let entries: Vec<_> = entries.into_iter().collect();
    store
        .log
        .blocking_append(entries)
        .await
        .expect("the log is sound");
}

/// Appends entries, notes them as committed, and applies them.
pub(crate) async fn commit(store: &mut Store, entries: impl IntoIterator<Item = LogEntry> + Send) {
    let entries: Vec<_> = entries.into_iter().collect();
    append(store, entries.clone()).await;
    store
        .log
        .save_committed(entries.last().map(|entry| entry.log_id))
        .await
        .expect("the log is sound");
    store
        .machine
        .apply(entries)
        .await
        .expect("the entries can be applied");
}

pub(crate) async fn vote(store: &mut Store, term: u64) {
    store
        .log
        .save_vote(&Vote::new(term, 1))
        .await
        .expect("the log is sound");
}

pub(crate) async fn read_all(store: &mut Store) -> Vec<LogEntry> {
    store
        .log
        .try_get_log_entries(..)
        .await
        .expect("the log can be read")
}

/// Ids of entries, for assertions.
pub(crate) fn ids(entries: &[LogEntry]) -> Vec<(u64, u64)> {
    entries
        .iter()
        .map(|entry| (entry.log_id.leader_id.term, entry.log_id.index))
        .collect()
}

pub(crate) fn digest(store: &Store) -> u128 {
    store.applied.read(allocator::State::digest)
}

/// Ends a process in good order: everything that was begun is finished.
pub(crate) async fn close(store: Store) {
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

/// Lets simulated time pass.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub(crate) async fn build(store: &mut Store) -> Snapshot {
    let mut builder = store.machine.get_snapshot_builder().await;
    builder
        .build_snapshot()
        .await
        .expect("a snapshot can be built")
}

/// A snapshot of the entries 1 to `last`, as bytes, with its meta data and the state's digest.
pub(crate) fn snapshot_of(world: &World, last: u64) -> (Snapshot, Vec<u8>, u128) {
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=last {
            commit(&mut store, [entry(1, index)]).await;
        }
        let snapshot = build(&mut store).await;
        let mut bytes = vec![
            0;
            usize::try_from(snapshot.snapshot.size().expect("it is open"))
                .expect("it is small")
        ];
        snapshot
            .snapshot
            .read_at(0, &mut bytes)
            .expect("it can be read");
        (snapshot, bytes, digest(&store))
    })
}

/// A file with the bytes of a snapshot, as the network would deliver them.
pub(crate) fn delivered(store: &Store, bytes: &[u8]) -> SnapshotFile {
    let received = store.control.snapshot_create().expect("there is room");
    let chunks: Vec<_> = bytes.chunks(100).enumerate().collect();
    for (position, chunk) in chunks.iter().rev() {
        received
            .write_at(*position as u64 * 100, chunk)
            .expect("the disk is sound");
    }
    received
}

/// Delivers a snapshot and installs it without the check before.
pub(crate) async fn install(
    store: &mut Store,
    snapshot: &Snapshot,
    bytes: &[u8],
) -> Result<(), StorageError> {
    let received = delivered(store, bytes);
    store
        .machine
        .install_snapshot(&snapshot.meta, Box::new(received))
        .await
}
