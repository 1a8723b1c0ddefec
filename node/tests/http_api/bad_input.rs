//! What is wrong with a request is told by name, and changes nothing.

use serde_json::json;

use crate::harness::{JSON, TestNode};

/// A case: what is sent, and what comes back.
struct Case {
    method: &'static str,
    path: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    /// The parameter or the first field that is named; empty for a document as a whole.
    named: &'static str,
    /// A part of what is said to be allowed.
    allowed: &'static str,
}

fn case(
    method: &'static str,
    path: &'static str,
    body: impl Into<Vec<u8>>,
    (status, code): (u16, &'static str),
    named: &'static str,
    allowed: &'static str,
) -> Case {
    Case {
        method,
        path,
        body: body.into(),
        status,
        code,
        named,
        allowed,
    }
}

const JSON_REFUSED: (u16, &str) = (400, "invalid_json");
const PARAMETER_REFUSED: (u16, &str) = (400, "invalid_parameter");
const FIELD_REFUSED: (u16, &str) = (422, "invalid_field");

const TENANTS: &str = "/v1/tenants";
const POOLS: &str = "/v1/tenants/acme/pools";
const CLAIMS: &str = "/v1/tenants/acme/claims";
const BATCH: &str = "/v1/tenants/acme/batch";

fn documents() -> Vec<Case> {
    let long = "x".repeat(254);
    vec![
        case("POST", CLAIMS, "", JSON_REFUSED, "", ""),
        case("POST", CLAIMS, "{", JSON_REFUSED, "", ""),
        case(
            "POST",
            CLAIMS,
            r#"{"name":"a","pool":"p"} x"#,
            JSON_REFUSED,
            "",
            "",
        ),
        case(
            "POST",
            CLAIMS,
            b"{\"name\":\"\xff\"}".to_vec(),
            JSON_REFUSED,
            "",
            "",
        ),
        case("POST", CLAIMS, "[".repeat(1_000_000), JSON_REFUSED, "", ""),
        case(
            "POST",
            CLAIMS,
            r#"{"a":"#.repeat(200_000),
            JSON_REFUSED,
            "",
            "",
        ),
        case("POST", CLAIMS, "[]", FIELD_REFUSED, "body", "an object"),
        case("POST", CLAIMS, "{}", FIELD_REFUSED, "pool", "poolSelector"),
        case("POST", CLAIMS, r#"{"pool":7}"#, FIELD_REFUSED, "pool", ""),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","name":7}"#,
            FIELD_REFUSED,
            "name",
            "a string",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","nmae":"a"}"#,
            FIELD_REFUSED,
            "nmae",
            "name",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","name":""}"#,
            FIELD_REFUSED,
            "name",
            "1 to 253 bytes",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","name":"-a"}"#,
            FIELD_REFUSED,
            "name",
            "alphanumeric",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","name":"ä"}"#,
            FIELD_REFUSED,
            "name",
            "1 to 253 bytes",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","name":"a b"}"#,
            FIELD_REFUSED,
            "name",
            "1 to 253 bytes",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","name":"a/../b"}"#,
            FIELD_REFUSED,
            "name",
            "1 to 253 bytes",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","name":"a\u0000"}"#,
            FIELD_REFUSED,
            "name",
            "1 to 253 bytes",
        ),
        case(
            "POST",
            CLAIMS,
            json!({"pool": "p", "name": long}).to_string(),
            FIELD_REFUSED,
            "name",
            "1 to 253",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","cidr":"10.0.0.1/24"}"#,
            FIELD_REFUSED,
            "cidr",
            "10.0.0.0/24",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","cidr":"10.0.0.0/33"}"#,
            FIELD_REFUSED,
            "cidr",
            "0 to 32",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","cidr":"10.0.0"}"#,
            FIELD_REFUSED,
            "cidr",
            "a CIDR",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","prefixLength":129}"#,
            FIELD_REFUSED,
            "prefixLength",
            "0 to 128",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","prefixLength":-1}"#,
            FIELD_REFUSED,
            "prefixLength",
            "whole number",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","prefixLength":"24"}"#,
            FIELD_REFUSED,
            "prefixLength",
            "whole number",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","prefixLength":24.5}"#,
            FIELD_REFUSED,
            "prefixLength",
            "whole number",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","family":"ipv4"}"#,
            FIELD_REFUSED,
            "family",
            "IPv4, IPv6",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","owner":"a//b"}"#,
            FIELD_REFUSED,
            "owner",
            "segments",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","labels":{"":"x"}}"#,
            FIELD_REFUSED,
            "labels",
            "1 to 63 bytes",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","prefixLength":25}"#,
            (422, "prefix_length_out_of_bounds"),
            "prefixLength",
            "",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","family":"IPv6"}"#,
            (422, "family_mismatch"),
            "family",
            "",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"p","cidr":"2001:db8::/64"}"#,
            (422, "family_mismatch"),
            "cidr",
            "",
        ),
        case(
            "POST",
            CLAIMS,
            r#"{"pool":"nowhere"}"#,
            (404, "pool_not_found"),
            "",
            "",
        ),
        case(
            "POST",
            "/v1/tenants/nobody/claims",
            r#"{"pool":"p"}"#,
            (404, "tenant_not_found"),
            "",
            "",
        ),
        case(
            "POST",
            TENANTS,
            r#"{"name":"b","quota":{"pools":-1}}"#,
            FIELD_REFUSED,
            "quota.pools",
            "whole number",
        ),
        case(
            "POST",
            TENANTS,
            r#"{"name":"b","quota":{"pool":1}}"#,
            FIELD_REFUSED,
            "quota.pool",
            "pools",
        ),
        case(
            "POST",
            POOLS,
            r#"{"name":"q","cidrs":["10.1.0.1/16"]}"#,
            FIELD_REFUSED,
            "cidrs[0]",
            "10.1.0.0/16",
        ),
        case(
            "POST",
            POOLS,
            r#"{"name":"q","cidrs":["10.1.0.0/16","nonsense"]}"#,
            FIELD_REFUSED,
            "cidrs[1]",
            "a CIDR",
        ),
        case(
            "POST",
            POOLS,
            r#"{"name":"q","cidrs":["10.0.0.0/16"]}"#,
            (409, "cidr_overlap"),
            "",
            "",
        ),
        case(
            "POST",
            POOLS,
            r#"{"name":"q","parent":"p","prefixLength":40}"#,
            (422, "prefix_length_out_of_bounds"),
            "prefixLength",
            "",
        ),
        case(
            "POST",
            BATCH,
            r#"{"atomic":true,"operations":[]}"#,
            FIELD_REFUSED,
            "operations",
            "1 to 1000",
        ),
        case(
            "POST",
            BATCH,
            r#"{"atomic":true,"operations":[{}]}"#,
            FIELD_REFUSED,
            "operations[0]",
            "exactly one",
        ),
        case(
            "POST",
            BATCH,
            r#"{"atomic":true,"operations":[{"createClaim":{"pool":"p"}},{"createClaim":{"pool":"p","cidr":"x"}}]}"#,
            FIELD_REFUSED,
            "operations[1].createClaim.cidr",
            "a CIDR",
        ),
        case(
            "POST",
            "/v1/cluster/members/4",
            r#"{"address":"nowhere"}"#,
            FIELD_REFUSED,
            "address",
            "host:port",
        ),
    ]
}

