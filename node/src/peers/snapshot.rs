//! A snapshot as a stream of calls on a connection of its own: begin, chunks, end with a checksum
//! over the whole.
//!
//! To install a large one takes its time, so the reply to the end may be long in coming. Nothing else is replicated to the
//! receiver meanwhile. So it is asked now and then whether it is there: should the reply be lost, that is soon known.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raft_store::codec::{SnapshotMetaRecord, VoteRecord};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::link::{CallError, Link};
use super::server::{Service, SnapshotSink};
use super::wire::{Reply, Request};

/// Size of a chunk.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;
/// How long one chunk may take, from disk to disk: without progress the attempt ends.
const CHUNK_MAX: Duration = Duration::from_secs(10);
/// How long the receiver may take to install a whole snapshot.
const INSTALL_MAX: Duration = Duration::from_mins(5);
/// Meanwhile it is asked as often whether it has.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Why a snapshot did not arrive.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The receiver has all of it and does not take it.
    #[error("the receiver refuses the snapshot: {0}")]
    Refused(String),
    /// The file cannot be read here.
    #[error("the snapshot cannot be read")]
    Unreadable(#[source] io::Error),
}

/// Sends a snapshot whose bytes `read` gives; the receiver's vote.
pub(crate) async fn send(
    link: &Link,
    vote: VoteRecord,
    meta: SnapshotMetaRecord,
    bytes: u64,
    mut read: impl FnMut(u64, usize) -> io::Result<Bytes>,
) -> Result<VoteRecord, SendError> {
    let begin = Request::SnapshotBegin { vote, meta, bytes };
    match link.call(&begin, Instant::now() + CHUNK_MAX).await? {
        Reply::SnapshotGoOn => {}
        Reply::SnapshotDone { vote } => return Ok(vote),
        other => return Err(unexpected(&other).into()),
    }
    let mut crc = 0;
    let mut offset = 0;
    while offset < bytes {
        let size =
            usize::try_from(bytes - offset).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let data = read(offset, size).map_err(SendError::Unreadable)?;
        if data.is_empty() {
            return Err(SendError::Unreadable(io::ErrorKind::UnexpectedEof.into()));
        }
        crc = crc32c::crc32c_append(crc, &data);
        let length = data.len() as u64;
        let chunk = Request::SnapshotChunk { offset, data };
        match link.call(&chunk, Instant::now() + CHUNK_MAX).await? {
            Reply::SnapshotGoOn => offset += length,
            other => return Err(unexpected(&other).into()),
        }
    }
    let end = Request::SnapshotEnd { crc };
    tokio::select! {
        biased;
        ended = link.call(&end, Instant::now() + INSTALL_MAX) => match ended? {
            Reply::SnapshotDone { vote } => Ok(vote),
            Reply::Unable { reason } => Err(SendError::Refused(reason)),
            other => Err(unexpected(&other).into()),
        },
        known = ask(link, &begin) => Ok(known?),
    }
}

/// Begins anew until the receiver, which does one thing after the other, replies that all of it is there.
async fn ask(link: &Link, begin: &Request) -> Result<VoteRecord, CallError> {
    loop {
        sleep(ASK_EVERY).await;
        match link.call(begin, Instant::now() + ASK_EVERY).await {
            Ok(Reply::SnapshotDone { vote }) => return Ok(vote),
            Ok(Reply::SnapshotGoOn) => {
                let reason = "the receiver does not have the snapshot";
                return Err(CallError::NoReply(reason.to_owned()));
            }
            // It is still busy with the installation, or this is lost, too.
            Ok(_) | Err(_) => {}
        }
    }
}

fn unexpected(reply: &Reply) -> CallError {
    let reason = match reply {
        Reply::Unable { reason } => reason.clone(),
        _ => "the reply is to something else".to_owned(),
    };
    CallError::NoReply(reason)
}

/// The receiving side of one connection.
pub(super) struct Receiving {
    service: Arc<dyn Service>,
    current: Option<Incoming>,
}

struct Incoming {
    sink: Box<dyn SnapshotSink>,
    size: u64,
    offset: u64,
    crc: u32,
}

impl Receiving {
    pub(super) fn new(service: Arc<dyn Service>) -> Receiving {
        Receiving {
            service,
            current: None,
        }
    }

    /// Handles the next request of the stream. After a failure the sender begins anew.
    pub(super) async fn take(&mut self, request: Request) -> Reply {
        let taken = match request {
            Request::SnapshotBegin { vote, meta, bytes } => {
                self.current = None;
                match self.service.snapshot_begin(vote, meta, bytes).await {
                    Err(reply) => Ok(reply),
                    Ok(sink) => {
                        self.current = Some(Incoming {
                            sink,
                            size: bytes,
                            offset: 0,
                            crc: 0,
                        });
                        Ok(Reply::SnapshotGoOn)
                    }
                }
            }
            Request::SnapshotChunk { offset, data } => self.chunk(offset, &data),
            Request::SnapshotEnd { crc } => self.end(crc).await,
            _ => Err("only a snapshot travels on this connection".to_owned()),
        };
        taken.unwrap_or_else(|reason| {
            self.current = None;
            tracing::warn!(%reason, "a snapshot was not received");
            Reply::Unable { reason }
        })
    }

    fn chunk(&mut self, offset: u64, data: &[u8]) -> Result<Reply, String> {
        let incoming = self
            .current
            .as_mut()
            .ok_or("a chunk came before the beginning")?;
        let end = offset + data.len() as u64;
        if offset != incoming.offset || end > incoming.size {
            return Err(format!(
                "a chunk at {offset} came where {} was expected",
                incoming.offset
            ));
        }
        incoming
            .sink
            .write(offset, data)
            .map_err(|error| error.to_string())?;
        incoming.crc = crc32c::crc32c_append(incoming.crc, data);
        incoming.offset = end;
        Ok(Reply::SnapshotGoOn)
    }

    async fn end(&mut self, crc: u32) -> Result<Reply, String> {
        let incoming = self
            .current
            .take()
            .ok_or("the end came before the beginning")?;
        if incoming.offset != incoming.size {
            return Err(format!(
                "{} of {} bytes came",
                incoming.offset, incoming.size
            ));
        }
        if incoming.crc != crc {
            return Err("the checksum over the whole is wrong".to_owned());
        }
        let vote = incoming.sink.install().await?;
        Ok(Reply::SnapshotDone { vote })
    }
}
