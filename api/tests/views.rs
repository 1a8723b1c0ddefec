//! Views as clients read them: their exact JSON, back again, and sent back as the request.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocator::answer::{Answer, Outcome, Rejection};
use allocator::command::{
    ChildBlock, ClaimSpec, Exclusion, Gateway, PoolCidr, PoolRef, PoolSource, PoolSpec, Quota,
    TenantSpec,
};
use allocator::count::Count;
use allocator::name::{Labels, Name, Owner};
use allocator::prefix::{Family, Prefix};
use allocator::view::{
    AllocationView, Blocks, Capacity, ClaimCounts, ClaimView, LookupView, Phase, PoolCidrView,
    PoolView, Purpose, TenantView, TreeNode, Usage,
};
use api::problem::Viewer;
use api::reply::Reply;
use api::requests::{PoolCreate, TenantCreate};
use api::scalar::{Decimal, Hex128};
use api::views;
use expect_test::{Expect, expect};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn block(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn labels() -> Labels {
    [("env".into(), "prod".into())].into_iter().collect()
}

fn tenant() -> TenantView {
    TenantView {
        spec: TenantSpec {
            name: name("acme"),
            labels: labels(),
            annotations: Labels::new(),
            description: "".into(),
            quota: Quota {
                claims: Some(100),
                ..Quota::default()
            },
        },
        usage: Usage {
            pools: 1,
            claims: 2,
            ipv4_addresses: 258,
            ipv6_prefixes_64: 0,
        },
        revision: 3,
        created_at_ms: 1_772_366_400_000,
        updated_at_ms: 1_772_366_400_000,
    }
}

fn capacity() -> Capacity {
    Capacity {
        total: Count::new(65_536),
        allocated: Count::new(257),
        in_use: Count::ZERO,
        released: Count::ZERO,
        reserved: Count::new(256),
        available: Count::new(65_023),
    }
}

fn root() -> PoolView {
    PoolView {
        spec: PoolSpec {
            tenant: name("acme"),
            name: name("p"),
            source: PoolSource::Root {
                space: Some(name("default")),
                cidrs: vec![PoolCidr {
                    cidr: block("10.0.0.0/16"),
                    subnet: None,
                    gateway: Some(Gateway::Last),
                }],
            },
            family: None,
            owner: None,
            min_prefix_length: Some(24),
            max_prefix_length: None,
            default_prefix_length: None,
            exclude: vec![Exclusion {
                first: "10.0.0.0".parse().unwrap(),
                last: "10.0.0.255".parse().unwrap(),
                reason: "infrastructure".into(),
                text: "10.0.0.0/24".into(),
            }],
            subnet: None,
            gateway: Some(Gateway::First),
            labels: labels(),
            annotations: Labels::new(),
            description: "".into(),
        },
        space: name("default"),
        cidrs: vec![PoolCidrView {
            cidr: block("10.0.0.0/16"),
            subnet: block("10.0.0.0/16"),
            gateway: Some("10.0.255.254".parse().unwrap()),
        }],
        family: Family::IPv4,
        min_prefix_length: 24,
        max_prefix_length: 32,
        default_prefix_length: Some(32),
        capacity: capacity(),
        blocks: Some(Blocks {
            prefix_length: 32,
            total: Count::new(65_536),
            available: Count::new(65_023),
        }),
        utilization_e4: 39,
        fragmentation_e4: 4_960,
        largest_free_prefix_length: Some(17),
        exhausted_since_ms: None,
        children: 0,
        claims: ClaimCounts {
            allocated: 2,
            in_use: 0,
            released: 0,
        },
        revision: 4,
        content_revision: 9,
        created_at_ms: 1_772_366_400_000,
        updated_at_ms: 1_772_366_400_000,
    }
}

fn child() -> PoolView {
    let mut view = root();
    view.spec.name = name("c");
    view.spec.source = PoolSource::Child {
        parent: PoolRef {
            tenant: None,
            name: name("p"),
        },
        block: ChildBlock::Length(24),
    };
    view.spec.owner = Some(Owner::new("node-7").unwrap());
    view.spec.exclude.clear();
    view.cidrs[0].cidr = block("10.0.1.0/24");
    view.exhausted_since_ms = Some(1_772_366_460_000);
    view
}

fn claim() -> ClaimView {
    ClaimView {
        spec: ClaimSpec {
            tenant: name("acme"),
            name: name("web-1"),
            pool: PoolRef {
                tenant: None,
                name: name("p"),
            },
            prefix_length: None,
            cidr: None,
            family: None,
            owner: Some(Owner::new("node-7/eth0").unwrap()),
            labels: labels(),
            annotations: Labels::new(),
            description: "".into(),
        },
        pool_tenant: name("acme"),
        pool: name("p"),
        phase: Phase::Allocated,
        block: block("10.0.1.5/32"),
        subnet: block("10.0.0.0/16"),
        gateway: Some("10.0.0.1".parse().unwrap()),
        generation: 7,
        returned: false,
        allocated_at_ms: 1_772_366_400_123,
        released_at_ms: None,
        revision: 9,
    }
}

fn allocation() -> AllocationView {
    AllocationView {
        cidr: block("10.0.1.5/32"),
        space: name("default"),
        tenant: name("acme"),
        pool: name("p"),
        purpose: Purpose::Claim,
        claim: Some((name("acme"), name("web-1"))),
        child: None,
        reason: None,
        owner: Some(Owner::new("node-7/eth0").unwrap()),
        phase: Phase::Allocated,
        generation: 7,
        allocated_at_ms: 1_772_366_400_123,
        revision: 9,
    }
}

/// The JSON is the expected one, and the client reads the same view from it.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    view: &T,
    expected: &Expect,
) {
    let text = serde_json::to_string_pretty(view).unwrap();
    expected.assert_eq(&text);
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), view);
}

