//! Documents in, the state machine, documents out: the three beats without a server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocator::State;
use allocator::command::{ClaimRelease, Command, Entry, Envelope, Position, Stamp};
use allocator::name::Name;
use api::problem::{Problem, Viewer};
use api::reply::Reply;
use api::requests::{Batch, ClaimCreate, Naming, PoolCreate, TenantCreate};
use api::views;
use serde_json::{Value, json};

struct Api {
    state: State,
    index: u64,
}

impl Api {
    fn new() -> Self {
        let mut api = Self {
            state: State::new(),
            index: 0,
        };
        assert_eq!(api.tenant(&json!({ "name": "acme" })).0, 201);
        api
    }

    fn apply(&mut self, command: Result<Command, Problem>) -> (u16, Value) {
        let envelope = match command {
            Ok(command) => Envelope {
                actor: "".into(),
                source: "".into(),
                command,
            },
            Err(problem) => return (problem.status, serde_json::to_value(problem).unwrap()),
        };
        self.index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index: self.index,
        };
        let entry = Entry {
            stamp: Stamp::default(),
            commands: vec![envelope],
        };
        let answers = self.state.apply(at, &entry);
        match Reply::of(&answers[0], Viewer::Tenant(&acme())) {
            Ok(reply) => (reply.status, serde_json::to_value(reply.body).unwrap()),
            Err(problem) => (problem.status, serde_json::to_value(problem).unwrap()),
        }
    }

    fn tenant(&mut self, document: &Value) -> (u16, Value) {
        self.apply(TenantCreate::parse(document.to_string().as_bytes()))
    }

    fn pool(&mut self, document: &Value) -> (u16, Value) {
        self.apply(PoolCreate::parse(document.to_string().as_bytes(), &acme()))
    }

    fn claim(&mut self, document: &Value) -> (u16, Value) {
        let naming = Naming {
            idempotency_key: None,
            random: &|| 7,
        };
        self.apply(ClaimCreate::parse(
            document.to_string().as_bytes(),
            &acme(),
            naming,
        ))
    }

    fn release(&mut self, claim: &str, generation: Option<u64>) -> (u16, Value) {
        let release = ClaimRelease {
            tenant: acme(),
            name: Name::new(claim).unwrap(),
            generation,
        };
        self.apply(Ok(Command::ClaimRelease(release)))
    }

    fn batch(&mut self, document: &Value) -> (u16, Value) {
        let read = Batch::parse(document.to_string().as_bytes(), &acme(), 7);
        match read.and_then(|read| read.split(self.state.revision())) {
            Err(problem) => self.apply(Err(problem)),
            Ok((command, refused)) => {
                let (status, mut body) = self.apply(Ok(command));
                if status == 200 {
                    let answered = serde_json::from_value(body["results"].take()).unwrap();
                    body["results"] = serde_json::to_value(refused.merge(answered)).unwrap();
                }
                (status, body)
            }
        }
    }
}

fn acme() -> Name {
    Name::new("acme").unwrap()
}

fn root() -> Value {
    json!({
        "name": "p", "cidrs": ["10.0.0.0/16", { "cidr": "10.2.0.0/16", "gateway": "last" }], "minPrefixLength": 20,
        "defaultPrefixLength": 32, "exclude": ["10.0.0.0/28", { "addresses": "10.0.1.1-10.0.1.9", "reason": "routers" }],
        "gateway": "first", "labels": { "env": "prod" }, "description": "everything",
    })
}

#[test]
fn what_was_read_can_be_applied_again_and_changes_nothing() {
    let mut api = Api::new();
    let documents = [
        root(),
        json!({ "name": "q", "space": "blue", "cidrs": ["2001:db8::/32"], "family": "IPv6", "defaultPrefixLength": 64 }),
        json!({ "name": "r", "cidrs": ["10.9.0.0/24"], "strategy": "NextFit", "usableOnly": true, "privateOnly": true, "drain": true }),
        json!({ "name": "c", "parent": "p", "prefixLength": 24, "owner": "node-7" }),
        json!({ "name": "d", "parent": { "name": "p" }, "cidr": "10.0.200.0/24" }),
    ];
    for document in documents {
        let (status, shown) = api.pool(&document);
        assert_eq!(status, 201, "{shown}");
        let before = (api.state.revision(), api.state.generation());
        let (status, again) = api.pool(&shown);
        assert_eq!(
            (status, &again["name"]),
            (200, &document["name"]),
            "{again}"
        );
        assert_eq!((api.state.revision(), api.state.generation()), before);
    }
    let shown = api.claim(&json!({ "name": "web-1", "pool": "p", "owner": "node-7/eth0", "labels": { "a": "b" } })).1;
    let (status, again) = api.claim(&shown);
    assert_eq!(
        (status, &again["status"]["generation"]),
        (200, &shown["status"]["generation"])
    );
    let tenant =
        serde_json::to_value(views::Tenant::from(&api.state.tenant(&acme()).unwrap())).unwrap();
    assert_eq!(api.tenant(&tenant).0, 200);
}

