//! Documents that describe tenants, pools and claims: read from files, checked, and put in order.
//!
//! 1. Every document is checked as the server checks it before anything is asked of a node; all that is
//!    wrong is told at once, by file, number of the document and field as the file writes it.
//! 2. Nothing is ignored but what a server assigned (`status`, a `uid`): a typing error is an error.
//! 3. Tenants come first, then pools, parents before children, then claims.

mod check;
mod envelope;
pub(crate) mod milo;
mod order;
mod read;
mod tree;

use std::fmt;
use std::path::PathBuf;

use allocator::name::Name;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::output;

pub(crate) use check::faults;
pub(crate) use tree::{Tree, from_yaml};

/// What a document describes; the order is that of their making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Kind {
    /// A tenant.
    Tenant,
    /// A pool.
    Pool,
    /// A claim.
    Claim,
}

impl Kind {
    /// The word in messages and names.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Pool => "pool",
            Self::Claim => "claim",
        }
    }
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file as it was named; `stdin` for `-`.
    pub(crate) file: String,
    /// Its number in the file, from 1.
    pub(crate) document: usize,
    /// Its number in a list, from 1, where it stands in one.
    pub(crate) item: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, document {}", self.file, self.document)?;
        match self.item {
            Some(item) => write!(f, ", item {item}"),
            None => Ok(()),
        }
    }
}

/// What an object is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its tenant; for a tenant itself.
    pub(crate) tenant: Name,
    /// Its name.
    pub(crate) name: Name,
}

impl Key {
    /// That of a pool; `None` where a name is none.
    pub(crate) fn pool(tenant: &str, name: &str) -> Option<Self> {
        Some(Self {
            kind: Kind::Pool,
            tenant: Name::new(tenant).ok()?,
            name: Name::new(name).ok()?,
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Tenant => write!(f, "tenant {}", self.name),
            kind => write!(f, "{} {}/{}", kind.word(), self.tenant, self.name),
        }
    }
}

/// A document that was checked.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where it stands.
    pub(crate) place: Place,
    /// What it describes.
    pub(crate) key: Key,
    /// The fields of the API, and `null` for those that are to be reset.
    pub(crate) fields: Map<String, Value>,
    /// How the file writes them.
    pub(crate) paths: Paths,
}

impl Document {
    /// The fields of a new object: one that is to be reset is absent.
    pub(crate) fn creation(&self) -> Value {
        without_nulls(&self.fields)
    }

    /// The pool that it takes its block from, where it names one.
    pub(crate) fn source(&self) -> Option<Key> {
        let field = match self.key.kind {
            Kind::Tenant => return None,
            Kind::Pool => "parent",
            Kind::Claim => "pool",
        };
        let own = self.key.tenant.as_str();
        match self.fields.get(field)? {
            Value::String(name) => Key::pool(own, name),
            Value::Object(long) => {
                let tenant = long.get("tenant").and_then(Value::as_str);
                Key::pool(tenant.unwrap_or(own), long.get("name")?.as_str()?)
            }
            _ => None,
        }
    }
}

/// How a file writes the fields of the API: `prefixLength` may stand as `spec.prefixLength`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths(Vec<(&'static str, String)>);

impl Paths {
    /// A field stands at that path; the empty field is the beginning of all that were not added before.
    pub(crate) fn add(&mut self, field: &'static str, path: impl Into<String>) {
        self.0.push((field, path.into()));
    }

    /// The path of a field, or of something in it: `cidrs[0].gateway`.
    pub(crate) fn of(&self, field: &str) -> String {
        let inside = |part: &str| {
            let whole =
                |rest: &&str| part.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']);
            field.strip_prefix(part).filter(whole)
        };
        self.0
            .iter()
            .find_map(|(part, path)| inside(part).map(|rest| format!("{path}{rest}")))
            .unwrap_or_else(|| field.to_owned())
    }
}

/// A field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where it stands.
    pub(crate) place: Place,
    /// The field as the file writes it, what is wrong and what is allowed; or a sentence.
    pub(crate) text: String,
}

impl Fault {
    /// A field that is not as it should be.
    pub(crate) fn field(place: &Place, field: &str, problem: &str, allowed: &str) -> Self {
        Self {
            place: place.clone(),
            text: format!("{field} {problem}; allowed: {allowed}"),
        }
    }
}

/// Reads the files, checks all documents and puts them in order. `tenant` is whose the pools and claims are
/// that say nothing of it.
pub(crate) fn load(files: &[PathBuf], tenant: Option<&Name>) -> Result<Vec<Document>, Failure> {
    let raw = read::all(files)?;
    let total = raw.len();
    let judged = judge(raw, tenant);
    for fault in &judged.faults {
        let text = format!("error: {}: {}", fault.place, fault.text);
        output::note(&output::printable(&text));
    }
    let mut places: Vec<&Place> = judged.faults.iter().map(|fault| &fault.place).collect();
    places.dedup();
    if !places.is_empty() {
        return Err(Failure::Documents {
            failed: places.len(),
            total,
        });
    }
    for note in &judged.notes {
        output::note(&output::printable(note));
    }
    Ok(order::sorted(judged.documents))
}

/// The same of a text that is in no file.
pub(crate) fn of_text(text: &str, tenant: Option<&Name>) -> Result<Vec<Document>, Vec<String>> {
    let mut raw = Vec::new();
    read::documents("text", text, &mut raw).map_err(|failure| vec![failure.to_string()])?;
    let judged = judge(raw, tenant);
    if judged.faults.is_empty() {
        return Ok(order::sorted(judged.documents));
    }
    let told = judged.faults.into_iter();
    Err(told
        .map(|fault| format!("{}: {}", fault.place, fault.text))
        .collect())
}

/// The fields of the API that an item of a listing comes to, not checked yet; or all that is wrong with it.
pub(crate) fn fields_of(item: &Value) -> Result<Map<String, Value>, String> {
    let place = Place {
        file: String::new(),
        document: 1,
        item: None,
    };
    let mut item = item.clone();
    // It has its name: what that was made of says nothing more.
    if let Some(Value::Object(metadata)) = item.get_mut("metadata") {
        metadata.remove("generateName");
    }
    match envelope::open(place, item) {
        Ok(opened) => Ok(opened.fields),
        Err(faults) => {
            let told: Vec<String> = faults.into_iter().map(|fault| fault.text).collect();
            Err(told.join("; "))
        }
    }
}

/// What is to be said of documents.
#[derive(Debug, Default)]
struct Judged {
    documents: Vec<Document>,
    faults: Vec<Fault>,
    /// What documents of other systems became.
    notes: Vec<String>,
}

fn judge(raw: Vec<(Place, Value)>, tenant: Option<&Name>) -> Judged {
    let mut judged = Judged::default();
    for (place, value) in raw {
        match envelope::open(place, value).and_then(|opened| check::check(opened, tenant)) {
            Ok((document, became)) => {
                let note = became.map(|became| format!("{}: {became}", document.place));
                judged.notes.extend(note);
                judged.documents.push(document);
            }
            Err(found) => judged.faults.extend(found),
        }
    }
    judged.faults.extend(order::twice(&judged.documents));
    judged
}

/// The same without what is `null`, at any depth.
fn without_nulls(fields: &Map<String, Value>) -> Value {
    let kept = fields.iter().filter(|(_, value)| !value.is_null());
    kept.map(|(field, value)| {
        let value = match value {
            Value::Object(inner) => without_nulls(inner),
            other => other.clone(),
        };
        (field.clone(), value)
    })
    .collect::<Map<String, Value>>()
    .into()
}

#[cfg(test)]
mod tests;
