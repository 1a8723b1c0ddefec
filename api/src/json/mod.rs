//! JSON documents as requests send them: bytes to a tree, a tree to a struct.
//!
//! `serde_json` alone takes an array for a struct, lets the last of two equal keys win in a map and
//! tells its errors as text. Here a document becomes a tree first, and the tree is its own
//! [`serde::Deserializer`], so that:
//!
//! 1. What is not one well-formed JSON text in UTF-8 is `invalid_json`; everything after that names
//!    a field and is `invalid_field`.
//! 2. An object is never read from an array, and no key is taken twice.
//! 3. A field that is `null` is absent; in a map of strings there is no `null`.
//! 4. Nesting is bounded (127), so that no document can exhaust the stack.

mod reader;
mod tree;

use std::collections::BTreeSet;

use allocator::answer::FieldProblem;
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::requests::check::shown;
pub(crate) use tree::Tree;

/// Reads the body of a request.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    T::deserialize(parse(body)?)
        .map_err(|fault| Problem::invalid_fields(&[FieldProblem::from(fault)]))
}

/// What is `null` in a merge patch: fields, and keys of those fields that are merged key by key.
#[derive(Debug, Default)]
pub(crate) struct Nulls(Vec<(String, Option<String>)>);

impl Nulls {
    /// The field, or a key of it, is `null`.
    pub(crate) fn has(&self, field: &str, key: Option<&str>) -> bool {
        self.0
            .iter()
            .any(|(there, below)| there == field && below.as_deref() == key)
    }

    /// The keys of a field that are `null`.
    pub(crate) fn below<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(there, _)| there == field)
            .filter_map(|(_, key)| key.as_deref())
    }

    /// Notes which keys of a field are `null`.
    fn note(&mut self, field: &str, keys: &[(String, Tree)]) {
        let gone = keys.iter().filter(|(_, value)| *value == Tree::Null);
        let gone = gone.map(|(key, _)| (field.to_owned(), Some(key.clone())));
        self.0.extend(gone);
    }
}

/// Reads the body of a merge patch (RFC 7396). `maps` and `objects` are the fields that are merged key by
/// key: strings by any keys, and fields of their own.
pub(crate) fn decode_patch<T: DeserializeOwned>(
    body: &[u8],
    maps: &[&str],
    objects: &[&str],
) -> Result<(T, Nulls), Problem> {
    let mut tree = parse(body)?;
    let mut nulls = Nulls::default();
    if let Tree::Object(pairs) = &mut tree {
        for (field, value) in pairs {
            match value {
                // A field that is null is left in its place: it is read as absent, or refused as unknown.
                Tree::Null => nulls.0.push((field.clone(), None)),
                Tree::Object(keys) if maps.contains(&field.as_str()) => {
                    no_key_twice(field, keys)?;
                    nulls.note(field, keys);
                    keys.retain(|(_, value)| *value != Tree::Null);
                }
                Tree::Object(keys) if objects.contains(&field.as_str()) => nulls.note(field, keys),
                _ => {}
            }
        }
    }
    let document = T::deserialize(tree)
        .map_err(|fault| Problem::invalid_fields(&[FieldProblem::from(fault)]))?;
    Ok((document, nulls))
}

fn no_key_twice(field: &str, keys: &[(String, Tree)]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    match keys.iter().find(|(key, _)| !seen.insert(key)) {
        None => Ok(()),
        Some((key, _)) => Err(Problem::invalid_fields(&[FieldProblem {
            field: field.to_owned(),
            problem: format!("has the key {} twice", shown(key)),
            allowed: "each key once".to_owned(),
        }])),
    }
}

fn parse(body: &[u8]) -> Result<Tree, Problem> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            return Err(Problem::invalid_json(format_args!(
                "it is not UTF-8 at byte {}",
                error.valid_up_to()
            )));
        }
    };
    if text.trim().is_empty() {
        return Err(Problem::invalid_json(
            "it is empty; a JSON object is wanted",
        ));
    }
    serde_json::from_str(text).map_err(Problem::invalid_json)
}