#[test]
fn a_claim_lives_from_201_to_200_and_ends_with_404() {
    let mut api = Api::new();
    api.pool(&root());
    let (status, claim) = api.claim(&json!({ "name": "web-1", "pool": "p" }));
    assert_eq!(
        (status, &claim["status"]["phase"]),
        (201, &"Allocated".into())
    );
    let generation = claim["status"]["generation"].as_u64().unwrap();
    assert_eq!(api.claim(&json!({ "name": "web-1", "pool": "p" })).0, 200);
    let (status, mismatch) =
        api.claim(&json!({ "name": "web-1", "pool": "p", "prefixLength": 30 }));
    assert_eq!(
        (status, &mismatch["code"], &mismatch["field"]),
        (409, &"claim_mismatch".into(), &"prefixLength".into())
    );
    let (status, stale) = api.release("web-1", Some(generation + 1_000));
    assert_eq!(
        (status, &stale["code"], &stale["current"]),
        (412, &"generation_stale".into(), &generation.into())
    );
    let (status, released) = api.release("web-1", Some(generation));
    assert_eq!(
        (status, &released["status"]["phase"]),
        (200, &"Released".into())
    );
    assert_eq!(
        released["status"]["reclaimAt"],
        released["status"]["releasedAt"]
    );
    let (status, again) = api.release("web-1", Some(generation));
    assert_eq!(
        (status, &again["status"]["allocatedCIDR"]),
        (200, &released["status"]["allocatedCIDR"])
    );
    let gone = api
        .state
        .claim(&acme(), &Name::new("web-1").unwrap())
        .unwrap_err();
    let problem = Problem::from_rejection(&gone, api.state.revision(), Viewer::Tenant(&acme()));
    assert_eq!(problem.status, 404);
    assert_eq!(problem.facts["ended"]["status"]["generation"], generation);
}

#[test]
fn a_claim_says_where_it_wants_to_lie() {
    let mut api = Api::new();
    api.pool(&root());
    let asked = json!({ "name": "c", "pool": "p", "within": ["10.0.9.4/30", "10.0.9.1-10.0.9.2", "10.0.9.9"] });
    let (status, claim) = api.claim(&asked);
    assert_eq!(
        (status, &claim["status"]["allocatedCIDR"]),
        (201, &"10.0.9.1/32".into())
    );
    assert_eq!(claim["within"], asked["within"]);
    assert_eq!(api.claim(&claim).0, 200);
    for (within, code, fact) in [
        (
            json!(["10.0.9.4/29"]),
            "invalid_field",
            json!([{ "field": "within[0]", "problem": "is \"10.0.9.4/29\", which has host bits set", "allowed": "10.0.9.0/29" }]),
        ),
        (json!(["2001:db8::/64"]), "family_mismatch", Value::Null),
        (
            json!(["10.1.0.0/24"]),
            "invalid_field",
            json!([{ "field": "within", "problem": "none of it lies in the pool", "allowed": "addresses of 10.0.0.0/16, 10.2.0.0/16" }]),
        ),
    ] {
        let (status, refused) = api.claim(&json!({ "name": "d", "pool": "p", "within": within }));
        assert_eq!(
            (status, &refused["code"], &refused["fields"]),
            (422, &code.into(), &fact),
            "{refused}"
        );
    }
}

#[test]
fn a_pool_can_keep_to_private_addresses_and_hand_out_nothing() {
    let mut api = Api::new();
    let (status, refused) = api
        .pool(&json!({ "name": "x", "cidrs": ["10.0.0.0/8", "8.8.8.0/24"], "privateOnly": true }));
    assert_eq!(
        (status, &refused["code"], &refused["cidr"]),
        (422, &"not_private".into(), &"8.8.8.0/24".into())
    );
    let (status, pool) = api
        .pool(&json!({ "name": "d", "cidrs": ["10.0.0.0/8"], "privateOnly": true, "drain": true }));
    assert_eq!(
        (
            status,
            &pool["status"]["phase"],
            &pool["status"]["conditions"][1]["type"]
        ),
        (201, &"Draining".into(), &"Draining".into())
    );
    let (status, refused) = api.claim(&json!({ "name": "c", "pool": "d" }));
    assert_eq!(
        (
            status,
            &refused["code"],
            &refused["pool"],
            &refused["retryable"]
        ),
        (409, &"pool_draining".into(), &"d".into(), &false.into())
    );
}

