//! Merge patches in, the state machine, documents out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocator::State;
use allocator::command::{Command, Entry, Envelope, Position, Stamp};
use allocator::name::Name;
use api::problem::{Problem, Viewer};
use api::reply::Reply;
use api::requests::{
    ClaimCreate, ClaimPatch, Naming, PoolCreate, PoolPatch, TenantCreate, TenantPatch,
};
use serde_json::{Value, json};

/// A state that a tenant with a pool and a claim is in.
struct Api {
    state: State,
    index: u64,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn bytes(document: &Value) -> Vec<u8> {
    document.to_string().into_bytes()
}

impl Api {
    fn new() -> Self {
        let mut api = Self {
            state: State::new(),
            index: 0,
        };
        let tenant = json!({ "name": "acme", "quota": { "pools": 5, "claims": 9 } });
        assert_eq!(api.apply(TenantCreate::parse(&bytes(&tenant))).0, 201);
        let pool = json!({
            "name": "p", "cidrs": ["10.0.0.0/24"], "defaultPrefixLength": 28, "gateway": "first",
            "labels": { "env": "prod", "zone": "a" }, "exclude": ["10.0.0.0/28"],
        });
        assert_eq!(
            api.apply(PoolCreate::parse(&bytes(&pool), &name("acme"))).0,
            201
        );
        let claim =
            json!({ "name": "c", "pool": "p", "owner": "node-7", "labels": { "app": "web" } });
        let naming = Naming {
            idempotency_key: None,
            random: &|| 7,
        };
        let claim = ClaimCreate::parse(&bytes(&claim), &name("acme"), naming);
        assert_eq!(api.apply(claim).0, 201);
        api
    }

    fn apply(&mut self, command: Result<Command, Problem>) -> (u16, Value) {
        let command = match command {
            Ok(command) => command,
            Err(problem) => return (problem.status, serde_json::to_value(problem).unwrap()),
        };
        self.index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index: self.index,
        };
        let envelope = Envelope {
            actor: "".into(),
            source: "".into(),
            command,
        };
        let entry = Entry {
            stamp: Stamp::default(),
            commands: vec![envelope],
        };
        let answers = self.state.apply(at, &entry);
        self.state.audit().unwrap();
        match Reply::of(&answers[0], Viewer::Tenant(&name("acme"))) {
            Ok(reply) => (reply.status, serde_json::to_value(reply.body).unwrap()),
            Err(problem) => (problem.status, serde_json::to_value(problem).unwrap()),
        }
    }

    fn pool(&mut self, patch: &Value) -> (u16, Value) {
        self.apply(PoolPatch::parse(
            &bytes(patch),
            &name("acme"),
            &name("p"),
            None,
        ))
    }

    fn tenant(&mut self, patch: &Value) -> (u16, Value) {
        self.apply(TenantPatch::parse(&bytes(patch), &name("acme")))
    }

    fn claim(&mut self, patch: &Value) -> (u16, Value) {
        self.apply(ClaimPatch::parse(&bytes(patch), &name("acme"), &name("c")))
    }
}

#[test]
fn a_patch_is_merged_field_by_field_and_labels_key_by_key() {
    let mut api = Api::new();
    // The patch, a field, and what it is then.
    let table = [
        (json!({}), "/gateway", json!("first")),
        (json!({ "gateway": null }), "/gateway", Value::Null),
        (
            json!({ "labels": { "env": "test", "zone": null, "new": "" } }),
            "/labels",
            json!({ "env": "test", "new": "" }),
        ),
        (
            json!({ "labels": {} }),
            "/labels",
            json!({ "env": "test", "new": "" }),
        ),
        (json!({ "labels": null }), "/labels", json!({})),
        (
            json!({ "annotations": { "a": "b" } }),
            "/annotations",
            json!({ "a": "b" }),
        ),
        (json!({ "description": "d" }), "/description", json!("d")),
        (json!({ "description": null }), "/description", Value::Null),
        (
            json!({ "strategy": "BestFit" }),
            "/strategy",
            json!("BestFit"),
        ),
        (json!({ "strategy": null }), "/strategy", json!("FirstFit")),
        (
            json!({ "exclude": ["10.0.0.128/28"] }),
            "/exclude",
            json!(["10.0.0.128/28"]),
        ),
        (json!({ "exclude": null }), "/exclude", Value::Null),
        (
            json!({ "minPrefixLength": 26 }),
            "/status/minPrefixLength",
            json!(26),
        ),
        (
            json!({ "minPrefixLength": null }),
            "/status/minPrefixLength",
            json!(24),
        ),
        (json!({ "drain": true }), "/status/phase", json!("Draining")),
        (json!({ "drain": null }), "/status/phase", json!("Ready")),
        (json!({ "privateOnly": true }), "/privateOnly", json!(true)),
        (
            json!({ "cidrs": ["10.0.0.0/24", { "cidr": "10.0.1.0/24", "gateway": "last" }] }),
            "/status/capacity/total",
            json!("512"),
        ),
        (
            json!({ "exclude": ["10.0.0.16/28"] }),
            "/status/outOfPolicy",
            json!(1),
        ),
        (
            json!({ "status": { "phase": "Exhausted" }, "name": "p" }),
            "/status/conditions/1/type",
            json!("OutOfPolicy"),
        ),
        (
            json!({ "cidrs": ["10.0.0.0/24"] }),
            "/status/capacity/total",
            json!("256"),
        ),
    ];
    for (patch, pointer, expected) in table {
        let (status, pool) = api.pool(&patch);
        assert_eq!(status, 200, "{patch}: {pool}");
        assert_eq!(
            pool.pointer(pointer).unwrap_or(&Value::Null),
            &expected,
            "{patch}"
        );
        // What was read can be sent back, and changes nothing.
        let revision = api.state.revision();
        assert_eq!(api.pool(&pool), (200, pool.clone()));
        assert_eq!(api.state.revision(), revision);
    }
}

