//! Bounds: what is too much, too slow or too late.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use node::http::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{PATIENCE, TestNode};

/// Answered only when that revision is reached, which it is not.
const WAITING: &str = "/v1/cluster/digest?revision=999999";

/// The one place is taken; the answer that says so is a problem.
async fn busy(node: &TestNode) -> bool {
    let answer = node.get("/v1/tenants").await;
    if answer.status == StatusCode::OK {
        return false;
    }
    answer.assert_problem(429, "too_busy", "one is in flight");
    assert_eq!(answer.header("retry-after"), Some("1"));
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_the_requests_in_flight_is_refused_at_once_except_for_probes() {
    let node = TestNode::start_with(Limits {
        requests_in_flight_max: 1,
        ..Limits::default()
    })
    .await;
    let waiting = async {
        loop {
            let waited = node.get(WAITING).await;
            // The one place may have been taken by whoever looks whether it is.
            if waited.status != StatusCode::TOO_MANY_REQUESTS {
                return waited;
            }
        }
    };
    let others = async {
        node.until("the request in flight", busy).await;
        for probe in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(node.get(probe).await.status, StatusCode::OK, "{probe}");
        }
    };
    let (waited, ()) = tokio::join!(waiting, others);
    waited.assert_problem(503, "stale", "the revision never comes");
    assert_eq!(node.get("/v1/tenants").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_bound_of_their_own_which_reads_do_not_feel() {
    let node = TestNode::start_with(Limits {
        body_bytes_max: 1_000,
        bodies_bytes_max: 1_000,
        ..Limits::default()
    })
    .await;
    let tenant = |name: &str| json!({"name": name});
    assert_eq!(
        node.post("/v1/tenants", &tenant("before")).await.status,
        StatusCode::CREATED
    );
    // It says how long it is and does not come.
    let mut stalled = TcpStream::connect(node.address).await.unwrap();
    let head = "POST /v1/tenants HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
        content-length: 999\r\n\r\n";
    stalled.write_all(head.as_bytes()).await.unwrap();
    let refused = async |node: &TestNode| {
        let answer = node.post("/v1/tenants", &tenant("meanwhile")).await;
        answer.status == StatusCode::TOO_MANY_REQUESTS
    };
    node.until("no room for another body", refused).await;
    assert_eq!(node.get("/v1/tenants").await.status, StatusCode::OK);
    drop(stalled);
    let accepted = async |node: &TestNode| {
        let answer = node.post("/v1/tenants", &tenant("after")).await;
        answer.status != StatusCode::TOO_MANY_REQUESTS
    };
    node.until("room again", accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_quorum_says_so_and_does_not_hang() {
    let limits = Limits {
        request_deadline: Duration::from_millis(300),
        ..Limits::default()
    };
    let node = TestNode::start_alone_of_three(limits).await;
    assert_eq!(node.get("/livez").await.status, StatusCode::OK);
    let ready = node.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        ready.body["reasons"]
            .as_array()
            .is_some_and(|reasons| !reasons.is_empty()),
        "{ready:?}"
    );
    let write = node.post("/v1/tenants", &json!({"name": "acme"})).await;
    write.assert_problem(503, "no_leader", "a write");
    assert_eq!(write.header("retry-after"), Some("1"));
    let read = node.get("/v1/tenants?consistency=linearizable").await;
    read.assert_problem(503, "no_leader", "a linearizable read");
    let fresh = node.get("/v1/tenants?maxStalenessMs=100").await;
    fresh.assert_problem(503, "stale", "a read that must be fresh");
    assert_eq!(fresh.header("ipam-leader"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_sends_too_slowly_is_closed() {
    let limits = Limits {
        header_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let node = TestNode::start_with(limits).await;
    for sent in ["", "GET /livez HTTP/1.1\r\nhost: t", "PRI * HT"] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // A reset is as good an end as a close.
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{sent:?}: the connection stays open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_the_limit_is_refused() {
    let node = TestNode::start().await;
    let long = "x".repeat(65 << 10);
    let answer = node
        .send("GET", "/livez", &[("x-long", long.as_str())], "")
        .await;
    answer.assert_problem(431, "headers_too_large", "a long header");
    // Neither is over the limit alone.
    let path = format!("/v1/tenants?pageToken={}", &long[..60 << 10]);
    let answer = node
        .send("GET", &path, &[("x-long", &long[..5 << 10])], "")
        .await;
    answer.assert_problem(431, "headers_too_large", "a long query and a long header");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_given_up() {
    let limits = Limits {
        body_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let node = TestNode::start_with(limits).await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let head = "POST /v1/tenants HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("it is answered")
        .ok();
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.starts_with("HTTP/1.1 408 ") && text.contains("\"request_timeout\""),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_on_the_same_port() {
    let node = TestNode::start().await;
    let stream = TcpStream::connect(node.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driving = tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::get("http://test/livez")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.into_body().collect().await.is_ok());
    }
    drop(sender);
    driving.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_open_and_takes_no_more() {
    let mut node = TestNode::start_with(Limits {
        request_deadline: Duration::from_secs(1),
        requests_in_flight_max: 1,
        ..Limits::default()
    })
    .await;
    // An idle connection must not hold the stop up.
    let idle = TcpStream::connect(node.address).await.unwrap();
    let mut open = TcpStream::connect(node.address).await.unwrap();
    open.write_all(format!("GET {WAITING} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes())
        .await
        .unwrap();
    node.until("the request in flight", busy).await;
    node.ask_to_stop();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, open.read_to_end(&mut answer))
        .await
        .expect("it is answered")
        .unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.starts_with("HTTP/1.1 503 ") && text.contains("\"stale\""),
        "{text}"
    );
    let address = node.address;
    node.ended().await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the port is closed"
    );
    drop(idle);
}
