//! `kill -9`.

use anyhow::Result;

use super::{Kind, Scene};

/// Kills some nodes, none of which sees another die first, and starts them again.
pub(super) async fn kill(scene: &mut Scene, kind: Kind) -> Result<()> {
    let all = scene.cluster.ids().len();
    let victims = match kind {
        Kind::KillLeader => vec![scene.leader().await?],
        Kind::KillQuorum => scene.some(all / 2 + 1),
        Kind::KillAll => scene.some(all),
        _ => scene.some(1),
    };
    scene.cluster.kill(&victims)?;
    scene.begins(kind, &victims, "");
    if kind == Kind::KillLeader {
        scene.outage(kind).await;
    }
    scene.hold(300..1_500).await;
    scene.cluster.start(&victims)?;
    scene.ends();
    Ok(())
}
