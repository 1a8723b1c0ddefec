//! What a pool hands to its holders, over HTTP.

use serde_json::{Value, json};

use crate::edits::patch;
use crate::harness::TestNode;

const POOLS: &str = "/v1/tenants/acme/pools";
const CLAIMS: &str = "/v1/tenants/acme/claims";

fn routes() -> Value {
    json!([
        { "dst": "0.0.0.0/0", "gw": "10.0.0.1", "mtu": 1400, "advmss": 1360, "priority": 100, "table": 254, "scope": 0 },
        { "dst": "169.254.169.254/32" },
    ])
}

fn dns() -> Value {
    json!({ "nameservers": ["10.0.0.53", "2001:db8::53"], "domain": "pods.example", "search": ["example"], "options": ["ndots:5"] })
}

/// A pool that states all four, shared with everyone.
async fn node() -> TestNode {
    let node = TestNode::start().await;
    for tenant in ["acme", "other"] {
        let made = node.post("/v1/tenants", &json!({ "name": tenant })).await;
        assert_eq!(made.status, 201);
    }
    let pool = json!({
        "name": "p", "cidrs": ["10.0.0.0/16"], "sharedWith": ["*"], "routes": routes(), "dns": dns(),
        "mtu": 1450, "parameters": { "interface": "eth0", "vlan": "7" },
    });
    let made = node.post(POOLS, &pool).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    // The same again is there already, also as it is shown; another is not the same.
    assert_eq!(node.post(POOLS, &pool).await.status, 200);
    assert_eq!(node.post(POOLS, &made.body).await.status, 200);
    let mut other = pool;
    other["dns"]["search"] = json!([]);
    let refused = node.post(POOLS, &other).await;
    refused.assert_problem(409, "already_exists", "another resolver");
    assert_eq!(refused.body["field"], "dns");
    node
}

/// The four, as a status has them.
fn four(shown: &Value) -> Value {
    let status = &shown["status"];
    json!([
        status["routes"],
        status["dns"],
        status["mtu"],
        status["parameters"]
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn holders_are_handed_what_the_pool_or_the_next_one_above_it_says() {
    let node = node().await;
    let parameters = json!({ "interface": "eth0", "vlan": "7" });
    let of_p = json!([routes(), dns(), 1450, parameters]);
    let claim = node
        .post(CLAIMS, &json!({ "name": "c", "pool": "p" }))
        .await;
    assert_eq!(four(&claim.body), of_p);
    assert_eq!(four(&node.get(&format!("{CLAIMS}/c")).await.body), of_p);

    // Another tenant's child and its claims too; what it states itself counts.
    let child = json!({
        "name": "kid", "parent": { "tenant": "acme", "name": "p" }, "prefixLength": 24, "mtu": 1300, "routes": [],
    });
    let made = node.post("/v1/tenants/other/pools", &child).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let of_kid = json!([[], dns(), 1300, parameters]);
    assert_eq!(four(&made.body), of_kid);
    assert_eq!(
        (&made.body["mtu"], &made.body["routes"], &made.body["dns"]),
        (&json!(1300), &json!([]), &Value::Null),
        "at the top is what it states"
    );
    let batch = json!({ "atomic": true, "operations": [{ "createClaim": { "name": "d", "pool": "kid" } }] });
    let done = node.post("/v1/tenants/other/batch", &batch).await;
    assert_eq!(
        four(&done.body["results"][0]["body"]),
        of_kid,
        "{:?}",
        done.body
    );

    let listed = node.get("/v1/tenants/other/claims").await.body;
    assert_eq!(four(&listed["items"][0]), of_kid);
    let found = node.get("/v1/tenants/acme/lookup/10.0.0.0").await.body;
    assert_eq!(four(&found["claim"]), of_p, "{found}");

    // What has ended is handed nothing.
    let released = node.delete(&format!("{CLAIMS}/c")).await.body;
    assert_eq!(four(&released), json!([null, null, null, null]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_seen_by_all_holders_below_and_only_as_it_was_meant() {
    let node = node().await;
    let path = format!("{POOLS}/p");
    let kid = json!({ "name": "kid", "parent": "p", "prefixLength": 24 });
    assert_eq!(node.post(POOLS, &kid).await.status, 201);
    let claim = json!({ "name": "c", "pool": "kid" });
    assert_eq!(node.post(CLAIMS, &claim).await.status, 201);
    let before = node.get(&path).await.body;
    let edit = json!({
        "routes": null, "dns": { "domain": null, "search": ["a", "b"] }, "mtu": 1200,
        "parameters": { "vlan": null, "gatewayMac": "02:00:00:00:00:01" },
    });
    let expected = json!([
        null,
        { "nameservers": ["10.0.0.53", "2001:db8::53"], "search": ["a", "b"], "options": ["ndots:5"] },
        1200,
        { "interface": "eth0", "gatewayMac": "02:00:00:00:00:01" },
    ]);
    let dry = patch(&node, &format!("{path}?dryRun=true"), &edit, &[]).await;
    assert_eq!(four(&dry.body), expected);
    let stale = patch(&node, &path, &edit, &[("if-revision", "1")]).await;
    stale.assert_problem(412, "revision_mismatch", "a revision that it never had");
    let refused = patch(
        &node,
        &path,
        &json!({ "mtu": 1200, "dns": { "domain": "" } }),
        &[],
    )
    .await;
    refused.assert_problem(422, "invalid_field", "an empty domain");
    assert_eq!(refused.body["fields"][0]["field"], "dns.domain");
    assert_eq!(node.get(&path).await.body, before);

    let mut watch = node.events("/v1/tenants/acme/watch?kind=Pool", &[]).await;
    let done = patch(&node, &path, &edit, &[]).await;
    assert_eq!(
        (done.status.as_u16(), four(&done.body)),
        (200, expected.clone())
    );
    let told = watch.next_event().await.data;
    assert_eq!(
        (&told["type"], &told["object"]["mtu"]),
        (&json!("poolChanged"), &json!(1200)),
        "{told}"
    );
    assert_eq!(four(&node.get(&format!("{CLAIMS}/c")).await.body), expected);

    // The child's own, and the parent's again.
    let path = format!("{POOLS}/kid");
    let own = patch(&node, &path, &json!({ "dns": {}, "mtu": 1280 }), &[]).await;
    assert_eq!(
        (&own.body["status"]["dns"], &own.body["status"]["mtu"]),
        (&json!({}), &json!(1280))
    );
    let again = patch(&node, &path, &json!({ "dns": null, "mtu": null }), &[]).await;
    assert_eq!(four(&again.body), expected);
    assert_eq!(four(&node.get(&format!("{CLAIMS}/c")).await.body), expected);
}
