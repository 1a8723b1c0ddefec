//! `ipamctl` as a process: what it asks, what it prints where, and its exit codes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod all_tenants;
mod apply;
mod destroying;
mod edits;
mod exit_codes;
mod node;
mod outages;
mod owners;
mod repeats;
mod transfer;

use std::process::Stdio;

use api::Problem;
use api::problem::{CATALOGUE, Code};
use expect_test::expect;
use node::Node;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

async fn run(endpoint: &str, line: &str, environment: &[(&str, &str)]) -> Outcome {
    let words: Vec<&str> = line.split_whitespace().collect();
    run_words(endpoint, &words, environment).await
}

/// Runs `ipamctl` without a terminal, in an environment that holds nothing but what is given.
async fn run_words(endpoint: &str, words: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipamctl"));
    command
        .env_clear()
        .env("XDG_CONFIG_HOME", nowhere.path())
        .envs(environment.iter().copied());
    command
        .args(["--endpoint", endpoint])
        .args(words)
        .stdin(Stdio::null());
    let output = command.output().await.unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn acme(node: &Node, line: &str) -> Outcome {
    run(&node.url, &format!("--tenant acme {line}"), &[]).await
}

fn tenant(name: &str) -> Value {
    json!({
        "name": name, "labels": {}, "quota": {},
        "status": {
            "usage": { "pools": 0, "claims": 0, "ipv4Addresses": 0, "ipv6Prefixes64": 0 }, "revision": 3,
            "createdAt": "2026-03-01T12:00:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z",
        },
    })
}

fn claim(name: &str, generation: u64) -> Value {
    json!({
        "name": name, "pool": "p", "labels": { "app": "web" },
        "status": {
            "phase": "Allocated", "allocatedCIDR": "10.0.0.7/32", "address": "10.0.0.7/24", "subnet": "10.0.0.0/24",
            "pool": "p", "generation": generation, "returned": false, "allocatedAt": "2026-03-01T12:00:00.000Z", "firstAllocatedAt": "2026-03-01T12:00:00.000Z",
            "revision": 9, "conditions": [],
        },
    })
}

fn problem(problem: &Problem) -> Value {
    serde_json::to_value(problem).unwrap()
}

const LINEARIZABLE: &str = "consistency=linearizable";

#[tokio::test]
async fn every_problem_has_the_exit_code_of_its_status() {
    for entry in CATALOGUE.iter().filter(|entry| !entry.retryable) {
        let body = problem(&Problem::new(entry.code, "told once"));
        let line = format!("GET /v1/tenants/acme?{LINEARIZABLE}");
        let node = Node::start([(line.as_str(), entry.status, body)]).await;
        let outcome = acme(&node, "tenant show acme").await;
        let expected = match entry.status {
            403 => 3,
            404 | 410 => 4,
            405 | 409 | 412 | 424 => 5,
            400 | 413 | 415 | 422 | 431 => 6,
            507 => 7,
            _ => 1,
        };
        assert_eq!(outcome.code, expected, "{}: {}", entry.name, outcome.stderr);
        assert_eq!(outcome.stdout, "");
        assert_eq!(
            outcome.stderr.matches("told once").count(),
            1,
            "{}",
            outcome.stderr
        );
    }
}

#[tokio::test]
async fn what_is_not_available_is_8_and_says_why() {
    let line = format!("GET /v1/tenants/acme?{LINEARIZABLE}");
    let node = Node::start([(line.as_str(), 503, problem(&Problem::no_leader()))]).await;
    let outcome = acme(&node, "--timeout 1 tenant show acme").await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (8, ""));
    assert!(
        outcome.stderr.contains("no_leader") && outcome.stderr.contains("cluster status"),
        "{}",
        outcome.stderr
    );

    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let outcome = run(&format!("http://{closed}"), "--timeout 1 tenant list", &[]).await;
    assert_eq!(outcome.code, 8);
    assert!(
        outcome.stderr.contains("no endpoint could be reached") && outcome.stderr.contains("hint:")
    );
}

