//! The links to all peers, made when first asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Local, Target};
use super::hello::{LinkKind, Refusal};
use super::link::Link;
use super::net::Net;

/// The links to all peers. A link belongs to one instance at one address: a member that comes
/// back with another directory has other links.
pub(crate) struct Directory {
    net: Arc<dyn Net>,
    local: Arc<dyn Local>,
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    links: Mutex<BTreeMap<(u64, LinkKind), Entry>>,
}

struct Entry {
    target: Target,
    link: Link,
    stop: CancellationToken,
    /// When somebody last asked for it.
    asked: Instant,
}

/// How long a link to a node that is not a member is kept after somebody asked for it. Whoever
/// says who is a member may not have heard of the newest yet, and replication asks only once.
const STRANGER_KEPT: Duration = Duration::from_secs(5);

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("links", &self.links.lock().len())
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// A directory whose links run on `runtime` until `stop` is cancelled.
    pub(crate) fn new(
        net: Arc<dyn Net>,
        local: Arc<dyn Local>,
        runtime: Handle,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Directory {
        Directory {
            net,
            local,
            runtime,
            tasks,
            stop,
            links: Mutex::default(),
        }
    }

    /// The network that the links use.
    pub(crate) fn net(&self) -> &Arc<dyn Net> {
        &self.net
    }

    /// What connections know about this node.
    pub(crate) fn local(&self) -> &Arc<dyn Local> {
        &self.local
    }

    /// The link to a peer for a purpose. One to another instance or address under the same id ends.
    pub(crate) fn link(&self, target: &Target, kind: LinkKind) -> Link {
        let mut links = self.links.lock();
        if let Some(entry) = links.get_mut(&(target.node, kind)) {
            if entry.target == *target {
                entry.asked = Instant::now();
                return entry.link.clone();
            }
            entry.stop.cancel();
        }
        let stop = self.stop.child_token();
        let (link, task) = Link::new(
            Arc::clone(&self.net),
            Arc::clone(&self.local),
            target.clone(),
            kind,
            stop.clone(),
        );
        self.tasks.spawn_on(task, &self.runtime);
        let entry = Entry {
            target: target.clone(),
            link: link.clone(),
            stop,
            asked: Instant::now(),
        };
        links.insert((target.node, kind), entry);
        link
    }

    /// When a peer was last heard on any link.
    pub(crate) fn heard(&self, node: u64) -> Option<Instant> {
        let links = self.links.lock();
        let of_node = links.range((node, LinkKind::Probe)..=(node, LinkKind::Snapshot));
        of_node.filter_map(|(_, entry)| entry.link.heard()).max()
    }

    /// Why a peer refuses this node, or is refused, if it is so.
    pub(crate) fn refused(&self, node: u64) -> Option<Refusal> {
        let links = self.links.lock();
        let mut of_node = links.range((node, LinkKind::Probe)..=(node, LinkKind::Snapshot));
        of_node.find_map(|(_, entry)| entry.link.refused())
    }

    /// Ends the links to nodes that are no longer members and that nobody asked for lately.
    pub(crate) fn retain(&self, is_member: impl Fn(u64) -> bool) {
        self.links.lock().retain(|(node, _), entry| {
            let keep = is_member(*node) || entry.asked.elapsed() < STRANGER_KEPT;
            if !keep {
                entry.stop.cancel();
            }
            keep
        });
    }
}
