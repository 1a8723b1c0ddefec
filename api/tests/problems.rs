//! Every refusal as the problem that a client reads.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use allocator::answer::{FieldProblem, ObjectKind, Rejection};
use allocator::command::{ClaimSpec, PoolRef};
use allocator::count::Count;
use allocator::name::{Name, Owner};
use allocator::prefix::{Family, Prefix};
use allocator::view::{AllocationView, ClaimView, Phase, Purpose};
use api::problem::{Problem, Viewer};
use expect_test::expect;
use serde_json::json;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn block(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn held_by(tenant: &str, claim: &str) -> AllocationView {
    AllocationView {
        cidr: block("10.0.0.0/24"),
        space: name("default"),
        tenant: name("acme"),
        pool: name("p"),
        purpose: Purpose::Claim,
        claim: Some((name(tenant), name(claim))),
        child: None,
        reason: None,
        owner: Some(Owner::new("node-7/eth0").unwrap()),
        phase: Phase::Allocated,
        generation: 17,
        allocated_at_ms: 1_772_366_400_007,
        expires_at_ms: None,
        released_at_ms: None,
        reclaim_at_ms: None,
        revision: 40,
    }
}

fn ended() -> ClaimView {
    ClaimView {
        spec: ClaimSpec {
            prefix_length: Some(32),
            ..ClaimSpec::new(
                name("acme"),
                name("c"),
                PoolRef {
                    tenant: None,
                    name: name("p"),
                },
            )
        },
        pool_tenant: name("acme"),
        pool: name("p"),
        phase: Phase::Released,
        block: block("10.0.0.7/32"),
        subnet: block("10.0.0.0/24"),
        gateway: None,
        handout: allocator::handout::Handout::default(),
        generation: 17,
        returned: false,
        allocated_at_ms: 1_772_366_400_000,
        first_allocated_at_ms: 1_772_366_400_000,
        previously_released_at_ms: None,
        in_use_at_ms: None,
        expires_at_ms: None,
        expiring_since_ms: None,
        released_at_ms: Some(1_772_366_401_000),
        reclaim_at_ms: Some(1_772_366_401_000),
        revision: 41,
    }
}

/// One of each, in the order of the enum.
fn rejections() -> Vec<Rejection> {
    vec![
        Rejection::VersionRefused {
            active: 1,
            asked: 3,
        },
        Rejection::AlreadyFormed { cluster_id: 7 },
        Rejection::InvalidField(vec![FieldProblem {
            field: "cidrs[1]".to_owned(),
            problem: "overlaps cidrs[0]".to_owned(),
            allowed: "blocks that do not overlap".to_owned(),
        }]),
        Rejection::TenantNotFound {
            tenant: name("acme"),
        },
        Rejection::PoolNotFound {
            tenant: name("acme"),
            pool: name("p"),
        },
        Rejection::ClaimNotFound {
            tenant: name("acme"),
            claim: name("c"),
            ended: None,
        },
        Rejection::ClaimNotFound {
            tenant: name("acme"),
            claim: name("c"),
            ended: Some(Box::new(ended())),
        },
        Rejection::AllocationNotFound {
            tenant: name("acme"),
            space: name("default"),
            cidr: block("10.0.0.0/24"),
        },
        Rejection::AlreadyExists {
            kind: ObjectKind::Pool,
            name: name("p"),
            field: "cidrs".to_owned(),
        },
        Rejection::ClaimMismatch {
            claim: name("c"),
            field: "prefixLength".to_owned(),
        },
        Rejection::GenerationStale {
            given: 3,
            current: Some(5),
        },
        Rejection::GenerationStale {
            given: 3,
            current: None,
        },
        Rejection::NotTheHolder { claim: name("c") },
        Rejection::NotReleased {
            held: Box::new(held_by("acme", "c")),
        },
        Rejection::NotReleased {
            held: Box::new(held_by("umbrella", "secret")),
        },
        Rejection::RevisionMismatch {
            given: 3,
            current: 5,
        },
        Rejection::FamilyMismatch {
            field: "family".to_owned(),
            asked: Family::IPv6,
            pool: Family::IPv4,
        },
        Rejection::PrefixLengthOutOfBounds {
            field: "prefixLength".to_owned(),
            asked: Some(8),
            min: 16,
            max: 24,
        },
        Rejection::PrefixLengthOutOfBounds {
            field: "prefixLength".to_owned(),
            asked: None,
            min: 16,
            max: 24,
        },
        Rejection::GatewayNotInSubnet {
            field: "gateway".to_owned(),
            gateway: "10.1.0.1".parse().unwrap(),
            subnet: block("10.0.0.0/24"),
        },
        Rejection::NotPrivate {
            field: "cidrs[0]".to_owned(),
            cidr: block("8.0.0.0/8"),
        },
        Rejection::PoolDraining {
            tenant: name("acme"),
            pool: name("p"),
        },
        Rejection::CidrOverlap {
            cidr: block("10.0.0.0/16"),
            other: block("10.0.0.0/8"),
            pool: name("q"),
        },
        Rejection::AddressTaken {
            cidr: block("10.0.0.0/24"),
            held: Box::new(held_by("acme", "c")),
        },
        Rejection::AddressTaken {
            cidr: block("10.0.0.0/23"),
            held: Box::new(held_by("umbrella", "secret")),
        },
        Rejection::QuotaExceeded {
            quota: "ipv4Addresses".to_owned(),
            limit: 10,
            used: 8,
            asked: 4,
        },
        Rejection::PoolInUse {
            pool: name("p"),
            claims: 2,
            children: 1,
            holders: vec![held_by("acme", "c")],
        },
        Rejection::CidrInUse {
            pool: name("p"),
            cidr: block("10.0.0.0/24"),
            holders: vec![held_by("acme", "c")],
        },
        Rejection::TenantInUse {
            tenant: name("acme"),
            pools: 1,
            claims: 2,
        },
        Rejection::NoPoolMatches {
            tenant: name("acme"),
        },
        Rejection::PoolExhausted {
            tenant: name("acme"),
            pool: name("p"),
            prefix_length: 24,
            free: Count::new(12),
            largest_free_prefix_length: Some(29),
            within: true,
        },
        Rejection::PoolExhausted {
            tenant: name("acme"),
            pool: name("p"),
            prefix_length: 32,
            free: Count::ZERO,
            largest_free_prefix_length: None,
            within: false,
        },
        Rejection::EpochStale {
            given: 4,
            current: 5,
        },
        Rejection::TooManySuspects { count: 7, limit: 3 },
        Rejection::TooMany {
            what: "cidrs".to_owned(),
            count: 300,
            limit: 256,
        },
        Rejection::BatchRefused {
            failed_index: 1,
            reasons: vec![
                Rejection::NotApplied,
                Rejection::TenantNotFound {
                    tenant: name("acme"),
                },
            ],
        },
        Rejection::NotApplied,
    ]
}

#[test]
fn every_refusal_has_its_status_code_sentence_and_facts() {
    let mut table = String::new();
    for rejection in rejections() {
        let problem = Problem::from_rejection(&rejection, 42, Viewer::Tenant(&name("acme")));
        assert_eq!(problem.revision, Some(42));
        assert!(
            problem
                .known_code()
                .is_some_and(|code| code.status() == problem.status),
            "{}",
            problem.code
        );
        let facts = serde_json::to_string(&problem.facts).unwrap();
        writeln!(
            table,
            "{} {}\n    {}\n    {facts}",
            problem.status, problem.code, problem.detail
        )
        .unwrap();
    }
    expect![[r#"
        409 version_refused
            Version 3 cannot be activated: the active one is 1.
            {"active":1,"asked":3}
        409 already_formed
            The cluster has the id 00000000000000000000000000000007 already.
            {"clusterId":"00000000000000000000000000000007"}
        422 invalid_field
            cidrs[1] overlaps cidrs[0]; allowed: blocks that do not overlap.
            {"fields":[{"allowed":"blocks that do not overlap","field":"cidrs[1]","problem":"overlaps cidrs[0]"}]}
        404 tenant_not_found
            There is no tenant acme.
            {"tenant":"acme"}
        404 pool_not_found
            There is no pool p in tenant acme.
            {"pool":"p","tenant":"acme"}
        404 claim_not_found
            There is no claim c in tenant acme.
            {"claim":"c","tenant":"acme"}
        404 claim_not_found
            There is no claim c in tenant acme; its last holding, 10.0.0.7/32 with generation 17, has ended.
            {"claim":"c","ended":{"labels":{},"name":"c","pool":"p","prefixLength":32,"status":{"address":"10.0.0.7/24","allocatedAt":"2026-03-01T12:00:00.000Z","allocatedCIDR":"10.0.0.7/32","conditions":[{"lastTransitionTime":"2026-03-01T12:00:01.000Z","message":"10.0.0.7/32 went back to pool p","reason":"Released","status":"False","type":"Allocated"}],"firstAllocatedAt":"2026-03-01T12:00:00.000Z","generation":17,"phase":"Released","pool":"p","reclaimAt":"2026-03-01T12:00:01.000Z","releasedAt":"2026-03-01T12:00:01.000Z","returned":false,"revision":41,"subnet":"10.0.0.0/24"}},"tenant":"acme"}
        404 allocation_not_found
            Nothing is held at 10.0.0.0/24 in space default.
            {"cidr":"10.0.0.0/24","space":"default","tenant":"acme"}
        409 already_exists
            The pool p exists already with another cidrs.
            {"field":"cidrs","kind":"pool","name":"p"}
        409 claim_mismatch
            The claim c exists and was asked for with another prefixLength.
            {"claim":"c","field":"prefixLength"}
        412 generation_stale
            Generation 3 has ended; the claim has generation 5.
            {"current":5,"given":3}
        412 generation_stale
            Generation 3 has ended and nothing holds that name now.
            {"given":3}
        403 not_the_holder
            The claim c is not that owner's.
            {"claim":"c"}
        409 address_taken
            10.0.0.0/24 is held by claim c, and was not released.
            {"cidr":"10.0.0.0/24","held":{"allocatedAt":"2026-03-01T12:00:00.007Z","cidr":"10.0.0.0/24","claim":"c","family":"IPv4","generation":17,"owner":"node-7/eth0","phase":"Allocated","pool":"p","purpose":"Claim","revision":40,"space":"default"}}
        409 address_taken
            10.0.0.0/24 is held, and was not released.
            {"cidr":"10.0.0.0/24","held":{"allocatedAt":"2026-03-01T12:00:00.007Z","cidr":"10.0.0.0/24","family":"IPv4","generation":17,"phase":"Allocated","pool":"p","purpose":"Claim","revision":40,"space":"default","tenant":"umbrella"}}
        412 revision_mismatch
            The pool has revision 5, not 3.
            {"current":5,"given":3}
        422 family_mismatch
            family says IPv6, but the pool is IPv4.
            {"asked":"IPv6","family":"IPv4","field":"family"}
        422 prefix_length_out_of_bounds
            prefixLength is 8; this pool allows 16 to 24.
            {"asked":8,"field":"prefixLength","maxPrefixLength":24,"minPrefixLength":16}
        422 prefix_length_out_of_bounds
            prefixLength is missing and the pool has no default; it allows 16 to 24.
            {"field":"prefixLength","maxPrefixLength":24,"minPrefixLength":16}
        422 gateway_not_in_subnet
            gateway is 10.1.0.1; allowed is first, last, an address of the subnet 10.0.0.0/24 or a link-local one.
            {"field":"gateway","gateway":"10.1.0.1","subnet":"10.0.0.0/24"}
        422 not_private
            8.0.0.0/8 is neither RFC 1918 nor RFC 4193.
            {"cidr":"8.0.0.0/8","field":"cidrs[0]"}
        409 pool_draining
            The pool p of tenant acme hands out nothing new.
            {"pool":"p","tenant":"acme"}
        409 cidr_overlap
            10.0.0.0/16 overlaps 10.0.0.0/8 of pool q.
            {"cidr":"10.0.0.0/16","other":"10.0.0.0/8","pool":"q"}
        409 address_taken
            10.0.0.0/24 is held by claim c.
            {"cidr":"10.0.0.0/24","held":{"allocatedAt":"2026-03-01T12:00:00.007Z","cidr":"10.0.0.0/24","claim":"c","family":"IPv4","generation":17,"owner":"node-7/eth0","phase":"Allocated","pool":"p","purpose":"Claim","revision":40,"space":"default"}}
        409 address_taken
            10.0.0.0/23 is not free: 10.0.0.0/24 is held.
            {"cidr":"10.0.0.0/23","held":{"allocatedAt":"2026-03-01T12:00:00.007Z","cidr":"10.0.0.0/24","family":"IPv4","generation":17,"phase":"Allocated","pool":"p","purpose":"Claim","revision":40,"space":"default","tenant":"umbrella"}}
        403 quota_exceeded
            The quota ipv4Addresses is 10; 8 are used and 4 more were asked for.
            {"asked":4,"limit":10,"quota":"ipv4Addresses","used":8}
        409 pool_in_use
            The pool p holds 2 claims and 1 child pools.
            {"children":1,"claims":2,"holders":[{"allocatedAt":"2026-03-01T12:00:00.007Z","cidr":"10.0.0.0/24","claim":"c","family":"IPv4","generation":17,"owner":"node-7/eth0","phase":"Allocated","pool":"p","purpose":"Claim","revision":40,"space":"default"}],"pool":"p"}
        409 pool_in_use
            10.0.0.0/24 of the pool p holds something.
            {"cidr":"10.0.0.0/24","holders":[{"allocatedAt":"2026-03-01T12:00:00.007Z","cidr":"10.0.0.0/24","claim":"c","family":"IPv4","generation":17,"owner":"node-7/eth0","phase":"Allocated","pool":"p","purpose":"Claim","revision":40,"space":"default"}],"pool":"p"}
        409 tenant_in_use
            The tenant acme has 1 pools and 2 claims.
            {"claims":2,"pools":1,"tenant":"acme"}
        404 no_pool_matches
            No pool of tenant acme that may be used here matches.
            {"tenant":"acme"}
        507 pool_exhausted
            The pool p of tenant acme has no free /24 in the ranges asked for: 12 addresses are free, the largest free block is a /29.
            {"free":"12","largestFreePrefixLength":29,"pool":"p","prefixLength":24,"tenant":"acme"}
        507 pool_exhausted
            The pool p of tenant acme has no free /32: nothing is free.
            {"free":"0","pool":"p","prefixLength":32,"tenant":"acme"}
        412 epoch_stale
            Epoch 4 is older than the last one of the scope, 5.
            {"current":5,"given":4}
        409 too_many_suspects
            7 blocks would be released; the caller expects 3 at most.
            {"count":7,"limit":3}
        409 too_many
            There would be 300 cidrs; 256 are allowed.
            {"count":300,"limit":256,"what":"cidrs"}
        404 tenant_not_found
            Operation 1 was refused, so nothing was applied: There is no tenant acme.
            {"failedIndex":1,"results":[{"problem":{"code":"not_applied","detail":"Another operation of the atomic batch was refused, so nothing was applied.","retryable":false,"revision":42,"status":424,"title":"Another operation of the batch was refused","type":"urn:ipamd:problem:not_applied"},"status":424},{"problem":{"code":"tenant_not_found","detail":"There is no tenant acme.","retryable":false,"revision":42,"status":404,"tenant":"acme","title":"No such tenant","type":"urn:ipamd:problem:tenant_not_found"},"status":404}],"tenant":"acme"}
        424 not_applied
            Another operation of the atomic batch was refused, so nothing was applied.
            {}
    "#]].assert_eq(&table);
}

#[test]
fn a_problem_reads_back_as_it_was_written() {
    for rejection in rejections() {
        let problem = Problem::from_rejection(&rejection, 42, Viewer::Admin);
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }
}

#[test]
fn a_full_pool_is_507_with_its_figures() {
    let rejection = Rejection::PoolExhausted {
        tenant: name("acme"),
        pool: name("p"),
        prefix_length: 30,
        free: Count::new(2),
        within: false,
        largest_free_prefix_length: Some(31),
    };
    let problem = Problem::from_rejection(&rejection, 9, Viewer::Admin);
    assert_eq!(
        serde_json::to_value(&problem).unwrap(),
        json!({
            "type": "urn:ipamd:problem:pool_exhausted",
            "title": "No free block of that length",
            "status": 507,
            "detail": "The pool p of tenant acme has no free /30: 2 addresses are free, the largest free block is a /31.",
            "code": "pool_exhausted",
            "retryable": false,
            "revision": 9,
            "tenant": "acme",
            "pool": "p",
            "prefixLength": 30,
            "free": "2",
            "largestFreePrefixLength": 31,
        })
    );
}

#[test]
fn another_tenants_holder_is_never_named() {
    let rejection = Rejection::AddressTaken {
        cidr: block("10.0.0.0/24"),
        held: Box::new(held_by("umbrella", "secret")),
    };
    let seen =
        |viewer| serde_json::to_string(&Problem::from_rejection(&rejection, 1, viewer)).unwrap();
    let (acme, umbrella) = (name("acme"), name("umbrella"));
    let outside = seen(Viewer::Tenant(&acme));
    assert!(
        outside.contains("umbrella") && !outside.contains("secret") && !outside.contains("node-7"),
        "{outside}"
    );
    assert!(seen(Viewer::Tenant(&umbrella)).contains("claim secret"));
    assert!(seen(Viewer::Admin).contains("claim secret"));
}

#[test]
fn edge_problems_say_when_to_try_again() {
    let table: Vec<(&str, u16, bool, Option<u32>)> = vec![
        ("too_busy", 429, true, Some(1)),
        ("no_leader", 503, true, Some(1)),
        ("stale", 503, true, Some(1)),
        ("stale", 503, true, Some(1)),
        ("stopping", 503, true, Some(1)),
        ("outcome_unknown", 504, true, None),
        ("too_large", 413, false, None),
        ("internal_error", 500, false, None),
    ];
    let problems = [
        Problem::too_busy(),
        Problem::no_leader(),
        Problem::stale(Some(1_200)),
        Problem::min_revision_not_reached(9, 7),
        Problem::stopping(),
        Problem::outcome_unknown(),
        Problem::too_large(1_048_576),
        Problem::internal_error(),
    ];
    for (problem, expected) in problems.iter().zip(table) {
        let got = (
            problem.code.as_str(),
            problem.status,
            problem.retryable,
            problem.retry_after_seconds(),
        );
        assert_eq!(got, expected);
    }
}
