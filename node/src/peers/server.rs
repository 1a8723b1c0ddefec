//! The side that is connected to: hears the hello, judges it, and has requests answered.
//!
//! Invariants:
//! 1. No request of a connection is answered before its hello was accepted, and none after the
//!    membership has changed without the hello having been judged again.
//! 2. Requests of one connection are handed on in the order in which they came; their answers may
//!    overtake each other. A snapshot's are handled one after the other.
//! 3. What a peer can make this node keep is bounded: connections, requests in flight, bytes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use raft_store::codec::{self, SnapshotMetaRecord, VoteRecord};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Local, decode, read_message, read_one, write_all, write_record};
use super::frame::{Assembler, Frames, Kind, Message, frames};
use super::hello::{Hello, LinkKind, Ours, Refusal, Verdict, Welcome, judge_hello};
use super::net::{BoxStream, Listener};
use super::snapshot::Receiving;
use super::wire::{ForwardReply, NotProposed, Reply, Request};

/// Most connections at a time.
const CONNECTIONS_MAX: usize = 512;
/// Most requests of one connection that are being answered.
const REQUESTS_MAX: usize = 1_024;
/// Bytes of a request whose decoding is felt by others on the same thread.
const LARGE: usize = 64 << 10;
/// How long whoever connects may take to say hello.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// A peer sends a sign of life twice a second; after this silence the connection ends.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A future that owns what it needs.
pub(crate) type ServiceFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Who answers what peers ask.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers a request of a peer that was let in.
    fn answer(&self, peer: u64, request: Request) -> ServiceFuture<Reply>;

    /// Makes room for a snapshot that a leader sends; otherwise why not.
    fn snapshot_begin(
        &self,
        vote: VoteRecord,
        meta: SnapshotMetaRecord,
        bytes: u64,
    ) -> ServiceFuture<Result<Box<dyn SnapshotSink>, Reply>>;
}

/// Where a snapshot's bytes go.
pub(crate) trait SnapshotSink: Send {
    /// Takes the next bytes.
    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// All bytes are there and good: install them. The receiver's vote, or why not.
    fn install(self: Box<Self>) -> ServiceFuture<Result<VoteRecord, String>>;
}

/// What each connection shares.
pub(crate) struct Server {
    /// This node.
    pub(crate) local: Arc<dyn Local>,
    /// Who answers.
    pub(crate) service: Arc<dyn Service>,
    /// Owns the tasks.
    pub(crate) tasks: TaskTracker,
    /// Ends them.
    pub(crate) stop: CancellationToken,
}

