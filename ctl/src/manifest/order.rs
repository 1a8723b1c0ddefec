//! Which document comes first.

use std::collections::BTreeMap;

use super::{Document, Fault, Key, Kind};

/// Documents that describe what another one describes, each with where the first stands.
pub(super) fn twice(documents: &[Document]) -> Vec<Fault> {
    let mut first: BTreeMap<&Key, &Document> = BTreeMap::new();
    let mut faults = Vec::new();
    for document in documents {
        match first.get(&document.key) {
            None => {
                first.insert(&document.key, document);
            }
            Some(other) => faults.push(Fault {
                place: document.place.clone(),
                text: format!("{} is described in {} already", document.key, other.place),
            }),
        }
    }
    faults
}

/// Tenants, then pools with parents before their children, then claims; else as they stand. Pools whose
/// parents go in a circle come last of the pools: none of them can be made, which the server says of each.
pub(super) fn sorted(mut documents: Vec<Document>) -> Vec<Document> {
    let parents: BTreeMap<Key, Option<Key>> = documents
        .iter()
        .filter(|document| document.key.kind == Kind::Pool)
        .map(|document| (document.key.clone(), document.source()))
        .collect();
    documents.sort_by_cached_key(|document| (document.key.kind, depth(&document.key, &parents)));
    documents
}

/// How many of its ancestors are among the documents.
fn depth(key: &Key, parents: &BTreeMap<Key, Option<Key>>) -> usize {
    let mut depth = 0;
    let mut at = key;
    while let Some(Some(parent)) = parents.get(at) {
        depth += 1;
        at = parent;
        if depth > parents.len() {
            break;
        }
    }
    depth
}
