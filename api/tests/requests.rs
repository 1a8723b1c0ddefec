//! Documents as clients send them: from valid to invalid and back, each problem with its field.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use allocator::command::Command;
use allocator::name::Name;
use api::problem::Problem;
use api::requests::{Batch, ClaimCreate, MemberAdd, Naming, PoolCreate, TenantCreate};
use expect_test::{Expect, expect};

fn acme() -> Name {
    Name::new("acme").unwrap()
}

fn told(result: Result<Command, Problem>) -> String {
    match result {
        Ok(command) => format!("{command:?}"),
        Err(problem) if problem.code == "invalid_field" => {
            let mut lines = format!("{} {}", problem.status, problem.code);
            for field in problem.fields() {
                write!(
                    lines,
                    "\n      {} {}; allowed: {}",
                    field.field, field.problem, field.allowed
                )
                .unwrap();
            }
            lines
        }
        Err(problem) => format!("{} {}: {}", problem.status, problem.code, problem.detail),
    }
}

fn check(parse: impl Fn(&[u8]) -> Result<Command, Problem>, documents: &[&str], expected: &Expect) {
    let mut table = String::new();
    for document in documents {
        writeln!(
            table,
            "{document}\n    {}",
            told(parse(document.as_bytes()))
        )
        .unwrap();
    }
    expected.assert_eq(&table);
}