#[test]
fn what_holders_get_is_merged_key_by_key_but_routes_and_lists_as_a_whole() {
    let mut api = Api::new();
    let route = json!({
        "dst": "0.0.0.0/0", "gw": "10.0.0.1", "mtu": 1400, "advmss": 1360, "priority": 100,
        "table": 254, "scope": 0,
    });
    let routes = json!([route, { "dst": "2001:db8::/32" }]);
    // The patch, a field, and what it is then.
    let table = [
        (json!({ "routes": routes }), "routes", routes.clone()),
        (
            json!({ "routes": [{ "dst": "10.8.0.0/16", "gw": null }] }),
            "routes",
            json!([{ "dst": "10.8.0.0/16" }]),
        ),
        (json!({ "routes": [] }), "routes", json!([])),
        (json!({ "routes": null }), "routes", Value::Null),
        (
            json!({ "dns": { "nameservers": ["10.0.0.53", "2001:db8::53"], "search": ["a", "b"] } }),
            "dns",
            json!({ "nameservers": ["10.0.0.53", "2001:db8::53"], "search": ["a", "b"] }),
        ),
        (
            json!({ "dns": { "nameservers": ["10.0.0.54"], "search": null, "domain": "c" } }),
            "dns",
            json!({ "nameservers": ["10.0.0.54"], "domain": "c" }),
        ),
        (
            json!({ "dns": { "nameservers": [], "options": ["ndots:5"], "domain": null } }),
            "dns",
            json!({ "options": ["ndots:5"] }),
        ),
        (json!({ "dns": { "options": null } }), "dns", json!({})),
        (json!({ "dns": null }), "dns", Value::Null),
        (json!({ "mtu": 1400 }), "mtu", json!(1400)),
        (json!({ "mtu": null }), "mtu", Value::Null),
        (
            json!({ "parameters": { "vlan": "7", "interface": "eth1" } }),
            "parameters",
            json!({ "vlan": "7", "interface": "eth1" }),
        ),
        (
            json!({ "parameters": { "vlan": null, "gatewayMac": "" } }),
            "parameters",
            json!({ "interface": "eth1", "gatewayMac": "" }),
        ),
        (
            json!({ "parameters": { "interface": null, "gatewayMac": null } }),
            "parameters",
            json!({}),
        ),
        (json!({ "parameters": null }), "parameters", Value::Null),
    ];
    for (patch, field, expected) in table {
        let (status, pool) = api.pool(&patch);
        assert_eq!(status, 200, "{patch}: {pool}");
        assert_eq!(
            (&pool[field], &pool["status"][field]),
            (&expected, &expected),
            "{patch}"
        );
        let (_, claim) = api.claim(&json!({}));
        assert_eq!(claim["status"][field], expected, "{patch}");
        // What was read can be sent back, and changes nothing.
        let revision = api.state.revision();
        assert_eq!(api.pool(&pool), (200, pool.clone()));
        assert_eq!(api.state.revision(), revision);
    }
}

