//! `apply` and `plan`: what is asked of a node, in which order, and what is told of it.

use std::io::Write as _;

use api::Problem;
use api::problem::Code;
use expect_test::expect;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::edits::pool;
use super::node::Node;
use super::{acme, claim, problem, run, tenant};

const LINEARIZABLE: &str = "consistency=linearizable";

const FILE: &str = "
kind: Claim
name: web
pool: p
labels: {app: api}
---
kind: Pool
name: p
cidrs: [10.0.0.0/24, 10.0.1.0/24]
---
kind: Tenant
name: acme
";

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn missing(code: Code) -> Value {
    problem(&Problem::new(code, "it is not there"))
}

fn relabelled() -> Value {
    let mut claim = claim("web", 7);
    claim["labels"]["app"] = "api".into();
    claim
}

async fn node() -> Node {
    let show = |what: &str| format!("GET /v1/tenants/acme{what}?{LINEARIZABLE}");
    let claims = format!("GET /v1/tenants/acme/claims?labelSelector=app&limit=1000&{LINEARIZABLE}");
    let pools = format!("GET /v1/tenants/acme/pools?labelSelector=app&limit=1000&{LINEARIZABLE}");
    let list = |items: Value| json!({ "items": items, "revision": 9 });
    let (mut child, mut parent) = (pool(), pool());
    (parent["name"], child["name"], child["parent"]) =
        ("old".into(), "old-child".into(), "old".into());
    Node::start([
        (show("").as_str(), 200, tenant("acme")),
        ("PATCH /v1/tenants/acme?dryRun=true", 200, tenant("acme")),
        (show("/pools/p").as_str(), 404, missing(Code::PoolNotFound)),
        ("POST /v1/tenants/acme/pools", 201, pool()),
        ("POST /v1/tenants/acme/pools?dryRun=true", 201, pool()),
        (show("/claims/web").as_str(), 200, claim("web", 7)),
        (
            "PATCH /v1/tenants/acme/claims/web?dryRun=true",
            200,
            relabelled(),
        ),
        ("PATCH /v1/tenants/acme/claims/web", 200, relabelled()),
        (
            claims.as_str(),
            200,
            list(json!([claim("gone", 3), claim("web", 7)])),
        ),
        (pools.as_str(), 200, list(json!([parent, child]))),
        (
            "DELETE /v1/tenants/acme/claims/gone?generation=3",
            200,
            claim("gone", 3),
        ),
        ("DELETE /v1/tenants/acme/pools/old", 200, pool()),
        ("DELETE /v1/tenants/acme/pools/old-child", 200, pool()),
    ])
    .await
}

