//! Milo's kinds (`ipam.miloapis.com/v1alpha1`): an `IPPool` becomes a pool, an `IPClaim` a claim.
//!
//! | there | here |
//! |---|---|
//! | project | tenant: the one of `--tenant`, or the one that `projectRef` names |
//! | `metadata.namespace` of an `IPClaim` | a first part of its name, `frontend.web`; none for `default` |
//! | `spec.cidr`, whose host bits are cleared there in silence | `cidrs`, cleared, which is said |
//! | `spec.parentPoolRef`, `spec.poolRef` | `parent`, `pool` |
//! | `spec.allocation.strategy` and the bounds beside it | `strategy`, `minPrefixLength`, `maxPrefixLength` |
//! | `spec.visibility: shared` | `sharedWith: ["*"]`; any other is private |
//! | `spec.ownerRef` | `owner`, as `namespace/kind/name` |
//! | `spec.address` | `cidr`, a single address |

use allocator::prefix::Prefix;
use serde_json::{Map, Value, json};

use super::envelope::{Envelope, Opened};
use super::{Fault, Kind, Paths, Place};

/// The group of its kinds.
pub(crate) const GROUP: &str = "ipam.miloapis.com/";

/// The document is Milo's.
pub(super) fn is_its(api_version: Option<&str>, kind: &str) -> bool {
    match api_version {
        Some(version) => version.starts_with(GROUP),
        None => matches!(kind, "IPPool" | "IPClaim"),
    }
}

/// What a claim is called here: unique in its tenant, as there in its namespace.
pub(crate) fn claim_name(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        None | Some("" | "default") => name.to_owned(),
        Some(namespace) => format!("{namespace}.{name}"),
    }
}

/// A document of Milo's out of its envelope.
pub(super) fn open(place: Place, kind: &str, envelope: Envelope) -> Result<Opened, Vec<Fault>> {
    match kind {
        "IPPool" => Conversion::new(place, envelope).pool(),
        "IPClaim" => Conversion::new(place, envelope).claim(),
        other => {
            let problem = format!("is {other:?}");
            let allowed = "IPPool, IPClaim: what else there is in Milo has no counterpart";
            Err(vec![Fault::field(&place, "kind", &problem, allowed)])
        }
    }
}

struct Conversion {
    place: Place,
    namespace: Option<String>,
    name: Option<Value>,
    spec: Map<String, Value>,
    fields: Map<String, Value>,
    paths: Paths,
    faults: Vec<Fault>,
    remarks: Vec<String>,
}

impl Conversion {
    fn new(place: Place, envelope: Envelope) -> Self {
        let Envelope { metadata, spec } = envelope;
        let mut conversion = Self {
            place,
            namespace: metadata.namespace,
            name: metadata.name,
            spec,
            fields: Map::new(),
            paths: Paths::default(),
            faults: Vec::new(),
            remarks: Vec::new(),
        };
        conversion.paths.add("name", "metadata.name");
        conversion.set("labels", "metadata.labels", metadata.labels);
        conversion.set("annotations", "metadata.annotations", metadata.annotations);
        conversion
    }

    fn pool(mut self) -> Result<Opened, Vec<Fault>> {
        let name = self.name.clone();
        self.set("name", "metadata.name", name);
        self.cidr();
        self.moved("ipFamily", "family");
        self.moved("prefixLength", "prefixLength");
        let parent = self.reference("parentPoolRef");
        self.set("parent", "spec.parentPoolRef.name", parent);
        let mut allocation = self.object("allocation");
        for field in ["minPrefixLength", "maxPrefixLength", "strategy"] {
            let value = allocation.remove(field).filter(|value| *value != json!(0));
            self.set(field, &format!("spec.allocation.{field}"), value);
        }
        self.nothing_left(
            "spec.allocation",
            &allocation,
            "minPrefixLength, maxPrefixLength, strategy",
        );
        match self.spec.remove("visibility") {
            None | Some(Value::Null) => {}
            Some(Value::String(word)) if ["", "platform", "consumer"].contains(&word.as_str()) => {}
            Some(Value::String(word)) if word == "shared" => {
                self.remarks
                    .push("visibility shared became sharedWith *".to_owned());
                self.set("sharedWith", "spec.visibility", Some(json!(["*"])));
            }
            Some(other) => self.refuse(
                "spec.visibility",
                &format!("is {other}"),
                "platform, consumer, shared",
            ),
        }
        self.finish(
            Kind::Pool,
            "IPPool",
            "cidr, ipFamily, parentPoolRef, prefixLength, allocation, visibility",
        )
    }

    fn claim(mut self) -> Result<Opened, Vec<Fault>> {
        let name = match &self.name {
            Some(Value::String(name)) => Some(claim_name(self.namespace.as_deref(), name).into()),
            other => other.clone(),
        };
        self.set("name", "metadata.name", name);
        self.moved("ipFamily", "family");
        self.moved("prefixLength", "prefixLength");
        self.moved("reclaimPolicy", "reclaimPolicy");
        let pool = self.reference("poolRef");
        self.set("pool", "spec.poolRef", pool);
        self.selector();
        self.owner();
        self.address();
        self.finish(
            Kind::Claim,
            "IPClaim",
            "ipFamily, prefixLength, poolRef, poolSelector, address, reclaimPolicy, ownerRef",
        )
    }

