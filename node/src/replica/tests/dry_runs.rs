//! Changes of the membership that are tried out: the answer is the change's own, and nothing changes.

use super::cluster::{Cluster, DEADLINE};
use crate::replica::{ClusterStatus, MemberChange, MemberRole};

fn roles(status: &ClusterStatus) -> Vec<(u64, MemberRole)> {
    status
        .members
        .iter()
        .map(|member| (member.id, member.role))
        .collect()
}

async fn tried(cluster: &Cluster, asked: u64, change: MemberChange) -> ClusterStatus {
    let replica = cluster.replica(asked);
    let would = replica.member_dry_run(change, DEADLINE).await;
    would.expect("nothing speaks against it")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tried_tells_the_members_that_there_would_be_and_changes_none() {
    let voters = |ids: &[u64]| -> Vec<(u64, MemberRole)> {
        ids.iter().map(|id| (*id, MemberRole::Voter)).collect()
    };
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    cluster.place(4);
    cluster.start(4).await;
    cluster.waits_because(4, "ipamctl cluster add 4").await;
    let leader = cluster.leader().await;
    for asked in 1..=3 {
        let would = tried(&cluster, asked, cluster.adds(4, 4)).await;
        let mut expected = voters(&[1, 2, 3]);
        expected.push((4, MemberRole::Learner));
        assert_eq!(roles(&would), expected);
        let joins = would.members.last().expect("it is there");
        assert_eq!(joins.http_url, "http://node-4", "as the node itself says");
        assert_eq!(joins.instance, cluster.replica(4).status().instance);
        let would = tried(&cluster, asked, MemberChange::Promote { id: 1 }).await;
        assert_eq!(roles(&would), voters(&[1, 2, 3]), "it is a voter already");
        for id in [leader, asked] {
            let would = tried(&cluster, asked, MemberChange::Remove { id }).await;
            let rest: Vec<u64> = (1..=3).filter(|other| *other != id).collect();
            assert_eq!(roles(&would), voters(&rest));
        }
        let status = cluster.replica(asked).status();
        assert_eq!(roles(&status), voters(&[1, 2, 3]));
    }

    let follower = cluster.follower().await;
    let would = tried(&cluster, follower, cluster.adds(4, 4)).await;
    cluster
        .replica(follower)
        .member_change(cluster.adds(4, 4), DEADLINE)
        .await
        .expect("it is added");
    cluster.ready(4).await;
    let seen = |expected: Vec<(u64, MemberRole)>| {
        move |cluster: &Cluster| {
            (roles(&cluster.replica(follower).status()) == expected).then_some(())
        }
    };
    cluster
        .until("it is as was told", seen(roles(&would)))
        .await;
    let promote = MemberChange::Promote { id: 4 };
    let would = tried(&cluster, 4, promote.clone()).await;
    assert_eq!(roles(&would), voters(&[1, 2, 3, 4]));
    let learns = cluster.replica(follower).status();
    assert_eq!(learns.members[3].role, MemberRole::Learner);
    let done = cluster.replica(4).member_change(promote, DEADLINE).await;
    assert_eq!(done, Ok(()));
    cluster.until("it votes", seen(roles(&would))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_refused_is_refused_in_the_same_words() {
    let cluster = Cluster::formed(1).await;
    let nobody = MemberChange::Add {
        id: 9,
        peer_address: "127.0.0.1:1".to_owned(),
        http_url: None,
    };
    for change in [
        MemberChange::Remove { id: 9 },
        MemberChange::Promote { id: 9 },
        MemberChange::Remove { id: 1 },
        cluster.adds(9, 1),
        nobody,
    ] {
        let replica = cluster.replica(1);
        let tried = replica.member_dry_run(change.clone(), DEADLINE).await;
        let made = replica.member_change(change.clone(), DEADLINE).await;
        assert_eq!(
            tried.map(|status| roles(&status)),
            made.map(|()| Vec::new()),
            "{change:?}"
        );
    }
}
