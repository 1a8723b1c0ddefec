//! A node that does nothing for a while and does not know it.

use anyhow::Result;
use rustix::process::Signal;

use super::{Kind, Scene};

/// Stops a node in its tracks and lets it go on.
pub(super) async fn pause(scene: &mut Scene, kind: Kind) -> Result<()> {
    let victim = match kind {
        Kind::PauseLeader => scene.leader().await?,
        _ => scene.one(),
    };
    scene.cluster.signal(&[victim], Signal::STOP)?;
    scene.begins(kind, &[victim], "");
    if kind == Kind::PauseLeader {
        scene.outage(kind).await;
    }
    // Shorter than a sync may take: one that was under way when the node was stopped does not count as hanging.
    scene.hold(500..4_000).await;
    scene.cluster.signal(&[victim], Signal::CONT)?;
    scene.ends();
    Ok(())
}
