//! A pool that is deleted with what is under it, where the first answer is lost.

use api::Problem;
use api::problem::Code;
use client::Error;
use serde_json::json;

use super::node::{Node, Script};
use super::{client, name};

fn refused(code: Code) -> Script {
    Script::Problem(Problem::new(code, "it is so"))
}

fn gone() -> Script {
    Script::Answer(
        200,
        json!({ "released": 4, "remaining": 0, "newer": 0, "deleted": true, "revision": 9 }),
    )
}

/// What a cascade came to, in a word.
async fn outcome(script: Vec<Script>, if_revision: Option<u64>) -> (String, usize) {
    let node = Node::start(script).await;
    let answer = client(&[&node.url])
        .pool_cascade(&name("acme"), &name("p"), 7, None, if_revision)
        .await;
    let told = match answer {
        Ok(answer) => format!("deleted {}", answer.body.deleted),
        Err(Error::OutcomeUnknown { problem, .. }) => {
            format!(
                "unknown {}",
                problem.map_or_else(String::new, |one| one.code)
            )
        }
        Err(Error::Refused(problem)) => problem.code,
        Err(other) => panic!("{other}"),
    };
    (told, node.lines().len())
}

#[tokio::test]
async fn a_cascade_whose_answer_was_lost_is_not_told_as_refused() {
    let lost = Script::Problem(Problem::outcome_unknown());
    let table = [
        (vec![gone()], "deleted true", 1),
        (vec![lost.clone(), gone()], "deleted true", 2),
        // What the repeat finds is what the attempt before it did.
        (
            vec![lost.clone(), refused(Code::PoolNotFound)],
            "deleted true",
            2,
        ),
        (
            vec![Script::Close, refused(Code::PoolNotFound)],
            "deleted true",
            2,
        ),
        (
            vec![lost.clone(), refused(Code::RevisionMismatch)],
            "unknown revision_mismatch",
            2,
        ),
        // What it cannot have done is a refusal as any other.
        (
            vec![lost, refused(Code::TenantNotFound)],
            "tenant_not_found",
            2,
        ),
        // So is what was refused at once, or after attempts that were certainly not done.
        (vec![refused(Code::PoolNotFound)], "pool_not_found", 1),
        (
            vec![refused(Code::RevisionMismatch)],
            "revision_mismatch",
            1,
        ),
        (
            vec![
                Script::Problem(Problem::no_leader()),
                refused(Code::PoolNotFound),
            ],
            "pool_not_found",
            2,
        ),
    ];
    for (script, expected, attempts) in table {
        let case = format!("{script:?}");
        let (told, asked) = outcome(script, Some(4)).await;
        assert_eq!((told.as_str(), asked), (expected, attempts), "{case}");
    }
}
