//! What crashes leave behind, and everything at the same time.

use std::path::Path;
use std::time::Duration;

use expect_test::expect;
use raft_store::env::Fs;

use super::{WHILE, entries, several_segments, three_entries};
use crate::crash_matrix::live::{Live, Outcome, large};
use crate::crash_matrix::matrix;
use crate::world::{DIR, entry, log_id, pass};

/// Leaves what crashes leave: a group that was written and never synced, torn sectors behind it, a
/// segment whose deletion was not made durable, and files that were not finished or no longer count.
async fn leftovers(live: &mut Live<'_>) -> Outcome {
    several_segments(live).await?;
    live.start().await?;
    live.purge(log_id(1, 8)).await?;
    live.model.decide(entries(13..=14));
    live.commit(&entries(13..=14)).await?;
    pass(WHILE).await;
    live.truncate(&entry(1, 15)).await?;
    pass(Duration::from_millis(10)).await;
    let disk = &live.world.disk;
    let segments = live.world.segments();
    let [.., current, _ahead] = segments.as_slice() else {
        panic!("the log has a segment and the next one: {segments:?}");
    };
    let current = disk.open(current)?;
    current.write_at(current.size()? - 700, b"torn")?;
    let dir = Path::new(DIR);
    let files = [
        "making",
        "identity.tmp",
        "wal/0000000000000001.wal",
        "snapshots/0000000000000007.tmp",
        "snapshots/00000000000000000001-0000000000000001.built.snapshot",
        "snapshots/00000000000000000001-0000000000000002.built.snapshot.damaged",
        "snapshots/00000000000000000001-0000000000000003.built.snapshot.damaged",
        "snapshots/00000000000000000001-0000000000000004.built.snapshot.damaged",
    ];
    for name in files {
        disk.create(&dir.join(name))?.write_at(0, b"left over")?;
    }
    Ok(())
}

#[test]
fn opening_with_everything_that_crashes_leave() {
    let script = async |live: &mut Live<'_>| {
        live.step("open");
        live.start().await?;
        live.step("form a cluster");
        live.cluster(0xfeed)?;
        live.step("append");
        live.append(&entries(15..=15)).await?;
        pass(WHILE).await;
        Ok(())
    };
    matrix(
        "opening with leftovers",
        &leftovers,
        &script,
        &expect![[r#"
            open: remove mark of making: does not open
            open: sync entries of directory: does not open
            open: sync entries of snapshots: does not open
            open: remove unnamed snapshot: does not open
            open: remove built snapshot: does not open
            open: remove damaged snapshot: does not open
            open: remove segment: does not open
            open: sync entries of log: does not open
            open: write segment: does not open
            open: sync segment: does not open
            open: write vote: does not open
            open: sync vote: does not open
            open: create segment by log-keeper: goes on; if full, is refused
            open: allocate segment by log-keeper: goes on; if full, is refused
            open: sync segment by log-keeper: goes on
            open: sync entries of log by log-keeper: goes on
            form a cluster: remove new identity: is refused
            form a cluster: create new identity: is refused
            form a cluster: extend new identity: is refused
            form a cluster: sync new identity: is refused
            form a cluster: rename new identity to identity: is refused
            form a cluster: sync entries of directory: is refused
            append: write segment by log-writer: the log stops
            append: sync segment by log-writer: the log stops
        "#]],
    );
}

#[test]
fn all_at_once() {
    let script = async |live: &mut Live<'_>| {
        live.open_as(|options| {
            options.background.checkpoint_bytes = 4 << 10;
            options.background.checkpoint_interval = Duration::from_millis(20);
        })?;
        live.replay().await?;
        let all: Vec<_> = (4..=18)
            .map(|index| {
                if index % 3 == 0 {
                    large(1, index)
                } else {
                    entry(1, index)
                }
            })
            .collect();
        live.model.decide(all.clone());
        live.step("work");
        for entry in &all {
            live.commit(std::slice::from_ref(entry)).await?;
            if entry.log_id.index % 5 == 0 {
                live.build_beside().await;
            }
            if let Some(id) = live.store().control.purge_due() {
                live.purge(id).await?;
            }
        }
        live.step("come to rest");
        pass(Duration::from_secs(1)).await;
        Ok(())
    };
    matrix(
        "all at once",
        &three_entries,
        &script,
        &expect![[r#"
        work: write segment by log-writer: the log stops
        work: sync segment by log-writer: the log stops
        work: create unnamed snapshot by background: goes on; if full, checkpoints stop
        work: extend unnamed snapshot by background: goes on; if full, checkpoints stop
        work: sync unnamed snapshot by background: goes on
        work: rename unnamed snapshot to built snapshot by background: goes on
        work: sync entries of snapshots by background: goes on
        work: create segment by log-keeper: goes on; if full, checkpoints stop
        work: allocate segment by log-keeper: goes on; if full, checkpoints stop
        work: sync segment by log-keeper: goes on
        work: sync entries of log by log-keeper: goes on
        work: extend applied store by background: checkpoints stop
        work: sync applied store by background: checkpoints stop
        work: note in applied store by background: checkpoints stop
        work: remove built snapshot by background: goes on
        work: remove segment by log-keeper: goes on
        come to rest: write segment by log-writer: the log stops
        come to rest: sync segment by log-writer: the log stops
        come to rest: remove segment by log-keeper: goes on
        come to rest: sync entries of log by log-keeper: goes on
        come to rest: extend applied store by background: checkpoints stop
        come to rest: sync applied store by background: checkpoints stop
        come to rest: note in applied store by background: checkpoints stop
    "#]],
    );
}
