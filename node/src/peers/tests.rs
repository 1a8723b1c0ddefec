//! Links and the server together, over a network in memory and with time that does not pass by
//! itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use raft_store::codec::{self, LogIdRecord, SnapshotMetaRecord, VoteRecord};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::CallError;
use super::connection::{Local, Target, probe};
use super::directory::Directory;
use super::frame::{Frames, Kind, Message, frames};
use super::hello::{Card, LinkKind, Refusal};
use super::net::{BoxStream, Listener, Net, NetFuture};
use super::server::{Server, Service, ServiceFuture, SnapshotSink};
use super::wire::{Append, AppendReply, Reply, Report, Request};

mod garbage;
mod snapshots;
mod strangers;

const CLUSTER: u128 = 7;

/// A network of one listener.
#[derive(Debug)]
struct OneListener(mpsc::Sender<DuplexStream>);

impl Net for OneListener {
    fn connect<'a>(&'a self, address: &'a str) -> NetFuture<'a, BoxStream> {
        Box::pin(async move {
            if address != "server" {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (near, far) = duplex(64 << 10);
            self.0
                .send(far)
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(near) as BoxStream)
        })
    }

    fn listen<'a>(&'a self, _address: &'a str) -> NetFuture<'a, Box<dyn Listener>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

#[derive(Debug)]
struct Arriving(mpsc::Receiver<DuplexStream>);

impl Listener for Arriving {
    fn accept(&mut self) -> NetFuture<'_, (BoxStream, String)> {
        Box::pin(async move {
            match self.0.recv().await {
                Some(stream) => Ok((Box::new(stream) as BoxStream, "client".to_owned())),
                None => std::future::pending().await,
            }
        })
    }

    fn local_address(&self) -> io::Result<String> {
        Ok("server".to_owned())
    }
}

/// A node with a fixed opinion of itself, and of the membership what the test says.
struct Fixed {
    card: Mutex<Card>,
    members: Mutex<Vec<(u64, u128)>>,
    serial: AtomicU64,
}

impl Fixed {
    fn new(node: u64, instance: u128) -> Arc<Fixed> {
        let card = Card {
            protocol_min: 1,
            protocol_max: 1,
            state_active: 1,
            state_known: 1,
            cluster: Some(CLUSTER),
            node,
            instance,
            membership: 1,
            http_url: String::new(),
            named: Vec::new(),
        };
        Arc::new(Fixed {
            card: Mutex::new(card),
            members: Mutex::new(vec![(1, 11), (2, 22)]),
            serial: AtomicU64::new(1),
        })
    }
}

impl Local for Fixed {
    fn card(&self) -> Card {
        self.card.lock().clone()
    }

    fn member_instance(&self, node: u64) -> Option<u128> {
        self.members
            .lock()
            .iter()
            .find(|(id, _)| *id == node)
            .map(|(_, instance)| *instance)
    }

    fn membership_version(&self) -> u64 {
        self.serial.load(Ordering::Acquire)
    }

    fn adopt(&self, cluster: u128) -> io::Result<()> {
        self.card.lock().cluster = Some(cluster);
        Ok(())
    }
}

/// Answers appends with what they end with, waits for a bell where the test wants it, and keeps
/// snapshots.
#[derive(Default)]
struct Answers {
    bell: Arc<Notify>,
    appends: Arc<AtomicU64>,
    snapshots: Arc<Mutex<Vec<u8>>>,
}

impl Service for Answers {
    fn answer(&self, _peer: u64, request: Request) -> ServiceFuture<Reply> {
        let bell = Arc::clone(&self.bell);
        let appends = Arc::clone(&self.appends);
        Box::pin(async move {
            match request {
                Request::Append(append) => {
                    appends.fetch_add(1, Ordering::AcqRel);
                    Reply::Append(AppendReply::Partial(append.previous))
                }
                Request::TakeOver => {
                    bell.notified().await;
                    Reply::TakingOver
                }
                Request::Report(report) => Reply::Report(report),
                _ => Reply::Unable {
                    reason: "not in this test".to_owned(),
                },
            }
        })
    }

    fn snapshot_begin(
        &self,
        _vote: VoteRecord,
        _meta: SnapshotMetaRecord,
        _bytes: u64,
    ) -> ServiceFuture<Result<Box<dyn SnapshotSink>, Reply>> {
        let kept = Arc::clone(&self.snapshots);
        Box::pin(async move {
            Ok(Box::new(Kept {
                kept,
                bytes: Vec::new(),
            }) as Box<dyn SnapshotSink>)
        })
    }
}

