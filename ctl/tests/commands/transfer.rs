//! `export` and `import`: what is asked of a node, what is written where, and what is told of each row.

use std::fmt::Write as _;
use std::io::Write as _;

use api::Problem;
use api::problem::Code;
use expect_test::expect;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::node::Node;
use super::{acme, claim, problem};

const LINEARIZABLE: &str = "consistency=linearizable";
const BATCH: &str = "POST /v1/tenants/acme/batch";

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn results(results: &[Value]) -> Value {
    json!({ "results": results })
}

fn made(name: &str) -> Value {
    json!({ "status": 201, "body": claim(name, 7) })
}

#[tokio::test]
async fn an_export_writes_page_after_page_to_stdout() {
    let first = format!("GET /v1/tenants/acme/claims?pool=p&owner=n&limit=1000&{LINEARIZABLE}");
    let second =
        format!("GET /v1/tenants/acme/claims?owner=n&pool=p&limit=1000&pageToken=x&{LINEARIZABLE}");
    let first_page = json!({ "items": [claim("a", 1)], "nextPageToken": "x", "revision": 9 });
    let last_page = json!({ "items": [claim("b", 2)], "revision": 9 });
    let first = first.replace("pool=p&owner=n", "owner=n&pool=p");
    let node = Node::start([
        (first.as_str(), 200, first_page),
        (second.as_str(), 200, last_page),
    ])
    .await;
    let outcome = acme(&node, "export claims --owner n --pool p").await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, "2 rows\n"));
    expect![[r#"
        name,pool,cidr,purpose,owner,ttlSeconds,graceSeconds,reclaimPolicy,labels,annotations,description,phase,generation,allocatedAt,expiresAt
        a,p,10.0.0.7/32,,,,,,app=web,,,Allocated,1,2026-03-01T12:00:00.000Z,
        b,p,10.0.0.7/32,,,,,,app=web,,,Allocated,2,2026-03-01T12:00:00.000Z,
    "#]].assert_eq(&outcome.stdout);
    let json = acme(&node, "export claims --owner n --pool p -o json").await;
    let rows: Vec<Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut expected = claim("b", 2);
    expected["kind"] = "Claim".into();
    assert_eq!((rows.len(), &rows[1]), (2, &expected));
}

#[tokio::test]
async fn rows_are_claimed_in_one_batch_and_told_by_their_lines() {
    let taken = problem(&Problem::new(Code::AddressTaken, "10.0.0.9/32 is held."));
    let node = Node::start([(
        BATCH,
        200,
        results(&[
            made("web"),
            json!({ "status": 200, "body": claim("db", 8) }),
            json!({ "status": 409, "problem": taken }),
        ]),
    )])
    .await;
    let rows = file(
        "name,cidr,pool,owner,ttlSeconds,purpose\nweb,10.0.0.8/32,p,n/eth0,,\ndb,10.0.0.1,shared/p,,60,\n,10.0.0.9/32,p,,,\n\
         bad,10.0.0.1/8,p,,soon,\n,10.0.0.0/32,p,,,Reservation\n",
    );
    let report = NamedTempFile::new().unwrap();
    let line = format!(
        "import {} --report {}",
        rows.path().display(),
        report.path().display()
    );
    let outcome = acme(&node, &line).await;
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    expect![[r#"
        ROWS   CREATED   UNCHANGED   SKIPPED   REFUSED
        5      1         1           1         2
    "#]]
    .assert_eq(&outcome.stdout);
    let name = rows.path().display().to_string();
    expect![[r#"
        error: rows, line 5: 10.0.0.1/8 for bad: ttlSeconds is the string "soon"; allowed: a whole number from 0 to 4294967295 (invalid_field)
        error: rows, line 4: 10.0.0.9/32 for import-10.0.0.9-32: 10.0.0.9/32 is held. (address_taken)
        error: 2 of 5 failed
    "#]].assert_eq(&outcome.stderr.replace(&name, "rows"));
    expect![[r#"
        file,line,name,cidr,outcome,code,detail
        rows,5,bad,10.0.0.1/8,refused,invalid_field,"ttlSeconds is the string ""soon""; allowed: a whole number from 0 to 4294967295"
        rows,6,,,skipped,,it is held as a Reservation
        rows,4,import-10.0.0.9-32,10.0.0.9/32,refused,address_taken,10.0.0.9/32 is held.
    "#]].assert_eq(
        &std::fs::read_to_string(report.path())
            .unwrap()
            .replace(&name, "rows"),
    );
    expect![[r#"POST /v1/tenants/acme/batch {"atomic":false,"operations":[{"createClaim":{"name":"web","pool":"p","cidr":"10.0.0.8/32","owner":"n/eth0"}},{"createClaim":{"name":"db","pool":{"tenant":"shared","name":"p"},"cidr":"10.0.0.1/32","ttlSeconds":60}},{"createClaim":{"name":"import-10.0.0.9-32","pool":"p","cidr":"10.0.0.9/32"}}]}"#]].assert_eq(&node.asked().join("\n"));
}

#[tokio::test]
async fn a_row_without_a_pool_is_of_the_innermost_around_it() {
    let mut inner = super::edits::pool();
    (inner["name"], inner["status"]["allocatedCIDRs"]) = ("inner".into(), json!(["10.0.0.0/28"]));
    let pools = format!("GET /v1/tenants/acme/pools?space=default&limit=1000&{LINEARIZABLE}");
    let page = json!({ "items": [super::edits::pool(), inner], "revision": 9 });
    let node = Node::start([
        (pools.as_str(), 200, page),
        (
            &format!("{BATCH}?dryRun=true"),
            200,
            results(&[made("a"), made("b")]),
        ),
    ])
    .await;
    let rows = file(
        "{\"name\":\"a\",\"cidr\":\"10.0.0.3/32\"}\n{\"name\":\"b\",\"cidr\":\"10.0.0.99/32\"}\n{\"name\":\"c\",\"cidr\":\"10.9.0.0/32\"}\n",
    );
    let outcome = acme(
        &node,
        &format!("import {} --dry-run -o json", rows.path().display()),
    )
    .await;
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    assert!(
        outcome
            .stderr
            .contains("line 3: 10.9.0.0/32 for c: no pool of space default"),
        "{}",
        outcome.stderr
    );
    let counts: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        counts["items"][0],
        json!({ "rows": 3, "created": 2, "unchanged": 0, "skipped": 0, "refused": 1 })
    );
    assert!(
        node.asked()[1].contains(r#""name":"a","pool":"inner""#),
        "{:?}",
        node.asked()
    );
    assert!(
        node.asked()[1].contains(r#""name":"b","pool":"p""#),
        "{:?}",
        node.asked()
    );
}

#[tokio::test]
async fn a_batch_holds_at_most_a_thousand_rows() {
    let node = Node::start([(BATCH, 200, results(&vec![made("a"); 1_000]))]).await;
    let mut text = "cidr,pool\n".to_owned();
    for number in 0..2_500_u32 {
        writeln!(text, "10.0.{}.{},p", number / 256, number % 256).unwrap();
    }
    let rows = file(&text);
    let outcome = acme(&node, &format!("import {} -o name", rows.path().display())).await;
    // The last batch is answered with more results than it has rows, of which the rest is nobody's.
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, "2500\n"),
        "{}",
        outcome.stderr
    );
    let mut sizes: Vec<usize> = node
        .asked()
        .iter()
        .map(|body| body.matches("createClaim").count())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [500, 1_000, 1_000]);
    assert!(
        node.asked()
            .iter()
            .any(|body| body.contains("import-10.0.9.195-32"))
    );
}

#[tokio::test]
async fn what_cannot_be_sent_stops_the_import_and_says_where() {
    let rows = file("name,cidr,pool\na,10.0.0.1,p\n");
    let import = format!("--timeout 1 import {}", rows.path().display());
    let outcome = super::run(
        "http://127.0.0.1:1",
        &format!("--tenant acme {import}"),
        &[],
    )
    .await;
    assert_eq!(outcome.code, 8, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("line 2; what is imported stays"),
        "{}",
        outcome.stderr
    );

    let node = Node::start([]).await;
    let short = Node::start([(BATCH, 200, results(&[]))]).await;
    let outcome = acme(&short, &format!("import {}", rows.path().display())).await;
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("0 answers for 1 rows"),
        "{}",
        outcome.stderr
    );
    for (text, told) in [
        ("name,cdir\na,b\n", "is no column"),
        ("name,pool\na,p\n", "no column cidr"),
        ("{\"name\":", "is not JSON"),
    ] {
        let rows = file(text);
        let outcome = acme(&node, &format!("import {}", rows.path().display())).await;
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    }
    assert_eq!(acme(&node, "import /nowhere/at/all").await.code, 1);
    let line = "import /dev/null --from milo --node n";
    assert_eq!(acme(&node, line).await.code, 2);
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn what_kubectl_prints_is_read_line_by_line() {
    let node = Node::start([(BATCH, 200, results(&[made("red.worker-1")]))]).await;
    let printed = file(
        "{\n \"kind\": \"List\",\n \"items\": [\n  {\n   \"kind\": \"SliceIpam\", \"spec\": {\"sliceName\": \"red\"},\n   \
         \"status\": {\"allocatedSubnets\": [{\"clusterName\": \"worker-1\", \"subnet\": \"10.1.0.0/24\"}]}\n  },\n  \
         {\"kind\": \"SliceIpam\", \"metadata\": {\"name\": \"b\"}, \"status\": {\"allocatedSubnets\": [{\"clusterName\": \"w\"}]}}\n ]\n}\n",
    );
    let line = format!(
        "import --from kubeslice --pool red {}",
        printed.path().display()
    );
    let outcome = acme(&node, &line).await;
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("line 8:"), "{}", outcome.stderr);
    expect![[r#"POST /v1/tenants/acme/batch {"atomic":false,"operations":[{"createClaim":{"name":"red.worker-1","pool":"red","cidr":"10.1.0.0/24","owner":"worker-1","labels":{"cluster":"worker-1","slice":"red"}}}]}"#]].assert_eq(&node.asked().join("\n"));
}

#[tokio::test]
async fn what_claims_withhold_is_withheld_again_by_an_import_of_its_export() {
    let mut reserved = claim("edge", 7);
    reserved["purpose"] = "Reservation".into();
    reserved["labels"] = json!({});
    let claims = format!("GET /v1/tenants/acme/claims?limit=1000&{LINEARIZABLE}");
    let page = json!({ "items": [reserved, claim("web", 8)], "revision": 9 });
    let node = Node::start([
        (claims.as_str(), 200, page),
        (BATCH, 200, results(&[made("edge"), made("web")])),
    ])
    .await;
    for format in ["csv", "json"] {
        let exported = acme(&node, &format!("export claims --format {format}")).await;
        assert_eq!(exported.code, 0, "{}", exported.stderr);
        let rows = file(&exported.stdout);
        let imported = acme(&node, &format!("import {} -o name", rows.path().display())).await;
        assert_eq!(
            (imported.code, imported.stdout.as_str()),
            (0, "2\n"),
            "{}",
            imported.stderr
        );
        let asked = node.asked();
        let sent = asked.last().and_then(|line| line.strip_prefix(BATCH));
        let sent: Value = serde_json::from_str(sent.unwrap()).unwrap();
        let of = |index: usize| sent["operations"][index]["createClaim"].clone();
        let edge =
            json!({ "name": "edge", "pool": "p", "cidr": "10.0.0.7/32", "purpose": "Reservation" });
        assert_eq!(of(0), edge, "{format}");
        let web = json!({ "name": "web", "pool": "p", "cidr": "10.0.0.7/32", "labels": { "app": "web" } });
        assert_eq!(of(1), web, "{format}");
    }
}

#[tokio::test]
async fn an_export_in_a_form_that_there_is_not_is_a_wrong_usage() {
    let node = Node::start([]).await;
    for form in ["yaml", "name", "wide"] {
        let outcome = acme(&node, &format!("export claims -o {form}")).await;
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (2, ""),
            "{}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.contains("--format csv"),
            "{}",
            outcome.stderr
        );
    }
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn a_claim_of_milo_s_by_selector_is_asked_for_by_it_unless_a_pool_is_named() {
    let node = Node::start([(BATCH, 200, results(&[made("db")]))]).await;
    let printed = file(
        r#"{"kind": "IPClaim", "metadata": {"name": "db"}, "status": {"allocatedCIDR": "10.1.0.0/24"},
            "spec": {"ipFamily": "IPv4", "prefixLength": 24, "reclaimPolicy": "Retain", "poolSelector": {"matchLabels": {"a": "b"}}}}"#,
    );
    let line = format!("import --from milo {}", printed.path().display());
    for line in [line.clone(), format!("{line} --pool p")] {
        assert_eq!(acme(&node, &line).await.code, 0, "{line}");
    }
    expect![[r#"
        POST /v1/tenants/acme/batch {"atomic":false,"operations":[{"createClaim":{"name":"db","poolSelector":{"matchLabels":{"a":"b"}},"cidr":"10.1.0.0/24","family":"IPv4","reclaimPolicy":"Retain"}}]}
        POST /v1/tenants/acme/batch {"atomic":false,"operations":[{"createClaim":{"name":"db","pool":"p","cidr":"10.1.0.0/24","family":"IPv4","reclaimPolicy":"Retain"}}]}"#]].assert_eq(&node.asked().join("\n"));
}
