//! What owners hold, seen from outside.

use node::http::Limits;
use serde_json::{Value, json};

use crate::harness::TestNode;

const CLAIMS: &str = "/v1/tenants/acme/claims";
const RELEASE: &str = "/v1/tenants/acme/owners/release";

/// A node with claims of owners whose names begin alike.
async fn owned() -> TestNode {
    owned_with(Limits::default()).await
}

async fn owned_with(limits: Limits) -> TestNode {
    let node = TestNode::start_with(limits).await;
    node.with_pool("acme").await;
    for (name, owner) in [
        ("a", "node-1"),
        ("b", "node-1/eth0"),
        ("c", "node-10/eth0"),
        ("d", "node-1-old"),
    ] {
        claim(&node, name, owner).await;
    }
    node
}

async fn claim(node: &TestNode, name: &str, owner: &str) -> Value {
    let body = json!({"name": name, "pool": "p", "owner": owner});
    let made = node.post(CLAIMS, &body).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    made.body
}

async fn names(node: &TestNode, query: &str) -> Vec<String> {
    let list = node.get(&format!("{CLAIMS}?{query}")).await.body;
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

fn revision(node: &TestNode) -> u64 {
    node.replica.applied().at().revision
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_gives_back_what_it_was_given_before_a_revision() {
    let node = owned().await;
    let seen = revision(&node);
    // Of a pool that no other test counts.
    let pool = json!({"name": "counted", "cidrs": ["10.7.0.0/24"]});
    let made = node.post("/v1/tenants/acme/pools", &pool).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    let late = json!({"name": "late", "pool": "counted", "owner": "node-1/eth1"});
    let late = node.post(CLAIMS, &late).await.body;
    assert_eq!(names(&node, "ownerPrefix=node-1").await, ["a", "b", "late"]);
    let body = json!({"ownerPrefix": "node-1", "asOfRevision": seen, "limit": 1});

    let before = node.everything("acme").await;
    let dry = node.post(&format!("{RELEASE}?dryRun=true"), &body).await;
    assert_eq!(before, node.everything("acme").await);
    let first = node.post(RELEASE, &body).await;
    assert_eq!(first.status.as_u16(), 200, "{first:?}");
    assert_eq!(dry.body, first.body);
    assert_eq!(
        first.body,
        json!({"released": 1, "remaining": 1, "alreadyEnded": 0, "revision": seen + 3})
    );
    let last = node.post(RELEASE, &body).await.body;
    assert_eq!(
        (&last["released"], &last["remaining"]),
        (&json!(1), &json!(0))
    );
    let repeat = node.post(RELEASE, &body).await.body;
    assert_eq!(
        (&repeat["released"], &repeat["revision"]),
        (&json!(0), &last["revision"])
    );
    assert_eq!(names(&node, "").await, ["c", "d", "late"]);

    // Its generation fences one holding, also where it is listed twice or has ended.
    let block = &late["status"]["allocatedCIDR"];
    let holding =
        json!({"cidr": block, "space": "default", "generation": late["status"]["generation"]});
    let listed = json!({"holdings": [holding, holding]});
    let done = node.post(RELEASE, &listed).await.body;
    assert_eq!(
        (&done["released"], &done["alreadyEnded"]),
        (&json!(1), &json!(0))
    );
    let again = node.post(RELEASE, &listed).await.body;
    assert_eq!(
        (&again["released"], &again["alreadyEnded"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(names(&node, "").await, ["c", "d"]);
    let metrics = node.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("ipam_releases_total") && line.contains("counted"));
    assert!(
        counted.is_some_and(|line| line.ends_with(" 1")),
        "{counted:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_is_not_clear_frees_nothing() {
    let node = owned().await;
    let seen = revision(&node);
    let before = node.everything("acme").await;
    let holding = json!({"cidr": "10.0.0.0/32", "generation": 1});
    let refused = [
        (json!({}), "owner"),
        (json!({"owner": "node-1"}), "asOfRevision"),
        (
            json!({"owner": "node-1", "ownerPrefix": "node-1", "asOfRevision": seen}),
            "ownerPrefix",
        ),
        (
            json!({"owner": "node-1", "holdings": [holding], "asOfRevision": seen}),
            "holdings",
        ),
        (
            json!({"ownerPrefix": "", "asOfRevision": seen}),
            "ownerPrefix",
        ),
        (
            json!({"ownerPrefix": "node-1/", "asOfRevision": seen}),
            "ownerPrefix",
        ),
        (
            json!({"owner": "node-1", "asOfRevision": seen + 1}),
            "asOfRevision",
        ),
        (
            json!({"owner": "node-1", "asOfRevision": seen, "limit": 0}),
            "limit",
        ),
        (
            json!({"owner": "node-1", "asOfRevision": seen, "limit": 10_001}),
            "limit",
        ),
        (
            json!({"owner": "node-1", "asOfRevision": seen, "pools": []}),
            "pools",
        ),
        (
            json!({"owner": "node-1", "asOfRevision": seen, "pools": ["p", "/"]}),
            "pools[1]",
        ),
        (
            json!({"holdings": [holding], "asOfRevision": seen}),
            "asOfRevision",
        ),
        (json!({"holdings": [holding], "limit": 1}), "limit"),
        (
            json!({"holdings": [{"cidr": "10.0.0.1/31", "generation": 1}]}),
            "holdings[0].cidr",
        ),
        (
            json!({"holdings": [holding, {"cidr": "10.0.0.1/32", "generation": 99}]}),
            "holdings[1].generation",
        ),
        (json!({"owner": "node-1", "asOf": seen}), "asOf"),
    ];
    for (body, field) in refused {
        let answer = node.post(RELEASE, &body).await;
        answer.assert_problem(422, "invalid_field", field);
        let fields = answer.body["fields"].as_array().unwrap();
        assert!(
            fields.iter().any(|one| one["field"] == field),
            "{field}: {fields:?}"
        );
    }
    let nowhere = json!({"owner": "node-1", "asOfRevision": seen, "pools": ["nothing"]});
    let answer = node.post(RELEASE, &nowhere).await;
    answer.assert_problem(404, "pool_not_found", "a pool that is not there");
    let good = json!({"owner": "node-1", "asOfRevision": seen});
    let answer = node.post("/v1/tenants/nobody/owners/release", &good).await;
    answer.assert_problem(404, "tenant_not_found", "a tenant that is not there");
    assert_eq!(before, node.everything("acme").await);
    let done = node.post(RELEASE, &good).await;
    assert_eq!(done.body["released"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_removed_with_what_is_under_it() {
    const POOL: &str = "/v1/tenants/acme/pools/p";
    let node = owned().await;
    let child = json!({"name": "kid", "parent": "p", "cidr": "10.0.0.64/26"});
    let made = node.post("/v1/tenants/acme/pools", &child).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    let seen = revision(&node);
    claim(&node, "late", "node-1").await;
    let refused = node.delete(POOL).await;
    refused.assert_problem(409, "pool_in_use", "it holds claims");
    for query in [
        "cascade=true",
        "asOfRevision=1",
        "cascade=true&asOfRevision=x",
    ] {
        let refused = node.delete(&format!("{POOL}?{query}")).await;
        refused.assert_problem(400, "invalid_parameter", query);
    }
    let ahead = revision(&node) + 1;
    let refused = node
        .delete(&format!("{POOL}?cascade=true&asOfRevision={ahead}"))
        .await;
    refused.assert_problem(422, "invalid_field", "a revision that is not there yet");

    let path = format!("{POOL}?cascade=true&asOfRevision={seen}&limit=3");
    let before = node.everything("acme").await;
    let dry = node.delete(&format!("{path}&dryRun=true")).await;
    assert_eq!(before, node.everything("acme").await);
    let first = node.delete(&path).await;
    assert_eq!(first.status.as_u16(), 200, "{first:?}");
    assert_eq!(dry.body, first.body);
    let figures = |body: &Value| {
        let figure = |name: &str| body[name].as_u64().unwrap();
        let figures = (figure("released"), figure("remaining"), figure("newer"));
        (figures, body["deleted"].as_bool().unwrap())
    };
    assert_eq!(figures(&first.body), ((3, 2, 1), false));
    let drained = node
        .post(CLAIMS, &json!({"name": "more", "pool": "p"}))
        .await;
    drained.assert_problem(409, "pool_draining", "it was drained first");
    let second = node.delete(&path).await.body;
    assert_eq!(figures(&second), ((2, 0, 1), false));
    assert_eq!(names(&node, "").await, ["late"]);
    let now = revision(&node);
    let last = node
        .delete(&format!("{POOL}?cascade=true&asOfRevision={now}"))
        .await
        .body;
    assert_eq!(figures(&last), ((1, 0, 0), true));
    let gone = node.get(POOL).await;
    gone.assert_problem(404, "pool_not_found", "it is gone");
}

const RECONCILE: &str = "/v1/tenants/acme/owners/reconcile";

/// Who is there under `node-1`.
fn live(owners: &[&str], epoch: u64, sightings: u64, grace: u64) -> Value {
    json!({
        "scope": {"ownerPrefix": "node-1"}, "live": owners, "epoch": epoch,
        "graceSeconds": grace, "sightings": sightings,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_there_is_a_suspect_and_is_released() {
    let limits = Limits {
        test_clock: true,
        ..Limits::default()
    };
    let node = owned_with(limits).await;
    let first = node.post(RECONCILE, &live(&["node-1"], 1, 2, 60)).await;
    assert_eq!(first.status.as_u16(), 200, "{first:?}");
    assert_eq!(
        first.body["suspects"],
        json!([{"owner": "node-1/eth0", "blocks": 1, "sightings": 1, "suspectForSeconds": 0}])
    );
    let repeat = node.post(RECONCILE, &live(&["node-1"], 1, 2, 60)).await;
    assert_eq!(
        (&repeat.body["repeated"], &repeat.body["revision"]),
        (&json!(true), &first.body["revision"])
    );
    let older = node.post(RECONCILE, &live(&["node-1"], 0, 2, 60)).await;
    older.assert_problem(412, "epoch_stale", "an older epoch");
    assert_eq!(older.body["current"], 1);
    let advance = json!({"ms": 61_000});
    let moved = node.post("/v1/cluster/clock/advance", &advance).await;
    assert_eq!(moved.status.as_u16(), 200, "{moved:?}");

    // Tried first, by the body and by the parameter.
    let mut asked = live(&["node-1", "node-1/gone"], 2, 2, 60);
    let before = node.everything("acme").await;
    let dry = node.post(&format!("{RECONCILE}?dryRun=true"), &asked).await;
    asked["dryRun"] = true.into();
    let tried = node.post(RECONCILE, &asked).await;
    assert_eq!(before, node.everything("acme").await);
    asked["dryRun"] = false.into();
    let second = node.post(RECONCILE, &asked).await.body;
    assert_eq!((&dry.body, &tried.body), (&second, &second));
    assert_eq!(
        second["released"],
        json!([{
            "cidr": "10.0.0.1/32", "space": "default", "generation": 2, "claim": "b",
            "owner": "node-1/eth0", "pool": "p",
        }])
    );
    assert_eq!(second["missing"], json!(["node-1/gone"]));
    assert_eq!(names(&node, "").await, ["a", "c", "d"]);

    // A report is applied by its holdings.
    let report = node
        .post(&format!("{RECONCILE}?dryRun=true"), &live(&[], 3, 1, 0))
        .await
        .body;
    let holdings: Vec<Value> = report["released"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!({"cidr": one["cidr"], "space": one["space"], "generation": one["generation"]}))
        .collect();
    let applied = node
        .post(RELEASE, &json!({ "holdings": holdings }))
        .await
        .body;
    assert_eq!(applied["released"], 1, "{applied}");
    assert_eq!(names(&node, "").await, ["c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_set_that_is_not_clear_releases_nothing() {
    let node = owned().await;
    let before = node.everything("acme").await;
    let with = |field: &str, value: Value| {
        let mut asked = live(&["node-1"], 1, 1, 0);
        asked[field] = value;
        asked
    };
    let many: Vec<String> = (0..5_001).map(|number| format!("n{number}")).collect();
    let refused = [
        (with("scope", json!({})), "scope"),
        (
            with("scope", json!({"ownerPrefix": ""})),
            "scope.ownerPrefix",
        ),
        (with("scope", json!({"labels": {}})), "scope.labels"),
        (
            with("scope", json!({"labels": {"a": "b"}, "ownerPrefix": "n"})),
            "scope",
        ),
        (with("scope", json!({"prefix": "n"})), "scope.prefix"),
        (with("live", Value::Null), "live"),
        (with("live", json!(["node-1", "node-1//x"])), "live[1]"),
        (with("live", json!(many)), "live"),
        (with("liveClaims", json!(["a"])), "liveClaims"),
        (with("epoch", json!(-1)), "epoch"),
        (with("epoch", Value::Null), "epoch"),
        (with("sightings", json!(3)), "sightings"),
        (with("sightings", json!(0)), "sightings"),
        (with("graceSeconds", json!(-1)), "graceSeconds"),
        (
            with("asOfRevision", json!(revision(&node) + 1)),
            "asOfRevision",
        ),
        (with("liveOwners", json!([])), "liveOwners"),
    ];
    for (body, field) in refused {
        let answer = node.post(RECONCILE, &body).await;
        answer.assert_problem(422, "invalid_field", field);
        let fields = answer.body["fields"].as_array().unwrap();
        let named = fields.iter().any(|one| one["field"] == field);
        assert!(named, "{field}: {fields:?}");
    }
    let answer = node.post(RECONCILE, &with("releaseAtMost", json!(0))).await;
    answer.assert_problem(409, "too_many_suspects", "more than expected");
    assert_eq!(
        (&answer.body["count"], &answer.body["limit"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(before, node.everything("acme").await);
    let done = node.post(RECONCILE, &with("releaseAtMost", json!(1))).await;
    assert_eq!(
        done.body["released"].as_array().unwrap().len(),
        1,
        "{done:?}"
    );
}
