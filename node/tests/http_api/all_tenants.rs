//! Lists over all tenants, and the filters of lists.

use serde_json::{Value, json};

use crate::harness::{JSON, TestNode};

/// `acme` shares its pool with `b`; both claim from it, `b` from its own, too.
async fn shared() -> TestNode {
    let node = TestNode::start().await;
    for tenant in ["acme", "b", "empty"] {
        node.with_pool(tenant).await;
    }
    let share = json!({"sharedWith": ["b"], "labels": {"zone": "x"}});
    let shared = node
        .send("PATCH", "/v1/tenants/acme/pools/p", JSON, share.to_string())
        .await;
    assert_eq!(shared.status, 200, "{shared:?}");
    let theirs = json!({"tenant": "acme", "name": "p"});
    for (tenant, claim) in [
        ("acme", json!({"name": "own", "pool": "p", "owner": "n1/a"})),
        (
            "b",
            json!({"name": "guest", "pool": theirs, "owner": "n1/b"}),
        ),
        ("b", json!({"name": "home", "pool": "p"})),
        (
            "acme",
            json!({"name": "spare", "pool": "p", "purpose": "Reservation"}),
        ),
    ] {
        let path = format!("/v1/tenants/{tenant}/claims");
        let made = node.post(&path, &claim).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    node
}

/// The items of all pages, one on each.
async fn walked(node: &TestNode, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut next = format!("{path}{joint}limit=1");
    loop {
        let page = node.get(&next).await;
        assert_eq!(page.status, 200, "{next}: {page:?}");
        assert!(page.body["revision"].is_u64(), "{page:?}");
        items.extend(page.body["items"].as_array().unwrap().iter().cloned());
        match page.body["nextPageToken"].as_str() {
            Some(token) => next = format!("{path}{joint}limit=1&pageToken={token}"),
            None => return items,
        }
    }
}

/// Tenant, and name or block, of each.
fn shown(items: &[Value]) -> String {
    let line = |item: &Value| {
        let name = item["name"].as_str().or(item["cidr"].as_str());
        format!("{}/{}", item["tenant"].as_str().unwrap(), name.unwrap())
    };
    items.iter().map(line).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_list_over_all_tenants_names_its_tenant() {
    let node = shared().await;
    let pools = walked(&node, "/v1/pools").await;
    assert_eq!(shown(&pools), "acme/p b/p empty/p");
    let claims = walked(&node, "/v1/claims").await;
    assert_eq!(shown(&claims), "acme/own acme/spare b/guest b/home");
    assert_eq!(
        claims[2]["status"]["pool"],
        json!({"tenant": "acme", "name": "p"})
    );
    let held = walked(&node, "/v1/allocations").await;
    assert_eq!(
        shown(&held),
        "acme/10.0.0.0/32 acme/10.0.0.2/32 b/10.0.0.0/32 b/10.0.0.1/32"
    );
    let guest = &held[3];
    assert_eq!(guest["claim"], "guest");
    assert_eq!(guest["owner"], "n1/b");
    assert_eq!(guest["pool"], json!({"tenant": "acme", "name": "p"}));
    // What a tenant sees of its own has no tenant, and of a guest no more than that.
    let own = node.get("/v1/tenants/acme/allocations").await.body;
    let own = own["items"].as_array().unwrap();
    assert_eq!(own[0].get("tenant"), None);
    assert_eq!(
        (&own[1]["tenant"], own[1].get("claim")),
        (&json!("b"), None)
    );
    let own = node.get("/v1/tenants/acme/claims").await.body;
    assert_eq!(own["items"][0].get("tenant"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_narrowed_by_the_filters_that_they_have() {
    let node = shared().await;
    node.send(
        "PATCH",
        "/v1/tenants/b/pools/p",
        JSON,
        json!({"drain": true}).to_string(),
    )
    .await;
    node.send(
        "PATCH",
        "/v1/tenants/b",
        JSON,
        json!({"labels": {"env": "prod"}}).to_string(),
    )
    .await;
    for (path, expected) in [
        ("/v1/claims?pool=p", "acme/own acme/spare b/guest b/home"),
        ("/v1/claims?purpose=Reservation", "acme/spare"),
        ("/v1/claims?ownerPrefix=n1", "acme/own b/guest"),
        ("/v1/claims?within=10.0.0.1/32", "b/guest"),
        ("/v1/claims?allocatedBefore=2001-01-01T00:00:00Z", ""),
        ("/v1/pools?phase=Draining", "b/p"),
        ("/v1/pools?phase=Ready&labelSelector=!zone", "empty/p"),
        ("/v1/allocations?purpose=Reservation", "acme/10.0.0.2/32"),
        ("/v1/allocations?owner=n1/b", "b/10.0.0.1/32"),
    ] {
        assert_eq!(shown(&walked(&node, path).await), expected, "{path}");
    }
    let names = async |path: &str| {
        let items = walked(&node, path).await;
        let names = items.iter().map(|item| item["name"].as_str().unwrap());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("/v1/tenants?labelSelector=env%3Dprod").await, "b");
    assert_eq!(names("/v1/tenants?labelSelector=!env").await, "acme empty");
    let of_b = "/v1/tenants/b/claims?pool=p";
    assert_eq!(names(of_b).await, "home", "a pool of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_or_a_token_of_another_list_is_refused() {
    let node = shared().await;
    let page = node.get("/v1/claims?limit=1").await.body;
    let token = page["nextPageToken"].as_str().unwrap();
    let next = node.get(&format!("/v1/claims?pageToken={token}")).await;
    assert_eq!(next.status, 200, "{next:?}");
    for (path, parameter) in [
        (format!("/v1/pools?pageToken={token}"), "pageToken"),
        (
            format!("/v1/tenants/acme/claims?pageToken={token}"),
            "pageToken",
        ),
        (format!("/v1/claims?pool=p&pageToken={token}"), "pageToken"),
        ("/v1/claims?tenant=acme".to_owned(), "tenant"),
        ("/v1/claims?parent=p".to_owned(), "parent"),
        ("/v1/claims?purpose=Child".to_owned(), "purpose"),
        ("/v1/pools?pool=p".to_owned(), "pool"),
        ("/v1/pools?phase=Released".to_owned(), "phase"),
        ("/v1/allocations?parent=p".to_owned(), "parent"),
        ("/v1/allocations?limit=0".to_owned(), "limit"),
        ("/v1/tenants?owner=o".to_owned(), "owner"),
    ] {
        let refused = node.get(&path).await;
        refused.assert_problem(400, "invalid_parameter", &path);
        assert_eq!(refused.body["parameter"], parameter, "{path}");
    }
}
