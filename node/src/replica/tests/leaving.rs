use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::cluster::{Cluster, DEADLINE, claim, envelope};
use crate::peers::Target;
use crate::peers::hello::LinkKind;
use crate::peers::wire::{Reply, Request};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_is_not_handed_the_leadership_and_the_next_voter_is() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let leader = cluster.leader().await;
    let mut followers = (1..=3).filter(|id| *id != leader);
    let next = followers.next().expect("there are two followers");
    let stopping = followers.next().expect("there are two followers");
    cluster.replica(stopping).retire().await;
    let target = Target {
        node: stopping,
        instance: Some(cluster.replica(stopping).status().instance),
        address: cluster.nodes[&stopping].address.clone(),
    };
    let peers = &cluster.replica(leader).inner.peers;
    let link = peers.link(&target, LinkKind::Calls);
    let asked = link.call(&Request::TakeOver, Instant::now() + DEADLINE);
    let answer = asked.await.expect("it still answers");
    assert!(matches!(answer, Reply::Unable { .. }), "{answer:?}");
    cluster.replica(leader).retire().await;
    assert_eq!(cluster.leader().await, next);
    cluster.claimed(next, "a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_nobody_can_follow_stops_waiting_at_once() {
    let mut cluster = Cluster::formed(3).await;
    let leader = cluster.leader().await;
    for id in (1..=3).filter(|id| *id != leader) {
        cluster.replica(id).retire().await;
    }
    let began = Instant::now();
    cluster.replica(leader).retire().await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    // What was done is not done again.
    let began = Instant::now();
    cluster.stop(leader).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}
