use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cluster::{Cluster, DEADLINE, claim, envelope};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_leader_left_a_repeated_claim_gets_the_same_block() {
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let block = cluster.claimed(1, "a").await;
    let leader = cluster.leader().await;
    cluster.stop(leader).await;
    let next = cluster.leader().await;
    assert_ne!(next, leader);
    for id in (1..=3).filter(|id| *id != leader) {
        assert_eq!(cluster.claimed(id, "a").await, block);
    }
    cluster.start(leader).await;
    cluster.ready(leader).await;
    assert_eq!(cluster.claimed(leader, "a").await, block);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_retires_fails_no_command() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let leader = cluster.leader().await;
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..6)
        .map(|client: u64| {
            let replica = cluster.replica(client % 3 + 1).clone();
            let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut number = 0;
                while !done.load(Ordering::Acquire) {
                    // The same few names over and over: repeats are answered like anything else.
                    let command = claim("t", "p", &format!("c{client}-{}", number % 8));
                    let proposed = replica.propose(envelope(command), DEADLINE).await;
                    proposed
                        .expect("no command fails")
                        .answer
                        .result
                        .expect("none is refused");
                    answered.fetch_add(1, Ordering::AcqRel);
                    number += 1;
                }
            })
        })
        .collect();
    let at_least = |count: u64| {
        let answered = Arc::clone(&answered);
        move |_: &Cluster| (answered.load(Ordering::Acquire) >= count).then_some(())
    };
    cluster.until("commands are answered", at_least(50)).await;
    cluster.replica(leader).retire().await;
    let next = cluster.leader().await;
    assert_ne!(next, leader);
    let so_far = answered.load(Ordering::Acquire);
    cluster
        .until(
            "commands are answered by the next leader",
            at_least(so_far + 50),
        )
        .await;
    done.store(true, Ordering::Release);
    for client in clients {
        client.await.expect("no client fails");
    }
}
