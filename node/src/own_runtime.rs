//! A runtime on a thread of its own, for what is more urgent than the rest, or less.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long tasks may take to end after the runtime was told to.
const END_MAX: Duration = Duration::from_secs(1);

/// A running runtime on a thread of its own. Dropping it ends the runtime without waiting.
#[derive(Debug)]
pub(crate) struct OwnRuntime {
    handle: Handle,
    end: DropGuard,
    thread: thread::JoinHandle<()>,
}

impl OwnRuntime {
    /// Starts the thread `name`, with this nice value where the system allows it.
    ///
    /// # Errors
    /// The system refused a thread or the runtime's descriptors.
    pub(crate) fn start(name: &'static str, nice: i32) -> io::Result<OwnRuntime> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let end = CancellationToken::new();
        let ended = end.clone();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                if let Err(error) = rustix::process::setpriority_process(None, nice) {
                    tracing::debug!(name, %error, "the priority of a thread stays as it is");
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
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the runtime and waits for its thread.
    pub(crate) async fn stop(self) {
        drop(self.end);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("a runtime's thread ended badly");
        }
    }
}
