//! A node that is away for so long that the others cannot give it the log any more, and give it a snapshot.
//!
//! A node makes a snapshot when its log has grown by 64 MiB, and keeps as much behind it; no switch makes that less. So the
//! log is made to grow: by batches of almost a megabyte that the state machine refuses for their first operation. They are
//! entries like any other, and change nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::http::Connection;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Kind, Scene};
use crate::real::world;

/// For the others to have purged what the absent node lacks.
const PURGED_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What a node says when it has taken a snapshot.
const INSTALLED: &str = "a received snapshot is installed";
/// For that to be said once it is back.
const INSTALLED_WITHIN: Duration = Duration::from_secs(30);
/// Claims in a batch, each as large as one may be.
const BATCH_CLAIMS: usize = 48;
const ANNOTATIONS: usize = 64;
const ANNOTATION_BYTES: usize = 255;

/// Keeps a node away until the others have purged what it lacks.
pub(super) async fn long(scene: &mut Scene) -> Result<()> {
    let victim = scene.one();
    let others = scene.others(victim);
    scene.cluster.kill(&[victim])?;
    scene.begins(Kind::LongAbsence, &[victim], "");
    let mut lacks = Vec::new();
    for id in &others {
        let segments = scene.cluster.node(*id).segments()?;
        lacks.push((*id, segments.last().copied().context("a log")?));
    }
    let enough = CancellationToken::new();
    let flooding = tokio::spawn(flood(others, enough.clone()));
    let until = Instant::now() + PURGED_WITHIN;
    let mut purged = false;
    while !purged && Instant::now() < until {
        sleep(LOOK_EVERY).await;
        purged = true;
        for (id, last) in &lacks {
            let segments = scene.cluster.node(*id).segments()?;
            purged &= segments.first().is_some_and(|first| first > last);
        }
    }
    enough.cancel();
    flooding.await??;
    let installed = |scene: &Scene| {
        scene
            .cluster
            .node(victim)
            .printed()
            .matches(INSTALLED)
            .count()
    };
    let before = installed(scene);
    scene.cluster.start(&[victim])?;
    if !purged {
        scene.diary.found(&format!(
            "the log was not purged within {PURGED_WITHIN:?} of writing"
        ));
    } else if !wait_until(INSTALLED_WITHIN, || installed(scene) > before).await {
        scene.diary.found(&format!(
            "node {victim} was away until the log was purged, and took no snapshot within {INSTALLED_WITHIN:?}\n{}",
            scene.cluster.node(victim).last_words()
        ));
    }
    scene.ends();
    Ok(())
}

async fn wait_until(within: Duration, holds: impl Fn() -> bool) -> bool {
    let until = Instant::now() + within;
    while !holds() {
        if Instant::now() >= until {
            return false;
        }
        sleep(LOOK_EVERY).await;
    }
    true
}

/// Makes the log grow, by way of any node that answers, until it is enough.
pub(super) async fn flood(nodes: Vec<u64>, enough: CancellationToken) -> Result<()> {
    let batch = refused_batch();
    let mut nodes = nodes.into_iter().cycle();
    while !enough.is_cancelled() {
        let node = nodes.next().context("a node")?;
        let mut connection = Connection::new(world::http(node));
        while !enough.is_cancelled() {
            let path = "/v1/tenants/chaos/batch";
            let Ok(reply) = connection.post(path, &batch).await else {
                break;
            };
            if [429, 503, 504].contains(&reply.status) {
                break;
            }
            ensure!(
                reply.code() == "claim_not_found",
                "a batch that cannot be done was answered {}: {}",
                reply.status,
                String::from_utf8_lossy(&reply.body)
            );
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn refused_batch() -> Value {
    let annotations: serde_json::Map<String, Value> = (0..ANNOTATIONS)
        .map(|number| (format!("a{number}"), json!("x".repeat(ANNOTATION_BYTES))))
        .collect();
    let nobodys = json!({ "releaseClaim": { "name": "nobody", "generation": 1 } });
    let claims = (0..BATCH_CLAIMS).map(|number| {
        let claim =
            json!({ "name": format!("never-{number}"), "pool": "large", "annotations": annotations });
        json!({ "createClaim": claim })
    });
    let operations: Vec<Value> = std::iter::once(nobodys).chain(claims).collect();
    json!({ "atomic": true, "operations": operations })
}
