//! Watches over real sockets.

use std::time::Duration;

use node::http::Limits;
use serde_json::{Value, json};

use crate::harness::{Events, JSON, TestNode, Told};

const CLAIMS: &str = "/v1/tenants/acme/claims";
const WATCH: &str = "/v1/tenants/acme/watch";

/// Bookmarks often enough to be waited for.
fn limits() -> Limits {
    Limits {
        bookmark_interval: Duration::from_millis(50),
        ..Limits::default()
    }
}

async fn claim(node: &TestNode, name: &str) {
    let body = json!({"name": name, "pool": "p", "labels": {"app": name}, "owner": "node-1"});
    let made = node.post(CLAIMS, &body).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
}

fn line(told: &Told) -> String {
    let (data, object) = (&told.data, &told.data["object"]);
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {}",
        word(&data["type"]),
        word(&object["name"]),
        word(&object["status"]["phase"])
    )
}

async fn lines(events: &mut Events, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..count {
        lines.push(line(&events.next_event().await));
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_as_it_happens_and_again_from_any_revision() {
    let node = TestNode::start_with(limits()).await;
    node.with_pool("acme").await;
    node.with_pool("other").await;
    let mut live = node.events(WATCH, &[]).await;
    let first = live.next().await.unwrap();
    assert_eq!(first.data["type"], "bookmark");
    let begun = first.data["revision"].as_u64().unwrap();
    assert_eq!(first.id, Some(begun.to_string()));

    claim(&node, "a").await;
    let own = json!({"owner": "node-1"});
    node.post(&format!("{CLAIMS}/a/confirm"), &own).await;
    let renewed = node
        .post(
            &format!("{CLAIMS}/a/renew"),
            &json!({"owner": "node-1", "ttlSeconds": 60}),
        )
        .await;
    assert_eq!(renewed.status.as_u16(), 200, "{renewed:?}");
    let patch = json!({"labels": {"tier": "db"}}).to_string();
    let edited = node
        .send("PATCH", &format!("{CLAIMS}/a"), JSON, patch)
        .await;
    assert_eq!(edited.status.as_u16(), 200, "{edited:?}");
    // Another tenant's, which is not told here.
    let theirs = json!({"name": "x", "pool": "p"});
    node.post("/v1/tenants/other/claims", &theirs).await;
    node.delete(&format!("{CLAIMS}/a")).await;
    let pool = json!({"description": "edited"}).to_string();
    let edited = node
        .send("PATCH", "/v1/tenants/acme/pools/p", JSON, pool)
        .await;
    assert_eq!(edited.status.as_u16(), 200, "{edited:?}");
    node.delete("/v1/tenants/acme/pools/p").await;
    node.delete("/v1/tenants/acme").await;
    let expected = [
        "allocated a Allocated",
        "confirmed a InUse",
        "renewed a InUse",
        "claimChanged a InUse",
        "released a Released",
        "poolChanged p Ready",
        "poolDeleted p -",
        "tenantDeleted acme -",
    ];
    // The pool was seen while it was there, or not, by how soon it was read.
    let mut told = lines(&mut live, expected.len()).await;
    told[5] = told[5].replace(" -", " Ready");
    assert_eq!(told, expected);

    // All tenants, from the beginning: each names its own.
    let mut all = node.events("/v1/watch?fromRevision=0", &[]).await;
    let mut tenants = Vec::new();
    for _ in 0..expected.len() + 5 {
        let told = all.next_event().await;
        let (kind, tenant) = (&told.data["type"], &told.data["tenant"]);
        tenants.push(format!(
            "{} {}",
            tenant.as_str().unwrap(),
            kind.as_str().unwrap()
        ));
    }
    assert_eq!(
        &tenants[..5],
        [
            "acme tenantCreated",
            "acme poolCreated",
            "other tenantCreated",
            "other poolCreated",
            "acme allocated"
        ]
    );
    assert_eq!(tenants[8], "other allocated");

    // One that goes on is told the end of its tenant; a new watch has no tenant to watch.
    let from = format!("{WATCH}?fromRevision={begun}&kind=Claim");
    let mut again = node.events(&from, &[]).await;
    assert_eq!(lines(&mut again, 5).await, &expected[..5]);
    let gone = node.get(WATCH).await;
    gone.assert_problem(404, "tenant_not_found", "a tenant that is gone");
    let never = node.get("/v1/tenants/nobody/watch?fromRevision=0").await;
    never.assert_problem(404, "tenant_not_found", "a tenant that never was");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_watch_are_told_in_turns_and_each_is_told_every_event_once() {
    let node = TestNode::start_with(limits()).await;
    node.with_pool("acme").await;
    let mut watchers = Vec::new();
    for _ in 0..150 {
        watchers.push(node.events(WATCH, &[]).await);
    }
    let names: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    for name in &names {
        claim(&node, name).await;
    }
    // Some leave, so that the others form fewer groups; nobody is left out.
    watchers.truncate(40);
    claim(&node, "last").await;
    let mut expected: Vec<String> = names
        .iter()
        .map(|name| format!("allocated {name} Allocated"))
        .collect();
    expected.push("allocated last Allocated".to_owned());
    for watcher in &mut watchers {
        assert_eq!(lines(watcher, expected.len()).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_behind_the_event_that_was_seen_last() {
    let node = TestNode::start_with(limits()).await;
    node.with_pool("acme").await;
    let operations: Vec<Value> = ["a", "b", "c"]
        .iter()
        .map(|name| json!({"createClaim": {"name": name, "pool": "p"}}))
        .collect();
    let batch = json!({"atomic": true, "operations": operations});
    let done = node.post("/v1/tenants/acme/batch", &batch).await;
    let revision = done.header("ipam-revision").unwrap().to_owned();
    claim(&node, "d").await;
    let mut events = node.events(&format!("{WATCH}?fromRevision=3"), &[]).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(events.next_event().await.id.unwrap());
    }
    let of_batch: Vec<String> = (0..3).map(|place| format!("{revision}.{place}")).collect();
    assert_eq!(&ids[..3], of_batch);
    // The header wins over the parameter, which an EventSource sends again.
    let table = [
        (ids[0].as_str(), "b"),
        (ids[1].as_str(), "c"),
        (ids[2].as_str(), "d"),
        (revision.as_str(), "d"),
    ];
    for (last, next) in table {
        let mut events = node
            .events(
                &format!("{WATCH}?fromRevision=0"),
                &[("last-event-id", last)],
            )
            .await;
        let told = events.next_event().await;
        assert_eq!(told.data["object"]["name"], next, "behind {last}");
    }
    for (path, parameter) in [
        ("?fromRevision=-1", "fromRevision"),
        ("?kind=Block", "kind"),
        ("?limit=1", "limit"),
    ] {
        let refused = node.get(&format!("{WATCH}{path}")).await;
        refused.assert_problem(400, "invalid_parameter", path);
        assert_eq!(refused.body["parameter"], parameter);
    }
    let refused = node.send("GET", WATCH, &[("last-event-id", "x")], "").await;
    refused.assert_problem(400, "invalid_parameter", "an id that is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_watch_is_told_its_own_and_how_far_everything_has_come() {
    let node = TestNode::start_with(limits()).await;
    node.with_pool("acme").await;
    let mut events = node
        .events(&format!("{WATCH}?labelSelector=app=b&kind=Claim"), &[])
        .await;
    for name in ["a", "b", "c"] {
        claim(&node, name).await;
    }
    assert_eq!(lines(&mut events, 1).await, ["allocated b Allocated"]);
    let revision = node.replica.applied().at().revision;
    loop {
        let told = events.next().await.unwrap();
        assert_eq!(told.data["type"], "bookmark", "{told:?}");
        if told.data["revision"] == revision {
            break;
        }
    }
    let metrics = node.get("/metrics").await;
    let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
    for sample in ["ipam_watches 1", "ipam_watch_lag_revisions 0"] {
        assert!(text.lines().any(|line| line == sample), "{sample}");
    }
    drop(events);
    node.until("the end of the watch", async |node| {
        let metrics = node.get("/metrics").await;
        String::from_utf8_lossy(&metrics.bytes).contains("\nipam_watches 0\n")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_has_not_come_is_waited_for() {
    let node = TestNode::start_with(limits()).await;
    node.with_pool("acme").await;
    let mut events = node.events(&format!("{WATCH}?fromRevision=4"), &[]).await;
    for name in ["a", "b"] {
        claim(&node, name).await;
    }
    // The first claim has revision 4; no bookmark says that what has not come was told.
    let told = events.next().await.unwrap();
    assert_eq!(line(&told), "allocated b Allocated");
    assert_eq!(told.data["revision"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_are_bounded_and_are_no_requests_in_flight() {
    let node = TestNode::start_with(Limits {
        watches_max: 2,
        requests_in_flight_max: 1,
        ..limits()
    })
    .await;
    node.with_pool("acme").await;
    let first = node.events(WATCH, &[]).await;
    let _second = node.events("/v1/watch", &[]).await;
    node.get(WATCH)
        .await
        .assert_problem(429, "too_busy", "one watch too many");
    claim(&node, "a").await;
    drop(first);
    node.until("the place that was left", async |node| {
        node.events(WATCH, &[]).await.status == 200
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_does_not_read_loses_its_place() {
    use tokio::io::AsyncWriteExt;

    let node = TestNode::start_with(Limits {
        watches_max: 1,
        unread_timeout: Duration::from_millis(300),
        ..limits()
    })
    .await;
    node.with_pool("acme").await;
    let mut deaf = tokio::net::TcpStream::connect(node.address).await.unwrap();
    deaf.write_all(format!("GET {WATCH} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let full = async |node: &TestNode| node.events(WATCH, &[]).await.status == 429;
    node.until("its place", full).await;
    // More than the buffers of both ends hold: an edit tells the whole claim, with 16 KiB of labels.
    claim(&node, "a").await;
    let value = "v".repeat(255);
    let many = (0..60).map(|key| (format!("k{key}"), Value::from(value.clone())));
    let annotations: serde_json::Map<String, Value> = many.collect();
    for edit in 0..2_000 {
        let patch = json!({"annotations": annotations, "description": edit.to_string()});
        let edited = node
            .send("PATCH", &format!("{CLAIMS}/a"), JSON, patch.to_string())
            .await;
        assert_eq!(edited.status.as_u16(), 200, "{edited:?}");
        if edit % 100 == 99 && node.events(WATCH, &[]).await.status == 200 {
            return;
        }
    }
    let free = async |node: &TestNode| node.events(WATCH, &[]).await.status == 200;
    node.until("the place of who does not read", free).await;
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_watches_and_does_not_wait_for_them() {
    let mut node = TestNode::start_with(Limits {
        bookmark_interval: Duration::from_mins(10),
        ..Limits::default()
    })
    .await;
    node.with_pool("acme").await;
    let mut watchers = Vec::new();
    for _ in 0..100 {
        let mut events = node.events(WATCH, &[]).await;
        assert_eq!(events.next().await.unwrap().data["type"], "bookmark");
        assert!(
            events.is_last,
            "what came behind it would be served at the watchers' priority"
        );
        watchers.push(events);
    }
    node.ask_to_stop();
    for mut events in watchers {
        assert_eq!(events.next().await, None);
    }
    node.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_everything_from_where_it_stopped() {
    let node = TestNode::start_with(limits()).await;
    node.with_pool("acme").await;
    let mut slow = node.events(&format!("{WATCH}?fromRevision=2"), &[]).await;
    // More than the shared window holds, and more than goes into the sockets' buffers.
    let padding = "x".repeat(250);
    for round in 0..4 {
        let operations: Vec<Value> = (0..250)
            .flat_map(|number| {
                let name = format!("c{round}-{number}");
                let labels: serde_json::Map<String, Value> = (0..8)
                    .map(|label| (format!("l{label}"), json!(padding)))
                    .collect();
                let create = json!({"name": name, "pool": "p", "labels": labels});
                [
                    json!({"createClaim": create}),
                    json!({"releaseClaim": {"name": name}}),
                ]
            })
            .collect();
        let batch = json!({"atomic": false, "operations": operations});
        let done = node.post("/v1/tenants/acme/batch", &batch).await;
        assert_eq!(done.status.as_u16(), 200);
    }
    for revision in 3..2_003 {
        let told = slow.next_event().await;
        assert_eq!(told.id, Some(format!("{revision}.0")));
    }
}
