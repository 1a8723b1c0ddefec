//! A lasting way to one peer for one purpose: calls go in, a task of its own holds the socket.
//!
//! Invariants:
//! 1. Only the link's tasks touch the socket; a caller that gives up leaves no half-written frame.
//! 2. Every call ends at its deadline. A call that has not been written by then never is, and its
//!    caller is told so ([`CallError::was_sent`]).
//! 3. A connection on which nothing arrives for [`SILENCE_MAX`], although the peer's connection
//!    layer is asked for a sign of life, is given up and made anew.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use raft_store::codec;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connection::{DialError, Local, Target, decode, dial, read_message, write_all};
use super::frame::{Assembler, Frames, Kind, Message};
use super::hello::{LinkKind, Refusal};
use super::net::Net;
use super::wire::{Reply, Request};

/// Calls that wait for the link's task; one more is refused without having been sent.
const CALLS_MAX: usize = 1_024;
/// Pause between attempts to connect, doubled from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));
/// Pause after a refusal, which only a person or a change of the membership can end.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);
/// Interval of signs of life.
const PING_EVERY: Duration = Duration::from_millis(500);
/// Longest silence.
const SILENCE_MAX: Duration = Duration::from_secs(3);

const QUEUED: u8 = 0;
const SENT: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Why a call has no reply.
#[derive(Debug, Clone, Error)]
pub(crate) enum CallError {
    /// More calls wait for the connection than may. It was never written to it.
    #[error("not sent: the link to the peer is congested")]
    Congested,
    /// It was never written to a connection.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The peer, or this node, refuses the connection. Nothing was sent.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// It was written, and the reply did not come: it may or may not have had its effect.
    #[error("no reply: {0}")]
    NoReply(String),
}

impl CallError {
    /// Whether the peer may have acted on the call.
    pub(crate) fn was_sent(&self) -> bool {
        matches!(self, CallError::NoReply(_))
    }
}

/// A handle on a link; cheap to clone. The link ends when its token is cancelled.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    calls: mpsc::Sender<Call>,
    state: Arc<LinkState>,
}

/// What is known about a link from outside.
#[derive(Debug, Default)]
struct LinkState {
    heard: Mutex<Option<Instant>>,
    refused: Mutex<Option<Refusal>>,
}

#[derive(Debug)]
struct Call {
    payload: Bytes,
    deadline: Instant,
    stage: Arc<AtomicU8>,
    reply: oneshot::Sender<Result<Message, CallError>>,
}

impl Call {
    /// Whether the call may be written now; from then on it counts as sent.
    fn claim(&self) -> bool {
        Instant::now() < self.deadline
            && self
                .stage
                .compare_exchange(QUEUED, SENT, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    fn fail(self, error: &CallError) {
        // Whoever called may have given up; then nobody is left to tell.
        drop(self.reply.send(Err(error.clone())));
    }
}

impl Link {
    /// A link, and the task that has to be run for it.
    pub(super) fn new(
        net: Arc<dyn Net>,
        local: Arc<dyn Local>,
        target: Target,
        kind: LinkKind,
        stop: CancellationToken,
    ) -> (Link, impl Future<Output = ()> + Send + 'static) {
        let (calls, queue) = mpsc::channel(CALLS_MAX);
        let state = Arc::new(LinkState::default());
        let task = LinkTask {
            net,
            local,
            target,
            kind,
            queue,
            state: Arc::clone(&state),
        };
        let run = async move {
            stop.run_until_cancelled_owned(task.run()).await;
        };
        (Link { calls, state }, run)
    }

    /// Sends a request and waits for the reply, at most until the deadline.
    pub(crate) async fn call(
        &self,
        request: &Request,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        let payload =
            codec::encode(request).map_err(|error| CallError::NotSent(error.to_string()))?;
        let stage = Arc::new(AtomicU8::new(QUEUED));
        let (reply, answered) = oneshot::channel();
        let call = Call {
            payload: payload.into(),
            deadline,
            stage: Arc::clone(&stage),
            reply,
        };
        self.calls.try_send(call).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Congested,
            mpsc::error::TrySendError::Closed(_) => {
                CallError::NotSent("the link to the peer is closed".to_owned())
            }
        })?;
        let why = match timeout_at(deadline, answered).await {
            Ok(Ok(result)) => {
                let message = result?;
                return decode(&message).map_err(|error| CallError::NoReply(error.to_string()));
            }
            Ok(Err(_)) => "the link was closed",
            Err(_) => "the deadline has passed",
        };
        // The link's task and this caller agree here on whether the call counts as sent.
        match stage.compare_exchange(QUEUED, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Err(CallError::NotSent(why.to_owned())),
            Err(_) => Err(CallError::NoReply(why.to_owned())),
        }
    }

    /// When the peer was last heard on this link.
    pub(crate) fn heard(&self) -> Option<Instant> {
        *self.state.heard.lock()
    }

