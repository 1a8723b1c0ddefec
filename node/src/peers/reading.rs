//! What the bytes of a connection come to, without a connection: for whoever checks the reading itself.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use raft_store::codec::{self, Record};
use tokio_util::codec::{Decoder, Encoder};

use super::frame::{self, Assembler, Kind, Message};
use super::hello::{Hello, Refusal, Welcome};
use super::wire::{Reply, Request};

/// A message that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// What it says.
    pub says: String,
    /// The frames in which it would be sent.
    pub frames: Bytes,
}

/// All messages of a connection, up to the first that is not understood, with which it would end.
pub fn understood(mut bytes: BytesMut) -> Vec<Understood> {
    let mut codec = frame::codec();
    let mut assembler = Assembler::default();
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = codec.decode(&mut bytes) {
        match assembler.push(frame).map(|whole| whole.map(read)) {
            Ok(None) => {}
            Ok(Some(Some(message))) => messages.push(message),
            Ok(Some(None)) | Err(_) => break,
        }
    }
    messages
}

fn read(message: Message) -> Option<Understood> {
    match message.kind {
        Kind::Hello => record::<Hello>(&message),
        Kind::Welcome => record::<Welcome>(&message),
        Kind::Refused => record::<Refusal>(&message),
        Kind::Request => record::<Request>(&message),
        Kind::Reply => record::<Reply>(&message),
        Kind::Ping | Kind::Pong => Some(written(format!("{:?}", message.kind), message)),
    }
}

fn record<T: Record + Debug>(message: &Message) -> Option<Understood> {
    let record: T = codec::decode(&message.payload).ok()?;
    // What was read within the bounds can be written: numbers take no more bytes than they came in.
    let payload = codec::encode(&record).ok()?.into();
    let (kind, id) = (message.kind, message.id);
    Some(written(
        format!("{kind:?} {id} {record:?}"),
        Message { kind, id, payload },
    ))
}

fn written(says: String, message: Message) -> Understood {
    let mut codec = frame::codec();
    let mut frames = BytesMut::new();
    for frame in message.frames() {
        codec
            .encode(frame, &mut frames)
            .expect("a part is shorter than the longest frame");
    }
    Understood {
        says,
        frames: frames.freeze(),
    }
}
