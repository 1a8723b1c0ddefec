//! Which node this is, and who the members are: by a list, or by the names of a `StatefulSet`.

use super::service::Pods;
use super::{ConfigError, HeadlessService, Members, ServeSwitches, out_of_bounds, required};

/// Most members of a first formation: each write waits for a majority of them.
const REPLICAS_MAX: u64 = 9;

/// This node's place among the members.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) node_id: u64,
    pub(super) cluster: Members,
    /// The host under which the other members know this node, where it is known.
    pub(super) host: Option<String>,
}

impl Place {
    pub(super) fn find(told: &ServeSwitches, host_name: &str) -> Result<Self, ConfigError> {
        if told.node_id == Some(0) {
            return Err(out_of_bounds("node-id", &0, "a number from 1"));
        }
        match (&told.cluster_dns, &told.cluster, told.replicas) {
            (Some(_), Some(_), _) => Err(ConfigError::Contradiction(
                "cluster and cluster-dns are both given; name the members by one of them",
            )),
            (None, _, Some(_)) => Err(ConfigError::Contradiction(
                "replicas is given without cluster-dns; give both, or name the members with --cluster",
            )),
            (Some(service), None, replicas) => {
                Self::in_set(service, replicas, told.node_id, host_name)
            }
            (None, cluster, None) => Self::in_list(cluster.clone(), told.node_id),
        }
    }

    fn in_list(cluster: Option<Members>, node_id: Option<u64>) -> Result<Self, ConfigError> {
        let node_id = required(node_id, "node-id")?;
        let cluster = required(cluster, "cluster")?;
        let host = cluster.host(node_id).map(str::to_owned);
        Ok(Self {
            node_id,
            cluster,
            host,
        })
    }

    /// Ordinals begin at 0 and node ids at 1, so that node `n` is the pod with ordinal `n - 1`.
    fn in_set(
        service: &HeadlessService,
        replicas: Option<u64>,
        node_id: Option<u64>,
        host_name: &str,
    ) -> Result<Self, ConfigError> {
        let replicas = required(replicas, "replicas")?;
        if !(1..=REPLICAS_MAX).contains(&replicas) {
            return Err(out_of_bounds("replicas", &replicas, "1 to 9"));
        }
        let (pods, ordinal) = Pods::of_host(service, host_name);
        let by_name = ordinal.and_then(|ordinal| ordinal.checked_add(1));
        let Some(node_id) = node_id.or(by_name) else {
            return Err(ConfigError::NoOrdinal {
                host_name: host_name.to_owned(),
            });
        };
        if by_name.is_some_and(|by_name| by_name != node_id) {
            return Err(ConfigError::Contradiction(
                "node-id is not the ordinal in the host name plus 1, under which the other pods reach this one; leave it out, or name the members with --cluster",
            ));
        }
        Ok(Self {
            node_id,
            cluster: pods.members(replicas),
            host: Some(pods.host(node_id - 1)),
        })
    }
}

/// The name of this machine, which in a pod is the pod's.
pub(super) fn host_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}
