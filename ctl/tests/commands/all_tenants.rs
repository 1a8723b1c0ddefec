//! Lists over all tenants, their filters, and changes of the members that are tried.

use expect_test::expect;
use serde_json::{Value, json};

use crate::node::Node;
use crate::{LINEARIZABLE, claim, run, tenant};

fn page(items: &[Value]) -> Value {
    json!({ "items": items, "revision": 9 })
}

fn claims() -> Value {
    let (mut own, mut guest) = (claim("web-1", 17), claim("web-1", 18));
    own["tenant"] = "acme".into();
    guest["tenant"] = "umbrella".into();
    guest["status"]["pool"] = json!({ "tenant": "acme", "name": "p" });
    for one in [&mut own, &mut guest] {
        // Ages move with the clock.
        one["status"]["allocatedAt"] = "2999-03-01T12:00:00.000Z".into();
    }
    page(&[own, guest])
}

fn allocations() -> Value {
    let allocation = |tenant: &str, purpose: &str, holder: Value| {
        let mut allocation = json!({
            "cidr": "10.0.0.7/32", "family": "IPv4", "space": "default", "pool": "p", "tenant": tenant,
            "purpose": purpose, "phase": "Allocated", "generation": 17,
            "allocatedAt": "2999-03-01T12:00:00.000Z", "revision": 9,
        });
        let fields = holder.as_object().unwrap().clone();
        allocation.as_object_mut().unwrap().extend(fields);
        allocation
    };
    page(&[
        allocation("acme", "Reservation", json!({ "reason": "gateway" })),
        allocation("umbrella", "Claim", json!({ "claim": "web-1" })),
    ])
}

#[tokio::test]
async fn the_tenant_comes_first_in_a_list_over_all_of_them() {
    let (line, held) = (
        format!("GET /v1/claims?pool=p&limit=1000&{LINEARIZABLE}"),
        format!("GET /v1/allocations?limit=1000&{LINEARIZABLE}"),
    );
    let node = Node::start([
        (line.as_str(), 200, claims()),
        (held.as_str(), 200, allocations()),
    ])
    .await;
    let shown = run(&node.url, "claim list -A --pool p", &[]).await;
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    expect![[r#"
        TENANT     NAME    POOL     BLOCK         OWNER   PHASE       EXPIRES   AGE
        acme       web-1   p        10.0.0.7/32   -       Allocated   -         0s
        umbrella   web-1   acme/p   10.0.0.7/32   -       Allocated   -         0s
    "#]]
    .assert_eq(&shown.stdout);
    let names = run(&node.url, "claim list -A --pool p -o name", &[]).await;
    assert_eq!(names.stdout, "acme/web-1\numbrella/web-1\n");
    let document = run(&node.url, "claim list --all-tenants --pool p -o json", &[]).await;
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!(document, claims());
    let shown = run(&node.url, "allocation list -A", &[]).await;
    expect![[r#"
        TENANT     BLOCK         POOL   PURPOSE       HOLDER   OWNER   PHASE       GENERATION   AGE
        acme       10.0.0.7/32   p      Reservation   -        -       Allocated   17           0s
        umbrella   10.0.0.7/32   p      Claim         web-1    -       Allocated   17           0s
    "#]]
    .assert_eq(&shown.stdout);
}

#[tokio::test]
async fn a_list_is_narrowed_as_said() {
    let before = "2026-03-01T12:00:00Z";
    let escaped = "2026-03-01T12%3A00%3A00Z";
    let table = [
        (
            "pool list -A --parent p --phase Draining -l zone=x".to_owned(),
            "/v1/pools?labelSelector=zone%3Dx&parent=p&phase=Draining".to_owned(),
        ),
        (
            "pool list --tenant acme --phase Exhausted".to_owned(),
            "/v1/tenants/acme/pools?phase=Exhausted".to_owned(),
        ),
        (
            format!("claim list -A --purpose Reservation --allocated-before {before}"),
            format!("/v1/claims?purpose=Reservation&allocatedBefore={escaped}"),
        ),
        (
            format!("allocation list --tenant acme --allocated-before {before}"),
            format!("/v1/tenants/acme/allocations?allocatedBefore={escaped}"),
        ),
        (
            "tenant list -l env=prod".to_owned(),
            "/v1/tenants?labelSelector=env%3Dprod".to_owned(),
        ),
    ];
    let lines: Vec<String> = table
        .iter()
        .map(|(_, path)| format!("GET {path}&limit=1000&{LINEARIZABLE}"))
        .collect();
    let answers = lines.iter().map(|line| (line.as_str(), 200, page(&[])));
    let node = Node::start(answers).await;
    for (command, _) in &table {
        let shown = run(&node.url, command, &[]).await;
        assert_eq!(
            (shown.code, shown.stderr.as_str()),
            (0, "nothing found\n"),
            "{command}"
        );
    }
    assert_eq!(node.asked(), lines);
    let labelled = format!("GET /v1/tenants?labelSelector=env%3Dprod&limit=1000&{LINEARIZABLE}");
    let found = page(&[tenant("acme")]);
    let node = Node::start([(labelled.as_str(), 200, found)]).await;
    let shown = run(&node.url, "tenant list -l env=prod -o name", &[]).await;
    assert_eq!(shown.stdout, "acme\n");
}

#[tokio::test]
async fn a_change_of_the_members_can_be_tried() {
    let cluster = json!({
        "node": 1, "term": 1, "lastLogIndex": 12, "appliedIndex": 12, "revision": 9,
        "members": [{ "id": 1, "role": "voter", "address": "a:1" }],
    });
    let node = Node::start([
        (
            "POST /v1/cluster/members/4?dryRun=true",
            200,
            cluster.clone(),
        ),
        (
            "POST /v1/cluster/members/4/promote?dryRun=true",
            200,
            cluster.clone(),
        ),
        (
            "DELETE /v1/cluster/members/4?dryRun=true",
            200,
            cluster.clone(),
        ),
    ])
    .await;
    for (command, told) in [
        (
            "add 4 --address d:1",
            "member 4 would be added as a learner",
        ),
        ("promote 4", "member 4 would be promoted"),
        ("remove 4", "member 4 would be removed"),
    ] {
        let tried = run(&node.url, &format!("cluster {command} --dry-run"), &[]).await;
        assert_eq!(
            (tried.code, tried.stderr),
            (0, format!("{told} (dry run)\n")),
            "{command}"
        );
        assert!(tried.stdout.contains("a:1"), "{}", tried.stdout);
    }
    assert_eq!(node.asked().len(), 3);
}
