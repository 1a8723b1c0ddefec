//! Requests by route and status.
//!
//! A handle is registered when a route is first answered with a status, and then kept: looking one
//! up by its labels costs more than a local read.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Histogram, Unit};

const REQUESTS: &str = "ipam_http_requests_total";
const SECONDS: &str = "ipam_http_request_seconds";
const CONFLICTS: &str = "ipam_conflicts_total";

/// The statuses that have handles of their own; any other is counted as `other`.
const STATUSES: [u16; 20] = [
    200, 201, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422, 424, 429, 500, 503, 504,
    507,
];

/// What is counted of one route.
#[derive(Debug)]
pub(crate) struct RouteMetrics {
    method: &'static str,
    route: &'static str,
    requests: [OnceLock<Counter>; STATUSES.len() + 1],
    seconds: OnceLock<Histogram>,
    conflicts: Counter,
}

impl RouteMetrics {
    /// The counters of one route; to be made once, after the recorder is installed.
    pub(crate) fn new(method: &'static str, route: &'static str) -> Self {
        Self {
            method,
            route,
            requests: [const { OnceLock::new() }; STATUSES.len() + 1],
            seconds: OnceLock::new(),
            conflicts: conflicts(),
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: u16, duration: Duration) {
        let index = STATUSES
            .iter()
            .position(|known| *known == status)
            .unwrap_or(STATUSES.len());
        self.requests[index]
            .get_or_init(|| self.register(index))
            .increment(1);
        self.seconds
            .get_or_init(
                || metrics::histogram!(SECONDS, "method" => self.method, "route" => self.route),
            )
            .record(duration.as_secs_f64());
        if matches!(status, 409 | 412) {
            self.conflicts.increment(1);
        }
    }

    fn register(&self, index: usize) -> Counter {
        let status = STATUSES
            .get(index)
            .map_or_else(|| super::OTHER.to_owned(), u16::to_string);
        metrics::counter!(REQUESTS, "method" => self.method, "route" => self.route, "status" => status)
    }
}

/// Refusals because of what others hold or did: 409 and 412.
pub(super) fn conflicts() -> Counter {
    metrics::counter!(CONFLICTS)
}

pub(super) fn describe() {
    metrics::describe_counter!(
        REQUESTS,
        "HTTP requests answered by this node, by route and status."
    );
    metrics::describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "Time from a request's head to its answer."
    );
    metrics::describe_counter!(CONFLICTS, "Requests answered 409 or 412 by this node.");
}