#[test]
fn a_full_pool_is_507_with_what_is_left() {
    let mut api = Api::new();
    api.pool(&json!({ "name": "small", "cidrs": ["10.9.0.0/30"] }));
    for (name, length) in [("a", 31), ("b", 32)] {
        assert_eq!(
            api.claim(&json!({ "name": name, "pool": "small", "prefixLength": length }))
                .0,
            201
        );
    }
    let (status, full) = api.claim(&json!({ "name": "c", "pool": "small", "prefixLength": 31 }));
    assert_eq!(
        (status, &full["code"], &full["retryable"]),
        (507, &"pool_exhausted".into(), &false.into())
    );
    assert_eq!(
        (&full["free"], &full["largestFreePrefixLength"]),
        (&"1".into(), &32.into())
    );
    let (status, taken) =
        api.claim(&json!({ "name": "c", "pool": "small", "cidr": "10.9.0.0/31" }));
    assert_eq!(
        (status, &taken["code"], &taken["held"]["claim"]),
        (409, &"address_taken".into(), &"a".into())
    );
}

#[test]
fn refusals_of_pools_name_the_field_or_the_other() {
    let mut api = Api::new();
    api.pool(&root());
    let pool = |rest: Value| {
        let mut pool = json!({ "name": "n" });
        pool.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        pool
    };
    let table = [
        (json!({ "cidrs": ["10.0.0.0/8"] }), 409, "cidr_overlap"),
        (
            json!({ "cidrs": ["10.9.0.0/16", "2001:db8::/32"] }),
            422,
            "family_mismatch",
        ),
        (
            json!({ "cidrs": ["10.9.0.0/16", "10.9.1.0/24"] }),
            422,
            "invalid_field",
        ),
        (
            json!({ "cidrs": ["10.9.0.0/16"], "family": "IPv6" }),
            422,
            "family_mismatch",
        ),
        (
            json!({ "cidrs": ["10.9.0.0/16"], "minPrefixLength": 33 }),
            422,
            "invalid_field",
        ),
        (
            json!({ "cidrs": ["10.9.0.0/16"], "gateway": "10.8.0.1" }),
            422,
            "gateway_not_in_subnet",
        ),
        (
            json!({ "parent": "nobody", "prefixLength": 24 }),
            404,
            "pool_not_found",
        ),
        (
            json!({ "parent": "p", "prefixLength": 8 }),
            422,
            "prefix_length_out_of_bounds",
        ),
    ];
    for (rest, status, code) in table {
        let (got, problem) = api.pool(&pool(rest.clone()));
        assert_eq!(
            (got, &problem["code"]),
            (status, &code.into()),
            "{rest}: {problem}"
        );
    }
    let (status, other) = api.pool(&json!({ "name": "p", "cidrs": ["10.9.0.0/16"] }));
    assert_eq!(
        (status, &other["code"], &other["field"]),
        (409, &"already_exists".into(), &"cidrs".into())
    );
}

#[test]
fn an_atomic_batch_is_all_or_nothing_and_a_loose_one_is_not() {
    let mut api = Api::new();
    api.pool(&root());
    let operations = json!([
        { "createClaim": { "name": "a", "pool": "p" } },
        { "createClaim": { "name": "b", "pool": "nobody" } },
    ]);
    let (status, refused) = api.batch(&json!({ "atomic": true, "operations": operations }));
    assert_eq!(
        (status, &refused["code"], &refused["failedIndex"]),
        (404, &"pool_not_found".into(), &1.into())
    );
    assert_eq!(
        (
            &refused["results"][0]["status"],
            &refused["results"][1]["status"]
        ),
        (&424.into(), &404.into())
    );
    let (status, loose) = api.batch(&json!({ "atomic": false, "operations": operations }));
    assert_eq!(status, 200);
    assert_eq!(
        (
            &loose["results"][0]["status"],
            &loose["results"][1]["status"]
        ),
        (&201.into(), &404.into())
    );
    let generation = &loose["results"][0]["body"]["status"]["generation"];
    let release = json!([{ "releaseClaim": { "name": "a", "generation": generation } }]);
    let (_, released) = api.batch(&json!({ "atomic": true, "operations": release }));
    assert_eq!(
        (
            &released["results"][0]["status"],
            &released["results"][0]["body"]["status"]["phase"]
        ),
        (&200.into(), &"Released".into())
    );
}

