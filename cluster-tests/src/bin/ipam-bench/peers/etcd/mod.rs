//! Three nodes of etcd, and claims in it by compare-and-set.
//!
//! A claim is one transaction: it puts the address's key and the name's, where neither is there. That is all that etcd
//! needs to give no address twice and a name one address. Each connection takes addresses of its own, so that none of its
//! transactions is ever refused and none has to look for what is free: an allocator made of etcd would do more.

mod grpc;
mod messages;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use cluster_tests::cluster::started_by;
use cluster_tests::http::Connection;
use cluster_tests::ports::PortBlock;
use cluster_tests::process::Process;
use cluster_tests::slow_network::SlowNetwork;
use cluster_tests::wait;
use tempfile::TempDir;

use crate::load::{Client, Target};
use crate::scrape;
use crate::surroundings::Surroundings;
use grpc::Grpc;
use messages::{Compare, RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse};

const NODES: u64 = 3;
const READY_WITHIN: Duration = Duration::from_secs(30);

const RANGE: &str = "/etcdserverpb.KV/Range";
const TXN: &str = "/etcdserverpb.KV/Txn";
/// What the keys of addresses begin with, and the first key behind them.
const ADDRESSES: &str = "addresses/";
const ADDRESSES_END: &str = "addresses0";

/// The nodes, while they run.
#[derive(Debug)]
pub(crate) struct Etcd {
    ports: PortBlock,
    _nodes: Vec<Process>,
    _folder: TempDir,
    network: Option<SlowNetwork>,
}

impl Etcd {
    /// Starts them, each with its data beside those of the others, and waits until they serve.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        Self::start_in(program, Surroundings::default()).await
    }

    /// The same with a network and disks that may be slower.
    pub(crate) async fn start_in(program: &Path, surroundings: Surroundings) -> Result<Self> {
        let folder = TempDir::with_prefix("ipam-bench-etcd-")?;
        let ports = PortBlock::take()?;
        let listening: Vec<SocketAddr> = (1..=NODES).map(|id| ports.peer(id)).collect();
        let network = surroundings.network(&listening)?;
        let meeting = network.as_ref().map_or(&*listening, SlowNetwork::addresses);
        let named: Vec<String> = (1..=NODES)
            .zip(meeting)
            .map(|(id, address)| format!("node-{id}=http://{address}"))
            .collect();
        let mut nodes = Vec::new();
        for (id, address) in (1..=NODES).zip(meeting) {
            let client = format!("http://{}", ports.http(id));
            let mut command = started_by(&surroundings.starter(), program);
            command
                .args(["--name", &format!("node-{id}"), "--log-level", "error"])
                .arg("--data-dir")
                .arg(folder.path().join(format!("node-{id}")))
                .args(["--listen-client-urls", &client])
                .args(["--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &format!("http://{}", ports.peer(id))])
                .args([
                    "--initial-advertise-peer-urls",
                    &format!("http://{address}"),
                ])
                .args(["--initial-cluster", &named.join(",")])
                .args(["--initial-cluster-state", "new"]);
            let log = folder.path().join(format!("node-{id}.log"));
            nodes.push(Process::start(&mut command, &log)?);
        }
        let etcd = Self {
            ports,
            _nodes: nodes,
            _folder: folder,
            network,
        };
        for id in 1..=NODES {
            let address = etcd.ports.http(id);
            wait::until("etcd serves", READY_WITHIN, || async move {
                let mut kv = Kv::open(address).await.ok()?;
                kv.range("ready").await.ok()
            })
            .await?;
        }
        Ok(etcd)
    }

    fn address(&self, number: usize) -> SocketAddr {
        self.ports.http(number as u64 % NODES + 1)
    }

    /// Where all nodes serve.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        (1..=NODES).map(|id| self.ports.http(id)).collect()
    }

    /// The network between the nodes, where it is not loopback alone.
    pub(crate) fn network(&self) -> Option<&SlowNetwork> {
        self.network.as_ref()
    }

    /// Which of the addresses is the leader's, and how many changes of the leader the first node has seen.
    pub(crate) async fn leader(&self) -> Result<(usize, u64)> {
        wait::until("etcd has a leader", READY_WITHIN, || async {
            let mut texts = Vec::new();
            for address in self.addresses() {
                let reply = Connection::new(address).get("/metrics").await.ok()?;
                texts.push(String::from_utf8(reply.body.to_vec()).ok()?);
            }
            let of = |text: &String, name: &str| scrape::sample(text, name).unwrap_or_default();
            let leader = texts
                .iter()
                .position(|text| of(text, "etcd_server_is_leader ") > 0.0)?;
            let changes = of(&texts[0], "etcd_server_leader_changes_seen_total ");
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a counter"
            )]
            Some((leader, changes as u64))
        })
        .await
    }

    /// How many addresses are taken, by a count of their keys.
    pub(crate) async fn addresses_taken(&self) -> Result<u64> {
        let counted = RangeRequest {
            range_end: ADDRESSES_END.into(),
            count_only: true,
            key: ADDRESSES.into(),
        };
        let mut kv = Kv::open(self.address(0)).await?;
        let counted: RangeResponse = kv.0.call(RANGE, &counted).await?;
        Ok(u64::try_from(counted.count)?)
    }
}