#[tokio::test]
async fn a_wrong_usage_is_2_and_asks_nothing() {
    let node = Node::start([]).await;
    for line in [
        "pool list",
        "tenant list --nonsense",
        "frobnicate",
        "--tenant acme claim release a b --generation 3 --yes",
        "--tenant acme claim release a",
        "--tenant acme claim release a b",
    ] {
        let outcome = run(&node.url, line, &[]).await;
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (2, ""),
            "{line}: {}",
            outcome.stderr
        );
    }
    let outcome = run("https://node", "tenant list", &[]).await;
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert_eq!(node.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_destroyed_where_nobody_can_be_asked_and_nobody_said_yes() {
    let node = Node::start([
        ("DELETE /v1/tenants/acme", 200, tenant("acme")),
        ("DELETE /v1/tenants/acme?dryRun=true", 200, tenant("acme")),
    ])
    .await;
    let outcome = run(&node.url, "tenant delete acme", &[]).await;
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("--yes"), "{}", outcome.stderr);
    assert_eq!(node.asked(), Vec::<String>::new());

    let outcome = run(&node.url, "tenant delete acme --dry-run -o name", &[]).await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "acme\n"));
    assert_eq!(outcome.stderr, "tenant acme would be deleted (dry run)\n");

    let outcome = run(&node.url, "tenant delete acme --yes -o name", &[]).await;
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (0, "tenant acme deleted\n")
    );
    let outcome = run(&node.url, "cluster remove 2", &[]).await;
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("--yes"), "{}", outcome.stderr);
    assert_eq!(
        node.asked(),
        [
            "DELETE /v1/tenants/acme?dryRun=true",
            "DELETE /v1/tenants/acme"
        ]
    );
}

