//! What a mutation answers with.

use allocator::answer::{Answer, Outcome, Rejection};
use api::problem::Viewer;
use api::reply::Reply;

use super::samples::{allocation, claim, name, root, tenant};

#[test]
fn an_answer_has_its_status_and_a_refusal_is_a_problem() {
    let acme = name("acme");
    let of = |result| {
        Reply::of(
            &Answer {
                revision: 9,
                swept: allocator::answer::Swept::default(),
                result,
            },
            Viewer::Tenant(&acme),
        )
    };
    let status = |outcome| of(Ok(outcome)).unwrap().status;
    assert_eq!(status(Outcome::TenantCreated(Box::new(tenant()))), 201);
    assert_eq!(status(Outcome::TenantRepeated(Box::new(tenant()))), 200);
    assert_eq!(status(Outcome::TenantDeleted(Box::new(tenant()))), 200);
    assert_eq!(status(Outcome::PoolCreated(Box::new(root()))), 201);
    assert_eq!(status(Outcome::PoolRepeated(Box::new(root()))), 200);
    assert_eq!(status(Outcome::PoolDeleted(Box::new(root()))), 200);
    assert_eq!(status(Outcome::ClaimCreated(Box::new(claim()))), 201);
    assert_eq!(status(Outcome::ClaimRepeated(Box::new(claim()))), 200);
    assert_eq!(status(Outcome::ClaimReleased(Box::new(claim()))), 200);
    assert_eq!(
        status(Outcome::ClaimAlreadyReleased(Box::new(claim()))),
        200
    );
    assert_eq!(status(Outcome::ClaimConfirmed(Box::new(claim()))), 200);
    assert_eq!(status(Outcome::ClaimRenewed(Box::new(claim()))), 200);
    let reclaimed = of(Ok(Outcome::AllocationReclaimed(Box::new(allocation())))).unwrap();
    let shown = serde_json::to_value(&reclaimed.body).unwrap();
    assert_eq!((reclaimed.status, &shown["claim"]), (200, &"web-1".into()));
    let advanced = of(Ok(Outcome::ClockAdvanced { advanced_ms: 7 })).unwrap();
    let shown = serde_json::to_value(&advanced.body).unwrap();
    assert_eq!(shown["clockAdvancedMs"], 7);
    let problem = of(Err(Rejection::TenantNotFound {
        tenant: name("acme"),
    }))
    .unwrap_err();
    assert_eq!((problem.status, problem.revision), (404, Some(9)));
}

#[test]
fn a_batch_answers_for_each_operation() {
    let acme = name("acme");
    let results = vec![
        Ok(Outcome::ClaimCreated(Box::new(claim()))),
        Err(Rejection::TenantNotFound {
            tenant: name("acme"),
        }),
    ];
    let answer = Answer {
        revision: 9,
        swept: allocator::answer::Swept::default(),
        result: Ok(Outcome::Batch(results)),
    };
    let reply = Reply::of(&answer, Viewer::Tenant(&acme)).unwrap();
    let shown = serde_json::to_value(&reply.body).unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(
        (
            &shown["results"][0]["status"],
            &shown["results"][1]["status"]
        ),
        (&201.into(), &404.into())
    );
    assert_eq!(
        shown["results"][0]["body"]["status"]["allocatedCIDR"],
        "10.0.1.5/32"
    );
    assert_eq!(shown["results"][1]["problem"]["code"], "tenant_not_found");

    let refused = Rejection::BatchRefused {
        failed_index: 1,
        reasons: vec![
            Rejection::NotApplied,
            Rejection::GenerationStale {
                given: 3,
                current: Some(5),
            },
        ],
    };
    let problem = Reply::of(
        &Answer {
            swept: allocator::answer::Swept::default(),
            revision: 9,
            result: Err(refused),
        },
        Viewer::Tenant(&acme),
    )
    .unwrap_err();
    assert_eq!(
        (
            problem.status,
            problem.code.as_str(),
            &problem.facts["failedIndex"]
        ),
        (412, "generation_stale", &1.into())
    );
    assert_eq!(problem.facts["results"][0]["status"], 424);
    assert_eq!(problem.facts["results"][1]["problem"]["current"], 5);
}
