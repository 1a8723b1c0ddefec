//! The asynchronous runtime that openraft is given: tokio, with randomness that can be seeded.
//!
//! openraft draws its election time-outs from the runtime's generator. The simulation seeds it, so
//! that elections follow from the seed like everything else.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use openraft::AsyncRuntime;
use openraft::async_runtime::TokioOneShotSender;
use openraft::{OptionalSend, TokioInstant};
use rand_core::{OsRng, RngCore};

use crate::env::sim::SimRng;

thread_local! {
    static SEEDED: RefCell<Option<SimRng>> = const { RefCell::new(None) };
}

/// Tokio, with a generator of random numbers that can be seeded for this thread.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Runtime;

impl Runtime {
    /// From now on, on this thread, openraft's random numbers follow from `seed`.
    pub fn seed_thread(seed: u64) {
        SEEDED.set(Some(SimRng::new(seed)));
    }

    /// From now on, on this thread, openraft's random numbers are the machine's again.
    pub fn unseed_thread() {
        SEEDED.set(None);
    }
}

/// The machine's randomness, or the seeded sequence of this thread.
#[derive(Debug)]
pub struct RuntimeRng;

impl RngCore for RuntimeRng {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        SEEDED.with_borrow_mut(|seeded| match seeded {
            Some(rng) => rng.next_u64(),
            None => OsRng.next_u64(),
        })
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        rand_core::impls::fill_bytes_via_next(self, dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl AsyncRuntime for Runtime {
    type JoinError = tokio::task::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = tokio::task::JoinHandle<T>;
    type Sleep = tokio::time::Sleep;
    type Instant = TokioInstant;
    type TimeoutError = tokio::time::error::Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = tokio::time::Timeout<T>;
    type ThreadLocalRng = RuntimeRng;
    type OneshotSender<T: OptionalSend> = TokioOneShotSender<T>;
    type OneshotReceiver<T: OptionalSend> = tokio::sync::oneshot::Receiver<T>;
    type OneshotReceiverError = tokio::sync::oneshot::error::RecvError;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        tokio::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        tokio::time::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        tokio::time::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        tokio::time::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        join_error.is_panic()
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        RuntimeRng
    }

    fn oneshot<T>() -> (Self::OneshotSender<T>, Self::OneshotReceiver<T>)
    where
        T: OptionalSend,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        (TokioOneShotSender(sender), receiver)
    }
}
