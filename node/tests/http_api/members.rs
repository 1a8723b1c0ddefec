//! Members over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use node::peers::TokioNet;
use node::replica::{PeerListen, Placement, Replica, ReplicaOptions, Timers};
use raft_store::StoreOptions;
use raft_store::env::RealEnv;
use serde_json::{Value, json};

use crate::harness::TestNode;

/// Id, role and address of each.
fn members(cluster: &Value) -> Vec<(Value, Value, Value)> {
    let members = cluster["members"].as_array().unwrap();
    let shown = members.iter().map(|member| {
        let of = |name: &str| member[name].clone();
        (of("id"), of("role"), of("address"))
    });
    shown.collect()
}

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
        let path = format!("/v1/cluster/members/{id}");
        let body = json!({"address": address});
        let before = members(&alone.get("/v1/cluster").await.body);
        let tried = alone.post(&format!("{path}?dryRun=true"), &body).await;
        assert_eq!(tried.status, 200, "{tried:?}");
        assert_eq!(members(&alone.get("/v1/cluster").await.body), before);
        let added = alone.post(&path, &body).await;
        assert_eq!(added.status, 200, "{added:?}");
        assert_eq!(members(&tried.body), members(&added.body));
        assert_eq!(tried.body.get("note"), added.body.get("note"));
        let tried = alone
            .send("DELETE", &format!("{path}?dryRun=true"), &[], "")
            .await;
        assert_eq!(members(&tried.body), before, "{tried:?}");
        let now = alone.get("/v1/cluster").await.body;
        assert_eq!(members(&now), members(&added.body));
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
