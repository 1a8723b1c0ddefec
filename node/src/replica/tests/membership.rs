use std::time::Duration;

use super::cluster::{Cluster, DEADLINE};
use crate::replica::{MemberChange, MemberError, MemberRole};

fn roles(cluster: &Cluster, seen_by: u64) -> Vec<(u64, MemberRole)> {
    cluster
        .replica(seen_by)
        .status()
        .members
        .iter()
        .map(|member| (member.id, member.role))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_member_is_refused_and_comes_back_by_the_documented_commands() {
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let block = cluster.claimed(1, "a").await;
    let wiped = cluster.follower().await;
    let old = cluster.replica(wiped).status().instance;
    cluster.stop(wiped).await;
    cluster.wipe(wiped);
    cluster.start(wiped).await;
    cluster
        .waits_because(wiped, &format!("ipamctl cluster remove {wiped}"))
        .await;
    assert_eq!(
        cluster.replica(wiped).status().members,
        [],
        "it takes no part"
    );
    let other = cluster.leader_of_the_rest(wiped).await;

    let replica = cluster.replica(other);
    let again = replica
        .member_change(cluster.adds(wiped, wiped), DEADLINE)
        .await;
    assert_eq!(again, Err(MemberError::AlreadyMember { id: wiped }));
    replica
        .member_change(MemberChange::Remove { id: wiped }, DEADLINE)
        .await
        .expect("it is removed");
    replica
        .member_change(cluster.adds(wiped, wiped), DEADLINE)
        .await
        .expect("it is added");
    cluster.claimed(other, "b").await;
    replica
        .member_change(MemberChange::Promote { id: wiped }, DEADLINE)
        .await
        .expect("it is promoted");
    cluster.all_ready().await;
    assert_ne!(cluster.replica(wiped).status().instance, old);
    assert_eq!(cluster.claimed(wiped, "a").await, block);
    // It votes again: with another one down there is still a quorum.
    let third = (1..=3)
        .find(|id| *id != wiped && *id != other)
        .expect("there are three");
    cluster.stop(third).await;
    assert_eq!(cluster.claimed(wiped, "a").await, block);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fourth_node_joins_as_a_learner_and_is_promoted_by_any_node() {
    let mut cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    cluster.place(4);
    cluster.start(4).await;
    cluster.waits_because(4, "ipamctl cluster add 4").await;
    let follower = cluster.follower().await;
    cluster
        .replica(follower)
        .member_change(cluster.adds(4, 4), DEADLINE)
        .await
        .expect("it is added");
    cluster.ready(4).await;
    cluster
        .until("the learner is seen", |cluster| {
            roles(cluster, follower)
                .contains(&(4, MemberRole::Learner))
                .then_some(())
        })
        .await;
    let block = cluster.claimed(4, "from-a-learner").await;
    cluster
        .replica(4)
        .member_change(MemberChange::Promote { id: 4 }, DEADLINE)
        .await
        .expect("it is promoted");
    cluster
        .until("the voter is seen", |cluster| {
            roles(cluster, follower)
                .contains(&(4, MemberRole::Voter))
                .then_some(())
        })
        .await;
    assert_eq!(cluster.claimed(1, "from-a-learner").await, block);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_removed_hands_over_first() {
    let cluster = Cluster::formed(3).await;
    cluster.with_pool().await;
    let leader = cluster.leader().await;
    cluster
        .replica(leader)
        .member_change(MemberChange::Remove { id: leader }, DEADLINE)
        .await
        .expect("it is removed");
    let rest = (1..=3).find(|id| *id != leader).expect("there are three");
    assert!(roles(&cluster, rest).iter().all(|(id, _)| *id != leader));
    cluster.claimed(rest, "a").await;
    cluster
        .until("the removed node says so", |cluster| {
            (!cluster.replica(leader).health().is_ready()).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_make_no_sense_are_refused_and_change_nothing() {
    let mut cluster = Cluster::formed(3).await;
    let short = Duration::from_secs(1);
    let before = roles(&cluster, 1);
    let unknown = MemberError::Unknown { id: 9 };
    assert_eq!(
        cluster
            .replica(1)
            .member_change(MemberChange::Remove { id: 9 }, DEADLINE)
            .await,
        Err(unknown.clone())
    );
    assert_eq!(
        cluster
            .replica(2)
            .member_change(MemberChange::Promote { id: 9 }, DEADLINE)
            .await,
        Err(unknown)
    );
    assert_eq!(
        cluster
            .replica(3)
            .member_change(MemberChange::Promote { id: 1 }, DEADLINE)
            .await,
        Ok(()),
        "it is a voter already"
    );
    let nobody = MemberChange::Add {
        id: 9,
        peer_address: "127.0.0.1:1".to_owned(),
        http_url: None,
    };
    let refused = cluster.replica(1).member_change(nobody, DEADLINE).await;
    assert!(
        matches!(refused, Err(MemberError::NotReachable { .. })),
        "{refused:?}"
    );
    let wrong_id = cluster
        .replica(1)
        .member_change(cluster.adds(9, 2), DEADLINE)
        .await;
    assert!(
        matches!(wrong_id, Err(MemberError::NotReachable { .. })),
        "{wrong_id:?}"
    );
    assert_eq!(roles(&cluster, 1), before);

    let leader = cluster.leader().await;
    let down = cluster.follower().await;
    let up = (1..=3)
        .find(|id| *id != leader && *id != down)
        .expect("there are three");
    cluster.stop(down).await;
    cluster
        .until("the silence is noticed", |cluster| {
            let members = cluster.replica(leader).status().members;
            let silent = members
                .iter()
                .find(|member| member.id == down)?
                .last_contact_ms;
            silent.is_none_or(|silent| silent > 3_000).then_some(())
        })
        .await;
    let refused = cluster
        .replica(leader)
        .member_change(MemberChange::Remove { id: up }, short)
        .await;
    assert!(
        matches!(refused, Err(MemberError::WouldLoseQuorum { .. })),
        "{refused:?}"
    );
    cluster
        .replica(leader)
        .member_change(MemberChange::Remove { id: down }, DEADLINE)
        .await
        .expect("the silent one can go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_voter_stays() {
    let cluster = Cluster::formed(1).await;
    let refused = cluster
        .replica(1)
        .member_change(MemberChange::Remove { id: 1 }, DEADLINE)
        .await;
    assert!(
        matches!(refused, Err(MemberError::WouldLoseQuorum { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_that_does_not_answer_is_not_promoted_and_writes_go_on() {
    let mut cluster = Cluster::formed(1).await;
    cluster.with_pool().await;
    cluster.place(2);
    cluster.start(2).await;
    cluster.waits_because(2, "ipamctl cluster add 2").await;
    cluster
        .replica(1)
        .member_change(cluster.adds(2, 2), DEADLINE)
        .await
        .expect("it is added");
    cluster
        .until("the learner has the whole log", |cluster| {
            let status = cluster.replica(1).status();
            let learner = status.members.iter().find(|member| member.id == 2)?;
            (learner.matched_index == Some(status.last_log_index)).then_some(())
        })
        .await;
    cluster.stop(2).await;
    let refused = cluster
        .replica(1)
        .member_change(MemberChange::Promote { id: 2 }, DEADLINE)
        .await;
    assert!(
        matches!(&refused, Err(MemberError::WouldLoseQuorum { reason }) if reason.contains("node 2 does not answer")),
        "{refused:?}"
    );
    cluster.claimed(1, "a").await;
    cluster.start(2).await;
    cluster.ready(2).await;
    cluster
        .replica(1)
        .member_change(MemberChange::Promote { id: 2 }, DEADLINE)
        .await
        .expect("it answers again");
}
