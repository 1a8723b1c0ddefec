//! One node: its daemon, its file system, and what the daemon is told by its machine.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::binary;
use cluster_tests::process::Process;
use rustix::process::Signal;

use super::home::Home;
use super::preload::Control;
use super::world;

/// For how long a request waits for the cluster: shorter than clients wait, so that those whose request was surely not
/// done hear of it.
const REQUEST_TIMEOUT_MS: &str = "1500";
/// Lines of its log that are shown with what was found.
const LOG_LINES: usize = 12;

/// Stands in a node's log before what it prints from a start on.
const START: &str = "ipam-chaos: started\n";
/// What a program prints that has met a bug.
const PANIC: &str = "panicked at";
/// What a node prints at the end that must stop, since its storage failed.
const STORAGE_FAILED: &str = "the node has stopped itself: the storage failed: ";
/// And where that was no failure of storage.
const BY_BUG: &str = " stopped on a bug: ";

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) home: Home,
    pub(super) control: Control,
    log: PathBuf,
    members: String,
    process: Option<Process>,
}

impl Node {
    /// A node of a cluster of so many, not started.
    pub(super) fn new(folder: &Path, library: &Path, id: u64, nodes: u64) -> Result<Self> {
        let name = format!("node-{id}");
        // One of them can have a full disk, the others lose their power.
        let home = if id == nodes {
            Home::in_memory(folder, &name)?
        } else {
            Home::on_disk(folder, &name)?
        };
        let members: Vec<String> = (1..=nodes)
            .map(|id| format!("{id}={}", world::peer(id)))
            .collect();
        Ok(Self {
            id,
            home,
            control: Control::new(library, folder.join(format!("{name}.control")))?,
            log: folder.join(format!("{name}.log")),
            members: members.join(","),
            process: None,
        })
    }

    /// Starts it, without waiting for it.
    pub(super) fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "node {} runs already", self.id);
        let mut command = world::on_node(self.id, binary::ipamd()?);
        command
            .arg("serve")
            .args(["--node-id", &self.id.to_string()])
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(["--listen", &world::http(self.id).to_string()])
            .args(["--peer-listen", &world::peer(self.id).to_string()])
            .args(["--cluster", &self.members])
            .args(["--request-timeout-ms", REQUEST_TIMEOUT_MS])
            .arg("--insecure");
        self.control.preload(&mut command);
        let mut log = File::options().create(true).append(true).open(&self.log)?;
        log.write_all(START.as_bytes())?;
        self.process = Some(Process::start(&mut command, &self.log)?);
        Ok(())
    }

    /// Whether it has been started and was not ended by us since.
    pub(super) fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// How it ended by itself, if it did; then it is not started any more.
    pub(super) async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let process = self.process.as_mut()?;
        let status = process.exited(within).await.ok()?;
        self.process = None;
        Some(status)
    }

    /// `kill -9`, if it runs.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process
            .take()
            .map_or(Ok(()), |mut process| process.kill())
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.process
            .as_ref()
            .with_context(|| format!("node {} runs", self.id))?
            .signal(signal)
    }

    /// All that it keeps.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.home.mount_point().join("data")
    }

    /// The numbers of its log's segment files, ascending.
    pub(super) fn segments(&self) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(self.data_dir().join("wal"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(number) = name.strip_suffix(".wal") {
                numbers.push(u64::from_str_radix(number, 16)?);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What it has printed since its first start.
    pub(super) fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The lines in its log that tell of a bug.
    pub(super) fn panics(&self) -> Vec<String> {
        panics(&self.printed())
    }

    /// What it has printed last, but for what it tells of each claim.
    pub(super) fn last_words(&self) -> String {
        let printed = self.printed();
        let of_claims = ["allocated", "returned", "released", "refused"];
        let lines: Vec<&str> = printed
            .lines()
            .filter(|line| !of_claims.iter().any(|word| line.contains(word)))
            .collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        format!("node {} said last:\n{}", self.id, last.join("\n"))
    }
}

/// The lines of a log that tell of a bug. A node that stops because its storage has failed lets go of everything at once,
/// and what then cannot be written (sled panics where it cannot sync its last) breaks nothing more.
fn panics(log: &str) -> Vec<String> {
    let stops = |line: &str| line.contains(STORAGE_FAILED) && !line.contains(BY_BUG);
    log.split(START)
        .filter(|life| !life.lines().any(stops))
        .flat_map(str::lines)
        .filter(|line| line.contains(PANIC))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bug_but_in_a_node_that_stops_since_its_storage_has_failed() {
        let panic = "thread 'background' (9) panicked at logger.rs:467:41:\n";
        let failed = format!("ipamd: {STORAGE_FAILED}the log could not be written: syncing\n");
        let by_bug = format!("ipamd: {STORAGE_FAILED}the background thread{BY_BUG}no message\n");
        for (lives, found) in [
            (vec![String::new()], 0),
            (vec![panic.to_owned()], 1),
            (vec![format!("{panic}{failed}")], 0),
            (vec![format!("{failed}{panic}")], 0),
            (vec![format!("{panic}{by_bug}")], 1),
            (vec![failed.clone(), panic.to_owned()], 1),
            (vec![panic.to_owned(), failed], 1),
        ] {
            let log: String = lives.iter().flat_map(|life| [START, life]).collect();
            assert_eq!(panics(&log).len(), found, "{log}");
        }
    }
}
