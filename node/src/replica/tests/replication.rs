use std::time::Duration;

use allocator::view::EventId;
use allocator::watch::{EventFilter, WatchedEvent};
use futures::future::join_all;
use raft_store::{AppliedState, BackgroundOptions, StoreStats};
use tokio::time::Instant;

use super::cluster::{Cluster, claim, pool};

fn stats(cluster: &Cluster, id: u64) -> StoreStats {
    let hold = cluster.replica(id).inner.store.lock();
    hold.as_ref().expect("the store is open").control.stats()
}

/// All events that a node can tell of.
fn told(applied: &AppliedState) -> Vec<WatchedEvent> {
    let (mut told, mut after) = (Vec::new(), EventId::end_of(0));
    loop {
        let everything = EventFilter::default();
        let page = applied
            .read(|state| state.watch(after, &everything, 100))
            .expect("nothing is dropped");
        told.extend(page.items);
        after = page.reached;
        if page.is_end {
            return told;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_replaced_and_nothing_answered_is_lost() {
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    for round in 0..3 {
        let leader = cluster.leader().await;
        let names: Vec<String> = (0..10).map(|number| format!("c{round}-{number}")).collect();
        let before = join_all(names.iter().map(|name| cluster.claimed(leader, name))).await;
        let term = cluster.replica(leader).status().term;
        cluster.kill(leader);
        let killed = Instant::now();
        let next = cluster.leader().await;
        let took = killed.elapsed();
        assert!(
            cluster.replica(next).status().term > term,
            "a new leader has a new term"
        );
        assert!(
            took < Duration::from_secs(10),
            "the leader is replaced: {took:?}"
        );
        let after = join_all(names.iter().map(|name| cluster.claimed(next, name))).await;
        assert_eq!(before, after);
        cluster.start(leader).await;
        cluster.all_ready().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_killed_at_once_come_back_with_everything() {
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let leader = cluster.leader().await;
    let names: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    let before = join_all(names.iter().map(|name| cluster.claimed(leader, name))).await;
    for id in 1..=3 {
        cluster.kill(id);
    }
    for id in 1..=3 {
        cluster.start(id).await;
    }
    cluster.all_ready().await;
    let after = join_all(names.iter().map(|name| cluster.claimed(2, name))).await;
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_too_far_behind_gets_a_snapshot() {
    let small = BackgroundOptions {
        checkpoint_bytes: 64 << 10,
        checkpoint_interval: Duration::from_millis(100),
        log_kept: 64 << 10,
        ..BackgroundOptions::default()
    };
    let mut cluster = Cluster::formed_with(3, small).await;
    cluster.with_pool().await;
    let behind = cluster.follower().await;
    let leader = cluster.leader().await;
    let seen = stats(&cluster, behind).log_last.map(|id| id.index);
    cluster.stop(behind).await;
    let block = cluster.claimed(leader, "while-away").await;
    // Enough log that its beginning is purged on both others, past what this one has: whichever of
    // them leads when it is back has no entries for it.
    let others: Vec<u64> = (1..=3).filter(|id| *id != behind).collect();
    let kept = |cluster: &Cluster| {
        let purged = |id: &u64| stats(cluster, *id).log_purged.map(|id| id.index);
        others.iter().any(|id| purged(id) <= seen)
    };
    let limit = Instant::now() + super::cluster::LONG;
    let mut number = 0;
    while kept(&cluster) {
        assert!(
            Instant::now() < limit,
            "the log is purged: {:?}",
            stats(&cluster, leader)
        );
        let pools = (0..64).map(|offset| {
            let number: u32 = number + offset;
            let [_, high, middle, low] = number.to_be_bytes();
            let command = pool(
                "t",
                &format!("p{number}"),
                &format!("{}.{middle}.{low}.0/24", 20 + high),
            );
            cluster.accepted(leader, command)
        });
        join_all(pools).await;
        number += 64;
    }
    cluster.start(behind).await;
    cluster.ready(behind).await;
    let last = cluster.replica(leader).applied().at();
    cluster
        .until("the follower has caught up", |cluster| {
            (cluster.replica(behind).applied().at().index >= last.index).then_some(())
        })
        .await;
    assert!(
        stats(&cluster, behind)
            .snapshot_last
            .is_some_and(|id| Some(id.index) > seen),
        "by a snapshot"
    );
    assert_eq!(cluster.claimed(behind, "while-away").await, block);
    let digests = || (1..=3).map(|id| cluster.replica(id).applied().digest_at(None));
    cluster
        .until("all have the same state", |_| {
            let all: Vec<_> = digests().collect();
            all.iter().all(|digest| *digest == all[0]).then_some(())
        })
        .await;
    // It tells of all that happened before it came back, as the others do.
    let (of_leader, of_behind) = (
        told(cluster.replica(leader).applied()),
        told(cluster.replica(behind).applied()),
    );
    assert!(of_leader.len() > 64 && of_leader == of_behind);
    cluster
        .accepted(behind, claim("t", "p", "afterwards"))
        .await;
}
