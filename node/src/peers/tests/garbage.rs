use allocator::command::{Command, Envelope};
use raft_store::codec::EncodedCommand;

use super::*;
use crate::peers::wire::Proposal;

/// The first message to the server of a pair.
fn hello(client: &Fixed) -> Message {
    let hello = crate::peers::hello::Hello {
        card: client.card(),
        link: LinkKind::Raft,
        to_node: 1,
        to_instance: Some(11),
    };
    let payload = codec::encode(&hello).expect("it is small");
    Message::plain(Kind::Hello, payload.into())
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_connection_and_nothing_else() {
    let pair = pair();
    let hello = || hello(&pair.client);
    let request = |payload: &'static [u8]| Message {
        kind: Kind::Request,
        id: 1,
        payload: payload.into(),
    };
    let cases: [(&str, Vec<Message>); 5] = [
        ("no hello", vec![request(b"?")]),
        (
            "a hello of nonsense",
            vec![Message::plain(Kind::Hello, (&b"nonsense"[..]).into())],
        ),
        ("a request of nonsense", vec![hello(), request(b"nonsense")]),
        ("an empty request", vec![hello(), request(b"")]),
        ("a second hello", vec![hello(), hello()]),
    ];
    for (name, messages) in cases {
        let stream = pair.net.connect("server").await.expect("it listens");
        let mut raw = frames(stream);
        for frame in messages.into_iter().flat_map(Message::frames) {
            raw.send(frame).await.expect("it is read");
        }
        let mut replies = 0;
        while let Some(Ok(frame)) = raw.next().await {
            assert_ne!(frame.first(), Some(&5), "{name}: nothing is answered");
            replies += 1;
        }
        assert!(replies <= 1, "{name}: at most the hello is");
    }
    let mut raw = pair.net.connect("server").await.expect("it listens");
    raw.write_all(&[0xff; 64])
        .await
        .expect("a length far beyond the bound is read");
    let mut rest = Vec::new();
    raw.read_to_end(&mut rest)
        .await
        .expect("the connection ends");
    assert!(rest.is_empty(), "nothing is answered");
    let link = pair.links.link(&target(), LinkKind::Raft);
    link.call(&append(1), soon())
        .await
        .expect("the next one is served");
}

/// What is in the log has to decode on every node: the leader is the last that can refuse it.
#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_decode_ends_the_connection_and_is_not_handed_on() {
    let tick = Envelope {
        actor: "".into(),
        source: "".into(),
        command: Command::Tick,
    };
    let propose = Request::Propose(vec![Proposal {
        command: EncodedCommand::encode(&tick).expect("it is small"),
        remaining_ms: 1,
    }]);
    let whole = codec::encode(&propose).expect("it is small");
    let mut damaged = whole.clone();
    // Which command it is, before the time of one byte that is left.
    let place = damaged.len() - 2;
    damaged[place] = 250;
    for (payload, answered) in [(whole, true), (damaged, false)] {
        let pair = pair();
        let stream = pair.net.connect("server").await.expect("it listens");
        let mut raw = frames(stream);
        let request = Message {
            kind: Kind::Request,
            id: 1,
            payload: payload.into(),
        };
        let messages = [hello(&pair.client), request];
        for frame in messages.into_iter().flat_map(Message::frames) {
            raw.send(frame).await.expect("it is read");
        }
        let welcome = raw.next().await.expect("a frame").expect("whole");
        assert_eq!(welcome.first(), Some(&2));
        let reply = raw.next().await;
        let is_reply = matches!(&reply, Some(Ok(frame)) if frame.first() == Some(&5));
        assert_eq!(is_reply, answered, "{reply:?}");
    }
}
