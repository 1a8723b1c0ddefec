//! Disks that are full, fail, are slow, or lose their power.

use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::absence::flood;
use super::{Kind, Scene};

/// A checkpoint, which needs room, comes every 10 s.
const FULL_WITHIN: Duration = Duration::from_secs(12);
/// Something is synced much sooner, under load.
const FAILS_WITHIN: Duration = Duration::from_secs(8);

/// Leaves no room on the small file system. Its node goes on as long as it needs none, and stops when it does; then there
/// is room again, and it is started as its supervisor would start it. Mostly the log itself is made to need it.
pub(super) async fn full(scene: &mut Scene) -> Result<()> {
    let victim = scene.cluster.with_small_disk();
    let filled = scene.cluster.node(victim).home.fill()?;
    let log = scene.random.random_bool(0.75);
    let how = format!(
        "by {} MiB{}",
        filled >> 20,
        if log { ", and the log grows" } else { "" }
    );
    scene.begins(Kind::FullDisk, &[victim], &how);
    let enough = CancellationToken::new();
    let flooding = log.then(|| tokio::spawn(flood(scene.cluster.ids(), enough.clone())));
    let ended = scene.ends_itself(victim, FULL_WITHIN).await;
    enough.cancel();
    if let Some(flooding) = flooding {
        flooding.await??;
    }
    scene.cluster.node(victim).home.free()?;
    if ended? {
        scene.cluster.start(&[victim])?;
    } else {
        scene.diary.say("  it needed none");
    }
    scene.ends();
    Ok(())
}

/// Has every sync of a node fail. It must stop; then syncs work again, and it is started.
pub(super) async fn failing_fsync(scene: &mut Scene) -> Result<()> {
    let victim = scene.one_or_the_leader().await?;
    scene.cluster.node(victim).control.set_sync_fails()?;
    scene.begins(Kind::FailingFsync, &[victim], "");
    let ended = scene.ends_itself(victim, FAILS_WITHIN).await?;
    scene.cluster.node(victim).control.heal()?;
    if ended {
        scene.cluster.start(&[victim])?;
    } else {
        scene.diary.found(&format!(
            "node {victim} goes on though every sync has failed for {FAILS_WITHIN:?}"
        ));
    }
    scene.ends();
    Ok(())
}

/// Has every sync of a node take its time.
pub(super) async fn slow_fsync(scene: &mut Scene) -> Result<()> {
    let victim = scene.one_or_the_leader().await?;
    let delay = Duration::from_millis(scene.random.random_range(50..=3_000));
    scene.cluster.node(victim).control.set_sync_delay(delay)?;
    scene.begins(Kind::SlowFsync, &[victim], &format!("by {delay:?}"));
    scene.hold(2_500..5_000).await;
    scene.cluster.node(victim).control.heal()?;
    scene.ends();
    Ok(())
}

/// Takes the power from a disk, or from all at one instant; the node in memory, which has none, is killed with them.
pub(super) async fn power_loss(scene: &mut Scene, kind: Kind) -> Result<()> {
    let victims = if kind == Kind::PowerLossAll {
        scene.cluster.ids()
    } else {
        let disks = scene.cluster.with_power();
        vec![disks[scene.random.random_range(0..disks.len())]]
    };
    scene.begins(kind, &victims, "");
    scene.cluster.lose_power(&victims).await?;
    scene.hold(100..800).await;
    scene.cluster.start(&victims)?;
    scene.ends();
    Ok(())
}
