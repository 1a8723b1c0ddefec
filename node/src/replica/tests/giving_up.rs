//! Whoever waits for a change of the membership gives up in the middle of it.

use std::time::Duration;

use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE};
use crate::replica::{MemberChange, MemberRole};

/// After so long the waiting is given up: at once, and at several points of a hand-over.
const POINTS_MS: [u64; 7] = [0, 0, 0, 1, 3, 10, 30];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_removal_is_given_up_by_its_caller_leaves_a_cluster_that_writes() {
    for point in POINTS_MS {
        let cluster = Cluster::formed(3).await;
        cluster.with_pool().await;
        // Once for each node, or one that is healthy could cover for the others.
        for _ in 1..=3 {
            let leader = cluster.leader().await;
            let removal = cluster
                .replica(leader)
                .member_change(MemberChange::Remove { id: leader }, DEADLINE);
            let given_up = timeout(Duration::from_millis(point), removal).await;
            if given_up.is_ok() {
                break;
            }
            let writes = cluster.claimed(leader, "a");
            timeout(DEADLINE, writes).await.expect("a write succeeds");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_over_that_is_dropped_in_the_middle_is_undone() {
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    for point in POINTS_MS {
        let leader = cluster.leader().await;
        let inner = &cluster.replica(leader).inner;
        let turn = inner.members.turn().await;
        let handing_over = inner.hand_over(Some(&turn));
        drop(timeout(Duration::from_millis(point), handing_over).await);
        drop(turn);
        cluster.claimed(leader, "a").await;
    }
    // Each of them can still lead: the other two are stopped and started again.
    for _ in 1..=3 {
        let leader = cluster.leader().await;
        cluster.stop(leader).await;
        let rest = cluster.leader().await;
        cluster.claimed(rest, "a").await;
        cluster.start(leader).await;
        cluster.all_ready().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_goes_on_to_its_end_when_its_caller_has_gone() {
    let mut cluster = Cluster::formed(1).await;
    cluster.with_pool().await;
    cluster.place(2);
    cluster.start(2).await;
    cluster.waits_because(2, "ipamctl cluster add 2").await;
    let role = |cluster: &Cluster| {
        let members = cluster.replica(1).status().members;
        let found = members.into_iter().find(|member| member.id == 2);
        found.map(|member| member.role)
    };
    let replica = cluster.replica(1);
    let adding = replica.member_change(cluster.adds(2, 2), DEADLINE);
    drop(timeout(Duration::ZERO, adding).await);
    cluster
        .until("the learner is there", |cluster| {
            (role(cluster) == Some(MemberRole::Learner)).then_some(())
        })
        .await;
    drop(
        timeout(
            Duration::ZERO,
            replica.member_change(MemberChange::Promote { id: 2 }, DEADLINE),
        )
        .await,
    );
    cluster
        .until("the voter is there", |cluster| {
            (role(cluster) == Some(MemberRole::Voter)).then_some(())
        })
        .await;
    let follower = cluster.follower().await;
    let leader = cluster.leader().await;
    let removing = cluster
        .replica(leader)
        .member_change(MemberChange::Remove { id: follower }, DEADLINE);
    drop(timeout(Duration::ZERO, removing).await);
    cluster
        .until("it has left", |cluster| {
            let members = cluster.replica(leader).status().members;
            (members.len() == 1).then_some(())
        })
        .await;
    cluster.claimed(leader, "a").await;
}
