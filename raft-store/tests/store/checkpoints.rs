//! Checkpoints: what a restart starts from, and what becomes of damage in them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::RaftSnapshotBuilder;
use openraft::storage::RaftStateMachine;
use raft_store::checkpoint::{AppliedBackend, AppliedStore};
use raft_store::env::{Env, RealEnv};
use raft_store::{OpenError, Store, StoreOptions, open};

use crate::world::{World, close, commit, digest, entry, log_id, pass, read_all, simulate};

#[test]
fn a_restart_starts_from_the_last_checkpoint_and_has_the_same_state() {
    let world = World::new(1);
    let before = simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=50 {
            commit(&mut store, [entry(1, index)]).await;
        }
        assert!(store.control.checkpoint().await);
        let at_checkpoint = digest(&store);
        commit(&mut store, [entry(1, 51)]).await;
        at_checkpoint
    });
    world.crash();
    simulate(async {
        let store = world.open().expect("the directory opens again");
        assert_eq!(store.applied.last(), Some(log_id(1, 50)));
        assert_eq!(digest(&store), before);
        assert_eq!(world.applied.moved_aside(), 0);
    });
}

#[test]
fn a_checkpoint_is_taken_by_itself_after_a_while_and_not_without_reason() {
    let world = World::new(2);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        commit(&mut store, [entry(1, 1)]).await;
        assert_eq!(store.control.stats().checkpoint_last, None);
        pass(Duration::from_secs(2)).await;
        assert_eq!(store.control.stats().checkpoint_last, Some(log_id(1, 1)));
        let rows = world.applied.rows();
        pass(Duration::from_secs(20)).await;
        assert_eq!(
            world.applied.rows(),
            rows,
            "nothing was applied, nothing is written"
        );
    });
}

#[test]
fn rows_of_older_checkpoints_are_removed() {
    let world = World::new(3);
    simulate(async {
        let mut store = world.open().expect("a new directory opens");
        let mut rows = Vec::new();
        for index in 1..=20 {
            commit(&mut store, [entry(1, index)]).await;
            assert!(store.control.checkpoint().await);
            pass(Duration::from_millis(100)).await;
            rows.push(world.applied.rows());
        }
        let grown = rows[19] - rows[4];
        assert!(
            grown <= 6,
            "fifteen more tenants take a page or two, not fifteen copies: {rows:?}"
        );
    });
}

/// A store whose checkpoint has all entries, of which the log still has every one.
fn with_checkpoint(world: &World, entries: u64) -> u128 {
    let digest = simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=entries {
            commit(&mut store, [entry(1, index)]).await;
        }
        assert!(store.control.checkpoint().await);
        let digest = digest(&store);
        close(store).await;
        digest
    });
    world.disk.kill();
    digest
}

/// Replays the log as openraft would, up to what was committed.
async fn replay(store: &mut Store) {
    let applied = store.applied.last().map_or(0, |id| id.index);
    let entries = read_all(store).await;
    let rest: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.log_id.index > applied)
        .collect();
    if !rest.is_empty() {
        store
            .machine
            .apply(rest)
            .await
            .expect("the entries can be applied");
    }
}

#[test]
fn a_checkpoint_that_has_lost_the_row_that_names_it_is_moved_aside() {
    let world = World::new(4);
    let expected = with_checkpoint(&world, 12);
    assert!(world.applied.lose(0), "the row of the cut is the first");
    simulate(async {
        let mut store = world.open().expect("the log has everything");
        assert_eq!(world.applied.moved_aside(), 1);
        replay(&mut store).await;
        assert_eq!(digest(&store), expected);
    });
}

/// A store that cannot be opened for want of something that it is not to blame for.
#[derive(Debug)]
struct Lacking(std::io::ErrorKind);

impl AppliedBackend for Lacking {
    fn open(&self) -> std::io::Result<Box<dyn AppliedStore>> {
        Err(self.0.into())
    }

    fn move_aside(&self, _reason: &str) -> std::io::Result<()> {
        panic!("a sound store is not moved aside")
    }
}

#[test]
fn a_machine_without_room_or_permission_does_not_cost_the_checkpoint() {
    let world = World::new(4);
    with_checkpoint(&world, 12);
    for kind in [
        std::io::ErrorKind::StorageFull,
        std::io::ErrorKind::PermissionDenied,
    ] {
        let mut options = world.options();
        options.applied = Some(Arc::new(Lacking(kind)));
        simulate(async {
            let error = world.open_with(options).map(|_| ());
            let error = error.expect_err("it is for somebody to mend");
            assert!(matches!(error, OpenError::Applied(_)), "{error:?}");
        });
    }
    simulate(async {
        let store = world.open().expect("the checkpoint is there");
        assert_eq!(store.applied.last(), Some(log_id(1, 12)));
    });
}

