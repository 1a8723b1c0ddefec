//! The types with which openraft is instantiated.

use std::fmt;

use allocator::answer::Answer;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError, EncodedCommand};
use crate::runtime::Runtime;
use crate::snapshot::SnapshotFile;

openraft::declare_raft_types!(
    /// openraft as this project uses it.
    pub TypeConfig:
        D = Payload,
        R = Applied,
        NodeId = u64,
        Node = Member,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = SnapshotFile,
        AsyncRuntime = Runtime,
);

/// Id of a log entry: the leadership that appended it, and its index.
pub type LogId = openraft::LogId<u64>;
/// A vote, or a leadership once it is committed.
pub type Vote = openraft::Vote<u64>;
/// An entry of the log.
pub type LogEntry = openraft::Entry<TypeConfig>;
/// Who votes and who listens.
pub type Membership = openraft::Membership<u64, Member>;
/// A membership with the id of the entry that set it.
pub type StoredMembership = openraft::StoredMembership<u64, Member>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::SnapshotMeta<u64, Member>;
/// A snapshot's meta data and file.
pub type Snapshot = openraft::Snapshot<TypeConfig>;
/// A failure of storage as openraft knows it; openraft stops at the first.
pub type StorageError = openraft::StorageError<u64>;

/// The commands of one log entry, encoded once and shared by the log, its cache and the network.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload(Bytes);

impl Payload {
    /// Encodes an entry.
    ///
    /// # Errors
    /// It is larger than an entry may be.
    pub fn encode(entry: &allocator::command::Entry) -> Result<Self, EncodeError> {
        Ok(Self(codec::encode(entry)?.into()))
    }

    /// An entry of commands that are encoded already; its bytes are those of [`Payload::encode`].
    ///
    /// # Errors
    /// It is larger than an entry may be.
    pub fn join(
        stamp: &allocator::command::Stamp,
        commands: &[EncodedCommand],
    ) -> Result<Self, EncodeError> {
        Ok(Self(codec::join(stamp, commands)?.into()))
    }

    /// The entry.
    ///
    /// # Errors
    /// The bytes are not an entry of a version that this program knows.
    pub fn decode(&self) -> Result<allocator::command::Entry, DecodeError> {
        codec::decode(&self.0)
    }

    /// Bytes that came from another node or from disk; they are judged by [`Payload::decode`].
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The encoded form.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// What came of one log entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Index of the entry.
    pub index: u64,
    /// Revision of the state after it.
    pub revision: u64,
    /// One answer for each command, in order; empty for blanks and memberships.
    pub answers: Vec<Answer>,
}

/// A member as it stands in the membership.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The random id of its data directory: a wiped directory is another instance.
    pub instance: u128,
    /// Host and port on which it listens for its peers.
    pub peer_address: String,
    /// Where its HTTP interface is found by clients and other nodes.
    pub http_url: String,
}