#[test]
fn a_tenant() {
    check(
        &views::Tenant::from(&tenant()),
        &expect![[r#"
        {
          "name": "acme",
          "labels": {
            "env": "prod"
          },
          "quota": {
            "claims": 100
          },
          "status": {
            "usage": {
              "pools": 1,
              "claims": 2,
              "ipv4Addresses": 258,
              "ipv6Prefixes64": 0
            },
            "revision": 3,
            "createdAt": "2026-03-01T12:00:00.000Z",
            "updatedAt": "2026-03-01T12:00:00.000Z"
          }
        }"#]],
    );
}

#[test]
fn a_root_pool() {
    check(
        &views::Pool::from(&root()),
        &expect![[r#"
        {
          "name": "p",
          "space": "default",
          "cidrs": [
            {
              "cidr": "10.0.0.0/16",
              "gateway": "last"
            }
          ],
          "minPrefixLength": 24,
          "exclude": [
            {
              "addresses": "10.0.0.0/24",
              "reason": "infrastructure"
            }
          ],
          "gateway": "first",
          "labels": {
            "env": "prod"
          },
          "status": {
            "phase": "Ready",
            "allocatedCIDRs": [
              "10.0.0.0/16"
            ],
            "cidrs": [
              {
                "cidr": "10.0.0.0/16",
                "subnet": "10.0.0.0/16",
                "gateway": "10.0.255.254"
              }
            ],
            "space": "default",
            "family": "IPv4",
            "visibility": "private",
            "minPrefixLength": 24,
            "maxPrefixLength": 32,
            "defaultPrefixLength": 32,
            "capacity": {
              "total": "65536",
              "allocated": "257",
              "inUse": "0",
              "released": "0",
              "reserved": "256",
              "available": "65023"
            },
            "blocks": {
              "prefixLength": 32,
              "total": "65536",
              "available": "65023"
            },
            "utilization": "0.0039",
            "fragmentation": "0.4960",
            "largestFreePrefixLength": 17,
            "children": 0,
            "claims": {
              "allocated": 2,
              "inUse": 0,
              "released": 0
            },
            "revision": 4,
            "contentRevision": 9,
            "createdAt": "2026-03-01T12:00:00.000Z",
            "updatedAt": "2026-03-01T12:00:00.000Z",
            "conditions": [
              {
                "type": "Allocated",
                "status": "True",
                "reason": "AllocationSucceeded",
                "message": "10.0.0.0/16",
                "lastTransitionTime": "2026-03-01T12:00:00.000Z"
              }
            ]
          }
        }"#]],
    );
}

#[test]
fn a_child_pool_that_is_full() {
    check(
        &views::Pool::from(&child()),
        &expect![[r#"
        {
          "name": "c",
          "parent": "p",
          "prefixLength": 24,
          "owner": "node-7",
          "minPrefixLength": 24,
          "gateway": "first",
          "labels": {
            "env": "prod"
          },
          "status": {
            "phase": "Exhausted",
            "allocatedCIDRs": [
              "10.0.1.0/24"
            ],
            "cidrs": [
              {
                "cidr": "10.0.1.0/24",
                "subnet": "10.0.0.0/16",
                "gateway": "10.0.255.254"
              }
            ],
            "space": "default",
            "family": "IPv4",
            "visibility": "private",
            "minPrefixLength": 24,
            "maxPrefixLength": 32,
            "defaultPrefixLength": 32,
            "capacity": {
              "total": "65536",
              "allocated": "257",
              "inUse": "0",
              "released": "0",
              "reserved": "256",
              "available": "65023"
            },
            "blocks": {
              "prefixLength": 32,
              "total": "65536",
              "available": "65023"
            },
            "utilization": "0.0039",
            "fragmentation": "0.4960",
            "largestFreePrefixLength": 17,
            "children": 0,
            "claims": {
              "allocated": 2,
              "inUse": 0,
              "released": 0
            },
            "revision": 4,
            "contentRevision": 9,
            "createdAt": "2026-03-01T12:00:00.000Z",
            "updatedAt": "2026-03-01T12:00:00.000Z",
            "conditions": [
              {
                "type": "Allocated",
                "status": "True",
                "reason": "AllocationSucceeded",
                "message": "10.0.1.0/24 from pool p",
                "lastTransitionTime": "2026-03-01T12:00:00.000Z"
              },
              {
                "type": "Exhausted",
                "status": "True",
                "reason": "NoFreeBlock",
                "message": "no /32 is free",
                "lastTransitionTime": "2026-03-01T12:01:00.000Z"
              }
            ]
          }
        }"#]],
    );
}

#[test]
fn a_claim() {
    check(
        &views::Claim::from(&claim()),
        &expect![[r#"
        {
          "name": "web-1",
          "pool": "p",
          "owner": "node-7/eth0",
          "labels": {
            "env": "prod"
          },
          "status": {
            "phase": "Allocated",
            "allocatedCIDR": "10.0.1.5/32",
            "address": "10.0.1.5/16",
            "subnet": "10.0.0.0/16",
            "gateway": "10.0.0.1",
            "pool": "p",
            "generation": 7,
            "returned": false,
            "allocatedAt": "2026-03-01T12:00:00.123Z",
            "revision": 9,
            "conditions": [
              {
                "type": "Allocated",
                "status": "True",
                "reason": "AllocationSucceeded",
                "message": "10.0.1.5/32 from pool p",
                "lastTransitionTime": "2026-03-01T12:00:00.123Z"
              }
            ]
          }
        }"#]],
    );
}

#[test]
fn a_claim_that_was_released() {
    let mut view = claim();
    view.phase = Phase::Released;
    view.released_at_ms = Some(1_772_366_500_000);
    let status = views::Claim::from(&view).status;
    assert_eq!(serde_json::to_value(&status).unwrap()["phase"], "Released");
    assert_eq!(status.reclaim_at, status.released_at);
}

#[test]
fn an_allocation_of_ones_own_and_of_another_tenant() {
    check(
        &views::Allocation::of(&allocation(), Viewer::Tenant(&name("acme"))),
        &expect![[r#"
        {
          "cidr": "10.0.1.5/32",
          "family": "IPv4",
          "space": "default",
          "pool": "p",
          "purpose": "Claim",
          "claim": "web-1",
          "owner": "node-7/eth0",
          "phase": "Allocated",
          "generation": 7,
          "allocatedAt": "2026-03-01T12:00:00.123Z",
          "revision": 9
        }"#]],
    );
    let mut foreign = allocation();
    foreign.claim = Some((name("umbrella"), name("secret")));
    check(
        &views::Allocation::of(&foreign, Viewer::Tenant(&name("acme"))),
        &expect![[r#"
        {
          "cidr": "10.0.1.5/32",
          "family": "IPv4",
          "space": "default",
          "pool": "p",
          "purpose": "Claim",
          "tenant": "umbrella",
          "phase": "Allocated",
          "generation": 7,
          "allocatedAt": "2026-03-01T12:00:00.123Z",
          "revision": 9
        }"#]],
    );
}

#[test]
fn a_lookup_names_the_chain_of_pools_and_the_claim() {
    let view = LookupView {
        query: block("10.0.1.5/32"),
        pools: vec![(name("shared"), name("root")), (name("acme"), name("p"))],
        allocation: Some(allocation()),
        claim: Some(Box::new(claim())),
    };
    let lookup = views::Lookup::of(&view, &name("default"), Viewer::Tenant(&name("acme")), 9);
    let shown = serde_json::to_value(&lookup).unwrap();
    assert_eq!(
        shown["pools"],
        serde_json::json!([{ "tenant": "shared", "name": "root" }, "p"])
    );
    assert_eq!(shown["claim"]["labels"]["env"], "prod");
    let other = views::Lookup::of(
        &view,
        &name("default"),
        Viewer::Tenant(&name("umbrella")),
        9,
    );
    assert_eq!((other.claim, other.allocation.unwrap().claim), (None, None));
}

#[test]
fn a_tree() {
    let leaf = TreeNode {
        tenant: name("umbrella"),
        name: name("secret"),
        cidrs: vec![block("10.0.1.0/24")],
        capacity: capacity(),
        utilization_e4: 10_000,
        held_below: Count::new(1),
        labels: labels(),
        children_total: 0,
        children: Vec::new(),
    };
    let tree = TreeNode {
        tenant: name("acme"),
        name: name("p"),
        children_total: 1,
        children: vec![leaf.clone()],
        ..leaf
    };
    check(
        &views::PoolTree::of(&tree, Viewer::Tenant(&name("acme")), 9),
        &expect![[r#"
        {
          "name": "p",
          "cidrs": [
            "10.0.1.0/24"
          ],
          "capacity": {
            "total": "65536",
            "allocated": "257",
            "inUse": "0",
            "released": "0",
            "reserved": "256",
            "available": "65023"
          },
          "utilization": "1.0000",
          "heldBelow": "1",
          "labels": {
            "env": "prod"
          },
          "childrenTotal": 1,
          "children": [
            {
              "tenant": "umbrella",
              "cidrs": [
                "10.0.1.0/24"
              ],
              "capacity": {
                "total": "65536",
                "allocated": "257",
                "inUse": "0",
                "released": "0",
                "reserved": "256",
                "available": "65023"
              },
              "utilization": "1.0000",
              "heldBelow": "1",
              "labels": {},
              "childrenTotal": 0,
              "children": []
            }
          ],
          "revision": 9
        }"#]],
    );
}

#[test]
fn the_small_shapes() {
    let list = views::List {
        items: vec![1, 2],
        next_page_token: Some("1.ab.cd".to_owned()),
        revision: 9,
    };
    assert_eq!(
        serde_json::to_string(&list).unwrap(),
        r#"{"items":[1,2],"nextPageToken":"1.ab.cd","revision":9}"#
    );
    let free = views::Free {
        items: vec![api::scalar::Cidr(block("192.168.12.0/22"))],
        count: Some(Decimal(Count::MAX)),
        revision: 9,
    };
    let text = r#"{"items":["192.168.12.0/22"],"count":"340282366920938463463374607431768211456","revision":9}"#;
    assert_eq!(serde_json::to_string(&free).unwrap(), text);
    let digest = views::Digest {
        revision: 9,
        index: 12,
        digest: Hex128(0xabc),
    };
    let text = r#"{"revision":9,"index":12,"digest":"00000000000000000000000000000abc"}"#;
    assert_eq!(serde_json::to_string(&digest).unwrap(), text);
    let health = views::Health::of(vec!["no leader for 4 s".to_owned()]);
    assert_eq!(
        serde_json::to_string(&health).unwrap(),
        r#"{"status":"failing","reasons":["no leader for 4 s"]}"#
    );
    assert!(views::Health::of(Vec::new()).is_ok());
}

#[test]
fn a_cluster() {
    check(
        &views::Cluster {
            cluster_id: Some(Hex128(7)),
            node: 1,
            leader: Some(2),
            term: 3,
            last_log_index: 40,
            applied_index: 39,
            revision: 17,
            members: vec![views::Member {
                id: 1,
                role: views::MemberRole::Voter,
                address: "127.0.0.1:7401".to_owned(),
                http_url: Some("http://127.0.0.1:7400".to_owned()),
                matched_index: Some(40),
                last_contact_ms: Some(12),
            }],
        },
        &expect![[r#"
            {
              "clusterId": "00000000000000000000000000000007",
              "node": 1,
              "leader": 2,
              "term": 3,
              "lastLogIndex": 40,
              "appliedIndex": 39,
              "revision": 17,
              "members": [
                {
                  "id": 1,
                  "role": "voter",
                  "address": "127.0.0.1:7401",
                  "httpUrl": "http://127.0.0.1:7400",
                  "matchedIndex": 40,
                  "lastContactMs": 12
                }
              ]
            }"#]],
    );
}

#[test]
fn what_was_read_can_be_sent_back() {
    let text = serde_json::to_vec(&views::Tenant::from(&tenant())).unwrap();
    let allocator::command::Command::TenantCreate(spec) = TenantCreate::parse(&text).unwrap()
    else {
        panic!()
    };
    assert_eq!(*spec, tenant().spec);
    for view in [root(), child()] {
        let text = serde_json::to_vec(&views::Pool::from(&view)).unwrap();
        let allocator::command::Command::PoolCreate(spec) =
            PoolCreate::parse(&text, &name("acme")).unwrap()
        else {
            panic!("not a pool")
        };
        assert_eq!(*spec, view.spec);
    }
}

#[test]
fn an_answer_has_its_status_and_a_refusal_is_a_problem() {
    let acme = name("acme");
    let of = |result| {
        Reply::of(
            &Answer {
                revision: 9,
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
