//! Edits: which patch is sent, and what is said of it.

use api::Problem;
use serde_json::{Value, json};

use super::node::Node;
use super::{Outcome, acme, claim, problem, run, tenant};

pub(crate) fn pool() -> Value {
    json!({
        "name": "p", "cidrs": ["10.0.0.0/24", { "cidr": "10.0.1.0/24", "gateway": "last" }], "labels": {},
        "status": {
            "phase": "Ready", "allocatedCIDRs": ["10.0.0.0/24", "10.0.1.0/24"], "cidrs": [], "space": "default",
            "family": "IPv4", "visibility": "private", "minPrefixLength": 24, "maxPrefixLength": 32,
            "capacity": { "total": "512", "allocated": "0", "inUse": "0", "released": "0", "reserved": "0", "available": "512" },
            "utilization": "0.0000", "fragmentation": "0.5000", "children": 0,
            "claims": { "allocated": 0, "inUse": 0, "released": 0 }, "revision": 7, "contentRevision": 7,
            "createdAt": "2026-03-01T12:00:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z", "conditions": [],
        },
    })
}

const POOL: &str = "PATCH /v1/tenants/acme/pools/p";

#[tokio::test]
async fn an_edit_sends_what_was_stated_and_nothing_else() {
    let table = [
        (
            "pool edit p --strategy NextFit --min-length none --default-length 28 --gateway none --usable-only true",
            POOL,
            json!({ "strategy": "NextFit", "minPrefixLength": null, "defaultPrefixLength": 28, "gateway": null, "usableOnly": true }),
        ),
        (
            "pool edit p --exclude 10.0.0.1 --exclude 10.0.0.4/30 --label a=b --remove-label c --description x",
            POOL,
            json!({ "exclude": ["10.0.0.1", "10.0.0.4/30"], "labels": { "a": "b", "c": null }, "description": "x" }),
        ),
        (
            "pool edit p --route 0.0.0.0/0,gw=10.0.0.1,priority=100 --route 10.9.0.0/16 --nameserver 10.0.0.53 --dns-search a --dns-search b --mtu 1400 --parameter vlan=7 --remove-parameter interface",
            POOL,
            json!({
                "routes": [{ "dst": "0.0.0.0/0", "gw": "10.0.0.1", "priority": 100 }, { "dst": "10.9.0.0/16" }],
                "dns": { "nameservers": ["10.0.0.53"], "search": ["a", "b"] }, "mtu": 1400,
                "parameters": { "vlan": "7", "interface": null },
            }),
        ),
        (
            "pool edit p --no-routes --inherit dns --inherit mtu --inherit parameters",
            POOL,
            json!({ "routes": [], "dns": null, "mtu": null, "parameters": null }),
        ),
        (
            "pool edit p --exclude-nothing",
            POOL,
            json!({ "exclude": [] }),
        ),
        ("pool drain p", POOL, json!({ "drain": true })),
        ("pool drain p --end", POOL, json!({ "drain": false })),
        (
            "tenant edit acme --quota-claims 5 --quota-pools none",
            "PATCH /v1/tenants/acme",
            json!({ "quota": { "claims": 5, "pools": null } }),
        ),
        (
            "claim edit web --remove-annotation a --description y",
            "PATCH /v1/tenants/acme/claims/web",
            json!({ "annotations": { "a": null }, "description": "y" }),
        ),
    ];
    for (line, request, patch) in table {
        let answers = [
            (POOL, 200, pool()),
            ("PATCH /v1/tenants/acme", 200, tenant("acme")),
            ("PATCH /v1/tenants/acme/claims/web", 200, claim("web", 7)),
        ];
        let node = Node::start(answers).await;
        let outcome = acme(&node, line).await;
        assert_eq!(outcome.code, 0, "{line}: {}", outcome.stderr);
        let asked = node.asked();
        let sent = asked[0]
            .strip_prefix(request)
            .unwrap_or_else(|| panic!("{asked:?}"));
        assert_eq!(
            serde_json::from_str::<Value>(sent).unwrap(),
            patch,
            "{line}"
        );
        assert!(outcome.stderr.contains("is so now"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_resize_changes_the_cidrs_that_were_read_and_nobody_elses_edit() {
    let show = "GET /v1/tenants/acme/pools/p?consistency=linearizable";
    let node = Node::start([(show, 200, pool()), (POOL, 200, pool())]).await;
    let outcome = acme(
        &node,
        "pool resize p --add 10.0.2.0/24 --remove 10.0.0.0/24",
    )
    .await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let asked = node.asked();
    let sent: Value = serde_json::from_str(asked[1].strip_prefix(POOL).unwrap()).unwrap();
    assert_eq!(
        sent,
        json!({ "cidrs": [{ "cidr": "10.0.1.0/24", "gateway": "last" }, "10.0.2.0/24"] })
    );
    let outcome = acme(&node, "pool resize p --remove 10.9.0.0/24").await;
    assert_eq!(
        (outcome.code, node.asked().len()),
        (2, 3),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn an_edit_of_nothing_is_a_wrong_usage() {
    let node = Node::start([]).await;
    for line in [
        "pool edit p",
        "pool edit p --if-revision 5",
        "pool edit p --mtu 1400 --inherit mtu",
        "pool edit p --no-routes --inherit routes",
        "claim edit c",
        "tenant edit acme",
    ] {
        let outcome = acme(&node, line).await;
        assert_eq!(outcome.code, 2, "{line}: {}", outcome.stderr);
    }
    assert!(node.asked().is_empty());
}

const SHOW: &str = "GET /v1/tenants/acme/pools/p?consistency=linearizable";

/// `pool edit p --editor` with that shell command as the editor, and the files that it leaves behind.
async fn in_editor(node: &Node, editor: &str) -> (Outcome, Vec<String>) {
    edited_in(node, "pool edit p --editor", editor).await
}

async fn edited_in(node: &Node, line: &str, editor: &str) -> (Outcome, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("EDITOR", editor),
        ("PATH", "/usr/bin:/bin"),
        ("TMPDIR", folder.path().to_str().unwrap()),
    ];
    let line = format!("--tenant acme {line}");
    let outcome = run(&node.url, &line, &environment).await;
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left = left.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    (outcome, left.collect())
}

#[tokio::test]
async fn an_editor_sends_what_was_changed_in_it() {
    let node = Node::start([(SHOW, 200, pool()), (POOL, 200, pool())]).await;
    let editor = "sed -i -e 's/^labels: .*/labels: {a: b}/' -e '/^drain/d' -e '$a description: x'";
    let (outcome, left) = in_editor(&node, editor).await;
    assert_eq!((outcome.code, left.len()), (0, 0), "{}", outcome.stderr);
    let asked = node.asked();
    let sent: Value = serde_json::from_str(asked[1].strip_prefix(POOL).unwrap()).unwrap();
    assert_eq!(sent, json!({ "labels": { "a": "b" }, "description": "x" }));
}

#[tokio::test]
async fn an_editor_that_changes_nothing_or_fails_is_an_abort_and_what_is_refused_is_kept() {
    let node = Node::start([
        (SHOW, 200, pool()),
        (POOL, 422, problem(&Problem::invalid_fields(&[]))),
    ])
    .await;
    for editor in ["true", "false"] {
        let (outcome, left) = in_editor(&node, editor).await;
        assert_eq!((outcome.code, left.len()), (9, 0), "{}", outcome.stderr);
    }
    let (outcome, left) = in_editor(&node, " ").await;
    assert_eq!((outcome.code, left.len()), (2, 0), "{}", outcome.stderr);
    assert!(
        node.asked().iter().all(|line| line == SHOW),
        "{:?}",
        node.asked()
    );

    let (outcome, left) = in_editor(&node, "sed -i s/FirstFit/NextFit/").await;
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("what was written is in "),
        "{}",
        outcome.stderr
    );
    assert!(
        left[0].contains("strategy: NextFit\n") && !left[0].contains("status"),
        "{left:?}"
    );
    let (outcome, left) = in_editor(&node, "sed -i '$a : : :'").await;
    assert_eq!((outcome.code, left.len()), (1, 1), "{}", outcome.stderr);

    let both = acme(&node, "pool edit p --editor --strategy NextFit").await;
    assert_eq!(both.code, 2, "{}", both.stderr);
}

#[tokio::test]
async fn an_interrupt_while_the_editor_runs_is_the_editors() {
    let node = Node::start([(SHOW, 200, pool()), (POOL, 200, pool())]).await;
    // To the shell around the editor and to ipamctl, as a terminal sends it; then the editor goes on.
    let editor =
        "interrupted() { kill -INT $$ $PPID; sed -i '$a description: x' \"$1\"; }; interrupted";
    let (outcome, left) = in_editor(&node, editor).await;
    assert_eq!((outcome.code, left.len()), (0, 0), "{}", outcome.stderr);
    let asked = node.asked();
    assert_eq!(asked[1], format!(r#"{POOL} {{"description":"x"}}"#));
}

#[tokio::test]
async fn a_draft_is_its_writers_alone_and_stays_where_it_was_only_tried() {
    let dry = format!("{POOL}?dryRun=true");
    let long = "n".repeat(253);
    let of_long = SHOW.replace("pools/p", &format!("pools/{long}"));
    let node = Node::start([
        (SHOW, 200, pool()),
        (dry.as_str(), 200, pool()),
        (of_long.as_str(), 200, pool()),
    ])
    .await;
    let editor =
        "written() { echo \"description: mode $(stat -c %a \"$1\")\" >> \"$1\"; }; written";
    let line = "pool edit p --editor --dry-run";
    let (outcome, left) = edited_in(&node, line, editor).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(
        node.asked()[1],
        format!(r#"{dry} {{"description":"mode 600"}}"#)
    );
    assert!(left[0].ends_with("description: mode 600\n"), "{left:?}");
    assert!(
        outcome.stderr.contains("what was written is in "),
        "{}",
        outcome.stderr
    );
    // The longest name of an object has a file, too; nothing is changed in it.
    let line = format!("pool edit {long} --editor");
    let (outcome, left) = edited_in(&node, &line, "true").await;
    assert_eq!((outcome.code, left.len()), (9, 0), "{}", outcome.stderr);
}

#[tokio::test]
async fn the_past_is_asked_for_as_said() {
    let holding = |cidr: &str, rest: Value| {
        let mut holding = json!({
            "cidr": cidr, "family": "IPv4", "space": "default", "pool": "p", "purpose": "Claim", "claim": "web",
            "generation": 7, "phase": "Allocated", "from": "2026-03-01T12:00:00.000Z",
        });
        let members = holding.as_object_mut().unwrap();
        members.extend(rest.as_object().unwrap().clone());
        holding
    };
    let ended = json!({
        "fromRevision": 4, "toRevision": 9, "goneRevision": 9, "to": "2026-03-01T13:00:00.000Z",
        "reason": "released", "phase": "Released", "owner": "node-1",
    });
    let items = json!({
        "items": [holding("10.0.0.7/32", ended), holding("10.0.0.7/32", json!({}))], "revision": 12,
    });
    let lookup = json!({"cidr": "10.0.0.7/32", "space": "default", "pools": ["p"], "revision": 4});
    let history = "cidr=10.0.0.0%2F24&claim=web&owner=node-1&limit=1000&consistency=linearizable";
    let node = Node::start([
        (
            format!("GET /v1/tenants/acme/history?{history}").as_str(),
            200,
            items,
        ),
        (
            "GET /v1/tenants/acme/lookup/10.0.0.7/32?at=4&consistency=linearizable",
            200,
            lookup,
        ),
    ])
    .await;
    let shown = acme(
        &node,
        "history 10.0.0.0/24 --claim web --owner node-1 -o wide",
    )
    .await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    expect_test::expect![[r#"
        BLOCK         POOL   HOLDER      FROM                       TO                         REASON     OWNER    TENANT   SPACE     GENERATION   REVISIONS
        10.0.0.7/32   p      claim web   2026-03-01T12:00:00.000Z   2026-03-01T13:00:00.000Z   released   node-1   -        default   7            4-9
        10.0.0.7/32   p      claim web   2026-03-01T12:00:00.000Z   -                          -          -        -        default   7            ?-
    "#]].assert_eq(&shown.stdout);
    let shown = acme(&node, "lookup 10.0.0.7 --at 4").await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("Pools:"), "{}", shown.stdout);
}

#[tokio::test]
async fn settings_are_shown_or_edited() {
    let settings =
        json!({"eventsMaxAgeSeconds": 60, "eventsMaxCount": 5000, "eventsMaxBytes": 1_048_576});
    let node = Node::start([
        (
            "GET /v1/cluster/settings?consistency=linearizable",
            200,
            settings.clone(),
        ),
        ("PATCH /v1/cluster/settings", 200, settings.clone()),
        ("PATCH /v1/cluster/settings?dryRun=true", 200, settings),
    ])
    .await;
    let shown = acme(&node, "cluster settings").await;
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    expect_test::expect![[r#"
        Events are kept for at most
          Age:    60 s
          Count:  5000
          Bytes:  1048576
    "#]]
    .assert_eq(&shown.stdout);
    let edited = acme(&node, "cluster settings --events-max-count 5000").await;
    assert_eq!(
        (edited.code, edited.stderr.as_str()),
        (0, "settings edited\n")
    );
    let dry = acme(&node, "cluster settings --events-max-age 60 --dry-run").await;
    assert!(dry.stderr.contains("dry run"), "{}", dry.stderr);
    let get = "GET /v1/cluster/settings?consistency=linearizable";
    assert_eq!(
        node.asked()[1..],
        [
            get,
            r#"PATCH /v1/cluster/settings {"eventsMaxCount":5000}"#,
            r#"PATCH /v1/cluster/settings?dryRun=true {"eventsMaxAgeSeconds":60}"#,
        ]
    );
}

#[tokio::test]
async fn a_bound_that_forgets_the_past_is_asked_for_or_said() {
    let settings =
        json!({"eventsMaxAgeSeconds": 60, "eventsMaxCount": 5000, "eventsMaxBytes": 1_048_576});
    let get = "GET /v1/cluster/settings?consistency=linearizable";
    let node = Node::start([
        (get, 200, settings.clone()),
        ("PATCH /v1/cluster/settings", 200, settings),
    ])
    .await;
    for lower in [
        "--events-max-age 59",
        "--events-max-count 4999",
        "--events-max-bytes 1048575 --events-max-age 600",
    ] {
        let outcome = acme(&node, &format!("cluster settings {lower}")).await;
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--yes"), "{}", outcome.stderr);
    }
    assert_eq!(node.asked(), [get; 3]);
    let said = acme(&node, "cluster settings --events-max-age 59 --yes").await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let higher = acme(&node, "cluster settings --events-max-age 61").await;
    assert_eq!(higher.code, 0, "{}", higher.stderr);
    let patches = node.asked().into_iter().filter(|line| line != get);
    assert_eq!(
        patches.collect::<Vec<String>>(),
        [
            r#"PATCH /v1/cluster/settings {"eventsMaxAgeSeconds":59}"#,
            r#"PATCH /v1/cluster/settings {"eventsMaxAgeSeconds":61}"#,
        ]
    );
}
