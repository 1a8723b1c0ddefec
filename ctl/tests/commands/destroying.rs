//! What is never destroyed by a slip of the pen.

use super::node::Node;
use super::{acme, run_words};

#[tokio::test]
async fn an_empty_selector_destroys_nothing() {
    let node = Node::start([]).await;
    // The twin: one that is none would be asked for.
    let found = acme(&node, "claim release -l app --yes").await;
    assert_eq!((found.code, node.asked().len()), (4, 1), "{}", found.stderr);
    // What -l "$UNSET" makes of it would be everything.
    for words in [
        ["claim", "release", "-l", "", "--yes"].as_slice(),
        &["claim", "release", "-l", " ", "--yes"],
        &["claim", "release", "--selector=", "--dry-run"],
        &["apply", "-f", "a.yaml", "--prune", "-l", "", "--yes"],
        &["plan", "-f", "a.yaml", "--prune", "-l", " "],
    ] {
        let words = [&["--tenant", "acme"], words].concat();
        let outcome = run_words(&node.url, &words, &[]).await;
        assert_eq!(outcome.code, 2, "{words:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("everything"), "{}", outcome.stderr);
    }
    assert_eq!(node.asked().len(), 1, "{:?}", node.asked());
}

#[tokio::test]
async fn claims_are_released_only_where_somebody_said_so() {
    let node = Node::start([]).await;
    for line in [
        "claim release a",
        "claim release a b",
        "claim release a --generation 7",
    ] {
        let outcome = acme(&node, line).await;
        assert_eq!(outcome.code, 2, "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("--yes"), "{}", outcome.stderr);
    }
    assert!(node.asked().is_empty(), "{:?}", node.asked());
}
