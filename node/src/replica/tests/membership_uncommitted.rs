//! What is said of a membership that is in the leader's log and not committed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::cluster::{Cluster, DEADLINE};
use crate::peers::{BoxStream, Listener, Net, NetFuture, TokioNet};
use crate::replica::MemberError;

/// Bytes before the body of a frame: its length.
const LENGTH_BYTES: usize = 4;

/// A network on which, for a while, the first frame of a connection arrives and nothing after it: whoever is asked who
/// it is answers, and no entry reaches anybody.
#[derive(Debug, Clone, Default)]
struct HellosOnly(Arc<AtomicBool>);

impl Net for HellosOnly {
    fn connect<'a>(&'a self, address: &'a str) -> NetFuture<'a, BoxStream> {
        Box::pin(async move {
            let inner = TokioNet.connect(address).await?;
            Ok(Box::new(Stream {
                inner,
                written: Vec::new(),
                only_hellos: self.0.clone(),
            }) as BoxStream)
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> NetFuture<'a, Box<dyn Listener>> {
        TokioNet.listen(address)
    }
}

struct Stream {
    inner: BoxStream,
    /// The first bytes, until the first frame is known to be out.
    written: Vec<u8>,
    only_hellos: Arc<AtomicBool>,
}

impl Stream {
    fn first_frame_is_out(&self) -> bool {
        let length = self.written.first_chunk::<LENGTH_BYTES>();
        length.is_some_and(|length| {
            let body = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            self.written.len() - LENGTH_BYTES >= body
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let first = !self.first_frame_is_out();
        if !first && self.only_hellos.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let (true, Poll::Ready(Ok(size))) = (first, &polled) {
            let size = *size;
            self.written.extend_from_slice(&bytes[..size]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_not_committed_is_not_called_done() {
    // Shorter than what a leader without a quorum has left of its office.
    let short = Duration::from_millis(250);
    let net = HellosOnly::default();
    let mut cluster = Cluster::formed_on(3, Arc::new(net.clone())).await;
    cluster.place(4);
    cluster.start(4).await;
    let (leader, add) = (cluster.leader().await, cluster.adds(4, 4));
    let replica = cluster.replica(leader);

    net.0.store(true, Ordering::SeqCst);
    let first = replica.member_change(add.clone(), short).await;
    assert_eq!(first, Err(MemberError::OutcomeUnknown));
    // It is in this leader's log; should another one lead next, it may be gone.
    let again = replica.member_change(add.clone(), short).await;
    assert_ne!(again, Ok(()), "nobody knows that yet");

    net.0.store(false, Ordering::SeqCst);
    replica
        .member_change(add, DEADLINE)
        .await
        .expect("it is added");
    cluster.ready(4).await;
}
