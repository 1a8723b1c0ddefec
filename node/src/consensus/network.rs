//! openraft's way to other nodes, over the links of the peers.
//!
//! openraft gives an append up after one heartbeat interval and sends its range again. The call
//! underneath lives on, and the second sending waits for the reply to the first: a follower whose
//! disk is slow is not sent the same entries over and over.
//!
//! openraft sends no heartbeat to a follower while an append to it is on its way. So whenever the same
//! range is asked for again, an empty append goes out beside it: a follower whose disk is slow goes
//! on hearing its leader, and does not stand for election.
//!
//! Heartbeats never share a reply: a read index relies on one that was sent after the question.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use openraft::error::{Fatal, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetwork, RaftNetworkFactory};
use parking_lot::Mutex;
use raft_store::codec::{LogIdRecord, VoteRecord};
use raft_store::types::{LogId, Member, Snapshot, TypeConfig, Vote};
use raft_store::{SnapshotFile, StoreControl};
use tokio::time::Instant;

use crate::metrics::stages;
use crate::peers::hello::LinkKind;
use crate::peers::snapshot::{self, SendError};
use crate::peers::wire::{self, Append, AppendReply, Reply, Request};
use crate::peers::{CallError, Directory, Link, Target};
use crate::replica::Timers;

/// How long the reply to an append with entries is waited for. Dead connections are found out
/// sooner, and a sync that hangs for longer ends its node.
const APPEND_MAX: Duration = Duration::from_secs(10);

type RpcError = RPCError<u64, Member, RaftError<u64>>;

/// Makes openraft's clients.
pub(super) struct PeerNetworks {
    peers: Arc<Directory>,
    timers: Timers,
    store: StoreControl,
    snapshots_on_the_way: Arc<SnapshotsOnTheWay>,
    outstanding: BTreeMap<u64, (Target, Arc<Outstanding>)>,
}

