//! A second thread for what a start waits for: decoding while the rest is read, and halves of what the state builds.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use allocator::together::Together;

/// Does the other of two things on a thread of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threads;

impl Together for Threads {
    fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        thread::scope(|scope| {
            let other = scope.spawn(other);
            let one = one();
            (
                one,
                other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            )
        })
    }
}

/// Chunks that wait for the thread that takes them.
const CHUNKS: usize = 8;

/// Makes chunks of something here and takes them on a second thread, which may end early: then nothing more
/// need be made.
pub(crate) fn piped<T: Send, A, B: Send>(
    make: impl FnOnce(SyncSender<Vec<T>>) -> A,
    take: impl FnOnce(Receiver<Vec<T>>) -> B + Send,
) -> (A, B) {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(CHUNKS);
        let taken = scope.spawn(move || take(receiver));
        let end = make(sender);
        (
            end,
            taken.join().unwrap_or_else(|panic| resume_unwind(panic)),
        )
    })
}
