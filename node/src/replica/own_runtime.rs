//! A thread and a runtime for Raft and the peers alone.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nice value of the thread, where the system allows to raise its priority.
const NICE: i32 = -10;
/// How long tasks may take to end after the runtime was told to.
const END_MAX: Duration = Duration::from_secs(1);

/// A running runtime on a thread of its own. Dropping it ends the runtime without waiting.
#[derive(Debug)]
pub(super) struct OwnRuntime {
    handle: Handle,
    end: DropGuard,
    thread: thread::JoinHandle<()>,
}

impl OwnRuntime {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refused a thread or the runtime's descriptors.
    pub(super) fn start() -> io::Result<OwnRuntime> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let end = CancellationToken::new();
        let ended = end.clone();
        let thread = thread::Builder::new()
            .name("raft".to_owned())
            .spawn(move || {
                if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                    tracing::debug!(%error, "the priority of Raft's thread stays as it is");
                }
                runtime.block_on(ended.cancelled());
                runtime.shutdown_timeout(END_MAX);
            })?;
        Ok(OwnRuntime {
            handle,
            end: end.drop_guard(),
            thread,
        })
    }

    /// The runtime.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the runtime and waits for its thread.
    pub(super) async fn stop(self) {
        drop(self.end);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("Raft's thread ended badly");
        }
    }
}
