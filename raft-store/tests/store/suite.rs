//! openraft's own certification of a store, on real files and real sled.

use std::sync::Arc;

use openraft::testing::{StoreBuilder, Suite};
use raft_store::env::{Env, RealEnv};
use raft_store::types::{StorageError, TypeConfig};
use raft_store::{LogStore, Machine, StoreControl, StoreOptions, StoreTasks, open};
use tempfile::TempDir;

struct Builder;

/// Keeps what a store needs while it is tested. The directory goes last.
struct Guard {
    _control: StoreControl,
    _tasks: StoreTasks,
    _dir: TempDir,
}

impl StoreBuilder<TypeConfig, LogStore, Machine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, LogStore, Machine), StorageError> {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let env: Arc<dyn Env> = Arc::new(RealEnv::new());
        let mut options = StoreOptions::new(dir.path().join("data"), 1);
        options.wal.segment_size = 64 << 10;
        let store = open(&env, options).expect("a new directory opens");
        let guard = Guard {
            _control: store.control,
            _tasks: store.tasks,
            _dir: dir,
        };
        Ok((guard, store.log, store.machine))
    }
}

#[test]
fn the_store_passes_openrafts_suite() {
    Suite::test_all(Builder).expect("every case of the suite passes");
}
