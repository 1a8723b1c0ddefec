//! What stands in the headers of requests and answers.

use std::time::Duration;

use node::http::Limits;
use serde_json::json;

use crate::harness::{JSON, TestNode};

const CLAIMS: &str = "/v1/tenants/acme/claims";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_the_revision_and_the_leader_and_a_local_read_its_age() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let made = node.post(CLAIMS, &json!({"name": "c", "pool": "p"})).await;
    assert_eq!(made.header("ipam-leader"), Some("1"));
    assert_eq!(made.header("ipam-staleness-ms"), None);
    let revision: u64 = made.header("ipam-revision").unwrap().parse().unwrap();
    assert_eq!(made.body["status"]["revision"], revision);

    // How old the state is becomes known when the first local reads have made the node ask.
    node.until("the age of a local read", async |node| {
        node.get("/v1/tenants")
            .await
            .header("ipam-staleness-ms")
            .is_some()
    })
    .await;
    for (path, local) in [
        ("/v1/tenants/acme/claims/c", true),
        ("/v1/tenants/acme/claims/c?consistency=linearizable", false),
        ("/v1/tenants/acme/claims/none", true),
        ("/v1/tenants/acme/claims?limit=1", true),
        ("/v1/tenants/acme/lookup/10.0.0.0", true),
        ("/v1/cluster", true),
        ("/v1/cluster?consistency=linearizable", false),
        ("/v1/cluster/digest", true),
    ] {
        let answer = node.get(path).await;
        assert_eq!(
            answer.header("ipam-revision"),
            Some(revision.to_string().as_str()),
            "{path}"
        );
        assert_eq!(answer.header("ipam-leader"), Some("1"), "{path}");
        assert_eq!(
            answer.header("ipam-staleness-ms").is_some(),
            local,
            "{path}: {answer:?}"
        );
    }
    for path in [
        "/nonsense",
        "/livez",
        "/metrics",
        "/openapi.json",
        "/v1/cluster",
    ] {
        let answer = node.get(path).await;
        assert_eq!(
            answer.header("ipam-revision"),
            Some(revision.to_string().as_str()),
            "{path}"
        );
        assert_eq!(answer.header("ipam-leader"), Some("1"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_the_revision_that_the_caller_has_seen() {
    let limits = Limits {
        request_deadline: Duration::from_millis(200),
        ..Limits::default()
    };
    let node = TestNode::start_with(limits).await;
    node.with_pool("acme").await;
    let revision = node.replica.applied().at().revision;
    let reached = [("if-min-revision", revision.to_string())];
    let reached: Vec<_> = reached
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = node.send("GET", "/v1/tenants/acme", &reached, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let ahead = node
        .send(
            "GET",
            "/v1/tenants/acme",
            &[("if-min-revision", "999999")],
            "",
        )
        .await;
    ahead.assert_problem(503, "stale", "a revision that does not come");
    assert_eq!(ahead.header("retry-after"), Some("1"));
    for path in ["/v1/cluster", "/v1/cluster/digest"] {
        let ahead = [("if-min-revision", "999999")];
        let ahead = node.send("GET", path, &ahead, "").await;
        ahead.assert_problem(503, "stale", path);
    }
    let wrong = node
        .send("GET", "/v1/tenants/acme", &[("if-min-revision", "x")], "")
        .await;
    wrong.assert_problem(400, "invalid_parameter", "a revision that is no number");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_names_a_claim_and_is_refused_everywhere_else() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let key = [
        ("content-type", "application/json"),
        ("idempotency-key", "order-17"),
    ];
    let body = r#"{"pool":"p"}"#;
    let first = node.send("POST", CLAIMS, &key, body).await;
    let second = node.send("POST", CLAIMS, &key, body).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.body["name"], "k-72a90ea3da8b5dd01bde2f27314e02e2");
    assert_eq!(first.body, second.body);

    let beside_a_name = node
        .send("POST", CLAIMS, &key, r#"{"name":"c","pool":"p"}"#)
        .await;
    beside_a_name.assert_problem(400, "invalid_parameter", "a key beside a name");
    for (method, path) in [
        ("POST", "/v1/tenants"),
        ("POST", "/v1/tenants/acme/batch"),
        ("DELETE", "/v1/tenants/acme/pools/p"),
        ("GET", "/v1/tenants/acme"),
    ] {
        let answer = node.send(method, path, &key, r#"{"name":"x"}"#).await;
        answer.assert_problem(400, "invalid_parameter", path);
        assert_eq!(answer.body["parameter"], "Idempotency-Key", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_deleted_only_at_the_revision_that_was_seen() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let path = "/v1/tenants/acme/pools/p";
    let revision = node.get(path).await.body["status"]["revision"].to_string();
    let stale = node.send("DELETE", path, &[("if-revision", "0")], "").await;
    stale.assert_problem(412, "revision_mismatch", "an older revision");
    let twice = node
        .send(
            "DELETE",
            path,
            &[("if-revision", "1"), ("if-revision", "2")],
            "",
        )
        .await;
    twice.assert_problem(400, "invalid_parameter", "two revisions");
    let deleted = node
        .send("DELETE", path, &[("if-revision", revision.as_str())], "")
        .await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_kept_or_made() {
    let node = TestNode::start().await;
    let given = node
        .send("GET", "/livez", &[("x-request-id", "build-7/3")], "")
        .await;
    assert_eq!(given.header("x-request-id"), Some("build-7/3"));
    let mut made = Vec::new();
    for unfit in ["", "two words", &"x".repeat(129)] {
        let answer = node
            .send("GET", "/livez", &[("x-request-id", unfit)], "")
            .await;
        made.push(answer.header("x-request-id").unwrap().to_owned());
    }
    made.dedup();
    assert_eq!(made.len(), 3, "{made:?}");
    assert!(
        made.iter().all(|id| !id.is_empty() && id.len() < 64),
        "{made:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_compressed_where_it_pays_and_objects_are_not() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let gzip = [("accept-encoding", "gzip")];
    let short = node.send("GET", "/v1/tenants", &gzip, "").await;
    assert_eq!(short.header("content-encoding"), None, "{short:?}");
    for index in 0..20 {
        let made = node
            .post(CLAIMS, &json!({"name": format!("c{index}"), "pool": "p"}))
            .await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let long = node.send("GET", CLAIMS, &gzip, "").await;
    assert_eq!(long.header("content-encoding"), Some("gzip"));
    assert!(
        long.bytes.starts_with(&[0x1f, 0x8b]),
        "the body is a gzip stream"
    );
    assert_eq!(
        node.send("GET", CLAIMS, JSON, "")
            .await
            .header("content-encoding"),
        None
    );
}
