//! Our own forms of openraft's types, for disk and wire.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::{CommittedLeaderId, EntryPayload, LeaderId};
use serde::{Deserialize, Serialize};

use super::Record;
use crate::types::{
    LogEntry, LogId, Member, Membership, Payload, SnapshotMeta, StoredMembership, Vote,
};

/// Most bytes of an encoded entry: one command of 1.25 MiB with what surrounds it.
const ENTRY_SIZE_MAX: usize = 2 << 20;

impl Record for allocator::command::Entry {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = ENTRY_SIZE_MAX;
}

/// Id of a log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogIdRecord {
    /// Term of the leader that appended it.
    pub term: u64,
    /// That leader.
    pub node: u64,
    /// Index in the log.
    pub index: u64,
}

impl From<LogId> for LogIdRecord {
    fn from(id: LogId) -> Self {
        Self {
            term: id.leader_id.term,
            node: id.leader_id.node_id,
            index: id.index,
        }
    }
}

impl From<LogIdRecord> for LogId {
    fn from(record: LogIdRecord) -> Self {
        Self::new(
            CommittedLeaderId::new(record.term, record.node),
            record.index,
        )
    }
}

/// A vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VoteRecord {
    /// The term.
    pub term: u64,
    /// For whom.
    pub node: u64,
    /// Whether a quorum has granted it.
    pub committed: bool,
}

impl Record for VoteRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 64;
}

impl From<Vote> for VoteRecord {
    fn from(vote: Vote) -> Self {
        Self {
            term: vote.leader_id.term,
            node: vote.leader_id.node_id,
            committed: vote.committed,
        }
    }
}

impl From<VoteRecord> for Vote {
    fn from(record: VoteRecord) -> Self {
        Self {
            leader_id: LeaderId::new(record.term, record.node),
            committed: record.committed,
        }
    }
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// Its id.
    pub id: LogIdRecord,
    /// What it carries.
    pub payload: PayloadRecord,
}

/// What an entry carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayloadRecord {
    /// Nothing: a new leader's first entry.
    Blank,
    /// Commands, encoded by themselves.
    Normal(Bytes),
    /// A change of membership.
    Membership(MembershipRecord),
}

impl Record for EntryRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = ENTRY_SIZE_MAX + 1_024;
}

impl From<LogEntry> for EntryRecord {
    fn from(entry: LogEntry) -> Self {
        let payload = match entry.payload {
            EntryPayload::Blank => PayloadRecord::Blank,
            EntryPayload::Normal(payload) => PayloadRecord::Normal(payload.bytes().clone()),
            EntryPayload::Membership(membership) => PayloadRecord::Membership(membership.into()),
        };
        Self {
            id: entry.log_id.into(),
            payload,
        }
    }
}

impl From<EntryRecord> for LogEntry {
    fn from(record: EntryRecord) -> Self {
        let payload = match record.payload {
            PayloadRecord::Blank => EntryPayload::Blank,
            PayloadRecord::Normal(bytes) => EntryPayload::Normal(Payload::from_bytes(bytes)),
            PayloadRecord::Membership(membership) => EntryPayload::Membership(membership.into()),
        };
        Self {
            log_id: record.id.into(),
            payload,
        }
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Random id of its data directory.
    pub instance: u128,
    /// Host and port for peers.
    pub peer_address: String,
    /// Its HTTP interface.
    pub http_url: String,
}

impl From<Member> for MemberRecord {
    fn from(member: Member) -> Self {
        let Member {
            instance,
            peer_address,
            http_url,
        } = member;
        Self {
            instance,
            peer_address,
            http_url,
        }
    }
}

impl From<MemberRecord> for Member {
    fn from(record: MemberRecord) -> Self {
        let MemberRecord {
            instance,
            peer_address,
            http_url,
        } = record;
        Self {
            instance,
            peer_address,
            http_url,
        }
    }
}

/// A membership: one set of voters, or two while it changes, and all members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipRecord {
    /// A quorum is a majority of each of these.
    pub voters: Vec<BTreeSet<u64>>,
    /// All members; those in no set of voters are learners.
    pub members: BTreeMap<u64, MemberRecord>,
}

impl From<Membership> for MembershipRecord {
    fn from(membership: Membership) -> Self {
        Self {
            voters: membership.get_joint_config().clone(),
            members: membership
                .nodes()
                .map(|(id, member)| (*id, member.clone().into()))
                .collect(),
        }
    }
}

impl From<MembershipRecord> for Membership {
    fn from(record: MembershipRecord) -> Self {
        let members: BTreeMap<u64, Member> = record
            .members
            .into_iter()
            .map(|(id, member)| (id, member.into()))
            .collect();
        Self::new(record.voters, members)
    }
}

/// A membership with the id of the entry that set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMembershipRecord {
    /// The entry; `None` before the first.
    pub id: Option<LogIdRecord>,
    /// The membership.
    pub membership: MembershipRecord,
}

impl From<StoredMembership> for StoredMembershipRecord {
    fn from(stored: StoredMembership) -> Self {
        Self {
            id: stored.log_id().map(Into::into),
            membership: stored.membership().clone().into(),
        }
    }
}

impl From<StoredMembershipRecord> for StoredMembership {
    fn from(record: StoredMembershipRecord) -> Self {
        Self::new(record.id.map(Into::into), record.membership.into())
    }
}

/// What a snapshot covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMetaRecord {
    /// The last entry in it.
    pub last: Option<LogIdRecord>,
    /// The membership at that entry.
    pub membership: StoredMembershipRecord,
    /// Its name.
    pub id: String,
}

impl Record for SnapshotMetaRecord {
    const VERSION: u8 = 1;
    const SIZE_MAX: usize = 1 << 20;
}

impl From<SnapshotMeta> for SnapshotMetaRecord {
    fn from(meta: SnapshotMeta) -> Self {
        Self {
            last: meta.last_log_id.map(Into::into),
            membership: meta.last_membership.into(),
            id: meta.snapshot_id,
        }
    }
}

impl From<SnapshotMetaRecord> for SnapshotMeta {
    fn from(record: SnapshotMetaRecord) -> Self {
        Self {
            last_log_id: record.last.map(Into::into),
            last_membership: record.membership.into(),
            snapshot_id: record.id,
        }
    }
}