#[tokio::test]
async fn a_claim_is_asked_for_as_said_and_shown_on_stdout_alone() {
    let node = Node::start([("POST /v1/tenants/acme/claims", 201, claim("web-1", 17))]).await;
    let line = "claim create web-1 --pool shared/p --length 32 --owner node-7/eth0 --label app=web --family IPv4";
    let outcome = acme(&node, &format!("{line} -o name")).await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "web-1\n"));
    assert_eq!(outcome.stderr, "claim web-1 created\n");
    expect![[r#"POST /v1/tenants/acme/claims {"name":"web-1","pool":{"tenant":"shared","name":"p"},"prefixLength":32,"family":"IPv4","owner":"node-7/eth0","labels":{"app":"web"}}"#]].assert_eq(&node.asked().join("\n"));
}

#[tokio::test]
async fn pools_are_asked_for_as_said() {
    let refused = problem(&Problem::new(Code::AlreadyExists, "it is there"));
    let node = Node::start([("POST /v1/tenants/acme/pools", 409, refused)]).await;
    for line in [
        "pool create p --cidr 10.0.0.0/16 --cidr 10.1.0.0/16 --space blue --min-length 24 --default-length 28 \
         --max-length 32 --exclude 10.0.0.1-10.0.0.9 --gateway first --subnet 10.0.0.0/15 --annotation a=b",
        "pool create c --parent p --length 24 --owner node-7",
        "pool create c --parent p --cidr 10.0.1.0/24 --description text",
        "pool create r --parent p --length 24 --route 10.9.0.0/16,gw=10.0.0.1,mtu=1400,advmss=1360,table=7,scope=0 \
         --nameserver 10.0.0.53 --dns-domain d --dns-option ndots:5 --mtu 1450 --parameter vlan=7",
        "pool create n --parent p --length 24 --no-routes",
    ] {
        assert_eq!(acme(&node, line).await.code, 5);
    }
    assert_eq!(
        acme(
            &node,
            "pool create c --parent p --cidr 10.0.1.0/24 --cidr 10.0.2.0/24"
        )
        .await
        .code,
        2
    );
    expect![[r#"
        POST /v1/tenants/acme/pools {"name":"p","space":"blue","cidrs":["10.0.0.0/16","10.1.0.0/16"],"minPrefixLength":24,"maxPrefixLength":32,"defaultPrefixLength":28,"exclude":["10.0.0.1-10.0.0.9"],"subnet":"10.0.0.0/15","gateway":"first","annotations":{"a":"b"}}
        POST /v1/tenants/acme/pools {"name":"c","parent":"p","prefixLength":24,"owner":"node-7"}
        POST /v1/tenants/acme/pools {"name":"c","parent":"p","cidr":"10.0.1.0/24","description":"text"}
        POST /v1/tenants/acme/pools {"name":"r","parent":"p","prefixLength":24,"routes":[{"dst":"10.9.0.0/16","gw":"10.0.0.1","mtu":1400,"advmss":1360,"table":7,"scope":0}],"dns":{"nameservers":["10.0.0.53"],"domain":"d","options":["ndots:5"]},"mtu":1450,"parameters":{"vlan":"7"}}
        POST /v1/tenants/acme/pools {"name":"n","parent":"p","prefixLength":24,"routes":[]}"#]].assert_eq(&node.asked().join("\n"));
}

#[tokio::test]
async fn a_release_looks_up_the_generation_or_takes_the_one_given() {
    let show = format!("GET /v1/tenants/acme/claims/web-1?{LINEARIZABLE}");
    let node = Node::start([
        (show.as_str(), 200, claim("web-1", 17)),
        (
            "DELETE /v1/tenants/acme/claims/web-1?generation=17",
            200,
            claim("web-1", 17),
        ),
    ])
    .await;
    let looked_up = acme(&node, "claim release web-1 --yes").await;
    assert_eq!(looked_up.code, 0, "{}", looked_up.stderr);
    assert_eq!(
        looked_up.stderr,
        "claim web-1 has generation 17\nclaim web-1 released\n"
    );
    let given = acme(&node, "claim release web-1 --generation 17 --yes").await;
    assert_eq!(
        (given.code, given.stderr.as_str()),
        (0, "claim web-1 released\n")
    );
    let delete = "DELETE /v1/tenants/acme/claims/web-1?generation=17".to_owned();
    assert_eq!(node.asked(), [show, delete.clone(), delete]);
}

#[tokio::test]
async fn a_selector_releases_each_claim_by_the_generation_it_was_found_with() {
    let list =
        format!("GET /v1/tenants/acme/claims?labelSelector=app%3Dweb&limit=1000&{LINEARIZABLE}");
    let page = json!({ "items": [claim("a", 1), claim("b", 2)], "revision": 9 });
    let stale = problem(&Problem::new(
        Code::GenerationStale,
        "Generation 2 has ended.",
    ));
    let node = Node::start([
        (list.as_str(), 200, page),
        (
            "DELETE /v1/tenants/acme/claims/a?generation=1",
            200,
            claim("a", 1),
        ),
        ("DELETE /v1/tenants/acme/claims/b?generation=2", 412, stale),
    ])
    .await;
    assert_eq!(
        acme(&node, "claim release -l app=web").await.code,
        2,
        "it must be asked for or said"
    );
    let outcome = acme(&node, "claim release -l app=web --yes -o name").await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (5, "a\n"));
    assert!(
        outcome.stderr.contains("generation_stale") && outcome.stderr.contains("1 of 2 failed"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn what_may_be_several_is_released_as_a_list_and_one_that_is_named_as_itself() {
    let list =
        format!("GET /v1/tenants/acme/claims?labelSelector=app%3Dweb&limit=1000&{LINEARIZABLE}");
    let empty =
        format!("GET /v1/tenants/acme/claims?labelSelector=app%3Ddb&limit=1000&{LINEARIZABLE}");
    let show = format!("GET /v1/tenants/acme/claims/a?{LINEARIZABLE}");
    let page = |items: Value| json!({ "items": items, "revision": 9 });
    let node = Node::start([
        (list.as_str(), 200, page(json!([claim("a", 1)]))),
        (empty.as_str(), 200, page(json!([]))),
        (show.as_str(), 200, claim("a", 1)),
        (
            "DELETE /v1/tenants/acme/claims/a?generation=1",
            200,
            claim("a", 1),
        ),
    ])
    .await;
    for (line, expected) in [
        (
            "claim release -l app=web --yes",
            json!({ "items": [claim("a", 1)] }),
        ),
        ("claim release -l app=db --yes", json!({ "items": [] })),
        (
            "claim release a a --yes",
            json!({ "items": [claim("a", 1), claim("a", 1)] }),
        ),
        ("claim release a --yes", claim("a", 1)),
    ] {
        let outcome = acme(&node, &format!("{line} -o json")).await;
        assert_eq!(outcome.code, 0, "{line}: {}", outcome.stderr);
        let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(shown, expected, "{line}");
    }
}

#[tokio::test]
async fn a_list_is_read_page_after_page() {
    let first = format!("GET /v1/tenants/acme/claims?pool=p&limit=1000&{LINEARIZABLE}");
    let second =
        format!("GET /v1/tenants/acme/claims?pool=p&limit=1000&pageToken=t&{LINEARIZABLE}");
    let limited = format!("GET /v1/tenants/acme/claims?pool=p&limit=1&{LINEARIZABLE}");
    let page = |items: Value, token: Option<&str>| {
        let mut page = json!({ "items": items, "revision": 9 });
        if let Some(token) = token {
            page["nextPageToken"] = token.into();
        }
        page
    };
    let node = Node::start([
        (first.as_str(), 200, page(json!([claim("a", 1)]), Some("t"))),
        (second.as_str(), 200, page(json!([claim("b", 2)]), None)),
        (
            limited.as_str(),
            200,
            page(json!([claim("a", 1)]), Some("t")),
        ),
    ])
    .await;
    let outcome = acme(&node, "claim list --pool p -o name").await;
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("a\nb\n", "")
    );
    let outcome = acme(&node, "claim list --pool p --limit 1 -o name").await;
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("a\n", "there are more than the 1 shown\n")
    );
}

#[tokio::test]
async fn json_and_yaml_are_the_api_s_document() {
    let line = format!("GET /v1/tenants/acme/claims/web-1?{LINEARIZABLE}");
    let node = Node::start([(line.as_str(), 200, claim("web-1", 17))]).await;
    let outcome = acme(&node, "claim show web-1 -o json").await;
    assert_eq!(
        serde_json::from_str::<Value>(&outcome.stdout).unwrap(),
        claim("web-1", 17)
    );
    expect![[r#"
        name: web-1
        pool: p
        labels:
          app: web
        status:
          phase: Allocated
          allocatedCIDR: 10.0.0.7/32
          address: 10.0.0.7/24
          subnet: 10.0.0.0/24
          pool: p
          generation: 17
          returned: false
          allocatedAt: "2026-03-01T12:00:00.000Z"
          firstAllocatedAt: "2026-03-01T12:00:00.000Z"
          revision: 9
          conditions: []
    "#]]
    .assert_eq(&acme(&node, "claim show web-1 -o yaml").await.stdout);
}

#[tokio::test]
async fn an_invalid_request_is_told_field_by_field() {
    let fields = [allocator::answer::FieldProblem {
        field: "cidrs[0]".to_owned(),
        problem: "is \"10.0.0.1/8\", which has host bits set".to_owned(),
        allowed: "10.0.0.0/8".to_owned(),
    }];
    let node = Node::start([(
        "POST /v1/tenants/acme/pools",
        422,
        problem(&Problem::invalid_fields(&fields)),
    )])
    .await;
    let outcome = acme(&node, "pool create p --cidr 10.0.0.1/8").await;
    assert_eq!(outcome.code, 6);
    expect![[r#"
        error: A field is not valid (invalid_field)
          cidrs[0] is "10.0.0.1/8", which has host bits set; allowed: 10.0.0.0/8
    "#]]
    .assert_eq(&outcome.stderr);
}

#[tokio::test]
async fn digests_are_compared_over_all_endpoints() {
    let digest = |digest: &str| json!({ "revision": 9, "index": 12, "digest": digest.repeat(32) });
    let table = |own: &str| {
        [
            // A tick has moved on the digest of the revision since.
            (
                "GET /v1/cluster/digest",
                200,
                json!({ "revision": 9, "index": 14, "digest": "f".repeat(32) }),
            ),
            ("GET /v1/cluster/digest?revision=9", 200, digest(own)),
        ]
    };
    let (one, same, other) = (
        Node::start(table("a")).await,
        Node::start(table("a")).await,
        Node::start(table("b")).await,
    );
    let both = format!("{},{}", one.url, same.url);
    let alike = run(&both, "cluster digest -o name", &[]).await;
    assert_eq!((alike.code, alike.stdout.lines().count()), (0, 2));
    assert_eq!(same.asked(), ["GET /v1/cluster/digest?revision=9"]);
    let both = format!("{},{}", one.url, other.url);
    let apart = run(&both, "cluster digest -o name", &[]).await;
    assert_eq!(apart.code, 1);
    assert!(
        apart.stderr.contains("do not have the same state"),
        "{}",
        apart.stderr
    );
}

#[tokio::test]
async fn digests_of_all_members_are_compared_where_one_endpoint_is_given() {
    let digest = json!({ "revision": 9, "index": 12, "digest": "a".repeat(32) });
    let other = Node::start([("GET /v1/cluster/digest?revision=9", 200, digest.clone())]).await;
    let cluster = |others: &[Value]| {
        let mut members = vec![json!({ "id": 1, "role": "voter", "address": "a:1" })];
        members.extend_from_slice(others);
        json!({
            "node": 1, "term": 1, "lastLogIndex": 12, "appliedIndex": 12, "revision": 9, "members": members,
        })
    };
    let table = |cluster: Value| {
        [
            ("GET /v1/cluster", 200, cluster),
            ("GET /v1/cluster/digest", 200, digest.clone()),
            ("GET /v1/cluster/digest?revision=9", 200, digest.clone()),
        ]
    };
    let second = json!({ "id": 2, "role": "voter", "address": "b:1", "httpUrl": other.url });
    let node = Node::start(table(cluster(std::slice::from_ref(&second)))).await;
    let outcome = run(&node.url, "cluster digest -o name", &[]).await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert_eq!(outcome.stdout.lines().count(), 2);

    let alone = Node::start(table(cluster(&[]))).await;
    let outcome = run(&alone.url, "cluster digest -o name", &[]).await;
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (0, 1));
    assert!(outcome.stderr.contains("nothing was compared"));

    let gone =
        json!({ "id": 3, "role": "voter", "address": "c:1", "httpUrl": "http://127.0.0.1:1" });
    let node = Node::start(table(cluster(&[gone, second]))).await;
    let outcome = run(&node.url, "--timeout 1 cluster digest -o json", &[]).await;
    assert_eq!(outcome.code, 8, "{}", outcome.stderr);
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let (one, unreachable, two) = (&shown["items"][0], &shown["items"][1], &shown["items"][2]);
    assert_eq!(
        (&one["digest"], &two["digest"]),
        (&digest["digest"], &digest["digest"])
    );
    assert!(unreachable["error"].is_string() && unreachable["digest"].is_null());
}

#[tokio::test]
async fn variables_and_the_configuration_file_stand_in_for_switches() {
    let line = format!("GET /v1/tenants/umbrella/pools?limit=1000&{LINEARIZABLE}");
    let node = Node::start([(line.as_str(), 200, json!({ "items": [], "revision": 9 }))]).await;
    let directory = tempfile::tempdir().unwrap();
    let by_variables = Command::new(env!("CARGO_BIN_EXE_ipamctl"))
        .env_clear()
        .env("XDG_CONFIG_HOME", directory.path())
        .env(
            "IPAMCTL_ENDPOINTS",
            format!("http://127.0.0.1:1,{}", node.url),
        )
        .env("IPAMCTL_TENANT", "umbrella")
        .args(["pool", "list"])
        .output()
        .await
        .unwrap();
    assert_eq!(by_variables.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&by_variables.stderr),
        "nothing found\n"
    );

    std::fs::create_dir(directory.path().join("ipamctl")).unwrap();
    let file = format!("endpoints = [\"{}\"]\ntenant = \"umbrella\"\n", node.url);
    std::fs::write(directory.path().join("ipamctl/config.toml"), file).unwrap();
    let by_file = Command::new(env!("CARGO_BIN_EXE_ipamctl"))
        .env_clear()
        .env("XDG_CONFIG_HOME", directory.path())
        .args(["pool", "list"])
        .output()
        .await
        .unwrap();
    assert_eq!(by_file.status.code(), Some(0));
    assert_eq!(node.asked().len(), 2);
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    let line = format!("GET /v1/tenants?limit=1000&{LINEARIZABLE}");
    let items: Vec<Value> = (0..1_000)
        .map(|number| tenant(&format!("tenant-{number}")))
        .collect();
    let node = Node::start([(line.as_str(), 200, json!({ "items": items, "revision": 9 }))]).await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipamctl"))
        .env_clear()
        .args(["--endpoint", &node.url, "tenant", "list", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        (Some(0), "")
    );
}

#[tokio::test]
async fn completion_asks_no_node() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = run("http://127.0.0.1:1", &format!("completion {shell}"), &[]).await;
        assert_eq!(outcome.code, 0);
        assert!(outcome.stdout.contains("ipamctl"));
    }
}

#[tokio::test]
async fn a_watch_prints_each_event_as_it_comes_and_goes_on_until_enough() {
    let event = |id: &str, kind: &str| {
        let data = json!({ "revision": 9, "at": "2026-03-01T12:00:00.000Z", "type": kind, "object": { "name": "p" } });
        format!("id: {id}\ndata: {data}\n\n")
    };
    let stream = [
        event("8", "bookmark"),
        event("9.0", "poolChanged"),
        event("9.1", "poolDeleted"),
        event("9.2", "poolCreated"),
    ];
    let line = "GET /v1/tenants/acme/watch?kind=Pool&labelSelector=app%3Dweb&fromRevision=7";
    let node = Node::start([(line, 200, Value::String(stream.concat()))]).await;
    let command = "watch --kind pool -l app=web --from-revision 7 --count 2";
    let shown = acme(&node, command).await;
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    expect![[r#"
        AT                         REVISION    EVENT           NAME                       BLOCK                POOL           OWNER
        2026-03-01T12:00:00.000Z   9           poolChanged     p                          -                    -              -
        2026-03-01T12:00:00.000Z   9           poolDeleted     p                          -                    -              -
    "#]]
    .assert_eq(&shown.stdout);
    let json = acme(&node, &format!("{command} -o json")).await;
    let kinds: Vec<Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].clone())
        .collect();
    assert_eq!(kinds, ["poolChanged", "poolDeleted"]);
    let refused = acme(&node, "watch --kind pool").await;
    assert_eq!(refused.code, 4, "{}", refused.stderr);
}
