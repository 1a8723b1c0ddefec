use std::time::Duration;

use super::cluster::{Cluster, DEADLINE, claim, name};
use crate::replica::{Consistency, ReadError};

const LOCAL: Consistency = Consistency::Local {
    min_revision: None,
    max_staleness_ms: None,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_linearizable_read_sees_what_was_answered_elsewhere() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let leader = cluster.leader().await;
    for number in 0..20 {
        let claim_name = format!("c{number}");
        cluster.accepted(leader, claim("t", "p", &claim_name)).await;
        for id in 1..=3 {
            let stamp = cluster
                .replica(id)
                .read_ready(Consistency::Linearizable, DEADLINE)
                .await;
            assert_eq!(stamp.expect("there is a leader").leader, Some(leader));
            let seen = cluster
                .replica(id)
                .applied()
                .read(|state| state.claim(&name("t"), &name(&claim_name)).is_ok());
            assert!(seen, "node {id} sees {claim_name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_read_waits_for_the_revision_that_its_caller_has_seen() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let follower = cluster.replica(cluster.follower().await);
    let (_, proposed) = cluster
        .accepted(cluster.leader().await, claim("t", "p", "a"))
        .await;
    let revision = proposed.answer.revision;
    let seen = Consistency::Local {
        min_revision: Some(revision),
        max_staleness_ms: None,
    };
    follower
        .read_ready(seen, DEADLINE)
        .await
        .expect("the revision comes");
    assert!(follower.applied().at().revision >= revision);
    let future = Consistency::Local {
        min_revision: Some(revision + 1_000),
        max_staleness_ms: None,
    };
    let refused = follower.read_ready(future, Duration::from_millis(50)).await;
    assert!(
        matches!(refused, Err(ReadError::MinRevisionNotReached { wanted, .. }) if wanted == revision + 1_000)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staleness_is_known_while_there_is_a_leader_and_grows_without_one() {
    let mut cluster = Cluster::formed(3).await;
    let follower = cluster.follower().await;
    let fresh = Consistency::Local {
        min_revision: None,
        max_staleness_ms: Some(500),
    };
    for id in 1..=3 {
        let stamp = cluster
            .replica(id)
            .read_ready(fresh, DEADLINE)
            .await
            .expect("there is a leader");
        assert!(
            stamp.staleness_ms.is_some_and(|staleness| staleness <= 500),
            "node {id}: {stamp:?}"
        );
    }
    for id in (1..=3).filter(|id| *id != follower) {
        cluster.stop(id).await;
    }
    let replica = cluster.replica(follower);
    cluster
        .until("the state has grown old", |cluster| {
            let local = cluster.replica(follower);
            local
                .health()
                .not_ready
                .iter()
                .any(|reason| reason.contains("no leader"))
                .then_some(())
        })
        .await;
    let refused = replica.read_ready(fresh, Duration::from_millis(100)).await;
    assert!(
        matches!(
            refused,
            Err(ReadError::Stale {
                staleness_ms: Some(1_000..)
            })
        ),
        "{refused:?}"
    );
    replica
        .read_ready(LOCAL, DEADLINE)
        .await
        .expect("a local read needs no leader");
    let linearizable = replica
        .read_ready(Consistency::Linearizable, Duration::from_millis(100))
        .await;
    assert_eq!(linearizable, Err(ReadError::NoLeader));
}
