//! What other systems hold, as claims of ours by exact block.
//!
//! Each is read from what `kubectl get … -o json` prints of it (host-local: from its directory), and named so
//! that the same object has the same name whenever it is read.

mod calico;
pub(super) mod host_local;
mod kubeslice;
mod milo;
mod whereabouts;

use serde_json::{Map, Value, json};

use super::rows::Said;

/// Another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Milo's claims.
    Milo,
    /// `KubeSlice`'s dynamic IPAM.
    Kubeslice,
    /// Calico's blocks.
    Calico,
    /// whereabouts' pools.
    Whereabouts,
    /// host-local's directory on a node.
    HostLocal {
        /// The node that it is from.
        node: String,
    },
}

/// The claims of one object.
pub(super) fn claims(from: &Foreign, item: &Value) -> Vec<Said> {
    match from {
        Foreign::Milo => milo::claims(item),
        Foreign::Kubeslice => kubeslice::claims(item),
        Foreign::Calico => calico::claims(item),
        Foreign::Whereabouts => whereabouts::claims(item),
        // A directory is no object.
        Foreign::HostLocal { .. } => Vec::new(),
    }
}

/// A claim with what is known of it; what is empty is not.
fn claim(name: &str, cidr: &str, owner: &str, labels: &[(&str, &str)]) -> Map<String, Value> {
    let labels = labels.iter().filter(|(_, value)| !value.is_empty());
    let labels: Map<String, Value> = labels
        .map(|(key, value)| ((*key).to_owned(), (*value).into()))
        .collect();
    let mut fields = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("cidr".to_owned(), json!(cidr)),
    ]);
    if !owner.is_empty() {
        fields.insert("owner".to_owned(), owner.into());
    }
    if !labels.is_empty() {
        fields.insert("labels".to_owned(), labels.into());
    }
    fields
}

/// It is of another kind than is read here.
fn other_kind(item: &Value) -> Said {
    Said::Skipped(format!("it is of kind {}", text(item, &["kind"])))
}

/// The text at that place; empty where there is none.
fn text<'a>(item: &'a Value, path: &[&str]) -> &'a str {
    let at = path.iter().fold(item, |at, field| &at[*field]);
    at.as_str().unwrap_or_default()
}

/// The parts that are not empty, the widest first.
fn owner(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("/")
}

#[cfg(test)]
mod tests;
