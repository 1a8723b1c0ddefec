//! Calls against nodes of a script: fail-over, repeats, waits and what is never repeated.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cascades;
mod node;
mod watch;

use std::time::Duration;

use allocator::name::Name;
use api::Problem;
use api::problem::Code;
use api::requests::{
    AllocationReclaim, Batch, BatchOperation, ClaimConfirm, ClaimCreate, ClaimRelease, ClaimRenew,
    PoolCreate, TenantCreate,
};
use client::{Client, Consistency, Error, Filter, FreeBlocks, Options};
use node::{Node, Script, claim, nobody, tenant};
use serde_json::json;
use tokio::time::Instant;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn client(endpoints: &[&str]) -> Client {
    let options = Options {
        deadline: Duration::from_secs(5),
        ..Options::new(endpoints.iter().copied())
    };
    Client::new(&options).unwrap()
}

fn unnamed() -> ClaimCreate {
    ClaimCreate {
        pool: Some("p".into()),
        ..ClaimCreate::default()
    }
}

#[tokio::test]
async fn the_next_endpoint_is_asked_where_nobody_listens_and_is_kept() {
    let node = Node::start([Script::Answer(200, tenant("acme"))]).await;
    let client = client(&[&nobody().await, &nobody().await, &node.url]);
    for _ in 0..3 {
        assert_eq!(
            client.tenant_show(&name("acme")).await.unwrap().body.name,
            name("acme")
        );
    }
    assert_eq!(node.lines(), ["GET /v1/tenants/acme"; 3]);
}

#[tokio::test]
async fn the_next_endpoint_is_asked_where_one_cannot_serve() {
    for problem in [
        Problem::no_leader(),
        Problem::stopping(),
        Problem::too_busy(),
        Problem::stale(None),
    ] {
        let first = Node::start([Script::After(1, problem)]).await;
        let second = Node::start([Script::Answer(201, claim("c", 1))]).await;
        let started = Instant::now();
        let answer = client(&[&first.url, &second.url])
            .claim_create(&name("acme"), &unnamed())
            .await
            .unwrap();
        assert!(answer.is_new() && answer.revision == Some(9));
        assert_eq!((first.lines().len(), second.lines().len()), (1, 1));
        assert!(
            started.elapsed() < Duration::from_millis(900),
            "another endpoint need not wait"
        );
    }
}

#[tokio::test]
async fn retry_after_is_honoured_where_there_is_no_other_endpoint() {
    let node = Node::start([
        Script::After(1, Problem::too_busy()),
        Script::Answer(200, tenant("acme")),
    ])
    .await;
    let started = Instant::now();
    client(&[&node.url])
        .tenant_show(&name("acme"))
        .await
        .unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(node.lines().len(), 2);
}

#[tokio::test]
async fn a_claim_of_unknown_outcome_is_repeated_with_the_same_name() {
    for unknown in [
        Script::Problem(Problem::outcome_unknown()),
        Script::Close,
        Script::Foreign(502),
    ] {
        let first = Node::start([unknown]).await;
        let second = Node::start([Script::Answer(200, claim("c", 1))]).await;
        let answer = client(&[&first.url, &second.url])
            .claim_create(&name("acme"), &unnamed())
            .await
            .unwrap();
        assert!(!answer.is_new());
        let sent = first.asked()[0].body["name"].as_str().unwrap().to_owned();
        assert!(sent.starts_with("claim-"), "{sent}");
        assert_eq!(second.asked()[0].body["name"], sent);
    }
}