    /// Host bits are cleared there without a word; here it is said.
    fn cidr(&mut self) {
        let cidr = match self.spec.remove("cidr") {
            None | Some(Value::Null) => return,
            Some(Value::String(text)) => text,
            Some(other) => return self.refuse("spec.cidr", &format!("is {other}"), "a CIDR"),
        };
        let masked = cidr.split_once('/').and_then(|(address, length)| {
            Prefix::around(address.parse().ok()?, length.parse().ok()?)
        });
        // Text that is no CIDR is told by the check of the field.
        let cidr = match masked.map(|prefix| prefix.to_string()) {
            Some(masked) if masked != cidr => {
                self.remarks.push(format!("cidr {cidr} became {masked}"));
                masked
            }
            _ => cidr,
        };
        self.set("cidrs", "spec.cidr", Some(json!([cidr])));
    }

    /// `{name, projectRef: {name}}` as a pool of that tenant.
    fn reference(&mut self, field: &str) -> Option<Value> {
        if !self.spec.contains_key(field) {
            return None;
        }
        let path = format!("spec.{field}");
        let mut reference = self.object(field);
        let name = reference.remove("name").unwrap_or_default();
        let tenant = self.project(&path, &mut reference);
        self.nothing_left(&path, &reference, "name, projectRef");
        match tenant {
            None => Some(name),
            Some(tenant) => Some(json!({ "tenant": tenant, "name": name })),
        }
    }

    fn project(&mut self, path: &str, reference: &mut Map<String, Value>) -> Option<Value> {
        match reference.remove("projectRef") {
            None | Some(Value::Null) => None,
            Some(Value::Object(mut project)) => {
                let path = format!("{path}.projectRef");
                let name = project.remove("name").filter(|name| !name.is_null());
                project.remove("apiGroup");
                self.nothing_left(&path, &project, "name, apiGroup");
                if name.is_none() {
                    self.refuse(&format!("{path}.name"), "is missing", "a project");
                }
                name
            }
            Some(other) => {
                self.refuse(
                    &format!("{path}.projectRef"),
                    &format!("is {other}"),
                    "an object",
                );
                None
            }
        }
    }

    fn selector(&mut self) {
        if !self.spec.contains_key("poolSelector") {
            return;
        }
        let mut selector = self.object("poolSelector");
        if let Some(project) = self.project("spec.poolSelector", &mut selector) {
            selector.insert("tenant".to_owned(), project);
        }
        self.set("poolSelector", "spec.poolSelector", Some(selector.into()));
    }

    /// The widest part first.
    fn owner(&mut self) {
        if !self.spec.contains_key("ownerRef") {
            return;
        }
        let mut owner = self.object("ownerRef");
        let mut parts = Vec::new();
        for part in ["namespace", "kind", "name"] {
            match owner.remove(part) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.is_empty() => {}
                Some(Value::String(text)) => parts.push(text),
                Some(other) => {
                    let field = format!("spec.ownerRef.{part}");
                    self.refuse(&field, &format!("is {other}"), "a string");
                }
            }
        }
        owner.remove("apiGroup");
        let allowed = "apiGroup, kind, namespace, name";
        self.nothing_left("spec.ownerRef", &owner, allowed);
        let key = parts.join("/");
        let key = (!key.is_empty()).then(|| Value::from(key));
        self.set("owner", "spec.ownerRef", key);
    }

    /// A single address. Its length stands beside it there, which would say the same again here.
    fn address(&mut self) {
        let Some(address) = self.spec.remove("address").filter(|value| !value.is_null()) else {
            return;
        };
        self.fields.remove("prefixLength");
        let single = address.as_str().and_then(|text| text.parse().ok());
        let cidr = single.map(|single| Value::from(Prefix::single(single).to_string()));
        // Text that is no address is told by the check of the field.
        self.set("cidr", "spec.address", Some(cidr.unwrap_or(address)));
    }

    fn moved(&mut self, there: &str, here: &'static str) {
        let value = self.spec.remove(there);
        self.set(here, &format!("spec.{there}"), value);
    }

    fn set(&mut self, field: &'static str, path: &str, value: Option<Value>) {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            self.paths.add(field, path);
            self.fields.insert(field.to_owned(), value);
        }
    }

    fn object(&mut self, field: &str) -> Map<String, Value> {
        match self.spec.remove(field) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(object)) => object,
            Some(other) => {
                self.refuse(
                    &format!("spec.{field}"),
                    &format!("is {other}"),
                    "an object",
                );
                Map::new()
            }
        }
    }

    fn nothing_left(&mut self, path: &str, rest: &Map<String, Value>, allowed: &str) {
        for field in rest.keys() {
            self.refuse(&format!("{path}.{field}"), "has no counterpart", allowed);
        }
    }

    fn refuse(&mut self, field: &str, problem: &str, allowed: &str) {
        self.faults
            .push(Fault::field(&self.place, field, problem, allowed));
    }

    fn finish(mut self, kind: Kind, from: &str, allowed: &str) -> Result<Opened, Vec<Fault>> {
        let rest = std::mem::take(&mut self.spec);
        self.nothing_left("spec", &rest, allowed);
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let name = match &self.name {
            Some(Value::String(name)) => name.as_str(),
            _ => "",
        };
        let of = match (kind, &self.namespace) {
            (Kind::Claim, Some(namespace)) => format!("{from} {namespace}/{name}"),
            _ => format!("{from} {name}"),
        };
        let became = if self.remarks.is_empty() {
            of
        } else {
            format!("{of} ({})", self.remarks.join("; "))
        };
        Ok(Opened {
            place: self.place,
            kind,
            tenant: None,
            fields: self.fields,
            paths: self.paths,
            became: Some(became),
        })
    }
}
