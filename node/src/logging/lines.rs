//! Lines on their way to stderr: whoever logs puts them down, and a thread writes what has gathered.
//!
//! 1. Nobody who logs waits for whoever reads stderr: what does not fit into [`BYTES_MAX`] is dropped and counted.
//! 2. Under load one wake-up of the thread serves many lines, since it waits for [`GATHER`] first: a thread that is
//!    woken for each line costs as much as the line.
//! 3. What was put down before the end is written, if it can be within [`END_MAX`].

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Most bytes that wait to be written.
const BYTES_MAX: usize = 16 << 20;
/// How long lines gather.
const GATHER: Duration = Duration::from_millis(10);
/// How long the last lines may take.
const END_MAX: Duration = Duration::from_secs(1);

/// Where lines are put down; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    pad: Mutex<Pad>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Pad {
    bytes: Vec<u8>,
    /// The thread writes what it has taken.
    is_writing: bool,
    /// No more come.
    has_ended: bool,
}

impl Lines {
    /// Starts the thread, which writes to `out`.
    ///
    /// # Errors
    /// The system refused a thread.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let written = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || written.write_to(out))?;
        Ok(Self(shared))
    }

    /// How many were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Has what is there written, and ends the thread.
    pub(super) fn end(&self) {
        let mut pad = self.0.pad.lock();
        pad.has_ended = true;
        self.0.changed.notify_all();
        let is_busy = |pad: &mut Pad| pad.is_writing || !pad.bytes.is_empty();
        self.0.changed.wait_while_for(&mut pad, is_busy, END_MAX);
    }
}

impl Shared {
    fn write_to(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        loop {
            let mut pad = self.pad.lock();
            pad.is_writing = false;
            self.changed.notify_all();
            self.changed
                .wait_while(&mut pad, |pad| pad.bytes.is_empty() && !pad.has_ended);
            if !pad.has_ended {
                drop(pad);
                thread::sleep(GATHER);
                pad = self.pad.lock();
            }
            if pad.bytes.is_empty() {
                return;
            }
            std::mem::swap(&mut pad.bytes, &mut taken);
            pad.is_writing = true;
            drop(pad);
            // If nobody can read it there is nobody to tell.
            out.write_all(&taken).and_then(|()| out.flush()).ok();
            taken.clear();
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each write is a line, whole.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut pad = self.0.pad.lock();
        if pad.bytes.len() + line.len() > BYTES_MAX || pad.has_ended {
            drop(pad);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        let is_first = pad.bytes.is_empty();
        pad.bytes.extend_from_slice(line);
        if is_first {
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is written, once it may.
    #[derive(Debug, Clone, Default)]
    struct Out {
        kept: Arc<Mutex<Vec<u8>>>,
        gate: Arc<Mutex<()>>,
    }

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _open = self.gate.lock();
            self.kept.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order_before_the_end() {
        let out = Out::default();
        let lines = Lines::start(out.clone()).expect("a thread starts");
        let mut expected = String::new();
        for number in 0..1_000 {
            let line = format!("line {number}\n");
            (&lines).write_all(line.as_bytes()).expect("it never fails");
            expected.push_str(&line);
            if number == 500 {
                thread::sleep(GATHER * 2);
            }
        }
        lines.end();
        assert_eq!(String::from_utf8_lossy(&out.kept.lock()), expected);
        assert_eq!(lines.dropped(), 0);
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_counted_and_holds_nobody_up() {
        let out = Out::default();
        let shut = out.gate.lock();
        let lines = Lines::start(out.clone()).expect("a thread starts");
        let line = vec![b'x'; 1 << 20];
        for _ in 0..BYTES_MAX >> 20 {
            (&lines).write_all(&line).expect("it never fails");
        }
        // Until the thread has taken them; it cannot write them, and so much fits behind them.
        while !lines.0.pad.lock().bytes.is_empty() {
            thread::sleep(GATHER);
        }
        for _ in 0..(BYTES_MAX >> 20) + 3 {
            (&lines).write_all(&line).expect("it never fails");
        }
        assert_eq!(lines.dropped(), 3);
        drop(shut);
        lines.end();
        assert_eq!(out.kept.lock().len(), 2 * BYTES_MAX);
    }
}
