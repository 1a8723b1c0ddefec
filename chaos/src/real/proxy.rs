//! A proxy between peers that delays, stalls and closes connections.
//!
//! It stands beside the way, not in it: only while a fault lasts are the connections of nodes to their peers diverted to
//! it (see [`super::firewall::divert`]), so that it costs nothing otherwise and partitions are what they seem. It has a
//! port for each node, and knows by the source address who connects.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use cluster_tests::delay_line::{Exit, delay_line};
use rand::Rng;
use rand::rngs::StdRng;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::world;

/// The port for node 1 is the one after.
const FIRST_PORT: u16 = 9400;

/// What becomes of connections that go through the proxy.
#[derive(Debug, Clone, Default)]
pub(super) struct Weather {
    /// How long each piece takes, at least and at most. Order is kept.
    pub(super) delay: (Duration, Duration),
    /// From whom to whom nothing is passed on.
    pub(super) stalled: BTreeSet<(u64, u64)>,
    /// How long a connection lasts, at least and at most.
    pub(super) lifetime: Option<(Duration, Duration)>,
}

/// The weather, and which of the connections are under it.
#[derive(Debug, Default)]
struct Sky {
    weather: Weather,
    /// Connections of an earlier number are closed.
    epoch: u64,
}

/// The proxy. Its tasks end with it.
#[derive(Debug)]
pub(super) struct Proxy {
    sky: watch::Sender<Sky>,
    _tasks: JoinSet<()>,
}

/// The port for a node.
pub(super) fn port(to: u64) -> u16 {
    FIRST_PORT + u16::try_from(to).expect("few nodes")
}

impl Proxy {
    /// Listens for all nodes, on the bridge.
    pub(super) async fn start(nodes: &[u64], random: &mut StdRng) -> Result<Self> {
        let sky = watch::Sender::new(Sky::default());
        let mut tasks = JoinSet::new();
        for to in nodes {
            let listener = TcpListener::bind((world::BRIDGE, port(*to))).await?;
            let random = rand::SeedableRng::from_rng(random);
            tasks.spawn(listen(listener, *to, sky.subscribe(), random));
        }
        Ok(Self { sky, _tasks: tasks })
    }

    /// The weather from now on.
    pub(super) fn set(&self, weather: Weather) {
        self.sky.send_modify(|sky| sky.weather = weather);
    }

    /// Clear weather, and no connection goes through the proxy any more.
    pub(super) fn clear(&self) {
        self.sky.send_modify(|sky| {
            sky.weather = Weather::default();
            sky.epoch += 1;
        });
    }
}

async fn listen(listener: TcpListener, to: u64, sky: watch::Receiver<Sky>, mut random: StdRng) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, source)) = accepted else { continue };
                if let Some(from) = node_of(source) {
                    let random = rand::SeedableRng::from_rng(&mut random);
                    connections.spawn(connect(stream, from, to, sky.clone(), random));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn node_of(source: SocketAddr) -> Option<u64> {
    match source.ip() {
        IpAddr::V4(address) => world::node_at(address),
        IpAddr::V6(_) => None,
    }
}

/// Passes one connection on until one side ends it, its lifetime is over, or the weather closes it.
async fn connect(
    near: TcpStream,
    from: u64,
    to: u64,
    mut sky: watch::Receiver<Sky>,
    mut random: StdRng,
) {
    let (epoch, lifetime) = {
        let now = sky.borrow_and_update();
        (now.epoch, now.weather.lifetime)
    };
    let Ok(far) = TcpStream::connect(world::peer(to)).await else {
        return;
    };
    for stream in [&near, &far] {
        if stream.set_nodelay(true).is_err() {
            return;
        }
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let there = Way {
        from,
        to,
        sky: sky.clone(),
    };
    let back = Way {
        from: to,
        to: from,
        sky: sky.clone(),
    };
    let seeds = [random.random(), random.random()];
    let ends = async {
        match lifetime {
            Some((least, most)) => sleep(random.random_range(least..=most)).await,
            None => std::future::pending().await,
        }
    };
    // Whatever ends first takes the others, and the sockets, with it.
    tokio::select! {
        () = there.pass(near_read, far_write, seeds[0]) => {}
        () = back.pass(far_read, near_write, seeds[1]) => {}
        () = ends => {}
        _ = sky.wait_for(|now| now.epoch != epoch) => {}
    }
}

/// One direction of a connection.
struct Way {
    from: u64,
    to: u64,
    sky: watch::Receiver<Sky>,
}

impl Way {
    async fn pass(self, read: OwnedReadHalf, write: OwnedWriteHalf, seed: u64) {
        let Ok((entrance, exit)) = delay_line() else {
            return;
        };
        let sky = self.sky.clone();
        let mut random: StdRng = rand::SeedableRng::seed_from_u64(seed);
        let delay = move || {
            let (least, most) = sky.borrow().weather.delay;
            random.random_range(least..=most)
        };
        tokio::join!(entrance.fill(read, delay), self.give(write, exit));
    }

    /// Writes each piece when its time has come, and not while the way is stalled.
    async fn give(mut self, mut write: OwnedWriteHalf, mut exit: Exit) {
        while let Some(bytes) = exit.next().await {
            let way = (self.from, self.to);
            let clear = self.sky.wait_for(|now| !now.weather.stalled.contains(&way));
            if clear.await.is_err() || write.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}
