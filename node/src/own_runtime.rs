//! A runtime on a thread of its own, for what is more urgent than the rest, or less; and how the threads of
//! the process share the processor.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long tasks may take to end after the runtime was told to.
const END_MAX: Duration = Duration::from_secs(1);

/// Has this thread, and those that it starts, take turns: one that is woken waits until another rests or has had
/// its time, and does not push it off the processor. Where every claim wakes several threads, that makes fewer
/// switches, and larger batches; where a processor is idle it changes nothing. A thread that is to have a larger
/// share has it all the same.
#[cfg(target_os = "linux")]
pub fn take_turns() {
    use thread_priority::{
        NormalThreadSchedulePolicy::Batch, ThreadPriority, ThreadSchedulePolicy::Normal,
        set_thread_priority_and_policy, thread_native_id,
    };
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    let priority = priority_of(nice).map(ThreadPriority::Crossplatform);
    let taken = priority.map(|priority| {
        set_thread_priority_and_policy(thread_native_id(), priority, Normal(Batch))
    });
    if !matches!(taken, Some(Ok(()))) {
        tracing::debug!(?taken, "threads push each other off the processor");
    }
}

/// A nice value on the scale of `thread_priority`, which sets one with every policy: 0 is the nice value 19, 99 is
/// -20, and what is between the steps counts as the step below.
#[cfg(target_os = "linux")]
fn priority_of(nice: i32) -> Option<thread_priority::ThreadPriorityValue> {
    let steps = 2 * (nice.clamp(-20, 19) + 20) + 1;
    let value = (99 - 99 * steps / (2 * 39)).max(0);
    u8::try_from(value).ok()?.try_into().ok()
}

/// Elsewhere there is no such choice.
#[cfg(not(target_os = "linux"))]
pub fn take_turns() {}

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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

    use super::*;

    #[test]
    fn the_policy_is_set_with_the_nice_value_that_there_is() {
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        for nice in -20..=19 {
            let priority = priority_of(nice).map(ThreadPriority::Crossplatform);
            let set = priority.map(|priority| priority.to_posix(policy));
            assert_eq!(set, Some(Ok(nice)), "{priority:?}");
        }
    }

    #[test]
    fn threads_that_begin_afterwards_take_turns_too() {
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("proc is there");
            let fields = stat.rsplit(')').next().expect("a name and what follows");
            // proc_pid_stat(5): `policy` is field 41, the state behind the name is field 3.
            fields.split_whitespace().nth(41 - 3).map(str::to_owned)
        };
        let batch = Some("3".to_owned());
        let seen = thread::spawn(move || {
            take_turns();
            (policy(), thread::spawn(policy).join().expect("it ends"))
        });
        assert_eq!(seen.join().expect("it ends"), (batch.clone(), batch));
    }
}