#[tokio::test]
async fn what_is_missing_is_made_what_differs_is_edited_and_the_rest_is_left() {
    let (node, file) = (node().await, file(FILE));
    let outcome = acme(&node, &format!("apply -f {}", file.path().display())).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    expect![[r#"
        ACTION      KIND     TENANT   NAME   BLOCK                     FIELDS
        unchanged   tenant   acme     acme   -                         -
        create      pool     acme     p      10.0.0.0/24,10.0.1.0/24   -
        change      claim    acme     web    10.0.0.7/32               labels.app
    "#]]
    .assert_eq(&outcome.stdout);
    assert_eq!(
        outcome.stderr,
        "1 created, 1 changed, 1 unchanged, 0 deleted, 0 failed\n"
    );
    expect![[r#"
        GET /v1/tenants/acme?consistency=linearizable
        PATCH /v1/tenants/acme?dryRun=true {"name":"acme"}
        GET /v1/tenants/acme/pools/p?consistency=linearizable
        POST /v1/tenants/acme/pools {"name":"p","cidrs":["10.0.0.0/24","10.0.1.0/24"]}
        GET /v1/tenants/acme/claims/web?consistency=linearizable
        PATCH /v1/tenants/acme/claims/web?dryRun=true {"labels":{"app":"api"},"name":"web","pool":"p"}
        PATCH /v1/tenants/acme/claims/web {"labels":{"app":"api"},"name":"web","pool":"p"}"#]].assert_eq(&node.asked().join("\n"));
}

#[tokio::test]
async fn a_plan_and_a_dry_run_ask_only_what_would_be() {
    let (node, file) = (node().await, file(FILE));
    let path = file.path().display();
    for line in [
        format!("plan -f {path} --prune -l app -o name"),
        format!("apply -f {path} --prune -l app --dry-run -o name"),
    ] {
        let outcome = acme(&node, &line).await;
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(
            outcome.stdout,
            "tenant/acme\npool/p\nclaim/web\nclaim/gone\npool/old-child\npool/old\n"
        );
        assert_eq!(
            outcome.stderr,
            "1 to create, 1 to change, 1 unchanged, 3 to delete, 0 failed\n"
        );
    }
    let harmless = |line: &String| line.starts_with("GET ") || line.contains("?dryRun=true");
    assert!(node.asked().iter().all(harmless), "{:?}", node.asked());
}

#[tokio::test]
async fn pruning_asks_first_and_deletes_what_was_found_children_before_parents() {
    let (node, file) = (node().await, file(FILE));
    let line = format!("apply -f {} --prune -l app", file.path().display());
    let outcome = acme(&node, &line).await;
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("no file describes claim acme/gone"),
        "{}",
        outcome.stderr
    );
    assert!(
        node.asked().iter().all(|line| line.starts_with("GET ")),
        "{:?}",
        node.asked()
    );

    let outcome = acme(&node, &format!("{line} --yes")).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let deleted: Vec<String> = node
        .asked()
        .into_iter()
        .filter(|line| line.starts_with("DELETE"))
        .collect();
    assert_eq!(
        deleted,
        [
            "DELETE /v1/tenants/acme/claims/gone?generation=3",
            "DELETE /v1/tenants/acme/pools/old-child",
            "DELETE /v1/tenants/acme/pools/old"
        ]
    );
    let empty = acme(
        &node,
        &format!(
            "apply -f {} --prune --selector= --yes",
            file.path().display()
        ),
    )
    .await;
    assert_eq!(empty.code, 2, "{}", empty.stderr);
}

#[tokio::test]
async fn one_wrong_document_keeps_all_from_being_applied() {
    let (node, good) = (node().await, file(FILE));
    let bad = file(
        "apiVersion: ipamd/v1\nkind: Claim\nmetadata: {name: c}\nspec: {pool: p, prefixLength: 200}\n",
    );
    let line = format!(
        "apply -f {} {}",
        good.path().display(),
        bad.path().display()
    );
    let outcome = acme(&node, &line).await;
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (6, ""),
        "{}",
        outcome.stderr
    );
    let place = format!(
        "error: {}, document 1: spec.prefixLength is",
        bad.path().display()
    );
    assert!(outcome.stderr.contains(&place), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("1 of 4 documents"),
        "{}",
        outcome.stderr
    );
    assert_eq!(node.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_field_that_cannot_be_edited_is_named_and_the_others_go_on_but_nothing_is_pruned() {
    let immutable = [allocator::answer::FieldProblem {
        field: "owner".to_owned(),
        problem: "cannot be edited".to_owned(),
        allowed: "a".to_owned(),
    }];
    let show = |name: &str| format!("GET /v1/tenants/acme/claims/{name}?{LINEARIZABLE}");
    let claims = format!("GET /v1/tenants/acme/claims?labelSelector=app&limit=1000&{LINEARIZABLE}");
    let pools = format!("GET /v1/tenants/acme/pools?labelSelector=app&limit=1000&{LINEARIZABLE}");
    let list = |items: Value| json!({ "items": items, "revision": 9 });
    let node = Node::start([
        (show("a").as_str(), 200, claim("a", 7)),
        (
            "PATCH /v1/tenants/acme/claims/a?dryRun=true",
            422,
            problem(&Problem::invalid_fields(&immutable)),
        ),
        (show("b").as_str(), 404, missing(Code::ClaimNotFound)),
        ("POST /v1/tenants/acme/claims", 201, claim("b", 8)),
        (claims.as_str(), 200, list(json!([claim("gone", 3)]))),
        (pools.as_str(), 200, list(json!([]))),
    ])
    .await;
    let file = file(
        "apiVersion: ipamd/v1\nkind: Claim\nmetadata: {name: a}\nspec: {pool: p, owner: b}\n---\nkind: Claim\nname: b\npool: p\n",
    );
    let line = format!(
        "apply -f {} --prune -l app --yes -o name",
        file.path().display()
    );
    let outcome = acme(&node, &line).await;
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (6, "claim/a\nclaim/b\n")
    );
    assert!(
        outcome
            .stderr
            .contains("document 1 (claim acme/a): spec.owner cannot be edited; allowed: a"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("nothing was pruned"),
        "{}",
        outcome.stderr
    );
    assert!(node.asked().iter().all(|line| !line.starts_with("DELETE")));
}

#[tokio::test]
async fn a_plan_does_not_ask_for_what_rests_on_the_plan_itself() {
    let no_tenant = || missing(Code::TenantNotFound);
    let no_pool = || missing(Code::PoolNotFound);
    let show = |what: &str| format!("GET /v1/tenants/new{what}?{LINEARIZABLE}");
    let node = Node::start([
        (show("").as_str(), 404, no_tenant()),
        ("POST /v1/tenants?dryRun=true", 201, tenant("new")),
        (show("/pools/p").as_str(), 404, no_tenant()),
        ("POST /v1/tenants/new/pools?dryRun=true", 404, no_tenant()),
        (show("/claims/c").as_str(), 404, no_tenant()),
        ("POST /v1/tenants/new/claims?dryRun=true", 404, no_tenant()),
        (
            "GET /v1/tenants/old/claims/d?consistency=linearizable",
            404,
            missing(Code::ClaimNotFound),
        ),
        ("POST /v1/tenants/old/claims?dryRun=true", 404, no_pool()),
    ])
    .await;
    let text = "kind: Tenant\nname: new\n---\nkind: Pool\ntenant: new\nname: p\ncidrs: [10.0.0.0/8]\n---\nkind: Claim\ntenant: new\nname: c\npool: p\n";
    let whole = file(text);
    let outcome = run(
        &node.url,
        &format!("plan -f {} -o name", whole.path().display()),
        &[],
    )
    .await;
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, "tenant/new\npool/p\nclaim/c\n"),
        "{}",
        outcome.stderr
    );
    let lost = file("kind: Claim\ntenant: old\nname: d\npool: p\n");
    let outcome = run(
        &node.url,
        &format!("plan -f {}", lost.path().display()),
        &[],
    )
    .await;
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
}
