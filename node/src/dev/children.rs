//! The node processes of `ipamd dev`: this program again, as `ipamd serve`.
//!
//! 1. A child never outlives the command: it is stopped at the end, and the kernel signals it
//!    should this process be killed (`--exit-with-parent`).
//! 2. What a child says goes to a file, and the last lines of it are shown when it ends unasked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

/// How long a node may take to stop in good order before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of a log's end is read for its last lines.
const LOG_TAIL_BYTES: u64 = 16 * 1024;
/// How many lines are shown.
const LOG_TAIL_LINES: usize = 12;

/// Where a node is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its id.
    pub(super) id: u64,
    /// Its HTTP address.
    pub(super) http: SocketAddr,
    /// Its address for peers.
    pub(super) peer: SocketAddr,
    /// Its data directory.
    pub(super) data_dir: PathBuf,
    /// The file that its log goes to.
    pub(super) log: PathBuf,
}

/// A node that runs.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    child: Child,
}

impl Node {
    /// Starts a node.
    pub(super) fn start(program: &Path, place: Place, cluster: &str) -> io::Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&place.log)?;
        let errors = log.try_clone()?;
        let mut command = Command::new(program);
        command
            .arg("serve")
            .args(["--node-id", &place.id.to_string()])
            .arg("--data-dir")
            .arg(&place.data_dir)
            .args(["--listen", &place.http.to_string()])
            .args(["--peer-listen", &place.peer.to_string()])
            .args(["--cluster", cluster])
            .args(["--exit-with-parent", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            // Ctrl-C at the terminal is for this process; it then stops the nodes in good order.
            .process_group(0)
            .kill_on_drop(true);
        // A variable that is meant for another node must not reach into these.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("IPAMD_") && text != "IPAMD_LOG_FILTER" {
                command.env_remove(&name);
            }
        }
        Ok(Self {
            place,
            child: command.spawn()?,
        })
    }

    /// Its process id, while it runs.
    pub(super) fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to stop.
    pub(super) fn ask_to_stop(&self) {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            && let Err(error) = rustix::process::kill_process(pid, Signal::TERM)
        {
            tracing::warn!(node = self.place.id, %error, "a node cannot be signalled");
        }
    }

    /// Waits for its end after it was asked to stop, and kills it if that takes too long.
    pub(super) async fn stopped(mut self) -> io::Result<()> {
        if tokio::time::timeout(STOP_TIMEOUT, self.child.wait())
            .await
            .is_err()
        {
            self.child.kill().await?;
        }
        Ok(())
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        match log_tail(&self.place.log) {
            Ok(lines) => lines,
            Err(error) => format!("({} cannot be read: {error})", self.place.log.display()),
        }
    }
}

fn log_tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n"))
}

/// Signals this process when its parent, `parent`, ends; and ends it now if the parent has ended.
///
/// # Errors
/// The kernel refused, or the parent has ended already.
pub(crate) fn exit_with_parent(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    // Between the fork and the line above the parent may have ended without a signal to us.
    let current = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if current == Some(parent) {
        Ok(())
    } else {
        Err(io::Error::other("the parent process has ended"))
    }
}
