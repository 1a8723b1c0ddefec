//! Whole nodes that serve HTTP in this process: what all their threads allocate for a request.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use node::http::{Limits, Server};
use node::peers::TokioNet;
use node::replica::{PeerListen, Placement, Replica, ReplicaOptions, Timers};
use raft_store::StoreOptions;
use raft_store::env::RealEnv;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::claims::{POOL, TENANT, body};
use crate::meter::Counted;

/// Connections that each have a claim on its way at the same time.
const MANY: usize = 64;
/// Before anything counts: connections, queues and tables grow as they are used.
const WARM_UP: usize = 20;
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What each kind of request allocates, on one node and on three.
pub(crate) fn measure(times: usize) -> Vec<(&'static str, Counted)> {
    let mut found = Vec::new();
    let alone = Nodes::start(1);
    let mut clients = alone.clients(1);
    found.push((
        "one node: `GET /livez`",
        counted(times, || clients[0].ask("GET", "/livez", &[], 200)),
    ));
    let mut claims = Claims(0);
    found.push((
        "one node: a claim, one at a time",
        counted(times, || claims.one_each(&mut clients)),
    ));
    drop((clients, alone));
    let three = Nodes::start(3);
    let mut clients = three.clients(1);
    found.push((
        "three nodes together: a claim, one at a time",
        counted(times, || claims.one_each(&mut clients)),
    ));
    let mut clients = three.clients(MANY);
    let turns = times.div_ceil(MANY);
    let Counted { allocations, bytes } = counted(turns, || claims.one_each(&mut clients));
    found.push((
        "three nodes together: a claim, 64 at a time over all nodes",
        Counted {
            allocations: allocations / 64.0,
            bytes: bytes / 64.0,
        },
    ));
    found
}

fn counted(times: usize, mut one: impl FnMut()) -> Counted {
    (0..WARM_UP).for_each(|_| one());
    Counted::of(times, || (0..times).for_each(|_| one())).0
}

/// Names that nobody has used.
struct Claims(u32);

impl Claims {
    /// A claim over each connection, all of them on their way at the same time.
    fn one_each(&mut self, clients: &mut [Client]) {
        for client in &mut *clients {
            self.0 += 1;
            client.send("POST", "/v1/tenants/bench/claims", &body(self.0));
        }
        for client in clients {
            client.expect(201);
        }
    }
}

/// Nodes of one cluster, ready, with a pool.
struct Nodes {
    runtime: Option<Runtime>,
    replicas: Vec<Replica>,
    addresses: Vec<SocketAddr>,
    folder: TempDir,
}

impl Nodes {
    fn start(size: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let bound = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let peers: Vec<TcpListener> = (0..size).map(|_| bound()).collect();
        let address = |listener: &TcpListener| listener.local_addr().expect("its address");
        let cluster: BTreeMap<u64, String> = (1..=size)
            .zip(&peers)
            .map(|(id, listener)| (id, address(listener).to_string()))
            .collect();
        let mut nodes = Self {
            runtime: None,
            replicas: Vec::new(),
            addresses: Vec::new(),
            folder,
        };
        for (node_id, peers) in (1..=size).zip(peers) {
            let http = bound();
            http.set_nonblocking(true)
                .expect("a listener of the runtime");
            nodes.addresses.push(address(&http));
            let data = nodes.folder.path().join(node_id.to_string());
            let options = ReplicaOptions {
                node_id,
                store: StoreOptions::new(data, node_id),
                peer_listen: PeerListen::Bound(peers),
                cluster: cluster.clone(),
                http_url: format!("http://{}", address(&http)),
                timers: Timers::Fast,
                queue_commands_max: 1_024,
                placement: Placement::OwnThread,
            };
            let env = Arc::new(RealEnv::new());
            let replica = runtime.block_on(async {
                let replica = Replica::start(env.clone(), Arc::new(TokioNet), options).await;
                let replica = replica.expect("a new node starts");
                let server = Server::new(env, replica.clone(), Limits::default(), None);
                let server = server.expect("a server");
                let http = tokio::net::TcpListener::from_std(http).expect("a listener");
                tokio::spawn(node::http::run(http, server, std::future::pending()));
                replica
            });
            nodes.replicas.push(replica);
        }
        nodes.runtime = Some(runtime);
        nodes.prepare();
        nodes
    }

    /// Waits until all are ready, and makes the pool.
    fn prepare(&self) {
        for address in &self.addresses {
            let mut client = Client::to(*address);
            let started = tokio::time::Instant::now();
            while client.status("GET", "/readyz", &[]) != 200 {
                assert!(
                    started.elapsed() < READY_WITHIN,
                    "the nodes are ready in time"
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let mut client = Client::to(self.addresses[0]);
        client.ask("POST", "/v1/tenants", TENANT, 201);
        client.ask("POST", "/v1/tenants/bench/pools", POOL, 201);
    }

    /// So many connections, spread over the nodes.
    fn clients(&self, count: usize) -> Vec<Client> {
        let addresses = self.addresses.iter().cycle().take(count);
        addresses.map(|address| Client::to(*address)).collect()
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            for replica in self.replicas.drain(..) {
                runtime.block_on(replica.stop());
            }
            runtime.shutdown_timeout(READY_WITHIN);
        }
    }
}

/// A connection that allocates nothing for a request but its body.
struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Client {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream
            .set_read_timeout(Some(READY_WITHIN))
            .expect("a socket");
        Self {
            stream,
            bytes: Vec::with_capacity(16 << 10),
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: &[u8], status: u16) {
        self.send(method, path, body);
        self.expect(status);
    }

    fn status(&mut self, method: &str, path: &str, body: &[u8]) -> u16 {
        self.send(method, path, body);
        self.answered()
    }

    fn expect(&mut self, status: u16) {
        let answered = self.answered();
        assert_eq!(answered, status, "{}", String::from_utf8_lossy(&self.bytes));
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        self.bytes.clear();
        let length = body.len();
        write!(
            self.bytes,
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
        .expect("writing to memory");
        self.bytes.extend_from_slice(body);
        self.stream
            .write_all(&self.bytes)
            .expect("the request leaves");
    }

    /// Reads one answer; its status.
    fn answered(&mut self) -> u16 {
        self.bytes.clear();
        let mut piece = [0; 4 << 10];
        loop {
            let read = self.stream.read(&mut piece).expect("an answer");
            assert!(read > 0, "the connection stays open");
            self.bytes.extend_from_slice(&piece[..read]);
            if let Some((status, size)) = head(&self.bytes)
                && self.bytes.len() >= size
            {
                return status;
            }
        }
    }
}

/// The status of an answer and its size with its body, once its head is there.
fn head(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    Some((status, end + length.parse::<usize>().ok()?))
}