impl PeerNetworks {
    pub(super) fn new(
        peers: Arc<Directory>,
        timers: Timers,
        store: StoreControl,
        snapshots_on_the_way: Arc<SnapshotsOnTheWay>,
    ) -> PeerNetworks {
        PeerNetworks {
            peers,
            timers,
            store,
            snapshots_on_the_way,
            outstanding: BTreeMap::new(),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for PeerNetworks {
    type Network = PeerNetwork;

    async fn new_client(&mut self, node: u64, member: &Member) -> PeerNetwork {
        let target = Target {
            node,
            instance: Some(member.instance),
            address: member.peer_address.clone(),
        };
        let (known, outstanding) = self
            .outstanding
            .entry(node)
            .or_insert_with(|| (target.clone(), Arc::default()));
        if *known != target {
            *known = target.clone();
            *outstanding = Arc::default();
        }
        PeerNetwork {
            peers: Arc::clone(&self.peers),
            target,
            timers: self.timers,
            store: self.store.clone(),
            snapshots_on_the_way: Arc::clone(&self.snapshots_on_the_way),
            outstanding: Arc::clone(outstanding),
        }
    }
}

/// openraft's client for one peer.
pub(super) struct PeerNetwork {
    peers: Arc<Directory>,
    target: Target,
    timers: Timers,
    store: StoreControl,
    snapshots_on_the_way: Arc<SnapshotsOnTheWay>,
    outstanding: Arc<Outstanding>,
}

impl RaftNetwork<TypeConfig> for PeerNetwork {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RpcError> {
        let last = request
            .entries
            .last()
            .map(|entry| LogIdRecord::from(entry.log_id));
        let append = Append {
            vote: request.vote.into(),
            previous: request.prev_log_id.map(Into::into),
            entries: request.entries.into_iter().map(Into::into).collect(),
            committed: request.leader_commit.map(Into::into),
        };
        // Looked up each time: a link can end while its peer stays.
        let link = self.peers.link(&self.target, LinkKind::Raft);
        let reply = match last {
            Some(last) => {
                let begun = Instant::now();
                let sent = self
                    .outstanding
                    .send(&link, append, last, option.hard_ttl());
                let reply = sent.await;
                stages::replicated(self.target.node, begun);
                reply
            }
            None => call_append(&link, append, option.hard_ttl()).await,
        };
        let reply = reply.map_err(|error| RPCError::Unreachable(Unreachable::new(&error)))?;
        Ok(match reply {
            AppendReply::Success => AppendEntriesResponse::Success,
            AppendReply::Partial(last) => {
                AppendEntriesResponse::PartialSuccess(last.map(LogId::from))
            }
            AppendReply::Conflict => AppendEntriesResponse::Conflict,
            AppendReply::HigherVote(vote) => AppendEntriesResponse::HigherVote(vote.into()),
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RpcError> {
        let request = Request::Vote(wire::Vote {
            vote: request.vote.into(),
            last: request.last_log_id.map(Into::into),
        });
        let link = self.peers.link(&self.target, LinkKind::Raft);
        let error = match link
            .call(&request, Instant::now() + option.hard_ttl())
            .await
        {
            Ok(Reply::Vote(reply)) => {
                let last: Option<LogId> = reply.last.map(Into::into);
                return Ok(VoteResponse::new(
                    Vote::from(reply.vote),
                    last,
                    reply.granted,
                ));
            }
            Ok(other) => unexpected(&other),
            Err(error) => error,
        };
        Err(RPCError::Unreachable(Unreachable::new(&error)))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Fatal<u64>>> {
        let link = self.peers.link(&self.target, LinkKind::Snapshot);
        let file: Box<SnapshotFile> = snapshot.snapshot;
        let read = |offset: u64, size: usize| read_chunk(&file, offset, size);
        let last = snapshot.meta.last_log_id.map_or(0, |id| id.index);
        let _on_the_way = OnTheWay::new(&self.snapshots_on_the_way, last);
        let sent = async {
            let bytes = file.size().map_err(SendError::Unreadable)?;
            let sent = snapshot::send(&link, vote.into(), snapshot.meta.into(), bytes, read).await;
            if let Err(SendError::Refused(_) | SendError::Unreadable(_)) = &sent {
                // Perhaps this node's own file is at fault: sending it again would not help.
                self.store.snapshot_recheck().await;
            }
            sent
        };
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = sent => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(vote.into())),
                Err(error) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
            },
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(self.timers.heartbeat()))
    }
}

/// The last indexes of the snapshots that are being sent, each with how many receivers it has.
#[derive(Debug, Default)]
pub(super) struct SnapshotsOnTheWay(Mutex<BTreeMap<u64, usize>>);

impl SnapshotsOnTheWay {
    /// The last index of the oldest: its receiver needs the log from there on.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.0.lock().keys().next().copied()
    }
}

/// Counts a snapshot as on its way until dropped.
struct OnTheWay(Arc<SnapshotsOnTheWay>, u64);

impl OnTheWay {
    fn new(all: &Arc<SnapshotsOnTheWay>, last: u64) -> OnTheWay {
        *all.0.lock().entry(last).or_default() += 1;
        OnTheWay(Arc::clone(all), last)
    }
}

impl Drop for OnTheWay {
    fn drop(&mut self) {
        let mut all = self.0.0.lock();
        if let Some(receivers) = all.get_mut(&self.1) {
            *receivers -= 1;
            if *receivers == 0 {
                all.remove(&self.1);
            }
        }
    }
}

fn read_chunk(file: &SnapshotFile, offset: u64, size: usize) -> io::Result<Bytes> {
    let mut chunk = vec![0; size];
    let read = file.read_at(offset, &mut chunk)?;
    chunk.truncate(read);
    Ok(chunk.into())
}

async fn call_append(
    link: &Link,
    append: Append,
    limit: Duration,
) -> Result<AppendReply, CallError> {
    match link
        .call(&Request::Append(append), Instant::now() + limit)
        .await?
    {
        Reply::Append(reply) => Ok(reply),
        other => Err(unexpected(&other)),
    }
}

/// An append without entries at the place where `append` begins; its reply says nothing new.
fn send_sign_of_life(link: &Link, append: &Append, limit: Duration) {
    let empty = Append {
        vote: append.vote,
        previous: append.previous,
        entries: Vec::new(),
        committed: None,
    };
    let link = link.clone();
    tokio::spawn(async move { drop(call_append(&link, empty, limit).await) });
}

fn unexpected(reply: &Reply) -> CallError {
    let reason = match reply {
        Reply::Unable { reason } => reason.clone(),
        _ => "the reply is to something else".to_owned(),
    };
    CallError::NoReply(reason)
}

/// The append with entries that is on its way to one peer, if any.
#[derive(Default)]
struct Outstanding(Mutex<Option<Sent>>);

#[derive(Clone)]
struct Sent {
    vote: VoteRecord,
    previous: Option<LogIdRecord>,
    last: LogIdRecord,
    reply: Shared<BoxFuture<'static, Result<AppendReply, CallError>>>,
}

impl Outstanding {
    /// Sends entries, unless some that begin at the same place are still on their way: then their
    /// reply answers for both.
    async fn send(
        &self,
        link: &Link,
        append: Append,
        last: LogIdRecord,
        sign_of_life_max: Duration,
    ) -> Result<AppendReply, CallError> {
        let sent = {
            let mut slot = self.0.lock();
            match slot.as_ref().filter(|sent| sent.answers_for(&append)) {
                Some(sent) => {
                    send_sign_of_life(link, &append, sign_of_life_max);
                    sent.clone()
                }
                None => slot.insert(Sent::start(link, append, last)).clone(),
            }
        };
        let reply = sent.reply.clone().await;
        let mut slot = self.0.lock();
        if slot
            .as_ref()
            .is_some_and(|current| current.reply.ptr_eq(&sent.reply))
        {
            *slot = None;
        }
        drop(slot);
        Ok(sent.as_reply_to(reply?, last))
    }
}

impl Sent {
    fn start(link: &Link, append: Append, last: LogIdRecord) -> Sent {
        let (vote, previous) = (append.vote, append.previous);
        let link = link.clone();
        // A task of its own, since openraft drops the future that it waits with. It ends at its
        // deadline, or with the link.
        let call = tokio::spawn(async move { call_append(&link, append, APPEND_MAX).await });
        let reply = async move {
            call.await
                .unwrap_or_else(|error| Err(CallError::NoReply(error.to_string())))
        };
        Sent {
            vote,
            previous,
            last,
            reply: reply.boxed().shared(),
        }
    }

    /// Whether the reply to this one will do for another append: one that begins at the same place
    /// under the same leadership, while no reply is there, or a good one.
    fn answers_for(&self, append: &Append) -> bool {
        let useful = match self.reply.peek() {
            None => true,
            Some(reply) => matches!(reply, Ok(AppendReply::Success)),
        };
        useful && self.vote == append.vote && self.previous == append.previous
    }

    /// The reply to this one as one to an append of the same beginning that ends at `last`. Both
    /// are pieces of one leader's log, so that their ends compare by index.
    fn as_reply_to(&self, reply: AppendReply, last: LogIdRecord) -> AppendReply {
        match reply {
            AppendReply::Success if self.last.index < last.index => {
                AppendReply::Partial(Some(self.last))
            }
            other => other,
        }
    }
}
