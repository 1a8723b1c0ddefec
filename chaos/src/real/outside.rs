//! The command outside: it starts itself again in namespaces of its own, and waits.
//!
//! Whatever is made inside (processes, interfaces, network namespaces, mounts, and with them the loop devices) ends with
//! the first process of the PID namespace, and that one ends with this: in order when the pipe to it is closed, which a
//! signal to this command does, and at once when this command is killed (`setpriv --pdeathsig`, `unshare --kill-child`).

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use cluster_tests::requirements::say;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::options::Options;

/// Set for the command that runs inside.
pub(super) const INSIDE: &str = "IPAM_CHAOS_INSIDE";

/// Runs the command inside, to its end.
pub(super) fn run(options: &Options) -> Result<()> {
    // One thread, this one: the kernel ends what is inside when the thread that started it ends.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(watch(options))
}

async fn watch(options: &Options) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut inside = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .args(["unshare", "--net", "--mount", "--propagation", "private"])
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe()?)
        .args(options.words())
        .env(INSIDE, "1")
        .stdin(Stdio::piped())
        // A Ctrl-C at the terminal is for this process, not for the nodes.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("setpriv and unshare")?;
    let mut line = inside.stdin.take();
    loop {
        tokio::select! {
            status = inside.wait() => {
                let status = status?;
                ensure!(status.success(), "the run did not end well ({status})");
                return Ok(());
            }
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if line.take().is_none() {
            bail!("told twice to end");
        }
        say("told to end: healing and judging what there is; told once more, it ends at once");
    }
}
