//! Read indexes, shared: all that ask while one round is on its way are served by the next.

use std::sync::Arc;
use std::time::Duration;

use allocator::planted::{Bug, planted};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::consensus::{Consensus, ReadIndexError};
use crate::peers::wire::{ReadIndexReply, Reply, Request};

use super::route::{Route, Router};

/// Readers that wait for a round; one more waits outside.
const WAITING_MAX: usize = 16_384;
/// Longest that one attempt takes.
const ATTEMPT_MAX: Duration = Duration::from_secs(1);
/// Pause after an attempt that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What a round found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadPoint {
    /// Everything answered before `sent_at` is at or below this index.
    pub(super) index: u64,
    /// When the question was sent.
    pub(super) sent_at: Instant,
    /// Who confirmed it.
    pub(super) leader: u64,
}

type Ask = oneshot::Sender<ReadPoint>;

/// Where readers ask.
#[derive(Debug, Clone)]
pub(super) struct Rounds {
    asks: mpsc::Sender<Ask>,
}

impl Rounds {
    /// The rounds, and their task.
    pub(super) fn new(consensus: Consensus, router: Arc<Router>) -> (Rounds, RoundsTask) {
        let (asks, arriving) = mpsc::channel(WAITING_MAX);
        let task = RoundsTask {
            consensus,
            router,
            arriving,
        };
        (Rounds { asks }, task)
    }

    /// A read point whose question is sent after this call; `None` at the deadline.
    pub(super) async fn point(&self, deadline: Instant) -> Option<ReadPoint> {
        let ask = async {
            let (reply, point) = oneshot::channel();
            self.asks.send(reply).await.ok()?;
            point.await.ok()
        };
        timeout_at(deadline, ask).await.ok().flatten()
    }
}

/// The task that goes the rounds.
#[derive(Debug)]
pub(super) struct RoundsTask {
    consensus: Consensus,
    router: Arc<Router>,
    arriving: mpsc::Receiver<Ask>,
}

impl RoundsTask {
    /// Runs until nobody can ask any more.
    pub(super) async fn run(mut self) {
        let mut waiting: Vec<Ask> = Vec::new();
        while self.arriving.recv_many(&mut waiting, WAITING_MAX).await > 0 {
            while !waiting.is_empty() {
                let sent_at = Instant::now();
                if let Some((index, leader)) =
                    timeout(ATTEMPT_MAX, self.attempt()).await.ok().flatten()
                {
                    let point = ReadPoint {
                        index,
                        sent_at,
                        leader,
                    };
                    for ask in waiting.drain(..) {
                        if ask.send(point).is_err() {
                            tracing::trace!("a reader gave up");
                        }
                    }
                    break;
                }
                sleep(AGAIN_AFTER).await;
                waiting.retain(|ask| !ask.is_closed());
                // The next attempt is sent after these have asked, too.
                while let Ok(ask) = self.arriving.try_recv() {
                    waiting.push(ask);
                }
            }
        }
    }

    async fn attempt(&self) -> Option<(u64, u64)> {
        match self.router.route() {
            Route::Me(id) if planted(Bug::ReadWithoutIndex) => Some((0, id)),
            Route::Me(id) => match self.consensus.read_index().await {
                Ok(index) => Some((index, id)),
                Err(ReadIndexError::NotLeader | ReadIndexError::Stopped(_)) => None,
            },
            Route::Peer(id, link) => {
                let request = Request::ReadIndex {
                    remaining_ms: u32::try_from(ATTEMPT_MAX.as_millis()).unwrap_or(u32::MAX),
                };
                match link.call(&request, Instant::now() + ATTEMPT_MAX).await {
                    Ok(Reply::ReadIndex(ReadIndexReply::Index(index))) => Some((index, id)),
                    _ => None,
                }
            }
            Route::Nobody => None,
        }
    }
}
