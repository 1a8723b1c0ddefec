//! Watchers: each follows all changes, and goes on at another node where it left off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::events::Events;
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::history::{Change, What};
use crate::real::diary::Diary;
use crate::real::world;

/// Watchers at once.
const WATCHERS: u64 = 3;
/// For a watch to begin.
const OPEN_WITHIN: Duration = Duration::from_secs(2);
/// For all to begin while nothing is broken.
const BEGUN_WITHIN: Duration = Duration::from_secs(10);
/// A node that tells nothing for so long is left. Under load there is always something; and at rest bookmarks come more
/// seldom, which costs no more than a new connection.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Pause after a node that does not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// The watchers at work. They end with it.
#[derive(Debug)]
pub(in crate::real) struct Watchers {
    tasks: JoinSet<()>,
    /// The revision that each has been told of.
    reached: Vec<Arc<AtomicU64>>,
}

impl Watchers {
    /// Watchers of all that comes after a revision, each of which has begun.
    pub(in crate::real) async fn start(
        nodes: &[u64],
        tenant: &Tenant,
        from_revision: u64,
        diary: &Diary,
        random: &mut StdRng,
    ) -> Result<Self> {
        let mut tasks = JoinSet::new();
        let mut all = Vec::new();
        let begun = Arc::new(AtomicU64::new(0));
        for watch in 0..WATCHERS {
            let reached = Arc::new(AtomicU64::new(from_revision));
            all.push(Arc::clone(&reached));
            let watcher = Watcher {
                watch,
                nodes: nodes.to_vec(),
                path: tenant.path(&format!("watch?fromRevision={from_revision}")),
                node: watch,
                last: None,
                reached,
                begun: Arc::clone(&begun),
                diary: diary.clone(),
                random: rand::SeedableRng::from_rng(random),
            };
            tasks.spawn(watcher.run());
        }
        let begun = &begun;
        wait::until("all watchers have begun", BEGUN_WITHIN, || async move {
            (begun.load(Ordering::Relaxed) >= WATCHERS).then_some(())
        })
        .await?;
        Ok(Self {
            tasks,
            reached: all,
        })
    }

    /// Waits until all have been told of a revision, then ends them.
    pub(in crate::real) async fn stop(mut self, revision: u64, within: Duration) -> Result<()> {
        ensure!(
            self.tasks.try_join_next().is_none(),
            "a watcher ended by itself"
        );
        let reached = &self.reached;
        let what = format!("all watchers have been told of revision {revision}");
        wait::until(&what, within, || async move {
            let behind = |reached: &Arc<AtomicU64>| reached.load(Ordering::Relaxed) < revision;
            (!reached.iter().any(behind)).then_some(())
        })
        .await
    }
}

struct Watcher {
    watch: u64,
    nodes: Vec<u64>,
    path: String,
    /// The node that it has asked last.
    node: u64,
    /// The id of the last event, with which it goes on elsewhere.
    last: Option<String>,
    reached: Arc<AtomicU64>,
    /// Counts the streams of all watchers.
    begun: Arc<AtomicU64>,
    diary: Diary,
    random: StdRng,
}

impl Watcher {
    async fn run(mut self) {
        loop {
            let mut others = self.nodes.clone();
            others.retain(|node| *node != self.node);
            let node = others[self.random.random_range(0..others.len())];
            self.node = node;
            let opening = Events::open(world::http(node), &self.path, self.last.as_deref());
            match timeout(OPEN_WITHIN, opening).await {
                Ok(Ok(events)) => self.follow(node, events).await,
                Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Follows one stream until it ends or falls silent.
    async fn follow(&mut self, node: u64, mut events: Events) {
        self.diary.note(What::Watching {
            watch: self.watch,
            node,
            from_revision: self.reached.load(Ordering::Relaxed),
        });
        self.begun.fetch_add(1, Ordering::Relaxed);
        while let Ok(Ok((id, data))) = timeout(SILENCE_MAX, events.told()).await {
            match told(self.watch, &id, &data) {
                Ok((revision, line)) => {
                    self.diary.note(line);
                    self.reached.store(revision, Ordering::Relaxed);
                    self.last = Some(id);
                }
                Err(error) => {
                    self.diary
                        .found(&format!("node {node} tells a watcher {data}: {error:#}"));
                    return;
                }
            }
        }
    }
}

/// The line for an event, and its revision.
fn told(watch: u64, id: &str, data: &Value) -> Result<(u64, What)> {
    let (revision, ordinal) = match id.split_once('.') {
        Some((revision, ordinal)) => (revision.parse()?, ordinal.parse()?),
        None => (id.parse()?, 0),
    };
    ensure!(data["revision"] == revision, "its id is {id}");
    let kind = data["type"].as_str().context("a type")?;
    let change = if kind == "bookmark" {
        None
    } else {
        let claim = &data["object"];
        let block = claim["status"]["allocatedCIDR"].as_str();
        Some(Change {
            kind: kind.to_owned(),
            block: block.context("a block")?.to_owned(),
            name: claim["name"].as_str().map(str::to_owned),
            generation: claim["status"]["generation"].as_u64(),
        })
    };
    let line = What::Watched {
        watch,
        revision,
        ordinal,
        change,
    };
    Ok((revision, line))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_says_what_became_of_a_block_and_a_bookmark_says_nothing() -> Result<()> {
        let claim =
            json!({ "name": "a", "status": { "allocatedCIDR": "10.0.0.0/32", "generation": 7 } });
        let event = json!({ "revision": 5, "type": "released", "object": claim });
        let (revision, line) = told(1, "5.3", &event)?;
        assert_eq!(revision, 5);
        let change = Change {
            kind: "released".to_owned(),
            block: "10.0.0.0/32".to_owned(),
            name: Some("a".to_owned()),
            generation: Some(7),
        };
        let expected = What::Watched {
            watch: 1,
            revision: 5,
            ordinal: 3,
            change: Some(change),
        };
        assert_eq!(line, expected);
        let bookmark = json!({ "revision": 6, "type": "bookmark" });
        let (revision, line) = told(1, "6", &bookmark)?;
        assert_eq!(revision, 6);
        assert!(matches!(line, What::Watched { change: None, .. }));
        assert!(told(1, "6.0", &event).is_err(), "the id is another one");
        assert!(told(1, "5.0", &json!({ "revision": 5, "type": "released" })).is_err());
        Ok(())
    }
}