#[tokio::test]
async fn a_delete_of_unknown_outcome_is_never_repeated() {
    for unknown in [
        Script::Problem(Problem::outcome_unknown()),
        Script::Close,
        Script::Foreign(502),
    ] {
        let first = Node::start([unknown]).await;
        let second = Node::start([Script::Answer(200, json!({}))]).await;
        let client = client(&[&first.url, &second.url]);
        let error = client
            .pool_delete(&name("acme"), &name("p"), Some(4))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
        assert_eq!(first.asked()[0].if_revision.as_deref(), Some("4"));
        assert_eq!((first.lines().len(), second.lines().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_delete_that_was_certainly_not_done_goes_to_the_next_endpoint() {
    let first = Node::start([Script::Problem(Problem::no_leader())]).await;
    let second = Node::start([Script::Answer(200, tenant("acme"))]).await;
    let client = client(&[&nobody().await, &first.url, &second.url]);
    client.tenant_delete(&name("acme")).await.unwrap();
    assert_eq!(second.lines(), ["DELETE /v1/tenants/acme"]);
}

#[tokio::test]
async fn a_release_always_carries_a_generation() {
    let node = Node::start([Script::Answer(200, claim("c", 17))]).await;
    let client = client(&[&node.url]);
    client
        .claim_release_current(&name("acme"), &name("c"))
        .await
        .unwrap();
    let expected = [
        "GET /v1/tenants/acme/claims/c?consistency=linearizable",
        "DELETE /v1/tenants/acme/claims/c?generation=17",
    ];
    assert_eq!(node.lines(), expected);
}

#[tokio::test]
async fn a_batch_is_repeated_only_where_each_release_is_fenced() {
    let release = |generation| BatchOperation {
        release_claim: Some(ClaimRelease {
            name: "b".to_owned(),
            generation,
        }),
        ..BatchOperation::default()
    };
    let create = BatchOperation {
        create_claim: Some(unnamed()),
        ..BatchOperation::default()
    };
    let script = [
        Script::Problem(Problem::outcome_unknown()),
        Script::Answer(200, json!({ "results": [] })),
    ];
    let fenced = Batch {
        atomic: true,
        operations: vec![create.clone(), release(Some(3))],
    };
    let node = Node::start(script.clone()).await;
    client(&[&node.url])
        .batch_apply(&name("acme"), &fenced)
        .await
        .unwrap();
    let asked = node.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].body, asked[1].body);
    assert!(asked[0].body["operations"][0]["createClaim"]["name"].is_string());

    let unfenced = Batch {
        atomic: true,
        operations: vec![create, release(None)],
    };
    let node = Node::start(script).await;
    let error = client(&[&node.url])
        .batch_apply(&name("acme"), &unfenced)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert_eq!(node.lines().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final_and_carries_its_facts() {
    let full = Problem::new(Code::PoolExhausted, "full").with("free", "0");
    let node = Node::start([Script::Problem(full)]).await;
    let other = Node::start([Script::Answer(201, claim("c", 1))]).await;
    let error = client(&[&node.url, &other.url])
        .claim_create(&name("acme"), &unnamed())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("pool_exhausted"));
    assert_eq!(error.problem().unwrap().facts["free"], "0");
    assert_eq!((node.lines().len(), other.lines().len()), (1, 0));
}

#[tokio::test]
async fn the_revision_of_ones_own_writes_is_sent_with_local_reads() {
    let node = Node::start([
        Script::Answer(201, tenant("acme")),
        Script::Answer(200, tenant("acme")),
    ])
    .await;
    let client = client(&[&node.url]);
    let spec = TenantCreate {
        name: "acme".to_owned(),
        ..TenantCreate::default()
    };
    client.tenant_create(&spec).await.unwrap();
    client.clone().tenant_show(&name("acme")).await.unwrap();
    client
        .with_consistency(Consistency::Linearizable)
        .tenant_show(&name("acme"))
        .await
        .unwrap();
    let asked = node.asked();
    let seen: Vec<_> = asked
        .iter()
        .map(|asked| asked.min_revision.as_deref())
        .collect();
    assert_eq!(seen, [None, Some("9"), None]);
    assert_eq!(
        asked[2].line,
        "GET /v1/tenants/acme?consistency=linearizable"
    );
    assert_eq!(client.revision_seen(), 9);
}

#[tokio::test]
async fn a_dry_run_says_so_and_may_be_repeated() {
    let node = Node::start([
        Script::Problem(Problem::outcome_unknown()),
        Script::Answer(200, tenant("acme")),
    ])
    .await;
    client(&[&node.url])
        .with_dry_run()
        .tenant_delete(&name("acme"))
        .await
        .unwrap();
    assert_eq!(node.lines(), ["DELETE /v1/tenants/acme?dryRun=true"; 2]);
}

#[tokio::test]
async fn a_call_ends_by_its_deadline_with_the_last_word() {
    let deadline = Duration::from_millis(400);
    let started = Instant::now();
    let busy = Node::start([Script::Problem(Problem::no_leader())]).await;
    let error = client(&[&busy.url])
        .with_deadline(deadline)
        .tenant_show(&name("acme"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("no_leader"));
    assert!(busy.lines().len() > 1);

    let error = client(&[&nobody().await])
        .with_deadline(deadline)
        .tenant_show(&name("acme"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");

    let unknown = Node::start([
        Script::Problem(Problem::outcome_unknown()),
        Script::Problem(Problem::no_leader()),
    ])
    .await;
    let error = client(&[&unknown.url])
        .with_deadline(deadline)
        .claim_create(&name("acme"), &unnamed())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::OutcomeUnknown { .. }),
        "perhaps done once is perhaps done: {error}"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_node_that_is_silent_costs_one_attempt() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let node = Node::start([Script::Answer(200, tenant("acme"))]).await;
    let options = Options {
        attempt_timeout: Duration::from_millis(100),
        ..Options::new([silent_url, node.url.clone()])
    };
    let started = Instant::now();
    Client::new(&options)
        .unwrap()
        .tenant_show(&name("acme"))
        .await
        .unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(node.lines().len(), 1);
}

#[tokio::test]
async fn what_is_not_of_this_api_is_told_as_such() {
    for script in [
        Script::Foreign(404),
        Script::Answer(200, json!({ "surprise": true })),
    ] {
        let node = Node::start([script]).await;
        let error = client(&[&node.url])
            .tenant_show(&name("acme"))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unexpected { .. }), "{error}");
    }
}

#[tokio::test]
async fn every_operation_asks_for_its_own_path() {
    let node = Node::start([Script::Problem(Problem::too_large(1))]).await;
    let options = Options {
        token: Some("secret".to_owned()),
        ..Options::new([node.url.clone()])
    };
    let client = Client::new(&options).unwrap();
    let (acme, p, c) = (name("acme"), name("p"), name("c"));
    let block = "10.0.0.0/24".parse().unwrap();
    let member = api::requests::MemberAdd {
        address: "n:1".to_owned(),
        http_url: None,
    };
    let filter = Filter::new()
        .by("owner", "a/b&c")
        .limit(7)
        .page_token("1.a.b");
    let free = FreeBlocks {
        prefix_length: Some(24),
        limit: Some(3),
        count: true,
    };
    macro_rules! refused {
        ($($call:expr;)*) => {$( assert_eq!($call.await.unwrap_err().code(), Some("too_large")); )*};
    }
    refused! {
        client.tenant_create(&TenantCreate::default());
        client.tenant_list(&Filter::new());
        client.tenant_show(&acme);
        client.tenant_delete(&acme);
        client.pool_create(&acme, &PoolCreate::default());
        client.pool_list(&acme, &filter);
        client.pool_list_all(&filter);
        client.pool_show(&acme, &p);
        client.pool_delete(&acme, &p, None);
        client.pool_free(&acme, &p, free);
        client.pool_tree(&acme, &p);
        client.claim_create(&acme, &unnamed());
        client.claim_list(&acme, &Filter::new());
        client.claim_list_all(&Filter::new());
        client.claim_show(&acme, &c);
        client.claim_release(&acme, &c, 5);
        client.claim_confirm(&acme, &c, &ClaimConfirm::default());
        client.claim_renew(&acme, &c, &ClaimRenew::default());
        client.batch_apply(&acme, &Batch::default());
        client.allocation_list(&acme, &Filter::new());
        client.allocation_list_all(&Filter::new());
        client.allocation_show(&acme, block, Some(&name("blue")));
        client.allocation_reclaim(&acme, &AllocationReclaim::default());
        client.lookup_show(&acme, block, None);
        client.cluster_show();
        client.digest_show(Some(4));
        client.member_add(4, &member);
        client.member_promote(4);
        client.member_remove(4);
        client.with_dry_run().member_add(4, &member);
        client.with_dry_run().member_promote(4);
        client.with_dry_run().member_remove(4);
    }
    let expected = [
        "POST /v1/tenants",
        "GET /v1/tenants",
        "GET /v1/tenants/acme",
        "DELETE /v1/tenants/acme",
        "POST /v1/tenants/acme/pools",
        "GET /v1/tenants/acme/pools?owner=a%2Fb%26c&limit=7&pageToken=1.a.b",
        "GET /v1/pools?owner=a%2Fb%26c&limit=7&pageToken=1.a.b",
        "GET /v1/tenants/acme/pools/p",
        "DELETE /v1/tenants/acme/pools/p",
        "GET /v1/tenants/acme/pools/p/free?prefixLength=24&limit=3&count=true",
        "GET /v1/tenants/acme/pools/p/tree",
        "POST /v1/tenants/acme/claims",
        "GET /v1/tenants/acme/claims",
        "GET /v1/claims",
        "GET /v1/tenants/acme/claims/c",
        "DELETE /v1/tenants/acme/claims/c?generation=5",
        "POST /v1/tenants/acme/claims/c/confirm",
        "POST /v1/tenants/acme/claims/c/renew",
        "POST /v1/tenants/acme/batch",
        "GET /v1/tenants/acme/allocations",
        "GET /v1/allocations",
        "GET /v1/tenants/acme/allocations/10.0.0.0/24?space=blue",
        "POST /v1/tenants/acme/allocations/reclaim",
        "GET /v1/tenants/acme/lookup/10.0.0.0/24",
        "GET /v1/cluster",
        "GET /v1/cluster/digest?revision=4",
        "POST /v1/cluster/members/4",
        "POST /v1/cluster/members/4/promote",
        "DELETE /v1/cluster/members/4",
        "POST /v1/cluster/members/4?dryRun=true",
        "POST /v1/cluster/members/4/promote?dryRun=true",
        "DELETE /v1/cluster/members/4?dryRun=true",
    ];
    assert_eq!(node.lines(), expected);
    assert!(
        node.asked()
            .iter()
            .all(|asked| asked.authorization.as_deref() == Some("Bearer secret"))
    );
    for line in expected {
        let (method, target) = line.split_once(' ').unwrap();
        let path = target.split('?').next().unwrap();
        assert!(
            api::routes::operations()
                .any(|one| one.method.as_str() == method && fits(one.path, path)),
            "{line}"
        );
    }
}

/// The path is one of the template; a `{cidr}` takes the rest.
fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        match parts.next() {
            Some(_) if wanted == "{cidr}" => return true,
            Some(part) if wanted.starts_with('{') || wanted == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}
