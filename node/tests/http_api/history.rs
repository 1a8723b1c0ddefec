//! The past, seen from outside: who held what, and who had an address at a revision or time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{JSON, TestNode};

const CLAIMS: &str = "/v1/tenants/acme/claims";
const HISTORY: &str = "/v1/tenants/acme/history";
const LOOKUP: &str = "/v1/tenants/acme/lookup";

/// A claim on the first address that is made and released; the revision and time at which it was held.
async fn held_once(node: &TestNode, name: &str) -> (u64, String) {
    let body = json!({"name": name, "pool": "p", "owner": "node-1/eth0", "labels": {"app": name}});
    let made = node.post(CLAIMS, &body).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    let status = &made.body["status"];
    let at = status["allocatedAt"].as_str().unwrap().to_owned();
    // Times are told in milliseconds: it must be held at the end of the one in which it was made.
    tokio::time::sleep(Duration::from_millis(20)).await;
    node.delete(&format!("{CLAIMS}/{name}")).await;
    (status["revision"].as_u64().unwrap(), at)
}

fn line(holding: &Value) -> String {
    let word = |name: &str| holding[name].as_str().unwrap_or("-").to_owned();
    ["cidr", "claim", "child", "tenant", "reason"]
        .map(word)
        .join(" ")
}

