//! Fences that nobody stated are told, so that a command whose outcome is not known can be sent again as it was.

use api::Problem;
use serde_json::{Value, json};

use super::node::Node;
use super::{LINEARIZABLE, acme, claim, problem, tenant};

/// The node loses its answers: what was sent may be done, or may yet be.
fn lost() -> (u16, Value) {
    (504, problem(&Problem::outcome_unknown()))
}

#[tokio::test]
async fn a_fence_is_told_before_anything_is_sent_and_named_where_the_outcome_is_not_known() {
    let directory = tempfile::tempdir().unwrap();
    let live = directory.path().join("live").display().to_string();
    std::fs::write(&live, "node-1\n").unwrap();
    let reconcile = format!("reconcile -f {live} --prefix n --yes");
    // The command, what it tells before, and what it names after.
    let table = [
        (
            "owner release node-1 --yes".to_owned(),
            "as of revision 3\n",
            "with --as-of 3 ",
        ),
        (
            "pool delete p --cascade --yes".to_owned(),
            "as of revision 3\n",
            "with --as-of 3 ",
        ),
        (
            "claim release web --yes".to_owned(),
            "claim web has generation 17\n",
            "'ipamctl claim release web --generation 17'",
        ),
        (
            "allocation reclaim 10.0.0.7 --yes".to_owned(),
            "10.0.0.7/32 has generation 17\n",
            "with --generation 17 ",
        ),
        (reconcile.clone(), "epoch 1", "with --epoch 1"),
        // What was stated is not told again.
        (
            "owner release node-1 --as-of 2 --yes".to_owned(),
            "",
            "with --as-of 2 ",
        ),
        (
            "claim release web --generation 16 --yes".to_owned(),
            "",
            "'ipamctl claim release web --generation 16'",
        ),
        (format!("{reconcile} --epoch 5"), "", "with --epoch 5 "),
    ];
    let allocation = json!({
        "cidr": "10.0.0.7/32", "family": "IPv4", "space": "default", "pool": "p", "purpose": "Claim",
        "claim": "web", "phase": "Released", "generation": 17,
        "allocatedAt": "2026-03-01T12:00:00.000Z", "revision": 9,
    });
    let show = |what: &str| format!("GET /v1/tenants/acme{what}?{LINEARIZABLE}");
    for (line, before, after) in table {
        let (status, body) = lost();
        let answers = [
            (show(""), 200, tenant("acme")),
            (show("/claims/web"), 200, claim("web", 17)),
            (show("/allocations/10.0.0.7/32"), 200, allocation.clone()),
        ];
        let writes = [
            "POST /v1/tenants/acme/owners/release",
            "POST /v1/tenants/acme/owners/reconcile",
            "POST /v1/tenants/acme/allocations/reclaim",
            "DELETE /v1/tenants/acme/pools/p?cascade=true&asOfRevision=3&limit=10000",
            "DELETE /v1/tenants/acme/claims/web?generation=17",
            "DELETE /v1/tenants/acme/claims/web?generation=16",
        ];
        let answers = answers
            .iter()
            .map(|(line, status, body)| (line.as_str(), *status, body.clone()))
            .chain(writes.map(|write| (write, status, body.clone())));
        let node = Node::start(answers).await;
        let outcome = acme(&node, &format!("--timeout 1 {line}")).await;
        assert_eq!(outcome.code, 8, "{line}: {}", outcome.stderr);
        let told = &outcome.stderr;
        let error = told.find("error: ").unwrap();
        assert!(told[..error].starts_with(before), "{line}: {told}");
        assert!(!before.is_empty() || error == 0, "{line}: {told}");
        assert!(told[error..].contains(after), "{line}: {told}");
    }
}

#[tokio::test]
async fn a_report_is_not_lost_where_it_cannot_be_written_and_not_overwritten_by_a_repeat() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (live, report) = (path("live"), path("report"));
    std::fs::write(&live, "node-1\n").unwrap();
    let reconcile = "POST /v1/tenants/acme/owners/reconcile";
    let node = Node::start([(reconcile, 200, super::owners::reconciled())]).await;
    let command = format!("reconcile -f {live} --prefix n --epoch 5 --yes -o name --report");

    // A file that cannot be opened is told before anything is released.
    let nowhere = acme(&node, &format!("{command} {}", path("none/report"))).await;
    assert_eq!(nowhere.code, 1, "{}", nowhere.stderr);
    assert!(node.asked().is_empty(), "{:?}", node.asked());
    // One that cannot be written takes nothing from what is shown.
    let full = acme(&node, &format!("{command} /dev/full")).await;
    assert_eq!(
        (full.code, full.stdout.as_str()),
        (1, "10.0.0.1/32\n"),
        "{}",
        full.stderr
    );
    assert!(full.stderr.contains("cannot write"), "{}", full.stderr);
    // A longer one that was there before is replaced as a whole.
    std::fs::write(&report, "x".repeat(10_000)).unwrap();
    let written = acme(&node, &format!("{command} {report}")).await;
    assert_eq!(written.code, 0, "{}", written.stderr);
    let first = std::fs::read_to_string(&report).unwrap();
    let read: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(read["released"][0]["generation"], 7);

    // The answer to a repeat lists nothing: what the file has is worth more.
    let mut repeated = super::owners::reconciled();
    (repeated["repeated"], repeated["released"]) = (true.into(), json!([]));
    let node = Node::start([(reconcile, 200, repeated)]).await;
    let again = acme(&node, &format!("{command} {report}")).await;
    assert_eq!(again.code, 5, "{}", again.stderr);
    assert!(
        again.stderr.contains("counted before") && again.stderr.contains("is as it was"),
        "{}",
        again.stderr
    );
    assert_eq!(std::fs::read_to_string(&report).unwrap(), first);
}
