use std::collections::BTreeMap;

use raft_store::codec::{MembershipRecord, StoredMembershipRecord};
use tokio::task::JoinHandle;

use super::super::frame::Assembler;
use super::super::{connection, snapshot};
use super::*;

fn meta() -> SnapshotMetaRecord {
    SnapshotMetaRecord {
        last: Some(LogIdRecord {
            term: 1,
            node: 2,
            index: 9,
        }),
        membership: StoredMembershipRecord {
            id: None,
            membership: MembershipRecord {
                voters: Vec::new(),
                members: BTreeMap::new(),
            },
        },
        id: "9".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_arrives_whole_or_not_at_all() {
    let pair = pair();
    let bytes: Vec<u8> = (0..=240)
        .cycle()
        .take(2 * snapshot::CHUNK_BYTES + 77)
        .collect();
    let link = pair.links.link(&target(), LinkKind::Snapshot);
    let read = |offset: u64, size: usize| {
        let start = usize::try_from(offset).expect("it is small");
        Ok(bytes[start..start + size].to_vec().into())
    };
    let accepted = snapshot::send(&link, vote(), meta(), bytes.len() as u64, read).await;
    assert_eq!(accepted.expect("it arrives"), vote());
    assert!(*pair.answers.snapshots.lock() == bytes);

    pair.answers.snapshots.lock().clear();
    let short = snapshot::send(&link, vote(), meta(), bytes.len() as u64, |_, _| {
        Ok(Bytes::new())
    })
    .await;
    assert!(short.is_err());
    assert_eq!(*pair.answers.snapshots.lock(), Vec::<u8>::new());
    for wrong in [
        Request::SnapshotChunk {
            offset: 0,
            data: Bytes::new(),
        },
        Request::SnapshotEnd { crc: 0 },
    ] {
        link.call(
            &Request::SnapshotBegin {
                vote: vote(),
                meta: meta(),
                bytes: 3,
            },
            soon(),
        )
        .await
        .expect("a reply");
        let begun = matches!(wrong, Request::SnapshotEnd { .. });
        if !begun {
            let chunk = Request::SnapshotChunk {
                offset: 1,
                data: vec![1].into(),
            };
            let reply = link.call(&chunk, soon()).await.expect("a reply");
            assert!(matches!(reply, Reply::Unable { .. }), "{reply:?}");
        }
        let reply = link.call(&wrong, soon()).await.expect("a reply");
        assert!(matches!(reply, Reply::Unable { .. }), "{reply:?}");
    }
    assert_eq!(
        *pair.answers.snapshots.lock(),
        Vec::<u8>::new(),
        "nothing was installed"
    );
}

/// A receiver that takes all of it in, but whose reply to the end is lost; asked once more, it replies so.
async fn sent_to_one_whose_reply_is_lost(again: Reply) -> (Result<VoteRecord, String>, Duration) {
    let (links, mut arriving, _stop) = links_alone();
    let receiver: JoinHandle<()> = tokio::spawn(async move {
        let mut peer = welcomed(&mut arriving).await;
        let (mut assembler, mut ended) = (Assembler::default(), false);
        while let Some(Ok(frame)) = peer.next().await {
            let Some(message) = assembler.push(frame).expect("it is well formed") else {
                continue;
            };
            if message.kind == Kind::Ping {
                say(&mut peer, Message::plain(Kind::Pong, Bytes::new())).await;
                continue;
            }
            let reply = match connection::decode(&message).expect("a request") {
                Request::SnapshotEnd { .. } => {
                    ended = true;
                    continue;
                }
                Request::SnapshotBegin { .. } if ended => again.clone(),
                _ => Reply::SnapshotGoOn,
            };
            let payload = codec::encode(&reply).expect("it is small").into();
            let (kind, id) = (Kind::Reply, message.id);
            say(&mut peer, Message { kind, id, payload }).await;
        }
    });
    let link = links.link(&target(), LinkKind::Snapshot);
    let began = Instant::now();
    let read = |_, size| Ok(vec![7; size].into());
    let sent = snapshot::send(&link, vote(), meta(), 3, read).await;
    receiver.abort();
    (sent.map_err(|error| error.to_string()), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_receiver_whose_last_reply_is_lost_is_asked_again() {
    let there = Reply::SnapshotDone { vote: vote() };
    let (sent, took) = sent_to_one_whose_reply_is_lost(there).await;
    assert_eq!(sent, Ok(vote()));
    assert!(took < Duration::from_secs(30), "{took:?}");

    let (sent, took) = sent_to_one_whose_reply_is_lost(Reply::SnapshotGoOn).await;
    sent.expect_err("it is not there, and has to be sent again");
    assert!(took < Duration::from_secs(30), "{took:?}");
}
