//! Frames: what stands on the wire between two length prefixes.
//!
//! ```text
//! length u32 | kind u8 | flags u8 | id u64 | part of a message
//! ```
//! Numbers are big-endian. A message longer than a part travels in several frames of one id; all
//! but the last carry the flag `MORE`. Parts of different messages may alternate.
//!
//! Invariants:
//! 1. No frame is longer than [`FRAME_BYTES_MAX`], no message than [`MESSAGE_BYTES_MAX`]; a peer
//!    that sends a longer one loses the connection before the memory is taken.
//! 2. Unknown kinds and flags end the connection: what is not understood is never skipped.

use std::collections::BTreeMap;
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::net::BoxStream;

/// Longest frame in bytes, header included.
pub(crate) const FRAME_BYTES_MAX: usize = 4 << 20;
/// Longest message in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// A message longer than this travels in parts of this size.
const PART_BYTES: usize = 2 << 20;
const HEADER_BYTES: usize = 10;
const MORE: u8 = 1;

/// A connection that carries frames.
pub(crate) type Frames = Framed<BoxStream, LengthDelimitedCodec>;

/// Wraps a connection.
pub(crate) fn frames(stream: BoxStream) -> Frames {
    Framed::new(stream, codec())
}

/// What finds the frames in a connection's bytes.
pub(crate) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(FRAME_BYTES_MAX)
        .new_codec()
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first message of whoever connects.
    Hello,
    /// The answer to a hello that was accepted.
    Welcome,
    /// The answer to a hello that was not; the connection ends.
    Refused,
    /// A question; its id comes back in the reply.
    Request,
    /// An answer.
    Reply,
    /// "Are you there?", answered without asking anything above the connection.
    Ping,
    /// "Yes."
    Pong,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Hello => 1,
            Kind::Welcome => 2,
            Kind::Refused => 3,
            Kind::Request => 4,
            Kind::Reply => 5,
            Kind::Ping => 6,
            Kind::Pong => 7,
        }
    }

    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Hello,
            2 => Kind::Welcome,
            3 => Kind::Refused,
            4 => Kind::Request,
            5 => Kind::Reply,
            6 => Kind::Ping,
            7 => Kind::Pong,
            _ => return None,
        })
    }
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it is.
    pub(crate) kind: Kind,
    /// Ties a reply to its request; 0 for kinds that need no reply.
    pub(crate) id: u64,
    /// What it says.
    pub(crate) payload: Bytes,
}

impl Message {
    /// A message without an id.
    pub(crate) fn plain(kind: Kind, payload: Bytes) -> Message {
        Message {
            kind,
            id: 0,
            payload,
        }
    }

    /// The frames of this message, in order.
    pub(crate) fn frames(self) -> impl Iterator<Item = Bytes> {
        let Message {
            kind,
            id,
            mut payload,
        } = self;
        let mut done = false;
        std::iter::from_fn(move || {
            if done {
                return None;
            }
            let part = payload.split_to(payload.len().min(PART_BYTES));
            done = payload.is_empty();
            let mut frame = BytesMut::with_capacity(HEADER_BYTES + part.len());
            frame.put_u8(kind.byte());
            frame.put_u8(if done { 0 } else { MORE });
            frame.put_u64(id);
            frame.put(part);
            Some(frame.freeze())
        })
    }
}

/// Puts the frames of a connection together to messages.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    parts: BTreeMap<u64, BytesMut>,
    bytes: usize,
}

impl Assembler {
    /// Takes a frame; the message, if it is complete with this.
    ///
    /// # Errors
    /// `InvalidData` for a frame that cannot be understood or would exceed the bound.
    pub(crate) fn push(&mut self, mut frame: BytesMut) -> io::Result<Option<Message>> {
        if frame.len() < HEADER_BYTES {
            return Err(invalid("the frame is shorter than its header"));
        }
        let kind = Kind::from_byte(frame.get_u8())
            .ok_or_else(|| invalid("the frame's kind is not known"))?;
        let flags = frame.get_u8();
        let id = frame.get_u64();
        if flags & !MORE != 0 {
            return Err(invalid("the frame's flags are not known"));
        }
        if self.bytes + frame.len() > MESSAGE_BYTES_MAX {
            return Err(invalid("the message is too long"));
        }
        let more = flags & MORE != 0;
        if more && !matches!(kind, Kind::Request | Kind::Reply) {
            return Err(invalid("a message of this kind has one part"));
        }
        if more {
            self.bytes += frame.len();
            self.parts.entry(id).or_default().unsplit(frame);
            return Ok(None);
        }
        let payload = match self.parts.remove(&id) {
            None => frame.freeze(),
            Some(mut whole) => {
                self.bytes -= whole.len();
                whole.extend_from_slice(&frame);
                whole.freeze()
            }
        };
        Ok(Some(Message { kind, id, payload }))
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize) -> Message {
        let payload: Vec<u8> = (0..=250).cycle().take(len).collect();
        Message {
            kind: Kind::Reply,
            id: 7,
            payload: payload.into(),
        }
    }

    #[test]
    fn a_message_of_any_size_comes_back_whole() {
        for len in [
            0,
            1,
            PART_BYTES - 1,
            PART_BYTES,
            PART_BYTES + 1,
            3 * PART_BYTES + 5,
        ] {
            let mut assembler = Assembler::default();
            let frames: Vec<Bytes> = message(len).frames().collect();
            assert!(frames.iter().all(|frame| frame.len() <= FRAME_BYTES_MAX));
            let (last, before) = frames.split_last().expect("there is at least one frame");
            for frame in before {
                assert_eq!(assembler.push(BytesMut::from(&frame[..])).unwrap(), None);
            }
            let whole = assembler.push(BytesMut::from(&last[..])).unwrap();
            assert_eq!(whole, Some(message(len)), "{len} bytes");
            assert_eq!(assembler.bytes, 0, "nothing stays behind");
        }
    }

    #[test]
    fn frames_that_are_not_understood_are_errors() {
        let header = |kind: u8, flags: u8| {
            let mut frame = BytesMut::new();
            frame.put_u8(kind);
            frame.put_u8(flags);
            frame.put_u64(1);
            frame
        };
        let cases: [(&str, BytesMut); 5] = [
            ("empty", BytesMut::new()),
            ("short", BytesMut::from(&[4u8, 0, 0][..])),
            ("kind 0", header(0, 0)),
            ("kind 99", header(99, 0)),
            ("unknown flag", header(4, 2)),
        ];
        for (name, frame) in cases {
            let error = Assembler::default().push(frame).expect_err(name);
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{name}");
        }
        let hello_in_parts = header(1, MORE);
        assert!(Assembler::default().push(hello_in_parts).is_err());
    }

    #[test]
    fn a_message_beyond_the_bound_is_refused_before_it_is_kept() {
        let mut assembler = Assembler::default();
        let mut part = BytesMut::new();
        part.put_u8(Kind::Request.byte());
        part.put_u8(MORE);
        part.put_u64(1);
        part.put_bytes(0, FRAME_BYTES_MAX - HEADER_BYTES);
        let mut pushed = 0;
        while assembler.push(part.clone()).is_ok() {
            pushed += 1;
            assert!(
                pushed <= MESSAGE_BYTES_MAX / (FRAME_BYTES_MAX - HEADER_BYTES),
                "the bound holds"
            );
        }
        assert!(assembler.bytes <= MESSAGE_BYTES_MAX);
    }
}
