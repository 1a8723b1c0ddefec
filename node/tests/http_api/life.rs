//! The life of a block, seen from outside: leases, grace, returns, reclaims.

use node::http::Limits;
use serde_json::{Value, json};

use crate::harness::TestNode;

const CLAIMS: &str = "/v1/tenants/acme/claims";
const ADVANCE: &str = "/v1/cluster/clock/advance";

/// A node whose clock may be moved, with a pool of two blocks, a grace of a minute and leases of ten.
async fn leased() -> TestNode {
    let limits = Limits {
        test_clock: true,
        ..Limits::default()
    };
    let node = TestNode::start_with(limits).await;
    node.with_pool("acme").await;
    let pool = json!({
        "name": "leased", "cidrs": ["10.9.0.0/31"], "graceSeconds": 60, "maxGraceSeconds": 120,
        "maxTtlSeconds": 600, "reclaimPolicy": "Delete", "allowRetain": false,
    });
    let made = node.post("/v1/tenants/acme/pools", &pool).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    for (field, value) in pool.as_object().unwrap() {
        assert_eq!(&made.body[field], value, "{field}");
    }
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_confirmed_renewed_and_over() {
    let node = leased().await;
    let body = json!({"name": "c", "pool": "leased", "owner": "node-1", "ttlSeconds": 100, "graceSeconds": 120});
    let made = node.post(CLAIMS, &body).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    assert_eq!(
        (&made.body["ttlSeconds"], &made.body["graceSeconds"]),
        (&json!(100), &json!(120))
    );
    let status = &made.body["status"];
    assert!(status["expiresAt"].is_string(), "{status}");
    assert_eq!(status["firstAllocatedAt"], status["allocatedAt"]);

    // A dry run first: the exact answer, and nothing changes.
    let path = format!("{CLAIMS}/c/confirm");
    let own = json!({"owner": "node-1", "generation": status["generation"]});
    let dry = node.post(&format!("{path}?dryRun=true"), &own).await;
    assert_eq!(dry.body["status"]["phase"], "InUse");
    let held = node.get(&format!("{CLAIMS}/c")).await;
    assert_eq!(held.body["status"]["phase"], "Allocated");
    let confirmed = node.post(&path, &own).await;
    assert_eq!(confirmed.body["status"]["phase"], "InUse");
    assert!(confirmed.body["status"]["inUseAt"].is_string());

    for what in ["confirm", "renew"] {
        let path = format!("{CLAIMS}/c/{what}");
        let refused = [
            (json!({"owner": "node-2"}), 403, "not_the_holder"),
            (json!({}), 403, "not_the_holder"),
            (
                json!({"owner": "node-1", "generation": 999}),
                412,
                "generation_stale",
            ),
            (json!({"owner": ""}), 422, "invalid_field"),
            (json!({"holder": "node-1"}), 422, "invalid_field"),
        ];
        for (body, status, code) in refused {
            let answer = node.post(&path, &body).await;
            answer.assert_problem(status, code, what);
        }
        let nobody = node.post(&format!("{CLAIMS}/nobody/{what}"), &own).await;
        nobody.assert_problem(404, "claim_not_found", what);
    }
    let long = json!({"owner": "node-1", "ttlSeconds": 601});
    let refused = node.post(&format!("{CLAIMS}/c/renew"), &long).await;
    refused.assert_problem(422, "invalid_field", "a lease above the pool's longest");

    // Expiring is told a tenth before the end; a renewal takes it back.
    advance(&node, 95_000).await;
    node.until("the coming end", async |node| {
        let held = node.get(&format!("{CLAIMS}/c")).await.body;
        conditions(&held).contains(&"Expiring".to_owned())
    })
    .await;
    let own = json!({"owner": "node-1"});
    let renewed = node.post(&format!("{CLAIMS}/c/renew"), &own).await;
    assert_eq!(conditions(&renewed.body), ["Allocated"]);

    // Over: the claim is gone, the block is kept.
    advance(&node, 100_000).await;
    node.until("the end of the lease", async |node| {
        node.get(&format!("{CLAIMS}/c")).await.status.as_u16() == 404
    })
    .await;
    let gone = node.get(&format!("{CLAIMS}/c")).await.body;
    assert!(gone["ended"]["status"]["reclaimAt"].is_string(), "{gone}");
    let pool = node.get("/v1/tenants/acme/pools/leased").await.body;
    assert_eq!(pool["status"]["capacity"]["released"], "1", "{pool}");
    let back = node
        .post(
            CLAIMS,
            &json!({"name": "d", "pool": "leased", "owner": "node-1"}),
        )
        .await;
    assert_eq!(back.body["status"]["returned"], true, "{back:?}");
    let metrics = node.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
    for name in ["ipam_expirations_total", "ipam_returns_total"] {
        assert!(
            metrics.lines().any(|line| line.starts_with(name)),
            "{name} is counted"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_block_is_reclaimed_by_its_generation() {
    let node = leased().await;
    let body = json!({"name": "c", "pool": "leased"});
    let made = node.post(CLAIMS, &body).await.body;
    let generation = made["status"]["generation"].as_u64().unwrap();
    let cidr = &made["status"]["allocatedCIDR"];
    let path = "/v1/tenants/acme/allocations/reclaim";
    let reclaim = |generation: u64| json!({"cidr": cidr, "generation": generation});
    let held = node.post(path, &reclaim(generation)).await;
    held.assert_problem(409, "address_taken", "it is held");
    assert_eq!(held.body["held"]["claim"], "c");
    node.delete(&format!("{CLAIMS}/c?generation={generation}"))
        .await;
    let kept = format!("/v1/tenants/acme/allocations/{}", cidr.as_str().unwrap());
    let shown = node.get(&kept).await.body;
    assert_eq!(
        (&shown["phase"], &shown["claim"]),
        (&json!("Released"), &json!("c"))
    );
    let stale = node.post(path, &reclaim(generation + 1)).await;
    stale.assert_problem(412, "generation_stale", "another generation");
    let wrong = node
        .post(path, &json!({"cidr": "10.9.0.1/31", "generation": 1}))
        .await;
    wrong.assert_problem(422, "invalid_field", "host bits");
    let reclaimed = node.post(path, &reclaim(generation)).await;
    assert_eq!(reclaimed.status.as_u16(), 200, "{reclaimed:?}");
    node.get(&kept)
        .await
        .assert_problem(404, "allocation_not_found", "it is free");
    let again = node.post(path, &reclaim(generation)).await;
    again.assert_problem(404, "allocation_not_found", "it was reclaimed");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_moved_only_where_a_test_was_announced() {
    let node = TestNode::start().await;
    let refused = node.post(ADVANCE, &json!({"ms": 1})).await;
    refused.assert_problem(403, "test_clock_off", "a node without --test-clock");
    let shown = node.get("/v1/cluster").await.body;
    assert_eq!(
        (&shown["clockAdvancedMs"], &shown["testClock"]),
        (&Value::Null, &Value::Null)
    );

    let node = leased().await;
    for wrong in [json!({"ms": 0}), json!({"ms": 10_000_000_000_000_u64})] {
        let refused = node.post(ADVANCE, &wrong).await;
        refused.assert_problem(422, "invalid_field", "out of bounds");
    }
    advance(&node, 5).await;
    advance(&node, 7).await;
    let shown = node.get("/v1/cluster").await.body;
    assert_eq!(
        (&shown["clockAdvancedMs"], &shown["testClock"]),
        (&json!(12), &json!(true))
    );
}

async fn advance(node: &TestNode, ms: u64) {
    let answer = node.post(ADVANCE, &json!({"ms": ms})).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
}

fn conditions(claim: &Value) -> Vec<String> {
    let all = claim["status"]["conditions"].as_array().unwrap();
    all.iter()
        .map(|one| one["type"].as_str().unwrap().to_owned())
        .collect()
}
