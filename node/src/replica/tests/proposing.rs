use std::time::Duration;

use allocator::answer::Outcome;
use futures::future::join_all;

use super::cluster::{Cluster, DEADLINE, claim, envelope, is_tenant_not_found, name, tenant};
use crate::batcher::COMMAND_BYTES_MAX;
use crate::replica::ProposeError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_answers_and_a_repeat_gets_the_same_block() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let block = cluster.claimed(1, "a").await;
    for id in [2, 3, 1] {
        assert_eq!(cluster.claimed(id, "a").await, block);
    }
    let leader = cluster.leader().await;
    let (_, proposed) = cluster
        .accepted(cluster.follower().await, claim("t", "p", "b"))
        .await;
    assert_eq!(proposed.leader, leader, "a follower says who proposed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_leaves_when_the_answering_node_has_applied_it() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let follower = cluster.follower().await;
    for number in 0..20 {
        let (_, proposed) = cluster
            .accepted(follower, claim("t", "p", &format!("c{number}")))
            .await;
        let here = cluster.replica(follower).applied().at().index;
        assert!(
            here >= Some(proposed.index),
            "{here:?} is not behind {}",
            proposed.index
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_of_a_batch_has_its_own_answer() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let commands = (0..64).map(|number| {
        let cluster = &cluster;
        async move {
            let id = number % 3 + 1;
            if number % 4 == 0 {
                let refused = cluster
                    .propose(id, claim("nobody", "p", "x"))
                    .await
                    .expect("an answer");
                let rejection = refused
                    .answer
                    .result
                    .expect_err("the tenant does not exist");
                assert!(is_tenant_not_found(&rejection), "{rejection:?}");
                None
            } else {
                Some(cluster.claimed(id, &format!("c{number}")).await)
            }
        }
    });
    let mut blocks: Vec<String> = join_all(commands).await.into_iter().flatten().collect();
    assert_eq!(blocks.len(), 48);
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(blocks.len(), 48, "no block is given twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_too_large_is_not_proposed() {
    let cluster = Cluster::formed(1).await;
    let mut large = envelope(tenant("t"));
    large.source = "x".repeat(COMMAND_BYTES_MAX).into();
    let refused = cluster.replica(1).propose(large, DEADLINE).await;
    assert!(
        matches!(refused, Err(ProposeError::TooLarge { limit, .. }) if limit == COMMAND_BYTES_MAX as u64)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_answers_exactly_and_changes_nothing() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let revision = cluster.replica(1).applied().at().revision;
    for id in 1..=3 {
        let tried = cluster
            .replica(id)
            .dry_run(envelope(claim("t", "p", "a")), DEADLINE)
            .await;
        let answer = tried.expect("an answer").answer;
        assert!(
            matches!(answer.result, Ok(Outcome::ClaimCreated(_))),
            "{answer:?}"
        );
    }
    let unchanged = cluster
        .replica(1)
        .applied()
        .read(|state| state.claim(&name("t"), &name("a")).is_err());
    assert!(unchanged, "nothing was claimed");
    assert!(cluster.replica(1).applied().at().revision >= revision);
    let (outcome, _) = cluster.accepted(2, claim("t", "p", "a")).await;
    assert!(matches!(outcome, Outcome::ClaimCreated(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_a_quorum_proposes_nothing() {
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let leader = cluster.leader().await;
    for id in (1..=3).filter(|id| *id != leader) {
        cluster.stop(id).await;
    }
    let replica = cluster.replica(leader);
    // What was handed over before the leader noticed is unknown; after its lease nothing is.
    let before_lease = replica
        .propose(envelope(claim("t", "p", "a")), Duration::from_millis(600))
        .await;
    assert!(
        matches!(
            before_lease,
            Err(ProposeError::OutcomeUnknown | ProposeError::NoLeader)
        ),
        "{before_lease:?}"
    );
    let last = replica.status().last_log_index;
    let after = replica
        .propose(envelope(claim("t", "p", "b")), Duration::from_millis(300))
        .await;
    assert_eq!(after, Err(ProposeError::NoLeader));
    assert_eq!(
        replica.status().last_log_index,
        last,
        "nothing was written to the log"
    );
    cluster
        .waits_because(leader, "no leader with a quorum")
        .await;
    // With a quorum it goes on, and what is repeated under its name is held once.
    for id in (1..=3).filter(|id| *id != leader) {
        cluster.start(id).await;
    }
    cluster.all_ready().await;
    let block = cluster.claimed(leader, "a").await;
    assert_eq!(cluster.claimed(leader, "a").await, block);
}
