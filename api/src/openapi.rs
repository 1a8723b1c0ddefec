//! The `OpenAPI` 3.1 document, made from the routes and the schemas of requests and views.
//!
//! The copy in `openapi.json` is what is served; a test compares it with what the code makes, so
//! that no change of the contract goes unseen in a review.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::headers::MERGE_PATCH;
use crate::problem::{CATALOGUE, Code, MEDIA_TYPE, Problem};
use crate::routes::{
    Method, Operation, Parameter, Place, Response, ResponseBody, Values, operations,
};
use crate::{requests, views};

/// The document as it is checked in and served.
pub const DOCUMENT: &str = include_str!("../openapi.json");

/// The document as the code makes it, with a line feed at its end.
pub fn generate() -> String {
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ipamd",
            "version": "v1",
            "description": "Hands out blocks of IP address space and never hands out the same one twice.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "paths": paths(),
        "components": { "schemas": schemas() },
    });
    format!("{document:#}\n")
}

fn paths() -> BTreeMap<&'static str, Map<String, Value>> {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations() {
        let method = operation.method.as_str().to_lowercase();
        paths
            .entry(operation.path)
            .or_default()
            .insert(method, operation_object(operation));
    }
    paths
}

fn operation_object(operation: &Operation) -> Value {
    let of_path = operation.path_parameters().map(path_parameter);
    let others = operation.query_and_headers().map(parameter);
    let mut object = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": of_path.chain(others).collect::<Vec<_>>(),
        "responses": responses(operation),
    });
    if let Some(schema) = operation.request {
        let schema = json!({ "schema": reference(schema) });
        let content = match operation.method {
            Method::Patch => json!({ MERGE_PATCH: schema, "application/json": schema }),
            Method::Get | Method::Post | Method::Delete => json!({ "application/json": schema }),
        };
        object["requestBody"] = json!({ "required": true, "content": content });
    }
    object
}

fn path_parameter(name: &str) -> Value {
    let (schema, doc) = match name {
        "cidr" => (
            json!({ "type": "string" }),
            "An address or a CIDR, with its slash or with `%2F`.",
        ),
        "id" => (json!({ "type": "integer", "minimum": 1 }), "A member's id."),
        _ => (json!(crate::scalar::name_schema()), "Its name."),
    };
    json!({ "name": name, "in": "path", "required": true, "description": doc, "schema": schema })
}

fn parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Query => "query",
        Place::Header => "header",
    };
    let schema = match parameter.values {
        Values::Text => json!({ "type": "string" }),
        Values::Flag => json!({ "type": "boolean" }),
        Values::Number { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Values::Words(words) => json!({ "type": "string", "enum": words }),
    };
    json!({ "name": parameter.name, "in": place, "required": false, "description": parameter.doc, "schema": schema })
}

