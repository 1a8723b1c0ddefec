//! Selectors of pools and lists of tenants in documents: what is read, what is refused, and that what is
//! shown can be sent back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use allocator::command::{ClaimFrom, Command, Sharing};
use allocator::name::Name;
use api::Problem;
use api::pool_selector::PoolSelector;
use api::requests::{ClaimCreate, Naming, PoolCreate};

fn acme() -> Name {
    Name::new("acme").unwrap()
}

fn claim(selector: &str) -> Result<Command, Problem> {
    let body = format!(r#"{{"name":"c","poolSelector":{selector}}}"#);
    parse(&body)
}

fn parse(body: &str) -> Result<Command, Problem> {
    let naming = Naming {
        idempotency_key: None,
        random: &|| 7,
    };
    ClaimCreate::parse(body.as_bytes(), &acme(), naming)
}

/// What is selected, in canonical form.
fn selected(selector: &str) -> String {
    match claim(selector).map_err(|problem| problem.detail) {
        Ok(Command::ClaimCreate(spec)) => match spec.from {
            ClaimFrom::Selector(selector) => {
                serde_json::to_string(&PoolSelector::from(&*selector)).unwrap()
            }
            other @ ClaimFrom::Pool(_) => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_selector_is_the_same_however_it_is_written() {
    let canonical = r#"{"matchLabels":{"env":"prod","zone":"a"},"matchExpressions":[{"key":"tier","operator":"In","values":["db","web"]},{"key":"old","operator":"DoesNotExist"}]}"#;
    let written = [
        canonical,
        r#"{"matchExpressions":[{"key":"old","operator":"DoesNotExist"},{"key":"tier","operator":"In","values":["web","db","web"]},{"key":"zone","operator":"In","values":["a"]}],"matchLabels":{"env":"prod"}}"#,
    ];
    for text in written {
        assert_eq!(selected(text), canonical, "{text}");
    }
    let of_text = PoolSelector::of_text("zone=a,tier in (web,db),env=prod,!old").unwrap();
    assert_eq!(
        selected(&serde_json::to_string(&of_text).unwrap()),
        canonical
    );
    assert_eq!(
        selected(r#"{"family":"IPv6","tenant":"net"}"#),
        r#"{"family":"IPv6","tenant":"net"}"#
    );
}

#[test]
fn each_bad_selector_is_told_by_its_field() {
    let long = "k".repeat(64);
    let table = [
        (
            r#"{"matchLabels":{"":"x"}}"#.to_owned(),
            "poolSelector.matchLabels",
        ),
        (
            format!(r#"{{"matchExpressions":[{{"key":"{long}","operator":"Exists"}}]}}"#),
            "poolSelector.matchExpressions[0].key",
        ),
        (
            r#"{"matchExpressions":[{"key":"a","operator":"Exists"},{"key":"b","operator":"In"}]}"#
                .to_owned(),
            "poolSelector.matchExpressions[1].values",
        ),
        (
            r#"{"matchExpressions":[{"key":"a","operator":"Exists","values":["x"]}]}"#.to_owned(),
            "poolSelector.matchExpressions[0].values",
        ),
        (
            r#"{"matchExpressions":[{"key":"a","operator":"Has"}]}"#.to_owned(),
            "poolSelector.matchExpressions[0].operator",
        ),
        (r#"{"tenant":"-"}"#.to_owned(), "poolSelector.tenant"),
        (r#"{"family":"IPv5"}"#.to_owned(), "poolSelector.family"),
        (r#"{"labels":{}}"#.to_owned(), "poolSelector.labels"),
    ];
    for (selector, field) in table {
        let problem = claim(&selector).unwrap_err();
        assert_eq!(problem.code, "invalid_field", "{selector}");
        assert_eq!(problem.facts["fields"][0]["field"], field, "{selector}");
    }
}

#[test]
fn a_claim_states_a_pool_or_a_selector() {
    for (body, field) in [
        (
            r#"{"name":"c","pool":"p","poolSelector":{}}"#,
            "poolSelector",
        ),
        (r#"{"name":"c"}"#, "pool"),
    ] {
        let problem = parse(body).unwrap_err();
        assert_eq!(problem.facts["fields"][0]["field"], field);
    }
    parse(r#"{"name":"c","pool":"p"}"#).unwrap();
    parse(r#"{"name":"c","poolSelector":{}}"#).unwrap();
}

#[test]
fn tenants_that_share_a_pool_are_names_or_all() {
    let create = |shared: &str| {
        let body = format!(r#"{{"name":"p","cidrs":["10.0.0.0/8"],"sharedWith":{shared}}}"#);
        PoolCreate::parse(body.as_bytes(), &acme())
    };
    let sharing = |shared: &str| match create(shared) {
        Ok(Command::PoolCreate(spec)) => spec.shared_with,
        other => panic!("{other:?}"),
    };
    assert_eq!(sharing("[]"), Sharing::Private);
    assert_eq!(sharing(r#"["*"]"#), Sharing::Everyone);
    assert_eq!(sharing(r#"["b","a","b"]"#), sharing(r#"["a","b"]"#));
    let many: Vec<String> = (0..=Sharing::TENANTS_MAX)
        .map(|number| format!("t{number}"))
        .collect();
    for (shared, field) in [
        (r#"["a","*"]"#.to_owned(), "sharedWith[1]"),
        (r#"["-"]"#.to_owned(), "sharedWith[0]"),
        (serde_json::to_string(&many).unwrap(), "sharedWith"),
    ] {
        let problem = create(&shared).unwrap_err();
        assert_eq!(problem.facts["fields"][0]["field"], field, "{shared}");
    }
    create(&serde_json::to_string(&many[1..]).unwrap()).unwrap();
}

#[test]
fn a_priority_is_at_most_1000() {
    let create = |priority: u16| {
        let body = format!(r#"{{"name":"p","cidrs":["10.0.0.0/8"],"priority":{priority}}}"#);
        PoolCreate::parse(body.as_bytes(), &acme())
    };
    create(1_000).unwrap();
    let problem = create(1_001).unwrap_err();
    assert_eq!(problem.facts["fields"][0]["field"], "priority");
}
