//! Where this node stands, as gauges. One that has nothing to say any more says so (NaN): a former
//! leader knows nothing of its followers, and without a majority there is no time to be apart from.

use std::collections::BTreeSet;

use crate::consensus::Standing;

/// The gauges, and the peers that have one.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    peers: BTreeSet<u64>,
}

impl Gauges {
    /// Sets all of them. `apart_seconds`: how far this node's wall clock is from the majority's.
    pub(super) fn set(
        &mut self,
        standing: &Standing,
        applied_index: u64,
        apart_seconds: Option<f64>,
    ) {
        let last = standing.last_log_index().unwrap_or(0);
        metrics::gauge!("ipam_raft_term").set(gauge(standing.leadership.term));
        metrics::gauge!("ipam_raft_is_leader").set(if standing.leadership.is_me {
            1.0
        } else {
            0.0
        });
        metrics::gauge!("ipam_raft_last_log_index").set(gauge(last));
        metrics::gauge!("ipam_raft_applied_index").set(gauge(applied_index));
        metrics::gauge!("ipam_raft_clock_apart_seconds").set(apart_seconds.unwrap_or(f64::NAN));
        for (id, matched) in &standing.matched {
            let lag = last.saturating_sub(matched.unwrap_or(0));
            peer_lag(*id, gauge(lag));
        }
        let peers: BTreeSet<u64> = standing.matched.keys().copied().collect();
        for gone in self.peers.difference(&peers) {
            peer_lag(*gone, f64::NAN);
        }
        self.peers = peers;
    }
}

fn peer_lag(peer: u64, lag: f64) {
    metrics::gauge!("ipam_raft_peer_lag", "peer" => peer.to_string()).set(lag);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric; such numbers stay below 2^52"
)]
fn gauge(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_former_leader_and_a_node_without_a_majority_say_that_they_do_not_know() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let shown = recorder.handle();
        let mut gauges = Gauges::default();
        let leads = Standing {
            matched: BTreeMap::from([(2, Some(0)), (3, None)]),
            ..Standing::default()
        };
        let without_3 = Standing {
            matched: BTreeMap::from([(2, Some(0))]),
            ..Standing::default()
        };
        // How this node stands, the clock, lines that are shown.
        let cases = [
            (
                &leads,
                Some(0.5),
                ["peer=\"2\"} 0", "peer=\"3\"} 0", "apart_seconds 0.5"],
            ),
            (
                &without_3,
                Some(0.5),
                ["peer=\"2\"} 0", "peer=\"3\"} NaN", "apart_seconds 0.5"],
            ),
            (
                &Standing::default(),
                None,
                ["peer=\"2\"} NaN", "peer=\"3\"} NaN", "apart_seconds NaN"],
            ),
            (
                &leads,
                Some(0.0),
                ["peer=\"2\"} 0", "peer=\"3\"} 0", "apart_seconds 0"],
            ),
        ];
        metrics::with_local_recorder(&recorder, || {
            for (standing, apart_seconds, expected) in cases {
                gauges.set(standing, 0, apart_seconds);
                let text = shown.render();
                for line in expected {
                    assert!(
                        text.lines().any(|shown| shown.ends_with(line)),
                        "{line} is missing in\n{text}"
                    );
                }
            }
        });
    }
}
