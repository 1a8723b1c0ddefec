//! What nodes ask each other and answer: our own structs, encoded by the store's codec.
//!
//! Every document carries its schema version, so that a later release can read an earlier one's.
//! Entries travel in the encoded form that the log has; they are not decoded on the way.

use allocator::answer::Answer;
use allocator::command::Envelope;
use bytes::Bytes;
use raft_store::codec::{
    EncodedCommand, EntryRecord, LogIdRecord, MemberRecord, MembershipRecord, Record,
    SnapshotMetaRecord, VoteRecord,
};
use serde::{Deserialize, Serialize};

use super::frame::MESSAGE_BYTES_MAX;
use super::hello::{Hello, Refusal, Welcome};

/// Most bytes of the messages around a hello.
const HELLO_BYTES_MAX: usize = 64 << 10;

impl Record for Hello {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = HELLO_BYTES_MAX;
}

impl Record for Welcome {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = HELLO_BYTES_MAX;
}

impl Record for Refusal {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = HELLO_BYTES_MAX;
}

/// A question to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Entries for the follower's log, or none as a heartbeat.
    Append(Append),
    /// A candidate asks for a vote.
    Vote(Vote),
    /// A node that misses its leader asks whether it would be voted for; it binds nobody.
    WouldVote {
        /// The end of its log.
        last: Option<LogIdRecord>,
    },
    /// Commands for the leader.
    Propose(Vec<Proposal>),
    /// A command whose answer is wanted without its effect.
    DryRun(Forward),
    /// Up to which index has everything been answered that was answered before now?
    ReadIndex {
        /// How long whoever asks will wait.
        remaining_ms: u32,
    },
    /// How the sender stands; the answer is the same of the other.
    Report(Report),
    /// A change of the membership, for the leader.
    Member {
        /// The change.
        change: MemberChange,
        /// Whether it is made.
        mode: MemberMode,
        /// How long whoever asks will wait.
        remaining_ms: u32,
    },
    /// The leader is stopping and has the receiver stand for election now.
    TakeOver,
    /// The first message of a snapshot.
    SnapshotBegin {
        /// The leadership that sends it.
        vote: VoteRecord,
        /// What it covers.
        meta: SnapshotMetaRecord,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The next bytes of a snapshot.
    SnapshotChunk {
        /// Where they belong.
        offset: u64,
        /// The bytes.
        data: Bytes,
    },
    /// All bytes have been sent.
    SnapshotEnd {
        /// CRC-32C of all bytes.
        crc: u32,
    },
}

/// An answer to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// To an append.
    Append(AppendReply),
    /// To a candidate.
    Vote(VoteReply),
    /// Whether it would be.
    WouldVote {
        /// No leader is heard here, and the log is not shorter than this one.
        yes: bool,
    },
    /// To a command that was tried out.
    TriedOut(ForwardReply),
    /// To a read index.
    ReadIndex(ReadIndexReply),
    /// To a report.
    Report(Report),
    /// To a change of the membership.
    Member(MemberReply),
    /// The election has been started.
    TakingOver,
    /// The snapshot's bytes so far are here.
    SnapshotGoOn,
    /// The snapshot is installed, or the receiver knows a newer leadership.
    SnapshotDone {
        /// The receiver's vote.
        vote: VoteRecord,
    },
    /// The node cannot answer: it is stopping, or its storage has failed.
    Unable {
        /// Why, as a clause.
        reason: String,
    },
    /// To commands: one for each, in their order.
    Proposed(Vec<ForwardReply>),
}

macro_rules! message_record {
    ($($name:ty),*) => {
        $(impl Record for $name {
            const VERSION: u8 = 1;
            const SIZE_MAX: usize = MESSAGE_BYTES_MAX;
        })*
    };
}

message_record!(Request, Reply);

/// Entries for a follower's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Append {
    /// The leadership that sends them.
    pub(crate) vote: VoteRecord,
    /// The entry before the first.
    pub(crate) previous: Option<LogIdRecord>,
    /// The entries, in order.
    pub(crate) entries: Vec<EntryRecord>,
    /// What the leader knows to be committed.
    pub(crate) committed: Option<LogIdRecord>,
}

