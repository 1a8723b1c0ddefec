//! What is judged before an operation sees a request: headers, bodies, methods, the encoding of a path.

use serde_json::json;

use crate::harness::TestNode;

const CLAIMS: &str = "/v1/tenants/acme/claims";
const JSON_TYPE: (&str, &str) = ("content-type", "application/json");

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_utf_8_and_not_encoded() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let body = r#"{"name":"c","pool":"p"}"#;
    for headers in [
        &[("content-type", "application/json; charset=latin1")][..],
        &[("content-type", "application/json; charset=\"utf-16\"")],
        &[JSON_TYPE, ("content-encoding", "gzip")],
        &[JSON_TYPE, ("content-encoding", "identity, br")],
    ] {
        let answer = node.send("POST", CLAIMS, headers, body).await;
        answer.assert_problem(415, "unsupported_media_type", &format!("{headers:?}"));
    }
    for headers in [
        &[("content-type", "application/json; Charset=\"UTF-8\"")][..],
        &[("content-type", "application/json; version=1")],
        &[JSON_TYPE, ("content-encoding", "identity")],
    ] {
        let answer = node.send("POST", CLAIMS, headers, body).await;
        assert!(answer.status.is_success(), "{headers:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_ignored_is_refused() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    node.post(CLAIMS, &json!({"name": "c", "pool": "p"})).await;
    let before = node.everything("acme").await;
    let claim = "/v1/tenants/acme/claims/c";
    for (path, header, body, named) in [
        (claim, Some(("if-revision", "1")), "", "If-Revision"),
        (
            "/v1/tenants/acme",
            Some(("if-revision", "1")),
            "",
            "If-Revision",
        ),
        (claim, None, r#"{"generation":1}"#, "body"),
        ("/v1/tenants/acme/pools/p", None, "x", "body"),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        let answer = node.send("DELETE", path, &headers, body).await;
        answer.assert_problem(400, "invalid_parameter", path);
        assert_eq!(answer.body["parameter"], named, "{path}");
    }
    assert_eq!(node.everything("acme").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_405_says_what_is_allowed() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let pool = json!({
        "name": "q", "cidrs": ["10.1.0.0/24"], "exclude": ["10.1.0.0/32"],
    });
    let made = node.post("/v1/tenants/acme/pools", &pool).await;
    assert_eq!(made.status, 201, "{made:?}");
    for (method, path, code, allow) in [
        (
            "PUT",
            "/v1/tenants",
            "method_not_allowed",
            "GET, HEAD, POST",
        ),
        ("POST", "/livez", "method_not_allowed", "GET, HEAD"),
        (
            "DELETE",
            "/v1/tenants/acme/allocations/10.1.0.0/32",
            "delete_the_claim",
            "GET, HEAD",
        ),
    ] {
        let answer = node.send(method, path, &[], "").await;
        answer.assert_problem(405, code, path);
        let mut methods: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
        methods.sort_unstable();
        assert_eq!(methods.join(", "), allow, "{path}");
    }
    let reserved = node
        .delete("/v1/tenants/acme/allocations/10.1.0.0/32")
        .await;
    assert_eq!(reserved.body["pool"], "q", "{reserved:?}");
    let shown = node.get("/v1/tenants/acme/allocations/10.1.0.0/32").await;
    assert_eq!(shown.body.get("reason"), None, "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_decoded_once() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let once = node.get("/v1/tenants/acme/lookup/10.0.0.0%2F24").await;
    assert_eq!(once.status, 200, "{once:?}");
    let twice = node.get("/v1/tenants/acme/lookup/10.0.0.0%252F24").await;
    twice.assert_problem(400, "invalid_parameter", "%252F");
    assert_eq!(twice.body["parameter"], "cidr");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_the_pools_family_does_not_have_is_refused() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    for count in ["", "&count=true"] {
        let path = format!("/v1/tenants/acme/pools/p/free?prefixLength=33{count}");
        let answer = node.get(&path).await;
        answer.assert_problem(400, "invalid_parameter", &path);
        let named = (&answer.body["parameter"], &answer.body["allowed"]);
        assert_eq!(named, (&json!("prefixLength"), &json!("0 to 32")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_tells_of_its_malformed_operations_where_they_stand() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let operations = json!([
        {"createClaim": {"name": "-", "pool": "p"}},
        {"createClaim": {"name": "a", "pool": "p"}},
        {"createClaim": {"name": "b", "pool": "p", "cidr": "10.0.0.1/24"}},
        {"releaseClaim": {"name": "a"}},
    ]);
    let batch = |atomic: bool| json!({"atomic": atomic, "operations": operations});
    let refused = node.post("/v1/tenants/acme/batch", &batch(true)).await;
    refused.assert_problem(422, "invalid_field", "an atomic batch");
    assert_eq!(refused.body["failedIndex"], 0);
    for dry_run in ["?dryRun=true", ""] {
        let path = format!("/v1/tenants/acme/batch{dry_run}");
        let each = node.post(&path, &batch(false)).await;
        assert_eq!(each.status, 200, "{each:?}");
        let results = each.body["results"].as_array().unwrap();
        let statuses: Vec<_> = results.iter().map(|one| one["status"].as_u64()).collect();
        assert_eq!(statuses, [422, 201, 422, 200].map(Some), "{each:?}");
    }
    let nobody = node.post("/v1/tenants/nobody/batch", &batch(false)).await;
    nobody.assert_problem(
        404,
        "tenant_not_found",
        "the batch of a tenant that is not there",
    );
}