fn responses(operation: &Operation) -> BTreeMap<String, Value> {
    let mut responses: BTreeMap<String, Value> = operation
        .responses
        .iter()
        .map(|one| (one.status.to_string(), response(operation, one)))
        .collect();
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in operation.codes() {
        by_status.entry(code.status()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let lines: Vec<String> = codes
            .iter()
            .map(|code| format!("`{code}`: {}", code.entry().title))
            .collect();
        let content = json!({ MEDIA_TYPE: { "schema": reference("Problem") } });
        responses.insert(
            status.to_string(),
            json!({ "description": lines.join("; "), "content": content }),
        );
    }
    responses
}

fn response(operation: &Operation, response: &Response) -> Value {
    let (media, schema) = match response.body {
        ResponseBody::Json(schema) => ("application/json", reference(schema)),
        ResponseBody::ListOf(schema) => ("application/json", list_of(schema)),
        ResponseBody::EventsOf(schema) => (views::EVENT_STREAM, reference(schema)),
        ResponseBody::Other(media) => (media, json!({})),
    };
    let mut object =
        json!({ "description": response.doc, "content": { media: { "schema": schema } } });
    if operation.path.starts_with("/v1/") {
        object["headers"] = json!({
            "Ipam-Revision": header("The revision of the state that the answer shows."),
            "Ipam-Leader": header("The id of the leader that the node knows."),
            "Ipam-Staleness-Ms": header("For local reads: how old the state may be at most."),
        });
    }
    object
}

fn header(doc: &str) -> Value {
    json!({ "description": doc, "schema": { "type": "integer" } })
}

fn list_of(schema: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "revision"],
        "properties": {
            "items": { "type": "array", "items": reference(schema) },
            "nextPageToken": { "type": "string", "description": "Where the next page begins; absent at the end." },
            "revision": { "type": "integer", "description": "The revision that the page shows." },
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// The schemas that the routes name, and all that these refer to.
fn schemas() -> BTreeMap<String, Value> {
    let mut schemas = BTreeMap::new();
    add::<requests::TenantCreate>(&mut schemas, "TenantCreate");
    add::<requests::PoolCreate>(&mut schemas, "PoolCreate");
    add::<requests::TenantPatch>(&mut schemas, "TenantPatch");
    add::<requests::PoolPatch>(&mut schemas, "PoolPatch");
    add::<requests::ClaimPatch>(&mut schemas, "ClaimPatch");
    add::<requests::ClaimCreate>(&mut schemas, "ClaimCreate");
    add::<requests::Batch>(&mut schemas, "Batch");
    add::<requests::MemberAdd>(&mut schemas, "MemberAdd");
    add::<requests::ClaimConfirm>(&mut schemas, "ClaimConfirm");
    add::<requests::ClaimRenew>(&mut schemas, "ClaimRenew");
    add::<requests::AllocationReclaim>(&mut schemas, "AllocationReclaim");
    add::<requests::SettingsPatch>(&mut schemas, "SettingsPatch");
    add::<views::Settings>(&mut schemas, "Settings");
    add::<requests::ClockAdvance>(&mut schemas, "ClockAdvance");
    add::<views::ClockAdvanced>(&mut schemas, "ClockAdvanced");
    add::<requests::OwnerRelease>(&mut schemas, "OwnerRelease");
    add::<requests::HoldingRef>(&mut schemas, "HoldingRef");
    add::<views::OwnerReleased>(&mut schemas, "OwnerReleased");
    add::<requests::OwnersReconcile>(&mut schemas, "OwnersReconcile");
    add::<views::Reconciled>(&mut schemas, "Reconciled");
    add::<views::Tenant>(&mut schemas, "Tenant");
    add::<views::Pool>(&mut schemas, "Pool");
    add::<views::PoolDeletion>(&mut schemas, "PoolDeletion");
    add::<views::PoolCascaded>(&mut schemas, "PoolCascaded");
    add::<views::Free>(&mut schemas, "Free");
    add::<views::PoolTree>(&mut schemas, "PoolTree");
    add::<views::PoolMap>(&mut schemas, "PoolMap");
    add::<views::Claim>(&mut schemas, "Claim");
    add::<views::Batch>(&mut schemas, "BatchAnswer");
    add::<views::Allocation>(&mut schemas, "Allocation");
    add::<views::Lookup>(&mut schemas, "Lookup");
    add::<views::Holding>(&mut schemas, "Holding");
    add::<views::WatchEvent>(&mut schemas, "WatchEvent");
    add::<views::Cluster>(&mut schemas, "Cluster");
    add::<views::Digest>(&mut schemas, "Digest");
    add::<views::Health>(&mut schemas, "Health");
    add::<Problem>(&mut schemas, "Problem");
    let codes: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    let problem = schemas.get_mut("Problem").expect("it was added above");
    problem["properties"]["code"]["enum"] = json!(codes);
    schemas
}

fn add<T: ToSchema>(schemas: &mut BTreeMap<String, Value>, name: &str) {
    let mut parts: Vec<(String, RefOr<Schema>)> = Vec::new();
    T::schemas(&mut parts);
    parts.push((name.to_owned(), <T as PartialSchema>::schema()));
    for (name, schema) in parts {
        let schema = serde_json::to_value(schema).expect("a schema is plain JSON");
        let earlier = schemas.insert(name.clone(), schema.clone());
        assert!(
            earlier.is_none_or(|earlier| earlier == schema),
            "two schemas are called {name}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_OPENAPI=1 cargo test -p ipam-api` writes the file anew.
    #[test]
    fn the_checked_in_document_is_what_the_code_makes() {
        let generated = generate();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(
                concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"),
                &generated,
            )
            .unwrap();
        } else {
            assert!(
                DOCUMENT == generated,
                "openapi.json is not what the code makes: UPDATE_OPENAPI=1 writes it anew"
            );
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, schemas: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(target)) = members.get("$ref") {
                        let name = target.strip_prefix("#/components/schemas/").unwrap();
                        assert!(schemas.get(name).is_some(), "{target}");
                    }
                    members.values().for_each(|member| check(member, schemas));
                }
                Value::Array(items) => items.iter().for_each(|item| check(item, schemas)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document: Value = serde_json::from_str(&generate()).unwrap();
        check(&document, &document["components"]["schemas"]);
    }
}
