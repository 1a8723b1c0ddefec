//! Every mutation can be tried.

use api::routes::{Method, operations};
use node::http::Limits;
use serde_json::json;

use crate::contract::concrete;
use crate::harness::{JSON, TestNode};

#[tokio::test(flavor = "multi_thread")]
async fn every_mutation_takes_a_dry_run() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let before = node.everything("acme").await;
    for operation in operations().filter(|one| one.is_mutation()) {
        let body = match operation.method {
            Method::Get | Method::Delete => "",
            Method::Post | Method::Patch => "{}",
        };
        let (method, path) = (operation.method.as_str(), concrete(operation.path));
        let tried = node
            .send(method, &format!("{path}?dryRun=true"), JSON, body)
            .await;
        assert_ne!(tried.body["code"], "invalid_parameter", "{tried:?}");
        let refused = node
            .send(method, &format!("{path}?dryRun=maybe"), JSON, body)
            .await;
        refused.assert_problem(400, "invalid_parameter", operation.id);
        assert_eq!(refused.body["parameter"], "dryRun", "{}", operation.id);
    }
    assert_eq!(node.everything("acme").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_of_the_test_clock_that_is_tried_moves_nothing() {
    const PATH: &str = "/v1/cluster/clock/advance";
    let node = TestNode::start_with(Limits {
        test_clock: true,
        ..Limits::default()
    })
    .await;
    let body = json!({"ms": 60_000});
    let tried = node.post(&format!("{PATH}?dryRun=true"), &body).await;
    let cluster = node.get("/v1/cluster").await;
    assert_eq!(cluster.body.get("clockAdvancedMs"), None, "{cluster:?}");
    let made = node.post(PATH, &body).await;
    assert_eq!((tried.status.as_u16(), made.status.as_u16()), (200, 200));
    assert_eq!(
        tried.header("ipam-revision"),
        made.header("ipam-revision"),
        "{tried:?} {made:?}"
    );
    let cluster = node.get("/v1/cluster").await;
    assert_eq!(cluster.body["clockAdvancedMs"], 60_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_done_is_refused_the_same_when_it_is_tried() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let claim = json!({"name": "c", "pool": "p"});
    node.post("/v1/tenants/acme/claims", &claim).await;
    let path = "/v1/tenants/acme/allocations/10.0.0.0/32";
    for path in [path.to_owned(), format!("{path}?dryRun=true")] {
        let refused = node.delete(&path).await;
        refused.assert_problem(405, "delete_the_claim", &path);
    }
}