struct Kept {
    kept: Arc<Mutex<Vec<u8>>>,
    bytes: Vec<u8>,
}

impl SnapshotSink for Kept {
    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        assert_eq!(offset, self.bytes.len() as u64);
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn install(self: Box<Self>) -> ServiceFuture<Result<VoteRecord, String>> {
        *self.kept.lock() = self.bytes;
        Box::pin(async { Ok(vote()) })
    }
}

struct Pair {
    net: Arc<OneListener>,
    client: Arc<Fixed>,
    server: Arc<Fixed>,
    answers: Arc<Answers>,
    links: Directory,
    _stop: DropGuard,
}

/// Node 2, with links, and node 1, which listens.
fn pair() -> Pair {
    let (connects, arriving) = mpsc::channel(8);
    let net = Arc::new(OneListener(connects));
    let (client, server) = (Fixed::new(2, 22), Fixed::new(1, 11));
    let answers = Arc::new(Answers::default());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let listening = Arc::new(Server {
        local: Arc::clone(&server) as Arc<dyn Local>,
        service: Arc::clone(&answers) as Arc<dyn Service>,
        tasks: tasks.clone(),
        stop: stop.clone(),
    });
    tasks.spawn(listening.run(Box::new(Arriving(arriving))));
    let links = Directory::new(
        Arc::clone(&net) as Arc<dyn Net>,
        Arc::clone(&client) as Arc<dyn Local>,
        tokio::runtime::Handle::current(),
        tasks,
        stop.clone(),
    );
    Pair {
        net,
        client,
        server,
        answers,
        links,
        _stop: stop.drop_guard(),
    }
}

/// Node 2, with links, and what they connect to: the test itself is node 1.
fn links_alone() -> (Directory, mpsc::Receiver<DuplexStream>, DropGuard) {
    let (connects, arriving) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let links = Directory::new(
        Arc::new(OneListener(connects)),
        Fixed::new(2, 22),
        tokio::runtime::Handle::current(),
        TaskTracker::new(),
        stop.clone(),
    );
    (links, arriving, stop.drop_guard())
}

/// The next connection of node 2, after the hello.
async fn welcomed(arriving: &mut mpsc::Receiver<DuplexStream>) -> Frames {
    let mut peer = frames(Box::new(arriving.recv().await.expect("the link connects")));
    peer.next().await.expect("a hello").expect("whole");
    let welcome = super::hello::Welcome {
        card: Fixed::new(1, 11).card(),
        knows_you_as: Some(22),
    };
    let payload = codec::encode(&welcome).expect("it is small");
    say(&mut peer, Message::plain(Kind::Welcome, payload.into())).await;
    peer
}

async fn say(peer: &mut Frames, message: Message) {
    for frame in message.frames() {
        peer.send(frame).await.expect("it is read");
    }
}

fn target() -> Target {
    Target {
        node: 1,
        instance: Some(11),
        address: "server".to_owned(),
    }
}

fn vote() -> VoteRecord {
    VoteRecord {
        term: 1,
        node: 2,
        committed: true,
    }
}

