//! A cluster that serves no longer is waited for once, not once for each of many things.

use std::fmt::Write as _;
use std::io::Write as _;

use api::Problem;
use api::problem::Code;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::node::Node;
use super::{LINEARIZABLE, acme, claim, problem};

fn no_leader() -> Value {
    problem(&Problem::no_leader())
}

#[tokio::test]
async fn what_is_left_of_an_apply_is_not_tried() {
    let mut text = String::new();
    for name in ["a", "b", "c", "d"] {
        writeln!(text, "---\nkind: Claim\nname: {name}\npool: p").unwrap();
    }
    let mut file = NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let show = |name: &str| format!("GET /v1/tenants/acme/claims/{name}?{LINEARIZABLE}");
    let missing = problem(&Problem::new(Code::ClaimNotFound, "it is not there"));
    // Waited for in vain, or something else that answers in the cluster's place.
    for (status, answer) in [(503, no_leader()), (200, json!({ "surprise": true }))] {
        let node = Node::start([
            (show("a").as_str(), 404, missing.clone()),
            ("POST /v1/tenants/acme/claims", 201, claim("a", 7)),
            (show("b").as_str(), status, answer),
            (show("c").as_str(), 404, missing.clone()),
        ])
        .await;
        let line = format!("--timeout 1 apply -f {} -o name", file.path().display());
        let outcome = acme(&node, &line).await;
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (8, "claim/a\nclaim/b\n"),
            "{}",
            outcome.stderr
        );
        let told = "the cluster does not serve: 2 of 4 were not tried";
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        let asked = node.asked();
        assert!(
            asked.iter().all(|line| !line.contains("/claims/c")),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn what_is_left_of_a_release_or_of_what_is_pruned_is_not_tried() {
    let list = format!("GET /v1/tenants/acme/claims?labelSelector=app&limit=1000&{LINEARIZABLE}");
    let pools = format!("GET /v1/tenants/acme/pools?labelSelector=app&limit=1000&{LINEARIZABLE}");
    let show = |name: &str| format!("GET /v1/tenants/acme/claims/{name}?{LINEARIZABLE}");
    let delete = |name: &str| format!("DELETE /v1/tenants/acme/claims/{name}?generation=7");
    let claims: Vec<Value> = ["a", "b", "c", "d"].map(|name| claim(name, 7)).into();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tenant.yaml");
    std::fs::write(&file, "kind: Tenant\nname: acme\n").unwrap();
    let prune = format!("apply -f {} --prune -l app --yes", file.display());
    for (line, untried, total) in [
        ("claim release -l app --yes", 2, 4),
        ("claim release a b c d --yes", 2, 4),
        (prune.as_str(), 2, 5),
    ] {
        let node = Node::start([
            (
                format!("GET /v1/tenants/acme?{LINEARIZABLE}").as_str(),
                200,
                super::tenant("acme"),
            ),
            (
                "PATCH /v1/tenants/acme?dryRun=true",
                200,
                super::tenant("acme"),
            ),
            (
                list.as_str(),
                200,
                json!({ "items": claims, "revision": 9 }),
            ),
            (pools.as_str(), 200, json!({ "items": [], "revision": 9 })),
            (show("a").as_str(), 200, claim("a", 7)),
            (show("b").as_str(), 200, claim("b", 7)),
            (show("c").as_str(), 200, claim("c", 7)),
            (show("d").as_str(), 200, claim("d", 7)),
            (delete("a").as_str(), 200, claim("a", 7)),
            (delete("b").as_str(), 503, no_leader()),
        ])
        .await;
        let outcome = acme(&node, &format!("--timeout 1 {line} -o name")).await;
        assert_eq!(outcome.code, 8, "{line}: {}", outcome.stderr);
        let told = format!("{untried} of {total} were not tried");
        assert!(outcome.stderr.contains(&told), "{line}: {}", outcome.stderr);
        let deleted = |name: &str| node.asked().contains(&delete(name));
        assert!(
            deleted("a") && deleted("b") && !deleted("c") && !deleted("d"),
            "{line}"
        );
    }
    // A claim that is not even found while nobody serves ends it as well.
    let node = Node::start([
        (show("a").as_str(), 200, claim("a", 7)),
        (show("b").as_str(), 503, no_leader()),
    ])
    .await;
    let outcome = acme(&node, "--timeout 1 claim release a b c --yes").await;
    assert_eq!(outcome.code, 8, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("2 of 3 were not tried"),
        "{}",
        outcome.stderr
    );
}