/// Reads a part of a document on its own; `place` is where it stands.
pub(crate) fn read<T: DeserializeOwned>(part: Tree, place: &str) -> Result<T, Problem> {
    T::deserialize(part).map_err(|fault| Problem::invalid_fields(&[fault.at(place)]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    use expect_test::expect;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read by Debug")]
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only read by Debug")]
        inner: Vec<Inner>,
        #[serde(default)]
        #[expect(dead_code, reason = "only read by Debug")]
        map: BTreeMap<String, bool>,
        #[serde(default)]
        #[expect(dead_code, reason = "only read by Debug")]
        status: serde::de::IgnoredAny,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read by Debug")]
        prefix_length: u8,
        #[expect(dead_code, reason = "only read by Debug")]
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        IPv4,
        IPv6,
    }

    fn outcome(body: &[u8]) -> String {
        match decode::<Outer>(body) {
            Ok(outer) => format!("{outer:?}"),
            Err(problem) => format!("{}: {}", problem.code, problem.detail),
        }
    }

    #[test]
    fn each_bad_document_names_the_field_and_what_is_allowed() {
        let bodies = [
            r#"{"name":"a","inner":[{"prefixLength":24,"kind":"IPv6"}],"map":{"x":true},"status":{"any":[1]}}"#,
            "",
            "{",
            r#"{"name":"a"} trailing"#,
            r#"{"name":"\ud800"}"#,
            "null",
            r#"["a"]"#,
            r#""a""#,
            "{}",
            r#"{"name":null}"#,
            r#"{"name":7}"#,
            r#"{"name":["a"]}"#,
            r#"{"name":"a","nmae":"b"}"#,
            r#"{"name":"a","name":"b"}"#,
            r#"{"name":"a","inner":{}}"#,
            r#"{"name":"a","inner":[[24,"IPv4"]]}"#,
            r#"{"name":"a","inner":[{"prefixLength":24},{"prefixLength":"24"}]}"#,
            r#"{"name":"a","inner":[{"prefixLength":256}]}"#,
            r#"{"name":"a","inner":[{"prefixLength":-1}]}"#,
            r#"{"name":"a","inner":[{"prefixLength":24.0}]}"#,
            r#"{"name":"a","inner":[{"prefixLength":24,"kind":"ipv4"}]}"#,
            r#"{"name":"a","inner":[{"prefixLength":24,"kind":{"IPv4":1}}]}"#,
            r#"{"name":"a","inner":[{"prefixLength":24,"colour":1}]}"#,
            r#"{"name":"a","map":{"x":1}}"#,
        ];
        let mut table = String::new();
        for body in bodies {
            writeln!(table, "{body}\n    {}", outcome(body.as_bytes())).unwrap();
        }
        writeln!(table, "not UTF-8\n    {}", outcome(b"{\"name\":\"\xff\"}")).unwrap();
        expect![[r#"
            {"name":"a","inner":[{"prefixLength":24,"kind":"IPv6"}],"map":{"x":true},"status":{"any":[1]}}
                Outer { name: "a", inner: [Inner { prefix_length: 24, kind: Some(IPv6) }], map: {"x": true}, status: IgnoredAny }

                invalid_json: The body is not valid JSON: it is empty; a JSON object is wanted.
            {
                invalid_json: The body is not valid JSON: EOF while parsing an object at line 1 column 1.
            {"name":"a"} trailing
                invalid_json: The body is not valid JSON: trailing characters at line 1 column 14.
            {"name":"\ud800"}
                invalid_json: The body is not valid JSON: unexpected end of hex escape at line 1 column 16.
            null
                invalid_field: body is null; allowed: an object.
            ["a"]
                invalid_field: body is an array; allowed: an object.
            "a"
                invalid_field: body is the string "a"; allowed: an object.
            {}
                invalid_field: name is missing; allowed: a value: the field is required.
            {"name":null}
                invalid_field: name is missing; allowed: a value: the field is required.
            {"name":7}
                invalid_field: name is the number 7; allowed: a string.
            {"name":["a"]}
                invalid_field: name is an array; allowed: a string.
            {"name":"a","nmae":"b"}
                invalid_field: nmae is not a field; allowed: name, inner, map, status.
            {"name":"a","name":"b"}
                invalid_field: name is stated twice; allowed: each field once.
            {"name":"a","inner":{}}
                invalid_field: inner is an object; allowed: an array.
            {"name":"a","inner":[[24,"IPv4"]]}
                invalid_field: inner[0] is an array; allowed: an object.
            {"name":"a","inner":[{"prefixLength":24},{"prefixLength":"24"}]}
                invalid_field: inner[1].prefixLength is the string "24"; allowed: a whole number from 0 to 255.
            {"name":"a","inner":[{"prefixLength":256}]}
                invalid_field: inner[0].prefixLength is the number 256; allowed: a whole number from 0 to 255.
            {"name":"a","inner":[{"prefixLength":-1}]}
                invalid_field: inner[0].prefixLength is the number -1; allowed: a whole number from 0 to 255.
            {"name":"a","inner":[{"prefixLength":24.0}]}
                invalid_field: inner[0].prefixLength is the number 24.0; allowed: a whole number from 0 to 255.
            {"name":"a","inner":[{"prefixLength":24,"kind":"ipv4"}]}
                invalid_field: inner[0].kind is the string "ipv4"; allowed: IPv4, IPv6.
            {"name":"a","inner":[{"prefixLength":24,"kind":{"IPv4":1}}]}
                invalid_field: inner[0].kind is an object; allowed: IPv4, IPv6.
            {"name":"a","inner":[{"prefixLength":24,"colour":1}]}
                invalid_field: inner[0].colour is not a field; allowed: prefixLength, kind.
            {"name":"a","map":{"x":1}}
                invalid_field: map.x is the number 1; allowed: true or false.
            not UTF-8
                invalid_json: The body is not valid JSON: it is not UTF-8 at byte 9.
        "#]].assert_eq(&table);
    }

    #[test]
    fn nesting_of_a_million_is_refused_without_harm() {
        let opens = "[".repeat(1_000_000);
        assert!(outcome(opens.as_bytes()).starts_with("invalid_json"));
        let objects = "{\"name\":".repeat(1_000_000);
        assert!(outcome(objects.as_bytes()).starts_with("invalid_json"));
        let in_status = format!(
            "{{\"name\":\"a\",\"status\":{opens}{}}}",
            "]".repeat(1_000_000)
        );
        assert!(outcome(in_status.as_bytes()).starts_with("invalid_json"));
    }
}
