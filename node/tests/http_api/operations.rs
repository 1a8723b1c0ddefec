//! What the operations do, seen from outside.

use serde_json::{Value, json};

use crate::harness::TestNode;

const CLAIMS: &str = "/v1/tenants/acme/claims";

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_made_repeated_shown_found_and_released() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let body = json!({"name": "c", "pool": "p", "owner": "node-1/a", "labels": {"app": "web"}});
    let made = node.post(CLAIMS, &body).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["status"]["allocatedCIDR"]),
        (201, &json!("10.0.0.0/32"))
    );
    let again = node.post(CLAIMS, &body).await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &made.body));
    let other = node
        .post(
            CLAIMS,
            &json!({"name": "c", "pool": "p", "prefixLength": 28}),
        )
        .await;
    other.assert_problem(409, "claim_mismatch", "another length");

    assert_eq!(node.get("/v1/tenants/acme/claims/c").await.body, made.body);
    let lookup = node.get("/v1/tenants/acme/lookup/10.0.0.0").await;
    assert_eq!(lookup.body["claim"]["labels"]["app"], "web", "{lookup:?}");
    let allocation = node.get("/v1/tenants/acme/allocations/10.0.0.0%2F32").await;
    assert_eq!(
        (&allocation.body["purpose"], &allocation.body["claim"]),
        (&json!("Claim"), &json!("c"))
    );
    let not_so = node
        .delete("/v1/tenants/acme/allocations/10.0.0.0/32")
        .await;
    not_so.assert_problem(405, "delete_the_claim", "an allocation");
    assert_eq!(not_so.body["claim"], "c", "{not_so:?}");
    assert_eq!(not_so.header("allow"), Some("GET, HEAD"));

    let generation = made.body["status"]["generation"].as_u64().unwrap();
    let stale = node
        .delete(&format!("{CLAIMS}/c?generation={}", generation + 1))
        .await;
    stale.assert_problem(412, "generation_stale", "a generation that was never given");
    let path = format!("{CLAIMS}/c?generation={generation}");
    let released = node.delete(&path).await;
    assert_eq!(
        (released.status.as_u16(), &released.body["status"]["phase"]),
        (200, &json!("Released"))
    );
    node.get("/v1/tenants/acme/claims/c").await.assert_problem(
        404,
        "claim_not_found",
        "a released claim",
    );

    let next = node.post(CLAIMS, &json!({"name": "d", "pool": "p"})).await;
    assert_eq!(next.body["status"]["allocatedCIDR"], "10.0.0.0/32");
    assert_eq!(node.delete(&path).await.status, 200);
    assert_eq!(node.get("/v1/tenants/acme/claims/d").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_answers_exactly_and_changes_nothing() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    node.post(CLAIMS, &json!({"name": "held", "pool": "p"}))
        .await;
    let before = node.everything("acme").await;
    let cases: Vec<(&str, &str, Value)> = vec![
        ("POST", "/v1/tenants", json!({"name": "other"})),
        (
            "POST",
            "/v1/tenants/acme/pools",
            json!({"name": "q", "cidrs": ["10.9.0.0/24"]}),
        ),
        (
            "POST",
            "/v1/tenants/acme/pools",
            json!({"name": "q", "cidrs": ["10.0.0.0/25"]}),
        ),
        ("POST", CLAIMS, json!({"name": "c", "pool": "p"})),
        (
            "POST",
            CLAIMS,
            json!({"name": "c", "pool": "p", "cidr": "10.0.0.0/32"}),
        ),
        (
            "POST",
            "/v1/tenants/acme/batch",
            json!({"atomic": true, "operations": [{"createClaim": {"name": "b1", "pool": "p"}}]}),
        ),
        ("DELETE", "/v1/tenants/acme/claims/held", Value::Null),
        ("DELETE", "/v1/tenants/acme/pools/p", Value::Null),
        ("DELETE", "/v1/tenants/acme", Value::Null),
    ];
    for (method, path, body) in cases {
        let headers = [("content-type", "application/json")];
        let bytes = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let dry = node
            .send(
                method,
                &format!("{path}?dryRun=true"),
                &headers,
                bytes.clone(),
            )
            .await;
        assert_eq!(
            node.everything("acme").await,
            before,
            "{method} {path} changed something"
        );
        if dry.status.is_client_error() {
            let real = node.send(method, path, &headers, bytes).await;
            assert_eq!(
                (real.status, &real.body),
                (dry.status, &dry.body),
                "{method} {path}"
            );
        } else {
            assert!(dry.status.is_success(), "{method} {path}: {dry:?}");
        }
    }
    let dry = node
        .post(
            &format!("{CLAIMS}?dryRun=true"),
            &json!({"name": "c", "pool": "p"}),
        )
        .await;
    let real = node.post(CLAIMS, &json!({"name": "c", "pool": "p"})).await;
    assert_eq!(dry.status, real.status);
    assert_eq!(
        dry.body["status"]["allocatedCIDR"],
        real.body["status"]["allocatedCIDR"]
    );
    assert_eq!(
        dry.body["status"]["generation"],
        real.body["status"]["generation"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_says_what_is_left() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    for name in ["a", "b", "c", "d"] {
        let made = node
            .post(
                CLAIMS,
                &json!({"name": name, "pool": "p", "prefixLength": 26}),
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let refused = node.post(CLAIMS, &json!({"name": "e", "pool": "p"})).await;
    refused.assert_problem(507, "pool_exhausted", "a full pool");
    assert_eq!(
        (&refused.body["free"], &refused.body["retryable"]),
        (&json!("0"), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_all_or_none_or_each_on_its_own() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let operations = json!([
        {"createClaim": {"name": "b1", "pool": "p"}},
        {"createClaim": {"name": "b2", "pool": "nowhere"}},
        {"releaseClaim": {"name": "b1"}},
    ]);
    let atomic = node
        .post(
            "/v1/tenants/acme/batch",
            &json!({"atomic": true, "operations": operations}),
        )
        .await;
    atomic.assert_problem(404, "pool_not_found", "the culprit's status and code");
    assert_eq!(atomic.body["failedIndex"], 1);
    assert_eq!(atomic.body["results"][0]["status"], 424);
    node.get("/v1/tenants/acme/claims/b1").await.assert_problem(
        404,
        "claim_not_found",
        "nothing applied",
    );

    let each = node
        .post(
            "/v1/tenants/acme/batch",
            &json!({"atomic": false, "operations": operations}),
        )
        .await;
    assert_eq!(each.status, 200, "{each:?}");
    let statuses: Vec<_> = each.body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 404, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_where_its_page_ended() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    for index in 0..7 {
        node.post(CLAIMS, &json!({"name": format!("c{index}"), "pool": "p"}))
            .await;
    }
    let mut names = Vec::new();
    let mut path = format!("{CLAIMS}?limit=3");
    for _ in 0..4 {
        let page = node.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        names.extend(
            page.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].clone()),
        );
        match page.body["nextPageToken"].as_str() {
            Some(token) => path = format!("{CLAIMS}?limit=3&pageToken={token}"),
            None => break,
        }
    }
    assert_eq!(names, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_show_their_free_blocks_and_their_tree() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    node.post(
        CLAIMS,
        &json!({"name": "c", "pool": "p", "prefixLength": 26}),
    )
    .await;
    let free = node.get("/v1/tenants/acme/pools/p/free").await;
    assert_eq!(
        free.body["items"],
        json!(["10.0.0.128/25", "10.0.0.64/26"]),
        "{free:?}"
    );
    let count = node
        .get("/v1/tenants/acme/pools/p/free?prefixLength=26&count=true")
        .await;
    assert_eq!(count.body["count"], "3", "{count:?}");
    let tree = node.get("/v1/tenants/acme/pools/p/tree").await;
    assert_eq!(
        (&tree.body["name"], &tree.body["heldBelow"]),
        (&json!("p"), &json!("64")),
        "{tree:?}"
    );
    let used = node.delete("/v1/tenants/acme/pools/p").await;
    used.assert_problem(409, "pool_in_use", "a pool with a claim");
    assert_eq!(used.body["claims"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_and_its_digest_are_shown() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let cluster = node.get("/v1/cluster").await;
    assert_eq!(
        (&cluster.body["leader"], &cluster.body["node"]),
        (&json!(1), &json!(1)),
        "{cluster:?}"
    );
    assert_eq!(cluster.body["members"][0]["role"], "voter");
    let revision = node.replica.applied().at().revision;
    let digest = node
        .get(&format!("/v1/cluster/digest?revision={revision}"))
        .await;
    assert_eq!(digest.body["revision"], revision, "{digest:?}");
    assert_eq!(
        digest.body["digest"].as_str().map(str::len),
        Some(32),
        "{digest:?}"
    );
    node.delete("/v1/cluster/members/9").await.assert_problem(
        404,
        "member_not_found",
        "no such member",
    );
}
