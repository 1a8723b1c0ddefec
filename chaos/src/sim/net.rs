//! The nodes' network, as the simulation has it: turmoil's links, and on each connection somebody who reads the frames
//! that go out, loses some, sends others twice or late, and remembers what was promised in them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{FutureExt, StreamExt};
use node::peers::{BoxStream, Listener, Net, NetFuture, Seen};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use turmoil::net::{TcpListener, TcpStream};

/// Longest frame: that of the nodes.
const FRAME_BYTES_MAX: usize = 4 << 20;
/// Room between a node and whoever reads along.
const PIPE_BYTES: usize = 64 << 10;
/// A frame that is kept back goes out after so much silence.
const LATE_AT_MOST: Duration = Duration::from_millis(40);
/// How often a connection that stands still looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the network does to what a node sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// So many of a thousand frames are lost,
    pub(super) lost: u32,
    /// so many of Raft's questions come twice,
    pub(super) twice: u32,
    /// so many come after the one that follows,
    pub(super) late: u32,
    /// so many break their connection.
    pub(super) broken: u32,
    /// Each takes this much longer.
    pub(super) delay: Duration,
    /// Nothing goes out for now.
    pub(super) stalled: bool,
}

/// The weather at each node, what was promised through it, and how much it did; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Air(Arc<Mutex<AirInner>>);

#[derive(Debug)]
struct AirInner {
    random: StdRng,
    weather: BTreeMap<u64, Weather>,
    promises: Vec<Granted>,
    frames: Frames,
}

/// Who has granted a vote, and which: the term, and the candidate.
type Granted = (u64, (u64, u64));

/// What happened to frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Frames {
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) late: u64,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Lost,
    Twice,
    Late,
    Breaks,
}

impl Air {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(AirInner {
            random: StdRng::seed_from_u64(seed),
            weather: BTreeMap::new(),
            promises: Vec::new(),
            frames: Frames::default(),
        })))
    }

    pub(super) fn set(&self, node: u64, weather: Weather) {
        self.lock().weather.insert(node, weather);
    }

    /// What was promised since this was last asked.
    pub(super) fn promises(&self) -> Vec<Granted> {
        std::mem::take(&mut self.lock().promises)
    }

    pub(super) fn frames(&self) -> Frames {
        self.lock().frames
    }

    fn weather(&self, node: u64) -> Weather {
        self.lock().weather.get(&node).copied().unwrap_or_default()
    }

    fn judge(&self, node: u64, frame: &[u8]) -> Fate {
        let seen = Seen::of(frame);
        let weather = self.weather(node);
        let mut inner = self.lock();
        if let Seen::VoteGranted { term, candidate } = seen {
            let vote = (term, candidate);
            inner.promises.push((node, vote));
        }
        let rates = weather.lost + weather.twice + weather.late + weather.broken;
        if rates == 0 || seen == Seen::Connection {
            return Fate::Passes;
        }
        let drawn = inner.random.random_range(0..1_000);
        if drawn < weather.lost {
            inner.frames.lost += 1;
            Fate::Lost
        } else if drawn < weather.lost + weather.broken {
            Fate::Breaks
        } else if seen == Seen::Repeatable && drawn < weather.lost + weather.twice {
            inner.frames.twice += 1;
            Fate::Twice
        } else if seen == Seen::Repeatable && drawn < weather.lost + weather.twice + weather.late {
            inner.frames.late += 1;
            Fate::Late
        } else {
            Fate::Passes
        }
    }

    fn lock(&self) -> MutexGuard<'_, AirInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One node's end of the network.
#[derive(Debug, Clone)]
pub(super) struct SimNet {
    node: u64,
    air: Air,
}

impl SimNet {
    pub(super) fn new(node: u64, air: Air) -> Self {
        Self { node, air }
    }
}

