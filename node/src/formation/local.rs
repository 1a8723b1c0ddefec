//! What this node says about itself, and the one thing that it learns: its cluster.

use std::io;
use std::sync::{Arc, OnceLock};

use raft_store::{AppliedState, Directory};
use tokio::sync::watch;

use crate::consensus::{Members, Standing};
use crate::peers::Local;
use crate::peers::hello::{Card, PROTOCOL};

/// This node, as its connections know it.
pub(crate) struct LocalNode {
    node_id: u64,
    instance: u128,
    http_url: String,
    named: Vec<u64>,
    directory: Arc<Directory>,
    cluster: watch::Sender<Option<u128>>,
    applied: Arc<AppliedState>,
    standing: OnceLock<watch::Receiver<Arc<Standing>>>,
}

impl LocalNode {
    /// This node before Raft has started.
    pub(crate) fn new(
        directory: Arc<Directory>,
        http_url: String,
        named: Vec<u64>,
        applied: Arc<AppliedState>,
    ) -> LocalNode {
        let identity = directory.get();
        LocalNode {
            node_id: identity.node,
            instance: identity.instance,
            http_url,
            named,
            cluster: watch::Sender::new(identity.cluster),
            directory,
            applied,
            standing: OnceLock::new(),
        }
    }

    /// Raft has started and says how this node stands.
    pub(crate) fn attach(&self, standing: watch::Receiver<Arc<Standing>>) {
        assert!(self.standing.set(standing).is_ok(), "Raft starts once");
    }

    /// This node's id.
    pub(crate) fn node_id(&self) -> u64 {
        self.node_id
    }

    /// The id of its directory.
    pub(crate) fn instance(&self) -> u128 {
        self.instance
    }

    /// Where clients reach it.
    pub(crate) fn http_url(&self) -> &str {
        &self.http_url
    }

    /// Its cluster, once it is known.
    pub(crate) fn cluster(&self) -> Option<u128> {
        *self.cluster.borrow()
    }

    /// Its cluster, to wait for.
    pub(crate) fn cluster_watch(&self) -> watch::Receiver<Option<u128>> {
        self.cluster.subscribe()
    }

    /// The id under which this node may form a cluster: `drawn`, or the one that it drew before;
    /// `None` if it has been taken into a cluster. It is on disk when this returns.
    pub(crate) fn draw_cluster(&self, drawn: u128) -> io::Result<Option<u128>> {
        let own = self
            .directory
            .draw_cluster(drawn)
            .map_err(io::Error::other)?;
        self.cluster.send_if_modified(|known| {
            let news = own.is_some() && *known != own;
            if news {
                *known = own;
            }
            news
        });
        Ok(own)
    }

    fn members(&self) -> Arc<Members> {
        self.standing.get().map_or_else(Arc::default, |standing| {
            Arc::clone(&standing.borrow().members)
        })
    }
}

impl Local for LocalNode {
    fn card(&self) -> Card {
        Card {
            protocol_min: PROTOCOL.0,
            protocol_max: PROTOCOL.1,
            state_active: self.applied.read(allocator::State::version),
            state_known: allocator::state::VERSION_MAX,
            cluster: self.cluster(),
            node: self.node_id,
            instance: self.instance,
            membership: self.members().version(),
            http_url: self.http_url.clone(),
            named: self.named.clone(),
        }
    }

    fn member_instance(&self, node: u64) -> Option<u128> {
        self.members().all.get(&node).map(|member| member.instance)
    }

    fn membership_version(&self) -> u64 {
        self.members().serial
    }

    fn adopt(&self, cluster: u128) -> io::Result<()> {
        let before = self.cluster();
        self.directory
            .set_cluster(cluster)
            .map_err(io::Error::other)?;
        if before == Some(cluster) {
            return Ok(());
        }
        tracing::info!(cluster = %format_args!("{cluster:032x}"), node = self.node_id, "this directory belongs to a cluster now");
        self.cluster.send_replace(Some(cluster));
        Ok(())
    }
}
