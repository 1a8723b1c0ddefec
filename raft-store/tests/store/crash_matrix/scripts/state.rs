//! Checkpoints and snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use expect_test::expect;
use openraft::EntryPayload;
use raft_store::types::{LogEntry, Member, Membership};

use super::{WHILE, entries, three_entries};
use crate::crash_matrix::live::{Foreign, Live, Outcome, large};
use crate::crash_matrix::matrix;
use crate::world::{World, entry, log_id, pass, snapshot_of};

/// A membership, which a state consists of besides what the allocator has.
fn membership(index: u64) -> LogEntry {
    let members = BTreeMap::from([(1, Member::default()), (2, Member::default())]);
    LogEntry {
        log_id: log_id(1, index),
        payload: EntryPayload::Membership(Membership::new(vec![BTreeSet::from([1, 2])], members)),
    }
}

fn foreign(last: u64) -> Foreign {
    let (snapshot, bytes, _) = snapshot_of(&World::new(1), last);
    Foreign { snapshot, bytes }
}

#[test]
fn taking_checkpoints() {
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        let next = [
            membership(4),
            entry(1, 5),
            large(1, 6),
            entry(1, 7),
            entry(1, 8),
        ];
        live.model.decide(next.clone());
        live.step("first entries");
        live.commit(&next[..3]).await?;
        live.step("first checkpoint");
        live.checkpoint().await?;
        pass(Duration::from_millis(50)).await;
        live.step("further entry");
        live.commit(&next[3..4]).await?;
        live.step("second checkpoint");
        live.checkpoint().await?;
        pass(Duration::from_millis(50)).await;
        live.step("another entry");
        live.commit(&next[4..]).await?;
        live.step("third checkpoint");
        live.checkpoint().await?;
        pass(Duration::from_millis(50)).await;
        Ok(())
    };
    matrix(
        "taking checkpoints",
        &three_entries,
        &script,
        &expect![[r#"
        first entries: write segment by log-writer: the log stops
        first entries: sync segment by log-writer: the log stops
        first checkpoint: extend applied store by background: checkpoints stop
        first checkpoint: sync applied store by background: checkpoints stop
        first checkpoint: note in applied store by background: checkpoints stop
        further entry: write segment by log-writer: the log stops
        further entry: sync segment by log-writer: the log stops
        second checkpoint: extend applied store by background: checkpoints stop
        second checkpoint: sync applied store by background: checkpoints stop
        second checkpoint: note in applied store by background: checkpoints stop
        another entry: write segment by log-writer: the log stops
        another entry: sync segment by log-writer: the log stops
        third checkpoint: extend applied store by background: checkpoints stop
        third checkpoint: sync applied store by background: checkpoints stop
        third checkpoint: note in applied store by background: checkpoints stop
    "#]],
    );
}

#[test]
fn building_snapshots() {
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        let next = [membership(4), entry(1, 5), large(1, 6)];
        live.model.decide(next.clone());
        live.step("first entries");
        live.commit(&next[..2]).await?;
        live.step("first snapshot");
        live.build().await?;
        live.step("further entry");
        live.commit(&next[2..]).await?;
        live.step("second snapshot");
        live.build().await
    };
    matrix(
        "building snapshots",
        &three_entries,
        &script,
        &expect![[r#"
        first entries: write segment by log-writer: the log stops
        first entries: sync segment by log-writer: the log stops
        first snapshot: create unnamed snapshot by background: goes on
        first snapshot: extend unnamed snapshot by background: goes on
        first snapshot: sync unnamed snapshot by background: goes on
        first snapshot: rename unnamed snapshot to built snapshot by background: goes on
        first snapshot: sync entries of snapshots by background: goes on
        further entry: write segment by log-writer: the log stops
        further entry: sync segment by log-writer: the log stops
        second snapshot: create unnamed snapshot by background: goes on
        second snapshot: extend unnamed snapshot by background: goes on
        second snapshot: sync unnamed snapshot by background: goes on
        second snapshot: rename unnamed snapshot to built snapshot by background: goes on
        second snapshot: sync entries of snapshots by background: goes on
        second snapshot: remove built snapshot by background: goes on
    "#]],
    );
}

/// A store whose three entries are in a checkpoint.
async fn with_checkpoint(live: &mut Live<'_>) -> Outcome {
    live.open()?;
    live.model.decide(entries(1..=3));
    live.commit(&entries(1..=3)).await?;
    live.checkpoint().await?;
    live.close().await;
    Ok(())
}

#[test]
fn receiving_snapshots() {
    let (first, second) = (foreign(10), foreign(20));
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        live.model.decide(entries(4..=21));
        pass(Duration::from_millis(20)).await;
        live.step("receive");
        let file = live.receive(&first).await?;
        live.step("install and purge");
        live.install(&first, file).await?;
        live.step("build of what was installed");
        live.build().await?;
        live.step("checkpoint of what was installed");
        live.checkpoint().await?;
        pass(Duration::from_millis(50)).await;
        live.step("receive another");
        let file = live.receive(&second).await?;
        live.step("install and purge again");
        live.install(&second, file).await?;
        live.step("append");
        live.commit(&entries(21..=21)).await?;
        pass(WHILE).await;
        Ok(())
    };
    matrix(
        "receiving snapshots",
        &with_checkpoint,
        &script,
        &expect![[r#"
            receive: create unnamed snapshot: goes on
            receive: extend unnamed snapshot: goes on
            receive: sync unnamed snapshot by background: goes on
            receive: rename unnamed snapshot to received snapshot by background: goes on
            receive: sync entries of snapshots by background: goes on
            install and purge: write segment by log-writer: the log stops
            install and purge: sync segment by log-writer: the log stops
            build of what was installed: create unnamed snapshot by background: goes on
            build of what was installed: extend unnamed snapshot by background: goes on
            build of what was installed: sync unnamed snapshot by background: goes on
            build of what was installed: remove unnamed snapshot by background: goes on
            checkpoint of what was installed: extend applied store by background: checkpoints stop
            checkpoint of what was installed: sync applied store by background: checkpoints stop
            checkpoint of what was installed: note in applied store by background: checkpoints stop
            receive another: create unnamed snapshot: goes on
            receive another: extend unnamed snapshot: goes on
            receive another: sync unnamed snapshot by background: goes on
            receive another: rename unnamed snapshot to received snapshot by background: goes on
            receive another: sync entries of snapshots by background: goes on
            receive another: remove received snapshot by background: goes on
            install and purge again: write segment by log-writer: the log stops
            install and purge again: sync segment by log-writer: the log stops
            append: write segment by log-writer: the log stops
            append: sync segment by log-writer: the log stops
        "#]],
    );
}

#[test]
fn installing_a_snapshot_that_was_not_received_before() {
    let foreign = foreign(10);
    let script = async |live: &mut Live<'_>| {
        live.start().await?;
        live.model.decide(entries(4..=11));
        pass(Duration::from_millis(20)).await;
        live.step("deliver");
        let file = live.deliver(&foreign)?;
        live.step("install and purge");
        live.install(&foreign, file).await?;
        live.step("append");
        live.commit(&entries(11..=11)).await?;
        pass(WHILE).await;
        Ok(())
    };
    matrix(
        "installing a snapshot",
        &three_entries,
        &script,
        &expect![[r#"
            deliver: create unnamed snapshot: is refused
            deliver: extend unnamed snapshot: is refused
            install and purge: sync unnamed snapshot by background: snapshots stop
            install and purge: rename unnamed snapshot to received snapshot by background: snapshots stop
            install and purge: sync entries of snapshots by background: snapshots stop
            append: write segment by log-writer: the log stops
            append: sync segment by log-writer: the log stops
        "#]],
    );
}

/// The newest snapshot loses a bit, and with it what it stood for.
fn damage_snapshot(live: &mut Live<'_>) -> Outcome {
    let files = live.world.disk.files();
    let newest = files
        .iter()
        .find(|(path, _)| path.to_string_lossy().ends_with(".snapshot"));
    let (path, size) = newest.expect("a snapshot was built");
    let middle = usize::try_from(size / 2).expect("it is small");
    live.world.disk.damage(path, middle, 0x20)?;
    live.model.snapshot_lost();
    Ok(())
}

#[test]
fn replacing_a_snapshot_that_was_damaged_at_rest() {
    let base = async |live: &mut Live<'_>| {
        live.open()?;
        live.model.decide(entries(1..=3));
        live.commit(&entries(1..=3)).await?;
        live.build().await?;
        damage_snapshot(live)?;
        live.close().await;
        Ok(())
    };
    let script = async |live: &mut Live<'_>| {
        live.step("open");
        live.start().await?;
        pass(Duration::from_millis(20)).await;
        live.step("build");
        live.build().await?;
        damage_snapshot(live)?;
        live.step("build anew");
        live.store().control.snapshot_recheck().await;
        Ok(())
    };
    matrix(
        "replacing a damaged snapshot",
        &base,
        &script,
        &expect![[r#"
            open: sync entries of directory: does not open
            open: sync entries of snapshots: does not open
            open: rename built snapshot to damaged snapshot: does not open
            open: remove segment: does not open
            open: sync entries of log: does not open
            open: write segment: does not open
            open: sync segment: does not open
            open: write vote: does not open
            open: sync vote: does not open
            open: create segment by log-keeper: goes on
            open: allocate segment by log-keeper: goes on
            open: sync segment by log-keeper: goes on
            open: sync entries of log by log-keeper: goes on
            build: create unnamed snapshot by background: goes on
            build: extend unnamed snapshot by background: goes on
            build: sync unnamed snapshot by background: goes on
            build: rename unnamed snapshot to built snapshot by background: goes on
            build: sync entries of snapshots by background: goes on
            build anew: create unnamed snapshot by background: goes on
            build anew: extend unnamed snapshot by background: goes on
            build anew: sync unnamed snapshot by background: goes on
            build anew: rename unnamed snapshot to built snapshot by background: goes on
            build anew: sync entries of snapshots by background: goes on
            build anew: rename built snapshot to damaged snapshot by background: goes on
        "#]],
    );
}