impl Server {
    /// Takes connections until the token is cancelled.
    pub(crate) async fn run(self: Arc<Self>, mut listener: Box<dyn Listener>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let accept = async {
            loop {
                let permit = Arc::clone(&room)
                    .acquire_owned()
                    .await
                    .expect("the semaphore is never closed");
                match listener.accept().await {
                    Ok((stream, from)) => {
                        let server = Arc::clone(&self);
                        self.tasks.spawn(async move {
                            let stop = server.stop.clone();
                            let ended = stop.run_until_cancelled(server.connection(stream)).await;
                            if let Some(Err(error)) = ended {
                                tracing::debug!(%from, %error, "connection from peer ended");
                            }
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        // Out of descriptors, or the peer was gone again: neither lasts.
                        tracing::warn!(%error, "a peer could not be accepted");
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        self.stop.run_until_cancelled(accept).await;
    }

    async fn connection(&self, stream: BoxStream) -> io::Result<()> {
        let mut frames = frames(stream);
        let greeted = timeout(HELLO_MAX, self.greet(&mut frames)).await;
        match greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
            Some(hello) if hello.link != LinkKind::Probe => self.serve(frames, hello).await,
            _ => Ok(()),
        }
    }

    /// Hears the hello and answers it; `None` when it was refused.
    async fn greet(&self, frames: &mut Frames) -> io::Result<Option<Hello>> {
        let message = read_one(frames).await?;
        if message.kind != Kind::Hello {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the first message is no hello",
            ));
        }
        let hello: Hello = decode(&message)?;
        let verdict = match self.judge(&hello) {
            Ok(verdict) => verdict,
            Err(refusal) => {
                tracing::debug!(peer = hello.card.node, reason = %refusal, "peer refused");
                write_record(frames, Kind::Refused, &refusal).await?;
                return Ok(None);
            }
        };
        if let Verdict::Adopt(cluster) = verdict {
            self.local.adopt(cluster)?;
        }
        let welcome = Welcome {
            card: self.local.card(),
            knows_you_as: self.local.member_instance(hello.card.node),
        };
        write_record(frames, Kind::Welcome, &welcome).await?;
        Ok(Some(hello))
    }

    fn judge(&self, hello: &Hello) -> Result<Verdict, Refusal> {
        let card = self.local.card();
        let ours = Ours {
            card: &card,
            peer_as_member: self.local.member_instance(hello.card.node),
        };
        judge_hello(&ours, hello)
    }

    async fn serve(&self, frames: Frames, hello: Hello) -> io::Result<()> {
        let (sink, mut stream) = frames.split();
        let (replies, outgoing) = mpsc::channel(REQUESTS_MAX);
        let mut writer = std::pin::pin!(write_all(sink, outgoing));
        let mut assembler = Assembler::default();
        let mut heard = Instant::now();
        let mut judged_at = self.local.membership_version();
        let mut check = interval(SILENCE_MAX / 4);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let room = Arc::new(Semaphore::new(REQUESTS_MAX));
        // The lock is fair and the sender waits for each answer, so the stream stays in order. Only the end is asked after
        // while it is worked on, by a beginning anew; should that come late, a later beginning replaces it.
        let receiving = Arc::new(Mutex::new(Receiving::new(Arc::clone(&self.service))));
        loop {
            let message = tokio::select! {
                biased;
                written = &mut writer => return written,
                message = read_message(&mut stream, &mut assembler) => message?,
                _ = check.tick() => {
                    if heard.elapsed() > SILENCE_MAX {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    continue;
                }
            };
            let Some(message) = message else {
                return Ok(());
            };
            heard = Instant::now();
            if message.kind == Kind::Ping {
                // A full queue of replies is itself a sign of life.
                drop(replies.try_send(Message::plain(Kind::Pong, Bytes::new())));
                continue;
            }
            if message.kind != Kind::Request {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a request was expected",
                ));
            }
            let version = self.local.membership_version();
            if version != judged_at {
                self.judge(&hello)
                    .map_err(|refusal| io::Error::other(refusal.to_string()))?;
                judged_at = version;
            }
            let bytes = message.payload.len();
            let request: Request = decode(&message)?;
            if bytes >= LARGE {
                // Many large ones in a row would keep this thread from what others send.
                yield_now().await;
            }
            // Reading goes on when there is no room, or the peer would hear no sign of life.
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                if let Ok(slot) = replies.try_reserve() {
                    reply_into(slot, message.id, &too_busy(&request));
                }
                continue;
            };
            let answer: ServiceFuture<Reply> = if hello.link == LinkKind::Snapshot {
                let receiving = Arc::clone(&receiving);
                Box::pin(async move { receiving.lock().await.take(request).await })
            } else {
                self.service.answer(hello.card.node, request)
            };
            let replies = replies.clone();
            let stop = self.stop.clone();
            self.tasks.spawn(async move {
                if let Some(reply) = stop.run_until_cancelled(answer).await {
                    send_reply(&replies, message.id, &reply).await;
                }
                drop(permit);
            });
        }
    }
}

/// The answer to a request for which there is no room.
fn too_busy(request: &Request) -> Reply {
    match request {
        Request::Propose(proposals) => {
            let busy = ForwardReply::NotProposed(NotProposed::TooBusy);
            Reply::Proposed(vec![busy; proposals.len()])
        }
        Request::DryRun(_) => Reply::TriedOut(ForwardReply::NotProposed(NotProposed::TooBusy)),
        _ => Reply::Unable {
            reason: "too many requests are being answered".to_owned(),
        },
    }
}

async fn send_reply(replies: &mpsc::Sender<Message>, id: u64, reply: &Reply) {
    // Without a connection there is nobody to answer.
    if let Ok(slot) = replies.reserve().await {
        reply_into(slot, id, reply);
    }
}

fn reply_into(slot: mpsc::Permit<'_, Message>, id: u64, reply: &Reply) {
    let payload = codec::encode(reply).or_else(|error| {
        codec::encode(&match reply {
            // It may have been proposed: only whoever knows that it was not may say so.
            Reply::Proposed(replies) => {
                Reply::Proposed(vec![ForwardReply::OutcomeUnknown; replies.len()])
            }
            Reply::TriedOut(_) => Reply::TriedOut(ForwardReply::OutcomeUnknown),
            _ => Reply::Unable {
                reason: error.to_string(),
            },
        })
    });
    match payload {
        Ok(payload) => slot.send(Message {
            kind: Kind::Reply,
            id,
            payload: payload.into(),
        }),
        Err(error) => tracing::error!(%error, "a reply could not be encoded"),
    }
}
