//! Editing what is there in a text editor, as `kubectl edit` does.
//!
//! 1. What is sent is the difference alone, as a merge patch; of a pool only if it is still the one that was shown.
//! 2. What was written is never lost: where it is refused, or was only tried, its file stays, and is named.
//! 3. Nobody else can read it while it is there.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use serde_json::{Map, Value};

use crate::args::DryRun;
use crate::failure::Failure;
use crate::interrupt::TerminalLent;
use crate::manifest::{Tree, from_yaml};
use crate::output;

/// Merged key by key by the API; all else is replaced as a whole.
const MERGED: &[&str] = &["labels", "annotations", "quota", "dns", "parameters"];

/// So much of an object's name is in that of the file; the two together may be longer than a file's name.
const FILE_NAME_PART_MAX: usize = 64;

/// A document in an editor.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    shown: Map<String, Value>,
}

impl Draft {
    /// Writes the document, without what the system assigned, to a file of its own.
    pub(super) fn write(kind: &str, name: &str, shown: &Value) -> Result<Self, Failure> {
        let mut shown = shown.as_object().cloned().unwrap_or_default();
        shown.remove("status");
        let text = serde_saphyr::to_string(&shown)
            .map_err(|error| Failure::File(format!("cannot write YAML: {error}")))?;
        let path = env::temp_dir().join(file_name(kind, name, process::id()));
        let mut new = OpenOptions::new();
        new.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
        let written = new.open(&path).and_then(|mut file| {
            writeln!(file, "# {kind} {name}. A field that is removed is reset; save nothing new and nothing happens.")?;
            file.write_all(text.as_bytes())
        });
        written.map_err(|source| failed("cannot write", &path, source))?;
        Ok(Self { path, shown })
    }

    /// Opens the editor and waits for its end; what is different then.
    pub(super) async fn edited(&self) -> Result<Map<String, Value>, Failure> {
        let editor = ["VISUAL", "EDITOR"]
            .into_iter()
            .filter_map(|name| env::var(name).ok())
            .find(|command| !command.trim().is_empty())
            .ok_or_else(|| Failure::Usage("no editor: set VISUAL or EDITOR".to_owned()))?;
        let path = self.path.clone();
        // Its switches may stand in the variable, so that a shell takes it apart. The shell waits for the
        // editor when both get a Ctrl-C: a trap, unlike an ignored signal, is not handed down.
        let run = move || {
            Command::new("sh")
                .arg("-c")
                .arg(format!("trap : INT; {editor} \"$1\""))
                .arg("sh")
                .arg(path)
                .status()
        };
        let lent = TerminalLent::lend();
        let ended = tokio::task::spawn_blocking(run).await;
        lent.take_back().await;
        let ended = ended.unwrap_or_else(|error| Err(io::Error::other(error)));
        let status = ended.map_err(|source| failed("cannot edit", &self.path, source))?;
        if !status.success() {
            return Err(Failure::Aborted);
        }
        let text = fs::read_to_string(&self.path);
        let text = text.map_err(|source| failed("cannot read", &self.path, source))?;
        match from_yaml(&text).as_deref() {
            Ok([Tree(Value::Object(edited))]) => Ok(difference(&self.shown, edited)),
            Ok(_) => Err(Failure::File("what was saved is no object".to_owned())),
            Err(error) => Err(Failure::File(format!(
                "what was saved is not YAML: {error}"
            ))),
        }
    }

    /// Removes the file, or says where it is when what was written in it is not done.
    pub(super) fn end<T>(self, outcome: Result<T, Failure>, dry_run: DryRun) -> Result<T, Failure> {
        let settled = match &outcome {
            Ok(_) => !dry_run.dry_run,
            Err(failure) => matches!(failure, Failure::Aborted | Failure::Usage(_)),
        };
        if settled {
            // A file that is left in the temporary directory harms nobody.
            fs::remove_file(&self.path).ok();
        } else {
            output::note(&format!("what was written is in {}", self.path.display()));
        }
        outcome
    }
}

/// A name that any file system takes, and any editor: colons would be separators to some.
fn file_name(kind: &str, name: &str, process: u32) -> String {
    let name: String = name.chars().take(FILE_NAME_PART_MAX).collect();
    format!("ipamctl-{kind}-{}-{process}.yaml", name.replace(':', "_"))
}

fn failed(what: &str, path: &Path, source: io::Error) -> Failure {
    Failure::Local {
        what: format!("{what} {}", path.display()),
        source,
    }
}

/// The merge patch (RFC 7396) that makes `to` of `from`.
fn difference(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for field in from.keys().filter(|field| !to.contains_key(*field)) {
        patch.insert(field.clone(), Value::Null);
    }
    for (field, value) in to {
        match (from.get(field), value) {
            (Some(before), value) if before == value => {}
            (Some(Value::Object(before)), Value::Object(after))
                if MERGED.contains(&field.as_str()) =>
            {
                patch.insert(field.clone(), difference(before, after).into());
            }
            _ => drop(patch.insert(field.clone(), value.clone())),
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_longest_name_of_an_object_has_a_file() {
        let name = format!("{}:x", "n".repeat(250));
        let file = file_name("claim", &name, u32::MAX);
        assert!(file.len() <= 255 && !file.contains(':'), "{file}");
        assert_eq!(file_name("pool", "a:b", 7), "ipamctl-pool-a_b-7.yaml");
    }

    #[test]
    fn a_patch_is_what_differs_and_nothing_else() {
        let from = json!({ "name": "p", "drain": true, "labels": { "a": "1", "b": "2" }, "pool": { "tenant": "t", "name": "n" }, "cidrs": ["a"] });
        let table = [
            (from.clone(), json!({})),
            (
                json!({ "name": "p", "labels": { "a": "1", "c": "3" }, "pool": { "tenant": "t", "name": "m" }, "cidrs": ["a", "b"] }),
                json!({ "drain": null, "labels": { "b": null, "c": "3" }, "pool": { "tenant": "t", "name": "m" }, "cidrs": ["a", "b"] }),
            ),
            (
                json!({ "name": "p", "drain": true, "labels": { "a": "1", "b": "2" }, "pool": { "tenant": "t", "name": "n" }, "cidrs": ["a"], "dns": {} }),
                json!({ "dns": {} }),
            ),
            (
                json!({ "name": "p", "drain": true, "pool": { "tenant": "t", "name": "n" }, "cidrs": ["a"], "x": 1 }),
                json!({ "labels": null, "x": 1 }),
            ),
        ];
        for (to, patch) in table {
            let (before, after) = (from.as_object().unwrap(), to.as_object().unwrap());
            assert_eq!(Value::from(difference(before, after)), patch, "{to}");
        }
    }
}
