//! What owners hold: what is asked, and what is said of it.

use serde_json::{Value, json};

use super::node::Node;
use super::{LINEARIZABLE, acme, tenant};

const RELEASE: &str = "POST /v1/tenants/acme/owners/release";

fn released(released: u64, remaining: u64) -> Value {
    json!({ "released": released, "remaining": remaining, "alreadyEnded": 0, "revision": 12 })
}

#[tokio::test]
async fn an_owner_is_released_as_of_the_present_revision() {
    let show = format!("GET /v1/tenants/acme?{LINEARIZABLE}");
    let dry = format!("{RELEASE}?dryRun=true");
    let table = [
        (
            "owner release node-1 --prefix --yes",
            RELEASE,
            json!({ "ownerPrefix": "node-1", "asOfRevision": 3, "limit": 10_000 }),
        ),
        (
            "owner release node-1 --as-of 7 --limit 5 --pool p --pool other/q --yes",
            RELEASE,
            json!({
                "owner": "node-1", "asOfRevision": 7, "limit": 5,
                "pools": ["p", { "tenant": "other", "name": "q" }],
            }),
        ),
        (
            "owner release node-1 --as-of 7 --dry-run",
            dry.as_str(),
            json!({ "owner": "node-1", "asOfRevision": 7, "limit": 10_000 }),
        ),
    ];
    for (line, request, document) in table {
        let answers = [
            (show.as_str(), 200, tenant("acme")),
            (RELEASE, 200, released(4, 0)),
            (dry.as_str(), 200, released(4, 0)),
        ];
        let node = Node::start(answers).await;
        let outcome = acme(&node, line).await;
        assert_eq!(outcome.code, 0, "{line}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "Released:   4\nRemaining:  0\n");
        let asked = node.asked();
        let sent = asked.last().unwrap().strip_prefix(request);
        let sent = sent.unwrap_or_else(|| panic!("{asked:?}"));
        assert_eq!(
            serde_json::from_str::<Value>(sent).unwrap(),
            document,
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_is_left_is_released_in_further_steps() {
    let pool = "DELETE /v1/tenants/acme/pools/p?cascade=true&asOfRevision=7&limit=10000";
    let cascaded = |released: u64, remaining: u64| {
        let deleted = remaining == 0;
        json!({ "released": released, "remaining": remaining, "newer": 0, "deleted": deleted, "revision": 12 })
    };
    let node = Node::start([
        (RELEASE, 200, released(10_000, 10_004)),
        (RELEASE, 200, released(10_000, 4)),
        (RELEASE, 200, released(4, 0)),
        (pool, 200, cascaded(10_000, 3)),
        (pool, 200, cascaded(3, 0)),
    ])
    .await;
    let outcome = acme(&node, "owner release node-1 --as-of 7 --yes").await;
    assert_eq!(outcome.stdout, "Released:   20004\nRemaining:  0\n");
    let outcome = acme(&node, "pool delete p --cascade --as-of 7 --yes").await;
    assert!(
        outcome
            .stdout
            .starts_with("Released:   10003\nRemaining:  0\n")
    );
    assert_eq!((outcome.code, node.asked().len()), (0, 5));
}

#[tokio::test]
async fn a_release_that_nobody_confirmed_is_not_sent() {
    let node = Node::start([]).await;
    let outcome = acme(&node, "owner release node-1 --as-of 7").await;
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--yes"), "{}", outcome.stderr);
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn a_pool_is_deleted_with_what_is_under_it() {
    let show = format!("GET /v1/tenants/acme?{LINEARIZABLE}");
    let pool = "DELETE /v1/tenants/acme/pools/p?cascade=true&asOfRevision";
    let gone =
        json!({ "released": 4, "remaining": 0, "newer": 0, "deleted": true, "revision": 12 });
    let stays =
        json!({ "released": 4, "remaining": 0, "newer": 2, "deleted": false, "revision": 12 });
    let table = [
        (
            "pool delete p --cascade --yes",
            "3&limit=10000",
            &gone,
            0,
            "pool p deleted",
        ),
        (
            "pool delete p --cascade --as-of 7 --limit 5 --yes",
            "7&limit=5",
            &gone,
            0,
            "pool p deleted",
        ),
        (
            "pool delete p --cascade --as-of 7 --dry-run",
            "7&limit=10000&dryRun=true",
            &gone,
            0,
            "would be deleted",
        ),
        (
            "pool delete p --cascade --as-of 7 --yes",
            "7&limit=10000",
            &stays,
            5,
            "2 that were given after revision 7",
        ),
    ];
    for (line, rest, answer, code, said) in table {
        let request = format!("{pool}={rest}");
        let answers = [
            (show.as_str(), 200, tenant("acme")),
            (request.as_str(), 200, answer.clone()),
        ];
        let node = Node::start(answers).await;
        let outcome = acme(&node, line).await;
        assert_eq!(outcome.code, code, "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(said), "{line}: {}", outcome.stderr);
        assert!(
            outcome.stdout.starts_with("Released:   4\n"),
            "{}",
            outcome.stdout
        );
        assert_eq!(node.asked().last(), Some(&request));
    }
    let node = Node::start([]).await;
    for line in [
        "pool delete p --cascade --as-of 7",
        "pool delete p --as-of 7 --yes",
        "pool delete p --limit 7 --yes",
    ] {
        assert_eq!(acme(&node, line).await.code, 2, "{line}");
    }
    assert!(node.asked().is_empty());
}

const RECONCILE: &str = "POST /v1/tenants/acme/owners/reconcile";

pub(crate) fn reconciled() -> Value {
    json!({
        "suspects": [{ "owner": "node-1/x", "blocks": 2, "sightings": 1, "suspectForSeconds": 9 }],
        "suspectsTotal": 1, "missing": ["node-1/z"], "repeated": false, "revision": 12,
        "released": [{
            "cidr": "10.0.0.1/32", "space": "default", "generation": 7, "claim": "b", "owner": "node-1/y",
            "pool": { "tenant": "other", "name": "p" },
        }],
    })
}

#[tokio::test]
async fn a_live_set_is_read_from_a_file_and_its_report_applied() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (live, report) = (path("live"), path("report"));
    std::fs::write(&live, "# who is there\nnode-1\n\n  node-1/z \n").unwrap();
    let dry = format!("{RECONCILE}?dryRun=true");
    let node = Node::start([
        (RECONCILE, 200, reconciled()),
        (dry.as_str(), 200, reconciled()),
        (RELEASE, 200, released(1, 0)),
    ])
    .await;
    let sent = |request: &str| {
        let asked = node.asked();
        let body = asked
            .last()
            .unwrap()
            .strip_prefix(request)
            .map(str::to_owned);
        let body = body.unwrap_or_else(|| panic!("{asked:?}"));
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let words =
        format!("reconcile -f {live} --prefix node-1 --epoch 5 --dry-run --report {report}");
    let outcome = acme(&node, &words).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    expect_test::expect![[r#"
        WHAT       OWNER      CLAIM   BLOCK                   GENERATION
        released   node-1/y   b       10.0.0.1/32             7
        suspect    node-1/x   -       2 blocks, 1 sightings   -
        missing    node-1/z   -       -                       -
    "#]]
    .assert_eq(&outcome.stdout);
    assert!(
        outcome
            .stderr
            .contains("1 would be released, 1 suspects, 1 missing")
    );
    let declared = json!({
        "scope": { "ownerPrefix": "node-1" }, "live": ["node-1", "node-1/z"], "epoch": 5,
        "graceSeconds": 0, "sightings": 1, "dryRun": false,
    });
    assert_eq!(sent(&dry), declared);

    let outcome = acme(&node, &format!("reconcile --apply {report} --yes")).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let holding =
        json!({ "tenant": "other", "space": "default", "cidr": "10.0.0.1/32", "generation": 7 });
    assert_eq!(sent(RELEASE), json!({ "holdings": [holding] }));

    let words = format!(
        "reconcile -f {live} --claims --label a=b --label c=d --grace 120 --release-at-most 9 --as-of 3 --yes"
    );
    let outcome = acme(&node, &words).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let mut asked = sent(RECONCILE);
    assert!(
        asked["epoch"]
            .take()
            .as_u64()
            .is_some_and(|epoch| epoch > 1_000_000_000_000)
    );
    assert_eq!(
        asked,
        json!({
            "scope": { "labels": { "a": "b", "c": "d" } }, "liveClaims": ["node-1", "node-1/z"],
            "epoch": null, "graceSeconds": 120, "sightings": 2, "releaseAtMost": 9, "asOfRevision": 3,
            "dryRun": false,
        })
    );
}

#[tokio::test]
async fn a_live_set_without_a_scope_or_a_confirmation_is_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let live = directory.path().join("live").display().to_string();
    std::fs::write(&live, "node-1\n").unwrap();
    let report = directory.path().join("report").display().to_string();
    let mut other = reconciled();
    other["tenant"] = "other".into();
    std::fs::write(&report, other.to_string()).unwrap();
    let node = Node::start([]).await;
    for (line, code, said) in [
        ("reconcile".to_owned(), 2, "--live"),
        (format!("reconcile -f {live} --yes"), 2, "--prefix"),
        (format!("reconcile -f {live} --prefix node-1"), 2, "--yes"),
        (
            format!("reconcile -f {live} --prefix n --label a=b --yes"),
            2,
            "--label",
        ),
        (
            format!("reconcile --apply {report} --epoch 3 --yes"),
            2,
            "--",
        ),
        (
            format!("reconcile -f {live}-not --prefix node-1 --yes"),
            1,
            "cannot read",
        ),
        (format!("reconcile --apply {live} --yes"), 1, "is no report"),
        (
            format!("reconcile --apply {report} --yes"),
            1,
            "tenant other",
        ),
    ] {
        let outcome = acme(&node, &line).await;
        assert_eq!(outcome.code, code, "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(said), "{line}: {}", outcome.stderr);
    }
    assert!(node.asked().is_empty(), "{:?}", node.asked());
}
