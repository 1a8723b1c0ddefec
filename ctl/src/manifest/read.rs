//! Files to documents: several in a file, lists taken apart.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Place;
use super::tree::{Tree, from_yaml};
use crate::failure::Failure;

/// What a file of a directory must end in.
const ENDINGS: &[&str] = &["yaml", "yml", "json"];

/// Every document of the files, and of the files in directories (by name, not below them).
pub(super) fn all(files: &[PathBuf]) -> Result<Vec<(Place, Value)>, Failure> {
    let mut found = Vec::new();
    for file in files {
        if file.as_os_str() == "-" {
            let mut text = String::new();
            io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map_err(|source| unreadable("stdin", source))?;
            documents("stdin", &text, &mut found)?;
        } else if file.is_dir() {
            for path in inside(file)? {
                documents(&path.display().to_string(), &text(&path)?, &mut found)?;
            }
        } else {
            documents(&file.display().to_string(), &text(file)?, &mut found)?;
        }
    }
    if found.is_empty() {
        return Err(Failure::File("the files hold no document".to_owned()));
    }
    Ok(found)
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let name = folder.display().to_string();
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| unreadable(&name, source))? {
        let path = entry.map_err(|source| unreadable(&name, source))?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| unreadable(&path.display().to_string(), source))
}

fn unreadable(what: &str, source: io::Error) -> Failure {
    Failure::Local {
        what: format!("cannot read {what}"),
        source,
    }
}

/// JSON is read as JSON, of which there may be several texts one after the other; all else as YAML.
pub(super) fn documents(
    file: &str,
    text: &str,
    into: &mut Vec<(Place, Value)>,
) -> Result<(), Failure> {
    let trees: Vec<Tree> = if text.trim_start().starts_with('{') {
        let texts = serde_json::Deserializer::from_str(text).into_iter();
        let trees: Result<_, serde_json::Error> = texts.collect();
        trees.map_err(|error| Failure::File(format!("{file} is not JSON: {error}")))?
    } else {
        from_yaml(text).map_err(|error| Failure::File(format!("{file} is not YAML: {error}")))?
    };
    // A document of nothing, such as what follows a last `---`, is none.
    let trees = trees.into_iter().filter(|tree| !tree.0.is_null());
    for (index, Tree(value)) in trees.enumerate() {
        let place = Place {
            file: file.to_owned(),
            document: index + 1,
            item: None,
        };
        match list_items(value) {
            Ok(items) => into.extend(items.into_iter().enumerate().map(|(index, item)| {
                let item_place = Place {
                    item: Some(index + 1),
                    ..place.clone()
                };
                (item_place, item)
            })),
            Err(value) => into.push((place, value)),
        }
    }
    Ok(())
}

/// The items of a `List`, as `kubectl get` prints several; anything else comes back as it is.
fn list_items(value: Value) -> Result<Vec<Value>, Value> {
    let is_list = value["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    match value {
        Value::Object(mut fields) if is_list => match fields.remove("items") {
            Some(Value::Array(items)) => Ok(items),
            Some(other) => {
                fields.insert("items".to_owned(), other);
                Err(fields.into())
            }
            None => Err(fields.into()),
        },
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        documents("f", text, &mut found).map_err(|failure| failure.to_string())?;
        Ok(found
            .into_iter()
            .map(|(place, value)| format!("{place}: {value}"))
            .collect())
    }

    #[test]
    fn yaml_and_json_hold_several_documents_and_lists() {
        let table = [
            (
                "a: 1\n---\n# nothing\n---\nb: x\n",
                vec![r#"f, document 1: {"a":1}"#, r#"f, document 2: {"b":"x"}"#],
            ),
            (
                "{\"a\": 1}\n{\"a\": 2}",
                vec![r#"f, document 1: {"a":1}"#, r#"f, document 2: {"a":2}"#],
            ),
            (
                "kind: List\nitems:\n- a: 1\n- a: 2\n",
                vec![
                    r#"f, document 1, item 1: {"a":1}"#,
                    r#"f, document 1, item 2: {"a":2}"#,
                ],
            ),
            (
                "kind: IPPoolList\nitems: []\n---\nc: 10.0.0.0/8\n",
                vec![r#"f, document 2: {"c":"10.0.0.0/8"}"#],
            ),
            (
                "kind: List\nitems: 7\n",
                vec![r#"f, document 1: {"items":7,"kind":"List"}"#],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_and_text_that_is_no_document_are_errors() {
        for text in [
            "a: 1\na: 2\n",
            "{\"a\": 1, \"a\": 2}",
            "{\"a\": {\"b\": 1, \"b\": 2}}",
            "a: [1\n",
            "a: {b: 1, b: 2}\n",
            "{\"a\": 1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_may_be_long_and_words_are_text() {
        let many = "a: {b: [1, 2], c: no}\n---\n".repeat(60_000);
        let found = read(&many).unwrap();
        assert_eq!(found.len(), 60_000);
        assert_eq!(
            found[59_999],
            r#"f, document 60000: {"a":{"b":[1,2],"c":"no"}}"#
        );
    }

    #[test]
    fn a_few_lines_of_aliases_are_no_bomb() {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, before) in ('b'..='i').zip('a'..) {
            let ten = [format!("*{before}").as_str(); 10].join(", ");
            writeln!(text, "{name}: &{name} [{ten}]").unwrap();
        }
        assert!(read(&text).is_err());
    }

    #[test]
    fn a_directory_is_its_documents_by_name_and_nothing_else_of_it() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b.yml", "n: 2"),
            ("a.yaml", "n: 1"),
            ("c.json", "{\"n\": 3}"),
            ("d.txt", "n: 4"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("e.yaml")).unwrap();
        let found = all(&[folder.path().to_owned()]).unwrap();
        let numbers: Vec<&Value> = found.iter().map(|(_, value)| &value["n"]).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let missing = all(&[folder.path().join("none.yaml")]).unwrap_err();
        assert!(matches!(missing, Failure::Local { .. }));
        let empty = tempfile::tempdir().unwrap();
        assert!(all(&[empty.path().to_owned()]).is_err());
    }
}