fn append(index: u64) -> Request {
    let previous = Some(LogIdRecord {
        term: 1,
        node: 2,
        index,
    });
    Request::Append(Append {
        vote: vote(),
        previous,
        entries: Vec::new(),
        committed: None,
    })
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test(start_paused = true)]
async fn replies_find_their_callers() {
    let pair = pair();
    let link = pair.links.link(&target(), LinkKind::Raft);
    let calls = (0..200).map(|index| {
        let link = link.clone();
        async move {
            (
                index,
                link.call(&append(index), soon()).await.expect("a reply"),
            )
        }
    });
    for (index, reply) in futures::future::join_all(calls).await {
        let expected = Some(LogIdRecord {
            term: 1,
            node: 2,
            index,
        });
        assert_eq!(reply, Reply::Append(AppendReply::Partial(expected)));
    }
    assert!(link.heard().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_leaves_the_connection_whole() {
    let pair = pair();
    let link = pair.links.link(&target(), LinkKind::Calls);
    for _ in 0..20 {
        let call = link.call(&Request::TakeOver, soon());
        assert!(
            tokio::time::timeout(Duration::from_millis(1), call)
                .await
                .is_err()
        );
        let report = Report {
            wall_ms: 1,
            last_log_index: 2,
            applied_index: 3,
        };
        let reply = link
            .call(&Request::Report(report), soon())
            .await
            .expect("a reply");
        assert_eq!(reply, Reply::Report(report));
    }
}

#[tokio::test(start_paused = true)]
async fn the_caller_learns_whether_its_call_was_sent() {
    let pair = pair();
    let link = pair.links.link(&target(), LinkKind::Calls);
    let unanswered = link
        .call(&Request::TakeOver, soon())
        .await
        .expect_err("nobody rings the bell");
    assert!(
        matches!(unanswered, CallError::NoReply(_)) && unanswered.was_sent(),
        "{unanswered}"
    );
    let late = link
        .call(&Request::TakeOver, Instant::now())
        .await
        .expect_err("the deadline has passed");
    assert!(!late.was_sent(), "{late}");
    let nowhere = Target {
        address: "elsewhere".to_owned(),
        ..target()
    };
    let link = pair.links.link(&nowhere, LinkKind::Calls);
    let unreachable = link
        .call(&Request::TakeOver, soon())
        .await
        .expect_err("nobody listens there");
    assert!(!unreachable.was_sent(), "{unreachable}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_does_not_hold_up_others() {
    let pair = pair();
    let link = pair.links.link(&target(), LinkKind::Calls);
    let slow_link = link.clone();
    let slow = tokio::spawn(async move { slow_link.call(&Request::TakeOver, soon()).await });
    let report = Report {
        wall_ms: 1,
        last_log_index: 2,
        applied_index: 3,
    };
    link.call(&Request::Report(report), soon())
        .await
        .expect("a reply");
    assert!(!slow.is_finished());
    pair.answers.bell.notify_one();
    assert_eq!(
        slow.await.expect("it ends").expect("a reply"),
        Reply::TakingOver
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_link_says_why_and_works_once_it_may() {
    let pair = pair();
    pair.server.members.lock().retain(|(id, _)| *id != 2);
    let link = pair.links.link(&target(), LinkKind::Raft);
    let refused = link
        .call(&append(1), soon())
        .await
        .expect_err("node 2 is no member");
    let reason = Refusal::NotAMember {
        node: 2,
        member_instance: None,
    };
    assert!(
        matches!(&refused, CallError::Refused(why) if *why == reason),
        "{refused}"
    );
    assert!(!refused.was_sent());
    assert_eq!(pair.links.refused(1), Some(reason));
    pair.server.members.lock().push((2, 22));
    let limit = soon();
    while link.call(&append(1), soon()).await.is_err() {
        assert!(Instant::now() < limit, "the link is tried again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(pair.links.refused(1), None);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_removed_is_cut_off_in_the_middle() {
    let pair = pair();
    let link = pair.links.link(&target(), LinkKind::Raft);
    link.call(&append(1), soon())
        .await
        .expect("a member is answered");
    pair.server.members.lock().retain(|(id, _)| *id != 2);
    pair.server.serial.fetch_add(1, Ordering::AcqRel);
    link.call(&append(2), soon())
        .await
        .expect_err("the hello is judged again");
    assert_eq!(pair.answers.appends.load(Ordering::Acquire), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_directory_takes_on_the_cluster_that_names_it() {
    let pair = pair();
    pair.server.card.lock().cluster = None;
    let seen = probe(pair.net.as_ref(), pair.client.as_ref(), 1, "server")
        .await
        .expect("it answers");
    assert_eq!(
        (seen.card.cluster, seen.knows_you_as),
        (None, Some(22)),
        "a probe changes nothing"
    );
    let link = pair.links.link(&target(), LinkKind::Raft);
    link.call(&append(1), soon())
        .await
        .expect("it is named by its instance");
    assert_eq!(pair.server.card.lock().cluster, Some(CLUSTER));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let (links, mut arriving, _stop) = links_alone();
    let link = links.link(&target(), LinkKind::Raft);
    let call = tokio::spawn(async move {
        link.call(&append(1), Instant::now() + Duration::from_mins(1))
            .await
    });
    // A peer that says hello and then nothing, with its connection open.
    let _peer = welcomed(&mut arriving).await;
    let began = Instant::now();
    let error = call.await.expect("it ends").expect_err("nobody answers");
    assert!(error.was_sent(), "{error}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "long before the deadline"
    );
}
