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
