//! A way for bytes that takes its time: what goes in comes out later, in order, and as much of it in a second as went in.
//!
//! Each piece is stamped when it is read and let out at its stamp plus the delay, so that any number of pieces are on their
//! way at a time. The runtime's timers tell milliseconds at best, where half of one is wanted here: each line has a timer of
//! the kernel's.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces on their way: a hundred thousand a second with a delay of 10 ms. Beyond them nothing is read.
const PIECES_MAX: usize = 1_024;

/// Where bytes go in.
#[derive(Debug)]
pub struct Entrance(mpsc::Sender<Piece>);

/// Where they come out.
#[derive(Debug)]
pub struct Exit {
    pieces: mpsc::Receiver<Piece>,
    timer: Timer,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    due: Instant,
}

/// A line for one direction of a connection.
///
/// # Errors
/// No timer from the kernel.
pub fn delay_line() -> io::Result<(Entrance, Exit)> {
    let (entrance, pieces) = mpsc::channel(PIECES_MAX);
    let timer = Timer::new()?;
    Ok((Entrance(entrance), Exit { pieces, timer }))
}

impl Entrance {
    /// Reads to the end, or until nobody is at the exit; `delay` says how long each piece takes. None overtakes another.
    pub async fn fill(self, mut read: impl AsyncRead + Unpin, mut delay: impl FnMut() -> Duration) {
        let mut buffer = BytesMut::new();
        let mut latest = Instant::now();
        loop {
            buffer.reserve(PIECE_BYTES);
            let Ok(1..) = read.read_buf(&mut buffer).await else {
                return;
            };
            latest = latest.max(Instant::now() + delay());
            let piece = Piece {
                bytes: buffer.split().freeze(),
                due: latest,
            };
            if self.0.send(piece).await.is_err() {
                return;
            }
        }
    }
}

impl Exit {
    /// The next piece, when its time has come; `None` behind the last one.
    pub async fn next(&mut self) -> Option<Bytes> {
        let piece = self.pieces.recv().await?;
        self.timer.until(piece.due).await.ok()?;
        Some(piece.bytes)
    }
}

/// A descriptor that can be read when a time has come. Tokio's wrapper of any descriptor wants unsafe code; its reader of
/// pipes, unchecked, does the same with one: it waits until there is something, and reads.
#[derive(Debug)]
struct Timer(pipe::Receiver);

impl Timer {
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self(pipe::Receiver::from_owned_fd_unchecked(timer)?))
    }

    async fn until(&mut self, due: Instant) -> io::Result<()> {
        let wait = due.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(wait).map_err(io::Error::other)?,
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        // How often it has fired.
        self.0.read_u64_le().await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::time::sleep;

    use super::*;

    const DELAY: Duration = Duration::from_millis(40);

    #[tokio::test]
    async fn what_is_on_its_way_does_not_hold_up_what_comes_behind_it() {
        let (mut write, read) = tokio::io::duplex(1 << 10);
        let (entrance, mut exit) = delay_line().unwrap();
        let started = Instant::now();
        let (sent, (), arrived) = tokio::join!(
            async move {
                let mut sent = Vec::new();
                for number in 0..20_u8 {
                    sent.push(started.elapsed());
                    write.write_all(&[number]).await.unwrap();
                    sleep(Duration::from_millis(5)).await;
                }
                sent
            },
            entrance.fill(read, || DELAY),
            async {
                let mut arrived = Vec::new();
                while let Some(bytes) = exit.next().await {
                    arrived.extend(bytes.iter().map(|byte| (*byte, started.elapsed())));
                }
                arrived
            }
        );
        let numbers: Vec<u8> = arrived.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (0..20).collect::<Vec<u8>>());
        let took = |place: usize| arrived[place].1.saturating_sub(sent[place]);
        assert!((0..20).all(|place| took(place) >= DELAY));
        // Were one held up by another, the last would have waited for twenty delays.
        assert!(took(19) < DELAY * 10, "{:?}", took(19));
    }

    #[tokio::test]
    async fn none_overtakes_another() {
        let (mut write, read) = tokio::io::duplex(1 << 10);
        let (entrance, mut exit) = delay_line().unwrap();
        let mut delays = [DELAY, Duration::ZERO].into_iter();
        let ((), (), first) = tokio::join!(
            async move {
                write.write_all(b"a").await.unwrap();
                sleep(Duration::from_millis(5)).await;
                write.write_all(b"b").await.unwrap();
            },
            entrance.fill(read, || delays.next().unwrap_or_default()),
            exit.next()
        );
        assert_eq!(first.as_deref(), Some(&b"a"[..]));
        assert_eq!(exit.next().await.as_deref(), Some(&b"b"[..]));
        assert_eq!(exit.next().await, None);
    }
}
