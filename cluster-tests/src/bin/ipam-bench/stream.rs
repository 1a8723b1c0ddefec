//! A watcher that costs next to nothing itself, so that a thousand of them measure the nodes: of what
//! comes it looks at the first and the last event only, in a buffer that all share.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::{Result, ensure};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// Bytes read at once at most.
const BUFFER: usize = 256 << 10;
const ID: &[u8] = b"\nid: ";
/// What ends an event.
const END: &[u8] = b"\n\n";

/// Events that came to a watcher together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    pub(crate) at: Instant,
    /// The first of their revisions, which follow each other.
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// A watch over a connection of its own, read as it comes: the frames of HTTP/1.1's chunks among its events.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    /// What came of an event that has not come whole.
    rest: Vec<u8>,
}

impl Stream {
    /// Opens a watch, and waits for the bookmark with which it begins: from then on it is told all.
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        // The bookmark has come with the end of its chunk.
        while !head.ends_with(b"\n\n\r\n") {
            socket.readable().await?;
            let mut some = [0; 4_096];
            match socket.try_read(&mut some) {
                Ok(0) => break,
                Ok(count) => head.extend_from_slice(&some[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(
            head.starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Ok(Self {
            socket,
            rest: Vec::new(),
        })
    }

    /// Reads until the revision has come that `end` tells at last; till then it tells 0.
    pub(crate) async fn read_until(mut self, mut end: watch::Receiver<u64>) -> Result<Vec<Came>> {
        let mut all: Vec<Came> = Vec::new();
        loop {
            let wanted = *end.borrow_and_update();
            if wanted > 0 && all.last().is_some_and(|came| came.last >= wanted) {
                return Ok(all);
            }
            tokio::select! {
                came = poll_fn(|cx| self.poll_read(cx)) => all.extend(came?),
                Ok(()) = end.changed() => {}
            }
        }
    }

    /// What has come whole, once something has come.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Came>>> {
        thread_local! {
            static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
        }
        SHARED.with_borrow_mut(|buffer| {
            let before = self.rest.len();
            buffer[..before].copy_from_slice(&self.rest);
            let mut room = ReadBuf::new(&mut buffer[before..]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut room))?;
            let count = room.filled().len();
            Poll::Ready(self.came(&buffer[..before + count], count))
        })
    }

    /// What of a text has come whole, of which so many bytes are new.
    fn came(&mut self, text: &[u8], count: usize) -> Result<Option<Came>> {
        ensure!(count > 0, "the stream has ended");
        let at = Instant::now();
        let Some(end) = text.windows(END.len()).rposition(|pair| pair == END) else {
            self.rest = text.to_vec();
            return Ok(None);
        };
        // The line's end before the next id stays with it.
        let (whole, rest) = text.split_at(end + 1);
        self.rest = rest.to_vec();
        let is_id = |part: &[u8]| part == ID;
        let first = whole.windows(ID.len()).position(is_id);
        let last = whole.windows(ID.len()).rposition(is_id);
        let revision = |place: Option<usize>| place.and_then(|place| revision(&whole[place..]));
        Ok(revision(first)
            .zip(revision(last))
            .map(|(first, last)| Came { at, first, last }))
    }
}

/// The revision of the event whose id begins here; `None` where it is a bookmark, which has no ordinal.
fn revision(text: &[u8]) -> Option<u64> {
    let id = text.get(ID.len()..)?.split(|byte| *byte == b'\n').next()?;
    let (revision, _) = str::from_utf8(id).ok()?.split_once('.')?;
    revision.parse().ok()
}