#[test]
fn a_flipped_byte_in_any_row_is_found_and_the_state_is_rebuilt() {
    let world = World::new(4);
    let expected = with_checkpoint(&world, 12);
    let rows = world.applied.rows();
    assert!(rows >= 4, "a few rows are there: {rows}");
    let mut tried = 0;
    for row in 0..rows {
        for offset in (0..160).step_by(7) {
            let world = World::new(4);
            with_checkpoint(&world, 12);
            assert!(world.applied.damage(row, offset, 0x10));
            simulate(async {
                let mut store = world
                    .open()
                    .expect("damage in the applied store is not fatal");
                assert_eq!(
                    world.applied.moved_aside(),
                    1,
                    "row {row}, byte {offset} is found"
                );
                replay(&mut store).await;
                assert_eq!(digest(&store), expected);
            });
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried} bytes were tried");
}

/// A real directory with sled in it.
fn real(dir: &Path) -> Store {
    let env: Arc<dyn Env> = Arc::new(RealEnv::new());
    let mut options = StoreOptions::new(dir.join("data"), 1);
    options.wal.segment_size = 1 << 20;
    open(&env, options).expect("the directory opens")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it can be made");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

fn block_on<R>(future: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime can be built").block_on(future)
}

#[test]
fn a_flipped_byte_in_a_page_on_sled_is_found_and_the_state_is_rebuilt() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let expected = block_on(async {
        let mut store = real(dir.path());
        for index in 1..=12 {
            commit(&mut store, [entry(1, index)]).await;
        }
        assert!(store.control.checkpoint().await);
        let digest = digest(&store);
        close(store).await;
        digest
    });
    let db = dir.path().join("data/applied/db");
    let original = std::fs::read(&db).expect("sled has its file");
    let name = b"t1-7";
    let places: Vec<usize> = (0..original.len() - name.len())
        .filter(|at| original[*at..].starts_with(name))
        .collect();
    assert!(!places.is_empty(), "the name of a tenant is in sled's file");
    // sled keeps older copies: only the one that counts is missed.
    let mut rebuilt = 0;
    for place in &places {
        let other = tempfile::tempdir().expect("a temporary directory can be made");
        copy(&dir.path().join("data"), &other.path().join("data"));
        let mut damaged = original.clone();
        damaged[*place] ^= 0x02;
        std::fs::write(other.path().join("data/applied/db"), &damaged)
            .expect("the file can be written");
        block_on(async {
            let mut store = real(other.path());
            rebuilt += u32::from(store.applied.last().is_none());
            replay(&mut store).await;
            assert_eq!(digest(&store), expected, "byte {place} of sled's file");
            close(store).await;
        });
    }
    assert!(rebuilt > 0, "one of {} copies counts", places.len());
}

#[test]
fn sled_opens_after_an_interrupted_start_and_with_its_own_leftovers() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    block_on(async {
        let mut store = real(dir.path());
        commit(&mut store, [entry(1, 1)]).await;
        assert!(store.control.checkpoint().await);
        close(store).await;
    });
    let applied = dir.path().join("data/applied");
    std::fs::write(applied.join("snap.0000000000000000.generating"), b"half")
        .expect("it can be written");
    block_on(async {
        let store = real(dir.path());
        assert_eq!(
            store.applied.last(),
            Some(log_id(1, 1)),
            "the leftover does no harm"
        );
        close(store).await;
    });
    std::fs::write(applied.join("opening"), b"").expect("it can be written");
    block_on(async {
        let store = real(dir.path());
        assert_eq!(
            store.applied.last(),
            None,
            "what may have been harmed by an opening is not trusted"
        );
        close(store).await;
    });
    assert!(dir.path().join("data/applied.aside.1.unreadable").exists());
}

#[test]
fn a_large_page_is_divided_and_put_together_again() {
    let world = World::new(5);
    let payload = |index: u64| {
        let names: Vec<String> = (0..8)
            .map(|n| format!("{index}-{n}-{}", "x".repeat(240)))
            .collect();
        crate::world::tenants(&names)
    };
    let expected = simulate(async {
        let mut store = world.open().expect("a new directory opens");
        for index in 1..=40 {
            let mut large = entry(1, index);
            large.payload = openraft::EntryPayload::Normal(payload(index));
            commit(&mut store, [large]).await;
        }
        assert!(store.control.checkpoint().await);
        let digest = digest(&store);
        close(store).await;
        digest
    });
    simulate(async {
        let mut store = world.open().expect("the directory opens again");
        assert_eq!(
            (digest(&store), store.applied.last()),
            (expected, Some(log_id(1, 40)))
        );
        let mut builder = store.machine.get_snapshot_builder().await;
        builder
            .build_snapshot()
            .await
            .expect("a snapshot can be built from what was loaded");
    });
}
