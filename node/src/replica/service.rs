//! What this node answers its peers.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use raft_store::codec::{SnapshotMetaRecord, VoteRecord};
use raft_store::types::SnapshotMeta;
use raft_store::{SnapshotFile, StoreControl};
use tokio::time::Instant;

use super::Inner;
use super::route::Route;
use crate::batcher::{Answered, Unanswered};
use crate::clock::Reading;
use crate::consensus::Consensus;
use crate::peers::wire::{
    Forward, ForwardReply, NotProposed, Proposal, ReadIndexReply, Reply, Report, Request,
};
use crate::peers::{Service, ServiceFuture, SnapshotSink};

/// Answers for a replica, as long as it is there.
pub(super) struct PeerService(pub(super) Weak<Inner>);

impl PeerService {
    fn with(
        &self,
        answer: impl FnOnce(Arc<Inner>) -> ServiceFuture<Reply>,
    ) -> ServiceFuture<Reply> {
        match self.0.upgrade() {
            Some(inner) => answer(inner),
            None => Box::pin(std::future::ready(unable("this node is stopping"))),
        }
    }
}

impl Service for PeerService {
    fn answer(&self, peer: u64, request: Request) -> ServiceFuture<Reply> {
        self.with(|inner| Box::pin(inner.answer(peer, request)))
    }

    fn snapshot_begin(
        &self,
        vote: VoteRecord,
        meta: SnapshotMetaRecord,
        _bytes: u64,
    ) -> ServiceFuture<Result<Box<dyn SnapshotSink>, Reply>> {
        let replica = Weak::clone(&self.0);
        let parts = parts(&replica);
        Box::pin(async move {
            let (consensus, store, applied) =
                parts.ok_or_else(|| unable("this node is stopping"))?;
            let newer = consensus
                .newer_vote_than(vote)
                .await
                .map_err(|error| unable(&error.to_string()))?;
            if let Some(vote) = newer {
                return Err(Reply::SnapshotDone { vote });
            }
            if meta.last.map(|id| id.index) <= applied {
                // All of it is in the state already: installed a moment ago, and the reply was lost.
                return Err(Reply::SnapshotDone { vote });
            }
            // Not by way of openraft, for which a full disk is the end.
            let file = store
                .snapshot_create()
                .map_err(|error| unable(&format!("no room for a snapshot: {error}")))?;
            let sink = Sink {
                replica,
                vote,
                meta: meta.into(),
                file,
            };
            Ok(Box::new(sink) as Box<dyn SnapshotSink>)
        })
    }
}

/// What the installation of a snapshot takes, as long as the replica is there.
fn parts(replica: &Weak<Inner>) -> Option<(Consensus, StoreControl, Option<u64>)> {
    let inner = replica.upgrade()?;
    let store = inner.store.lock().as_ref()?.control.clone();
    let applied = inner.applied.at().index;
    Some((inner.consensus.clone(), store, applied))
}

/// Where a snapshot's bytes go, and what happens when they are all there.
struct Sink {
    replica: Weak<Inner>,
    vote: VoteRecord,
    meta: SnapshotMeta,
    file: SnapshotFile,
}

impl SnapshotSink for Sink {
    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, data)
    }

    fn install(self: Box<Self>) -> ServiceFuture<Result<VoteRecord, String>> {
        let Sink {
            replica,
            vote,
            meta,
            file,
        } = *self;
        let parts = parts(&replica);
        Box::pin(async move {
            let (consensus, store, applied) = parts.ok_or("this node is stopping")?;
            if meta.last_log_id.map(|id| id.index) <= applied {
                // It tells nothing new, and openraft passes it over; it must not get a name that would
                // explain a log which has lost its end.
                return consensus
                    .snapshot_install(vote, meta, Box::new(file))
                    .await
                    .map_err(|error| error.to_string());
            }
            // Openraft purges the log as soon as it hears of the snapshot, and stops for good when it
            // does not check: it has to be checked and durable before.
            let received = store.snapshot_receive(meta.clone(), file).await;
            let file = received.map_err(|error| with_causes(&error))?;
            consensus
                .snapshot_install(vote, meta, Box::new(file))
                .await
                .map_err(|error| error.to_string())
        })
    }
}

