//! A network between nodes that is slower than loopback: a proxy before each of them, which delays all that goes through it.
//!
//! It stands in the way of what others send to a node, both directions of it, where the others know the node by the proxy's
//! address. It has a thread of its own, and says how much of the processor that took: the nodes share the machine with it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::delay_line::delay_line;
use crate::processor;

/// The proxies, until it is dropped.
#[derive(Debug)]
pub struct SlowNetwork {
    addresses: Vec<SocketAddr>,
    runtime: Handle,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl SlowNetwork {
    /// Stands before each of the nodes that listen, or will listen, there. A round trip through it takes so much longer:
    /// half of it there, half of it back.
    ///
    /// # Errors
    /// No ports, no thread.
    pub fn start(nodes: &[SocketAddr], round_trip: Duration) -> Result<Self> {
        let mut doors = Vec::new();
        for node in nodes {
            let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            doors.push((listener, *node));
        }
        let addresses = doors.iter().map(|(listener, _)| listener.local_addr());
        let addresses = addresses.collect::<std::io::Result<_>>()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("slow-network".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for (listener, node) in doors {
                    tasks.spawn(listen(listener, node, round_trip / 2));
                }
                // It is stopped by a word, or by its owner's end.
                drop(stopped.await);
            });
        })?;
        Ok(Self {
            addresses,
            runtime: handle,
            thread: Some((stop, thread)),
        })
    }

    /// Under which each node is reached through it, in the order of the nodes.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The processor's time that its thread has taken so far.
    ///
    /// # Errors
    /// It has ended.
    pub async fn busy(&self) -> Result<Duration> {
        let asked = self
            .runtime
            .spawn(async { processor::taken_by_this_thread() });
        asked.await.context("the network's thread")
    }
}

impl Drop for SlowNetwork {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            // Had it panicked, its nodes would have been without a network: that has shown.
            drop(thread.join());
        }
    }
}

async fn listen(listener: Listener, node: SocketAddr, delay: Duration) {
    let listener = TcpListener::from_std(listener).expect("a listener that does not block");
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((near, _)) = accepted {
                    connections.spawn(connect(near, node, delay));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes one connection on until one side ends it.
async fn connect(near: TcpStream, node: SocketAddr, delay: Duration) {
    let Ok(far) = TcpStream::connect(node).await else {
        return;
    };
    for stream in [&near, &far] {
        if stream.set_nodelay(true).is_err() {
            return;
        }
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    // Whichever ends first takes the other, and the sockets, with it.
    tokio::select! {
        () = pass(near_read, far_write, delay) => {}
        () = pass(far_read, near_write, delay) => {}
    }
}

async fn pass(read: OwnedReadHalf, mut write: OwnedWriteHalf, delay: Duration) {
    let Ok((entrance, mut exit)) = delay_line() else {
        return;
    };
    let give = async move {
        while let Some(bytes) = exit.next().await {
            if write.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(entrance.fill(read, || delay), give);
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_round_trip_takes_as_long_as_was_said_and_the_end_of_one_side_reaches_the_other() {
        let node = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let round_trip = Duration::from_millis(30);
        let network = SlowNetwork::start(&[node.local_addr().unwrap()], round_trip).unwrap();
        let mut near = TcpStream::connect(network.addresses()[0]).await.unwrap();
        let (mut far, _) = node.accept().await.unwrap();
        let started = Instant::now();
        near.write_all(b"there").await.unwrap();
        let mut bytes = [0; 5];
        far.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"there");
        assert!(started.elapsed() >= round_trip / 2);
        far.write_all(b"back!").await.unwrap();
        near.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"back!");
        assert!(started.elapsed() >= round_trip);
        assert!(network.busy().await.unwrap() > Duration::ZERO);
        drop(far);
        assert_eq!(near.read(&mut bytes).await.unwrap(), 0);
    }
}