/// The calls that are made.
#[derive(Debug)]
struct Kv(Grpc);

impl Kv {
    async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self(Grpc::open(address).await?))
    }

    /// One key, as the leader and a quorum have it.
    async fn range(&mut self, key: &str) -> Result<RangeResponse> {
        let range = RangeRequest {
            key: key.as_bytes().to_vec(),
            ..RangeRequest::default()
        };
        self.0.call(RANGE, &range).await
    }

    /// Puts the keys where none of them is there; whether they were put.
    async fn put_new(&mut self, pairs: &[(String, &str)]) -> Result<bool> {
        let txn = TxnRequest {
            compare: pairs.iter().map(|(key, _)| Compare::absent(key)).collect(),
            success: pairs
                .iter()
                .map(|(key, value)| RequestOp::put(key, value))
                .collect(),
        };
        let done: TxnResponse = self.0.call(TXN, &txn).await?;
        Ok(done.succeeded)
    }
}

/// Claims, spread over the nodes.
#[derive(Debug)]
pub(crate) struct Claims {
    /// The nodes, over which the connections are spread.
    addresses: Vec<SocketAddr>,
    _etcd: Arc<Etcd>,
    /// Taken so far: each claim has the next address and a name of its own.
    next: Arc<AtomicU32>,
}

impl Claims {
    /// Of the addresses from `next` on.
    pub(crate) fn new(etcd: &Arc<Etcd>, next: &Arc<AtomicU32>) -> Self {
        Self {
            addresses: etcd.addresses(),
            _etcd: Arc::clone(etcd),
            next: Arc::clone(next),
        }
    }

    /// The same at these nodes alone.
    pub(crate) fn at(self, addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, ..self }
    }
}

impl Target for Claims {
    type Client = Claimant;

    async fn connect(&self, number: usize) -> Result<Claimant> {
        Ok(Claimant {
            kv: Kv::open(self.addresses[number % self.addresses.len()]).await?,
            next: Arc::clone(&self.next),
        })
    }
}

/// One connection that claims.
#[derive(Debug)]
pub(crate) struct Claimant {
    kv: Kv,
    next: Arc<AtomicU32>,
}

impl Client for Claimant {
    type Told = Ipv4Addr;

    async fn turn(&mut self) -> Result<Ipv4Addr> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + number);
        let (block, name) = (format!("{address}/32"), format!("claim-{number:018}"));
        let pairs = [
            (format!("{ADDRESSES}{block}"), name.as_str()),
            (format!("claims/{name}"), block.as_str()),
        ];
        let put = self.kv.put_new(&pairs).await?;
        ensure!(put, "{block} or {name} was there");
        Ok(address)
    }
}

/// Linearizable reads of one key, spread over the nodes.
#[derive(Debug)]
pub(crate) struct Reads {
    etcd: Arc<Etcd>,
    key: String,
}

impl Reads {
    /// Puts a key with a value of that many bytes.
    pub(crate) async fn new(etcd: &Arc<Etcd>, bytes: usize) -> Result<Self> {
        let (key, value) = ("read".to_owned(), "x".repeat(bytes));
        let mut kv = Kv::open(etcd.address(0)).await?;
        let none = ("read-too".to_owned(), "");
        let put = kv.put_new(&[(key.clone(), &value), none]).await?;
        ensure!(put, "the key was there");
        Ok(Self {
            etcd: Arc::clone(etcd),
            key,
        })
    }
}

impl Target for Reads {
    type Client = Reader;

    async fn connect(&self, number: usize) -> Result<Reader> {
        Ok(Reader {
            kv: Kv::open(self.etcd.address(number)).await?,
            key: self.key.clone(),
        })
    }
}

/// One connection that reads.
#[derive(Debug)]
pub(crate) struct Reader {
    kv: Kv,
    key: String,
}

impl Client for Reader {
    type Told = ();

    async fn turn(&mut self) -> Result<()> {
        let read = self.kv.range(&self.key).await?;
        ensure!(read.kvs.len() == 1, "one key was asked for");
        Ok(())
    }
}
