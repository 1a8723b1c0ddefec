//! The bounds of the server.

use std::time::Duration;

/// The bounds of the HTTP server, and what it does not do unless told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Largest head of a request (its line and its headers), in bytes.
    pub head_bytes_max: usize,
    /// Bytes of all bodies of the requests that are worked on; a request that would bring more is answered
    /// 429 and never waits. One that does not say how long it is counts as the largest.
    pub bodies_bytes_max: usize,
    /// Requests worked on at once; one more is answered 429 and never waits.
    pub requests_in_flight_max: usize,
    /// Connections open at once.
    pub connections_max: usize,
    /// Requests that one HTTP/2 connection may have open.
    pub streams_max: u32,
    /// Time for a request's head; also how long a connection may rest between requests.
    pub header_timeout: Duration,
    /// Time for a request's body.
    pub body_timeout: Duration,
    /// Time for which a client may leave unread what was sent to it; then its connection is cut.
    pub unread_timeout: Duration,
    /// Time that a request may wait for the cluster.
    pub request_deadline: Duration,
    /// Time that open requests get when the server stops.
    pub stop_timeout: Duration,
    /// Watches open at once; they are no requests in flight.
    pub watches_max: usize,
    /// For how long a watch says nothing while nothing happens.
    pub bookmark_interval: Duration,
    /// Requests may move the log's clock: for tests only.
    pub test_clock: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            head_bytes_max: 64 << 10,
            bodies_bytes_max: 64 << 20,
            requests_in_flight_max: 1_024,
            connections_max: 16_384,
            streams_max: 256,
            header_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_secs(30),
            unread_timeout: Duration::from_mins(1),
            request_deadline: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(10),
            watches_max: 10_000,
            bookmark_interval: Duration::from_secs(10),
            test_clock: false,
        }
    }
}
