//! What is durable, with so many blocks held and no network: a snapshot written and loaded, a data directory opened again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allocator::State;
use anyhow::{Context, Result, ensure};
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::{CommittedLeaderId, EntryPayload, RaftSnapshotBuilder};
use raft_store::env::{Env, RealEnv};
use raft_store::types::{LogEntry, LogId, Payload, Snapshot};
use raft_store::{Store, StoreOptions, open};
use tokio::time::Instant;

use super::figure::{Figure, Figures};
use super::shape::Scene;
use crate::entries::entry;

/// Entries that are written and applied together.
const APPEND: usize = 16;
/// Bytes of a snapshot that are copied at a time.
const COPY: usize = 1 << 20;

pub(super) async fn measure(scene: Scene) -> Result<Figures> {
    let mut figures = Figures::default();
    let folder = tempfile::TempDir::with_prefix("ipam-scale-")?;
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));

    let mut store = opened(&first)?;
    fill(&mut store, scene).await?;
    let digest = store.applied.read(State::digest);
    let started = Instant::now();
    let mut builder = store.machine.get_snapshot_builder().await;
    let snapshot = builder.build_snapshot().await?;
    took(&mut figures, Figure::SnapshotWritten, started);
    drop(builder);
    let size = snapshot.snapshot.size()?;
    #[expect(clippy::cast_precision_loss, reason = "the size of a file")]
    figures.tell(Figure::SnapshotBytes, size as f64 / f64::from(scene.held));

    ensure!(store.control.checkpoint().await, "a checkpoint is taken");
    if let Some(purged) = store.control.purge_due() {
        store.log.purge(purged).await?;
    }
    close(store).await;
    let started = Instant::now();
    let store = opened(&first)?;
    took(&mut figures, Figure::Restart, started);
    ensure!(store.applied.read(State::digest) == digest, "opened again");
    close(store).await;

    let mut store = opened(&second)?;
    let file = store.control.snapshot_create()?;
    copy(&snapshot, &file)?;
    let started = Instant::now();
    let received = store.control.snapshot_receive(snapshot.meta.clone(), file);
    let received = received.await?;
    let machine = &mut store.machine;
    machine
        .install_snapshot(&snapshot.meta, Box::new(received))
        .await?;
    took(&mut figures, Figure::SnapshotLoaded, started);
    ensure!(store.applied.read(State::digest) == digest, "installed");
    close(store).await;
    Ok(figures)
}

fn took(figures: &mut Figures, figure: Figure, started: Instant) {
    figures.took(figure, started.elapsed().as_secs_f64());
}

/// A store that writes as fast as it can, and takes a checkpoint only when it is told to.
fn opened(folder: &Path) -> Result<Store> {
    let mut options = StoreOptions::new(folder, 1);
    options.background.bytes_per_second = u64::MAX;
    options.background.checkpoint_bytes = u64::MAX;
    options.background.checkpoint_interval = Duration::from_hours(1);
    let env: Arc<dyn Env> = Arc::new(RealEnv::new());
    Ok(open(&env, options)?)
}

async fn fill(store: &mut Store, scene: Scene) -> Result<()> {
    let mut entries = Vec::new();
    for (commands, index) in scene.entries()?.zip(1..) {
        let log_id = LogId::new(CommittedLeaderId::new(1, 1), index);
        let payload = EntryPayload::Normal(Payload::encode(&entry(index, commands?))?);
        entries.push(LogEntry { log_id, payload });
        if entries.len() == APPEND {
            commit(store, std::mem::take(&mut entries)).await?;
        }
    }
    commit(store, entries).await?;
    let held = store.applied.read(State::claims_total);
    ensure!(held == u64::from(scene.held), "{held} are held");
    Ok(())
}

async fn commit(store: &mut Store, entries: Vec<LogEntry>) -> Result<()> {
    let Some(last) = entries.last() else {
        return Ok(());
    };
    let last = last.log_id;
    store.log.blocking_append(entries.clone()).await?;
    store.log.save_committed(Some(last)).await?;
    store.machine.apply(entries).await?;
    Ok(())
}

/// As the network would bring it, but at once.
fn copy(snapshot: &Snapshot, to: &raft_store::SnapshotFile) -> Result<()> {
    let mut chunk = vec![0; COPY];
    let mut offset = 0;
    loop {
        let read = snapshot.snapshot.read_at(offset, &mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        to.write_at(offset, &chunk[..read])?;
        offset += u64::try_from(read).context("an offset")?;
    }
}

/// Ends everything that was begun.
async fn close(store: Store) {
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