fn paths_and_queries() -> Vec<Case> {
    vec![
        case(
            "GET",
            "/v1/tenants/-x",
            "",
            PARAMETER_REFUSED,
            "tenant",
            "1 to 253 bytes",
        ),
        case(
            "GET",
            "/v1/tenants/%FF",
            "",
            PARAMETER_REFUSED,
            "path",
            "UTF-8",
        ),
        case(
            "GET",
            "/v1/tenants/a%20b",
            "",
            PARAMETER_REFUSED,
            "tenant",
            "1 to 253 bytes",
        ),
        case(
            "GET",
            "/v1/tenants/acme/lookup/10.0.0.1%2F24",
            "",
            PARAMETER_REFUSED,
            "cidr",
            "10.0.0.0/24",
        ),
        case(
            "GET",
            "/v1/tenants/acme/lookup/acme",
            "",
            PARAMETER_REFUSED,
            "cidr",
            "an address",
        ),
        case(
            "GET",
            "/v1/tenants/acme/allocations/10.0.0.0/33",
            "",
            PARAMETER_REFUSED,
            "cidr",
            "0 to 32",
        ),
        case(
            "GET",
            "/v1/tenants?limit=0",
            "",
            PARAMETER_REFUSED,
            "limit",
            "1 to 1000",
        ),
        case(
            "GET",
            "/v1/tenants?limit=1001",
            "",
            PARAMETER_REFUSED,
            "limit",
            "1 to 1000",
        ),
        case(
            "GET",
            "/v1/tenants?page=2",
            "",
            PARAMETER_REFUSED,
            "page",
            "pageToken",
        ),
        case(
            "GET",
            "/v1/tenants?pageToken=zzz",
            "",
            PARAMETER_REFUSED,
            "pageToken",
            "",
        ),
        case(
            "GET",
            "/v1/tenants?consistency=strong",
            "",
            PARAMETER_REFUSED,
            "consistency",
            "local, linearizable",
        ),
        case(
            "POST",
            "/v1/tenants?dryRun=maybe",
            r#"{"name":"b"}"#,
            PARAMETER_REFUSED,
            "dryRun",
            "true, false",
        ),
        case(
            "DELETE",
            "/v1/tenants/acme/claims/c?generation=x",
            "",
            PARAMETER_REFUSED,
            "generation",
            "whole number",
        ),
        case(
            "GET",
            "/v1/cluster?x=1",
            "",
            PARAMETER_REFUSED,
            "x",
            "consistency",
        ),
        case(
            "GET",
            "/livez?verbose",
            "",
            PARAMETER_REFUSED,
            "verbose",
            "no parameter",
        ),
        case(
            "POST",
            "/v1/cluster/members/0",
            r#"{"address":"a:1"}"#,
            PARAMETER_REFUSED,
            "id",
            "whole number from 1",
        ),
        case("GET", "/v1/nonsense", "", (404, "not_found"), "", ""),
        case("GET", "/v1/tenants/", "", (404, "not_found"), "", ""),
        case(
            "GET",
            "/v1/tenants/acme/pools/p/",
            "",
            (404, "not_found"),
            "",
            "",
        ),
        case("GET", "/", "", (404, "not_found"), "", ""),
        case(
            "PUT",
            "/v1/tenants/acme",
            "{}",
            (405, "method_not_allowed"),
            "",
            "",
        ),
        case("POST", "/livez", "", (405, "method_not_allowed"), "", ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_request_is_a_problem_that_names_what_is_wrong_and_changes_nothing() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let kept = node
        .post(CLAIMS, &json!({"name": "kept", "pool": "p"}))
        .await;
    assert_eq!(kept.status, 201, "{kept:?}");
    let before = node.everything("acme").await;
    for case in documents().into_iter().chain(paths_and_queries()) {
        let context = {
            let shown: Vec<u8> = case.body.iter().copied().take(100).collect();
            format!(
                "{} {} {}",
                case.method,
                case.path,
                String::from_utf8_lossy(&shown)
            )
        };
        let answer = node.send(case.method, case.path, JSON, case.body).await;
        answer.assert_problem(case.status, case.code, &context);
        match case.code {
            "invalid_parameter" => {
                assert_eq!(
                    answer.body["parameter"], case.named,
                    "{context}: {answer:?}"
                );
                let allowed = answer.body["allowed"].as_str().unwrap();
                assert!(allowed.contains(case.allowed), "{context}: {answer:?}");
            }
            "invalid_field" => {
                let field = &answer.body["fields"][0];
                assert_eq!(field["field"], case.named, "{context}: {answer:?}");
                assert!(
                    field["allowed"].as_str().unwrap().contains(case.allowed),
                    "{context}: {answer:?}"
                );
            }
            "prefix_length_out_of_bounds" | "family_mismatch" => {
                assert_eq!(answer.body["field"], case.named, "{context}: {answer:?}");
            }
            _ => {}
        }
    }
    assert_eq!(node.everything("acme").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fields_that_are_wrong_are_told_at_once() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let body = json!({"name": "-", "pool": "p", "cidr": "10.0.0.1/24", "owner": ""});
    let answer = node.post(CLAIMS, &body).await;
    answer.assert_problem(422, "invalid_field", "three at once");
    let fields: Vec<_> = answer.body["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["field"].clone())
        .collect();
    assert_eq!(fields, ["name", "cidr", "owner"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_json_by_its_header_and_within_the_limit() {
    let node = TestNode::start().await;
    node.with_pool("acme").await;
    let before = node.everything("acme").await;
    let body = r#"{"name":"c","pool":"p"}"#;
    let no_type: &[(&str, &str)] = &[];
    for headers in [
        no_type,
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/jsonp")],
    ] {
        let answer = node.send("POST", CLAIMS, headers, body).await;
        answer.assert_problem(415, "unsupported_media_type", &format!("{headers:?}"));
    }
    let over = format!(
        r#"{{"name":"c","pool":"p","description":"{}"}}"#,
        "x".repeat(1 << 20)
    );
    let answer = node.send("POST", CLAIMS, JSON, over).await;
    answer.assert_problem(413, "too_large", "a body over the limit");
    assert_eq!(answer.body["limitBytes"], 1 << 20);
    assert_eq!(node.everything("acme").await, before);

    let with_charset = [("content-type", "Application/JSON; charset=utf-8")];
    let answer = node.send("POST", CLAIMS, &with_charset, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}
