//! One connection: the hello at its start, and the task that writes to it.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use raft_store::codec::{self, Record};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::frame::{Assembler, Frames, Kind, Message, frames};
use super::hello::{Card, Hello, LinkKind, Refusal, Welcome, judge_welcome};
use super::net::Net;

/// The half of a connection that messages are read from.
pub(super) type ReadHalf = SplitStream<Frames>;
/// The half of a connection that messages are written to.
pub(super) type WriteHalf = SplitSink<Frames, Bytes>;

/// How long a connection may take to be made, hello included.
const DIAL_MAX: Duration = Duration::from_secs(1);
/// How long the other side may take to read what is written.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// What connections need to know about this node, and may change: its cluster, once.
pub(crate) trait Local: Send + Sync + 'static {
    /// What this node says about itself.
    fn card(&self) -> Card;

    /// The instance that the membership has under an id.
    fn member_instance(&self, node: u64) -> Option<u128>;

    /// One more than the log index of the newest membership; changes whenever a verdict may.
    fn membership_version(&self) -> u64;

    /// Makes a cluster this node's own, durably. Only a node without one may be asked.
    ///
    /// # Errors
    /// The identity could not be written.
    fn adopt(&self, cluster: u128) -> io::Result<()>;
}

/// Why there is no connection.
#[derive(Debug, Clone, Error)]
pub(crate) enum DialError {
    /// Nobody answered, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// One of the two sides refused the other.
    #[error("{0}")]
    Refused(Refusal),
}

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The node that is meant.
    pub(crate) node: u64,
    /// The directory that is meant; `None` only for a probe.
    pub(crate) instance: Option<u128>,
    /// Where it is.
    pub(crate) address: String,
}

/// Connects and says hello.
pub(super) async fn dial(
    net: &dyn Net,
    local: &dyn Local,
    target: &Target,
    link: LinkKind,
) -> Result<(Frames, Welcome), DialError> {
    let hello = Hello {
        card: local.card(),
        link,
        to_node: target.node,
        to_instance: target.instance,
    };
    match timeout(DIAL_MAX, greet(net, &target.address, &hello)).await {
        Ok(result) => result,
        Err(_) => Err(DialError::Unreachable(format!(
            "no answer from {} within {} ms",
            target.address,
            DIAL_MAX.as_millis()
        ))),
    }
}

/// Asks the node at an address who it is.
pub(crate) async fn probe(
    net: &dyn Net,
    local: &dyn Local,
    node: u64,
    address: &str,
) -> Result<Welcome, DialError> {
    let target = Target {
        node,
        instance: None,
        address: address.to_owned(),
    };
    dial(net, local, &target, LinkKind::Probe)
        .await
        .map(|(_, welcome)| welcome)
}

async fn greet(
    net: &dyn Net,
    address: &str,
    hello: &Hello,
) -> Result<(Frames, Welcome), DialError> {
    let broken = |error: io::Error| DialError::Unreachable(format!("{address}: {error}"));
    let mut frames = frames(net.connect(address).await.map_err(broken)?);
    write_record(&mut frames, Kind::Hello, hello)
        .await
        .map_err(broken)?;
    let answer = read_one(&mut frames).await.map_err(broken)?;
    match answer.kind {
        Kind::Welcome => {
            let welcome: Welcome = decode(&answer).map_err(broken)?;
            judge_welcome(hello, &welcome.card).map_err(DialError::Refused)?;
            Ok((frames, welcome))
        }
        Kind::Refused => Err(DialError::Refused(decode(&answer).map_err(broken)?)),
        _ => Err(broken(io::Error::new(
            io::ErrorKind::InvalidData,
            "the answer to the hello is something else",
        ))),
    }
}

/// Reads a message that has one part.
pub(super) async fn read_one(frames: &mut Frames) -> io::Result<Message> {
    let frame = frames.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
    let message = Assembler::default().push(frame)?;
    message.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "a message of one part was expected",
        )
    })
}

/// Writes a message and waits until it has left.
pub(super) async fn write_record<T: Record>(
    frames: &mut Frames,
    kind: Kind,
    record: &T,
) -> io::Result<()> {
    let payload = codec::encode(record).map_err(io::Error::other)?;
    for frame in Message::plain(kind, payload.into()).frames() {
        frames.feed(frame).await?;
    }
    SinkExt::<Bytes>::flush(frames).await
}

/// Decodes a message.
pub(super) fn decode<T: Record>(message: &Message) -> io::Result<T> {
    codec::decode(&message.payload)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes messages until there are no more senders or the connection breaks. Being the only one
/// that writes, and never dropped in the middle of a frame, it leaves no half of one behind.
pub(super) async fn write_all(
    mut sink: WriteHalf,
    mut messages: mpsc::Receiver<Message>,
) -> io::Result<()> {
    while let Some(message) = messages.recv().await {
        let mut next = Some(message);
        while let Some(message) = next {
            for frame in message.frames() {
                in_time(sink.feed(frame)).await?;
            }
            next = messages.try_recv().ok();
        }
        in_time(sink.flush()).await?;
    }
    in_time(sink.close()).await
}

async fn in_time(write: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(WRITE_MAX, write)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The next whole message; `None` at the end of the connection.
pub(super) async fn read_message(
    stream: &mut ReadHalf,
    assembler: &mut Assembler,
) -> io::Result<Option<Message>> {
    while let Some(frame) = stream.next().await {
        let frame: BytesMut = frame?;
        if let Some(message) = assembler.push(frame)? {
            return Ok(Some(message));
        }
    }
    Ok(None)
}