/// What is wrong in itself is refused in the same shape as what the state refuses.
#[test]
fn an_operation_that_is_wrong_in_itself_refuses_an_atomic_batch_and_only_itself_in_a_loose_one() {
    let mut api = Api::new();
    api.pool(&root());
    let operations = json!([
        { "createClaim": { "name": "a", "pool": "p" } },
        { "createClaim": { "name": "b", "pool": "p", "cidr": "10.0.0.1/24" } },
        { "releaseClaim": { "name": "a" } },
        { "releaseClaim": { "name": "a", "generation": "x" } },
        { "createClaim": { "name": "a", "pool": "p", "prefixLength": 30 } },
    ]);
    let (status, refused) = api.batch(&json!({ "atomic": true, "operations": operations }));
    let outcome = (status, &refused["code"], &refused["failedIndex"]);
    assert_eq!(outcome, (422, &"invalid_field".into(), &1.into()));
    let field = "operations[1].createClaim.cidr";
    assert_eq!(refused["fields"][0]["field"], field, "{refused}");
    let results = |body: &Value| -> Vec<(u64, Value)> {
        let results = body["results"].as_array().unwrap().iter();
        results
            .map(|one| {
                assert!(one["problem"].is_null() || one["problem"]["revision"].is_u64());
                (
                    one["status"].as_u64().unwrap(),
                    one["problem"]["code"].clone(),
                )
            })
            .collect()
    };
    let (invalid, spared) = (json!("invalid_field"), json!("not_applied"));
    assert_eq!(
        results(&refused),
        [
            (424, spared.clone()),
            (422, invalid.clone()),
            (424, spared.clone()),
            (422, invalid.clone()),
            (424, spared)
        ]
    );
    let (status, loose) = api.batch(&json!({ "atomic": false, "operations": operations }));
    assert_eq!(status, 200, "{loose}");
    assert_eq!(
        results(&loose),
        [
            (201, Value::Null),
            (422, invalid.clone()),
            (200, Value::Null),
            (422, invalid),
            (201, Value::Null)
        ]
    );
    let nothing_left = json!([{ "releaseClaim": { "name": "-" } }]);
    let (status, loose) = api.batch(&json!({ "atomic": false, "operations": nothing_left }));
    assert_eq!((status, results(&loose)[0].0), (200, 422));
}

#[test]
fn figures_above_64_bits_are_told_as_the_largest_number() {
    let mut api = Api::new();
    api.tenant(&json!({ "name": "small", "quota": { "ipv6Prefixes64": 5 } }));
    let small = Name::new("small").unwrap();
    let all = br#"{"name":"all","cidrs":["::/0"]}"#;
    let claim = br#"{"name":"c","pool":"all","cidr":"::/0"}"#;
    let naming = Naming {
        idempotency_key: None,
        random: &|| 7,
    };
    assert_eq!(api.apply(PoolCreate::parse(all, &small)).0, 201);
    let (status, refused) = api.apply(ClaimCreate::parse(claim, &small, naming));
    assert_eq!(
        (status, &refused["code"]),
        (403, &"quota_exceeded".into()),
        "{refused}"
    );
    assert_eq!(refused["asked"], u64::MAX);
    assert_eq!(refused["limit"], 5);
    assert_eq!(api.apply(PoolCreate::parse(all, &acme())).0, 201);
    assert_eq!(api.apply(ClaimCreate::parse(claim, &acme(), naming)).0, 201);
    let tenant = views::Tenant::from(&api.state.tenant(&acme()).unwrap());
    let shown = serde_json::to_value(tenant).unwrap();
    assert_eq!(shown["status"]["usage"]["ipv6Prefixes64"], u64::MAX);
}

#[test]
fn a_pool_in_use_names_its_holders() {
    let mut api = Api::new();
    api.pool(&root());
    api.claim(&json!({ "name": "web-1", "pool": "p" }));
    api.pool(&json!({ "name": "c", "parent": "p", "prefixLength": 24 }));
    let delete = Command::PoolDelete {
        tenant: acme(),
        pool: Name::new("p").unwrap(),
        if_revision: None,
    };
    let (status, problem) = api.apply(Ok(delete));
    assert_eq!(
        (status, &problem["claims"], &problem["children"]),
        (409, &1.into(), &1.into())
    );
    let holders: Vec<&Value> = problem["holders"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| [&one["claim"], &one["child"]])
        .filter(|name| !name.is_null())
        .collect();
    assert_eq!(holders, [&json!("web-1"), &json!("c")]);
}
