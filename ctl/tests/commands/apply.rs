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

/// What a plan says of a claim or pool that the node refuses, after an edit of something else.
async fn planned_after(edit: &str, refused: &str, code: Code, facts: &[(&str, Value)]) -> i32 {
    let text = format!("{edit}\n---\n{refused}\n");
    let file = file(&text);
    let show = |what: &str| format!("GET /v1/tenants/acme{what}?{LINEARIZABLE}");
    let mut refusal = Problem::new(code, "it is refused");
    for (fact, value) in facts {
        refusal = refusal.with(fact, value.clone());
    }
    let (status, refusal) = (refusal.status, problem(&refusal));
    // The node would make of the edit all that the documents of the table state.
    let (mut edited_tenant, mut edited_pool) = (tenant("acme"), pool());
    if edit.contains("labels") {
        edited_tenant["labels"]["a"] = "b".into();
        edited_pool["labels"]["a"] = "b".into();
    }
    if edit.contains("quota") {
        edited_tenant["quota"]["claims"] = 9.into();
    }
    if edit.contains("drain") {
        edited_pool["drain"] = true.into();
    }
    if edit.contains("/23") {
        edited_pool["cidrs"] = json!(["10.0.0.0/23"]);
    }
    if edit.contains("maxPrefixLength") {
        edited_pool["maxPrefixLength"] = 30.into();
    }
    if edit.contains("sharedWith") {
        edited_pool["sharedWith"] = json!(["*"]);
    }
    let missing_claim = missing(Code::ClaimNotFound);
    let node = Node::start([
        (show("").as_str(), 200, tenant("acme")),
        ("PATCH /v1/tenants/acme?dryRun=true", 200, edited_tenant),
        (show("/pools/p").as_str(), 200, pool()),
        (
            "PATCH /v1/tenants/acme/pools/p?dryRun=true",
            200,
            edited_pool,
        ),
        (show("/pools/q").as_str(), 404, missing(Code::PoolNotFound)),
        (show("/claims/c").as_str(), 404, missing_claim),
        (
            "POST /v1/tenants/acme/pools?dryRun=true",
            status,
            refusal.clone(),
        ),
        ("POST /v1/tenants/acme/claims?dryRun=true", status, refusal),
    ])
    .await;
    let outcome = acme(&node, &format!("plan -f {} -o name", file.path().display())).await;
    let made = outcome.stdout.lines().count();
    assert_eq!(made, 2, "{text}: {}", outcome.stderr);
    outcome.code
}

/// The edit, what is refused after it, why, with which facts, and the exit code.
type Planned<'a> = (&'a str, &'a str, Code, &'a [(&'a str, Value)], i32);

#[tokio::test]
async fn a_plan_passes_over_a_refusal_only_where_what_it_edits_explains_it() {
    let tenant = |fields: &str| format!("kind: Tenant\nname: acme\n{fields}");
    let pool = |fields: &str| {
        let cidrs = "cidrs: [10.0.0.0/24, 10.0.1.0/24]";
        format!("kind: Pool\nname: p\n{cidrs}\n{fields}")
    };
    let root = "kind: Pool\nname: q\ncidrs: [10.0.0.0/25]";
    let child = "kind: Pool\nname: q\nparent: p\nprefixLength: 26";
    let claim = "kind: Claim\nname: c\npool: p";
    let selecting = "kind: Claim\nname: c\npoolSelector: {matchLabels: {a: b}}";
    let overlap = [("pool", json!("p"))];
    let length = json!([{ "field": "cidr", "problem": "is not there", "allowed": "another" }]);
    let cidr = [("fields", length)];
    let owner = json!([{ "field": "owner", "problem": "is odd", "allowed": "another" }]);
    let owner = [("fields", owner)];
    let (labels, quota) = (tenant("labels: {a: b}"), tenant("quota: {claims: 9}"));
    let (labelled, drained) = (pool("labels: {a: b}"), pool("drain: true"));
    let (resized, longer) = (
        "kind: Pool\nname: p\ncidrs: [10.0.0.0/23]",
        pool("maxPrefixLength: 30"),
    );
    let shared = pool("sharedWith: ['*']");
    let table: &[Planned<'_>] = &[
        // A label of a tenant explains nothing, a quota that it is used up.
        (&labels, root, Code::CidrOverlap, &overlap, 5),
        (&labels, claim, Code::QuotaExceeded, &[], 3),
        (&labels, claim, Code::PoolNotFound, &[], 4),
        (&quota, claim, Code::QuotaExceeded, &[], 0),
        (&quota, claim, Code::PoolExhausted, &[], 7),
        // What a pool has explains that it is full, not that it drains.
        (resized, claim, Code::PoolExhausted, &[], 0),
        (resized, child, Code::PoolExhausted, &[], 0),
        (resized, root, Code::CidrOverlap, &overlap, 0),
        (resized, claim, Code::PoolDraining, &[], 5),
        (resized, claim, Code::InvalidField, &cidr, 0),
        (resized, claim, Code::InvalidField, &owner, 6),
        (&labelled, claim, Code::PoolExhausted, &[], 7),
        (&labelled, root, Code::CidrOverlap, &overlap, 5),
        (&drained, claim, Code::PoolDraining, &[], 0),
        (&drained, claim, Code::PoolExhausted, &[], 7),
        (&longer, claim, Code::PrefixLengthOutOfBounds, &[], 0),
        (&longer, child, Code::AddressTaken, &[], 5),
        (&shared, claim, Code::PoolNotFound, &[], 0),
        // A selector may find what has another label now.
        (&labelled, selecting, Code::NoPoolMatches, &[], 0),
        (&drained, selecting, Code::NoPoolMatches, &[], 4),
        (resized, selecting, Code::PoolExhausted, &[], 0),
        (&labels, selecting, Code::NoPoolMatches, &[], 4),
    ];
    for (edit, refused, code, facts, expected) in table {
        let told = planned_after(edit, refused, *code, facts).await;
        assert_eq!(told, *expected, "{edit}\n{refused}\n{code:?}");
    }
}
