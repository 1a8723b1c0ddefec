//! What a cluster stands on: a network between its nodes and disks below them that may be slower than this machine's.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use cluster_tests::requirements::Requirement;
use cluster_tests::slow_network::SlowNetwork;

/// What is put between nodes, and between a node and its disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings {
    /// All that nodes send each other goes through a proxy which makes a round trip so much longer.
    pub(crate) round_trip: Option<Duration>,
    /// Each sync that a node makes is traced, and returns so much later. A tracer makes it so for every program alike; a
    /// library that stands before the C library's calls would not be asked by one that makes its calls itself, as etcd's does.
    pub(crate) sync: Option<Duration>,
}

impl Surroundings {
    /// Why they are not to be had here; `None` where they are.
    pub(crate) fn missing(self) -> Option<String> {
        self.sync.and_then(|_| Requirement::Ptrace.missing())
    }

    /// The network between nodes that listen there, where it is not loopback alone.
    pub(crate) fn network(self, nodes: &[SocketAddr]) -> Result<Option<SlowNetwork>> {
        self.round_trip
            .map(|round_trip| SlowNetwork::start(nodes, round_trip))
            .transpose()
    }

    /// What starts a node in place of its program, and becomes it: the tracer is its child (-D) and ends with it. Other calls
    /// than syncs do not stop for the tracer (--seccomp-bpf).
    pub(crate) fn starter(self) -> Vec<String> {
        let Some(longer) = self.sync else {
            return Vec::new();
        };
        let mut trace =
            vec!["strace -D -f --seccomp-bpf -o /dev/null --trace=fsync,fdatasync".to_owned()];
        if !longer.is_zero() {
            let delay = longer.as_micros();
            trace.push(format!("--inject=fsync,fdatasync:delay_exit={delay}"));
        }
        // A node whose sync has returned waits for the tracer, which must not wait for a processor in turn.
        if at_once() {
            trace.insert(0, "chrt --fifo 1".to_owned());
            trace.push("chrt --other 0".to_owned());
        }
        let words = trace.iter().flat_map(|words| words.split(' '));
        words.map(str::to_owned).collect()
    }
}

/// Whether a process may be one that runs before all others.
fn at_once() -> bool {
    let tried = Command::new("chrt").args(["--fifo", "1", "true"]).output();
    tried.is_ok_and(|tried| tried.status.success())
}
