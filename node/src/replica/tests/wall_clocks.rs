//! Wall clocks that are wrong by years, on one node or on all of them, end nothing before its time.

use std::time::Duration;

use allocator::command::{ClaimRelease, Command};
use allocator::view::Phase;
use raft_store::BackgroundOptions;
use tokio::time::Instant;

use super::cluster::{Cluster, claim, name, pool, tenant};

/// Twenty years.
const YEARS_MS: i64 = 20 * 365 * 86_400_000;
/// Leases and graces of the test: far longer than it takes, far shorter than a clock is wrong.
const HOUR_S: u32 = 3_600;

/// What is due in an hour is there on every node that runs, and no node's log has counted more time
/// than has passed.
async fn nothing_is_early(cluster: &Cluster, begun: Instant, what: &str) {
    let leader = cluster.leader().await;
    let (_, last) = cluster.accepted(leader, claim("t", "p", "last")).await;
    cluster
        .until(what, |cluster| {
            let running = cluster.nodes.keys().filter(|id| cluster.runs(**id));
            let mut all = true;
            for id in running {
                let applied = cluster.replica(*id).applied();
                if applied.at().index < Some(last.index) {
                    // What it has not applied yet it cannot have ended.
                    all = false;
                    continue;
                }
                let passed_ms = begun.elapsed().as_millis();
                applied.read(|state| {
                    let leased = state.claim(&name("t"), &name("leased"));
                    assert!(leased.is_ok(), "{what}: {leased:?}");
                    let block = "10.0.0.1/32".parse().expect("a block");
                    let kept = state.allocation(&name("t"), &name("default"), block);
                    let phase = kept.map(|kept| kept.phase);
                    assert_eq!(phase, Ok(Phase::Released), "{what}");
                    let counted_ms = u128::from(state.clock().now_ms());
                    assert!(
                        counted_ms <= passed_ms,
                        "{what}: {counted_ms} of {passed_ms}"
                    );
                });
            }
            all.then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wall_clock_that_is_years_off_ends_nothing_early() {
    // Before the first leader measures anything.
    let begun = Instant::now();
    let small = BackgroundOptions {
        checkpoint_bytes: 64 << 10,
        checkpoint_interval: Duration::from_millis(100),
        log_kept: 64 << 10,
        ..BackgroundOptions::default()
    };
    let mut cluster = Cluster::formed_with(3, small).await;
    cluster.accepted(1, tenant("t")).await;
    let Command::PoolCreate(mut spec) = pool("t", "p", "10.0.0.0/24") else {
        unreachable!("a pool is built")
    };
    spec.life.grace_seconds = Some(HOUR_S);
    cluster.accepted(1, Command::PoolCreate(spec)).await;
    for text in ["leased", "kept"] {
        let Command::ClaimCreate(mut spec) = claim("t", "p", text) else {
            unreachable!("a claim is built")
        };
        spec.life.ttl_seconds = Some(HOUR_S);
        cluster.accepted(1, Command::ClaimCreate(spec)).await;
    }
    let release = ClaimRelease {
        tenant: name("t"),
        name: name("kept"),
        generation: None,
    };
    cluster.accepted(1, Command::ClaimRelease(release)).await;

    // Each node in turn, forward and back, and it leads or is led.
    for (id, apart_ms) in [(1, YEARS_MS), (2, -YEARS_MS), (3, YEARS_MS), (1, 0)] {
        cluster.wall_apart(id, apart_ms);
        nothing_is_early(&cluster, begun, "one clock was set").await;
    }
    // All of them, so that the wall time that people see jumps too; then another leader.
    let ids: Vec<u64> = cluster.nodes.keys().copied().collect();
    for id in &ids {
        cluster.wall_apart(*id, YEARS_MS);
    }
    let wall_ms = |cluster: &Cluster, id: u64| {
        let applied = cluster.replica(id).applied();
        applied.read(|state| state.clock().wall_ms())
    };
    let jumped = wall_ms(&cluster, 1) + YEARS_MS.unsigned_abs() / 2;
    cluster
        .until("the wall time has jumped", |cluster| {
            (wall_ms(cluster, 1) > jumped).then_some(())
        })
        .await;
    nothing_is_early(&cluster, begun, "all clocks were set").await;
    for _ in 0..2 {
        let leader = cluster.leader().await;
        cluster.kill(leader);
        nothing_is_early(&cluster, begun, "another one leads").await;
        cluster.wall_apart(leader, -YEARS_MS);
        cluster.start(leader).await;
        cluster.ready(leader).await;
        nothing_is_early(&cluster, begun, "one was restarted").await;
    }
    // All at once, from what is durable.
    for id in &ids {
        cluster.stop(*id).await;
    }
    for id in &ids {
        cluster.wall_apart(*id, YEARS_MS * 2);
        cluster.start(*id).await;
    }
    cluster.all_ready().await;
    nothing_is_early(&cluster, begun, "all were restarted").await;
    assert!(begun.elapsed() < Duration::from_secs(u64::from(HOUR_S)));
}