/// The answer to an append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AppendReply {
    /// All entries are in the log and durable.
    Success,
    /// Those up to this one are.
    Partial(Option<LogIdRecord>),
    /// The entry before the first is not in this log.
    Conflict,
    /// The receiver knows a newer leadership.
    HigherVote(VoteRecord),
}

/// A candidate's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vote {
    /// The vote that it asks for.
    pub(crate) vote: VoteRecord,
    /// The end of its log.
    pub(crate) last: Option<LogIdRecord>,
}

/// The answer to a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteReply {
    /// The receiver's vote now.
    pub(crate) vote: VoteRecord,
    /// Whether it was granted.
    pub(crate) granted: bool,
    /// The end of the receiver's log.
    pub(crate) last: Option<LogIdRecord>,
}

/// A command on its way into the leader's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    /// The command, as it will stand in the entry.
    pub(crate) command: EncodedCommand,
    /// How long whoever sent it will wait.
    pub(crate) remaining_ms: u32,
}

/// A command that the leader is to try out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forward {
    /// The command.
    pub(crate) envelope: Envelope,
    /// How long whoever sent it will wait.
    pub(crate) remaining_ms: u32,
}

/// The answer to a forwarded command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ForwardReply {
    /// What the state machine answered.
    Answered {
        /// The answer.
        answer: Answer,
        /// Index of its entry.
        index: u64,
    },
    /// It was not proposed, and will not be.
    NotProposed(NotProposed),
    /// It was handed to the log, and no more is known.
    OutcomeUnknown,
}

/// Why a command was not proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NotProposed {
    /// The receiver does not lead, or not with a quorum behind it.
    NotLeader,
    /// Its queue is full.
    TooBusy,
    /// The time was over.
    Late,
    /// The command is too large for an entry.
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The most that is allowed.
        limit: u64,
    },
}

/// The answer to a read index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReadIndexReply {
    /// Everything answered before the question is at or below this index.
    Index(u64),
    /// The receiver does not lead, or not with a quorum behind it.
    NotLeader,
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Its wall clock in milliseconds since the Unix epoch.
    pub(crate) wall_ms: u64,
    /// The last index of its log.
    pub(crate) last_log_index: u64,
    /// The last index that it has applied.
    pub(crate) applied_index: u64,
}

/// Whether a change of the membership is made or only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MemberMode {
    /// It is made.
    Make,
    /// All that speaks against it is looked at; nothing changes.
    DryRun,
}

/// A change of the membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberChange {
    /// A node joins as a learner.
    Add {
        /// Its id.
        id: u64,
        /// Where its peers reach it.
        peer_address: String,
        /// Where clients reach it, if not where the node itself says.
        http_url: Option<String>,
    },
    /// A learner becomes a voter.
    Promote {
        /// Its id.
        id: u64,
    },
    /// A member leaves.
    Remove {
        /// Its id.
        id: u64,
    },
}

/// The answer to a change of the membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MemberReply {
    /// It is committed, or was so before.
    Done,
    /// Nothing speaks against it: the members that there would be.
    Would(MembershipRecord),
    /// The receiver does not lead; nothing was changed.
    NotLeader,
    /// It was handed to the log, and no more is known.
    OutcomeUnknown,
    /// See `MemberError` of the same names.
    Unknown {
        /// The id.
        id: u64,
    },
    /// The id is taken.
    AlreadyMember {
        /// The id.
        id: u64,
        /// Who has it.
        member: MemberRecord,
    },
    /// The new member does not answer as it should.
    NotReachable {
        /// Where it was sought.
        address: String,
        /// What went wrong, as a clause.
        reason: String,
    },
    /// The learner is not there yet.
    NotCaughtUp {
        /// The id.
        id: u64,
        /// How many entries it lacks.
        lag: u64,
    },
    /// No quorum would be left.
    WouldLoseQuorum {
        /// Who could not answer, as a clause.
        reason: String,
    },
    /// Another change is under way.
    InProgress,
}

