//! Views as clients read them: their exact JSON, back again, and sent back as the request.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pools;
mod reply;
mod samples;
mod watch;

use allocator::count::Count;
use allocator::view::{LookupView, Phase, Purpose};
use api::problem::Viewer;
use api::requests::{PoolCreate, TenantCreate};
use api::scalar::{Decimal, Hex128};
use api::views;
use expect_test::{Expect, expect};
use serde::Serialize;
use serde::de::DeserializeOwned;

use samples::{allocation, block, child, claim, name, root, tenant};

/// The JSON is the expected one, and the client reads the same view from it.
pub(crate) fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
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
                "routes": [
                  {
                    "dst": "0.0.0.0/0",
                    "gw": "10.0.0.1",
                    "priority": 100
                  }
                ],
                "dns": {
                  "nameservers": [
                    "10.0.0.53"
                  ],
                  "search": [
                    "example"
                  ]
                },
                "mtu": 1450,
                "parameters": {
                  "vlan": "7"
                },
                "pool": "p",
                "generation": 7,
                "returned": false,
                "allocatedAt": "2026-03-01T12:00:00.123Z",
                "firstAllocatedAt": "2026-03-01T12:00:00.123Z",
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
fn in_a_list_over_all_tenants_each_names_its_own() {
    let whose = |document: serde_json::Value| document["tenant"].clone();
    let shown = |view: &_| serde_json::to_value(views::Claim::with_tenant(view)).unwrap();
    assert_eq!(whose(shown(&claim())), "acme");
    let pool = serde_json::to_value(views::Pool::with_tenant(&root())).unwrap();
    assert_eq!(whose(pool), "acme");
    let held = |view: &_| serde_json::to_value(views::Allocation::of(view, Viewer::Admin)).unwrap();
    assert_eq!(whose(held(&allocation())), "acme");
    let mut guest = allocation();
    guest.claim = Some((name("umbrella"), name("open")));
    let guest = held(&guest);
    assert_eq!(guest["claim"], "open");
    assert_eq!(guest["owner"], "node-7/eth0");
    assert_eq!(
        guest["pool"],
        serde_json::json!({"tenant": "acme", "name": "p"})
    );
    assert_eq!(whose(guest), "umbrella");
    let mut withheld = allocation();
    (withheld.claim, withheld.purpose) = (None, Purpose::Reservation);
    assert_eq!(whose(held(&withheld)), "acme");
    let other = name("umbrella");
    let seen = views::Allocation::of(&withheld, Viewer::Tenant(&other));
    assert_eq!(seen.tenant, None, "of what is withheld nobody else is told");
}

#[test]
fn a_claim_that_was_released() {
    let mut view = claim();
    view.phase = Phase::Released;
    view.released_at_ms = Some(1_772_366_500_000);
    view.reclaim_at_ms = Some(1_772_366_500_000);
    let status = views::Claim::from(&view).status;
    assert_eq!(serde_json::to_value(&status).unwrap()["phase"], "Released");
    assert_eq!(status.reclaim_at, status.released_at);
    let condition = &status.conditions[0];
    assert_eq!(
        [&*condition.kind, &condition.status, &condition.reason],
        ["Allocated", "False", "Released"]
    );
    assert_eq!(Some(condition.last_transition_time), status.released_at);
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
        held_in_part: false,
        claim: Some(Box::new(claim())),
    };
    let lookup = views::Lookup::of(&view, &name("default"), Viewer::Tenant(&name("acme")), 9);
    let shown = serde_json::to_value(&lookup).unwrap();
    assert_eq!(
        shown["pools"],
        serde_json::json!([{ "tenant": "shared", "name": "root" }, "p"])
    );
    assert_eq!(shown["claim"]["labels"]["env"], "prod");
    assert_eq!(shown.get("heldInPart"), None);
    let in_part = LookupView {
        allocation: None,
        claim: None,
        held_in_part: true,
        ..view.clone()
    };
    let in_part = views::Lookup::of(&in_part, &name("default"), Viewer::Admin, 9);
    assert_eq!(serde_json::to_value(&in_part).unwrap()["heldInPart"], true);
    let other = views::Lookup::of(
        &view,
        &name("default"),
        Viewer::Tenant(&name("umbrella")),
        9,
    );
    assert_eq!((other.claim, other.allocation.unwrap().claim), (None, None));
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
            clock_advanced_ms: None,
            test_clock: false,
            members: vec![views::Member {
                id: 1,
                role: views::MemberRole::Voter,
                address: "127.0.0.1:7401".to_owned(),
                http_url: Some("http://127.0.0.1:7400".to_owned()),
                matched_index: Some(40),
                last_contact_ms: Some(12),
            }],
            note: None,
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
