//! Edits over HTTP.

use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::harness::{Answer, TestNode};

const POOL: &str = "/v1/tenants/acme/pools/p";

pub(crate) async fn patch(
    node: &TestNode,
    path: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Answer {
    let mut all = vec![("content-type", "application/merge-patch+json")];
    all.extend(headers);
    node.send("PATCH", path, &all, Bytes::from(body.to_string()))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_edited_as_a_merge_patch_and_only_as_it_was_seen() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let before = node.get(POOL).await.body;
    let revision = before["status"]["revision"].as_u64().unwrap();

    let dry = patch(
        &node,
        &format!("{POOL}?dryRun=true"),
        &json!({ "drain": true }),
        &[],
    )
    .await;
    assert_eq!(
        (dry.status.as_u16(), &dry.body["status"]["phase"]),
        (200, &json!("Draining"))
    );
    assert_eq!(node.get(POOL).await.body, before);

    let stale = patch(
        &node,
        POOL,
        &json!({ "drain": true }),
        &[("if-revision", "1")],
    )
    .await;
    stale.assert_problem(
        412,
        "revision_mismatch",
        "a revision that the pool never had",
    );
    let seen = revision.to_string();
    let edited = patch(
        &node,
        POOL,
        &json!({ "drain": true }),
        &[("if-revision", &seen)],
    )
    .await;
    assert_eq!(
        (edited.status.as_u16(), &edited.body["drain"]),
        (200, &json!(true))
    );
    let refused = node
        .post(
            "/v1/tenants/acme/claims",
            &json!({ "name": "c", "pool": "p" }),
        )
        .await;
    refused.assert_problem(409, "pool_draining", "a claim from a pool that drains");

    // JSON by its plain name is taken too; of another type nothing is.
    let json_type = [("content-type", "application/json")];
    let ended = node
        .send(
            "PATCH",
            POOL,
            &json_type,
            Bytes::from_static(b"{\"drain\":null}"),
        )
        .await;
    assert_eq!(
        (ended.status.as_u16(), ended.body.get("drain")),
        (200, None)
    );
    let text = [("content-type", "text/plain")];
    let refused = node
        .send("PATCH", POOL, &text, Bytes::from_static(b"{}"))
        .await;
    refused.assert_problem(415, "unsupported_media_type", "text");
    let made = node
        .send(
            "POST",
            "/v1/tenants",
            &[("content-type", "application/merge-patch+json")],
            Bytes::from_static(b"{\"name\":\"t\"}"),
        )
        .await;
    made.assert_problem(
        415,
        "unsupported_media_type",
        "a merge patch that is no edit",
    );

    let claim = node
        .post(
            "/v1/tenants/acme/claims",
            &json!({ "name": "c", "pool": "p" }),
        )
        .await;
    assert_eq!(claim.status, 201);
    let path = "/v1/tenants/acme/claims/c";
    let labelled = patch(&node, path, &json!({ "labels": { "app": "web" } }), &[]).await;
    assert_eq!(
        (labelled.status.as_u16(), &labelled.body["labels"]),
        (200, &json!({ "app": "web" }))
    );
    patch(&node, path, &json!({ "owner": "n" }), &[])
        .await
        .assert_problem(422, "invalid_field", "an owner");
    patch(&node, path, &json!({}), &[("if-revision", "5")])
        .await
        .assert_problem(400, "invalid_parameter", "a header that would be ignored");
    let bounded = patch(
        &node,
        "/v1/tenants/acme",
        &json!({ "quota": { "claims": 1 } }),
        &[],
    )
    .await;
    assert_eq!(
        (bounded.status.as_u16(), &bounded.body["quota"]),
        (200, &json!({ "claims": 1 }))
    );
    let over = node
        .post(
            "/v1/tenants/acme/claims",
            &json!({ "name": "d", "pool": "p" }),
        )
        .await;
    over.assert_problem(403, "quota_exceeded", "one more than the quota");
}
