//! `ipamd dev`: a whole cluster on this machine, for trying out and for developing against.
//!
//! It starts node processes on loopback, waits until they have formed a cluster, fills a tenant
//! `demo`, prints what to try, and stops them when it is told to stop.

mod call;
mod children;
mod demo;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::{Method, StatusCode};

use children::{Node, Place};

pub use call::CallError;
pub(crate) use children::exit_with_parent;
pub use demo::DemoError;

/// Most nodes of one command.
const NODES_MAX: u16 = 9;
/// How long the nodes may take until each is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at a node that is not ready yet.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// The switches of `ipamd dev`.
#[derive(Debug, Clone, clap::Args)]
pub struct DevSwitches {
    /// How many nodes
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    pub nodes: u16,
    /// HTTP address of the first node; each next one is 10 ports up, and peers one port above HTTP.
    /// Port 0 takes ports that are free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7400")]
    pub listen: SocketAddr,
    /// Directory that is kept; without it a temporary one, removed at the end
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Why the command ended.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// Nodes without access control belong on loopback.
    #[error(
        "--listen is {0}, which others than this machine can reach; choose an address of 127.0.0.0/8 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// There are not that many ports above the one given.
    #[error("--listen is {0}, and the nodes' ports would pass 65535; choose a lower one")]
    PortsExceeded(SocketAddr),
    /// Something listens there.
    #[error("cannot listen on {address}; end what uses that port, or choose others with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A directory cannot be made.
    #[error("cannot make the directory {path}; name one that can be written with --data-dir")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A process cannot be started.
    #[error("cannot start node {id}")]
    Start {
        /// The node.
        id: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A node ended before the cluster was ready.
    #[error("node {id} ended ({status}) before the cluster was ready; the end of its log:\n{log}")]
    EndedEarly {
        /// The node.
        id: u64,
        /// Its exit code or signal.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// A node did not become ready.
    #[error("node {id} was not ready within {} s; the end of its log:\n{log}", READY_TIMEOUT.as_secs())]
    NotReady {
        /// The node.
        id: u64,
        /// The last lines of its log.
        log: String,
    },
    /// The demonstration could not be set up.
    #[error("the tenant `demo` could not be filled")]
    Demo(#[source] DemoError),
    /// Every node has ended.
    #[error("every node has ended")]
    AllEnded,
    /// Standard output, or waiting for a process, failed.
    #[error("input or output failed")]
    Io(#[from] io::Error),
}

/// Runs a cluster until SIGINT or SIGTERM.
///
/// # Errors
/// [`DevError`]: something is in the way of the start, or every node has ended.
pub async fn dev(switches: DevSwitches) -> Result<(), DevError> {
    let mut interrupted = crate::serve::Signals::listen()?;
    // Kept until the end, and removed with what the nodes wrote when it is dropped.
    let (directory, _temporary) = directory(switches.data_dir.as_deref())?;
    let places = places(&switches, &directory)?;
    let cluster = places
        .iter()
        .map(|place| format!("{}={}", place.id, place.peer))
        .collect::<Vec<_>>()
        .join(",");
    let program = std::env::current_exe()?;
    let mut nodes = Vec::new();
    for place in places {
        let id = place.id;
        nodes.push(
            Node::start(&program, place, &cluster)
                .map_err(|source| DevError::Start { id, source })?,
        );
    }
    let outcome = tokio::select! {
        () = interrupted.next() => Ok(()),
        outcome = run(&mut nodes, &directory, switches.data_dir.is_some()) => outcome,
    };
    // Whoever read this may be gone already, such as the other end of a pipe on Ctrl-C.
    say("Stopping.\n").ok();
    for node in &nodes {
        node.ask_to_stop();
    }
    for node in nodes {
        node.stopped().await?;
    }
    outcome
}

/// Until every node has ended; the caller stops polling it when asked to stop.
async fn run(nodes: &mut Vec<Node>, directory: &Path, kept: bool) -> Result<(), DevError> {
    for node in nodes.iter_mut() {
        ready(node).await?;
    }
    let first = nodes
        .first()
        .map(|node| node.place.http)
        .expect("there is at least one node");
    let shown = demo::fill(first).await.map_err(DevError::Demo)?;
    let places: Vec<_> = nodes
        .iter()
        .map(|node| (node.place.clone(), node.process_id()))
        .collect();
    say(&demo::guide(&places, &shown, directory, kept))?;
    while !nodes.is_empty() {
        let waiting = nodes.iter_mut().map(|node| Box::pin(node.ended()));
        let (status, index, _) = futures::future::select_all(waiting).await;
        let node = nodes.swap_remove(index);
        let id = node.place.id;
        say(&format!(
            "Node {id} has ended ({}); the end of its log:\n{}\n",
            status?,
            node.log_tail()
        ))?;
    }
    Err(DevError::AllEnded)
}

async fn ready(node: &mut Node) -> Result<(), DevError> {
    let address = node.place.http;
    let asking = async {
        loop {
            let answer = call::call(address, Method::GET, "/readyz", None, READY_TIMEOUT).await;
            if matches!(answer, Ok((StatusCode::OK, _))) {
                return;
            }
            tokio::time::sleep(READY_INTERVAL).await;
        }
    };
    tokio::select! {
        asked = tokio::time::timeout(READY_TIMEOUT, asking) => {
            asked.map_err(|_| DevError::NotReady { id: node.place.id, log: node.log_tail() })
        }
        status = node.ended() => {
            Err(DevError::EndedEarly { id: node.place.id, status: status?.to_string(), log: node.log_tail() })
        }
    }
}

/// The directory to work in, and what removes it where it is temporary.
fn directory(given: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>), DevError> {
    if let Some(path) = given {
        let failed = |source| DevError::Directory {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(path).map_err(failed)?;
        return Ok((path.canonicalize().map_err(failed)?, None));
    }
    let made = tempfile::Builder::new().prefix("ipamd-dev-").tempdir();
    let temporary = made.map_err(|source| DevError::Directory {
        path: std::env::temp_dir(),
        source,
    })?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// Where each node will be. Each address is bound once here, so that a port in use is told before
/// any process is started.
fn places(switches: &DevSwitches, directory: &Path) -> Result<Vec<Place>, DevError> {
    let listen = switches.listen;
    if !listen.ip().is_loopback() {
        return Err(DevError::NotLoopback(listen));
    }
    let mut bound = Vec::new();
    let mut bind = |offset: u16| -> Result<SocketAddr, DevError> {
        let mut address = listen;
        if listen.port() > 0 {
            address.set_port(
                listen
                    .port()
                    .checked_add(offset)
                    .ok_or(DevError::PortsExceeded(listen))?,
            );
        }
        let listener =
            TcpListener::bind(address).map_err(|source| DevError::Listen { address, source })?;
        let address = listener.local_addr()?;
        bound.push(listener);
        Ok(address)
    };
    (0..switches.nodes)
        .map(|index| {
            let id = u64::from(index) + 1;
            Ok(Place {
                id,
                http: bind(index * 10)?,
                peer: bind(index * 10 + 1)?,
                data_dir: directory.join(format!("node-{id}")),
                log: directory.join(format!("node-{id}.log")),
            })
        })
        .collect()
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