#[cfg(test)]
mod tests {
    use allocator::command::Command;
    use proptest::prelude::*;
    use raft_store::codec::{self, PayloadRecord};

    use super::*;

    fn log_id(index: u64) -> LogIdRecord {
        LogIdRecord {
            term: 3,
            node: 2,
            index,
        }
    }

    fn vote() -> VoteRecord {
        VoteRecord {
            term: 3,
            node: 2,
            committed: true,
        }
    }

    fn envelope() -> Envelope {
        Envelope {
            actor: "".into(),
            source: "192.0.2.1".into(),
            command: Command::Tick,
        }
    }

    fn requests() -> Vec<Request> {
        let members = [(
            1,
            MemberRecord {
                instance: 9,
                peer_address: "a:1".into(),
                http_url: "http://a".into(),
            },
        )];
        let membership = MembershipRecord {
            voters: vec![[1].into()],
            members: members.into(),
        };
        let entries = vec![
            EntryRecord {
                id: log_id(4),
                payload: PayloadRecord::Blank,
            },
            EntryRecord {
                id: log_id(5),
                payload: PayloadRecord::Normal(Bytes::from_static(b"commands")),
            },
            EntryRecord {
                id: log_id(6),
                payload: PayloadRecord::Membership(membership.clone()),
            },
        ];
        let meta = SnapshotMetaRecord {
            last: Some(log_id(9)),
            membership: raft_store::codec::StoredMembershipRecord {
                id: Some(log_id(1)),
                membership,
            },
            id: "9".into(),
        };
        vec![
            Request::Append(Append {
                vote: vote(),
                previous: Some(log_id(3)),
                entries,
                committed: None,
            }),
            Request::Vote(Vote {
                vote: vote(),
                last: Some(log_id(8)),
            }),
            Request::WouldVote {
                last: Some(log_id(8)),
            },
            Request::Propose(vec![
                Proposal {
                    command: EncodedCommand::encode(&envelope()).unwrap(),
                    remaining_ms: 5_000,
                };
                2
            ]),
            Request::DryRun(Forward {
                envelope: envelope(),
                remaining_ms: 1,
            }),
            Request::ReadIndex { remaining_ms: 9 },
            Request::Report(Report {
                wall_ms: 1,
                last_log_index: 2,
                applied_index: 3,
            }),
            Request::Member {
                change: MemberChange::Promote { id: 3 },
                mode: MemberMode::DryRun,
                remaining_ms: 9,
            },
            Request::TakeOver,
            Request::SnapshotBegin {
                vote: vote(),
                meta,
                bytes: 10,
            },
            Request::SnapshotChunk {
                offset: 3,
                data: Bytes::from_static(&[1, 2, 3]),
            },
            Request::SnapshotEnd { crc: 7 },
        ]
    }

    #[test]
    fn every_request_comes_back_as_it_was_sent() {
        for request in requests() {
            let bytes = codec::encode(&request).unwrap();
            assert_eq!(codec::decode::<Request>(&bytes).unwrap(), request);
        }
    }

    #[test]
    fn what_is_cut_or_followed_by_something_is_an_error() {
        for request in requests() {
            let bytes = codec::encode(&request).unwrap();
            for cut in 0..bytes.len() {
                assert!(
                    codec::decode::<Request>(&bytes[..cut]).is_err(),
                    "{request:?} cut at {cut}"
                );
            }
            let mut longer = bytes.clone();
            longer.push(0);
            assert!(
                codec::decode::<Request>(&longer).is_err(),
                "{request:?} with a byte too many"
            );
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut framed = vec![codec::FORMAT, 1];
            framed.extend_from_slice(&bytes);
            for bytes in [&bytes, &framed] {
                if let Ok(request) = codec::decode::<Request>(bytes) {
                    prop_assert_eq!(codec::decode::<Request>(&codec::encode(&request).unwrap()).unwrap(), request);
                }
                if let Ok(hello) = codec::decode::<Hello>(bytes) {
                    prop_assert_eq!(codec::decode::<Hello>(&codec::encode(&hello).unwrap()).unwrap(), hello);
                }
            }
        }
    }
}
