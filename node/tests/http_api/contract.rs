//! The server serves the contract: every operation of it, and nothing else.

use std::collections::BTreeMap;

use api::routes::{Response, ResponseBody, operations};

use crate::harness::{JSON, TestNode};

/// A path of the operation with something plausible in its variable parts.
pub(crate) fn concrete(path: &str) -> String {
    path.replace("{tenant}", "acme")
        .replace("{pool}", "p")
        .replace("{claim}", "c")
        .replace("{cidr}", "10.0.0.0/32")
        .replace("{id}", "9")
}

/// It never ends by itself.
fn is_endless(response: &Response) -> bool {
    matches!(response.body, ResponseBody::EventsOf(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_table_is_served_and_no_other_method_of_its_path() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let mut methods: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for operation in operations() {
        methods
            .entry(operation.path)
            .or_default()
            .push(operation.method.as_str());
        if operation.responses.iter().any(is_endless) {
            let events = node.events(&concrete(operation.path), &[]).await;
            assert_eq!(events.status, 200, "{}", operation.id);
            continue;
        }
        let answer = node
            .send(
                operation.method.as_str(),
                &concrete(operation.path),
                JSON,
                "{}",
            )
            .await;
        let unrouted = ["not_found", "method_not_allowed", "internal_error"];
        assert!(
            !unrouted.iter().any(|code| answer.body["code"] == **code),
            "{}: {answer:?}",
            operation.id
        );
    }
    for (path, served) in methods {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if !served.contains(&method) {
                let answer = node.send(method, &concrete(path), JSON, "{}").await;
                answer.assert_problem(405, "method_not_allowed", &format!("{method} {path}"));
                let allow = answer.header("allow").unwrap_or_default().to_owned();
                assert!(
                    served.iter().all(|one| allow.contains(one)),
                    "{method} {path}: {allow}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_served_as_what_they_are_and_need_nothing_from_elsewhere() {
    let node = TestNode::start().await;
    for operation in operations() {
        for response in operation.responses {
            if let ResponseBody::Other(media_type) = response.body {
                let answer = node.get(operation.path).await;
                assert_eq!(answer.status.as_u16(), response.status, "{}", operation.id);
                let given = answer.header("content-type").unwrap();
                assert!(given.starts_with(media_type), "{}: {given}", operation.id);
            }
        }
    }
    let document = node.get("/openapi.json").await;
    assert_eq!(document.bytes, api::openapi::DOCUMENT);
    assert_eq!(document.body["openapi"], "3.1.0");
    let page = String::from_utf8(node.get("/docs").await.bytes.to_vec()).unwrap();
    assert!(page.contains("claim_create"));
    assert!(
        !page.contains("src=") && !page.contains("http://") && !page.contains("https://"),
        "{page}"
    );
}
