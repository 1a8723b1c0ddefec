//! The bytes of records: goldens, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use expect_test::{Expect, expect};
use openraft::EntryPayload;
use raft_store::codec::{
    self, DecodeError, EncodeError, EntryRecord, Record, SnapshotMetaRecord, VoteRecord,
};
use raft_store::types::{
    LogEntry, Member, Membership, Payload, SnapshotMeta, StoredMembership, Vote,
};

use crate::world::{log_id, tenants};

/// Checks the golden bytes, the way back, and that no part of them passes for the whole.
fn check<T: Record + PartialEq + Debug>(record: &T, golden: &Expect) {
    let bytes = codec::encode(record).expect("the record is small");
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    golden.assert_eq(&hex.concat());
    assert_eq!(
        &codec::decode::<T>(&bytes).expect("it was just encoded"),
        record
    );
    for size in 0..bytes.len() {
        let cut = codec::decode::<T>(&bytes[..size]);
        assert!(
            cut.is_err(),
            "cut to {size} bytes it is not a record: {cut:?}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(
        codec::decode::<T>(&longer),
        Err(DecodeError::Trailing { left: 1 })
    ));
    let with = |at: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        codec::decode::<T>(&changed)
    };
    assert!(matches!(with(0, 2), Err(DecodeError::Format { found: 2 })));
    assert!(matches!(
        with(1, 0),
        Err(DecodeError::Version { found: 0, .. })
    ));
    assert!(matches!(
        with(1, T::VERSION + 1),
        Err(DecodeError::Version { .. })
    ));
}

fn membership() -> Membership {
    let member = |instance: u128| Member {
        instance,
        peer_address: "10.0.0.1:7401".to_owned(),
        http_url: "http://10.0.0.1:7400".to_owned(),
    };
    let voters = BTreeSet::from([1, 2]);
    Membership::new(
        vec![voters],
        BTreeMap::from([(1, member(0xa)), (2, member(0xb)), (3, member(u128::MAX))]),
    )
}

#[test]
fn entries_have_their_bytes() {
    let entry = |payload| {
        EntryRecord::from(LogEntry {
            log_id: log_id(3, 300),
            payload,
        })
    };
    check(&entry(EntryPayload::Blank), &expect!["01010301fb2c0100"]);
    let normal = Payload::from_bytes(vec![1, 1, 0xaa].into());
    check(
        &entry(EntryPayload::Normal(normal)),
        &expect!["01010301fb2c0101030101aa"],
    );
    check(
        &entry(EntryPayload::Membership(membership())),
        &expect![
            "01010301fb2c01020102010203010a0d31302e302e302e313a3734303114687474703a2f2f31302e302e302e313a37343030020b0d31302e302e302e313a3734303114687474703a2f2f31302e302e302e313a3734303003feffffffffffffffffffffffffffffffff0d31302e302e302e313a3734303114687474703a2f2f31302e302e302e313a37343030"
        ],
    );
}

#[test]
fn commands_have_their_bytes() {
    let payload = tenants(&["alpha".to_owned()]);
    let entry = payload.decode().expect("it was just encoded");
    check(
        &entry,
        &expect!["0101000000000100000305616c70686100000000000000"],
    );
}

#[test]
fn votes_and_snapshots_have_their_bytes() {
    check(
        &VoteRecord::from(Vote::new_committed(70_000, 2)),
        &expect!["0101fc701101000201"],
    );
    let meta = SnapshotMeta {
        last_log_id: Some(log_id(3, 300)),
        last_membership: StoredMembership::new(Some(log_id(2, 7)), membership()),
        snapshot_id: "3-1-300".to_owned(),
    };
    let record = SnapshotMetaRecord::from(meta.clone());
    check(
        &record,
        &expect![
            "0101010301fb2c01010201070102010203010a0d31302e302e302e313a3734303114687474703a2f2f31302e302e302e313a37343030020b0d31302e302e302e313a3734303114687474703a2f2f31302e302e302e313a3734303003feffffffffffffffffffffffffffffffff0d31302e302e302e313a3734303114687474703a2f2f31302e302e302e313a3734303007332d312d333030"
        ],
    );
    assert_eq!(SnapshotMeta::from(record), meta);
}

#[test]
fn openrafts_types_survive_the_way_through_ours() {
    for payload in [
        EntryPayload::Blank,
        EntryPayload::Normal(Payload::from_bytes(vec![1, 2, 3].into())),
        EntryPayload::Membership(membership()),
        EntryPayload::Membership(Membership::default()),
    ] {
        let record = EntryRecord::from(LogEntry {
            log_id: log_id(1, 2),
            payload,
        });
        assert_eq!(EntryRecord::from(LogEntry::from(record.clone())), record);
    }
    for vote in [Vote::new(4, 5), Vote::new_committed(6, 7), Vote::default()] {
        assert_eq!(Vote::from(VoteRecord::from(vote)), vote);
    }
}

#[test]
fn what_is_too_large_is_neither_written_nor_read() {
    let entry = |size: usize| {
        let payload = EntryPayload::Normal(Payload::from_bytes(vec![0; size].into()));
        EntryRecord::from(LogEntry {
            log_id: log_id(1, 1),
            payload,
        })
    };
    codec::encode(&entry(2 << 20)).expect("two mebibytes are allowed");
    let error = codec::encode(&entry(3 << 20)).expect_err("three are not");
    assert!(matches!(error, EncodeError::TooLarge { .. }), "{error:?}");
    let error =
        codec::decode::<VoteRecord>(&[1, 1, 0, 0, 0].repeat(20)).expect_err("a vote is small");
    assert!(matches!(error, DecodeError::TooLarge { .. }), "{error:?}");
    // A length that promises more than there is claims no memory.
    let promising = [&[1, 1, 1, 1, 1, 1, 253][..], &u64::MAX.to_le_bytes()].concat();
    let error = codec::decode::<EntryRecord>(&promising).expect_err("the bytes are not there");
    assert!(matches!(error, DecodeError::Decoder(_)), "{error:?}");
}
