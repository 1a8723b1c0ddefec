//! Pools over HTTP: their layout, sharing, and claims that select them.

use serde_json::{Value, json};

use crate::harness::TestNode;

const POOLS: &str = "/v1/tenants/acme/pools";
const CLAIMS: &str = "/v1/tenants/acme/claims";

async fn node() -> TestNode {
    let node = TestNode::start().await;
    for tenant in ["acme", "other"] {
        let made = node.post("/v1/tenants", &json!({ "name": tenant })).await;
        assert_eq!(made.status.as_u16(), 201);
    }
    let pool = json!({
        "name": "p", "cidrs": ["10.0.0.0/24"], "sharedWith": ["other"], "labels": { "zone": "a" },
        "exclude": ["10.0.0.255"],
    });
    assert_eq!(node.post(POOLS, &pool).await.status.as_u16(), 201);
    node
}

/// The runs of a map, each in a line.
fn runs(map: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    map["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            let (first, last) = (text(&run["first"]), text(&run["last"]));
            format!("{first}-{last} {}", text(&run["state"]))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pools_layout_is_told_in_runs_at_any_zoom() {
    let node = node().await;
    let claim = json!({ "name": "c", "pool": "p", "cidr": "10.0.0.0/32" });
    assert_eq!(node.post(CLAIMS, &claim).await.status.as_u16(), 201);
    let child = json!({
        "name": "theirs", "parent": { "tenant": "acme", "name": "p" }, "cidr": "10.0.0.128/26",
    });
    let made = node.post("/v1/tenants/other/pools", &child).await;
    assert_eq!(made.status.as_u16(), 201, "{:?}", made.body);

    let map = node.get(&format!("{POOLS}/p/map")).await.body;
    assert_eq!(map["prefixLength"], 32);
    assert_eq!(
        runs(&map),
        [
            "10.0.0.0-10.0.0.0 Allocated",
            "10.0.0.1-10.0.0.127 Free",
            "10.0.0.128-10.0.0.191 Child",
            "10.0.0.192-10.0.0.254 Free",
            "10.0.0.255-10.0.0.255 Reserved",
        ]
    );
    let theirs = &map["items"][2];
    assert_eq!(
        (&theirs["tenant"], &theirs["child"]),
        (&json!("other"), &Value::Null)
    );

    let coarse = node
        .get(&format!("{POOLS}/p/map?prefixLength=25"))
        .await
        .body;
    assert_eq!(runs(&coarse), ["10.0.0.0-10.0.0.255 Mixed"]);
    assert_eq!(coarse["items"][0]["largestFreePrefixLength"], 26);

    let mut paged = Vec::new();
    let mut from = String::new();
    loop {
        let page = node.get(&format!("{POOLS}/p/map?limit=2{from}")).await.body;
        paged.extend(runs(&page));
        match page["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => break,
        }
    }
    assert_eq!(paged, runs(&map));

    for (query, field) in [
        ("prefixLength=33", "prefixLength"),
        ("prefixLength=x", "prefixLength"),
        ("from=2001:db8::", "from"),
        ("from=10.0.0.0/24", "from"),
        ("limit=1001", "limit"),
    ] {
        let refused = node.get(&format!("{POOLS}/p/map?{query}")).await;
        refused.assert_problem(400, "invalid_parameter", query);
        assert_eq!(refused.body["parameter"], field, "{query}");
    }
    let absent = node.get(&format!("{POOLS}/q/map")).await;
    absent.assert_problem(404, "pool_not_found", "no such pool");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_claim_shows_neither_its_name_nor_its_labels() {
    let node = node().await;
    let selector = json!({ "tenant": "acme", "matchLabels": { "zone": "a" } });
    let claim = json!({
        "name": "secret", "poolSelector": selector, "prefixLength": 32, "owner": "node-1",
        "labels": { "app": "web" },
    });
    let made = node.post("/v1/tenants/other/claims", &claim).await;
    assert_eq!(made.status.as_u16(), 201, "{:?}", made.body);
    assert_eq!(
        made.body["status"]["pool"],
        json!({ "tenant": "acme", "name": "p" })
    );
    assert_eq!(made.body["poolSelector"], selector);

    for path in [
        "allocations/10.0.0.0/32",
        "allocations",
        "lookup/10.0.0.0",
        "pools/p/map",
        "pools/p/tree",
    ] {
        let seen = node.get(&format!("/v1/tenants/acme/{path}")).await;
        assert_eq!(seen.status.as_u16(), 200, "{path}");
        let text = seen.body.to_string();
        assert!(
            !["secret", "node-1", "web"]
                .iter()
                .any(|word| text.contains(word)),
            "{path}: {text}"
        );
    }
    let refused = node.delete(&format!("{POOLS}/p")).await;
    refused.assert_problem(409, "pool_in_use", "another tenant holds of it");
    assert!(!refused.body.to_string().contains("secret"));
    let own = node.get("/v1/tenants/other/lookup/10.0.0.0").await;
    assert_eq!(own.body["claim"]["name"], "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_matches_nothing_says_so_and_changes_nothing() {
    let node = node().await;
    let before = node.everything("acme").await;
    let claim = |selector: Value| json!({ "name": "c", "poolSelector": selector });
    for selector in [
        json!({ "matchLabels": { "zone": "b" } }),
        json!({ "matchExpressions": [{ "key": "zone", "operator": "DoesNotExist" }] }),
        json!({ "family": "IPv6" }),
        json!({ "tenant": "other" }),
        json!({ "tenant": "nobody" }),
    ] {
        let refused = node.post(CLAIMS, &claim(selector.clone())).await;
        refused.assert_problem(404, "no_pool_matches", &selector.to_string());
    }
    assert_eq!(node.everything("acme").await, before);
}
