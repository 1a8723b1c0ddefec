use super::cluster::{Cluster, tenant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_empty_nodes_form_one_cluster() {
    let cluster = Cluster::formed(3).await;
    cluster.leader().await;
    let ids: Vec<_> = (1..=3)
        .map(|id| cluster.replica(id).status().cluster_id)
        .collect();
    assert!(ids[0].is_some());
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let in_state = cluster.accepted(2, tenant("t")).await.1;
    assert!(in_state.index > 0);
    let known = cluster
        .replica(in_state.leader)
        .applied()
        .read(allocator::State::cluster_id);
    assert_eq!(
        known, ids[0],
        "the first command has put the id into the state"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_names_only_itself_forms_a_cluster_and_keeps_it() {
    let mut cluster = Cluster::formed(1).await;
    cluster.with_pool().await;
    let block = cluster.claimed(1, "a").await;
    let before = cluster.replica(1).status();
    cluster.stop(1).await;
    cluster.start(1).await;
    cluster.ready(1).await;
    let after = cluster.replica(1).status();
    assert_eq!(after.cluster_id, before.cluster_id);
    assert!(
        after.term > before.term,
        "a leadership does not outlive its process"
    );
    assert_eq!(cluster.claimed(1, "a").await, block);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_forms_while_a_named_member_is_missing() {
    let mut cluster = Cluster::new(3);
    cluster.start(1).await;
    cluster.start(3).await;
    cluster
        .waits_because(1, "waiting for every named member to start: node 2")
        .await;
    cluster
        .waits_because(3, "waiting for every named member to start: node 2")
        .await;
    assert_eq!(cluster.replica(1).status().cluster_id, None);
    cluster.start(2).await;
    cluster.all_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_wiped_of_three_do_not_form_a_new_cluster() {
    let mut cluster = Cluster::formed(3).await;
    for id in [1, 2] {
        cluster.stop(id).await;
        cluster.wipe(id);
        cluster.start(id).await;
    }
    for id in [1, 2] {
        cluster
            .waits_because(
                id,
                &format!("has node {id} as a member with another data directory"),
            )
            .await;
        cluster
            .waits_because(id, &format!("ipamctl cluster remove {id}"))
            .await;
        assert_eq!(cluster.replica(id).status().cluster_id, None);
    }
    cluster.stop(3).await;
    for id in [1, 2] {
        cluster
            .waits_because(id, "waiting for every named member to start: node 3")
            .await;
        assert_eq!(cluster.replica(id).status().cluster_id, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_cannot_be_written_holds_formation_up_only_as_long_as_it_cannot() {
    let mut cluster = Cluster::new(2);
    cluster.start(1).await;
    cluster.waits_because(1, "node 2").await;
    // Writing the identity begins with a file of this name.
    let in_the_way = cluster.data_dir(1).join("identity.tmp");
    std::fs::create_dir(&in_the_way).expect("the directory is there");
    cluster.start(2).await;
    cluster
        .waits_because(1, "the cluster's id could not be written")
        .await;
    assert_eq!(cluster.replica(1).status().cluster_id, None);
    std::fs::remove_dir(&in_the_way).expect("it is there");
    cluster.all_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_taken_into_a_cluster_forms_none_of_the_same_id() {
    let mut cluster = Cluster::new(1);
    cluster.take_in(1, 7);
    cluster.start(1).await;
    cluster.waits_because(1, "taken into a cluster").await;
    let status = cluster.replica(1).status();
    assert_eq!(status.cluster_id, Some(7));
    assert_eq!(status.members, []);
}
