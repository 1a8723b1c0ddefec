//! The columns of CSV files, written and read.
//!
//! Several values in one cell are divided by `;`, labels are `key=value`; either, and `\`, is written with a
//! `\` before it where it is part of a value.

use serde_json::{Map, Value};

/// A column: its title, and where its value stands in the API's document.
pub(super) type Column = (&'static str, &'static [&'static str]);

/// Of claims. `pool` and `cidr` are those that it has, so that it is imported as it is.
pub(super) const CLAIMS: &[Column] = &[
    ("name", &["name"]),
    ("pool", &["status", "pool"]),
    ("cidr", &["status", "allocatedCIDR"]),
    ("purpose", &["purpose"]),
    ("owner", &["owner"]),
    ("ttlSeconds", &["ttlSeconds"]),
    ("graceSeconds", &["graceSeconds"]),
    ("reclaimPolicy", &["reclaimPolicy"]),
    ("labels", &["labels"]),
    ("annotations", &["annotations"]),
    ("description", &["description"]),
    ("phase", &["status", "phase"]),
    ("generation", &["status", "generation"]),
    ("allocatedAt", &["status", "allocatedAt"]),
    ("expiresAt", &["status", "expiresAt"]),
];

/// Of allocations.
pub(super) const ALLOCATIONS: &[Column] = &[
    ("cidr", &["cidr"]),
    ("space", &["space"]),
    ("pool", &["pool"]),
    ("purpose", &["purpose"]),
    ("claim", &["claim"]),
    ("child", &["child"]),
    ("tenant", &["tenant"]),
    ("reason", &["reason"]),
    ("owner", &["owner"]),
    ("phase", &["phase"]),
    ("generation", &["generation"]),
    ("allocatedAt", &["allocatedAt"]),
    ("releasedAt", &["releasedAt"]),
    ("expiresAt", &["expiresAt"]),
    ("reclaimAt", &["reclaimAt"]),
];

/// Of pools.
pub(super) const POOLS: &[Column] = &[
    ("name", &["name"]),
    ("space", &["status", "space"]),
    ("cidrs", &["status", "allocatedCIDRs"]),
    ("parent", &["parent"]),
    ("owner", &["owner"]),
    ("minPrefixLength", &["status", "minPrefixLength"]),
    ("maxPrefixLength", &["status", "maxPrefixLength"]),
    ("defaultPrefixLength", &["status", "defaultPrefixLength"]),
    ("strategy", &["strategy"]),
    ("labels", &["labels"]),
    ("description", &["description"]),
    ("phase", &["status", "phase"]),
    ("addresses", &["status", "capacity", "total"]),
    ("available", &["status", "capacity", "available"]),
    ("utilization", &["status", "utilization"]),
    ("claims", &["status", "claims", "allocated"]),
    ("createdAt", &["status", "createdAt"]),
];

/// The cells of one document.
pub(super) fn cells(columns: &[Column], document: &Value) -> Vec<String> {
    let of = |path: &[&str]| path.iter().fold(document, |at, field| &at[*field]);
    columns.iter().map(|(_, path)| cell(of(path))).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| escaped(&cell(item))).collect();
            items.join(";")
        }
        // A pool of another tenant.
        Value::Object(fields) => match (&fields.get("tenant"), &fields.get("name")) {
            (Some(Value::String(tenant)), Some(Value::String(name))) if fields.len() == 2 => {
                format!("{tenant}/{name}")
            }
            _ => pairs(fields),
        },
    }
}

/// Labels as `key=value;key=value`.
fn pairs(fields: &Map<String, Value>) -> String {
    let pair = |(key, value): (&String, &Value)| {
        format!(
            "{}={}",
            escaped(key).replace('=', "\\="),
            escaped(&cell(value))
        )
    };
    fields.iter().map(pair).collect::<Vec<String>>().join(";")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;")
}

/// Labels from a cell; what has no `=` is the key of an empty value.
pub(super) fn labels(cell: &str) -> Map<String, Value> {
    let mut labels = Map::new();
    let (mut key, mut text) = (None, String::new());
    let mut characters = cell.chars();
    let mut end = |key: &mut Option<String>, text: &mut String| {
        let text = std::mem::take(text);
        match key.take() {
            Some(key) => drop(labels.insert(key, text.into())),
            None if text.is_empty() => {}
            None => drop(labels.insert(text, "".into())),
        }
    };
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            ';' => end(&mut key, &mut text),
            '=' if key.is_none() => key = Some(std::mem::take(&mut text)),
            other => text.push(other),
        }
    }
    end(&mut key, &mut text);
    labels
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_come_back_as_they_were() {
        for labelled in [
            json!({}),
            json!({ "app": "web" }),
            json!({ "a": "", "b=c": "d=e;f", "g;": "\\", "h\\=": ";;" }),
        ] {
            let fields = labelled.as_object().unwrap();
            assert_eq!(&labels(&pairs(fields)), fields, "{labelled}");
        }
        assert_eq!(
            labels("a;b=c;"),
            *json!({ "a": "", "b": "c" }).as_object().unwrap()
        );
    }

    #[test]
    fn a_cell_is_the_value_as_people_write_it() {
        let claim = json!({
            "name": "web", "ttlSeconds": 60, "labels": { "app": "web", "tier": "a;b" },
            "status": { "pool": { "tenant": "shared", "name": "p" }, "allocatedCIDR": "10.0.0.0/28" },
        });
        assert_eq!(
            cells(CLAIMS, &claim)[..9],
            [
                "web",
                "shared/p",
                "10.0.0.0/28",
                "",
                "",
                "60",
                "",
                "",
                "app=web;tier=a\\;b"
            ]
        );
        let pool = json!({ "status": { "allocatedCIDRs": ["10.0.0.0/8", "11.0.0.0/8"] } });
        assert_eq!(cells(POOLS, &pool)[2], "10.0.0.0/8;11.0.0.0/8");
    }
}