    /// Why the last attempt to connect was refused, if it was.
    pub(crate) fn refused(&self) -> Option<Refusal> {
        self.state.refused.lock().clone()
    }
}

struct LinkTask {
    net: Arc<dyn Net>,
    local: Arc<dyn Local>,
    target: Target,
    kind: LinkKind,
    queue: mpsc::Receiver<Call>,
    state: Arc<LinkState>,
}

impl LinkTask {
    async fn run(mut self) {
        let mut pause = BACKOFF.0;
        while let Some(first) = self.queue.recv().await {
            match dial(
                self.net.as_ref(),
                self.local.as_ref(),
                &self.target,
                self.kind,
            )
            .await
            {
                Ok((frames, _)) => {
                    self.heard_now();
                    *self.state.refused.lock() = None;
                    pause = BACKOFF.0;
                    if let Err(error) = self.serve(frames, first).await {
                        tracing::debug!(peer = self.target.node, link = ?self.kind, %error, "connection to peer lost");
                    }
                }
                Err(error) => {
                    let lasts = self.refuse_for(&error, &mut pause);
                    let error = match error {
                        DialError::Unreachable(reason) => CallError::NotSent(reason),
                        DialError::Refused(refusal) => CallError::Refused(refusal),
                    };
                    first.fail(&error);
                    self.fail_for(lasts, &error).await;
                }
            }
        }
    }

    /// Notes why there is no connection; for how long none will be tried.
    fn refuse_for(&self, error: &DialError, pause: &mut Duration) -> Duration {
        let DialError::Refused(refusal) = error else {
            let now = *pause;
            *pause = (now * 2).min(BACKOFF.1);
            return now;
        };
        let news = self.state.refused.lock().replace(refusal.clone()).as_ref() != Some(refusal);
        if news {
            tracing::warn!(peer = self.target.node, address = %self.target.address, reason = %refusal, "connection to peer refused");
        }
        REFUSED_PAUSE
    }

    /// Fails what is called during the pause, so that nobody waits for a peer that is not there.
    async fn fail_for(&mut self, pause: Duration, error: &CallError) {
        let until = Instant::now() + pause;
        while let Ok(Some(call)) = timeout_at(until, self.queue.recv()).await {
            call.fail(error);
        }
    }

    async fn serve(&mut self, frames: Frames, first: Call) -> io::Result<()> {
        let (sink, mut stream) = frames.split();
        let (messages, outgoing) = mpsc::channel(CALLS_MAX);
        let mut writer = std::pin::pin!(write_all(sink, outgoing));
        let mut pending = Pending::default();
        let mut assembler = Assembler::default();
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pending.send(first, &messages);
        let result = loop {
            tokio::select! {
                biased;
                written = &mut writer => {
                    break written;
                }
                message = read_message(&mut stream, &mut assembler) => {
                    match message {
                        Ok(Some(message)) => {
                            self.heard_now();
                            if message.kind == Kind::Reply {
                                pending.reply(message);
                            }
                        }
                        Ok(None) => break Err(io::ErrorKind::UnexpectedEof.into()),
                        Err(error) => break Err(error),
                    }
                }
                _ = ping.tick() => {
                    pending.expire();
                    let silent = self.state.heard.lock().is_none_or(|heard| heard.elapsed() > SILENCE_MAX);
                    if silent {
                        break Err(io::ErrorKind::TimedOut.into());
                    }
                    // A full queue of messages is itself a sign that something is being written.
                    drop(messages.try_send(Message::plain(Kind::Ping, Bytes::new())));
                }
                call = self.queue.recv() => {
                    match call {
                        Some(call) => pending.send(call, &messages),
                        None => break Ok(()),
                    }
                }
            }
        };
        pending.fail("the connection was lost");
        result
    }

    fn heard_now(&self) {
        *self.state.heard.lock() = Some(Instant::now());
    }
}

/// Calls that were written and wait for their replies.
#[derive(Default)]
struct Pending {
    next_id: u64,
    calls: BTreeMap<u64, Call>,
}

impl Pending {
    fn send(&mut self, call: Call, messages: &mpsc::Sender<Message>) {
        let Ok(slot) = messages.try_reserve() else {
            call.fail(&CallError::Congested);
            return;
        };
        if !call.claim() {
            return;
        }
        self.next_id += 1;
        slot.send(Message {
            kind: Kind::Request,
            id: self.next_id,
            payload: call.payload.clone(),
        });
        self.calls.insert(self.next_id, call);
    }

    fn reply(&mut self, message: Message) {
        if let Some(call) = self.calls.remove(&message.id) {
            drop(call.reply.send(Ok(message)));
        }
    }

    /// Forgets the calls whose callers have given up by themselves.
    fn expire(&mut self) {
        let now = Instant::now();
        self.calls
            .retain(|_, call| call.deadline > now && !call.reply.is_closed());
    }

    fn fail(self, why: &str) {
        for call in self.calls.into_values() {
            call.fail(&CallError::NoReply(why.to_owned()));
        }
    }
}
