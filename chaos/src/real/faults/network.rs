//! Peers that reach each other through a proxy which is slow, stalls or hangs up.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use rand::Rng;

use super::{Kind, Scene};
use crate::real::firewall;
use crate::real::proxy::{self, Weather};

/// Has all peers go through the proxy for a while.
pub(super) async fn disturb(scene: &mut Scene, kind: Kind) -> Result<()> {
    let ids = scene.cluster.ids();
    let (weather, nodes, how) = draw(scene, kind).await?;
    // A stall begins when connections are there that can be stalled.
    let at_first = Weather {
        stalled: BTreeSet::new(),
        ..weather.clone()
    };
    scene.proxy.set(at_first);
    for id in &ids {
        let ports: Vec<(u64, u16)> = scene
            .others(*id)
            .into_iter()
            .map(|peer| (peer, proxy::port(peer)))
            .collect();
        firewall::divert(*id, &ports)?;
    }
    scene.begins(kind, &nodes, &how);
    if kind == Kind::StalledNetwork {
        scene.hold(1_000..1_500).await;
        scene.proxy.set(weather);
        scene.hold(1_000..3_500).await;
        scene.proxy.set(Weather::default());
        scene.hold(300..500).await;
    } else {
        scene.hold(3_000..6_000).await;
    }
    for id in &ids {
        firewall::clear(*id)?;
    }
    scene.proxy.clear();
    scene.ends();
    Ok(())
}

async fn draw(scene: &mut Scene, kind: Kind) -> Result<(Weather, Vec<u64>, String)> {
    let all = scene.cluster.ids();
    Ok(match kind {
        Kind::SlowNetwork => {
            let least = scene.random.random_range(1..20);
            let most = scene.random.random_range(least..=50);
            let weather = Weather {
                delay: (Duration::from_millis(least), Duration::from_millis(most)),
                ..Weather::default()
            };
            (weather, all, format!("by {least} to {most} ms"))
        }
        Kind::StalledNetwork => {
            let node = scene.one_or_the_leader().await?;
            let others = scene.others(node);
            let (stalled, how) = match scene.random.random_range(0..3) {
                0 => (
                    others.iter().map(|other| (node, *other)).collect(),
                    "to all others",
                ),
                1 => (
                    others.iter().map(|other| (*other, node)).collect(),
                    "from all others",
                ),
                _ => (BTreeSet::from([(node, others[0])]), "to one other"),
            };
            let weather = Weather {
                stalled,
                ..Weather::default()
            };
            (weather, vec![node], how.to_owned())
        }
        _ => {
            let weather = Weather {
                lifetime: Some((Duration::from_millis(20), Duration::from_millis(800))),
                ..Weather::default()
            };
            (weather, all, String::new())
        }
    })
}
