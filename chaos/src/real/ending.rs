//! The end of a run: everything is healed, everybody comes to rest, and each node says what it has.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::diary::Diary;
use super::faults::Scene;
use super::load::{LEASES, Load, Watchers};
use super::world;
use crate::history::{Held, What};

/// For all nodes to have applied the same, and for nothing to happen any more.
const REST_WITHIN: Duration = Duration::from_mins(1);
/// So long nothing has happened then: longer than any grace, so that nothing is left to happen.
const REST: Duration = Duration::from_millis(2_500);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// For watchers that have nothing more to wait for.
const WATCHED_WITHIN: Duration = Duration::from_secs(15);

/// Heals, ends the load, waits for rest, and writes down what each node has. Nodes that differ are something found.
///
/// # Errors
/// A node did not come back, or the nodes did not come to rest.
pub(super) async fn end(
    scene: &mut Scene,
    load: Load,
    watchers: Watchers,
    tenant: &Tenant,
) -> Result<()> {
    scene.heal().await?;
    scene.cluster.settle("all was healed").await?;
    load.stop().await?;
    scene.diary.say("healed; the load has ended");
    let diary = scene.diary.clone();
    let revision = match rest(scene, tenant).await {
        Ok(revision) => revision,
        Err(error) => {
            diary.found(&format!("{error:#}"));
            return Err(error);
        }
    };
    diary.say(&format!("at rest, at revision {revision}"));
    if let Err(error) = watchers.stop(revision, WATCHED_WITHIN).await {
        diary.found(&format!("{error:#}"));
    }
    let mut compared = Compared::default();
    for node in scene.cluster.ids() {
        let mut connection = Connection::new(world::http(node));
        let path = format!("/v1/cluster/digest?revision={revision}");
        let digest = connection.get(&path).await?.expect(200)?;
        let (index, text) = digest["index"]
            .as_u64()
            .zip(digest["digest"].as_str())
            .context("a digest")?;
        let listed = tenant.claims(&mut connection).await?;
        let claims: Vec<Held> = listed
            .into_iter()
            .map(|(name, held)| Held {
                name,
                block: held.block,
                generation: held.generation,
            })
            .collect();
        compared.compare(node, &format!("{index} {text}"), &claims, &diary);
        diary.note(What::Digest {
            node,
            revision,
            index,
            digest: text.to_owned(),
        });
        diary.note(What::Claims {
            node,
            revision,
            claims,
        });
    }
    diary.say(&format!(
        "{} claims held at the end",
        compared.claims.map_or(0, |claims| claims.len())
    ));
    Ok(())
}

/// What the first node said.
#[derive(Default)]
struct Compared {
    digest: Option<String>,
    claims: Option<Vec<Held>>,
}

impl Compared {
    fn compare(&mut self, node: u64, digest: &str, claims: &[Held], diary: &Diary) {
        let first = self.digest.get_or_insert_with(|| digest.to_owned());
        if first != digest {
            diary.found(&format!(
                "node {node} has the digest {digest}, another has {first}"
            ));
        }
        let first = self.claims.get_or_insert_with(|| claims.to_vec());
        if first != claims {
            let odd = first
                .iter()
                .find(|held| !claims.contains(held))
                .or_else(|| claims.iter().find(|held| !first.contains(held)));
            diary.found(&format!(
                "node {node} lists other claims than another: {odd:?} is on one list only"
            ));
        }
    }
}

/// Waits until the leases have ended, all nodes have applied the same, and nothing happens; the revision.
async fn rest(scene: &Scene, tenant: &Tenant) -> Result<u64> {
    let path = tenant.path(&format!("claims?pool={LEASES}&consistency=linearizable"));
    let path = &path;
    wait::until(
        "all leases have ended, none being renewed",
        REST_WITHIN,
        || async move {
            let mut connection = Connection::new(world::http(1));
            let list = connection.get(path).await.ok()?.expect(200).ok()?;
            list["items"].as_array()?.is_empty().then_some(())
        },
    )
    .await?;
    let until = Instant::now() + REST_WITHIN;
    let mut same: Option<(u64, Instant)> = None;
    loop {
        let statuses = scene.cluster.statuses().await;
        let agreed = statuses.as_ref().ok().and_then(|all| agreed(all));
        let now = Instant::now();
        same = match (agreed, same) {
            (Some(revision), Some((before, since))) if revision == before => {
                Some((revision, since))
            }
            (Some(revision), _) => Some((revision, now)),
            // A tick is on its way to some; only a revision that has changed is news.
            (None, before) => before,
        };
        if let (Some(revision), Some((_, since))) = (agreed, same)
            && now - since >= REST
        {
            return Ok(revision);
        }
        if now >= until {
            bail!("not within {REST_WITHIN:?}: all nodes have applied the same: {statuses:?}");
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The revision that all nodes have, if they have applied the same.
fn agreed(statuses: &[Value]) -> Option<u64> {
    let mut seen = None;
    for status in statuses {
        let one = (
            status["appliedIndex"].as_u64()?,
            status["revision"].as_u64()?,
            status["leader"].as_u64()?,
        );
        if *seen.get_or_insert(one) != one {
            return None;
        }
    }
    seen.map(|(_, revision, _)| revision)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_agree_when_they_have_applied_the_same_under_one_leader() {
        let status = |applied: u64, revision: u64, leader: u64| json!({ "appliedIndex": applied, "revision": revision, "leader": leader });
        let without_leader = json!({ "appliedIndex": 9, "revision": 5 });
        for (statuses, expected) in [
            (vec![status(9, 5, 1), status(9, 5, 1)], Some(5)),
            (vec![status(9, 5, 1), status(8, 5, 1)], None),
            (vec![status(9, 5, 1), status(9, 4, 1)], None),
            (vec![status(9, 5, 1), status(9, 5, 2)], None),
            (vec![without_leader.clone(), without_leader], None),
        ] {
            assert_eq!(agreed(&statuses), expected, "{statuses:?}");
        }
    }

    #[tokio::test]
    async fn nodes_that_have_other_digests_or_claims_are_found() {
        let held = |name: &str| Held {
            name: name.to_owned(),
            block: "10.0.0.0/32".to_owned(),
            generation: 1,
        };
        for (digest, claims, findings) in [
            ("7 aa", vec![held("a")], 0),
            ("7 ab", vec![held("a")], 1),
            ("7 aa", vec![], 1),
            ("7 aa", vec![held("b")], 1),
        ] {
            let diary = Diary::begin();
            let mut compared = Compared::default();
            compared.compare(1, "7 aa", &[held("a")], &diary);
            compared.compare(2, digest, &claims, &diary);
            assert_eq!(diary.findings().len(), findings, "{digest} {claims:?}");
        }
    }
}