/// Each beside a value that is accepted.
#[test]
fn what_holders_cannot_get_is_refused_with_the_field() {
    let mut api = Api::new();
    let allowed = json!({
        "routes": [{ "dst": "10.0.0.0/8", "gw": "10.0.0.1", "mtu": 68, "scope": 255, "table": 0 }],
        "dns": { "nameservers": ["10.0.0.53"], "domain": "d", "search": ["s"], "options": ["o"] },
        "mtu": 68,
        "parameters": { "vlan": "7" },
    });
    assert_eq!(api.pool(&allowed).0, 200);
    let before = (api.state.digest(), api.state.revision());
    let route = |other: Value| {
        let mut route = json!({ "dst": "10.0.0.0/8" });
        route
            .as_object_mut()
            .unwrap()
            .extend(other.as_object().unwrap().clone());
        json!({ "routes": [route] })
    };
    let table = [
        (json!({ "routes": [{ "gw": "10.0.0.1" }] }), "routes[0].dst"),
        (json!({ "routes": { "dst": "10.0.0.0/8" } }), "routes"),
        (route(json!({ "dst": "10.0.0.1/8" })), "routes[0].dst"),
        (route(json!({ "dst": "default" })), "routes[0].dst"),
        (route(json!({ "gw": "first" })), "routes[0].gw"),
        (route(json!({ "gw": "fe80::1" })), "routes[0].gw"),
        (route(json!({ "via": "10.0.0.1" })), "routes[0].via"),
        (route(json!({ "scope": 256 })), "routes[0].scope"),
        (route(json!({ "table": -1 })), "routes[0].table"),
        (route(json!({ "mtu": 67 })), "routes[0].mtu"),
        (route(json!({ "mtu": "1400" })), "routes[0].mtu"),
        (json!({ "mtu": 67 }), "mtu"),
        (json!({ "mtu": 65536 }), "mtu"),
        (json!({ "mtu": 4_294_967_296_u64 }), "mtu"),
        (json!({ "mtu": "1400" }), "mtu"),
        (
            json!({ "dns": { "nameservers": ["10.0.0.53", "ns.example"] } }),
            "dns.nameservers[1]",
        ),
        (
            json!({ "dns": { "nameservers": "10.0.0.53" } }),
            "dns.nameservers",
        ),
        (json!({ "dns": { "domain": 7 } }), "dns.domain"),
        (json!({ "dns": { "domain": "a b" } }), "dns.domain"),
        (json!({ "dns": { "search": ["a", ""] } }), "dns.search[1]"),
        (json!({ "dns": { "servers": [] } }), "dns.servers"),
        (json!({ "dns": { "servers": null } }), "dns.servers"),
        (json!({ "dns": [] }), "dns"),
        (json!({ "parameters": { "vlan": 7 } }), "parameters.vlan"),
        (json!({ "parameters": { "": "7" } }), "parameters"),
        (json!({ "parameters": ["vlan"] }), "parameters"),
    ];
    for (patch, field) in table {
        let (status, problem) = api.pool(&patch);
        assert_eq!(
            (status, &problem["code"], &problem["fields"][0]["field"]),
            (422, &json!("invalid_field"), &json!(field)),
            "{patch}: {problem}"
        );
        assert_eq!(problem["fields"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            (api.state.digest(), api.state.revision()),
            before,
            "{patch}"
        );
        // A pool that is to be made is refused for the same reason.
        let mut pool = json!({ "name": "q", "cidrs": ["10.7.0.0/24"] });
        pool.as_object_mut()
            .unwrap()
            .extend(patch.as_object().unwrap().clone());
        let (status, problem) = api.apply(PoolCreate::parse(&bytes(&pool), &name("acme")));
        assert_eq!(
            (status, &problem["fields"][0]["field"]),
            (422, &json!(field)),
            "{patch}: {problem}"
        );
    }
}

#[test]
fn what_an_edit_may_not_say_is_refused_with_the_field() {
    let mut api = Api::new();
    let before = (api.state.digest(), api.state.revision());
    // The patch; status, code and fields.
    let table = [
        (json!({ "name": "q" }), 422, "invalid_field", "name"),
        (json!({ "name": null }), 422, "invalid_field", "name"),
        (json!({ "space": "blue" }), 422, "invalid_field", "space"),
        (json!({ "family": "IPv6" }), 422, "invalid_field", "family"),
        (json!({ "parent": "q" }), 422, "invalid_field", "parent"),
        (
            json!({ "prefixLength": 24 }),
            422,
            "invalid_field",
            "prefixLength",
        ),
        (
            json!({ "cidr": "10.0.0.0/24" }),
            422,
            "invalid_field",
            "cidr",
        ),
        (json!({ "owner": "n" }), 422, "invalid_field", "owner"),
        (json!({ "drian": true }), 422, "invalid_field", "drian"),
        (json!({ "drian": null }), 422, "invalid_field", "drian"),
        (json!({ "drain": "yes" }), 422, "invalid_field", "drain"),
        (json!({ "cidrs": [] }), 422, "invalid_field", "cidrs"),
        (json!({ "cidrs": null }), 422, "invalid_field", "cidrs"),
        (
            json!({ "cidrs": ["10.0.0.1/24"] }),
            422,
            "invalid_field",
            "cidrs[0]",
        ),
        (
            json!({ "subnet": "10.0.0.1/24", "gateway": "middle" }),
            422,
            "invalid_field",
            "subnet gateway",
        ),
        (
            json!({ "labels": { "": "x" } }),
            422,
            "invalid_field",
            "labels",
        ),
        (
            json!({ "labels": { "a": 5 } }),
            422,
            "invalid_field",
            "labels.a",
        ),
        (json!({ "labels": ["a"] }), 422, "invalid_field", "labels"),
        (
            json!({ "minPrefixLength": 20 }),
            422,
            "invalid_field",
            "minPrefixLength",
        ),
        (
            json!({ "gateway": "10.1.0.1" }),
            422,
            "gateway_not_in_subnet",
            "",
        ),
        (
            json!({ "cidrs": ["8.8.8.0/24"], "privateOnly": true }),
            422,
            "not_private",
            "",
        ),
        (
            json!({ "cidrs": ["10.0.1.0/24"], "exclude": null }),
            409,
            "pool_in_use",
            "",
        ),
        (json!([]), 422, "invalid_field", "body"),
    ];
    for (patch, status, code, fields) in table {
        let (found, problem) = api.pool(&patch);
        assert_eq!(
            (found, &problem["code"]),
            (status, &json!(code)),
            "{patch}: {problem}"
        );
        let named: Vec<&str> = problem["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|field| field["field"].as_str().unwrap())
            .collect();
        assert_eq!(named.join(" "), fields, "{patch}: {problem}");
        assert_eq!(
            (api.state.digest(), api.state.revision()),
            before,
            "{patch}"
        );
    }
    let twice = br#"{"labels":{"a":null,"a":"b"}}"#;
    let problem = PoolPatch::parse(twice, &name("acme"), &name("p"), None).unwrap_err();
    assert_eq!(
        (problem.status, problem.code.as_str()),
        (422, "invalid_field")
    );
    let (status, problem) = api.pool(&json!({ "cidrs": ["10.0.1.0/24"], "exclude": null }));
    assert_eq!(
        (status, &problem["cidr"], &problem["holders"][0]["claim"]),
        (409, &json!("10.0.0.0/24"), &json!("c"))
    );
    let stale = PoolPatch::parse(b"{}", &name("acme"), &name("p"), Some(1));
    assert_eq!(api.apply(stale).1["code"], "revision_mismatch");
}

#[test]
fn tenants_and_claims_are_edited_by_the_same_rules() {
    let mut api = Api::new();
    let (status, tenant) =
        api.tenant(&json!({ "quota": { "pools": null, "ipv4Addresses": 16 }, "description": "d" }));
    assert_eq!(
        (status, &tenant["quota"]),
        (200, &json!({ "claims": 9, "ipv4Addresses": 16 }))
    );
    assert_eq!(api.tenant(&tenant), (200, tenant.clone()));
    assert_eq!(api.tenant(&json!({ "quota": null })).1["quota"], json!({}));
    for (patch, field) in [
        (json!({ "name": "other" }), "name"),
        (json!({ "quota": { "poools": 1 } }), "quota.poools"),
        (json!({ "quota": { "poools": null } }), "quota.poools"),
        (json!({ "quota": { "pools": -1 } }), "quota.pools"),
    ] {
        let (status, problem) = api.tenant(&patch);
        assert_eq!(
            (status, &problem["fields"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
    let (status, claim) =
        api.claim(&json!({ "labels": { "app": null, "tier": "db" }, "description": "d" }));
    assert_eq!(
        (status, &claim["labels"], &claim["description"]),
        (200, &json!({ "tier": "db" }), &json!("d"))
    );
    assert_eq!(api.claim(&claim), (200, claim.clone()));
    for (patch, field) in [
        (json!({ "pool": "q" }), "pool"),
        (json!({ "owner": null }), "owner"),
        (json!({ "prefixLength": 27 }), "prefixLength"),
        (json!({ "within": ["10.0.0.0/24"] }), "within"),
        (json!({ "ttl": 5 }), "ttl"),
    ] {
        let (status, problem) = api.claim(&patch);
        assert_eq!(
            (status, &problem["fields"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
}