fn lines(answer: &Value) -> Vec<String> {
    answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_had_an_address_is_told_after_the_claim_and_its_pool_are_gone() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let (revision, at) = held_once(&node, "web").await;
    node.delete("/v1/tenants/acme/pools/p").await;
    let now = node.get(&format!("{LOOKUP}/10.0.0.0")).await.body;
    assert_eq!((&now["pools"], &now["claim"]), (&json!([]), &Value::Null));
    for moment in [revision.to_string(), at.clone()] {
        let past = node.get(&format!("{LOOKUP}/10.0.0.0?at={moment}")).await;
        assert_eq!(past.status.as_u16(), 200, "{past:?}");
        let past = past.body;
        assert_eq!(past["pools"], json!(["p"]), "{past}");
        assert_eq!(past["claim"]["name"], "web");
        assert_eq!(past["claim"]["labels"], json!({"app": "web"}));
        assert_eq!(past["allocation"]["phase"], "Allocated");
        assert_eq!(past["allocation"]["owner"], "node-1/eth0");
        if moment != at {
            assert_eq!(past["revision"], revision);
        }
    }
    let before = node.get(&format!("{LOOKUP}/10.0.0.0?at=1")).await.body;
    assert_eq!(before["allocation"], Value::Null);
    for (path, status, code) in [
        (
            "acme/lookup/10.0.0.0?at=yesterday",
            400,
            "invalid_parameter",
        ),
        (
            "acme/lookup/10.0.0.0?at=999999&consistency=linearizable",
            400,
            "invalid_parameter",
        ),
        ("nobody/lookup/10.0.0.0?at=1", 404, "tenant_not_found"),
        ("nobody/history", 404, "tenant_not_found"),
        ("acme/history?cidr=10.0.0.0/8x", 400, "invalid_parameter"),
        ("acme/history?pageToken=x", 400, "invalid_parameter"),
    ] {
        let refused = node.get(&format!("/v1/tenants/{path}")).await;
        refused.assert_problem(status, code, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holdings_are_listed_in_pages_with_their_beginning_and_their_end() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    node.with_pool("other").await;
    for name in ["a", "b"] {
        held_once(&node, name).await;
    }
    node.post(CLAIMS, &json!({"name": "c", "pool": "p"})).await;
    node.post(
        "/v1/tenants/other/claims",
        &json!({"name": "theirs", "pool": "p"}),
    )
    .await;
    let listed = node.get(HISTORY).await.body;
    assert_eq!(
        lines(&listed),
        [
            "10.0.0.0/32 a - - released",
            "10.0.0.0/32 b - - released",
            "10.0.0.0/32 c - - -",
        ]
    );
    let first = &listed["items"][0];
    assert_eq!(first["toRevision"], first["goneRevision"]);
    assert!(first["fromRevision"].as_u64() < first["toRevision"].as_u64());
    assert!(first["from"].is_string() && first["to"].is_string());
    let mut paged = Vec::new();
    let mut path = format!("{HISTORY}?limit=1");
    loop {
        let page = node.get(&path).await.body;
        paged.extend(lines(&page));
        match page["nextPageToken"].as_str() {
            Some(token) => path = format!("{HISTORY}?limit=1&pageToken={token}"),
            None => break,
        }
    }
    assert_eq!(paged, lines(&listed));
    let of = async |query: &str| lines(&node.get(&format!("{HISTORY}?{query}")).await.body);
    assert_eq!(of("claim=b").await, ["10.0.0.0/32 b - - released"]);
    assert_eq!(of("owner=node-1/eth0").await.len(), 2);
    assert_eq!(of("cidr=10.0.0.0/30&pool=p&space=default").await.len(), 3);
    assert_eq!(of("cidr=10.0.0.1").await, Vec::<String>::new());
    let everywhere = node.get("/v1/history?claim=theirs").await.body;
    assert_eq!(lines(&everywhere), ["10.0.0.0/32 theirs - other -"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_bound_how_far_back_the_past_reaches() {
    const SETTINGS: &str = "/v1/cluster/settings";
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let first = node.get(SETTINGS).await.body;
    assert_eq!(
        first,
        json!({"eventsMaxAgeSeconds": 604_800, "eventsMaxCount": 1_000_000, "eventsMaxBytes": 134_217_728})
    );
    let edit =
        async |path: &str, body: Value| node.send("PATCH", path, JSON, body.to_string()).await;
    let few = json!({"eventsMaxCount": 1_000});
    let dry = edit(&format!("{SETTINGS}?dryRun=true"), few.clone()).await;
    assert_eq!(dry.body["eventsMaxCount"], 1_000, "{dry:?}");
    assert_eq!(node.get(SETTINGS).await.body, first);
    let edited = edit(SETTINGS, few).await;
    assert_eq!(edited.body["eventsMaxCount"], 1_000, "{edited:?}");
    for (body, field) in [
        (json!({"eventsMaxCount": 999}), "eventsMaxCount"),
        (json!({"eventsMaxAge": 60}), "eventsMaxAge"),
    ] {
        let refused = edit(SETTINGS, body).await;
        refused.assert_problem(422, "invalid_field", field);
        assert_eq!(refused.body["fields"][0]["field"], field);
    }

    let (revision, at) = held_once(&node, "web").await;
    let operations: Vec<Value> = (0..500)
        .flat_map(|_| {
            [
                json!({"createClaim": {"name": "c", "pool": "p"}}),
                json!({"releaseClaim": {"name": "c"}}),
            ]
        })
        .collect();
    let batch = json!({"atomic": false, "operations": operations});
    for _ in 0..2 {
        let done = node.post("/v1/tenants/acme/batch", &batch).await;
        assert_eq!(done.status.as_u16(), 200, "{done:?}");
    }
    for moment in [revision.to_string(), at] {
        let gone = node.get(&format!("{LOOKUP}/10.0.0.0?at={moment}")).await;
        gone.assert_problem(410, "compacted", &moment);
        assert!(gone.body["oldestRevision"].as_u64() > Some(revision));
    }
    let gone = node
        .get(&format!("/v1/tenants/acme/watch?fromRevision={revision}"))
        .await;
    gone.assert_problem(410, "compacted", "a watch from before that");
    let oldest = gone.body["oldestRevision"].as_u64().unwrap();
    let path = format!("/v1/tenants/acme/watch?fromRevision={oldest}");
    let mut events = node.events(&path, &[]).await;
    let told = events.next_event().await;
    assert_eq!(told.data["revision"], oldest + 1);
    let reset = edit(SETTINGS, json!({"eventsMaxCount": null})).await;
    assert_eq!(reset.body, first);
}
