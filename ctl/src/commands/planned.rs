//! What a plan has made and edited so far, which the node does not know of: it explains some refusals of what
//! comes after it, and no others.

use std::collections::{BTreeMap, BTreeSet};

use api::Problem;
use api::problem::Code;
use serde_json::Value;

use super::apply::{Action, Step};
use crate::manifest::{Document, Key, Kind};

/// What a plan does to an object.
#[derive(Debug)]
enum Done {
    Made,
    /// With the fields that differ, without what is in them.
    Edited(BTreeSet<String>),
}

/// The objects that a plan makes or edits.
#[derive(Debug, Default)]
pub(super) struct Planned(BTreeMap<Key, Done>);

/// Fields of a pool that say what it can hand out.
const SPACE: &[&str] = &["cidrs", "exclude", "usableOnly", "gateway", "subnet"];
/// Fields of a pool that say which blocks it hands out.
const LENGTHS: &[&str] = &[
    "cidrs",
    "minPrefixLength",
    "maxPrefixLength",
    "defaultPrefixLength",
];

impl Planned {
    /// Notes what a step does to an object.
    pub(super) fn note(&mut self, key: Key, step: &Step) {
        let done = match step.action {
            Action::Create => Done::Made,
            Action::Change => Done::Edited(step.changed_fields().map(str::to_owned).collect()),
            Action::Unchanged | Action::Delete | Action::Failed => return,
        };
        self.0.insert(key, done);
    }

    /// Whether what was planned before is why the node refuses to make this.
    pub(super) fn explains(&self, document: &Document, problem: &Problem) -> bool {
        let Some(code) = problem.known_code() else {
            return false;
        };
        let tenant = Key {
            kind: Kind::Tenant,
            tenant: document.key.tenant.clone(),
            name: document.key.tenant.clone(),
        };
        match code {
            Code::TenantNotFound => self.makes(&tenant),
            Code::QuotaExceeded => self.edits(&tenant, &["quota"]),
            Code::CidrOverlap => {
                let other = problem.facts.get("pool").and_then(Value::as_str);
                let other = other.and_then(|pool| Key::pool(document.key.tenant.as_str(), pool));
                other.is_some_and(|other| self.edits(&other, &["cidrs"]))
            }
            _ => match document.source() {
                Some(source) => self.pool_explains(&source, code, problem),
                None => self.0.keys().any(|key| {
                    selects_among(document, key) && self.pool_explains(key, code, problem)
                }),
            },
        }
    }

    /// What was planned of that pool is why nothing can be taken from it, or from any that a selector finds.
    fn pool_explains(&self, pool: &Key, code: Code, problem: &Problem) -> bool {
        match code {
            Code::PoolNotFound => self.makes(pool) || self.edits(pool, &["sharedWith"]),
            Code::NoPoolMatches => self.makes(pool) || self.edits(pool, &["labels", "sharedWith"]),
            Code::PoolExhausted | Code::AddressTaken => self.gives(pool, SPACE),
            Code::PoolDraining => self.gives(pool, &["drain"]),
            Code::PrefixLengthOutOfBounds => self.gives(pool, LENGTHS),
            Code::InvalidField => {
                let fields = problem.fields();
                let explained = |field: &str| match field.split('[').next().unwrap_or_default() {
                    "cidr" | "within" => self.gives(pool, &["cidrs"]),
                    "prefixLength" => self.gives(pool, LENGTHS),
                    "ttlSeconds" => self.gives(pool, &["maxTtlSeconds"]),
                    "graceSeconds" => self.gives(pool, &["graceSeconds", "maxGraceSeconds"]),
                    "reclaimPolicy" => self.gives(pool, &["allowRetain"]),
                    _ => false,
                };
                !fields.is_empty() && fields.iter().all(|one| explained(&one.field))
            }
            _ => false,
        }
    }

    /// It is made, which a selector may find; or edited in one of these fields.
    fn gives(&self, pool: &Key, fields: &[&str]) -> bool {
        self.makes(pool) || self.edits(pool, fields)
    }

    fn makes(&self, key: &Key) -> bool {
        matches!(self.0.get(key), Some(Done::Made))
    }

    fn edits(&self, key: &Key, fields: &[&str]) -> bool {
        match self.0.get(key) {
            Some(Done::Edited(changed)) => fields.iter().any(|field| changed.contains(*field)),
            Some(Done::Made) | None => false,
        }
    }
}

/// A claim's selector is about pools of that tenant.
fn selects_among(document: &Document, pool: &Key) -> bool {
    let Some(selector) = document.fields.get("poolSelector") else {
        return false;
    };
    let tenant = match selector.get("tenant").and_then(Value::as_str) {
        Some(tenant) => tenant,
        None => document.key.tenant.as_str(),
    };
    pool.kind == Kind::Pool && pool.tenant.as_str() == tenant
}