#[test]
fn tenants() {
    check(
        TenantCreate::parse,
        &[
            r#"{"name":"acme"}"#,
            r#"{"name":"acme","labels":{"env":"prod"},"quota":{"pools":5,"ipv6Prefixes64":9},"status":{"usage":{}}}"#,
            r#"{"name":""}"#,
            r#"{"name":"a b"}"#,
            r#"{"name":"-a"}"#,
            r#"{"name":"é"}"#,
            r#"{"name":"a","quota":{"pools":-1}}"#,
            r#"{"name":"a","quota":[5]}"#,
            r#"{"name":"a","quota":{"pool":1}}"#,
            r#"{"name":"a","labels":{"k":"v","k":"w"}}"#,
            r#"{"name":"a","labels":{"":"v"}}"#,
            r#"{"name":"a","labels":{"k":1}}"#,
            r#"{"name":"a","labels":[]}"#,
        ],
        &expect![[r#"
            {"name":"acme"}
                TenantCreate(TenantSpec { name: "acme", labels: {}, annotations: {}, description: "", quota: Quota { pools: None, claims: None, ipv4_addresses: None, ipv6_prefixes_64: None } })
            {"name":"acme","labels":{"env":"prod"},"quota":{"pools":5,"ipv6Prefixes64":9},"status":{"usage":{}}}
                TenantCreate(TenantSpec { name: "acme", labels: {"env": "prod"}, annotations: {}, description: "", quota: Quota { pools: Some(5), claims: None, ipv4_addresses: None, ipv6_prefixes_64: Some(9) } })
            {"name":""}
                422 invalid_field
                  name is ""; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
            {"name":"a b"}
                422 invalid_field
                  name is "a b"; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
            {"name":"-a"}
                422 invalid_field
                  name is "-a"; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
            {"name":"é"}
                422 invalid_field
                  name is "é"; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
            {"name":"a","quota":{"pools":-1}}
                422 invalid_field
                  quota.pools is the number -1; allowed: a whole number from 0 to 18446744073709551615
            {"name":"a","quota":[5]}
                422 invalid_field
                  quota is an array; allowed: an object
            {"name":"a","quota":{"pool":1}}
                422 invalid_field
                  quota.pool is not a field; allowed: pools, claims, ipv4Addresses, ipv6Prefixes64
            {"name":"a","labels":{"k":"v","k":"w"}}
                422 invalid_field
                  labels is not valid; allowed: each key once; "k" is stated twice
            {"name":"a","labels":{"":"v"}}
                422 invalid_field
                  labels has the key "" of 0 bytes; allowed: keys of 1 to 63 bytes
            {"name":"a","labels":{"k":1}}
                422 invalid_field
                  labels.k is the number 1; allowed: a string
            {"name":"a","labels":[]}
                422 invalid_field
                  labels is an array; allowed: an object
        "#]],
    );
}

#[test]
fn root_pools() {
    check(
        |body| PoolCreate::parse(body, &acme()),
        &[
            r#"{"name":"p","cidrs":["10.0.0.0/16"]}"#,
            r#"{"name":"p","space":"blue","family":"IPv6","cidrs":["2001:db8::/32",{"cidr":"2001:db9::/32","subnet":"2001:db8::/31","gateway":"fe80::1"}],"minPrefixLength":48,"maxPrefixLength":64,"defaultPrefixLength":56,"exclude":["2001:db8::/48","2001:db8:1::1",{"addresses":"2001:db8:2::1-2001:db8:2::9","reason":"routers"}],"gateway":"first","labels":{"env":"prod"},"annotations":{"a":"b"},"description":"d"}"#,
            r#"{"name":"p"}"#,
            r#"{"name":"p","cidrs":[]}"#,
            r#"{"name":"p","cidrs":"10.0.0.0/16"}"#,
            r#"{"name":"p","cidrs":["10.0.0.1/16"]}"#,
            r#"{"name":"p","cidrs":["10.0.0.0"]}"#,
            r#"{"name":"p","cidrs":["10.0.0.0/33","2001:db8::/129","300.0.0.0/8","10.0.0.0/08"]}"#,
            r#"{"name":"p","cidrs":[{"cidr":"10.0.0.1/16","gateway":"middle","subnet":"10.0.0.5/8"}]}"#,
            r#"{"name":"p","cidrs":[{"cidr":"10.0.0.0/16","gatewy":"first"}]}"#,
            r#"{"name":"p","cidrs":[{"gateway":"first"}]}"#,
            r#"{"name":"p","cidrs":[7]}"#,
            r#"{"name":"p","cidrs":["10.0.0.0/16"],"prefixLength":24,"cidr":"10.0.0.0/24","owner":"n"}"#,
            r#"{"name":"p","cidrs":["10.0.0.0/16"],"minPrefixLength":129}"#,
            r#"{"name":"p","cidrs":["10.0.0.0/16"],"exclude":["10.0.0.9-10.0.0.1","10.0.0.1-2001:db8::1","x",{"addresses":"10.0.0.1/24","reason":"r"}]}"#,
            r#"{"name":"p","cidrs":["10.0.0.0/16"],"stratgy":"BestFit"}"#,
            r#"{"name":"","space":"-","cidrs":["10.0.0.1/16"],"subnet":"x","gateway":"y","owner":"a b"}"#,
        ],
        &expect![[r#"
            {"name":"p","cidrs":["10.0.0.0/16"]}
                PoolCreate(PoolSpec { tenant: "acme", name: "p", source: Root { space: Some("default"), cidrs: [PoolCidr { cidr: 10.0.0.0/16, subnet: None, gateway: None }] }, family: None, owner: None, min_prefix_length: None, max_prefix_length: None, default_prefix_length: None, strategy: FirstFit, usable_only: false, private_only: false, drain: false, shared_with: Private, priority: 100, exclude: [], subnet: None, gateway: None, handout: Handout { routes: None, dns: None, mtu: None, parameters: None }, life: PoolLife { grace_seconds: None, reclaim_policy: None, max_grace_seconds: None, allow_retain: None, max_ttl_seconds: None }, labels: {}, annotations: {}, description: "" })
            {"name":"p","space":"blue","family":"IPv6","cidrs":["2001:db8::/32",{"cidr":"2001:db9::/32","subnet":"2001:db8::/31","gateway":"fe80::1"}],"minPrefixLength":48,"maxPrefixLength":64,"defaultPrefixLength":56,"exclude":["2001:db8::/48","2001:db8:1::1",{"addresses":"2001:db8:2::1-2001:db8:2::9","reason":"routers"}],"gateway":"first","labels":{"env":"prod"},"annotations":{"a":"b"},"description":"d"}
                PoolCreate(PoolSpec { tenant: "acme", name: "p", source: Root { space: Some("blue"), cidrs: [PoolCidr { cidr: 2001:db8::/32, subnet: None, gateway: None }, PoolCidr { cidr: 2001:db9::/32, subnet: Some(2001:db8::/31), gateway: Some(Address(fe80::1)) }] }, family: Some(IPv6), owner: None, min_prefix_length: Some(48), max_prefix_length: Some(64), default_prefix_length: Some(56), strategy: FirstFit, usable_only: false, private_only: false, drain: false, shared_with: Private, priority: 100, exclude: [Exclusion { first: 2001:db8::, last: 2001:db8:0:ffff:ffff:ffff:ffff:ffff, reason: "", text: "2001:db8::/48" }, Exclusion { first: 2001:db8:1::1, last: 2001:db8:1::1, reason: "", text: "2001:db8:1::1" }, Exclusion { first: 2001:db8:2::1, last: 2001:db8:2::9, reason: "routers", text: "2001:db8:2::1-2001:db8:2::9" }], subnet: None, gateway: Some(First), handout: Handout { routes: None, dns: None, mtu: None, parameters: None }, life: PoolLife { grace_seconds: None, reclaim_policy: None, max_grace_seconds: None, allow_retain: None, max_ttl_seconds: None }, labels: {"env": "prod"}, annotations: {"a": "b"}, description: "d" })
            {"name":"p"}
                422 invalid_field
                  cidrs is missing; allowed: the cidrs of a root pool, or the parent of a child pool
            {"name":"p","cidrs":[]}
                422 invalid_field
                  cidrs is missing; allowed: the cidrs of a root pool, or the parent of a child pool
            {"name":"p","cidrs":"10.0.0.0/16"}
                422 invalid_field
                  cidrs is the string "10.0.0.0/16"; allowed: an array
            {"name":"p","cidrs":["10.0.0.1/16"]}
                422 invalid_field
                  cidrs[0] is "10.0.0.1/16", which has host bits set; allowed: 10.0.0.0/16
            {"name":"p","cidrs":["10.0.0.0"]}
                422 invalid_field
                  cidrs[0] is "10.0.0.0"; allowed: a CIDR such as 10.0.1.0/24 or 2001:db8::/48
            {"name":"p","cidrs":["10.0.0.0/33","2001:db8::/129","300.0.0.0/8","10.0.0.0/08"]}
                422 invalid_field
                  cidrs[0] is "10.0.0.0/33"; allowed: a prefix length from 0 to 32
                  cidrs[1] is "2001:db8::/129"; allowed: a prefix length from 0 to 128
                  cidrs[2] is "300.0.0.0/8"; allowed: a CIDR such as 10.0.1.0/24 or 2001:db8::/48
                  cidrs[3] is "10.0.0.0/08"; allowed: a CIDR such as 10.0.1.0/24 or 2001:db8::/48
            {"name":"p","cidrs":[{"cidr":"10.0.0.1/16","gateway":"middle","subnet":"10.0.0.5/8"}]}
                422 invalid_field
                  cidrs[0].cidr is "10.0.0.1/16", which has host bits set; allowed: 10.0.0.0/16
                  cidrs[0].subnet is "10.0.0.5/8", which has host bits set; allowed: 10.0.0.0/8
                  cidrs[0].gateway is "middle"; allowed: first, last or an address
            {"name":"p","cidrs":[{"cidr":"10.0.0.0/16","gatewy":"first"}]}
                422 invalid_field
                  cidrs[0].gatewy is not a field; allowed: cidr, subnet, gateway
            {"name":"p","cidrs":[{"gateway":"first"}]}
                422 invalid_field
                  cidrs[0].cidr is missing; allowed: a value: the field is required
            {"name":"p","cidrs":[7]}
                422 invalid_field
                  cidrs[0] is the number 7; allowed: a CIDR, or {cidr, subnet, gateway}
            {"name":"p","cidrs":["10.0.0.0/16"],"prefixLength":24,"cidr":"10.0.0.0/24","owner":"n"}
                422 invalid_field
                  prefixLength is stated for a root pool; allowed: only beside parent
                  cidr is stated for a root pool; allowed: only beside parent
                  owner is stated for a root pool; allowed: only beside parent
            {"name":"p","cidrs":["10.0.0.0/16"],"minPrefixLength":129}
                422 invalid_field
                  minPrefixLength is 129; allowed: 0 to 32 for IPv4, 0 to 128 for IPv6
            {"name":"p","cidrs":["10.0.0.0/16"],"exclude":["10.0.0.9-10.0.0.1","10.0.0.1-2001:db8::1","x",{"addresses":"10.0.0.1/24","reason":"r"}]}
                422 invalid_field
                  exclude[0] is "10.0.0.9-10.0.0.1"; allowed: a range whose first address is not above the last, both of one family
                  exclude[1] is "10.0.0.1-2001:db8::1"; allowed: a range whose first address is not above the last, both of one family
                  exclude[2] is "x"; allowed: a CIDR, an address or a range first-last
                  exclude[3].addresses is "10.0.0.1/24", which has host bits set; allowed: 10.0.0.0/24
            {"name":"p","cidrs":["10.0.0.0/16"],"stratgy":"BestFit"}
                422 invalid_field
                  stratgy is not a field; allowed: name, space, cidrs, family, parent, prefixLength, cidr, owner, minPrefixLength, maxPrefixLength, defaultPrefixLength, strategy, usableOnly, privateOnly, drain, sharedWith, priority, exclude, subnet, gateway, routes, dns, mtu, parameters, graceSeconds, reclaimPolicy, maxGraceSeconds, allowRetain, maxTtlSeconds, labels, annotations, description, status
            {"name":"","space":"-","cidrs":["10.0.0.1/16"],"subnet":"x","gateway":"y","owner":"a b"}
                422 invalid_field
                  name is ""; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
                  owner is stated for a root pool; allowed: only beside parent
                  space is "-"; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
                  cidrs[0] is "10.0.0.1/16", which has host bits set; allowed: 10.0.0.0/16
                  owner is "a b"; allowed: 1 to 1024 bytes of printable ASCII without spaces, in segments divided by '/', none of them empty
                  subnet is "x"; allowed: a CIDR such as 10.0.1.0/24 or 2001:db8::/48
                  gateway is "y"; allowed: first, last or an address
        "#]],
    );
}

#[test]
fn child_pools() {
    check(
        |body| PoolCreate::parse(body, &acme()),
        &[
            r#"{"name":"c","parent":"p","prefixLength":24}"#,
            r#"{"name":"c","parent":{"tenant":"shared","name":"p"},"cidr":"10.0.1.0/24","owner":"node-7"}"#,
            r#"{"name":"c","parent":{"name":"p"},"prefixLength":24}"#,
            r#"{"name":"c","parent":"p"}"#,
            r#"{"name":"c","parent":"p","prefixLength":24,"cidr":"10.0.1.0/24"}"#,
            r#"{"name":"c","parent":"p","prefixLength":24,"cidrs":["10.0.0.0/8"]}"#,
            r#"{"name":"c","parent":"p","prefixLength":24,"space":"blue"}"#,
            r#"{"name":"c","parent":"","prefixLength":24}"#,
            r#"{"name":"c","parent":{"tenant":"-","name":"?"},"prefixLength":24}"#,
            r#"{"name":"c","parent":{"tenant":"t"},"prefixLength":24}"#,
            r#"{"name":"c","parent":["p"],"prefixLength":24}"#,
        ],
        &expect![[r#"
            {"name":"c","parent":"p","prefixLength":24}
                PoolCreate(PoolSpec { tenant: "acme", name: "c", source: Child { parent: PoolRef { tenant: None, name: "p" }, block: Length(24) }, family: None, owner: None, min_prefix_length: None, max_prefix_length: None, default_prefix_length: None, strategy: FirstFit, usable_only: false, private_only: false, drain: false, shared_with: Private, priority: 100, exclude: [], subnet: None, gateway: None, handout: Handout { routes: None, dns: None, mtu: None, parameters: None }, life: PoolLife { grace_seconds: None, reclaim_policy: None, max_grace_seconds: None, allow_retain: None, max_ttl_seconds: None }, labels: {}, annotations: {}, description: "" })
            {"name":"c","parent":{"tenant":"shared","name":"p"},"cidr":"10.0.1.0/24","owner":"node-7"}
                PoolCreate(PoolSpec { tenant: "acme", name: "c", source: Child { parent: PoolRef { tenant: Some("shared"), name: "p" }, block: Cidr(10.0.1.0/24) }, family: None, owner: Some("node-7"), min_prefix_length: None, max_prefix_length: None, default_prefix_length: None, strategy: FirstFit, usable_only: false, private_only: false, drain: false, shared_with: Private, priority: 100, exclude: [], subnet: None, gateway: None, handout: Handout { routes: None, dns: None, mtu: None, parameters: None }, life: PoolLife { grace_seconds: None, reclaim_policy: None, max_grace_seconds: None, allow_retain: None, max_ttl_seconds: None }, labels: {}, annotations: {}, description: "" })
            {"name":"c","parent":{"name":"p"},"prefixLength":24}
                PoolCreate(PoolSpec { tenant: "acme", name: "c", source: Child { parent: PoolRef { tenant: None, name: "p" }, block: Length(24) }, family: None, owner: None, min_prefix_length: None, max_prefix_length: None, default_prefix_length: None, strategy: FirstFit, usable_only: false, private_only: false, drain: false, shared_with: Private, priority: 100, exclude: [], subnet: None, gateway: None, handout: Handout { routes: None, dns: None, mtu: None, parameters: None }, life: PoolLife { grace_seconds: None, reclaim_policy: None, max_grace_seconds: None, allow_retain: None, max_ttl_seconds: None }, labels: {}, annotations: {}, description: "" })
            {"name":"c","parent":"p"}
                422 invalid_field
                  prefixLength is missing; allowed: beside parent: prefixLength or cidr
            {"name":"c","parent":"p","prefixLength":24,"cidr":"10.0.1.0/24"}
                422 invalid_field
                  cidr is stated beside prefixLength; allowed: either prefixLength or cidr
            {"name":"c","parent":"p","prefixLength":24,"cidrs":["10.0.0.0/8"]}
                422 invalid_field
                  parent is stated beside cidrs; allowed: either cidrs or parent
            {"name":"c","parent":"p","prefixLength":24,"space":"blue"}
                422 invalid_field
                  space is stated for a child pool; allowed: only for a root pool; a child has its parent's
            {"name":"c","parent":"","prefixLength":24}
                422 invalid_field
                  parent is ""; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
            {"name":"c","parent":{"tenant":"-","name":"?"},"prefixLength":24}
                422 invalid_field
                  parent.tenant is "-"; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
                  parent.name is "?"; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
            {"name":"c","parent":{"tenant":"t"},"prefixLength":24}
                422 invalid_field
                  parent.name is missing; allowed: a value: the field is required
            {"name":"c","parent":["p"],"prefixLength":24}
                422 invalid_field
                  parent is an array; allowed: a pool's name, or {tenant, name}
        "#]],
    );
}

fn claim(body: &[u8]) -> Result<Command, Problem> {
    ClaimCreate::parse(
        body,
        &acme(),
        Naming {
            idempotency_key: None,
            random: &|| 7,
        },
    )
}

#[test]
fn claims() {
    check(
        claim,
        &[
            r#"{"name":"c","pool":"p"}"#,
            r#"{"pool":{"tenant":"shared","name":"p"},"cidr":"10.0.1.0/24","family":"IPv4","owner":"node-7/net/eth0","status":null}"#,
            r#"{"name":null,"pool":"p","prefixLength":null}"#,
            r#"{"name":"c"}"#,
            r#"{"name":"c","pool":"p","prefixLength":24,"cidr":"10.0.1.0/24"}"#,
            r#"{"name":"c","pool":"p","prefixLength":129}"#,
            r#"{"name":"c","pool":"p","prefixLength":"/24"}"#,
            r#"{"name":"c","pool":"p","prefix_length":24}"#,
            r#"{"name":"c","pool":"p","cidr":"10.0.1.7/24"}"#,
            r#"{"name":"c","pool":"p","family":"ipv4"}"#,
            r#"{"name":"c","pool":"p","owner":"/a"}"#,
            r#"{"name":"c","pool":"p","ttlSeconds":60}"#,
        ],
        &expect![[r#"
            {"name":"c","pool":"p"}
                ClaimCreate(ClaimSpec { tenant: "acme", name: "c", from: Pool(PoolRef { tenant: None, name: "p" }), reservation: false, prefix_length: None, cidr: None, within: [], family: None, owner: None, life: ClaimLife { ttl_seconds: None, grace_seconds: None, reclaim_policy: None }, labels: {}, annotations: {}, description: "" })
            {"pool":{"tenant":"shared","name":"p"},"cidr":"10.0.1.0/24","family":"IPv4","owner":"node-7/net/eth0","status":null}
                ClaimCreate(ClaimSpec { tenant: "acme", name: "claim-00000000000000000000000000000007", from: Pool(PoolRef { tenant: Some("shared"), name: "p" }), reservation: false, prefix_length: None, cidr: Some(10.0.1.0/24), within: [], family: Some(IPv4), owner: Some("node-7/net/eth0"), life: ClaimLife { ttl_seconds: None, grace_seconds: None, reclaim_policy: None }, labels: {}, annotations: {}, description: "" })
            {"name":null,"pool":"p","prefixLength":null}
                ClaimCreate(ClaimSpec { tenant: "acme", name: "claim-00000000000000000000000000000007", from: Pool(PoolRef { tenant: None, name: "p" }), reservation: false, prefix_length: None, cidr: None, within: [], family: None, owner: None, life: ClaimLife { ttl_seconds: None, grace_seconds: None, reclaim_policy: None }, labels: {}, annotations: {}, description: "" })
            {"name":"c"}
                422 invalid_field
                  pool is missing; allowed: either pool or poolSelector
            {"name":"c","pool":"p","prefixLength":24,"cidr":"10.0.1.0/24"}
                422 invalid_field
                  cidr is stated beside prefixLength; allowed: either prefixLength or cidr
            {"name":"c","pool":"p","prefixLength":129}
                422 invalid_field
                  prefixLength is 129; allowed: 0 to 32 for IPv4, 0 to 128 for IPv6
            {"name":"c","pool":"p","prefixLength":"/24"}
                422 invalid_field
                  prefixLength is the string "/24"; allowed: a whole number from 0 to 255
            {"name":"c","pool":"p","prefix_length":24}
                422 invalid_field
                  prefix_length is not a field; allowed: name, pool, poolSelector, purpose, prefixLength, cidr, within, family, owner, ttlSeconds, graceSeconds, reclaimPolicy, labels, annotations, description, status
            {"name":"c","pool":"p","cidr":"10.0.1.7/24"}
                422 invalid_field
                  cidr is "10.0.1.7/24", which has host bits set; allowed: 10.0.1.0/24
            {"name":"c","pool":"p","family":"ipv4"}
                422 invalid_field
                  family is the string "ipv4"; allowed: IPv4, IPv6
            {"name":"c","pool":"p","owner":"/a"}
                422 invalid_field
                  owner is "/a"; allowed: 1 to 1024 bytes of printable ASCII without spaces, in segments divided by '/', none of them empty
            {"name":"c","pool":"p","ttlSeconds":60}
                ClaimCreate(ClaimSpec { tenant: "acme", name: "c", from: Pool(PoolRef { tenant: None, name: "p" }), reservation: false, prefix_length: None, cidr: None, within: [], family: None, owner: None, life: ClaimLife { ttl_seconds: Some(60), grace_seconds: None, reclaim_policy: None }, labels: {}, annotations: {}, description: "" })
        "#]],
    );
}

#[test]
fn long_fields_are_refused_and_not_repeated_in_full() {
    let long_name = format!(r#"{{"name":"{}","pool":"p"}}"#, "n".repeat(254));
    let long_owner = format!(
        r#"{{"name":"c","pool":"p","owner":"{}"}}"#,
        "o".repeat(1_025)
    );
    let long_text = format!(
        r#"{{"name":"c","pool":"p","description":"{}"}}"#,
        "d".repeat(1_025)
    );
    let long_value = format!(
        r#"{{"name":"c","pool":"p","labels":{{"k":"{}"}}}}"#,
        "v".repeat(256)
    );
    let long_key = format!(
        r#"{{"name":"c","pool":"p","labels":{{"{}":"v"}}}}"#,
        "k".repeat(64)
    );
    let labels: Vec<String> = (0..65)
        .map(|number| format!(r#""k{number}":"v""#))
        .collect();
    let many_labels = format!(
        r#"{{"name":"c","pool":"p","labels":{{{}}}}}"#,
        labels.join(",")
    );
    let unknown = format!(r#"{{"name":"c","pool":"p","{}":1}}"#, "u".repeat(1_000));
    let mut table = String::new();
    for document in [
        long_name,
        long_owner,
        long_text,
        long_value,
        long_key,
        many_labels,
        unknown,
    ] {
        writeln!(table, "{}", told(claim(document.as_bytes()))).unwrap();
    }
    expect![[r#"
        422 invalid_field
              name is "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"… of 254 bytes; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
        422 invalid_field
              owner is "oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo"… of 1025 bytes; allowed: 1 to 1024 bytes of printable ASCII without spaces, in segments divided by '/', none of them empty
        422 invalid_field
              description has 1025 bytes; allowed: at most 1024 bytes
        422 invalid_field
              labels.k has 256 bytes; allowed: at most 255 bytes
        422 invalid_field
              labels has the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" of 64 bytes; allowed: keys of 1 to 63 bytes
        422 invalid_field
              labels has 65 entries; allowed: at most 64
        422 invalid_field
              uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu… is not a field; allowed: name, pool, poolSelector, purpose, prefixLength, cidr, within, family, owner, ttlSeconds, graceSeconds, reclaimPolicy, labels, annotations, description, status
    "#]].assert_eq(&table);
}

#[test]
fn a_claim_is_named_by_its_field_its_key_or_the_server() {
    let name_of = |body: &str, key: Option<&[u8]>| match ClaimCreate::parse(
        body.as_bytes(),
        &acme(),
        Naming {
            idempotency_key: key,
            random: &|| 7,
        },
    ) {
        Ok(Command::ClaimCreate(spec)) => spec.name.to_string(),
        Ok(other) => panic!("not a claim: {other:?}"),
        Err(problem) => format!("{} {}", problem.status, problem.detail),
    };
    assert_eq!(name_of(r#"{"name":"c","pool":"p"}"#, None), "c");
    assert_eq!(
        name_of(r#"{"pool":"p"}"#, Some(b"order-17")),
        "k-72a90ea3da8b5dd01bde2f27314e02e2"
    );
    assert_eq!(
        name_of(r#"{"pool":"p"}"#, None),
        "claim-00000000000000000000000000000007"
    );
    assert!(
        name_of(r#"{"name":"c","pool":"p"}"#, Some(b"order-17"))
            .starts_with("400 The parameter Idempotency-Key")
    );
    assert!(name_of(r#"{"pool":"p"}"#, Some(b"")).starts_with("400 The parameter Idempotency-Key"));
}

#[test]
fn batches() {
    check(
        |body| {
            let read = Batch::parse(body, &acme(), 7)?;
            read.split(9).map(|(command, _)| command)
        },
        &[
            r#"{"atomic":true,"operations":[{"createClaim":{"name":"a","pool":"p"}},{"releaseClaim":{"name":"b","generation":17}},{"createClaim":{"pool":"p"}}]}"#,
            r#"{"operations":[{"releaseClaim":{"name":"b"}}]}"#,
            r#"{"atomic":"true","operations":[{"releaseClaim":{"name":"b"}}]}"#,
            r#"{"atomic":false,"operations":[]}"#,
            r#"{"atomic":false,"operations":[{}]}"#,
            r#"{"atomic":false,"operations":[{"createClaim":{"pool":"p"},"releaseClaim":{"name":"b"}}]}"#,
            r#"{"atomic":false,"operations":[{"deleteClaim":{"name":"b"}}]}"#,
            r#"{"atomic":false,"operations":[{"createClaim":{"name":"a","pool":"p","cidr":"10.0.0.1/24"}},{"releaseClaim":{"name":"b"}},{"releaseClaim":{"name":"-"}}]}"#,
            r#"{"atomic":true,"operations":[{"createClaim":{"pool":"?","cidr":"10.0.0.1/24"}},{"releaseClaim":{"name":"-"}},{}]}"#,
            r#"{"atomic":true,"operations":[{"releaseClaim":{"name":"b"}},{"createClaim":{"pool":"?","cidr":"10.0.0.1/24"}}]}"#,
            r#"{"atomic":false,"operations":["a"]}"#,
            r#"{"atomic":false,"operations":[{"createClaim":{"pool":"p"}}],"dryRun":true}"#,
            r#"{"atomic":false,"operations":[{"releaseClaim":{"name":"b"}},{"createClaim":{"pool":"p","prefixLength":"24"}}]}"#,
            r#"{"atomic":false,"operations":[{"releaseClaim":{"name":"b","generation":-1}}]}"#,
        ],
        &expect![[r#"
            {"atomic":true,"operations":[{"createClaim":{"name":"a","pool":"p"}},{"releaseClaim":{"name":"b","generation":17}},{"createClaim":{"pool":"p"}}]}
                Batch { tenant: "acme", atomic: true, operations: [CreateClaim(ClaimSpec { tenant: "acme", name: "a", from: Pool(PoolRef { tenant: None, name: "p" }), reservation: false, prefix_length: None, cidr: None, within: [], family: None, owner: None, life: ClaimLife { ttl_seconds: None, grace_seconds: None, reclaim_policy: None }, labels: {}, annotations: {}, description: "" }), ReleaseClaim(ClaimRelease { tenant: "acme", name: "b", generation: Some(17) }), CreateClaim(ClaimSpec { tenant: "acme", name: "claim-00000000000000000000000000000009", from: Pool(PoolRef { tenant: None, name: "p" }), reservation: false, prefix_length: None, cidr: None, within: [], family: None, owner: None, life: ClaimLife { ttl_seconds: None, grace_seconds: None, reclaim_policy: None }, labels: {}, annotations: {}, description: "" })] }
            {"operations":[{"releaseClaim":{"name":"b"}}]}
                422 invalid_field
                  atomic is missing; allowed: a value: the field is required
            {"atomic":"true","operations":[{"releaseClaim":{"name":"b"}}]}
                422 invalid_field
                  atomic is the string "true"; allowed: true or false
            {"atomic":false,"operations":[]}
                422 invalid_field
                  operations has 0 operations; allowed: 1 to 1000 operations
            {"atomic":false,"operations":[{}]}
                422 invalid_field
                  operations[0] is empty; allowed: exactly one of createClaim, releaseClaim
            {"atomic":false,"operations":[{"createClaim":{"pool":"p"},"releaseClaim":{"name":"b"}}]}
                422 invalid_field
                  operations[0] states two operations; allowed: exactly one of createClaim, releaseClaim
            {"atomic":false,"operations":[{"deleteClaim":{"name":"b"}}]}
                422 invalid_field
                  operations[0].deleteClaim is not a field; allowed: createClaim, releaseClaim
            {"atomic":false,"operations":[{"createClaim":{"name":"a","pool":"p","cidr":"10.0.0.1/24"}},{"releaseClaim":{"name":"b"}},{"releaseClaim":{"name":"-"}}]}
                Batch { tenant: "acme", atomic: false, operations: [ReleaseClaim(ClaimRelease { tenant: "acme", name: "b", generation: None })] }
            {"atomic":true,"operations":[{"createClaim":{"pool":"?","cidr":"10.0.0.1/24"}},{"releaseClaim":{"name":"-"}},{}]}
                422 invalid_field
                  operations[2] is empty; allowed: exactly one of createClaim, releaseClaim
            {"atomic":true,"operations":[{"releaseClaim":{"name":"b"}},{"createClaim":{"pool":"?","cidr":"10.0.0.1/24"}}]}
                422 invalid_field
                  operations[1].createClaim.pool is "?"; allowed: 1 to 253 bytes of A-Z a-z 0-9 . _ : ~ -, the first one alphanumeric
                  operations[1].createClaim.cidr is "10.0.0.1/24", which has host bits set; allowed: 10.0.0.0/24
            {"atomic":false,"operations":["a"]}
                422 invalid_field
                  operations[0] is the string "a"; allowed: an object
            {"atomic":false,"operations":[{"createClaim":{"pool":"p"}}],"dryRun":true}
                422 invalid_field
                  dryRun is not a field; allowed: atomic, operations
            {"atomic":false,"operations":[{"releaseClaim":{"name":"b"}},{"createClaim":{"pool":"p","prefixLength":"24"}}]}
                Batch { tenant: "acme", atomic: false, operations: [ReleaseClaim(ClaimRelease { tenant: "acme", name: "b", generation: None })] }
            {"atomic":false,"operations":[{"releaseClaim":{"name":"b","generation":-1}}]}
                Batch { tenant: "acme", atomic: false, operations: [] }
        "#]],
    );
}

#[test]
fn a_field_that_is_null_is_absent() {
    let nulls = r#""space":null,"family":null,"exclude":null,"labels":null,"annotations":null,"description":null,"gateway":null,"status":null"#;
    let pool = |rest: &str| {
        let body = format!(r#"{{"name":"p","cidrs":["10.0.0.0/24"]{rest}}}"#);
        told(PoolCreate::parse(body.as_bytes(), &acme()))
    };
    assert_eq!(pool(&format!(",{nulls}")), pool(""));
    let tenant = |body: &str| told(TenantCreate::parse(body.as_bytes()));
    assert_eq!(
        tenant(r#"{"name":"t","quota":null,"labels":null}"#),
        tenant(r#"{"name":"t"}"#)
    );
    for (body, field) in [
        (r#"{"name":null}"#, "name is missing"),
        (r#"{"name":"t","nmae":null}"#, "nmae is not a field"),
        (r#"{"name":"t","labels":{"a":null}}"#, "labels.a is null"),
        (
            r#"{"name":"t","labels":null,"labels":null}"#,
            "labels is null",
        ),
    ] {
        assert!(tenant(body).contains(field), "{body}: {}", tenant(body));
    }
}

#[test]
fn a_batch_has_at_most_a_thousand_operations_each_with_its_own_name() {
    let of_size = |count: usize| {
        let operations = vec![r#"{"createClaim":{"pool":"p"}}"#; count].join(",");
        Batch::parse(
            format!(r#"{{"atomic":false,"operations":[{operations}]}}"#).as_bytes(),
            &acme(),
            u128::MAX,
        )
        .and_then(|read| read.split(9))
    };
    let Ok((Command::Batch { operations, .. }, _)) = of_size(1_000) else {
        panic!("1,000 operations are allowed")
    };
    let mut names: Vec<String> = operations
        .iter()
        .map(|operation| match operation {
            allocator::command::Operation::CreateClaim(spec) => spec.name.to_string(),
            allocator::command::Operation::ReleaseClaim(release) => release.name.to_string(),
        })
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 1_000);
    let problem = of_size(1_001).unwrap_err();
    assert_eq!(
        (problem.status, problem.fields()[0].field.as_str()),
        (422, "operations")
    );
}

#[test]
fn members() {
    let told = |body: &str| match MemberAdd::parse(body.as_bytes()) {
        Ok(member) => format!("{member:?}"),
        Err(problem) => problem.detail,
    };
    let mut table = String::new();
    for body in [
        r#"{"address":"10.0.0.4:7401"}"#,
        r#"{"address":"[2001:db8::1]:7401","httpUrl":"http://node-4:7400"}"#,
        r#"{"address":"10.0.0.4"}"#,
        r#"{"address":":7401"}"#,
        r#"{"address":"host:0"}"#,
        r#"{"address":"host:65536"}"#,
        r#"{"address":"http://host:7401","httpUrl":"host:7400"}"#,
        "{}",
    ] {
        writeln!(table, "{body}\n    {}", told(body)).unwrap();
    }
    expect![[r#"
        {"address":"10.0.0.4:7401"}
            MemberAdd { address: "10.0.0.4:7401", http_url: None }
        {"address":"[2001:db8::1]:7401","httpUrl":"http://node-4:7400"}
            MemberAdd { address: "[2001:db8::1]:7401", http_url: Some("http://node-4:7400") }
        {"address":"10.0.0.4"}
            address is "10.0.0.4"; allowed: host:port.
        {"address":":7401"}
            address is ":7401"; allowed: host:port.
        {"address":"host:0"}
            address is "host:0"; allowed: host:port.
        {"address":"host:65536"}
            address is "host:65536"; allowed: host:port.
        {"address":"http://host:7401","httpUrl":"host:7400"}
            address is "http://host:7401"; allowed: host:port. httpUrl is "host:7400"; allowed: http://host:port or https://host:port.
        {}
            address is missing; allowed: a value: the field is required.
    "#]].assert_eq(&table);
}

#[test]
fn a_request_that_the_client_writes_is_read_back() {
    let pool = PoolCreate {
        name: "p".to_owned(),
        cidrs: vec!["10.0.0.0/16".into()],
        exclude: vec!["10.0.0.0/24".into()],
        gateway: Some("first".to_owned()),
        labels: [("env", "prod")].into(),
        ..PoolCreate::default()
    };
    let text = serde_json::to_string(&pool).unwrap();
    expect![[r#"{"name":"p","cidrs":["10.0.0.0/16"],"exclude":["10.0.0.0/24"],"gateway":"first","labels":{"env":"prod"}}"#]].assert_eq(&text);
    assert!(PoolCreate::parse(text.as_bytes(), &acme()).is_ok());
    assert_eq!(serde_json::from_str::<PoolCreate>(&text).unwrap(), pool);
}