/// An error with what caused it, for the sender's log.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn unable(reason: &str) -> Reply {
    Reply::Unable {
        reason: reason.to_owned(),
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, peer: u64, request: Request) -> Reply {
        match request {
            Request::Append(append) => match self.consensus.append(append).await {
                Ok(reply) => Reply::Append(reply),
                Err(error) => unable(&error.to_string()),
            },
            Request::Vote(vote) => match self.consensus.vote(vote).await {
                Ok(reply) => Reply::Vote(reply),
                Err(error) => unable(&error.to_string()),
            },
            Request::WouldVote { last } => Reply::WouldVote {
                yes: self.consensus.would_vote(last),
            },
            Request::Propose(proposals) => Reply::Proposed(self.answer_propose(proposals).await),
            Request::DryRun(forward) => Reply::TriedOut(self.answer_dry_run(forward).await),
            Request::ReadIndex { remaining_ms } => {
                Reply::ReadIndex(self.answer_read_index(remaining_ms).await)
            }
            Request::Report(report) => {
                self.note_report(peer, report, Duration::ZERO);
                Reply::Report(self.own_report())
            }
            Request::Member {
                change,
                mode,
                remaining_ms,
            } => {
                let deadline = Instant::now() + Duration::from_millis(remaining_ms.into());
                Reply::Member(self.member_change_here(change, mode, deadline).await)
            }
            Request::TakeOver if self.leaving.is_cancelled() => unable("this node is stopping"),
            Request::TakeOver => match self.consensus.elect().await {
                Ok(()) => Reply::TakingOver,
                Err(error) => unable(&error.to_string()),
            },
            Request::SnapshotBegin { .. }
            | Request::SnapshotChunk { .. }
            | Request::SnapshotEnd { .. } => {
                unable("a snapshot travels on a connection of its own")
            }
        }
    }

    /// One hop: what was forwarded here is proposed here or not at all.
    async fn answer_propose(&self, proposals: Vec<Proposal>) -> Vec<ForwardReply> {
        if !matches!(self.router.route(), Route::Me(_)) {
            return vec![ForwardReply::NotProposed(NotProposed::NotLeader); proposals.len()];
        }
        let now = Instant::now();
        let proposals = proposals.into_iter().map(|proposal| {
            let remaining = Duration::from_millis(proposal.remaining_ms.into());
            (proposal.command, now + remaining)
        });
        let ended = self.batcher.propose_forwarded(proposals).await;
        ended.into_iter().map(forward_reply).collect()
    }

    /// Trying a command out is work that Raft's thread must not do.
    async fn answer_dry_run(self: Arc<Self>, forward: Forward) -> ForwardReply {
        let deadline = Instant::now() + Duration::from_millis(forward.remaining_ms.into());
        if !matches!(self.router.route(), Route::Me(_)) {
            return ForwardReply::NotProposed(NotProposed::NotLeader);
        }
        let Ok(place) = Arc::clone(&self.dry_runs).try_acquire_owned() else {
            return ForwardReply::NotProposed(NotProposed::TooBusy);
        };
        let (inner, stop) = (Arc::clone(&self), self.stop.clone());
        let trying = async move {
            let _place = place;
            forward_reply(inner.dry_run_here(&forward.envelope, deadline).await)
        };
        let tried = self
            .tasks
            .spawn_on(stop.run_until_cancelled_owned(trying), &self.callers);
        match tried.await {
            Ok(Some(reply)) => reply,
            Ok(None) | Err(_) => ForwardReply::NotProposed(NotProposed::NotLeader),
        }
    }

    async fn answer_read_index(&self, remaining_ms: u32) -> ReadIndexReply {
        if !matches!(self.router.route(), Route::Me(_)) {
            return ReadIndexReply::NotLeader;
        }
        let deadline = Instant::now() + Duration::from_millis(remaining_ms.into());
        match self.rounds.point(deadline).await {
            // One that another node confirmed in the meantime is as good.
            Some(point) => ReadIndexReply::Index(point.index),
            None => ReadIndexReply::NotLeader,
        }
    }

    /// How this node stands.
    pub(super) fn own_report(&self) -> Report {
        Report {
            wall_ms: self.clock.own_wall_ms(),
            last_log_index: self.consensus.standing().last_log_index().unwrap_or(0),
            applied_index: self.applied.at().index.unwrap_or(0),
        }
    }

    /// Notes what a peer reported, `age` ago.
    pub(super) fn note_report(&self, peer: u64, report: Report, age: Duration) {
        self.reports.note(peer, report);
        let at = self.clock.monotonic().saturating_sub(age);
        let reading = Reading {
            wall_ms: report.wall_ms,
            at,
        };
        self.clock.reading(peer, reading);
    }
}

fn forward_reply(result: Result<Answered, Unanswered>) -> ForwardReply {
    match result {
        Ok(Answered { answer, index, .. }) => ForwardReply::Answered { answer, index },
        Err(Unanswered::NotProposed(why)) => ForwardReply::NotProposed(why),
        Err(Unanswered::OutcomeUnknown) => ForwardReply::OutcomeUnknown,
    }
}
