//! Members that know each other by names whose addresses change, as pods do.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::cluster::Cluster;
use crate::peers::{BoxStream, Listener, Net, NetFuture, TokioNet};

/// A network that finds names in a table, and takes everything else for an address.
#[derive(Debug, Default)]
struct Names(Mutex<BTreeMap<String, String>>);

impl Names {
    fn set(&self, id: u64, address: String) {
        self.0.lock().insert(name_of(id), address);
    }
}

impl Net for Names {
    fn connect<'a>(&'a self, address: &'a str) -> NetFuture<'a, BoxStream> {
        let found = self.0.lock().get(address).cloned();
        Box::pin(async move { TokioNet.connect(found.as_deref().unwrap_or(address)).await })
    }

    fn listen<'a>(&'a self, address: &'a str) -> NetFuture<'a, Box<dyn Listener>> {
        TokioNet.listen(address)
    }
}

fn name_of(id: u64) -> String {
    format!("ipamd-{}.peers:7401", id - 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_known_by_name_are_found_again_under_another_address() {
    let names = Arc::new(Names::default());
    let mut cluster = Cluster::new(3);
    for node in cluster.nodes.values() {
        names.set(node.id, node.address.clone());
    }
    let by_id = (1..=3).map(|id| (id, name_of(id))).collect();
    cluster.name(by_id, Arc::clone(&names) as Arc<dyn Net>);
    for id in 1..=3 {
        cluster.start(id).await;
    }
    cluster.all_ready().await;
    cluster.with_pool().await;
    let block = cluster.claimed(1, "a").await;
    // All of them move, one after the other, the leader of the time too.
    for id in 1..=3 {
        cluster.stop(id).await;
        names.set(id, cluster.relocate(id));
        cluster.start(id).await;
        cluster.all_ready().await;
        assert_eq!(cluster.claimed(id, "a").await, block);
    }
    let known = cluster.replica(1).status().members;
    let addresses: Vec<_> = known
        .into_iter()
        .map(|member| member.peer_address)
        .collect();
    assert_eq!(addresses, [name_of(1), name_of(2), name_of(3)]);
}
