//! Restarts in good order.

use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use super::{Kind, Scene};
use crate::real::cluster::ready;

/// For a node to hand over, answer what it was asked, and end.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// For the next to be asked to.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Stops each node in good order and starts it again; the next when it is ready.
pub(super) async fn rolling(scene: &mut Scene) -> Result<()> {
    let order = scene.some(scene.cluster.ids().len());
    scene.begins(Kind::RollingRestart, &order, "in this order");
    for id in order {
        scene.cluster.signal(&[id], Signal::TERM)?;
        let node = scene.cluster.node_mut(id);
        match node.ended(STOPPED_WITHIN).await {
            Some(status) if status.success() => {}
            Some(status) => {
                let words = node.last_words();
                scene.diary.found(&format!(
                    "node {id}, asked to stop, ended with {status}\n{words}"
                ));
            }
            None => {
                let words = node.last_words();
                node.kill()?;
                scene.diary.found(&format!(
                    "node {id} did not stop within {STOPPED_WITHIN:?}\n{words}"
                ));
            }
        }
        scene.cluster.start(&[id])?;
        if ready(id, READY_WITHIN).await.is_err() {
            // Whoever waits for all nodes says so.
            break;
        }
    }
    scene.ends();
    Ok(())
}
