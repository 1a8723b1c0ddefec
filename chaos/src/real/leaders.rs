//! Who leads, as the nodes say it of themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use cluster_tests::http::Connection;
use cluster_tests::wait;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::diary::Diary;
use super::world;
use crate::history::What;

/// How often each node is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// For its answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(400);
/// What a node said counts for so long.
const FRESH: Duration = Duration::from_millis(600);
/// For somebody to lead.
const LEADER_WITHIN: Duration = Duration::from_secs(20);

/// What was heard last; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaders(Arc<Mutex<BTreeMap<u64, Said>>>);

#[derive(Debug, Clone, Copy)]
struct Said {
    at: Instant,
    /// The term in which the node leads, if it says that it does.
    leads_in: Option<u64>,
}

impl Leaders {
    /// Asks all nodes, for as long as `tasks` are there.
    pub(super) fn ask(nodes: &[u64], diary: &Diary, tasks: &mut JoinSet<()>) -> Self {
        let leaders = Self::default();
        for node in nodes {
            tasks.spawn(leaders.clone().ask_one(*node, diary.clone()));
        }
        leaders
    }

    /// Waits until a node leads, the one of the highest term; the node and its term.
    pub(super) async fn leader(&self) -> Result<(u64, u64)> {
        wait::until("a node leads", LEADER_WITHIN, || async { self.now() }).await
    }

    fn now(&self) -> Option<(u64, u64)> {
        let said = self.lock();
        let fresh = said.iter().filter(|(_, said)| said.at.elapsed() < FRESH);
        let led = fresh.filter_map(|(node, said)| Some((said.leads_in?, *node)));
        led.max().map(|(term, node)| (node, term))
    }

    async fn ask_one(self, node: u64, diary: Diary) {
        let mut connection = Connection::new(world::http(node)).with_deadline(ANSWER_WITHIN);
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut noted = None;
        loop {
            ticks.tick().await;
            let Ok(reply) = connection.get("/v1/cluster").await else {
                continue;
            };
            let status = reply.json();
            if reply.status != 200 {
                continue;
            }
            let leads_in = status["term"]
                .as_u64()
                .filter(|_| status["leader"].as_u64() == Some(node));
            let at = Instant::now();
            self.lock().insert(node, Said { at, leads_in });
            if let Some(term) = leads_in.filter(|_| noted != leads_in) {
                diary.note(What::Leader { node, term });
            }
            noted = leads_in.or(noted);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
