//! Members over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use node::peers::TokioNet;
use node::replica::{PeerListen, Placement, Replica, ReplicaOptions, Timers};
use raft_store::StoreOptions;
use raft_store::env::RealEnv;
use serde_json::json;

use crate::harness::TestNode;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_node_that_is_added_to_one_alone_brings_a_note_to_name_all_members() {
    let alone = TestNode::start().await;
    assert_eq!(alone.get("/v1/cluster").await.body.get("note"), None);
    let directory = tempfile::tempdir().unwrap();
    for id in [2, 3] {
        let peers = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = peers.local_addr().unwrap().to_string();
        let options = ReplicaOptions {
            node_id: id,
            store: StoreOptions::new(directory.path().join(id.to_string()), id),
            peer_listen: PeerListen::Bound(peers),
            cluster: BTreeMap::from([(1, "127.0.0.1:1".to_owned())]),
            http_url: String::new(),
            timers: Timers::Fast,
            queue_commands_max: 16,
            placement: Placement::Caller,
        };
        let joins = Replica::start(Arc::new(RealEnv::new()), Arc::new(TokioNet), options)
            .await
            .unwrap();
        let added = alone
            .post(
                &format!("/v1/cluster/members/{id}"),
                &json!({"address": address}),
            )
            .await;
        assert_eq!(added.status, 200, "{added:?}");
        let note = added.body.get("note").and_then(|note| note.as_str());
        if id == 2 {
            let note = note.expect("it has a note");
            assert!(note.contains(&format!(",2={address}")), "{note}");
        } else {
            assert_eq!(note, None, "{added:?}");
        }
        joins.stop().await;
    }
}