impl Net for SimNet {
    fn connect<'a>(&'a self, address: &'a str) -> NetFuture<'a, BoxStream> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            Ok(Box::new(Connection::new(stream, self)) as BoxStream)
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> NetFuture<'a, Box<dyn Listener>> {
        Box::pin(async move {
            let (_, port) = address
                .rsplit_once(':')
                .ok_or(io::ErrorKind::InvalidInput)?;
            let port: u16 = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)).await?;
            Ok(Box::new(SimListener {
                listener,
                address: address.to_owned(),
                net: self.clone(),
            }) as Box<dyn Listener>)
        })
    }
}

struct SimListener {
    listener: TcpListener,
    address: String,
    net: SimNet,
}

impl std::fmt::Debug for SimListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimListener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Listener for SimListener {
    fn accept(&mut self) -> NetFuture<'_, (BoxStream, String)> {
        Box::pin(async move {
            let (stream, from) = self.listener.accept().await?;
            let stream = Connection::new(stream, &self.net);
            Ok((Box::new(stream) as BoxStream, from.to_string()))
        })
    }

    fn local_address(&self) -> io::Result<String> {
        Ok(self.address.clone())
    }
}

/// A connection as its node has it: it reads from the network and writes to a pipe, behind which the weather is.
#[derive(Debug)]
struct Connection {
    from: turmoil::net::tcp::OwnedReadHalf,
    to: DuplexStream,
}

impl Connection {
    fn new(stream: TcpStream, net: &SimNet) -> Self {
        let (from, out) = stream.into_split();
        let (to, written) = tokio::io::duplex(PIPE_BYTES);
        let (node, air) = (net.node, net.air.clone());
        drop(tokio::spawn(async move {
            // A connection that breaks tells its two ends itself.
            drop(carry(node, &air, written, out).await);
        }));
        Self { from, to }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.from).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.to).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_shutdown(context)
    }
}

/// Carries what a node sends on one connection, through the weather there is at that node.
async fn carry(
    node: u64,
    air: &Air,
    from: DuplexStream,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let codec = LengthDelimitedCodec::builder()
        .max_frame_length(FRAME_BYTES_MAX)
        .new_codec();
    let mut frames = FramedRead::new(from, codec);
    let mut kept_back: Option<Bytes> = None;
    let mut out = BytesMut::new();
    loop {
        let next = if kept_back.is_some() {
            let Ok(next) = tokio::time::timeout(LATE_AT_MOST, frames.next()).await else {
                to.write_all(&with_length(kept_back.take())).await?;
                continue;
            };
            next
        } else {
            frames.next().await
        };
        let mut next = Some(next);
        while let Some(arrived) = next {
            let Some(frame) = arrived.transpose()? else {
                out.extend_from_slice(&with_length(kept_back.take()));
                to.write_all(&out).await?;
                return to.shutdown().await;
            };
            let frame = frame.freeze();
            let fate = air.judge(node, &frame);
            if fate == Fate::Breaks {
                to.write_all(&out).await?;
                return to.shutdown().await;
            }
            if fate == Fate::Late && kept_back.is_none() {
                kept_back = Some(frame);
            } else {
                let times = match fate {
                    Fate::Lost | Fate::Breaks => 0,
                    Fate::Twice => 2,
                    Fate::Passes | Fate::Late => 1,
                };
                for _ in 0..times {
                    out.extend_from_slice(&with_length(Some(frame.clone())));
                }
                out.extend_from_slice(&with_length(kept_back.take()));
            }
            // What has come already goes out with it.
            next = frames.next().now_or_never();
        }
        let delay = air.weather(node).delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        while air.weather(node).stalled {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        to.write_all(&out.split()).await?;
    }
}

/// A frame as it stands on the wire; nothing where there is none.
fn with_length(frame: Option<Bytes>) -> Bytes {
    let Some(frame) = frame else {
        return Bytes::new();
    };
    let mut bytes = BytesMut::with_capacity(frame.len() + 4);
    bytes.put_u32(u32::try_from(frame.len()).expect("a frame is at most 4 MiB"));
    bytes.extend_from_slice(&frame);
    bytes.freeze()
}
